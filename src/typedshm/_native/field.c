/* Field: the descriptor behind each name of a Struct.
 *
 * A field reaches its bytes through the buffer protocol of the instance, so whatever guards the buffer (a lease that
 * ended, a read-only view) guards every field. Values are converted before the buffer is opened for writing and
 * objects are made after it was closed, so no foreign code runs in between. What is refused, and in which words, is
 * decided by one Python function, told by register_refusal(). */
#include "field.h"

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

void field_outside(void) {
    PyErr_SetString(PyExc_SystemError, "typedshm: a field lies outside its Struct");
}

int field_store(Field *field, PyObject *instance, const char *from, Py_ssize_t size) {
    Py_buffer view;
    char *to = field_open(field, instance, PyBUF_WRITABLE, &view);
    if (!to)
        return -1;
    memmove(to, from, (size_t)size); /* `from` may be the same bytes: t.raw = memoryview(t)[8:24] */
    memset(to + size, 0, (size_t)(field->size - size));
    PyBuffer_Release(&view);
    return 0;
}

/* ---- nested Structs: extra = (class, the ctypes field) or, leased, (class, from_buffer, offset) ---- */

/* ctypes' own field makes an object that shares the instance's memory and keeps it alive. */
static PyObject *struct_get(Field *field, PyObject *instance) {
    return field->nested(PyTuple_GetItem(field->extra, 1), instance, (PyObject *)field->owner);
}

/* The nested view depends on the same lease, and asks the instance for its guarded buffer. */
static PyObject *leased_get(Field *field, PyObject *instance) {
    PyObject *nested = PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 1), instance,
                                                    PyTuple_GetItem(field->extra, 2), NULL);
    if (!nested)
        return NULL;
    if (!struct_check(instance) || !struct_check(nested)) {
        Py_DECREF(nested);
        PyErr_SetString(PyExc_TypeError, "typedshm: only a Struct has a leased field");
        return NULL;
    }
    PyObject *lease = struct_state(instance);
    Py_XINCREF(lease);
    struct_set_state(nested, lease);
    return nested;
}

static int struct_set(Field *field, PyObject *instance, PyObject *value) {
    PyObject *type = PyTuple_GetItem(field->extra, 0);
    if (!PyType_Check(type) || !PyObject_TypeCheck(value, (PyTypeObject *)type))
        return field_refuse(field, value, "type");
    Py_buffer source;
    if (PyObject_GetBuffer(value, &source, PyBUF_SIMPLE) < 0)
        return -1;
    /* a subclass with more fields would be cut off */
    int result = source.len == field->size ? field_store(field, instance, source.buf, source.len)
                                           : field_refuse(field, value, "type");
    PyBuffer_Release(&source);
    return result;
}

/* ---- arrays: extra = (numpy.ndarray, shape, dtype, offset, assign(field, view, value)) ------ */

static PyObject *array_get(Field *field, PyObject *instance) {
    PyObject *extra = field->extra;
    return PyObject_CallFunctionObjArgs(PyTuple_GetItem(extra, 0), PyTuple_GetItem(extra, 1), PyTuple_GetItem(extra, 2),
                                        instance, PyTuple_GetItem(extra, 3), NULL);
}

static int array_set(Field *field, PyObject *instance, PyObject *value) {
    PyObject *view = array_get(field, instance);
    if (!view)
        return -1;
    PyObject *done =
        PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 4), (PyObject *)field, view, value, NULL);
    Py_DECREF(view);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* ---- the type ------------------------------------------------------------------------------ */

static const Codec own_codecs[] = {
    {"struct", struct_get, struct_set, 0, false, 2},
    {"leased", leased_get, struct_set, 0, false, 3},
    {"array", array_get, array_set, 0, false, 5},
    {"viewed struct", viewed_struct_get, viewed_set, 0, false, 2},
    {"viewed array", viewed_array_get, viewed_set, 0, false, 3},
    {NULL, NULL, NULL, 0, false, 0},
};

static const Codec *codec_named(const char *name) {
    const Codec *tables[] = {number_codecs, text_codecs, own_codecs};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const Codec *codec = tables[i]; codec->name; codec++)
            if (strcmp(codec->name, name) == 0)
                return codec;
    PyErr_Format(PyExc_ValueError, "Field: unknown codec '%s'", name);
    return NULL;
}

/* What the codecs rely on; the bytes' true length is checked at each access besides. */
static bool plausible(const Codec *codec, Py_ssize_t offset, Py_ssize_t size, PyObject *extra) {
    bool fits = offset >= 0 && size > 0 && offset <= PY_SSIZE_T_MAX - size;
    if (codec->width)
        fits = fits && (codec->fixed ? size == codec->width : size % codec->width == 0);
    if (strcmp(codec->name, "enum") == 0)
        fits = fits && (size == 1 || size == 2 || size == 4 || size == 8) && PyTuple_Check(extra) &&
               PyTuple_Size(extra) == 3 && PyDict_Check(PyTuple_GetItem(extra, 1));
    if (codec->extra)
        fits = fits && PyTuple_Check(extra) && PyTuple_Size(extra) == codec->extra;
    if (!fits)
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
    const Codec *codec = codec_named(name);
    if (!codec || !plausible(codec, offset, size, extra))
        return -1;
    descrgetfunc nested = NULL;
    if (codec->get == struct_get) {
        nested = (descrgetfunc)PyType_GetSlot(Py_TYPE(PyTuple_GetItem(extra, 1)), Py_tp_descr_get);
        if (!nested) {
            PyErr_SetString(PyExc_TypeError, "Field: the nested ctypes field is not a descriptor");
            return -1;
        }
    }
    Py_INCREF(owner);
    Py_INCREF(spec);
    Py_INCREF(extra);
    field->owner = (PyTypeObject *)owner;
    field->spec = spec;
    field->extra = extra;
    field->nested = nested;
    field->offset = offset;
    field->size = size;
    field->swapped = swapped;
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
    PyObject *old = refusal;
    Py_INCREF(function);
    refusal = function;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"register_refusal", register_refusal, METH_O, "Tell the core who raises the error for a refused value."},
    {NULL, NULL, 0, NULL},
};

int field_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&field_spec);
    if (!type)
        return -1;
    int failed = PyModule_AddObjectRef(module, "Field", type);
    Py_DECREF(type);
    return failed < 0 ? -1 : PyModule_AddFunctions(module, functions);
}
