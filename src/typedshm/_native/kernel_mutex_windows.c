/* KernelMutex: a mutex of the system's, by its exact name. It belongs to the thread that took it. */
#include "handles_windows.h"

#include "arguments.h"
#include "guard.h"

static PyTypeObject *kernel_mutex_type;

static const DWORD SIGNAL_SLICE = 50; /* ms between looks at Python's signal handlers */

typedef struct {
    PyObject_HEAD
    HANDLE handle;           /* NULL once closed */
    unsigned long thread;    /* that has it, or 0 */
    uint32_t depth;          /* how often; the system counts too */
    tshm_atomic_u32 waiting; /* threads that are about to use the handle */
    bool created, recovered;
} KernelMutex;

bool kernel_mutex_check(PyObject *object) {
    return Py_TYPE(object) == kernel_mutex_type;
}

static bool is_mine(const KernelMutex *self) {
    return self->depth && self->thread == PyThread_get_thread_ident();
}

static int acquire(PyObject *object, int64_t ns) {
    KernelMutex *self = (KernelMutex *)object;
    uint64_t start = os_monotonic_ns();
    for (;;) {
        HANDLE handle = self->handle;
        if (!handle)
            return GUARD_CLOSED;
        int64_t left = ns == TSHM_FOREVER ? INT64_MAX : ns - (int64_t)(os_monotonic_ns() - start);
        DWORD slice = left <= 0 ? 0 : left >= SIGNAL_SLICE * 1000000ll ? SIGNAL_SLICE : (DWORD)(left / 1000000 + 1);
        DWORD result;
        atomic_fetch_add_explicit(&self->waiting, 1, memory_order_relaxed);
        Py_BEGIN_ALLOW_THREADS
        result = WaitForSingleObject(handle, slice); /* close() waits for us */
        Py_END_ALLOW_THREADS
        atomic_fetch_sub_explicit(&self->waiting, 1, memory_order_relaxed);
        if (result == WAIT_OBJECT_0 || result == WAIT_ABANDONED) {
            if (self->depth++ == 0)
                self->recovered = result == WAIT_ABANDONED; /* its last owner died holding it */
            self->thread = PyThread_get_thread_ident();
            return GUARD_TAKEN;
        }
        if (result == WAIT_FAILED) {
            native_system_error();
            return GUARD_EXCEPTION;
        }
        if (PyErr_CheckSignals() < 0)
            return GUARD_EXCEPTION;
        if (left <= 0)
            return GUARD_TIMEOUT;
    }
}

static bool release(PyObject *object, bool repaired) {
    (void)repaired; /* the system has no place to note it */
    KernelMutex *self = (KernelMutex *)object;
    if (--self->depth == 0)
        self->thread = 0;
    return ReleaseMutex(self->handle);
}

static bool held(PyObject *object) {
    return is_mine((KernelMutex *)object);
}

const guard_lock kernel_mutex_lock = {acquire, release, held};

static PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *words[] = {"name", "security", "create", NULL};
    PyObject *name, *sddl;
    int make = 1;
    Names names;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UU|p:KernelMutex", words, &name, &sddl, &make) ||
        !names_from(name, sddl, &names))
        return NULL;
    HANDLE handle = make ? CreateMutexW(&names.attributes, FALSE, names.name) : NULL;
    DWORD error = GetLastError();
    if (!handle && (!make || error == ERROR_ACCESS_DENIED)) { /* who may not do everything with it may yet take it */
        handle = OpenMutexW(SYNCHRONIZE | MUTEX_MODIFY_STATE, FALSE, names.name);
        error = handle ? ERROR_ALREADY_EXISTS : GetLastError();
    }
    names_free(&names);
    if (!handle)
        return PyErr_SetFromWindowsErr((int)error);
    KernelMutex *self = PyObject_New(KernelMutex, kernel_mutex_type);
    if (!self) {
        CloseHandle(handle);
        return NULL;
    }
    self->handle = handle;
    self->thread = 0;
    self->depth = 0;
    tshm_store(&self->waiting, 0, relaxed);
    self->created = error != ERROR_ALREADY_EXISTS;
    self->recovered = false;
    return (PyObject *)self;
}

static void dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    KernelMutex *self = (KernelMutex *)object;
    if (self->handle)
        CloseHandle(self->handle);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *acquire_method(PyObject *object, PyObject *timeout) {
    int64_t ns;
    if (timeout_convert(timeout, &ns) < 0)
        return NULL;
    int result = acquire(object, ns);
    return result == GUARD_EXCEPTION ? NULL : PyLong_FromLong(result);
}

static PyObject *release_method(PyObject *object, PyObject *repaired) {
    if (!held(object)) {
        PyErr_SetString(PyExc_RuntimeError, "released by a thread that does not hold it");
        return NULL;
    }
    return PyBool_FromLong(release(object, PyObject_IsTrue(repaired) == 1));
}

static PyObject *close_method(PyObject *object, PyObject *unused) {
    (void)unused;
    KernelMutex *self = (KernelMutex *)object;
    if (self->depth)
        Py_RETURN_FALSE;
    HANDLE handle = self->handle;
    self->handle = NULL; /* who waits looks again within a slice */
    while (tshm_load(&self->waiting, relaxed)) {
        Py_BEGIN_ALLOW_THREADS
        Sleep(1);
        Py_END_ALLOW_THREADS
    }
    if (self->depth) { /* one of them got it after all */
        self->handle = handle;
        Py_RETURN_FALSE;
    }
    if (handle)
        CloseHandle(handle);
    Py_RETURN_TRUE;
}

static PyObject *get_created(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((KernelMutex *)object)->created);
}

static PyObject *get_mine(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(held(object));
}

static PyObject *get_recovered(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((KernelMutex *)object)->recovered);
}

static PyMethodDef methods[] = {
    {"acquire", acquire_method, METH_O, "Take it: 0 taken, 1 timeout, 2 closed."},
    {"release", release_method, METH_O, "Give it back."},
    {"close", close_method, METH_NOARGS, "Leave it. False, and nothing done, if a thread of ours holds it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"created", get_created, NULL, "True if nobody had it open before.", NULL},
    {"mine", get_mine, NULL, "True if this thread holds it.", NULL},
    {"recovered", get_recovered, NULL, "True if the last taking found an owner that had died.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A mutex of the system's, by its exact name; for all threads of this process."},
    {Py_tp_new, create},
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.KernelMutex", sizeof(KernelMutex), 0, Py_TPFLAGS_DEFAULT, slots};

int kernel_mutex_add(PyObject *module) {
    kernel_mutex_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return kernel_mutex_type ? PyModule_AddObjectRef(module, "KernelMutex", (PyObject *)kernel_mutex_type) : -1;
}
