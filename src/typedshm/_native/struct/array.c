/* Arrays: extra = (numpy.ndarray, shape, dtype, offset, assign(field, view, value)). */
#include "struct/array.h"

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

const field_codec array_codecs[] = {
    {"array", array_get, array_set, NULL, 0, false, 5},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
