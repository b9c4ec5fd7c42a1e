/* Ring as Python sees it: the type, its verbs and their documentation. */
#ifndef TYPEDSHM_RING_TYPE_H
#define TYPEDSHM_RING_TYPE_H

#include "native.h"

bool ring_type_check(PyObject *object);
int ring_type_register(PyObject *module);

#endif
