/* Borrow: what borrow() returns. */
#ifndef TYPEDSHM_BORROW_H
#define TYPEDSHM_BORROW_H

#include "native.h"

/* A block on the newest version. */
PyObject *borrow_newest(PyObject *ring, PyObject *const *args, Py_ssize_t count, PyObject *names);
/* A block on the oldest version above `after`; the newest if that is None. */
PyObject *borrow_after(PyObject *ring, PyObject *after);
int borrow_register(PyObject *module);

#endif
