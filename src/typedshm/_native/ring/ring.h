/* The Ring object: a region as its verbs see it. typedshm.region.Region is its subclass. */
#ifndef TYPEDSHM_RING_H
#define TYPEDSHM_RING_H

#include "lock/mutex.h"
#include "ring/position.h"
#include "ring/slots.h"
#include "struct/extents.h"
#include "struct/struct.h"

/* Copies above this are done without the GIL, and update() works in the slot instead of on a copy. */
#define RING_LARGE ((size_t)65536)

typedef PyObject *(*ring_newfunc)(PyTypeObject *, PyObject *, PyObject *);

/* How values of a schema are made, for the hot path: read once from a typedshm.schema.base.Schema. */
typedef struct {
    PyTypeObject *type;  /* the Struct, or NULL when values are arrays, or of a class of ctypes */
    ring_newfunc create; /* its tp_new */
    bool direct;         /* its instances can be asked for their bytes directly */
    bool unguarded;      /* values cannot raise: blocks work on what `make` returns, and borrow() views a Struct */
    PyObject *make;      /* () -> an empty value that owns its bytes */
    PyObject *decode;    /* (Struct) -> what read() returns, or NULL */
    PyObject *encode;    /* (anything else given to write) -> a buffer of the right size, or raises */
    PyObject *target;    /* (anything else given to read_into) -> a writable buffer of the right size, or raises */
    PyObject *overlay;   /* (buffer, offset, lease) -> a value that looks into the buffer */
    PyObject *part;      /* the name of the field that is the value, if blocks hand out that of the Struct; or NULL */
    PyObject *check;     /* (Struct) raises if it breaks a constraint of the user's class; NULL if there are none */
    /* On their first use, since making them takes as long as all else about opening a region; see ring_part(): */
    _Atomic(PyObject *) leased; /* the Struct's leased variant */
    _Atomic(PyObject *) viewed; /* (address) -> a read-only Struct there */
} ring_values;

typedef struct {
    PyObject_HEAD
    Mapping *mapping;     /* NULL once closed */
    Mapping *mapping_ref; /* the same; without a GIL kept to the end: verbs may be at work there when close() comes */
    Mutex *mutex;         /* NULL if this handle may not write */
    Slots *slots;         /* NULL together with it */
    tshm_ring ring;       /* checked */
    uint64_t instance;
    size_t size;      /* bytes of this handle's values; less than the payload if fields were appended since */
    Extents *extents; /* which of them are copied; NULL: all */
    bool refuses;     /* the layout is another: reading only */
    bool debug;
    tshm_atomic_u64 copies; /* that borrow() made because no pin was free */
    int64_t timeout;        /* the default of blocking verbs, ns */
    PyObject *schema;       /* typedshm.schema.base.Schema */
    ring_values values;
    position_key position;
} Ring;

/* Raises what Region._fail(what) says; always NULL. */
static inline PyObject *ring_fail(Ring *ring, const char *what) {
    return native_fail((PyObject *)ring, what);
}
/* Does work(context) on the region's memory without the GIL, since it takes long. */
void ring_work_apart(Ring *ring, void (*work)(void *context), void *context);
/* For after the work, and while the mapping is there: was it for nothing, since the region is not there any more? */
static inline bool ring_is_gone(const Ring *ring) {
    return ring->mapping_ref && !mapping_shows(ring->mapping_ref, ring->instance); /* else it was closed meanwhile */
}
/* Ask Region._look(), which asks the system, what no byte tells. False and an error set if the region is gone. */
bool ring_look(Ring *ring);
/* Ask Region._look_at_name() besides whether its name has come to mean another region; for those who wait. */
bool ring_look_at_name(Ring *ring);
/* An attribute of the schema, read and kept at its first use; a borrowed reference, or NULL and an error set. */
PyObject *ring_part(Ring *ring, const char *name, _Atomic(PyObject *) *place);
/* True if a value may be published; it is called before that, by write() before the lock is taken. */
bool ring_check(Ring *ring, PyObject *value);
/* True if a value has no more used items than there is room for; else an error is set. */
bool ring_check_extents(Ring *ring, PyObject *value, const void *bytes);
/* A new instance that owns its bytes, zeroed, without a call of __init__. */
PyObject *ring_new_value(ring_newfunc create, PyTypeObject *type);
/* The buffer of a value until struct_close(view): directly, if the value is a snapshot or the view of a block that
 * goes on. -1 and an error set. */
static inline int ring_open_value(const Ring *ring, PyObject *value, int flags, Py_buffer *view) {
    const ring_values *values = &ring->values;
    PyTypeObject *type = Py_TYPE(value);
    bool in_block = type != values->type && (PyObject *)type == tshm_load(&values->leased, relaxed);
    if (!values->direct || !(type == values->type || (in_block && struct_allows(value, true))))
        return PyObject_GetBuffer(value, view, flags);
    view->obj = NULL;
    view->buf = struct_bytes(value, 0);
    view->len = struct_size(value);
    return 0;
}

int ring_register(PyObject *module);

#endif
