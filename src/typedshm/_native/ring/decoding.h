/* Decoding: from the Struct that was read to the value of a model or dataclass. */
#ifndef TYPEDSHM_DECODING_H
#define TYPEDSHM_DECODING_H

#include "ring/values.h"

/* What read() returns for a Struct of that version. NULL if there is an error: set, or given as `refused`, a new
 * reference to what owner._undecodable() makes of the exception, if the version itself is to blame, so that trying
 * again would be in vain. */
PyObject *decoding_value(PyObject *owner, const schema_values *values, PyObject *structure, uint64_t version,
                         PyObject **refused);
/* Raises it. Steals the reference. */
void decoding_fail(PyObject *refused);

#endif
