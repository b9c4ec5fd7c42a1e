#include "wait/thread.h"

static void run(void *argument) {
    PyObject *function = argument;
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *result = PyObject_CallNoArgs(function);
    if (!result)
        PyErr_WriteUnraisable(function);
    Py_XDECREF(result);
    Py_DECREF(function);
    PyGILState_Release(state);
}

/* gevent and eventlet replace Python's own ways to a thread by greenlets, which a sleep in C would stop for ever. */
static PyObject *start_thread(PyObject *module, PyObject *function) {
    (void)module;
    Py_INCREF(function);
    if (PyThread_start_new_thread(run, function) != (unsigned long)-1)
        Py_RETURN_NONE;
    Py_DECREF(function);
    PyErr_SetString(PyExc_RuntimeError, "can't start new thread");
    return NULL;
}

/* What has no caller to be raised to: sys.unraisablehook gets it, with the object that it concerns. */
static PyObject *report(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *error, *object;
    if (!PyArg_ParseTuple(args, "OO:report", &error, &object))
        return NULL;
    if (!PyExceptionInstance_Check(error)) {
        PyErr_SetString(PyExc_TypeError, "report() takes an exception");
        return NULL;
    }
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(error)), Py_NewRef(error), PyException_GetTraceback(error));
    PyErr_WriteUnraisable(object);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"report", report, METH_VARARGS, "Call sys.unraisablehook with an exception, and the object that it concerns."},
    {"start_thread", start_thread, METH_O, "Call a function in a thread of the system's, as a daemon."},
    {NULL, NULL, 0, NULL},
};

int thread_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
