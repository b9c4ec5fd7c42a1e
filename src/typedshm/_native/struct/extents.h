/* Extents: which parts of a value are copied if only what is used is. */
#ifndef TYPEDSHM_EXTENTS_H
#define TYPEDSHM_EXTENTS_H

#include "native.h"
#include "typedshm.h"

typedef struct {
    PyObject_HEAD
    tshm_plan plan;
    tshm_extent *extents; /* those of the plan */
    uint32_t *most;       /* of all of them, one after the other */
    PyObject *paths;      /* of their fields, a tuple */
} Extents;

bool extents_check(PyObject *object);
/* Of the extents that have more used items than there is room for, the first one's path, borrowed; NULL: none has. */
PyObject *extents_excess(const Extents *extents, const void *value);
/* Copies what is used between two values of one's own; in the copy, the rest stays as it is. */
void extents_copy(const Extents *extents, void *to, const void *from);
/* No items in any of them. */
void extents_clear(const Extents *extents, void *value);
/* A value packed: first what is fixed, which has the numbers of used items, then the used items of each extent. */
uint64_t extents_packed_size(const Extents *extents, const void *value);
void extents_pack(const Extents *extents, const void *value, char *packed);
/* Into the zeroed bytes of a value. False: the packed bytes are not of the size that they tell. */
bool extents_unpack(const Extents *extents, const void *packed, uint64_t size, void *value);
int extents_register(PyObject *module);

#endif
