#include "missing.h"

#include "os/os.h"

static PyObject *find(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    os_missing missing[OS_MISSING_MAX];
    uint32_t count = os_find_missing(missing);
    PyObject *found = PyDict_New();
    for (uint32_t i = 0; found && i < count; i++) {
        PyObject *error = PyLong_FromLong(missing[i].error);
        if (!error || PyDict_SetItemString(found, missing[i].what, error) < 0)
            Py_CLEAR(found);
        Py_XDECREF(error);
    }
    return found;
}

static PyMethodDef functions[] = {
    {"missing", find, METH_NOARGS, "What the system lacks or forbids, each with its error, or 0 for no such call."},
    {NULL, NULL, 0, NULL},
};

int missing_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
