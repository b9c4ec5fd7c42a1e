/* RowSet: several rows of a table, as one lock that a Guard holds. */
#ifndef TYPEDSHM_ROW_SET_H
#define TYPEDSHM_ROW_SET_H

#include "native.h"

int row_set_register(PyObject *module);

#endif
