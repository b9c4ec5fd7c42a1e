/* Guard: a mutex as a context manager. */
#ifndef TYPEDSHM_GUARD_H
#define TYPEDSHM_GUARD_H

#include "lock/guarded.h"

/* A further kind of locks that a Guard can hold. */
void guard_add(bool (*check)(PyObject *object), const guarded *lock);
int guard_register(PyObject *module);

#endif
