/* What Python needs of POSIX descriptors: locks on single bytes, and room on the disk. */
#include "peers.h"

#include <errno.h>
#include <limits.h>

int peers_open(os_peers *peers, PyObject *handle) {
    long fd = PyLong_AsLong(handle);
    peers->fd = fd < 0 || fd > INT_MAX ? -1 : (int)fd;
    return fd == -1 && PyErr_Occurred() ? -1 : 0;
}

void peers_leave(os_peers *peers) {
    peers->fd = -1; /* its owner closes it, and with that frees the presence entry */
}

void peers_close(os_peers *peers) {
    (void)peers;
}

static PyObject *from_result(int result) {
    if (result < 0) {
        errno = -result;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return PyBool_FromLong(result == 0);
}

static PyObject *lock_byte(PyObject *module, PyObject *args) {
    (void)module;
    int fd, mode;
    unsigned long long byte;
    if (!PyArg_ParseTuple(args, "iKi:lock_byte", &fd, &byte, &mode))
        return NULL;
    return from_result(os_byte_lock(fd, byte, (enum os_byte_mode)mode));
}

static PyObject *byte_is_free(PyObject *module, PyObject *args) {
    (void)module;
    int fd;
    unsigned long long byte;
    if (!PyArg_ParseTuple(args, "iK:byte_is_free", &fd, &byte))
        return NULL;
    return from_result(os_byte_held(fd, byte));
}

static PyObject *preallocate(PyObject *module, PyObject *args) {
    (void)module;
    int fd, result;
    unsigned long long size;
    if (!PyArg_ParseTuple(args, "iK:preallocate", &fd, &size))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = os_preallocate(fd, size);
    Py_END_ALLOW_THREADS
    return from_result(result);
}

static PyMethodDef functions[] = {
    {"lock_byte", lock_byte, METH_VARARGS, "Lock or free one byte; False if another descriptor holds it."},
    {"byte_is_free", byte_is_free, METH_VARARGS, "True if no other descriptor holds a lock on the byte."},
    {"preallocate", preallocate, METH_VARARGS, "Give the file this many bytes that really exist."},
    {NULL, NULL, 0, NULL},
};

int handles_add(PyObject *module) {
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
