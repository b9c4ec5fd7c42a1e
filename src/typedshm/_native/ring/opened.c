#include "ring/opened.h"

#include "os/faults.h"
#include "timeout.h"

static PyTypeObject *opened_type;

bool opened_check(PyObject *object) {
    return PyObject_TypeCheck(object, opened_type);
}

PyObject *opened_base(void) {
    return (PyObject *)opened_type;
}

int opened_start(Opened *self, PyObject *mapping, uint64_t instance, PyObject *mutex, PyObject *schema, size_t size) {
    if (values_load(&self->values, schema, size) < 0)
        return -1;
    self->timeout = TIMEOUT_FOREVER;
    self->instance = instance;
    if (mutex != Py_None) {
        Py_INCREF(mutex);
        self->mutex = (Mutex *)mutex;
    }
    Py_INCREF(mapping);
    self->mapping = self->mapping_ref = (Mapping *)mapping;
    return 0;
}

void opened_end(Opened *self) {
    values_free(&self->values);
    Py_XDECREF((PyObject *)self->mapping_ref);
    Py_XDECREF((PyObject *)self->mutex);
}

void opened_work_apart(Opened *self, void (*work)(void *context), void *context) {
    Mapping *mapping = self->mapping_ref; /* a close() by another thread meanwhile must not unmap it */
    Py_INCREF((PyObject *)mapping);
    Py_BEGIN_ALLOW_THREADS
    faults_watch();
    work(context);
    Py_END_ALLOW_THREADS
    Py_DECREF((PyObject *)mapping);
}

static bool is_answered(PyObject *result) {
    Py_XDECREF(result);
    return result != NULL;
}

bool opened_look(Opened *self) {
    return is_answered(PyObject_CallMethod((PyObject *)self, "_look", NULL));
}

bool opened_look_at_name(Opened *self) {
    return is_answered(PyObject_CallMethod((PyObject *)self, "_look_at_name", NULL));
}

/* ---- for the package itself ---- */

/* The handle that a function was given as its first of `expected` arguments; NULL and an error set if it was not. */
static Opened *opened_of(PyObject *const *args, Py_ssize_t count, Py_ssize_t expected) {
    if (count == expected && opened_check(args[0]))
        return (Opened *)args[0];
    PyErr_Format(PyExc_TypeError, "expected a Ring or Table and %zd more, found %zd arguments", expected - 1, count);
    return NULL;
}

static PyObject *look(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Opened *opened = opened_of(args, count, 1);
    return opened && opened_look_at_name(opened) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *fail(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Opened *opened = opened_of(args, count, 2);
    const char *what = opened ? PyUnicode_AsUTF8AndSize(args[1], NULL) : NULL;
    return what ? opened_fail(opened, what) : NULL;
}

/* Views of the memory, and verbs that are under way in other threads, keep it mapped. */
static PyObject *detach(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Opened *opened = opened_of(args, count, 1);
    if (!opened)
        return NULL;
    opened->mapping = NULL;
#ifndef Py_GIL_DISABLED
    Py_CLEAR(opened->mapping_ref);
#endif
    Py_RETURN_NONE;
}

/* ---- the type ---- */

static PyObject *get_closed(PyObject *object, void *unused) {
    (void)unused;
    Opened *self = (Opened *)object; /* closing: who waits for a lock is sent home before the memory is let go of */
    return PyBool_FromLong(!self->mapping || (self->mutex && tshm_load(&self->mutex->closing, relaxed)));
}

static PyObject *get_timeout(PyObject *object, void *unused) {
    (void)unused;
    Opened *self = (Opened *)object;
    if (self->timeout == TIMEOUT_FOREVER)
        Py_RETURN_NONE;
    return PyFloat_FromDouble((double)self->timeout / 1e9);
}

static int set_timeout(PyObject *object, PyObject *value, void *unused) {
    (void)unused;
    if (!value) {
        PyErr_SetString(PyExc_AttributeError, "timeout cannot be deleted");
        return -1;
    }
    if (value == Py_Ellipsis) {
        PyErr_SetString(PyExc_TypeError, "timeout: expected seconds, or None to wait for ever, found Ellipsis");
        return -1;
    }
    return timeout_convert(value, &((Opened *)object)->timeout);
}

static PyGetSetDef getset[] = {
    {"timeout", get_timeout, set_timeout,
     "Seconds that blocking verbs wait if they get no ``timeout=``; None, the default, waits for ever.", NULL},
    {"closed", get_closed, NULL, "True once the handle was closed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What handles of regions and of tables have in common."},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Opened", sizeof(Opened), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"look", FAST(look), METH_FASTCALL, "Ask the system whether the memory is still there, and has its name."},
    {"fail", FAST(fail), METH_FASTCALL, "Raise what a failure is called."},
    {"detach", FAST(detach), METH_FASTCALL, "Stop using the memory: the handle is closed."},
    {NULL, NULL, 0, NULL},
};

int opened_register(PyObject *module) {
    opened_type = (PyTypeObject *)PyType_FromSpec(&spec);
    bool added = opened_type && PyModule_AddObjectRef(module, "Opened", (PyObject *)opened_type) == 0;
    return added ? PyModule_AddFunctions(module, functions) : -1;
}
