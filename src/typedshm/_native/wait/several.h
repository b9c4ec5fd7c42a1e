/* Sleeping on several regions in the caller's own thread. */
#ifndef TYPEDSHM_SEVERAL_H
#define TYPEDSHM_SEVERAL_H

#include "native.h"

int several_register(PyObject *module);

#endif
