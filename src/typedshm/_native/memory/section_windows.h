#ifndef TYPEDSHM_SECTION_WINDOWS_H
#define TYPEDSHM_SECTION_WINDOWS_H

#include "native.h"

int section_register(PyObject *module);

#endif
