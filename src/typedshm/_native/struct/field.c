/* Field: the descriptor behind each name of a Struct.
 *
 * A field reaches its bytes through the buffer protocol of the instance, so whatever guards the buffer (a lease that
 * ended, a read-only view) guards every field; or directly, where the same guards would let the protocol through.
 * Values are converted before the bytes are opened for writing and objects are made after they were closed, so no
 * foreign code runs in between. What is refused, and in which words, is decided by one Python function, told by
 * register_refusal(). How each kind is read and set is told by a codec. */
#include "struct/field.h"

static PyObject *refusal; /* told by register_refusal() */

int field_refuse(Field *field, PyObject *value, const char *reason) {
    PyErr_Clear();
    if (!refusal) {
        PyErr_SetString(PyExc_SystemError, "typedshm: no register_refusal() yet");
        return -1;
    }
    PyObject *result = PyObject_CallFunction(refusal, "OOs", (PyObject *)field, value, reason);
    if (result) {
        Py_DECREF(result);
        PyErr_Format(PyExc_SystemError, "typedshm: a field refused a value (%s) and no error was raised", reason);
    }
    return -1;
}

/* ---- bytes -------------------------------------------------------------------------------- */

char *field_open_buffer(const Field *field, PyObject *instance, int flags, Py_buffer *view) {
    if (PyObject_GetBuffer(instance, view, flags) < 0)
        return NULL;
    if (view->len >= field->offset + field->size)
        return (char *)view->buf + field->offset;
    PyBuffer_Release(view);
    PyErr_SetString(PyExc_SystemError, "typedshm: a field lies outside its Struct");
    return NULL;
}

int field_store(Field *field, PyObject *instance, const char *from, Py_ssize_t size) {
    Py_buffer view;
    char *to = field_open(field, instance, PyBUF_WRITABLE, &view);
    if (!to)
        return -1;
    memmove(to, from, (size_t)size); /* `from` may be the same bytes: t.raw = memoryview(t)[8:24] */
    memset(to + size, 0, (size_t)(field->size - size));
    struct_close(&view);
    return 0;
}

/* ---- the type ------------------------------------------------------------------------------ */

static PyTypeObject *field_type;
static const field_codec *const *codecs; /* told by field_set_codecs() */

bool field_check(PyObject *object) {
    return Py_TYPE(object) == field_type;
}

void field_set_codecs(const field_codec *const *tables) {
    codecs = tables;
}

static const field_codec *codec_named(const char *name) {
    for (const field_codec *const *table = codecs; *table; table++)
        for (const field_codec *codec = *table; codec->name; codec++)
            if (strcmp(codec->name, name) == 0)
                return codec;
    PyErr_Format(PyExc_ValueError, "Field: unknown codec '%s'", name);
    return NULL;
}

/* What the codecs rely on; the bytes' true length is checked at each access besides. */
static bool plausible(Field *field, const field_codec *codec, Py_ssize_t offset, Py_ssize_t size, PyObject *extra) {
    bool fits = offset >= 0 && size > 0 && offset <= PY_SSIZE_T_MAX - size;
    if (codec->width)
        fits = fits && (codec->fixed ? size == codec->width : size % codec->width == 0);
    if (codec->extra)
        fits = fits && PyTuple_Check(extra) && PyTuple_Size(extra) == codec->extra;
    if (codec->fits)
        fits = fits && codec->fits(field, size, extra);
    if (!fits && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "Field: offset, size or extra make no sense for codec '%s'", codec->name);
    return fits;
}

static int field_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    Field *field = (Field *)self;
    static char *names[] = {"owner", "spec", "codec", "offset", "size", "swapped", "extra", NULL};
    PyObject *owner, *spec, *extra;
    const char *name;
    Py_ssize_t offset, size;
    int swapped;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!OsnnpO:Field", names, &PyType_Type, &owner, &spec, &name, &offset,
                                     &size, &swapped, &extra))
        return -1;
    if (field->codec) {
        PyErr_SetString(PyExc_TypeError, "Field: initialised already");
        return -1;
    }
    const field_codec *codec = codec_named(name);
    if (!codec || !plausible(field, codec, offset, size, extra))
        return -1;
    Py_INCREF(owner);
    Py_INCREF(spec);
    Py_INCREF(extra);
    field->owner = (PyTypeObject *)owner;
    field->spec = spec;
    field->extra = extra;
    field->offset = offset;
    field->size = size;
    field->swapped = swapped;
    field->direct = struct_has_direct(field->owner);
    field->plain = field->direct && struct_is_plain(field->owner);
    field->codec = codec;
    return 0;
}

/* A field never looks into an object of another class, whose bytes may be fewer or mean something else. */
static bool applies(Field *field, PyObject *instance) {
    if (field->codec && PyObject_TypeCheck(instance, field->owner))
        return true;
    if (!field->codec)
        PyErr_SetString(PyExc_TypeError, "Field: not initialised");
    else
        PyErr_Format(PyExc_TypeError, "a field of %R does not apply to an object of %R", (PyObject *)field->owner,
                     (PyObject *)Py_TYPE(instance));
    return false;
}

static PyObject *field_get(PyObject *self, PyObject *instance, PyObject *type) {
    (void)type;
    Field *field = (Field *)self;
    if (!instance) {
        Py_INCREF(self);
        return self;
    }
    return applies(field, instance) ? field->codec->get(field, instance) : NULL;
}

static int field_set(PyObject *self, PyObject *instance, PyObject *value) {
    Field *field = (Field *)self;
    if (!applies(field, instance))
        return -1;
    if (!value)
        return field_refuse(field, Py_None, "delete");
    return field->codec->set(field, instance, value);
}

static PyObject *field_repr(PyObject *self) {
    Field *field = (Field *)self;
    if (!field->codec)
        return PyUnicode_FromString("<field, not initialised>");
    return PyUnicode_FromFormat("<field of %R: %S>", (PyObject *)field->owner, field->spec);
}

static int field_traverse(PyObject *self, visitproc visit, void *arg) {
    Field *field = (Field *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)field->owner);
    Py_VISIT(field->spec);
    Py_VISIT(field->extra);
    return 0;
}

static int field_clear(PyObject *self) {
    Field *field = (Field *)self;
    field->codec = NULL; /* an object in the same dying cycle may still ask */
    Py_CLEAR(field->owner);
    Py_CLEAR(field->spec);
    Py_CLEAR(field->extra);
    return 0;
}

static void field_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    field_clear(self);
    PyMem_Free(((Field *)self)->prepared);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyMemberDef field_members[] = {
    {"owner", T_OBJECT_EX, offsetof(Field, owner), READONLY, "The class that declares the field."},
    {"spec", T_OBJECT_EX, offsetof(Field, spec), READONLY, "The LayoutField."},
    {"offset", T_PYSSIZET, offsetof(Field, offset), READONLY, "The first byte."},
    {"size", T_PYSSIZET, offsetof(Field, size), READONLY, "In bytes, all items."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot field_slots[] = {
    {Py_tp_doc, "One field of a Struct."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, field_init},
    {Py_tp_dealloc, field_dealloc},
    {Py_tp_traverse, field_traverse},
    {Py_tp_clear, field_clear},
    {Py_tp_descr_get, field_get},
    {Py_tp_descr_set, field_set},
    {Py_tp_repr, field_repr},
    {Py_tp_members, field_members},
    {0, NULL},
};

static PyType_Spec field_spec = {"typedshm._native.Field", sizeof(Field), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                                 field_slots};

static PyObject *register_refusal(PyObject *module, PyObject *function) {
    (void)module;
    Py_INCREF(function);
    native_set(&refusal, function);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"register_refusal", register_refusal, METH_O, "Tell the core who raises the error for a refused value."},
    {NULL, NULL, 0, NULL},
};

int field_register(PyObject *module) {
    field_type = (PyTypeObject *)PyType_FromSpec(&field_spec);
    if (!field_type || PyModule_AddObjectRef(module, "Field", (PyObject *)field_type) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
