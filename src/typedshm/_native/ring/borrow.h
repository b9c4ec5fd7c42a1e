/* Borrow: what borrow() returns. */
#ifndef TYPEDSHM_BORROW_H
#define TYPEDSHM_BORROW_H

#include "ring/pin.h"

/* A block on the newest version. */
PyObject *borrow_newest(PyObject *ring, PyObject *const *args, Py_ssize_t count, PyObject *names);
/* The read-only value that a pin keeps. NULL and an error set, also if the region is gone meanwhile. */
PyObject *borrow_value(Ring *ring, Pin *pin);
int borrow_register(PyObject *module);

#endif
