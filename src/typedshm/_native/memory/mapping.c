/* Mapping: shared bytes, kept mapped while anybody looks at them. */
#include "memory/mapping.h"

#include "os/faults.h"

#include <errno.h>

static PyTypeObject *mapping_type;

/* Nothing unmaps but the end of the object, and every view of the memory (memoryview, numpy array, Struct)
 * keeps the object: so no pointer into it can dangle. */

static PyObject *mapping_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *names[] = {"handle", "size", "writable", "large", NULL};
    Py_ssize_t handle;
    unsigned long long size;
    int writable, large = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "nKp|p:Mapping", names, &handle, &size, &writable, &large))
        return NULL;
    if (size > PY_SSIZE_T_MAX) { /* a 32-bit process, and more than it has addresses */
        errno = ENOMEM;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Mapping *mapping = PyObject_New(Mapping, mapping_type);
    if (!mapping)
        return NULL;
    if (!os_map(&mapping->memory, handle, (size_t)size, writable, large)) {
        native_system_error();
        mapping->memory.start = NULL;
        Py_DECREF((PyObject *)mapping);
        return NULL;
    }
    return (PyObject *)mapping;
}

#ifndef _WIN32
PyObject *mapping_of_segment(int id, size_t size, bool writable) {
    Mapping *mapping = PyObject_New(Mapping, mapping_type);
    if (!mapping)
        return NULL;
    if (!os_map_segment(&mapping->memory, id, size, writable)) {
        native_system_error();
        mapping->memory.start = NULL;
        Py_DECREF((PyObject *)mapping);
        return NULL;
    }
    return (PyObject *)mapping;
}
#endif

static void mapping_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Mapping *mapping = (Mapping *)self;
    if (mapping->memory.start)
        os_unmap(&mapping->memory);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int mapping_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    const os_memory *memory = &((Mapping *)self)->memory;
    return PyBuffer_FillInfo(view, self, memory->start, (Py_ssize_t)memory->size, !memory->writable, flags);
}

static PyObject *mapping_protect(PyObject *self, PyObject *unused) {
    (void)unused;
    if (!os_protect(&((Mapping *)self)->memory))
        return native_system_error();
    Py_RETURN_NONE;
}

/* One byte of every page is read: others may be at work in them. */
static void touch(const os_memory *memory) {
    for (size_t i = 0; i < memory->size; i += 4096)
        (void)*(const volatile unsigned char *)(memory->start + i);
}

static PyObject *mapping_populate(PyObject *self, PyObject *write) {
    const os_memory *memory = &((Mapping *)self)->memory;
    int for_writing = PyObject_IsTrue(write);
    if (for_writing < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (!os_populate(memory, for_writing && memory->writable))
        touch(memory);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* Runs a function of the system's that may take long, and raises its error. */
static PyObject *run(PyObject *self, bool (*function)(const os_memory *memory)) {
    bool done;
    Py_BEGIN_ALLOW_THREADS
    done = function(&((Mapping *)self)->memory);
    Py_END_ALLOW_THREADS /* which keeps errno and GetLastError() */
    if (!done)
        return native_system_error();
    Py_RETURN_NONE;
}

static PyObject *mapping_mlock(PyObject *self, PyObject *unused) {
    (void)unused;
    return run(self, os_mlock);
}

#ifdef __linux__
static PyObject *mapping_use_huge_pages(PyObject *self, PyObject *unused) {
    (void)unused;
    return run(self, os_use_huge_pages);
}
#endif

static PyObject *mapping_watch(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    faults_watch();
    Py_RETURN_NONE;
}

static PyObject *get_lost(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(tshm_load(&((Mapping *)self)->memory.lost, relaxed) != OS_THERE);
}

bool mapping_check(PyObject *object) {
    return Py_TYPE(object) == mapping_type;
}

static PyMethodDef mapping_methods[] = {
    {"protect", mapping_protect, METH_NOARGS, "Make the pages read-only; later writes through old views are faults."},
    {"populate", mapping_populate, METH_O, "Have every page mapped now, for writing too if the argument is true."},
    {"mlock", mapping_mlock, METH_NOARGS, "Keep the pages in memory while they are mapped."},
    {"watch", mapping_watch, METH_NOARGS, "Handle faults before every handler that was installed since."},
#ifdef __linux__
    {"use_huge_pages", mapping_use_huge_pages, METH_NOARGS, "Move what fills huge pages into such."},
#endif
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef mapping_getset[] = {
    {"lost", get_lost, NULL, "True once what lay behind it went away; zeros lie there now.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot mapping_slots[] = {
    {Py_tp_doc, "A shared mapping, as a buffer."},
    {Py_tp_new, mapping_create},
    {Py_tp_dealloc, mapping_dealloc},
    {Py_tp_methods, mapping_methods},
    {Py_tp_getset, mapping_getset},
    {Py_bf_getbuffer, mapping_getbuffer},
    {0, NULL},
};

static PyType_Spec mapping_spec = {"typedshm._native.Mapping", sizeof(Mapping), 0, Py_TPFLAGS_DEFAULT, mapping_slots};

int mapping_register(PyObject *module) {
    mapping_type = (PyTypeObject *)PyType_FromSpec(&mapping_spec);
    return mapping_type ? PyModule_AddObjectRef(module, "Mapping", (PyObject *)mapping_type) : -1;
}
