#include "ring/decoding.h"

void decoding_fail(PyObject *refused) {
    PyErr_SetObject((PyObject *)Py_TYPE(refused), refused);
    Py_DECREF(refused);
}

/* It runs code of users, and with it the handlers of signals, which may raise whatever they like. A value that decodes
 * when it is tried once more was interrupted by one, and so is a value that ends in no Exception, as by Ctrl-C. */
PyObject *decoding_value(PyObject *owner, const schema_values *values, PyObject *structure, uint64_t version,
                         PyObject **refused) {
    PyObject *value = PyObject_CallFunctionObjArgs(values->decode, structure, NULL);
    if (value || !PyErr_ExceptionMatches(PyExc_Exception))
        return value;
    PyObject *error = native_take_error();
    value = PyObject_CallFunctionObjArgs(values->decode, structure, NULL);
    if (value) {
        Py_DECREF(value);
        decoding_fail(error);
        return NULL;
    }
    if (PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear();
        *refused = PyObject_CallMethod(owner, "_undecodable", "OK", error, (unsigned long long)version);
    }
    Py_DECREF(error);
    return NULL;
}
