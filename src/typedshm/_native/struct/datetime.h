/* Timestamps as datetime objects: a codec of fields. */
#ifndef TYPEDSHM_DATETIME_H
#define TYPEDSHM_DATETIME_H

#include "struct/field.h"

extern const field_codec datetime_codecs[];
int datetime_register(PyObject *module);

#endif
