/* Timestamps as Python converts them: extra = (decode(field, ns), encode(field, value) -> ns). */
#ifndef TYPEDSHM_TIMESTAMP_H
#define TYPEDSHM_TIMESTAMP_H

#include "struct/field.h"

/* The time so many nanoseconds after the epoch. NULL and an error set. */
PyObject *timestamp_decode(Field *field, int64_t ns);
/* False and an error set. */
bool timestamp_encode(Field *field, PyObject *value, int64_t *ns);

#endif
