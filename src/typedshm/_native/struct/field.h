/* What the files of the field descriptors share. */
#ifndef TYPEDSHM_FIELD_H
#define TYPEDSHM_FIELD_H

#include "struct/struct.h"

typedef struct Field Field;

/* How one kind is read and set. Tables of them end with one without a name. */
typedef struct {
    const char *name;
    PyObject *(*get)(Field *field, PyObject *instance);
    int (*set)(Field *field, PyObject *instance, PyObject *value); /* 0, or -1 and an error set */
    /* Whether size and extra are as the codec expects; it may prepare the field. NULL: nothing else to check. */
    bool (*fits)(Field *field, Py_ssize_t size, PyObject *extra);
    Py_ssize_t width; /* bytes of one item, or of one code unit if the size may be a multiple; 0: any size */
    bool fixed;       /* the size is the width exactly */
    Py_ssize_t extra; /* how long a tuple `extra` must be; 0: not used */
} field_codec;

struct Field {
    PyObject_HEAD
    PyTypeObject *owner;      /* the only class, with its subclasses, whose instances the field applies to */
    PyObject *spec;           /* the LayoutField */
    PyObject *extra;          /* what the codec needs besides, see each codec */
    const field_codec *codec; /* NULL until __init__ has run */
    descrgetfunc nested;      /* tp_descr_get of the ctypes field in `extra`, codec "struct" only */
    void *prepared;           /* what the codec has made of `extra`, if anything, by PyMem_Malloc */
    Py_ssize_t offset, size;
    bool swapped; /* bytes are not in this machine's order */
    bool direct;  /* the bytes of the owner's instances can be had directly, as far as their guards allow */
    bool plain;   /* and those of the owner itself have no guard */
};

/* True for a field's descriptor. */
bool field_check(PyObject *object);
/* Let Python raise the fitting error for a value that the field cannot take, or bytes it cannot read. Always -1. */
int field_refuse(Field *field, PyObject *value, const char *reason);
/* Copy `size` bytes into the instance and fill the field's rest with zeros. */
int field_store(Field *field, PyObject *instance, const char *from, Py_ssize_t size);

/* The field's bytes without the buffer protocol, until other code runs; NULL if only the protocol can tell. */
static inline char *field_direct(const Field *field, PyObject *instance, bool write) {
    if (!field->direct || !((field->plain && Py_TYPE(instance) == field->owner) || struct_allows(instance, write)))
        return NULL;
    char *bytes = struct_bytes(instance, field->offset + field->size);
    return bytes ? bytes + field->offset : NULL;
}

/* The same by the buffer protocol, until PyBuffer_Release(view); NULL with an error set. */
char *field_open_buffer(const Field *field, PyObject *instance, int flags, Py_buffer *view);

/* The field's bytes, until struct_close(view); NULL with an error set. Inline, as are the small copies: getting and
 * setting a number is to cost no more than ctypes' own fields do. */
static inline char *field_open(const Field *field, PyObject *instance, int flags, Py_buffer *view) {
    char *bytes = field_direct(field, instance, flags == PyBUF_WRITABLE);
    if (!bytes)
        return field_open_buffer(field, instance, flags, view);
    view->obj = NULL;
    return bytes;
}

/* Where the codecs are: tables, the last one NULL. */
void field_set_codecs(const field_codec *const *tables);
int field_register(PyObject *module);

#endif
