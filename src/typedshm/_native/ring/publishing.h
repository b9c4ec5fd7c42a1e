/* publish(): a version with given bytes, number and time. */
#ifndef TYPEDSHM_PUBLISHING_H
#define TYPEDSHM_PUBLISHING_H

#include "native.h"

int publishing_register(PyObject *module);

#endif
