#include "lock/mutex.h"

#include "timeout.h"

static PyTypeObject *mutex_type;

static const uint64_t CLOSE_PAUSE = 50000; /* ns between looks whether verbs in other threads have ended */

bool mutex_check(PyObject *object) {
    return PyObject_TypeCheck(object, mutex_type);
}

/* With a GIL nobody else is at the counts. Without one, who counts and who closes must not miss each other. */
static void count_up(tshm_atomic_u32 *counter) {
#ifdef Py_GIL_DISABLED
    atomic_fetch_add_explicit(counter, 1, memory_order_seq_cst); /* with the load in close_mutex() */
#else
    tshm_store(counter, tshm_load(counter, relaxed) + 1, relaxed);
#endif
}

static void count_down(tshm_atomic_u32 *counter) {
#ifdef Py_GIL_DISABLED
    atomic_fetch_sub_explicit(counter, 1, memory_order_release); /* with the load in close_mutex() */
#else
    tshm_store(counter, tshm_load(counter, relaxed) - 1, relaxed);
#endif
}

/* In the child of a fork the counts are its parent's. */
static void renew(Mutex *mutex) {
    if (mutex->forks == os_forks)
        return;
    mutex->forks = os_forks;
    tshm_store(&mutex->holds, 0, relaxed); /* relaxed: a child begins with one thread */
    tshm_store(&mutex->verbs, 0, relaxed);
    mutex->claims = false;
}

static uint32_t holds_of(const Mutex *mutex, unsigned long thread) {
    bool ours = mutex->forks == os_forks && writers_lock_depth(mutex->lock, thread);
    return ours ? tshm_load(&mutex->holds, relaxed) : 0;
}

bool mutex_is_mine(const Mutex *mutex) {
    return holds_of(mutex, PyThread_get_thread_ident()) > 0;
}

static bool is_closing(const Mutex *mutex) {
    return tshm_load(&mutex->closing, seq_cst); /* with the exchange in close_mutex(): one of the two sees the other */
}

bool mutex_look(Mutex *mutex) {
    PyObject *result = mutex->look ? PyObject_CallNoArgs(mutex->look) : Py_NewRef(Py_None);
    if (!result) {
        tshm_store(&mutex->lock->looked, 0, relaxed); /* and the next one is told too, before it writes */
        return false;
    }
    Py_DECREF(result);
    tshm_store(&mutex->lock->looked, os_coarse_ns(), relaxed); /* relaxed: whoever comes between looks once more */
    return true;
}

bool mutex_may_write(Mutex *mutex) {
    return tshm_load(&mutex->lock->looked, relaxed) || mutex_look(mutex);
}

static int acquire(Mutex *mutex, PyObject *look, int64_t ns) {
    WritersLock *lock = mutex->lock;
    int result = writers_lock_acquire(lock, &mutex->closing, look, ns);
    if (result == WRITERS_LOCK_TAKEN && lock->depth == 1)
        mutex->recovered = lock->recovered;
    return result;
}

static bool notes_task(const WritersLock *lock) {
    return writers_lock_is_mine(lock) && task_is_noted(&lock->task);
}

/* Is it held by another task or greenlet of this thread? EXCEPTION if that cannot be told; else TAKEN. */
static int check_task(const WritersLock *lock) {
    task_name task;
    if (!notes_task(lock))
        return WRITERS_LOCK_TAKEN;
    if (!task_running(&task))
        return WRITERS_LOCK_EXCEPTION;
    /* still: the question may have run a signal handler */
    return notes_task(lock) ? task_compare(&lock->task, &task) : WRITERS_LOCK_TAKEN;
}

/* With the lock taken: count it, unless the handle is being closed. Counted first, with the opposite order in
 * close_mutex(): so either close() sees the count, or we see that it has come. */
static int count(Mutex *mutex, tshm_atomic_u32 *counter) {
    renew(mutex);
    count_up(counter);
    if (!is_closing(mutex))
        return WRITERS_LOCK_TAKEN;
    count_down(counter);
    writers_lock_release(mutex->lock, !mutex->lock->recovered);
    return WRITERS_LOCK_CLOSED;
}

static int acquire_for_verb(Mutex *mutex, PyObject *look, int64_t ns) {
    int result = acquire(mutex, look, ns);
    return result == WRITERS_LOCK_TAKEN ? count(mutex, &mutex->verbs) : result;
}

int mutex_acquire_to_read(Mutex *mutex, int64_t ns) {
    return acquire_for_verb(mutex, NULL, ns); /* what a reader gets is as good as before, whatever the name means */
}

int mutex_acquire(Mutex *mutex, int64_t ns) {
    int result = check_task(mutex->lock);
    return result == WRITERS_LOCK_TAKEN ? acquire_for_verb(mutex, mutex->look, ns) : result;
}

bool mutex_release(Mutex *mutex, bool repaired) {
    count_down(&mutex->verbs);
    return writers_lock_release(mutex->lock, repaired);
}

/* The task is asked for before the lock is taken: asking runs Python code, and so signal handlers, one of which could
 * raise with the lock held and the block not entered. */
int mutex_hold(Mutex *mutex, int64_t ns) {
    WritersLock *lock = mutex->lock;
    task_name task = TASK_NONE;
    bool first = !writers_lock_is_mine(lock);
    int result = first ? WRITERS_LOCK_TAKEN : check_task(lock);
    if (first && !task_running(&task))
        return WRITERS_LOCK_EXCEPTION;
    if (first && writers_lock_look_is_due(lock, os_coarse_ns()) && !mutex_look(mutex))
        return WRITERS_LOCK_EXCEPTION;
    if (result == WRITERS_LOCK_TAKEN)
        result = acquire(mutex, mutex->look, ns);
    if (result == WRITERS_LOCK_TAKEN)
        result = count(mutex, &mutex->holds);
    if (result == WRITERS_LOCK_TAKEN && lock->depth == 1)
        lock->task = task;
    return result;
}

bool mutex_give_back(Mutex *mutex, bool repaired) {
    if (mutex->forks != os_forks || !mutex->lock->depth || !tshm_load(&mutex->holds, relaxed))
        return false; /* it is a parent's, or given back twice */
    count_down(&mutex->holds);
    return writers_lock_release(mutex->lock, repaired);
}

bool mutex_begin(Mutex *mutex, bool block) {
    tshm_atomic_u32 *counter = block ? &mutex->holds : &mutex->verbs;
    renew(mutex);
    count_up(counter); /* first, as in count() */
    if (!is_closing(mutex))
        return true;
    count_down(counter);
    return false;
}

void mutex_end(Mutex *mutex, bool block) {
    count_down(block ? &mutex->holds : &mutex->verbs);
}

static int guarded_acquire(PyObject *mutex, int64_t ns) {
    return mutex_hold((Mutex *)mutex, ns);
}

static bool guarded_release(PyObject *mutex, bool repaired) {
    return mutex_give_back((Mutex *)mutex, repaired);
}

static uint32_t guarded_depth(PyObject *mutex, unsigned long thread) {
    return holds_of((Mutex *)mutex, thread);
}

const guarded mutex_guarded = {guarded_acquire, guarded_release, guarded_depth};

/* ---- the object ----------------------------------------------------------------------------- */

static PyObject *mutex_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *names[] = {"lock", "look", NULL};
    PyObject *lock, *look = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:Mutex", names, &lock, &look))
        return NULL;
    if (!writers_lock_check(lock)) {
        PyErr_SetString(PyExc_TypeError, "Mutex() takes a WritersLock");
        return NULL;
    }
    Mutex *mutex = PyObject_New(Mutex, mutex_type);
    if (!mutex)
        return NULL;
    Py_INCREF(lock);
    mutex->lock = (WritersLock *)lock;
    mutex->forks = os_forks;
    mutex->holds = mutex->verbs = 0;
    mutex->recovered = mutex->claims = false;
    mutex->closing = false;
    Py_XINCREF(look);
    mutex->look = look;
    return (PyObject *)mutex;
}

static void mutex_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_DECREF((PyObject *)((Mutex *)self)->lock);
    Py_XDECREF(((Mutex *)self)->look);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *mutex_acquire_method(PyObject *self, PyObject *timeout) {
    int64_t ns;
    if (timeout_convert(timeout, &ns) < 0)
        return NULL;
    int result = mutex_hold((Mutex *)self, ns);
    if (result == WRITERS_LOCK_EXCEPTION)
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
    return in_order < 0 ? NULL : PyBool_FromLong(mutex_give_back(mutex, in_order));
}

/* Refused while blocks or guards are open; verbs that are at work in other threads are waited for. */
static PyObject *close_mutex(PyObject *self, PyObject *unused) {
    (void)unused;
    Mutex *mutex = (Mutex *)self;
    renew(mutex);
    bool before = atomic_exchange_explicit(&mutex->closing, true, memory_order_seq_cst); /* see is_closing() */
    bool within = tshm_load(&mutex->verbs, seq_cst) && writers_lock_is_mine(mutex->lock);
    if (within || tshm_load(&mutex->holds, seq_cst)) {
        tshm_store(&mutex->closing, before, relaxed);
        Py_RETURN_FALSE;
    }
    uint32_t never = 0; /* a word to sleep on that nobody wakes */
    Py_BEGIN_ALLOW_THREADS
    while (tshm_load(&mutex->verbs, acquire)) /* with the release in count_down() */
        os_local_wait(&never, 0, CLOSE_PAUSE);
    Py_END_ALLOW_THREADS
    Py_RETURN_TRUE;
}

static PyObject *reopen_mutex(PyObject *self, PyObject *unused) {
    (void)unused;
    tshm_store(&((Mutex *)self)->closing, false, relaxed);
    Py_RETURN_NONE;
}

/* For a handle that is thrown away, perhaps in another thread than the one that took the lock. */
static PyObject *abandon_mutex(PyObject *self, PyObject *unused) {
    (void)unused;
    Mutex *mutex = (Mutex *)self;
    while (mutex->forks == os_forks && mutex->lock->depth && tshm_load(&mutex->holds, relaxed))
        mutex_give_back(mutex, false);
    Py_RETURN_NONE;
}

/* Does not wait. TIMEOUT: somebody has the lock. */
static PyObject *claim_through(PyObject *self, PyObject *unused) {
    (void)unused;
    Mutex *mutex = (Mutex *)self;
    int result = mutex_acquire(mutex, 0); /* which forgets what a parent has claimed */
    if (result == WRITERS_LOCK_EXCEPTION)
        return NULL;
    if (result == WRITERS_LOCK_TAKEN) {
        if (!claim_take(&mutex->lock->lock))
            result = WRITERS_LOCK_CLAIMED;
        else if (!mutex->claims)
            mutex->lock->claims++;
        mutex->claims = result == WRITERS_LOCK_TAKEN;
        mutex_release(mutex, !mutex->lock->recovered);
    }
    return PyLong_FromLong(result);
}

static bool has_claim(const Mutex *mutex) {
    return mutex->claims && mutex->forks == os_forks;
}

/* The last of its process's handles to do so lets others write. */
static PyObject *give_up_claim(PyObject *self, PyObject *unused) {
    (void)unused;
    Mutex *mutex = (Mutex *)self;
    if (has_claim(mutex) && --mutex->lock->claims == 0)
        claim_give_up(&mutex->lock->lock);
    mutex->claims = false;
    Py_RETURN_NONE;
}

static PyObject *get_claims(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(has_claim((Mutex *)self));
}

static PyObject *get_mine(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(mutex_is_mine((Mutex *)self));
}

static PyObject *get_recovered(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Mutex *)self)->recovered);
}

static PyMethodDef methods[] = {
    {"acquire", mutex_acquire_method, METH_O, "Take it: MUTEX_TAKEN, or why not."},
    {"release", mutex_release_method, METH_O, "Give it back; False if somebody had replaced the word."},
    {"claim", claim_through, METH_NOARGS, "Let nobody else write: MUTEX_TAKEN, or why not; does not wait."},
    {"give_up", give_up_claim, METH_NOARGS, "Let others write, if no other handle of this process has claimed it too."},
    {"close", close_mutex, METH_NOARGS, "Send the waiters of this handle home; False if a block or guard is open."},
    {"reopen", reopen_mutex, METH_NOARGS, "The handle could not be closed after all."},
    {"abandon", abandon_mutex, METH_NOARGS, "Give back all that is held through this handle, unrepaired."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"claims", get_claims, NULL, "True if this handle publishes exclusively.", NULL},
    {"mine", get_mine, NULL, "True if this thread holds it through this handle.", NULL},
    {"recovered", get_recovered, NULL, "True if the last taking through this handle found a dead owner.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The way of one handle to the writers' lock of its process."},
    {Py_tp_new, mutex_create},
    {Py_tp_dealloc, mutex_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Mutex", sizeof(Mutex), 0, Py_TPFLAGS_DEFAULT, slots};

int mutex_register(PyObject *module) {
    mutex_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (!mutex_type || PyModule_AddIntConstant(module, "MUTEX_TAKEN", WRITERS_LOCK_TAKEN) < 0 ||
        PyModule_AddIntConstant(module, "MUTEX_TIMEOUT", WRITERS_LOCK_TIMEOUT) < 0 ||
        PyModule_AddIntConstant(module, "MUTEX_CLOSED", WRITERS_LOCK_CLOSED) < 0 ||
        PyModule_AddIntConstant(module, "MUTEX_GONE", WRITERS_LOCK_GONE) < 0 ||
        PyModule_AddIntConstant(module, "MUTEX_OTHER_TASK", WRITERS_LOCK_OTHER_TASK) < 0 ||
        PyModule_AddIntConstant(module, "MUTEX_OTHER_GREENLET", WRITERS_LOCK_OTHER_GREENLET) < 0 ||
        PyModule_AddIntConstant(module, "MUTEX_CLAIMED", WRITERS_LOCK_CLAIMED) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "Mutex", (PyObject *)mutex_type);
}
