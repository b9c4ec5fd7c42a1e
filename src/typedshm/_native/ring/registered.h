/* Registered: who has a place in a lossless region. */
#ifndef TYPEDSHM_REGISTERED_H
#define TYPEDSHM_REGISTERED_H

#include "native.h"

int registered_register(PyObject *module);

#endif
