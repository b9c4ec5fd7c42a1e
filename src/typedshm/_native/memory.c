/* Mapping: bytes of a file, kept mapped while anybody looks at them; and locks on single bytes. */
#include "native.h"
#include "mapping.h"
#include "os.h"

#include <errno.h>

static PyTypeObject *mapping_type;

/* Nothing unmaps but the end of the object, and every view of the memory (memoryview, numpy array, Struct)
 * keeps the object: so no pointer into it can dangle. */

static PyObject *mapping_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *names[] = {"fd", "size", "writable", NULL};
    int fd, writable;
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "inp:Mapping", names, &fd, &size, &writable))
        return NULL;
    if (size <= 0) {
        PyErr_SetString(PyExc_ValueError, "a mapping has at least one byte");
        return NULL;
    }
    Mapping *mapping = PyObject_New(Mapping, mapping_type);
    if (!mapping)
        return NULL;
    mapping->size = (size_t)size;
    mapping->writable = writable;
    mapping->memory = os_map(fd, mapping->size, writable);
    if (!mapping->memory) {
        PyErr_SetFromErrno(PyExc_OSError);
        Py_DECREF((PyObject *)mapping);
        return NULL;
    }
    return (PyObject *)mapping;
}

static void mapping_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Mapping *mapping = (Mapping *)self;
    if (mapping->memory)
        os_unmap(mapping->memory, mapping->size);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int mapping_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    Mapping *mapping = (Mapping *)self;
    return PyBuffer_FillInfo(view, self, mapping->memory, (Py_ssize_t)mapping->size, !mapping->writable, flags);
}

static PyObject *mapping_protect(PyObject *self, PyObject *unused) {
    (void)unused;
    Mapping *mapping = (Mapping *)self;
    int result = os_protect(mapping->memory, mapping->size);
    if (result < 0) {
        errno = -result;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    mapping->writable = false;
    Py_RETURN_NONE;
}

bool mapping_check(PyObject *object) {
    return Py_TYPE(object) == mapping_type;
}

static PyMethodDef mapping_methods[] = {
    {"protect", mapping_protect, METH_NOARGS, "Make the pages read-only; later writes through old views are faults."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot mapping_slots[] = {
    {Py_tp_doc, "A shared mapping of a file's first bytes, as a buffer."},
    {Py_tp_new, mapping_create},
    {Py_tp_dealloc, mapping_dealloc},
    {Py_tp_methods, mapping_methods},
    {Py_bf_getbuffer, mapping_getbuffer},
    {0, NULL},
};

static PyType_Spec mapping_spec = {"typedshm._native.Mapping", sizeof(Mapping), 0, Py_TPFLAGS_DEFAULT, mapping_slots};

/* ---- functions on descriptors --------------------------------------------------------------- */

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

int memory_add(PyObject *module) {
    mapping_type = (PyTypeObject *)PyType_FromSpec(&mapping_spec);
    if (!mapping_type || PyModule_AddObjectRef(module, "Mapping", (PyObject *)mapping_type) < 0)
        return -1;
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
