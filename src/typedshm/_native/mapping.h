/* The mapping object, for the files that look into its memory. */
#ifndef TYPEDSHM_MAPPING_H
#define TYPEDSHM_MAPPING_H

#include "native.h"
#include "os.h"

typedef struct {
    PyObject_HEAD
    os_memory memory;
} Mapping;

bool mapping_check(PyObject *object);

/* Does the memory still hold that instance of a region? Not after it went away, since zeroed pages lie there now, nor
 * when somebody has put something else into the file. For after the work on it: nothing before is certain. */
static inline bool mapping_holds(const Mapping *mapping, uint64_t instance) {
    const tshm_region *lines = (const tshm_region *)mapping->memory.start;
    return *(const volatile uint64_t *)&lines->header.instance == instance;
}

#endif
