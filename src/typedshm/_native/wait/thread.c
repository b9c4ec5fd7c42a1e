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

static PyMethodDef functions[] = {
    {"start_thread", start_thread, METH_O, "Call a function in a thread of the system's, as a daemon."},
    {NULL, NULL, 0, NULL},
};

int thread_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
