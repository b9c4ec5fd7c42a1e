/* CRC-32 of much data, by the processor's multiplication of polynomials. */
#ifndef TYPEDSHM_CHECKSUM_H
#define TYPEDSHM_CHECKSUM_H

#include "native.h"

int checksum_register(PyObject *module);

#endif
