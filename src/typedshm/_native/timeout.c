#include "timeout.h"

#include "arguments.h"

bool timeout_number(PyObject *seconds, const char *parameter, const char *expected, double *number) {
    *number = PyBool_Check(seconds) ? -1 : PyFloat_AsDouble(seconds);
    if (*number != -1.0 || !(PyBool_Check(seconds) || PyErr_Occurred()))
        return true;
    bool is_number = PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError);
    if (PyErr_Occurred() && !is_number && !PyErr_ExceptionMatches(PyExc_TypeError))
        return false;
    return arguments_refuse(is_number ? PyExc_ValueError : PyExc_TypeError, parameter, expected, seconds);
}

int timeout_convert(PyObject *seconds, int64_t *ns) {
    static const char *const expected = "seconds, or None to wait for ever";
    double value;
    if (!seconds || seconds == Py_Ellipsis) /* the default, as help() shows it */
        return 0;
    if (seconds == Py_None) {
        *ns = TIMEOUT_FOREVER;
        return 0;
    }
    if (!timeout_number(seconds, "timeout", expected, &value))
        return -1;
    *ns = value > 0 ? (value < 9e9 ? (int64_t)(value * 1e9) : TIMEOUT_FOREVER) : 0;
    return 0;
}
