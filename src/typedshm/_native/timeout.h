/* Timeouts in nanoseconds. */
#ifndef TYPEDSHM_TIMEOUT_H
#define TYPEDSHM_TIMEOUT_H

#include "native.h"

#define TIMEOUT_FOREVER INT64_MAX

/* From seconds: None is for ever; negative or NaN counts as 0. NULL leaves *ns. -1 and an error: no number. */
int timeout_convert(PyObject *seconds, int64_t *ns);

#endif
