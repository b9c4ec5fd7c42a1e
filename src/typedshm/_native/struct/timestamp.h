/* Times as Python converts them: extra = (decode(field, count), encode(field, value) -> count). */
#ifndef TYPEDSHM_TIMESTAMP_H
#define TYPEDSHM_TIMESTAMP_H

#include "struct/field.h"

extern const field_codec timestamp_codecs[];

/* The time of a count. NULL and an error set. */
PyObject *timestamp_decode(Field *field, int64_t count);
/* False and an error set. */
bool timestamp_encode(Field *field, PyObject *value, int64_t *count);

#endif
