/* What the package itself does with followers. */
#ifndef TYPEDSHM_FOLLOWING_H
#define TYPEDSHM_FOLLOWING_H

#include "native.h"

int following_register(PyObject *module);

#endif
