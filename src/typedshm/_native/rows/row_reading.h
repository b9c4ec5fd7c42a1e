/* Reading rows: one complete version of each. */
#ifndef TYPEDSHM_ROW_READING_H
#define TYPEDSHM_ROW_READING_H

#include "ring/reading.h"
#include "rows/rows.h"

enum { ROW_READ = TSHM_READABLE, ROW_EMPTY = TSHM_NOTHING, ROW_BUSY = TSHM_BUSY, ROW_TORN = -2, ROW_FAILED = -3 };

/* Once; what was copied is a version only if it says READ. Needs no GIL. */
int row_reading_try(const Rows *rows, uint64_t number, void *to, publication *found);
/* Until there is a version, or none, or it is certain that it is TORN. FAILED: an error is set. */
int row_reading_copy(Rows *rows, uint64_t number, void *to, publication *found);
/* The value of one row, read-only if that is possible. NULL and an error set. */
PyObject *row_reading_value(Rows *rows, uint64_t number);
/* zero_row(table): a value of zeros, read-only; None where the values of the schema are instances of its own class. */
PyObject *row_reading_zero(PyObject *module, PyObject *table);
/* Raises what a row is that cannot be read; always NULL. */
PyObject *row_reading_fail(Rows *rows, uint64_t number, int state);
/* read_rows(table, rows, out, zero): what `out` has room for; of empty rows zeros if told so. */
PyObject *row_reading_many(PyObject *module, PyObject *args);

#endif
