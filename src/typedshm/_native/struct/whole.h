/* Whole values: what is done to all fields of a Struct at once. */
#ifndef TYPEDSHM_WHOLE_H
#define TYPEDSHM_WHOLE_H

#include "native.h"

int whole_register(PyObject *module);

#endif
