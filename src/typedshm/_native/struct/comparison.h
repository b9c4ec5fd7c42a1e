/* Comparisons: whether the bytes of one field mean equal values in two Structs. */
#ifndef TYPEDSHM_COMPARISON_H
#define TYPEDSHM_COMPARISON_H

#include "native.h"

typedef enum {
    COMPARISON_DIFFERENT,
    COMPARISON_EQUAL,
    COMPARISON_OPEN, /* the bytes alone do not tell */
} verdict;

/* `size` bytes each, in items or code units of `unit` bytes. */
typedef verdict comparison(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped);

/* NULL and an error set, if there is none of that name, or none for these sizes. */
comparison *comparison_named(const char *name, Py_ssize_t size, Py_ssize_t unit);

#endif
