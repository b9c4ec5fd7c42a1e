/* The Python headers, and helpers that every file of the binding uses. */
#ifndef TYPEDSHM_NATIVE_H
#define TYPEDSHM_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h> /* the build says whether Py_LIMITED_API holds: it does but for free-threaded CPython */
#include <structmember.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Py_XSETREF, which the limited API lacks. Steals `value`. */
static inline void native_set(PyObject **place, PyObject *value) {
    PyObject *old = *place;
    *place = value;
    Py_XDECREF(old);
}

/* Raises what the object's own _fail(what) says; always NULL. Words and kinds of errors are Python's. */
static inline PyObject *native_fail(PyObject *object, const char *what) {
    PyObject *result = PyObject_CallMethod(object, "_fail", "s", what);
    if (result) { /* it is declared never to return */
        Py_DECREF(result);
        PyErr_SetString(PyExc_SystemError, what);
    }
    return NULL;
}

/* Raises the OSError of the call that has just failed; always NULL. */
static inline PyObject *native_system_error(void) {
#ifdef _WIN32
    return PyErr_SetFromWindowsErr(0);
#else
    return PyErr_SetFromErrno(PyExc_OSError);
#endif
}

/* The exception that is set, which is so no more, with its traceback; None if there is none. */
static inline PyObject *native_take_error(void) {
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    if (!type)
        return Py_NewRef(Py_None);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace)
        PyException_SetTraceback(error, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
}

#endif
