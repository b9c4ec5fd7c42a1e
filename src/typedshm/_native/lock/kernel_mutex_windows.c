/* KernelMutex: a mutex of the system's, by its exact name. It belongs to the thread that took it. */
#include "lock/kernel_mutex_windows.h"

#include "lock/task.h"
#include "memory/names_windows.h"
#include "timeout.h"

static PyTypeObject *kernel_mutex_type;

static const DWORD SIGNAL_SLICE = 50; /* ms between looks at Python's signal handlers */

typedef struct {
    PyObject_HEAD
    TSHM_ATOMIC(HANDLE) handle;        /* NULL once closed */
    TSHM_ATOMIC(unsigned long) thread; /* that has it, or 0 */
    tshm_atomic_u32 depth;             /* how often; the system counts too */
    tshm_atomic_u32 users;             /* threads that may be about to use the handle */
    task_name task;                    /* that took it; only the thread that has it looks */
    bool created;
    TSHM_ATOMIC(bool) recovered;
} KernelMutex;

bool kernel_mutex_check(PyObject *object) {
    return Py_TYPE(object) == kernel_mutex_type;
}

static uint32_t depth_of(KernelMutex *self, unsigned long thread) {
    return tshm_load(&self->thread, relaxed) == thread ? tshm_load(&self->depth, relaxed) : 0;
}

static bool is_mine(KernelMutex *self) {
    return depth_of(self, PyThread_get_thread_ident()) > 0;
}

/* We have just got it: note it, but for one that is being closed, which goes back. */
static bool keep(KernelMutex *self, HANDLE handle, bool mine, bool abandoned) {
    if (!tshm_load(&self->handle, seq_cst)) {
        ReleaseMutex(handle);
        return false;
    }
    /* the count of a thread that has ended is void */
    tshm_store(&self->depth, mine ? tshm_load(&self->depth, relaxed) + 1 : 1, relaxed);
    tshm_store(&self->thread, PyThread_get_thread_ident(), relaxed);
    if (!mine)
        tshm_store(&self->recovered, abandoned, relaxed); /* its last owner died holding it */
    return true;
}

/* One wait of at most `slice` ms. */
static int try_acquire(KernelMutex *self, DWORD slice) {
    atomic_fetch_add_explicit(&self->users, 1, memory_order_seq_cst); /* before the look; close() does both reversed */
    HANDLE handle = tshm_load(&self->handle, seq_cst);
    bool mine = is_mine(self);
    DWORD result = WAIT_FAILED, error = 0;
    if (handle) {
        Py_BEGIN_ALLOW_THREADS
        result = WaitForSingleObject(handle, slice);
        error = GetLastError();
        Py_END_ALLOW_THREADS
    }
    bool taken = handle && (result == WAIT_OBJECT_0 || result == WAIT_ABANDONED);
    bool kept = taken && keep(self, handle, mine, result == WAIT_ABANDONED);
    atomic_fetch_sub_explicit(&self->users, 1, memory_order_seq_cst);
    if (kept)
        return GUARDED_TAKEN;
    if (!handle || taken)
        return GUARDED_CLOSED;
    if (result != WAIT_FAILED)
        return GUARDED_TIMEOUT;
    PyErr_SetFromWindowsErr((int)error);
    return GUARDED_EXCEPTION;
}

static int take(KernelMutex *self, int64_t ns) {
    uint64_t start = os_monotonic_ns();
    for (;;) {
        int64_t left = ns == TIMEOUT_FOREVER ? INT64_MAX : ns - (int64_t)(os_monotonic_ns() - start);
        DWORD slice = left <= 0 ? 0 : left >= SIGNAL_SLICE * 1000000ll ? SIGNAL_SLICE : (DWORD)(left / 1000000 + 1);
        int result = try_acquire(self, slice);
        if (result != GUARDED_TIMEOUT)
            return result;
        if (PyErr_CheckSignals() < 0)
            return GUARDED_EXCEPTION;
        if (left <= 0)
            return GUARDED_TIMEOUT;
    }
}

/* As mutex_hold() does it. */
static int acquire(PyObject *object, int64_t ns) {
    KernelMutex *self = (KernelMutex *)object;
    task_name task = TASK_NONE;
    if ((!is_mine(self) || task_is_noted(&self->task)) && !task_running(&task))
        return GUARDED_EXCEPTION;
    int result = is_mine(self) ? task_compare(&self->task, &task) : GUARDED_TAKEN;
    if (result == GUARDED_TAKEN)
        result = take(self, ns);
    if (result == GUARDED_TAKEN && tshm_load(&self->depth, relaxed) == 1)
        self->task = task;
    return result;
}

static bool release(PyObject *object, bool repaired) {
    (void)repaired; /* the system has no place to note it */
    KernelMutex *self = (KernelMutex *)object;
    if (!is_mine(self))
        return false;
    uint32_t depth = tshm_load(&self->depth, relaxed) - 1;
    if (depth == 0) {
        self->task = TASK_NONE;
        tshm_store(&self->thread, 0, relaxed);
    }
    tshm_store(&self->depth, depth, relaxed);
    return ReleaseMutex(tshm_load(&self->handle, relaxed));
}

static uint32_t depth(PyObject *object, unsigned long thread) {
    return depth_of((KernelMutex *)object, thread);
}

const guarded kernel_mutex_guarded = {acquire, release, depth};

/* The mutex, made where there is none; and in *error why not, or ERROR_ALREADY_EXISTS. */
static HANDLE make(names_object *names, DWORD *error) {
    HANDLE handle = CreateMutexW(&names->attributes, FALSE, names->name);
    *error = GetLastError();
    if (!handle && *error == ERROR_ACCESS_DENIED) { /* who may not do everything with it may yet take it */
        handle = OpenMutexW(SYNCHRONIZE | MUTEX_MODIFY_STATE, FALSE, names->name);
        *error = handle ? ERROR_ALREADY_EXISTS : GetLastError();
    }
    return handle;
}

/* Another program's mutex. The right to wait is enough to give it back, too. */
static HANDLE find(const names_object *names, DWORD *error) {
    HANDLE handle = OpenMutexW(SYNCHRONIZE, FALSE, names->name);
    *error = handle ? ERROR_ALREADY_EXISTS : GetLastError();
    return handle;
}

static PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *words[] = {"name", "security", "existing", NULL};
    PyObject *name, *sddl;
    int existing = 0;
    names_object names;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UU|p:KernelMutex", words, &name, &sddl, &existing) ||
        !names_from(name, sddl, &names))
        return NULL;
    DWORD error;
    HANDLE handle = existing ? find(&names, &error) : make(&names, &error);
    names_free(&names);
    if (!handle)
        return PyErr_SetFromWindowsErr((int)error);
    KernelMutex *self = PyObject_New(KernelMutex, kernel_mutex_type);
    if (!self) {
        CloseHandle(handle);
        return NULL;
    }
    tshm_store(&self->handle, handle, relaxed);
    tshm_store(&self->thread, 0, relaxed);
    tshm_store(&self->depth, 0, relaxed);
    tshm_store(&self->users, 0, relaxed);
    tshm_store(&self->recovered, false, relaxed);
    self->task = TASK_NONE;
    self->created = error != ERROR_ALREADY_EXISTS;
    return (PyObject *)self;
}

static void dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    KernelMutex *self = (KernelMutex *)object;
    HANDLE handle = tshm_load(&self->handle, relaxed);
    while (is_mine(self)) /* or nobody would get it while this thread lives */
        release(object, false);
    if (handle)
        CloseHandle(handle);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *acquire_method(PyObject *object, PyObject *timeout) {
    int64_t ns;
    if (timeout_convert(timeout, &ns) < 0)
        return NULL;
    int result = acquire(object, ns);
    return result == GUARDED_EXCEPTION ? NULL : PyLong_FromLong(result);
}

static PyObject *release_method(PyObject *object, PyObject *repaired) {
    if (!is_mine((KernelMutex *)object)) {
        PyErr_SetString(PyExc_RuntimeError, "released by a thread that does not hold it");
        return NULL;
    }
    return PyBool_FromLong(release(object, PyObject_IsTrue(repaired) == 1));
}

/* True if no thread of this process has it, though one that has ended may have counted. */
static bool is_free(KernelMutex *self, HANDLE handle) {
    if (is_mine(self))
        return false;
    if (!tshm_load(&self->depth, relaxed))
        return true;
    DWORD result = WaitForSingleObject(handle, 0);
    if (result != WAIT_OBJECT_0 && result != WAIT_ABANDONED)
        return false;
    ReleaseMutex(handle);
    return true;
}

static PyObject *close_method(PyObject *object, PyObject *unused) {
    (void)unused;
    KernelMutex *self = (KernelMutex *)object;
    HANDLE handle = tshm_load(&self->handle, relaxed);
    if (!handle)
        Py_RETURN_TRUE;
    if (!is_free(self, handle))
        Py_RETURN_FALSE;
    handle = atomic_exchange_explicit(&self->handle, NULL, memory_order_seq_cst);
    while (tshm_load(&self->users, seq_cst)) { /* who waits looks again within a slice */
        Py_BEGIN_ALLOW_THREADS
        Sleep(1);
        Py_END_ALLOW_THREADS
    }
    if (handle && !is_free(self, handle)) { /* one of them got it just before */
        tshm_store(&self->handle, handle, seq_cst);
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
    return PyBool_FromLong(is_mine((KernelMutex *)object));
}

static PyObject *get_recovered(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(tshm_load(&((KernelMutex *)object)->recovered, relaxed));
}

static PyMethodDef methods[] = {
    {"acquire", acquire_method, METH_O,
     "Take it: 0 taken, 1 timeout, 2 closed, 4 another task has it, 5 another greenlet."},
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

int kernel_mutex_register(PyObject *module) {
    kernel_mutex_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return kernel_mutex_type ? PyModule_AddObjectRef(module, "KernelMutex", (PyObject *)kernel_mutex_type) : -1;
}
