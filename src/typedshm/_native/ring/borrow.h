/* Borrow: what borrow() returns. */
#ifndef TYPEDSHM_BORROW_H
#define TYPEDSHM_BORROW_H

#include "native.h"

/* A block on the newest version. */
PyObject *borrow_newest(PyObject *ring, PyObject *unused);
/* A block on the oldest version above `after`; the newest if that is None. */
PyObject *borrow_after(PyObject *ring, PyObject *after);
int borrow_register(PyObject *module);

#endif
