/* Waitset: regions on whose heads one thread sleeps. */
#ifndef TYPEDSHM_WAITSET_H
#define TYPEDSHM_WAITSET_H

#include "native.h"

int waitset_register(PyObject *module);

#endif
