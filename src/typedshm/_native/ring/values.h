/* Values: how those of a schema are made, checked and opened, for the verbs of regions and tables. */
#ifndef TYPEDSHM_VALUES_H
#define TYPEDSHM_VALUES_H

#include "os/os.h"
#include "struct/extents.h"
#include "struct/struct.h"

/* Copies above this are done without the GIL, and a region's update() works in the slot instead of on a copy. */
#define VALUES_LARGE ((size_t)65536)

typedef PyObject *(*values_newfunc)(PyTypeObject *, PyObject *, PyObject *);

/* What the hot path needs to know: read once from a typedshm.schema.base.Schema. */
typedef struct {
    PyObject *schema;
    size_t size;           /* bytes of a value; less than the payload if fields were appended to the layout since */
    Extents *extents;      /* which of them are copied; NULL: all */
    PyTypeObject *type;    /* the Struct, or NULL when values are arrays, or of a class of ctypes */
    values_newfunc create; /* its tp_new */
    bool direct;           /* its instances can be asked for their bytes directly */
    bool unguarded;        /* values cannot raise: blocks work on what `make` returns, and borrow() views a Struct */
    PyObject *make;        /* () -> an empty value that owns its bytes */
    PyObject *decode;      /* (Struct) -> what read() returns, or NULL */
    PyObject *encode;      /* (anything else given to write) -> a buffer of the right size, or raises */
    PyObject *target;      /* (anything else given to read_into) -> a writable buffer of the right size, or raises */
    PyObject *overlay;     /* (buffer, offset, lease) -> a value that looks into the buffer */
    PyObject *part;        /* the name of the field that is the value, if blocks hand out that of the Struct; or NULL */
    PyObject *check;       /* (Struct) raises if it breaks a constraint of the user's class; NULL if there are none */
    /* On their first use, since making them takes as long as all else about opening a region; see values_part(): */
    _Atomic(PyObject *) leased; /* the Struct's leased variant */
    _Atomic(PyObject *) viewed; /* (address) -> a read-only Struct there */
} schema_values;

/* Fill it, which was zeroed. -1 and an error set. */
int values_load(schema_values *values, PyObject *schema, size_t size);
int values_visit(const schema_values *values, visitproc visit, void *arg);
void values_free(schema_values *values);
/* An attribute of the schema, read and kept at its first use; a borrowed reference, or NULL and an error set. */
PyObject *values_part(schema_values *values, const char *name, _Atomic(PyObject *) *place);
/* True if a value may be published; it is called before that, by write() before a lock is taken. */
bool values_check(const schema_values *values, PyObject *value);
/* True if a value has no more used items than there is room for; else an error is set, by owner._refuse_excess(). */
bool values_check_extents(const schema_values *values, PyObject *owner, PyObject *value, const void *bytes);
/* A new instance that owns its bytes, zeroed, without a call of __init__. */
PyObject *values_new(values_newfunc create, PyTypeObject *type);
/* One for read(), whose content is undefined. */
PyObject *values_make(const schema_values *values);
/* One for a block, which ends with a lease; after values_part("leased"). */
PyObject *values_make_leased(const schema_values *values, PyObject *lease);
/* The value that update() starts from where there is none. False and an error set. */
bool values_defaults(const schema_values *values, void *to);
/* The buffer of a value until struct_close(view): directly, if the value is a snapshot or the view of a block that
 * goes on. -1 and an error set. */
static inline int values_open(const schema_values *values, PyObject *value, int flags, Py_buffer *view) {
    PyTypeObject *type = Py_TYPE(value);
    bool in_block = type != values->type && (PyObject *)type == tshm_load(&values->leased, relaxed);
    if (!values->direct || !(type == values->type || (in_block && struct_allows(value, true))))
        return PyObject_GetBuffer(value, view, flags);
    view->obj = NULL;
    view->buf = struct_bytes(value, 0);
    view->len = struct_size(value);
    return 0;
}

/* The bytes of a value, or what is used of them, to and from shared memory, as tshm_copy_in and tshm_copy_out do. */
static inline void values_store(const schema_values *values, void *shared, const void *value) {
    if (values->extents)
        tshm_copy_used_in(shared, value, &values->extents->plan);
    else
        tshm_copy_in(shared, value, values->size);
}

static inline void values_fetch(const schema_values *values, void *to, const void *shared) {
    if (values->extents)
        tshm_copy_used_out(to, shared, &values->extents->plan);
    else
        tshm_copy_out(to, shared, values->size);
}

int values_register(PyObject *module);

#endif
