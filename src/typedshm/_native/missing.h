/* What the system lacks or forbids, and is done in another way. */
#ifndef TYPEDSHM_MISSING_H
#define TYPEDSHM_MISSING_H

#include "native.h"

int missing_register(PyObject *module);

#endif
