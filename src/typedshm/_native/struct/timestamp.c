/* Times as Python converts them: what is no common case of datetime or np.datetime64 in nanoseconds. All other times:
 * extra = (decode(field, count), encode(field, value) -> count). */
#include "struct/timestamp.h"

#include "struct/bits.h"
#include "struct/number.h"

PyObject *timestamp_decode(Field *field, int64_t count) {
    return PyObject_CallFunction(PyTuple_GetItem(field->extra, 0), "OL", (PyObject *)field, (long long)count);
}

bool timestamp_encode(Field *field, PyObject *value, int64_t *count) {
    PyObject *number = PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 1), (PyObject *)field, value, NULL);
    *count = number ? PyLong_AsLongLong(number) : -1;
    Py_XDECREF(number);
    return *count != -1 || !PyErr_Occurred();
}

static PyObject *signed_get(Field *field, PyObject *instance) {
    uint64_t bits;
    if (!number_fetch(field, instance, &bits))
        return NULL;
    return timestamp_decode(field, bits_sign_extended(bits, field->size));
}

static PyObject *unsigned_get(Field *field, PyObject *instance) {
    uint64_t bits;
    return number_fetch(field, instance, &bits) ? timestamp_decode(field, (int64_t)bits) : NULL;
}

static int set(Field *field, PyObject *instance, PyObject *value) {
    int64_t count; /* which encode() has found to fit */
    return timestamp_encode(field, value, &count) ? number_store(field, instance, (uint64_t)count) : -1;
}

static bool fits_signed(Field *field, Py_ssize_t size, PyObject *extra) {
    (void)field, (void)extra;
    return size == 4 || size == 8;
}

const field_codec timestamp_codecs[] = {
    {"signed count", signed_get, set, fits_signed, 0, false, 2},
    {"unsigned count", unsigned_get, set, NULL, 4, true, 2},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
