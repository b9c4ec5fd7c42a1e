/* Writing rows: each as its next version. */
#ifndef TYPEDSHM_ROW_WRITING_H
#define TYPEDSHM_ROW_WRITING_H

#include "rows/rows.h"

/* By who has the row: publishes a value. */
void row_writing_store(Rows *rows, uint64_t number, const void *value, uint64_t now);
/* The same with a version's number, which is above that of the newest, or 0: the next. */
void row_writing_store_as(Rows *rows, uint64_t number, const void *value, uint64_t version, uint64_t now);
/* Takes one row for a verb, for lock() or for an update(). False and an error set if that fails. */
bool row_writing_take(Rows *rows, uint64_t number, enum held_use use, int64_t ns, held_hold *hold);
/* Gives it back; `published`: somebody may wait for that. False and an error set if it was lost. */
bool row_writing_give(Rows *rows, held_hold *hold, enum held_use use, bool published);
/* After the work: was it for nothing, or is it time to ask what the name means? `now`: when that is. False and an error
 * set. */
bool row_writing_look_after(Rows *rows, uint64_t now);
/* Publishes one value. False and an error set. */
bool row_writing_write(Rows *rows, uint64_t number, PyObject *value, int64_t ns);
/* write_row(table, number, value, timeout) */
PyObject *row_writing_one(PyObject *module, PyObject *const *args, Py_ssize_t count);
/* write_rows(table, rows, data, step, spans, timeout): `data` has a value every `step` bytes, of which only the spans,
 * pairs of offset and size, are written if there are any. */
PyObject *row_writing_many(PyObject *module, PyObject *args);
/* append_row(table, value, timeout): the row's number. */
PyObject *row_writing_append(PyObject *module, PyObject *const *args, Py_ssize_t count);
/* append_rows(table, data, count, timeout): the number of the first row, 0 of none. */
PyObject *row_writing_append_many(PyObject *module, PyObject *args);
/* filled_rows(table): (rows that may be sampled, tickets given, of which lapped). */
PyObject *row_writing_filled(PyObject *module, PyObject *table);

#endif
