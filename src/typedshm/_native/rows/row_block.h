/* RowBlock: what update() of a table returns. */
#ifndef TYPEDSHM_ROW_BLOCK_H
#define TYPEDSHM_ROW_BLOCK_H

#include "rows/rows.h"

/* update_row(table, row, timeout) */
PyObject *row_block_update(PyObject *module, PyObject *const *args, Py_ssize_t count);
int row_block_register(PyObject *module);

#endif
