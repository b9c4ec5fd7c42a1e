#ifndef TYPEDSHM_CODECS_H
#define TYPEDSHM_CODECS_H

#include "native.h"

int codecs_register(PyObject *module);

#endif
