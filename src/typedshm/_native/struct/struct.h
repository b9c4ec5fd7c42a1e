/* Structs as the core sees them: ctypes objects with one slot behind. */
#ifndef TYPEDSHM_STRUCT_H
#define TYPEDSHM_STRUCT_H

#include "native.h"

/* Every Struct has one slot, `_state`, right behind the ctypes object. It holds NULL, the version number a snapshot was
 * read at, or the Lease or Pin that a view of somebody else's bytes depends on. */

/* The object in `_state`, borrowed; NULL if unset. `structure` must be a Struct. */
PyObject *struct_state(PyObject *structure);
/* Steals a reference to `state`. */
void struct_set_state(PyObject *structure, PyObject *state);
/* True for instances of the registered Struct base. */
bool struct_check(PyObject *object);
/* The buffer of a Struct, without the guard of a view; its format is the layout's. */
int struct_getbuffer(PyObject *structure, Py_buffer *view, int flags);
/* Raises what a view raises after its block, with a message. */
void struct_raise_ended(PyObject *words);
int struct_register(PyObject *module);

#endif
