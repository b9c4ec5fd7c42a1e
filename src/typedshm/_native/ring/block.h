/* Block: what update() and loan() return. */
#ifndef TYPEDSHM_BLOCK_H
#define TYPEDSHM_BLOCK_H

#include "native.h"

PyObject *block_update(PyObject *ring, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *block_loan(PyObject *ring, PyObject *const *args, Py_ssize_t count, PyObject *names);
int block_register(PyObject *module);

#endif
