/* Guard: a mutex as a context manager. In C, so that no signal handler can come between taking it and entering the
 * block, or between leaving the block and giving it back; a Ctrl-C there would leave the lock held. */
#include "guard.h"
#include "mutex.h"

typedef struct {
    PyObject_HEAD
    PyObject *mutex; /* NULL: of a handle that may not write */
    const guard_lock *lock;
    int64_t timeout;
} Guard;

static const guard_lock *lock_of(PyObject *mutex) {
#ifdef _WIN32
    if (kernel_mutex_check(mutex))
        return &kernel_mutex_lock;
#endif
    return mutex_check(mutex) ? &mutex_lock : NULL;
}

static int guard_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    Guard *self = (Guard *)object;
    static char *names[] = {"mutex", "timeout", NULL};
    PyObject *mutex, *timeout;
    int64_t ns = TSHM_FOREVER;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:Guard", names, &mutex, &timeout) ||
        timeout_convert(timeout, &ns) < 0)
        return -1;
    const guard_lock *lock = lock_of(mutex);
    if (self->mutex || (mutex != Py_None && !lock)) {
        PyErr_SetString(PyExc_TypeError, "Guard() takes a Mutex, once");
        return -1;
    }
    self->timeout = ns;
    if (mutex != Py_None) {
        Py_INCREF(mutex);
        self->mutex = mutex;
        self->lock = lock;
    }
    return 0;
}

static void guard_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(((Guard *)object)->mutex);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *guard_enter(PyObject *object, PyObject *unused) {
    (void)unused;
    Guard *self = (Guard *)object;
    if (!self->mutex)
        return native_fail(object, "read-only");
    int result = self->lock->acquire(self->mutex, self->timeout);
    if (result == GUARD_EXCEPTION)
        return NULL;
    if (result != GUARD_TAKEN)
        return native_fail(object, guard_problem(result));
    Py_INCREF(object);
    return object;
}

static PyObject *guard_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    Guard *self = (Guard *)object;
    if (!self->mutex || !self->lock->is_mine(self->mutex))
        return native_fail(object, "not held");
    bool raised = count && args[0] != Py_None; /* what it guards may be half done: the next one is told */
    if (!self->lock->release(self->mutex, !raised))
        return native_fail(object, "lock lost");
    Py_RETURN_FALSE;
}

static PyMethodDef methods[] = {
    {"__enter__", guard_enter, METH_NOARGS, "Take it."},
    {"__exit__", (PyCFunction)(void (*)(void))guard_exit, METH_FASTCALL, "Give it back."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A mutex as a context manager."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, guard_init},
    {Py_tp_dealloc, guard_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Guard", sizeof(Guard), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

int guard_add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    int failed = !type || PyModule_AddObjectRef(module, "Guard", type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : 0;
}
