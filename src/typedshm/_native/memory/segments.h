/* System V segments of shared memory, by key: of programs older than named memory. */
#ifndef TYPEDSHM_SEGMENTS_H
#define TYPEDSHM_SEGMENTS_H

#include "native.h"

int segments_register(PyObject *module);

#endif
