/* What nothing can undercut, to be timed beside what typedshm does; floors.py compiles and imports it. */
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030b0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

/* ---- what Python pays to get here and back ---- */

static PyObject *empty_call(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    (void)self, (void)arguments, (void)count;
    Py_RETURN_NONE;
}

static PyObject *empty_get(PyObject *self, void *closure) {
    (void)self, (void)closure;
    Py_RETURN_NONE;
}

static int empty_set(PyObject *self, PyObject *value, void *closure) {
    (void)self, (void)value, (void)closure;
    return 0;
}

static PyMethodDef empty_methods[] = {
    {"call", (PyCFunction)(void (*)(void))empty_call, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef empty_members[] = {
    {"member", empty_get, empty_set, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot empty_slots[] = {{Py_tp_methods, empty_methods}, {Py_tp_getset, empty_members}, {0, NULL}};
static PyType_Spec empty_spec = {"floors.Empty", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, empty_slots};

/* ---- what the processor and the system ask for, `TIMES` in a row ---- */

enum { TIMES = 200, MOST = 1 << 16 };

/* in the cache of this processor, as they are where no other process has just written */
static _Alignas(64) _Atomic uint64_t word;
static _Alignas(64) unsigned char from[MOST], to[MOST];

/* The compiler may neither drop nor join what it does on either side of this. */
#define KEEP() __asm__ volatile("" ::: "memory")

static PyObject *exchange(PyObject *self, PyObject *nothing) {
    (void)self, (void)nothing;
    for (int i = 0; i < TIMES; i++) {
        uint64_t seen = atomic_load_explicit(&word, memory_order_relaxed);
        atomic_compare_exchange_strong_explicit(&word, &seen, seen + 1, memory_order_acq_rel, memory_order_relaxed);
    }
    Py_RETURN_NONE;
}

static PyObject *fence(PyObject *self, PyObject *nothing) {
    (void)self, (void)nothing;
    for (int i = 0; i < TIMES; i++) {
        atomic_thread_fence(memory_order_seq_cst);
        KEEP();
    }
    Py_RETURN_NONE;
}

static PyObject *look_at_clock(PyObject *self, PyObject *nothing) {
    (void)self, (void)nothing;
    struct timespec now;
    for (int i = 0; i < TIMES; i++) {
        clock_gettime(CLOCK_REALTIME, &now);
        KEEP();
    }
    Py_RETURN_NONE;
}

static PyObject *copy(PyObject *self, PyObject *size) {
    (void)self;
    size_t bytes = PyLong_AsSize_t(size);
    if (PyErr_Occurred())
        return NULL;
    if (bytes > MOST)
        return PyErr_Format(PyExc_ValueError, "expected at most %d bytes, found %zu", MOST, bytes);
    for (int i = 0; i < TIMES; i++) {
        memcpy(to, from, bytes);
        KEEP();
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"exchange", exchange, METH_NOARGS, NULL},
    {"fence", fence, METH_NOARGS, NULL},
    {"look_at_clock", look_at_clock, METH_NOARGS, NULL},
    {"copy", copy, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "floors", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_floors(void) {
    PyObject *module = PyModule_Create(&definition);
    PyObject *type = module ? PyType_FromSpec(&empty_spec) : NULL;
    PyObject *instance = type ? PyObject_CallFunctionObjArgs(type, NULL) : NULL;
    Py_XDECREF(type);
    if (!instance || PyModule_AddObjectRef(module, "empty", instance) < 0 ||
        PyModule_AddIntConstant(module, "TIMES", TIMES) < 0)
        Py_CLEAR(module);
    Py_XDECREF(instance);
    return module;
}
