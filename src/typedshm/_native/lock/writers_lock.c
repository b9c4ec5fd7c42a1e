#include "lock/writers_lock.h"

#include "timeout.h"

#include <errno.h>
#ifndef EUSERS
#define EUSERS 10068 /* Windows' headers lack it; so Python's errno module has it */
#endif

static PyTypeObject *writers_lock_type;

static const int64_t SIGNAL_SLICE = 50000000; /* ns between looks at Python's signal handlers */

bool writers_lock_check(PyObject *object) {
    return PyObject_TypeCheck(object, writers_lock_type);
}

uint32_t writers_lock_depth(const WritersLock *lock, unsigned long thread) {
    return lock->thread == thread && lock->forks == os_forks ? lock->depth : 0;
}

bool writers_lock_is_mine(const WritersLock *lock) {
    return writers_lock_depth(lock, PyThread_get_thread_ident()) > 0;
}

bool writers_lock_is_present(const WritersLock *lock) {
    return lock->forks == os_forks && !tshm_load(&lock->detached, relaxed);
}

static bool is_closed(const WritersLock *lock, const TSHM_ATOMIC(bool) * closing) {
    return tshm_load(closing, relaxed) || tshm_load(&lock->detached, relaxed);
}

/* The shared word knows processes only; the local lock excludes the threads of this one from each other. */
enum { LOCAL_LOCK_FREE, LOCAL_LOCK_TAKEN, LOCAL_LOCK_AWAITED };

static bool local_lock_try(WritersLock *lock) {
    uint32_t found = LOCAL_LOCK_FREE;
    return tshm_exchange_if(&lock->local_lock, &found, LOCAL_LOCK_TAKEN,
                            acquire); /* with the release in local_lock_free */
}

/* Sleep until the local lock may be free. Without the GIL. True if it was, and is now ours. */
static bool local_lock_wait(WritersLock *lock, uint64_t ns) {
    if (atomic_exchange_explicit(&lock->local_lock, LOCAL_LOCK_AWAITED, memory_order_acquire) == LOCAL_LOCK_FREE)
        return true;
    os_local_wait(&lock->local_lock, LOCAL_LOCK_AWAITED, ns);
    return atomic_exchange_explicit(&lock->local_lock, LOCAL_LOCK_AWAITED, memory_order_acquire) == LOCAL_LOCK_FREE;
}

static void local_lock_free(WritersLock *lock) {
    /* release, with the acquire of the next thread: it sees depth, thread and the lock as we left them */
    if (atomic_exchange_explicit(&lock->local_lock, LOCAL_LOCK_FREE, memory_order_release) == LOCAL_LOCK_AWAITED)
        os_local_wake_one(&lock->local_lock);
}

bool writers_lock_goes_on(const WritersLock *lock, PyObject *look, uint64_t *looked) {
    if (PyErr_CheckSignals() < 0)
        return false;
    uint64_t now = os_monotonic_ns();
    bool due = *looked ? now - *looked >= TSHM_SLICE : !os_peers_intact(&lock->lock.peers);
    if (due || !*looked)
        *looked = now;
    if (!due || !look)
        return true;
    PyObject *result = PyObject_CallNoArgs(look);
    Py_XDECREF(result);
    return result != NULL;
}

static int take_local_lock(WritersLock *lock, const TSHM_ATOMIC(bool) * closing, PyObject *look, uint64_t *looked,
                           int64_t ns) {
    if (local_lock_try(lock))
        return WRITERS_LOCK_TAKEN;
    uint64_t start = os_monotonic_ns();
    while (!is_closed(lock, closing)) {
        int64_t left = ns == TIMEOUT_FOREVER ? SIGNAL_SLICE : ns - (int64_t)(os_monotonic_ns() - start);
        if (left <= 0)
            return WRITERS_LOCK_TIMEOUT;
        bool passed;
        Py_BEGIN_ALLOW_THREADS
        passed = local_lock_wait(lock, (uint64_t)(left < SIGNAL_SLICE ? left : SIGNAL_SLICE));
        Py_END_ALLOW_THREADS
        if (passed)
            return WRITERS_LOCK_TAKEN;
        if (!writers_lock_goes_on(lock, look, looked))
            return WRITERS_LOCK_EXCEPTION;
    }
    return WRITERS_LOCK_CLOSED;
}

/* With the local lock taken. TIMEOUT also when there is time left, so that the caller can look at the signals. */
static int take_word(WritersLock *lock, const TSHM_ATOMIC(bool) * closing, uint64_t ns) {
    int result = lock_try(&lock->lock, &lock->word);
    if (result < 0 && ns > 0) {
        Py_BEGIN_ALLOW_THREADS
        result = lock_wait(&lock->lock, &lock->word, ns);
        Py_END_ALLOW_THREADS
    }
    if (result < 0)
        return WRITERS_LOCK_TIMEOUT;
    if (is_closed(lock, closing)) { /* close() came meanwhile and waits for the local lock */
        lock_release(&lock->lock, &lock->word, result != LOCK_RECOVERED);
        return WRITERS_LOCK_CLOSED;
    }
    if (!mapping_holds(lock->mapping, lock->instance)) {
        lock_release(&lock->lock, &lock->word, false);
        return WRITERS_LOCK_GONE;
    }
    lock->recovered = result == LOCK_RECOVERED;
    lock->thread = PyThread_get_thread_ident();
    lock->depth = 1;
    return WRITERS_LOCK_TAKEN;
}

int writers_lock_acquire(WritersLock *lock, const TSHM_ATOMIC(bool) * closing, PyObject *look, int64_t ns) {
    if (writers_lock_is_mine(lock)) {
        lock->depth++;
        return WRITERS_LOCK_TAKEN;
    }
    if (lock->forks != os_forks)
        return WRITERS_LOCK_CLOSED; /* the parent's, and nobody has made one for us */
    uint64_t start = ns > 0 && ns != TIMEOUT_FOREVER ? os_monotonic_ns() : 0;
    uint64_t looked = 0;
    int64_t left = ns;
    for (;;) {
        int result = take_local_lock(lock, closing, look, &looked, left);
        if (result != WRITERS_LOCK_TAKEN)
            return result;
        result = is_closed(lock, closing) ? WRITERS_LOCK_CLOSED : take_word(lock, closing, (uint64_t)left);
        if (result == WRITERS_LOCK_TAKEN)
            return result;
        local_lock_free(lock); /* before any signal handler: it may write, or close us */
        if (result != WRITERS_LOCK_TIMEOUT)
            return result;
        if (!writers_lock_goes_on(lock, look, &looked))
            return WRITERS_LOCK_EXCEPTION;
        if (ns != TIMEOUT_FOREVER && (left = start ? ns - (int64_t)(os_monotonic_ns() - start) : 0) <= 0)
            return WRITERS_LOCK_TIMEOUT;
    }
}

bool writers_lock_release(WritersLock *lock, bool repaired) {
    if (!lock->depth || lock->forks != os_forks)
        return false; /* given back twice, or it is the parent's */
    if (--lock->depth)
        return true;
    lock->thread = 0;
    lock->task = TASK_NONE;
    bool kept = lock_release(&lock->lock, &lock->word, repaired) == LOCK_TAKEN;
    local_lock_free(lock);
    return kept;
}

/* ---- the object ----------------------------------------------------------------------------- */

/* Whoever had our presence entry before us may have died with pins. They are not ours, but from here on they count as a
 * living reader's: a writer that goes by now may find no slot. So at once, before any schema is looked at. */
static bool drop_stale_pins(const WritersLock *lock) {
    const os_memory *memory = &lock->mapping->memory;
    uint32_t entry = lock->lock.entry;
    tshm_header header;
    tshm_ring ring;
    if (tshm_check(memory->start, memory->size, &header, &ring))
        return false;                              /* whoever wants to pin something will be told what is wrong */
    for (uint32_t i = 0; i < ring.slot_count; i++) /* relaxed: nothing was read under them */
        (void)tshm_change(and, &tshm_slot_of(&ring, i)->pins[entry / 64], ~(1ull << entry % 64), relaxed);
    return true;
}

/* What the entry's last holder left behind. Its flags go last: whoever dies on the way leaves them to the next. */
static void clear_entry(const WritersLock *lock) {
    tshm_atomic_u32 *flags = &lock_presence(&lock->lock)->flags;
    bool clear = !(tshm_load(flags, relaxed) & TSHM_HAS_PINNED) || drop_stale_pins(lock);
    /* release, with the kernel's lock on our byte, which the next holder takes */
    tshm_store(flags, clear ? 0 : TSHM_HAS_PINNED, release);
}

static int attach(WritersLock *lock, PyObject *handle) {
    if (peers_open(&lock->lock.peers, handle) < 0)
        return -1;
    lock->word = (lock_word){&lock->lock.control->writer.word, 0, false};
    int result = lock_attach(&lock->lock);
    lock->forks = os_forks;
    if (result == LOCK_TAKEN) {
        lock->wrote = false;
        clear_entry(lock);
        return 0;
    }
    peers_leave(&lock->lock.peers);
    errno = result == LOCK_FULL ? EUSERS : errno;
    PyErr_SetFromErrno(PyExc_OSError);
    return -1;
}

static PyObject *writers_lock_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *names[] = {"mapping", "handle", "presence_count", "instance", NULL};
    PyObject *mapping, *handle;
    unsigned int presence_count;
    unsigned long long instance;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOIK:WritersLock", names, &mapping, &handle, &presence_count,
                                     &instance))
        return NULL;
    if (!mapping_check(mapping) || !((Mapping *)mapping)->memory.writable ||
        ((Mapping *)mapping)->memory.size < sizeof(tshm_control) || presence_count < 1 ||
        presence_count > TSHM_PRESENCE_MAX) {
        PyErr_SetString(PyExc_ValueError, "WritersLock() takes a writable mapping of at least the control block");
        return NULL;
    }
    WritersLock *lock = PyObject_New(WritersLock, writers_lock_type);
    if (!lock)
        return NULL;
    Py_INCREF(mapping);
    lock->mapping = (Mapping *)mapping;
    memset(&lock->lock, 0, sizeof lock->lock);
    lock->lock.control = (tshm_control *)lock->mapping->memory.start;
    lock->lock.presence_count = presence_count;
    lock->instance = instance;
    lock->thread = 0;
    lock->task = TASK_NONE;
    lock->depth = 0;
    lock->transient = false;
    lock->recovered = false;
    lock->claims = 0;
    lock->wrote = false;
    lock->detached = false;
    lock->looked = os_coarse_ns();
    lock->local_lock = LOCAL_LOCK_FREE;
    if (attach(lock, handle) < 0) {
        Py_DECREF((PyObject *)lock);
        return NULL;
    }
    return (PyObject *)lock;
}

static void writers_lock_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    WritersLock *lock = (WritersLock *)self;
    peers_close(&lock->lock.peers);
    Py_XDECREF((PyObject *)lock->mapping);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* The child of a fork has its parent's memory and none of its rights (rule 2). */
static PyObject *writers_lock_reattach(PyObject *self, PyObject *handle) {
    WritersLock *lock = (WritersLock *)self;
    lock->local_lock = LOCAL_LOCK_FREE; /* it may have been taken by a thread that the child does not have */
    lock->thread = 0;
    lock->task = TASK_NONE;
    lock->depth = 0;
    lock->transient = false;
    lock->claims = 0;
    lock->detached = true; /* without an entry of our own we must not touch the word */
    if (attach(lock, handle) < 0)
        return NULL;
    lock->detached = false;
    Py_RETURN_NONE;
}

/* A thread that probes through the descriptor while it is closed, and perhaps opened again as something else, could
 * take a living owner for dead. So: send the waiters home first, and wait until they are gone. */
static PyObject *writers_lock_detach(PyObject *self, PyObject *unused) {
    (void)unused;
    WritersLock *lock = (WritersLock *)self;
    if (lock->depth && (!lock->transient || writers_lock_is_mine(lock)))
        Py_RETURN_FALSE;
    tshm_store(&lock->detached, true, relaxed);
    Py_BEGIN_ALLOW_THREADS
    while (!local_lock_try(lock) && !local_lock_wait(lock, (uint64_t)SIGNAL_SLICE))
        ;
    Py_END_ALLOW_THREADS
    peers_leave(&lock->lock.peers);
    local_lock_free(lock);
    Py_RETURN_TRUE;
}

static PyObject *get_entry(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLong(((WritersLock *)self)->lock.entry);
}

static PyObject *get_thread(PyObject *self, void *unused) {
    (void)unused;
    WritersLock *lock = (WritersLock *)self;
    return PyLong_FromUnsignedLong(lock->forks == os_forks ? lock->thread : 0);
}

/* What a presence entry says of its holder; for people. */
static PyObject *presence_of(const tshm_control *control, uint32_t entry) {
    const tshm_presence *presence = &control->presence[entry];
    return Py_BuildValue("IIOKK", (unsigned int)entry, (unsigned int)presence->pid,
                         tshm_load(&presence->flags, relaxed) & TSHM_WROTE ? Py_True : Py_False,
                         (unsigned long long)presence->since, (unsigned long long)presence->started);
}

/* The presence of the owner, or None if `alive` says it does not live. */
static PyObject *living_owner(const tshm_control *control, uint32_t count, int (*alive)(void *, uint32_t),
                              void *context) {
    int owner = lock_owner(control);
    if (owner < 0 || (uint32_t)owner >= count || !alive(context, (uint32_t)owner))
        Py_RETURN_NONE;
    return presence_of(control, (uint32_t)owner);
}

/* The presences of those whom `alive` says to live. */
static PyObject *living(const tshm_control *control, uint32_t count, int (*alive)(void *, uint32_t), void *context) {
    PyObject *list = PyList_New(0);
    for (uint32_t entry = 0; list && entry < count; entry++) {
        if (!control->presence[entry].pid || !alive(context, entry))
            continue;
        PyObject *participant = presence_of(control, entry);
        if (!participant || PyList_Append(list, participant) < 0)
            Py_CLEAR(list);
        Py_XDECREF(participant);
    }
    return list;
}

/* The presence of who publishes exclusively, or None. */
static PyObject *living_publisher(const tshm_control *control, uint32_t count, int (*alive)(void *, uint32_t),
                                  void *context) {
    int holder = claim_holder(control, count);
    if (holder < 0 || !alive(context, (uint32_t)holder))
        Py_RETURN_NONE;
    return presence_of(control, (uint32_t)holder);
}

static PyObject *state_of(const tshm_control *control, uint32_t count, int (*alive)(void *, uint32_t), void *context) {
    int state = claim_state(control, count, alive, context);
    return state == CLAIM_NEVER ? Py_NewRef(Py_None) : PyBool_FromLong(state == CLAIM_PUBLISHED);
}

/* Of one that is detached nobody can be asked; then what the word says has to do. */
static int owner_is_alive(void *lock, uint32_t entry) {
    return tshm_load(&((WritersLock *)lock)->detached, relaxed) || lock_alive(&((WritersLock *)lock)->lock, entry);
}

static PyObject *get_owner(PyObject *self, void *unused) {
    (void)unused;
    WritersLock *lock = (WritersLock *)self;
    return living_owner(lock->lock.control, lock->lock.presence_count, owner_is_alive, lock);
}

static PyObject *get_publisher(PyObject *self, void *unused) {
    (void)unused;
    WritersLock *lock = (WritersLock *)self;
    return living_publisher(lock->lock.control, lock->lock.presence_count, owner_is_alive, lock);
}

static PyObject *get_published(PyObject *self, void *unused) {
    (void)unused;
    WritersLock *lock = (WritersLock *)self;
    return state_of(lock->lock.control, lock->lock.presence_count, owner_is_alive, lock);
}

static PyObject *get_participants(PyObject *self, void *unused) {
    (void)unused;
    WritersLock *lock = (WritersLock *)self;
    uint32_t count = lock->detached ? 0 : lock->lock.presence_count;
    return living(lock->lock.control, count, lock_alive, &lock->lock);
}

/* ---- the same of a region that one has not joined, or only to read ---- */

static int peer_is_alive(void *peers, uint32_t entry) {
    return os_peers_alive(peers, entry) != 0;
}

static const tshm_control *control_in(PyObject *mapping) {
    if (mapping_check(mapping) && ((Mapping *)mapping)->memory.size >= sizeof(tshm_control))
        return (const tshm_control *)((Mapping *)mapping)->memory.start;
    PyErr_SetString(PyExc_ValueError, "not a mapping of at least the control block");
    return NULL;
}

typedef PyObject *question(const tshm_control *, uint32_t, int (*)(void *, uint32_t), void *);

/* `args`: (mapping, handle), the second of which has taken no presence entry. */
static PyObject *ask(PyObject *args, question *ask_for) {
    PyObject *mapping, *handle;
    if (!PyArg_ParseTuple(args, "OO", &mapping, &handle))
        return NULL;
    const tshm_control *control = control_in(mapping);
    if (!control)
        return NULL;
    os_peers peers;
    memset(&peers, 0, sizeof peers);
    if (peers_open(&peers, handle) < 0)
        return NULL;
    PyObject *answer = ask_for(control, TSHM_PRESENCE_MAX, peer_is_alive, &peers);
    peers_close(&peers);
    return answer;
}

static PyObject *participants(PyObject *module, PyObject *args) {
    (void)module;
    return ask(args, living);
}

static PyObject *owner(PyObject *module, PyObject *args) {
    (void)module;
    return ask(args, living_owner);
}

static PyObject *publisher(PyObject *module, PyObject *args) {
    (void)module;
    return ask(args, living_publisher);
}

static PyObject *published(PyObject *module, PyObject *args) {
    (void)module;
    return ask(args, state_of);
}

static PyObject *deaths(PyObject *module, PyObject *mapping) {
    (void)module;
    const tshm_control *control = control_in(mapping);
    if (!control)
        return NULL;
    /* relaxed: for people, and neither number says anything about other memory */
    return Py_BuildValue("KK", (unsigned long long)tshm_load(&control->writer.deaths, relaxed),
                         (unsigned long long)tshm_load(&control->writer.died_at, relaxed));
}

/* Of a region that nobody else can have joined yet, or of which it does not matter who is the first. */
static PyObject *writers_lock_claim(PyObject *self, PyObject *unused) {
    (void)unused;
    WritersLock *lock = (WritersLock *)self;
    TSHM_ATOMIC(bool) closing = false;
    bool taken = writers_lock_acquire(lock, &closing, NULL, 0) == WRITERS_LOCK_TAKEN;
    if (taken) {
        taken = claim_take(&lock->lock);
        writers_lock_release(lock, !lock->recovered);
    }
    if (PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(taken);
}

static PyMethodDef methods[] = {
    {"claim", writers_lock_claim, METH_NOARGS, "Let nobody else write from the first moment on; for who makes it."},
    {"reattach", writers_lock_reattach, METH_O, "In the child of a fork: take a presence entry of its own."},
    {"detach", writers_lock_detach, METH_NOARGS, "The descriptor is about to be closed."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"entry", get_entry, NULL, "This process's presence entry.", NULL},
    {"thread", get_thread, NULL, "The identifier of the thread of this process that has it, or 0.", NULL},
    {"owner", get_owner, NULL, "The presence of the living owner, or None.", NULL},
    {"publisher", get_publisher, NULL, "The presence of who publishes exclusively, or None.", NULL},
    {"published", get_published, NULL,
     "Whether a process lives that has written or publishes exclusively; None: there was none yet.", NULL},
    {"participants", get_participants, NULL,
     "[(entry, pid, whether it has written, since when, when the process began)] of the living who may write.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The writers' lock of a mapped region, for all threads and handles of this process."},
    {Py_tp_new, writers_lock_create},
    {Py_tp_dealloc, writers_lock_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.WritersLock", sizeof(WritersLock), 0, Py_TPFLAGS_DEFAULT, slots};

static PyMethodDef functions[] = {
    {"participants", participants, METH_VARARGS,
     "Every living process that may write, of a region not joined for that."},
    {"owner", owner, METH_VARARGS, "The presence of the lock's living owner, or None; likewise."},
    {"publisher", publisher, METH_VARARGS, "The presence of who publishes exclusively, or None; likewise."},
    {"published", published, METH_VARARGS,
     "Whether a process lives that has written or publishes exclusively; None: there was none yet; likewise."},
    {"deaths", deaths, METH_O, "(how many owners died holding the lock, when last in ns since 1970)."},
    {NULL, NULL, 0, NULL},
};

int writers_lock_register(PyObject *module) {
    writers_lock_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (!writers_lock_type || PyModule_AddObjectRef(module, "WritersLock", (PyObject *)writers_lock_type) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
