/* Arrays: what the values of regions whose only field is an array of varying shape are read into. */
#ifndef TYPEDSHM_ARRAYS_H
#define TYPEDSHM_ARRAYS_H

#include "ring/ring.h"

enum { ARRAYS_SMALL_HEAD = 256 };

/* An array that is to get the items of a version, and the shape that it has. */
typedef struct {
    void *data;
    const Py_ssize_t *shape;
    uint64_t size; /* bytes */
    bool differ;   /* the version has another shape */
} arrays_items;

/* Memory for what stands before the items: `small`, or more if that takes more. NULL: an error is set. */
char *arrays_head_begin(const Ring *ring, char small[ARRAYS_SMALL_HEAD]);
void arrays_head_end(char *head, const char *small);
/* An array of the shape that stands in `head`, without its items, and with the memory for them, to be released. */
PyObject *arrays_make(Ring *ring, const char *head, Py_ssize_t *shape, Py_buffer *memory);
/* Sets the error that a version has another shape, that in `head`, than an array for read_into(). */
void arrays_refuse(Ring *ring, PyObject *array, const char *head, uint64_t version);

#endif
