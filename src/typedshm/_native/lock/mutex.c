#include "lock/mutex.h"

#include "timeout.h"

#include <errno.h>
#ifndef EUSERS
#define EUSERS 10068 /* Windows' headers lack it; so Python's errno module has it */
#endif

static PyTypeObject *mutex_type;

static const int64_t SIGNAL_SLICE = 50000000; /* ns between looks at Python's signal handlers */

bool mutex_check(PyObject *object) {
    return PyObject_TypeCheck(object, mutex_type);
}

static uint32_t depth_of(const Mutex *mutex, unsigned long thread) {
    return mutex->thread == thread && mutex->forks == os_forks ? mutex->depth : 0;
}

bool mutex_is_mine(const Mutex *mutex) {
    return depth_of(mutex, PyThread_get_thread_ident()) > 0;
}

bool mutex_is_present(const Mutex *mutex) {
    return mutex->forks == os_forks && !tshm_load(&mutex->detached, relaxed);
}

bool mutex_is_kept(const Mutex *mutex) {
    return mutex->depth && (!mutex->brief || mutex_is_mine(mutex));
}

void mutex_shut(Mutex *mutex) {
    tshm_store(&mutex->shut, true, relaxed);
}

static bool is_closed(const Mutex *mutex) {
    return tshm_load(&mutex->shut, relaxed) || tshm_load(&mutex->detached, relaxed);
}

/* The word of shared memory knows processes; between our own threads a gate decides first. */
enum { GATE_OPEN, GATE_SHUT, GATE_AWAITED };

static bool gate_try(Mutex *mutex) {
    uint32_t open = GATE_OPEN;
    return tshm_exchange_if(&mutex->gate, &open, GATE_SHUT, acquire); /* with the release in gate_open */
}

/* Sleep until the gate may be open. Without the GIL. True if it was, and is now ours. */
static bool gate_wait(Mutex *mutex, uint64_t ns) {
    if (atomic_exchange_explicit(&mutex->gate, GATE_AWAITED, memory_order_acquire) == GATE_OPEN)
        return true;
    os_gate_wait(&mutex->gate, GATE_AWAITED, ns);
    return atomic_exchange_explicit(&mutex->gate, GATE_AWAITED, memory_order_acquire) == GATE_OPEN;
}

static void gate_open(Mutex *mutex) {
    /* release, with the acquire of the next thread: it sees depth, thread and the lock as we left them */
    if (atomic_exchange_explicit(&mutex->gate, GATE_OPEN, memory_order_release) == GATE_AWAITED)
        os_gate_wake_one(&mutex->gate);
}

static int pass_gate(Mutex *mutex, int64_t ns) {
    if (gate_try(mutex))
        return MUTEX_TAKEN;
    uint64_t start = os_monotonic_ns();
    while (!is_closed(mutex)) {
        int64_t left = ns == TIMEOUT_FOREVER ? SIGNAL_SLICE : ns - (int64_t)(os_monotonic_ns() - start);
        if (left <= 0)
            return MUTEX_TIMEOUT;
        bool passed;
        Py_BEGIN_ALLOW_THREADS
        passed = gate_wait(mutex, (uint64_t)(left < SIGNAL_SLICE ? left : SIGNAL_SLICE));
        Py_END_ALLOW_THREADS
        if (passed)
            return MUTEX_TAKEN;
        if (PyErr_CheckSignals() < 0)
            return MUTEX_EXCEPTION;
    }
    return MUTEX_DETACHED;
}

/* With the gate passed. TIMEOUT also when there is time left, so that the caller can look at the signals. */
static int take_word(Mutex *mutex, uint64_t ns) {
    int result = lock_try(&mutex->lock);
    if (result < 0 && ns > 0) {
        Py_BEGIN_ALLOW_THREADS
        result = lock_wait(&mutex->lock, ns);
        Py_END_ALLOW_THREADS
    }
    if (result < 0)
        return MUTEX_TIMEOUT;
    if (is_closed(mutex)) { /* close() came meanwhile and waits at the gate */
        lock_release(&mutex->lock, result != LOCK_RECOVERED);
        return MUTEX_DETACHED;
    }
    if (!mapping_holds(mutex->mapping, mutex->instance)) {
        lock_release(&mutex->lock, false);
        return MUTEX_GONE;
    }
    mutex->recovered = result == LOCK_RECOVERED;
    mutex->thread = PyThread_get_thread_ident();
    mutex->depth = 1;
    return MUTEX_TAKEN;
}

int mutex_acquire_to_read(Mutex *mutex, int64_t ns) {
    if (mutex_is_mine(mutex)) {
        mutex->depth++;
        return MUTEX_TAKEN;
    }
    if (mutex->forks != os_forks)
        return MUTEX_DETACHED; /* the parent's, and nobody has made one for us */
    uint64_t start = ns > 0 && ns != TIMEOUT_FOREVER ? os_monotonic_ns() : 0;
    int64_t left = ns;
    for (;;) {
        int result = pass_gate(mutex, left);
        if (result != MUTEX_TAKEN)
            return result;
        result = is_closed(mutex) ? MUTEX_DETACHED : take_word(mutex, (uint64_t)left);
        if (result == MUTEX_TAKEN)
            return result;
        gate_open(mutex); /* before any signal handler: it may write, or close us */
        if (result != MUTEX_TIMEOUT)
            return result;
        if (PyErr_CheckSignals() < 0)
            return MUTEX_EXCEPTION;
        if (ns != TIMEOUT_FOREVER && (left = start ? ns - (int64_t)(os_monotonic_ns() - start) : 0) <= 0)
            return MUTEX_TIMEOUT;
    }
}

static bool notes_task(const Mutex *mutex) {
    return mutex_is_mine(mutex) && mutex->task;
}

int mutex_acquire(Mutex *mutex, int64_t ns) {
    task_name task;
    if (notes_task(mutex)) {
        if (!task_running(&task))
            return MUTEX_EXCEPTION;
        if (notes_task(mutex) && mutex->task != task) /* still: the question may have run a signal handler */
            return MUTEX_OTHER_TASK;
    }
    return mutex_acquire_to_read(mutex, ns);
}

/* The task is asked for before the lock is taken: asking runs Python code, and so signal handlers, one of which could
 * raise with the lock held and the block not entered. */
int mutex_hold(Mutex *mutex, int64_t ns) {
    if (mutex_is_mine(mutex))
        return mutex_acquire(mutex, ns);
    task_name task;
    if (!task_running(&task))
        return MUTEX_EXCEPTION;
    int result = mutex_acquire_to_read(mutex, ns);
    if (result == MUTEX_TAKEN && mutex->depth == 1)
        mutex->task = task;
    return result;
}

bool mutex_release(Mutex *mutex, bool repaired) {
    if (!mutex->depth || mutex->forks != os_forks)
        return false; /* somebody gave it back twice, or it is the parent's */
    if (--mutex->depth)
        return true;
    mutex->thread = 0;
    mutex->task = NULL;
    bool kept = lock_release(&mutex->lock, repaired) == LOCK_TAKEN;
    gate_open(mutex);
    return kept;
}

static int acquire_lock(PyObject *mutex, int64_t ns) {
    return mutex_hold((Mutex *)mutex, ns);
}

static bool release_lock(PyObject *mutex, bool repaired) {
    return mutex_release((Mutex *)mutex, repaired);
}

static uint32_t depth_of_lock(PyObject *mutex, unsigned long thread) {
    return depth_of((Mutex *)mutex, thread);
}

const guarded mutex_guarded = {acquire_lock, release_lock, depth_of_lock};

/* ---- the object ----------------------------------------------------------------------------- */

/* Whoever had our presence entry before us may have died with pins. They are not ours, but from here on they count as a
 * living reader's: a writer that goes by now may find no slot. So at once, before any schema is looked at. */
static void drop_stale_pins(const Mutex *mutex) {
    const os_memory *memory = &mutex->mapping->memory;
    uint32_t entry = mutex->lock.entry;
    tshm_header header;
    tshm_ring ring;
    if (tshm_check(memory->start, memory->size, &header, &ring) || ring.slot_count < 3)
        return;                                    /* whoever wants to pin something will be told what is wrong */
    for (uint32_t i = 0; i < ring.slot_count; i++) /* relaxed: nothing was read under them */
        atomic_fetch_and_explicit(&tshm_slot_of(&ring, i)->pins[entry / 64], ~(1ull << entry % 64),
                                  memory_order_relaxed);
}

static int attach(Mutex *mutex, PyObject *handle) {
    if (peers_open(&mutex->lock.peers, handle) < 0)
        return -1;
    int result = lock_attach(&mutex->lock);
    mutex->forks = os_forks;
    if (result == LOCK_TAKEN) {
        drop_stale_pins(mutex);
        return 0;
    }
    peers_leave(&mutex->lock.peers);
    errno = result == LOCK_FULL ? EUSERS : errno;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static PyObject *mutex_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *names[] = {"mapping", "handle", "presence_count", "instance", NULL};
    PyObject *mapping, *handle;
    unsigned int presence_count;
    unsigned long long instance;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOIK:Mutex", names, &mapping, &handle, &presence_count, &instance))
        return NULL;
    if (!mapping_check(mapping) || !((Mapping *)mapping)->memory.writable ||
        ((Mapping *)mapping)->memory.size < sizeof(tshm_region) || presence_count < 1 ||
        presence_count > TSHM_PRESENCE_MAX) {
        PyErr_SetString(PyExc_ValueError, "a mutex needs a writable mapping of at least the header lines");
        return NULL;
    }
    Mutex *mutex = PyObject_New(Mutex, mutex_type);
    if (!mutex)
        return NULL;
    Py_INCREF(mapping);
    mutex->mapping = (Mapping *)mapping;
    memset(&mutex->lock, 0, sizeof mutex->lock);
    mutex->lock.lines = (tshm_region *)mutex->mapping->memory.start;
    mutex->lock.presence_count = presence_count;
    mutex->instance = instance;
    mutex->thread = 0;
    mutex->task = NULL;
    mutex->depth = 0;
    mutex->brief = false;
    mutex->recovered = false;
    mutex->shut = mutex->detached = false;
    mutex->gate = GATE_OPEN;
    if (attach(mutex, handle) < 0) {
        Py_DECREF((PyObject *)mutex);
        return NULL;
    }
    return (PyObject *)mutex;
}

static void mutex_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Mutex *mutex = (Mutex *)self;
    peers_close(&mutex->lock.peers);
    Py_XDECREF((PyObject *)mutex->mapping);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *mutex_acquire_method(PyObject *self, PyObject *timeout) {
    int64_t ns;
    if (timeout_convert(timeout, &ns) < 0)
        return NULL;
    int result = mutex_hold((Mutex *)self, ns);
    if (result == MUTEX_EXCEPTION)
        return NULL;
    return PyLong_FromLong(result);
}

static PyObject *mutex_release_method(PyObject *self, PyObject *repaired) {
    Mutex *mutex = (Mutex *)self;
    if (!mutex_is_mine(mutex)) {
        PyErr_SetString(PyExc_RuntimeError, "released by a thread that does not hold it");
        return NULL;
    }
    int in_order = PyObject_IsTrue(repaired);
    return in_order < 0 ? NULL : PyBool_FromLong(mutex_release(mutex, in_order));
}

/* The child of a fork has its parent's memory and none of its rights (rule 2). */
static PyObject *mutex_reattach(PyObject *self, PyObject *handle) {
    Mutex *mutex = (Mutex *)self;
    mutex->gate = GATE_OPEN; /* it may have been shut by a thread that is not here */
    mutex->thread = 0;
    mutex->task = NULL;
    mutex->depth = 0;
    mutex->brief = false;
    mutex->detached = true; /* without an entry of our own we must not touch the word */
    if (attach(mutex, handle) < 0)
        return NULL;
    mutex->detached = false;
    Py_RETURN_NONE;
}

/* A thread that probes through the descriptor while it is closed, and perhaps opened again as something else, could
 * take a living owner for dead. So: send the waiters home first, and wait until they are gone. */
static PyObject *mutex_detach(PyObject *self, PyObject *unused) {
    (void)unused;
    Mutex *mutex = (Mutex *)self;
    if (mutex_is_kept(mutex))
        Py_RETURN_FALSE;
    tshm_store(&mutex->detached, true, relaxed);
    Py_BEGIN_ALLOW_THREADS
    while (!gate_try(mutex) && !gate_wait(mutex, (uint64_t)SIGNAL_SLICE))
        ;
    Py_END_ALLOW_THREADS
    peers_leave(&mutex->lock.peers);
    gate_open(mutex);
    Py_RETURN_TRUE;
}

static PyObject *get_mine(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(mutex_is_mine((Mutex *)self));
}

static PyObject *get_recovered(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Mutex *)self)->recovered);
}

static PyObject *get_entry(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLong(((Mutex *)self)->lock.entry);
}

/* (entry, pid) of the living owner, or None. */
static PyObject *get_owner(PyObject *self, void *unused) {
    (void)unused;
    Mutex *mutex = (Mutex *)self;
    int owner = lock_owner(&mutex->lock);
    if (owner < 0 || (uint32_t)owner >= mutex->lock.presence_count)
        Py_RETURN_NONE;
    bool alive = tshm_load(&mutex->detached, relaxed) || lock_alive(&mutex->lock, (uint32_t)owner);
    if (!alive)
        Py_RETURN_NONE;
    return Py_BuildValue("iI", owner, (unsigned int)mutex->lock.lines->presence[owner].pid);
}

/* [(entry, pid), …] of those who are alive and may write. */
static PyObject *get_participants(PyObject *self, void *unused) {
    (void)unused;
    Mutex *mutex = (Mutex *)self;
    PyObject *list = PyList_New(0);
    for (uint32_t entry = 0; list && !mutex->detached && entry < mutex->lock.presence_count; entry++) {
        if (!mutex->lock.lines->presence[entry].pid || !lock_alive(&mutex->lock, entry))
            continue;
        PyObject *pair = Py_BuildValue("II", entry, (unsigned int)mutex->lock.lines->presence[entry].pid);
        if (!pair || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}

static PyObject *get_deaths(PyObject *self, void *unused) {
    (void)unused;
    tshm_writer *shared = &((Mutex *)self)->lock.lines->writer;
    return Py_BuildValue("KK", (unsigned long long)tshm_load(&shared->deaths, relaxed),
                         (unsigned long long)tshm_load(&shared->died_at, relaxed));
}

static PyMethodDef methods[] = {
    {"acquire", mutex_acquire_method, METH_O,
     "Take it: 0 taken, 1 timeout, 2 detached, 3 gone, 4 another task has it."},
    {"release", mutex_release_method, METH_O, "Give it back; False if somebody had replaced the word."},
    {"reattach", mutex_reattach, METH_O, "In the child of a fork: take a presence entry of its own."},
    {"detach", mutex_detach, METH_NOARGS, "The descriptor is about to be closed."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"mine", get_mine, NULL, "True if this thread holds it.", NULL},
    {"recovered", get_recovered, NULL, "True if the last taking found an owner that had died.", NULL},
    {"entry", get_entry, NULL, "This handle's presence entry.", NULL},
    {"owner", get_owner, NULL, "(entry, pid) of the living owner, or None.", NULL},
    {"participants", get_participants, NULL, "[(entry, pid)] of everyone alive who may write.", NULL},
    {"deaths", get_deaths, NULL, "(how many owners died holding it, when last in ns since 1970).", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The writers' lock of a mapped region, for all threads of this process."},
    {Py_tp_new, mutex_create},
    {Py_tp_dealloc, mutex_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Mutex", sizeof(Mutex), 0, Py_TPFLAGS_DEFAULT, slots};

int mutex_register(PyObject *module) {
    mutex_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return mutex_type ? PyModule_AddObjectRef(module, "Mutex", (PyObject *)mutex_type) : -1;
}
