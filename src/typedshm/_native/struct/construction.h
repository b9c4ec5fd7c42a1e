/* Construction: a Struct by keyword. */
#ifndef TYPEDSHM_CONSTRUCTION_H
#define TYPEDSHM_CONSTRUCTION_H

#include "native.h"

int construction_register(PyObject *module);

#endif
