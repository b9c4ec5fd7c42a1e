/* The type of followers, and what else the package does with one. */
#ifndef TYPEDSHM_FOLLOWER_TYPE_H
#define TYPEDSHM_FOLLOWER_TYPE_H

#include "native.h"

bool follower_type_check(PyObject *object);
int follower_type_register(PyObject *module);

#endif
