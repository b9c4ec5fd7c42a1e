#include "memory/byte_locks.h"

#include "os/os.h"

#include <errno.h>

static PyObject *from_result(int result) {
    if (result < 0) {
        errno = -result;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyBool_FromLong(result == 0);
}

static PyObject *lock_byte(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t handle;
    int mode;
    unsigned long long byte;
    if (!PyArg_ParseTuple(args, "nKi:lock_byte", &handle, &byte, &mode))
        return NULL;
    return from_result(os_byte_lock(handle, byte, (enum os_byte_mode)mode));
}

static PyObject *byte_is_free(PyObject *module, PyObject *args) {
    (void)module;
    Py_ssize_t handle;
    unsigned long long byte;
    if (!PyArg_ParseTuple(args, "nK:byte_is_free", &handle, &byte))
        return NULL;
    return from_result(os_byte_held(handle, byte));
}

static PyMethodDef functions[] = {
    {"lock_byte", lock_byte, METH_VARARGS, "Lock or free one byte; False if another holds it."},
    {"byte_is_free", byte_is_free, METH_VARARGS, "True if nobody else holds a lock on the byte."},
    {NULL, NULL, 0, NULL},
};

int byte_locks_register(PyObject *module) {
    struct {
        const char *name;
        unsigned long long value;
    } constants[] = {
        {"BYTE_FREE", OS_BYTE_FREE},           {"BYTE_SHARED", OS_BYTE_SHARED}, {"BYTE_EXCLUSIVE", OS_BYTE_EXCLUSIVE},
        {"PRESENCE_BYTE", TSHM_PRESENCE_BYTE}, {"BIRTH_BYTE", TSHM_BIRTH_BYTE}, {"LIFE_BYTE", TSHM_LIFE_BYTE},
    };
    for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(constants[i].value);
        int failed = !value || PyModule_AddObjectRef(module, constants[i].name, value) < 0;
        Py_XDECREF(value);
        if (failed)
            return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
