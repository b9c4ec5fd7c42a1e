/* The mapping object, for the files that look into its memory. */
#ifndef TYPEDSHM_MAPPING_H
#define TYPEDSHM_MAPPING_H

#include "native.h"

typedef struct {
    PyObject_HEAD
    unsigned char *memory;
    size_t size;
    bool writable;
    bool guarded; /* of a file: the disk behind it may fail */
} Mapping;

bool mapping_check(PyObject *object);

#endif
