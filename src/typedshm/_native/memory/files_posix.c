/* Room for a file on the disk. */
#include "memory/files.h"

#include "os/os.h"

#include <errno.h>

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

int files_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
