/* Guard: a mutex as a context manager. */
#ifndef TYPEDSHM_GUARD_H
#define TYPEDSHM_GUARD_H

#include "native.h"

int guard_register(PyObject *module);

#endif
