/* Origins: which version a snapshot is a copy of, and when that was published. */
#ifndef TYPEDSHM_ORIGIN_H
#define TYPEDSHM_ORIGIN_H

#include "native.h"

/* A new one; `time` in ns since 1970. NULL and an error set. */
PyObject *origin_new(uint64_t version, uint64_t time);
bool origin_check(PyObject *object);
int origin_register(PyObject *module);

#endif
