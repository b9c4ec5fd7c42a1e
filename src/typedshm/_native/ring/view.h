/* Viewed: Structs that look into the bytes of a pin. */
#ifndef TYPEDSHM_VIEW_H
#define TYPEDSHM_VIEW_H

#include "struct/field.h"
#include "ring/pin.h"

/* A read-only Struct over bytes that a Pin or a memoryview keeps, which it remembers: what `make` returns for their
 * address. */
PyObject *view_new(PyObject *keeper, PyObject *make, char *start);
/* The value that a pin keeps, read-only. */
PyObject *view_of_pin(schema_values *values, Pin *pin);
extern const field_codec view_codecs[];
int view_register(PyObject *module);

#endif
