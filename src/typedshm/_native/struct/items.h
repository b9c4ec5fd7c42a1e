/* Lists and tuples of numbers as the bytes of an array. */
#ifndef TYPEDSHM_ITEMS_H
#define TYPEDSHM_ITEMS_H

#include "native.h"

/* How an item lies in memory. */
typedef struct {
    char kind; /* NumPy's letter: b, i, u, f or c; items_pack() leaves all others to Python */
    bool swapped;
    Py_ssize_t width;
} items_format;

/* Write the items of nested lists or tuples of a shape. False, without an error, if they are to be left to Python: if
 * they do not fit, or are of types whose conversion is none of C's business. No foreign code runs. */
bool items_pack(const items_format *format, int dimensions, const Py_ssize_t *shape, PyObject *items, char *to);

#endif
