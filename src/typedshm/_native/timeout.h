/* Seconds, as users give them, in nanoseconds. */
#ifndef TYPEDSHM_TIMEOUT_H
#define TYPEDSHM_TIMEOUT_H

#include "native.h"

#define TIMEOUT_FOREVER INT64_MAX

/* From seconds: None is for ever; negative, as the rest of a time that is over, or NaN counts as 0. NULL and Ellipsis
 * leave *ns. -1 and an error: no number. */
int timeout_convert(PyObject *seconds, int64_t *ns);
/* A number of seconds that is no timeout. False and an error set if it is none. */
bool timeout_number(PyObject *seconds, const char *parameter, const char *expected, double *number);

#endif
