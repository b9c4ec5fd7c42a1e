/* Fields that are arrays. */
#ifndef TYPEDSHM_ARRAY_H
#define TYPEDSHM_ARRAY_H

#include "struct/field.h"

extern const field_codec array_codecs[];

/* For codecs whose extra begins with (class of arrays, shape, dtype). */
bool array_fits(Field *field, Py_ssize_t size, PyObject *extra);
/* Likewise, of codecs whose extra ends with the field that counts. */
bool array_counted_fits(Field *field, Py_ssize_t size, PyObject *extra);
/* Whether array_over() works for the field, which else is left to Python. */
bool array_is_direct(Field *field);
/* Likewise, of codecs whose extra ends with the offset of the items in the field, and how many axes vary. */
bool array_bounded_fits(Field *field, Py_ssize_t size, PyObject *extra);

enum { ARRAY_MOST_DIMENSIONS = 64 };
/* How much of an array is used: how many axes have another length than there is room for, and which. */
typedef struct {
    int axes;
    Py_ssize_t shape[ARRAY_MOST_DIMENSIONS];
} array_use;
/* What a field of integers, `counting`, says in an instance. False and an error set. */
bool array_count(Field *field, PyObject *instance, PyObject *counting, array_use *use);
/* What the numbers before the items say, which are looked at once. Likewise. */
bool array_counts(Field *field, const char *bytes, array_use *use);
/* The field's array of what is used over bytes of `base`. */
PyObject *array_over(Field *field, char *data, bool writable, PyObject *base, const array_use *use);
/* Its shape, a new tuple. */
PyObject *array_shape(Field *field, const array_use *use);
/* Where its items are, behind the field's first byte. */
Py_ssize_t array_start(Field *field);
int array_register(PyObject *module);

#endif
