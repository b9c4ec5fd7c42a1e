/* Guard: a mutex as a context manager. In C, so that no signal handler can come in the middle of taking it, or between
 * leaving the block and giving it back; a Ctrl-C there would leave the lock held.
 *
 * Between __enter__ and the block one can: from CPython 3.14 on, handlers run behind every call, also behind that of
 * __enter__, and what they raise there never reaches __exit__. But the `with` statement has looked __exit__ up before
 * it called __enter__, and lets go of what it found. So that is an object for each statement, an Exit, which gives the
 * mutex back at its end if nobody has called it. Others look it up too, and enter nothing by it: debuggers, inspect. So
 * an Exit has a number, and __enter__ notes that of the one that its thread has looked up last. */
#include "lock/guard.h"

#include "lock/mutex.h"
#include "timeout.h"
#ifdef _WIN32
#include "lock/kernel_mutex_windows.h"
#endif

typedef struct {
    PyObject_HEAD
    PyObject *mutex; /* NULL: of a handle that may not write */
    const guarded *lock;
    int64_t timeout;
    uint32_t entered; /* how often, and not yet left; only who has the mutex looks */
    uint64_t exit;    /* the number of the Exit by which it was entered last, or 0; likewise */
} Guard;

typedef struct {
    PyObject_HEAD
    Guard *guard;         /* NULL: the type's, which makes the others */
    unsigned long thread; /* that has looked it up */
    uint64_t number;
    uint64_t outer; /* the guard's, then */
    bool called;
} Exit;

static PyTypeObject *guard_type, *exit_type;

/* What this thread has looked up, and nobody entered since. A number is never given twice, so both may be gone. */
static _Thread_local struct {
    const Guard *guard;
    uint64_t number;
} looked_up;

/* One further kind: the rows of a table. */
static bool (*further_check)(PyObject *object);
static const guarded *further_lock;

void guard_add(bool (*check)(PyObject *object), const guarded *lock) {
    further_check = check;
    further_lock = lock;
}

static const guarded *lock_of(PyObject *mutex) {
    if (further_check && further_check(mutex))
        return further_lock;
#ifdef _WIN32
    if (kernel_mutex_check(mutex))
        return &kernel_mutex_guarded;
#endif
    return mutex_check(mutex) ? &mutex_guarded : NULL;
}

static int guard_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    Guard *self = (Guard *)object;
    static char *names[] = {"mutex", "timeout", NULL};
    PyObject *mutex, *timeout;
    int64_t ns = TIMEOUT_FOREVER;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:Guard", names, &mutex, &timeout) ||
        timeout_convert(timeout, &ns) < 0)
        return -1;
    const guarded *lock = lock_of(mutex);
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

/* How often a thread has the mutex. */
static uint32_t depth_of(const Guard *self, unsigned long thread) {
    return self->mutex ? self->lock->depth(self->mutex, thread) : 0;
}

static void guard_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Guard *self = (Guard *)object;
    unsigned long thread = PyThread_get_thread_ident();
    while (depth_of(self, thread) && self->entered) {
        self->entered--;
        self->lock->release(self->mutex, false);
    }
    Py_XDECREF(self->mutex);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *guard_enter(PyObject *object, PyObject *unused) {
    (void)unused;
    Guard *self = (Guard *)object;
    if (!self->mutex)
        return native_fail(object, "read-only");
    uint64_t number = looked_up.guard == self ? looked_up.number : 0; /* now: waiting may run signal handlers */
    looked_up.guard = NULL;
    int result = self->lock->acquire(self->mutex, self->timeout);
    if (result == GUARDED_EXCEPTION)
        return NULL;
    if (result != GUARDED_TAKEN)
        return native_fail(object, guarded_problem(result));
    /* the first to take it also forgets whoever entered and then gave it back by hand */
    bool again = depth_of(self, PyThread_get_thread_ident()) > 1;
    self->entered = again ? self->entered + 1 : 1;
    if (number || !again)
        self->exit = number;
    Py_INCREF(object);
    return object;
}

/* By `leave`, which need not be the one it was entered by. */
static bool guard_exit(Guard *self, const Exit *leave, bool raised) {
    if (!depth_of(self, PyThread_get_thread_ident())) {
        native_fail((PyObject *)self, "not held");
        return false;
    }
    self->entered -= self->entered > 0;
    if (self->exit == leave->number)
        self->exit = leave->outer;
    bool kept = self->lock->release(self->mutex, !raised); /* raised: what it guards may be half done */
    if (!kept)
        native_fail((PyObject *)self, "lock lost");
    return kept;
}

static PyMethodDef methods[] = {
    {"__enter__", guard_enter, METH_NOARGS, "Take it."},
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

/* ---- Exit ----------------------------------------------------------------------------------- */

static Exit *exit_new(Guard *guard) {
    static tshm_atomic_u64 numbers;
    Exit *self = PyObject_GC_New(Exit, exit_type);
    if (!self)
        return NULL;
    Py_XINCREF((PyObject *)guard);
    self->guard = guard;
    self->thread = PyThread_get_thread_ident();
    self->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    self->outer = guard && depth_of(guard, self->thread) ? guard->exit : 0;
    self->called = false;
    if (guard) {
        looked_up.guard = guard;
        looked_up.number = self->number;
    }
    PyObject_GC_Track(self);
    return self;
}

static PyObject *exit_get(PyObject *object, PyObject *guard, PyObject *type) {
    (void)type;
    if (!((Exit *)object)->guard && guard && PyObject_TypeCheck(guard, guard_type))
        return (PyObject *)exit_new((Guard *)guard);
    /* looked up in the class, as contextlib.ExitStack does; that calls it with the guard. Or in something else that has
     * borrowed it, and is refused when it calls it. */
    Py_INCREF(object);
    return object;
}

/* With what a `with` statement tells, and before that the guard if it was looked up in the class. */
static PyObject *exit_call(PyObject *object, PyObject *args, PyObject *kwargs) {
    Exit *self = (Exit *)object;
    PyObject *guard = (PyObject *)self->guard;
    Py_ssize_t first = guard ? 0 : 1, count = PyTuple_Size(args) - first;
    if (first && count >= 0)
        guard = PyTuple_GetItem(args, 0);
    if ((kwargs && PyDict_Size(kwargs)) || count < 0 || count > 3 || !PyObject_TypeCheck(guard, guard_type)) {
        PyErr_SetString(PyExc_TypeError, "__exit__ takes the kind of an exception, the exception and its traceback");
        return NULL;
    }
    if (!guard_exit((Guard *)guard, self, count && PyTuple_GetItem(args, first) != Py_None))
        return NULL;
    self->called = true;
    Py_RETURN_FALSE;
}

/* If it was entered by this one and not called, leave it: its block never came to its end. That may happen in another
 * thread, as with a generator that is dropped in its middle. */
static void exit_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Exit *self = (Exit *)object;
    Guard *guard = self->guard;
    PyObject_GC_UnTrack(object);
    if (looked_up.number == self->number)
        looked_up.guard = NULL;
    if (guard && !self->called && depth_of(guard, self->thread) && guard->entered && guard->exit == self->number) {
        guard->exit = self->outer;
        guard->entered--;
        guard->lock->release(guard->mutex, false);
    }
    Py_XDECREF((PyObject *)guard);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

/* A NamedMutex may have it among its own attributes. To clear these ends the cycle. */
static int exit_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((Exit *)object)->guard);
    return 0;
}

static PyType_Slot exit_slots[] = {
    {Py_tp_doc, "Give it back; also when this is thrown away uncalled, after a __enter__ that came behind it."},
    {Py_tp_descr_get, exit_get},
    {Py_tp_call, exit_call},
    {Py_tp_dealloc, exit_dealloc},
    {Py_tp_traverse, exit_traverse},
    {0, NULL},
};

static PyType_Spec exit_spec = {"typedshm._native.Exit", sizeof(Exit), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                exit_slots};

int guard_register(PyObject *module) {
    guard_type = (PyTypeObject *)PyType_FromSpec(&spec);
    exit_type = (PyTypeObject *)PyType_FromSpec(&exit_spec);
    PyObject *leave = guard_type && exit_type ? (PyObject *)exit_new(NULL) : NULL;
    bool added = leave && PyObject_SetAttrString((PyObject *)guard_type, "__exit__", leave) == 0 &&
                 PyModule_AddObjectRef(module, "Guard", (PyObject *)guard_type) == 0;
    Py_XDECREF(leave);
    return added ? 0 : -1;
}
