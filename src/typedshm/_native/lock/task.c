#include "lock/task.h"

static PyObject *running; /* told by register_running_task() */

bool task_running(task_name *task) {
    PyObject *object = running ? PyObject_CallNoArgs(running) : Py_NewRef(Py_None);
    *task = object == Py_None ? NULL : object;
    Py_XDECREF(object); /* who runs does not end meanwhile */
    return object != NULL;
}

static PyObject *register_running_task(PyObject *module, PyObject *function) {
    (void)module;
    Py_INCREF(function);
    native_set(&running, function);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"register_running_task", register_running_task, METH_O, "Tell the core who knows the task that runs."},
    {NULL, NULL, 0, NULL},
};

int task_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
