/* A thread of the system's, whatever has been done to Python's modules. */
#ifndef TYPEDSHM_THREAD_H
#define TYPEDSHM_THREAD_H

#include "native.h"

int thread_register(PyObject *module);

#endif
