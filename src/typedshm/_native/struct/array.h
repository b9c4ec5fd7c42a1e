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
/* The number of used items that a field of integers, `counting`, has in an instance; -1 and an error set. */
Py_ssize_t array_count(Field *field, PyObject *instance, PyObject *counting);
/* Instead of a number of items along the first axis. */
enum { ARRAY_ALL = -1 };
/* The field's array of so many items over bytes of `base`. */
PyObject *array_over(Field *field, char *data, bool writable, PyObject *base, Py_ssize_t count);
/* Its shape, a new tuple. */
PyObject *array_shape(Field *field, Py_ssize_t count);

#endif
