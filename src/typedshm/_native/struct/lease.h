/* Leases: views that end. */
#ifndef TYPEDSHM_LEASE_H
#define TYPEDSHM_LEASE_H

#include "native.h"

/* A new one; `words` is the message of the error raised once it has ended. NULL and an error set. */
PyObject *lease_new(PyObject *words, bool loan);
void lease_end(PyObject *lease);
/* True for a Struct that depends on a lease. */
bool lease_is_on(PyObject *value);
int lease_register(PyObject *module);

#endif
