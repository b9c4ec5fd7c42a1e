/* Numbers of which one says that there is none: extra = (the codec of the kind, that number, what is read instead: None
 * or nan). */
#include "struct/optional.h"

#include "struct/number.h"

/* The codec of the kind, which is no code of the field's own: it needs no extra. */
static const field_codec *kind_of(Field *field) {
    return *(const field_codec *const *)field->prepared;
}

static bool optional_fits(Field *field, Py_ssize_t size, PyObject *extra) {
    const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(extra, 0), NULL);
    const field_codec *kind = number_codecs;
    while (name && kind->name && strcmp(kind->name, name) != 0)
        kind++;
    if (!name || !kind->name || kind->extra || kind->width != size)
        return false;
    const field_codec **kept = PyMem_Malloc(sizeof *kept);
    if (!kept) {
        PyErr_NoMemory();
        return false;
    }
    *kept = kind;
    PyMem_Free(field->prepared);
    field->prepared = (void *)kept;
    return true;
}

static PyObject *optional_get(Field *field, PyObject *instance) {
    PyObject *value = kind_of(field)->get(field, instance);
    if (!value)
        return NULL;
    int missing = PyObject_RichCompareBool(value, PyTuple_GetItem(field->extra, 1), Py_EQ);
    if (missing == 0)
        return value;
    Py_DECREF(value);
    return missing < 0 ? NULL : Py_NewRef(PyTuple_GetItem(field->extra, 2));
}

static bool says_none(Field *field, PyObject *value) {
    if (PyTuple_GetItem(field->extra, 2) == Py_None)
        return value == Py_None;
    return PyFloat_Check(value) && isnan(PyFloat_AsDouble(value));
}

static int optional_set(Field *field, PyObject *instance, PyObject *value) {
    PyObject *stored = says_none(field, value) ? PyTuple_GetItem(field->extra, 1) : value;
    return kind_of(field)->set(field, instance, stored);
}

const field_codec optional_codecs[] = {
    {"missing", optional_get, optional_set, optional_fits, 0, false, 3},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
