#include "timeout.h"

int timeout_convert(PyObject *seconds, int64_t *ns) {
    if (!seconds)
        return 0;
    if (seconds == Py_None) {
        *ns = TIMEOUT_FOREVER;
        return 0;
    }
    double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred())
        return -1;
    *ns = value > 0 ? (value < 9e9 ? (int64_t)(value * 1e9) : TIMEOUT_FOREVER) : 0;
    return 0;
}
