#ifndef TYPEDSHM_DIRECTORY_WINDOWS_H
#define TYPEDSHM_DIRECTORY_WINDOWS_H

#include "native.h"

int directory_register(PyObject *module);

#endif
