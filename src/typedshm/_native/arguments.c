#include "arguments.h"

PyObject *arguments_get(PyObject *const *args, Py_ssize_t count, PyObject *names, const char *name) {
    Py_ssize_t named = names ? PyTuple_Size(names) : 0;
    for (Py_ssize_t i = 0; i < named; i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GetItem(names, i), name) == 0)
            return args[count + i];
    return NULL;
}

PyObject *arguments_value(const arguments_verb *verb, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    PyObject *value = count ? args[0] : arguments_get(args, count, names, verb->keywords[0]);
    if (!value)
        PyErr_Format(PyExc_TypeError, "%s() missing 1 required argument: '%s'", verb->name, verb->keywords[0]);
    return value;
}

/* An argument as one would have written it, if that is short, and it could be that of a parameter. */
static PyObject *shown(PyObject *argument) {
    bool plain = PyLong_Check(argument) || PyFloat_Check(argument) || PyUnicode_Check(argument) || Py_IsNone(argument);
    PyObject *text = plain ? PyObject_Repr(argument) : NULL;
    if (text && PyUnicode_GetLength(text) <= 20)
        return text;
    PyErr_Clear(); /* of an int with more digits than Python shows */
    Py_XDECREF(text);
    return PyUnicode_FromString("…");
}

static void refuse_positional(const arguments_verb *verb, PyObject *argument) {
    PyObject *text = shown(argument);
    PyObject *remedy = text ? PyUnicode_FromFormat(verb->remedy, text, text, text, text) : NULL;
    if (remedy)
        PyErr_Format(PyExc_TypeError, "%s() takes %s; write %U", verb->name,
                     verb->has_value ? "one positional argument" : "no positional arguments", remedy);
    Py_XDECREF(remedy);
    Py_XDECREF(text);
}

bool arguments_fit(const arguments_verb *verb, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    if (count > verb->has_value) {
        refuse_positional(verb, args[verb->has_value]);
        return false;
    }
    Py_ssize_t named = names ? PyTuple_Size(names) : 0;
    for (Py_ssize_t i = 0; i < named; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        const char *const *keyword = verb->keywords;
        while (*keyword && PyUnicode_CompareWithASCIIString(name, *keyword) != 0)
            keyword++;
        if (!*keyword) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", verb->name, name);
            return false;
        }
        if (keyword - verb->keywords < count) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", verb->name, name);
            return false;
        }
    }
    return true;
}

bool arguments_refuse(PyObject *kind, const char *parameter, const char *expected, PyObject *found) {
    PyErr_Clear();
    PyObject *name = PyType_GetName(PyType_Check(found) ? (PyTypeObject *)found : Py_TYPE(found));
    PyObject *text = PyType_Check(found) ? NULL : PyObject_Repr(found);
    PyErr_Clear(); /* of one that cannot be shown, as of an int with more digits than Python shows */
    if (name && text)
        PyErr_Format(kind, "%s: expected %s, found %.60U (%U)", parameter, expected, text, name);
    else if (name)
        PyErr_Format(kind, "%s: expected %s, found %s %U", parameter, expected,
                     PyType_Check(found) ? "the class" : "a value that cannot be shown of type", name);
    Py_XDECREF(name);
    Py_XDECREF(text);
    return false;
}

bool arguments_version(PyObject *given, const char *parameter, uint64_t *number) {
    PyObject *index = PyBool_Check(given) ? NULL : PyNumber_Index(given);
    *number = index ? PyLong_AsUnsignedLongLong(index) : 0;
    Py_XDECREF(index);
    if (index && !PyErr_Occurred())
        return true;
    bool is_number = PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError);
    if (PyErr_Occurred() && !is_number && !PyErr_ExceptionMatches(PyExc_TypeError))
        return false;
    return arguments_refuse(is_number ? PyExc_OverflowError : PyExc_TypeError, parameter,
                            "the number of a version, 0 or above", given);
}
