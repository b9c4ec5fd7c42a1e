/* Functions on a Ring for the package's own modules, where users have no method. */
#ifndef TYPEDSHM_INTERNAL_H
#define TYPEDSHM_INTERNAL_H

#include "native.h"

int internal_register(PyObject *module);

#endif
