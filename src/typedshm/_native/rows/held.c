#include "rows/held.h"

#include "lock/peers.h"
#include "timeout.h"

#include <stdlib.h>

static PyTypeObject *held_type;

static const int64_t LOCAL_SLICE = 10000000; /* ns that a thread sleeps for another of its process, at most */

bool held_check(PyObject *object) {
    return PyObject_TypeCheck(object, held_type);
}

const char *held_problem(int result) {
    switch (result) {
    case HELD_NESTED:
        return "nested";
    case HELD_ORDER:
        return "row order";
    case HELD_TIMEOUT:
        return "row timeout";
    default:
        return guarded_problem(result);
    }
}

/* ---- the set ----------------------------------------------------------------------------------------------------- */

static struct held_shard *shard_of(HeldRows *self, uint64_t number) {
    return &self->shards[number % HELD_SHARDS];
}

static void shard_lock(struct held_shard *shard) {
    uint32_t expected = 0;
    while (!tshm_exchange_if(&shard->lock, &expected, 1, acquire)) { /* with the release in shard_unlock */
        expected = 0;
        os_relax();
    }
}

static void shard_unlock(struct held_shard *shard) {
    tshm_store(&shard->lock, 0, release); /* with the acquire in shard_lock */
}

static held_row *find(const struct held_shard *shard, uint64_t number) {
    held_row *row = shard->first;
    while (row && row->number != number)
        row = row->next;
    return row;
}

/* Rule 5. The memory of the parent's rows is left alone: another of its threads may have been at it. */
static void renew(HeldRows *self) {
    if (self->forks == os_forks)
        return;
    self->forks = os_forks; /* a child begins with one thread */
    memset(self->shards, 0, sizeof self->shards);
    tshm_store(&self->count, 0, relaxed);
}

/* The highest row that this thread has. False: it has none. */
static bool highest_of(HeldRows *self, unsigned long thread, uint64_t *number) {
    bool any = false;
    for (int i = 0; i < HELD_SHARDS; i++) {
        struct held_shard *shard = &self->shards[i];
        shard_lock(shard);
        for (const held_row *row = shard->first; row; row = row->next) {
            if (row->thread == thread && (!any || row->number > *number)) {
                *number = row->number;
                any = true;
            }
        }
        shard_unlock(shard);
    }
    return any;
}

static void leave(struct held_shard *shard, held_row *row) {
    shard_lock(shard);
    held_row **place = &shard->first;
    while (*place && *place != row)
        place = &(*place)->next;
    if (*place)
        *place = row->next;
    shard_unlock(shard);
    free(row);
}

/* A row has left the set: one of those who wait for one of the shard looks again. */
static void announce(struct held_shard *shard) {
    /* with the load in wait_for_thread: it does not sleep, or is counted */
    (void)tshm_change(add, &shard->left, 1, seq_cst);
    if (tshm_load(&shard->waiters, seq_cst))
        os_local_wake_one((void *)&shard->left);
}

static void wait_for_thread(struct held_shard *shard, uint32_t left, int64_t ns) {
    (void)tshm_change(add, &shard->waiters, 1, seq_cst); /* with the load in announce */
    if (tshm_load(&shard->left, seq_cst) == left)
        os_local_wait((void *)&shard->left, left, (uint64_t)(ns < LOCAL_SLICE ? ns : LOCAL_SLICE));
    (void)tshm_change(sub, &shard->waiters, 1, relaxed);
}

/* ---- taking ------------------------------------------------------------------------------------------------------ */

static bool is_present(HeldRows *self) {
    return self->lock && writers_lock_is_present(self->lock);
}

bool held_take_now(HeldRows *self, uint64_t number, held_hold *hold) {
#ifdef Py_GIL_DISABLED
    (void)self, (void)number, (void)hold;
    return false;
#else
    if (tshm_load(&self->count, relaxed) || self->forks != os_forks || !is_present(self))
        return false;
    *hold = (held_hold){{&tshm_row_of(&self->table, number)->owner, 0, false}, NULL, os_forks};
    return lock_try(&self->lock->lock, &hold->word) >= 0;
#endif
}

/* This thread has it already. */
static int enter_again(held_row *row, enum held_use use, const task_name *task) {
    if (row->block)
        return HELD_NESTED;
    int result = task_is_noted(&row->task) ? task_compare(&row->task, task) : HELD_TAKEN;
    if (result != HELD_TAKEN)
        return result;
    row->depth++;
    row->block = use == HELD_BLOCK;
    return HELD_TAKEN;
}

/* One attempt, without a wait for another thread. BUSY: `left` is what to sleep on; TAKEN or LOCK_BUSY for the word. */
enum { ENTERED = -10, OCCUPIED = -11 };

static int enter(HeldRows *self, uint64_t number, enum held_use use, const task_name *task, held_hold *hold,
                 uint32_t *left) {
    struct held_shard *shard = shard_of(self, number);
    unsigned long thread = PyThread_get_thread_ident();
    held_row *made = malloc(sizeof *made);
    if (!made)
        return HELD_MEMORY;
    shard_lock(shard);
    *left = tshm_load(&shard->left, seq_cst);
    held_row *row = find(shard, number);
    int result = ENTERED;
    if (!row) {
        *made = (held_row){shard->first,
                           number,
                           thread,
                           1,
                           use == HELD_BLOCK,
                           use == HELD_VERB ? TASK_NONE : *task,
                           {&tshm_row_of(&self->table, number)->owner, 0, false}};
        shard->first = hold->row = made;
        (void)tshm_change(add, &self->count, 1, relaxed); /* rule 2's reader has the GIL, as we do */
        made = NULL;
    } else if (row->thread != thread) {
        result = OCCUPIED;
    } else {
        result = enter_again(row, use, task);
        hold->row = row;
    }
    shard_unlock(shard);
    free(made);
    return result;
}

static void withdraw(HeldRows *self, held_hold *hold) {
    struct held_shard *shard = shard_of(self, hold->row->number);
    leave(shard, hold->row);
    hold->row = NULL;
    (void)tshm_change(sub, &self->count, 1, relaxed);
    announce(shard);
}

struct waiting {
    int64_t ns;
    uint64_t start, looked;
};

static int64_t time_left(const struct waiting *waiting) {
    if (waiting->ns == TIMEOUT_FOREVER || waiting->ns <= 0)
        return waiting->ns;
    return waiting->ns - (int64_t)(os_monotonic_ns() - waiting->start);
}

/* The word, once the row is in the set. */
static int take_word(HeldRows *self, held_row *row, int64_t ns) {
    int result = lock_try(&self->lock->lock, &row->word);
    if (result < 0 && ns > 0) {
        Py_BEGIN_ALLOW_THREADS
        result = lock_wait(&self->lock->lock, &row->word, (uint64_t)ns);
        Py_END_ALLOW_THREADS
    }
    return result < 0 ? HELD_TIMEOUT : HELD_TAKEN;
}

/* One attempt, of at most a slice. TIMEOUT also when there is time left. */
static int attempt(HeldRows *self, uint64_t number, enum held_use use, const task_name *task, int64_t ns,
                   held_hold *hold) {
    uint32_t left;
    int result = enter(self, number, use, task, hold, &left);
    if (result == ENTERED) {
        result = take_word(self, hold->row, ns);
        if (result != HELD_TAKEN)
            withdraw(self, hold); /* rule 4 */
    } else if (result == OCCUPIED) {
        if (ns > 0) {
            Py_BEGIN_ALLOW_THREADS
            wait_for_thread(shard_of(self, number), left, ns);
            Py_END_ALLOW_THREADS
        }
        result = HELD_TIMEOUT;
    }
    return result;
}

/* Rule 3: whether this thread may wait for the row. */
static bool may_wait(HeldRows *self, uint64_t number) {
    uint64_t highest = 0;
    return !tshm_load(&self->count, relaxed) || !highest_of(self, PyThread_get_thread_ident(), &highest) ||
           highest < number;
}

int held_take(HeldRows *self, Mutex *mutex, uint64_t number, enum held_use use, int64_t ns, held_hold *hold) {
    task_name task = TASK_NONE;
    renew(self);
    if ((use != HELD_VERB || tshm_load(&self->count, relaxed)) && !task_running(&task)) /* runs Python code */
        return HELD_EXCEPTION;
    /* write() looks afterwards, with the clock that it has read */
    if (use != HELD_VERB && writers_lock_look_is_due(self->lock, os_coarse_ns()) && !mutex_look(mutex))
        return HELD_EXCEPTION;
    struct waiting waiting = {ns, ns > 0 && ns != TIMEOUT_FOREVER ? os_monotonic_ns() : 0, 0};
    *hold = (held_hold){{NULL, 0, false}, NULL, os_forks};
    int64_t slice = 0; /* at first without a wait */
    for (;;) {
        if (!mutex_begin(mutex, use != HELD_VERB))
            return HELD_CLOSED;
        int result = is_present(self) ? attempt(self, number, use, &task, slice, hold) : HELD_CLOSED;
        if (result == HELD_TAKEN)
            return result;
        mutex_end(mutex, use != HELD_VERB);
        if (result != HELD_TIMEOUT)
            return result;
        int64_t left = time_left(&waiting);
        if (left <= 0)
            return HELD_TIMEOUT;
        if (!slice && !may_wait(self, number))
            return HELD_ORDER;
        if (slice && !writers_lock_goes_on(self->lock, mutex->look, &waiting.looked))
            return HELD_EXCEPTION;
        slice = left;
    }
}

bool held_give(HeldRows *self, Mutex *mutex, held_hold *hold, enum held_use use) {
    if (hold->forks != os_forks)
        return false;
    if (!hold->row)
        return lock_release(&self->lock->lock, &hold->word, true) == LOCK_TAKEN;
    struct held_shard *shard = shard_of(self, hold->row->number);
    bool kept = true;
    shard_lock(shard);
    bool last = --hold->row->depth == 0;
    if (use == HELD_BLOCK)
        hold->row->block = false;
    shard_unlock(shard);
    if (last) {
        kept = lock_release(&self->lock->lock, &hold->row->word, true) == LOCK_TAKEN;
        withdraw(self, hold);
    }
    mutex_end(mutex, use != HELD_VERB);
    return kept;
}

static bool contains(HeldRows *self, uint64_t number, unsigned long thread) {
    struct held_shard *shard = shard_of(self, number);
    if (self->forks != os_forks || !tshm_load(&self->count, relaxed))
        return false;
    shard_lock(shard);
    const held_row *row = find(shard, number);
    bool there = row && (!thread || row->thread == thread);
    shard_unlock(shard);
    return there;
}

bool held_is_mine(HeldRows *self, uint64_t number) {
    return contains(self, number, PyThread_get_thread_ident());
}

bool held_owner_lives(HeldRows *self, uint64_t number, uint64_t word) {
    uint32_t owner = (uint32_t)(word & TSHM_WORD_OWNER);
    if (owner == 0 || owner > self->table.presence_count)
        return false;
    if (self->lock && owner == self->lock->lock.entry + 1)
        return contains(self, number, 0); /* rule 1 */
    if (self->lock)
        return lock_owner_lives(&self->lock->lock, word);
    /* intact: of a descriptor that was closed, or is another file's by now, nothing can be asked */
    if (self->asks && os_peers_alive(&self->peers, owner - 1) == 0 && os_peers_intact(&self->peers))
        return false;
    /* after the kernel was asked; acquire, with the release in lock_attach */
    const tshm_presence *entry = &tshm_table_control_of(&self->table)->control.presence[owner - 1];
    uint64_t mask = TSHM_WORD_GENERATION(UINT32_MAX);
    return (word & mask) == TSHM_WORD_GENERATION(tshm_load(&entry->generation, acquire));
}

/* ---- the object -------------------------------------------------------------------------------------------------- */

static PyObject *held_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"mapping", "lock", "peers", NULL};
    PyObject *mapping, *lock, *peers;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO:HeldRows", names, &mapping, &lock, &peers))
        return NULL;
    if (!mapping_check(mapping) || (lock != Py_None && !writers_lock_check(lock))) {
        PyErr_SetString(PyExc_TypeError, "HeldRows() takes a Mapping, and a WritersLock or None");
        return NULL;
    }
    HeldRows *self = (HeldRows *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); /* zeroed */
    if (!self)
        return NULL;
    Py_INCREF(mapping);
    self->mapping = (Mapping *)mapping;
    self->forks = os_forks;
    if (lock != Py_None) {
        Py_INCREF(lock);
        self->lock = (WritersLock *)lock;
    }
    tshm_header header;
    const os_memory *memory = &self->mapping->memory;
    const char *problem = tshm_check_table(memory->start, memory->size, &header, &self->table);
    if (problem)
        PyErr_SetString(PyExc_ValueError, problem);
    self->asks = !problem && lock == Py_None && peers != Py_None;
    if (problem || (self->asks && peers_open(&self->peers, peers) < 0))
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void held_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    HeldRows *self = (HeldRows *)object;
    if (self->asks)
        peers_close(&self->peers);
    Py_XDECREF((PyObject *)self->lock);
    Py_XDECREF((PyObject *)self->mapping);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "The rows of a table that one process has, for all of its threads and handles."},
    {Py_tp_new, held_create},
    {Py_tp_dealloc, held_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.HeldRows", sizeof(HeldRows), 0, Py_TPFLAGS_DEFAULT, slots};

int held_register(PyObject *module) {
    held_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return held_type ? PyModule_AddObjectRef(module, "HeldRows", (PyObject *)held_type) : -1;
}
