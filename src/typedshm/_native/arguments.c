#include "arguments.h"

PyObject *arguments_get(PyObject *const *args, Py_ssize_t count, PyObject *names, Py_ssize_t index, const char *name) {
    if (index >= 0 && index < count)
        return args[index];
    Py_ssize_t named = names ? PyTuple_Size(names) : 0;
    for (Py_ssize_t i = 0; i < named; i++)
        if (PyUnicode_CompareWithASCIIString(PyTuple_GetItem(names, i), name) == 0)
            return args[count + i];
    return NULL;
}

bool arguments_fit(const char *verb, Py_ssize_t count, Py_ssize_t most, PyObject *names, const char *const *known) {
    if (count > most) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd positional arguments (%zd given)", verb, most, count);
        return false;
    }
    Py_ssize_t named = names ? PyTuple_Size(names) : 0;
    for (Py_ssize_t i = 0; i < named; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        const char *const *candidate = known;
        while (*candidate && PyUnicode_CompareWithASCIIString(name, *candidate) != 0)
            candidate++;
        if (!*candidate) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", verb, name);
            return false;
        }
        if (candidate - known < count) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", verb, name);
            return false;
        }
    }
    return true;
}
