/* Waiting for rows: sleeping on the news of a table, by the rules under NEWS in typedshm.h. */
#ifndef TYPEDSHM_ROW_WAITING_H
#define TYPEDSHM_ROW_WAITING_H

#include "rows/rows.h"

/* Looks for what is waited for, and says whether it is there. False and an error set. */
typedef bool row_waiting_look(void *context, bool *any);

/* Sleep until it is there; false and an error set if it is not within `ns`. */
bool row_waiting_sleep(Rows *rows, row_waiting_look *look, void *context, int64_t ns);
/* Look, announce a sleep on the news, look again; for those who do not sleep here. `number`: what the news said. */
bool row_waiting_prepare(Rows *rows, row_waiting_look *look, void *context, uint32_t *number, bool *any);
/* wait_rows(table, rows, versions, timeout): positions of those that hold another version, as soon as one does. */
PyObject *row_waiting_wait(PyObject *module, PyObject *args);
/* row_versions(table, rows, what): of each the newest version's number, or with what "time" when it was published. */
PyObject *row_waiting_versions(PyObject *module, PyObject *args);
/* row_holders(table, rows): [(number, process id of the living holder), ...] of those that somebody has. */
PyObject *row_waiting_holders(PyObject *module, PyObject *args);

#endif
