/* The type of Rows, and the functions that the package calls on it. */
#ifndef TYPEDSHM_ROWS_TYPE_H
#define TYPEDSHM_ROWS_TYPE_H

#include "native.h"

int rows_type_register(PyObject *module);

#endif
