/* What Python needs of POSIX descriptors: room on the disk, and proof of life. */
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

static PyObject *preallocate(PyObject *module, PyObject *args) {
    (void)module;
    int fd, result;
    unsigned long long size;
    if (!PyArg_ParseTuple(args, "iK:preallocate", &fd, &size))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = os_preallocate(fd, size);
    Py_END_ALLOW_THREADS
    if (result < 0) {
        errno = -result;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"preallocate", preallocate, METH_VARARGS, "Give the file this many bytes that really exist."},
    {NULL, NULL, 0, NULL},
};

int handles_add(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
