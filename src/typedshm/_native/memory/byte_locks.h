/* Locks on single bytes of a file, which the kernel frees when their holder dies. */
#ifndef TYPEDSHM_BYTE_LOCKS_H
#define TYPEDSHM_BYTE_LOCKS_H

#include "native.h"

int byte_locks_register(PyObject *module);

#endif
