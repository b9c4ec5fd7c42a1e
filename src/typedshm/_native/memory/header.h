/* Making and checking the header of a region. */
#ifndef TYPEDSHM_HEADER_H
#define TYPEDSHM_HEADER_H

#include "native.h"

int header_register(PyObject *module);

#endif
