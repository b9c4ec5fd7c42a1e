/* Fields that are arrays. */
#ifndef TYPEDSHM_ARRAY_H
#define TYPEDSHM_ARRAY_H

#include "struct/field.h"

extern const field_codec array_codecs[];

/* For codecs whose extra begins with (class of arrays, shape, dtype). */
bool array_fits(Field *field, Py_ssize_t size, PyObject *extra);
/* Whether array_over() works for the field, which else is left to Python. */
bool array_is_direct(Field *field);
/* The field's array over bytes of `base`. */
PyObject *array_over(Field *field, char *data, bool writable, PyObject *base);

#endif
