/* Construction: a Struct by keyword, as the generated __init__ makes one, without a frame of Python.
 *
 * Whatever is no plain case (an argument that is missing or unknown, an __init__, __new__ or __setattr__ that a user
 * wrote) is left to the call of a class, and so to the generated function, of which Python says what is wrong. */
#include "struct/construction.h"

#include "struct/fields.h"

static PyObject *init_name;

static bool is_plain(PyTypeObject *type, const Fields *fields) {
    if (!fields->constructor || !fields_are_set_plainly(type) || !struct_is_made_plainly(type))
        return false;
    PyObject *init = PyObject_GetAttr((PyObject *)type, init_name);
    Py_XDECREF(init);
    return init == fields->constructor;
}

/* New references to the values of all fields; false if some are missing, or there are others. No code but that of dicts
 * runs here: arguments are wrong before any value is. */
static bool collect(const Fields *fields, PyObject *arguments, PyObject **values) {
    Py_ssize_t given = 0, i = 0;
    for (; i < fields->count; i++) {
        PyObject *name = fields->members[i].name;
        PyObject *value = PyDict_GetItemWithError(arguments, name);
        given += value != NULL;
        if (!value)
            value = PyDict_GetItemWithError(fields->defaults, name);
        if (!value)
            break;
        values[i] = Py_NewRef(value);
    }
    if (i == fields->count && given == PyDict_Size(arguments))
        return true;
    while (i-- > 0)
        Py_DECREF(values[i]);
    PyErr_Clear();
    return false;
}

static PyObject *make(PyTypeObject *type, Fields *fields, PyObject *const *values) {
    PyObject *made = struct_new(type);
    for (Py_ssize_t i = 0; made && i < fields->count; i++)
        if (fields_set(&fields->members[i], made, values[i], true) < 0)
            Py_CLEAR(made);
    return made;
}

/* A new instance; NULL without an error if the class has to be called as others are. */
static PyObject *construct(PyTypeObject *type, PyObject *arguments) {
    PyObject *few[32];
    Fields *fields = fields_of_type(type);
    if (!fields || !is_plain(type, fields)) {
        PyErr_Clear();
        return NULL;
    }
    Py_ssize_t count = fields->count;
    PyObject **values =
        count <= (Py_ssize_t)(sizeof few / sizeof *few) ? few : PyMem_Calloc((size_t)count, sizeof *values);
    if (!values || !collect(fields, arguments, values))
        count = 0; /* nothing to let go of */
    Py_INCREF((PyObject *)fields);
    PyObject *made = count ? make(type, fields, values) : NULL;
    Py_DECREF((PyObject *)fields);
    for (Py_ssize_t i = 0; i < count; i++)
        Py_DECREF(values[i]);
    if (values != few)
        PyMem_Free(values);
    return made;
}

int construction_register(PyObject *module) {
    (void)module;
    init_name = PyUnicode_InternFromString("__init__");
    if (!init_name)
        return -1;
#ifndef Py_GIL_DISABLED /* where a dict of arguments may be changed meanwhile */
    if (!struct_slow())
        struct_set_construct(construct);
#endif
    return 0;
}
