/* Timestamps as Python converts them: what is no common case of datetime or np.datetime64. */
#include "struct/timestamp.h"

PyObject *timestamp_decode(Field *field, int64_t ns) {
    return PyObject_CallFunction(PyTuple_GetItem(field->extra, 0), "OL", (PyObject *)field, (long long)ns);
}

bool timestamp_encode(Field *field, PyObject *value, int64_t *ns) {
    PyObject *count = PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 1), (PyObject *)field, value, NULL);
    *ns = count ? PyLong_AsLongLong(count) : -1;
    Py_XDECREF(count);
    return *ns != -1 || !PyErr_Occurred();
}
