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
/* How a field asks for bytes to read: like nobody else, so that the instance may know it is done with them at once. */
#define STRUCT_READ PyBUF_FORMAT
/* The buffer of a Struct, without the guard of a view; its format is the layout's. */
int struct_getbuffer(PyObject *structure, Py_buffer *view, int flags);
/* Raises what a view raises after its block, with a message. */
void struct_raise_ended(PyObject *words);

/* ---- bytes without the buffer protocol --------------------------------------------------------------------------- */

/* A mixin of views has a buffer that raises once the view has ended, or if it is written to. `allows` says, from the
 * `_state` of an instance, whether it would hand out its bytes now. */
typedef struct {
    int (*getbuffer)(PyObject *, Py_buffer *, int);
    bool (*allows)(PyObject *state, bool write);
} struct_guard;

void struct_add_guard(struct_guard guard);

/* True if TYPEDSHM_SLOW is set in the environment, and not 0: everything takes the way through Python and the buffer
 * protocol, which the fast ways are tested against. */
bool struct_slow(void);

/* True for Structs' classes whose instances can be asked for their bytes directly. */
bool struct_has_direct(PyTypeObject *type);
/* True for classes whose instances neither end nor are read-only. */
bool struct_is_plain(PyTypeObject *type);
/* True for an instance of any class of Structs that would hand out its buffer now, for reading or for writing. */
bool struct_allows(PyObject *structure, bool write);

/* The head of a ctypes object, as register_direct() has proved it. */
typedef struct {
    PyObject_HEAD
    char *address;
    int owns;
    PyObject *base;
    Py_ssize_t size;
} struct_head;

/* The first `size` bytes of an instance, which is fine until other code runs. NULL if it has fewer: an object can be
 * given another `__class__`. */
static inline char *struct_bytes(PyObject *structure, Py_ssize_t size) {
    const struct_head *head = (const struct_head *)structure;
    return head->size >= size ? head->address : NULL;
}

/* Ends what was opened directly, with view->obj NULL, or by the buffer protocol. */
static inline void struct_close(Py_buffer *view) {
    if (view->obj)
        PyBuffer_Release(view);
}

static inline Py_ssize_t struct_size(PyObject *structure) {
    return ((const struct_head *)structure)->size;
}

/* Who makes an instance from keyword arguments; NULL without an error set leaves it to the call of a class. */
void struct_set_construct(PyObject *(*construct)(PyTypeObject *type, PyObject *arguments));
/* A new instance of a class of Structs, its bytes zero, without a call of its __new__ and __init__. */
PyObject *struct_new(PyTypeObject *type);
/* Whether a call of the class makes its instances so. */
bool struct_is_made_plainly(PyTypeObject *type);
int struct_register(PyObject *module);

#endif
