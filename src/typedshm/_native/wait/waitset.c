/* Waitset: regions on whose heads one thread sleeps, and calls back whoever waits for a newer version.
 *
 * A waiter has looked at the region, found nothing new and knows the number that head had then. add() takes it in only
 * if head still has that number; so whatever is written later is noticed here, and nothing needs to be looked at twice.
 * A call-back only says "look again": the waiter itself finds the new version, or the error.
 *
 * An entry outlives its waiters until the region's next version, or for a slice: then who comes back soon, as those do
 * who await one version after the other, finds the sleeper asleep on the right number and need not stir it.
 *
 * `lock` guards the entries and is held for moments only: Python's code runs outside of it, so no signal handler and no
 * finalizer can find it held by its own thread. */
#include "wait/waitset.h"

#include "ring/reading.h"
#include "ring/ring_type.h"
#include "timeout.h"
#include "wait/waiter.h"
#include "wait/watched.h"

#include <stdlib.h>

static PyTypeObject *waitset_type;

enum { ADDED = 0, MOVED = 1, FULL = 2 };

static const uint64_t RETRY_SLICE = 2000000;      /* ns: without memory for a sleep, looking has to do */
static const uint64_t FORGET_SLICE = 1000000;     /* ns */
static const uint64_t FORGET_AT_MOST = 200000000; /* ns; a sleeper that needs more has ended with its interpreter */

struct entry {
    watched_region watched; /* its ring may have been freed when nobody waits */
    struct waiter *waiters;
    uint64_t kept_until; /* when nobody waits */
};

typedef struct {
    PyObject_HEAD
    PyThread_type_lock lock;
    unsigned long thread; /* that keeps it, or 0 */
    bool asleep;          /* and not yet stirred */
    struct entry *entries;
    size_t count, capacity;
    watched_set watched;    /* the sleeper's; which they are changes under the lock only */
    tshm_atomic_u32 rounds; /* sleeps that have ended */
} Waitset;

static void waitset_lock(Waitset *self) {
    if (PyThread_acquire_lock(self->lock, NOWAIT_LOCK))
        return;
    Py_BEGIN_ALLOW_THREADS /* only without a GIL: the holder may be stopped for a garbage collection */
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

static void waitset_unlock(Waitset *self) {
    PyThread_release_lock(self->lock);
}

/* Have the sleeper look at the entries again. The lock is held. */
static void stir(Waitset *self) {
    if (self->asleep)
        os_waker_wake(&self->watched.waker);
    self->asleep = false;
}

/* ---- entries and waiters ---- */

static struct entry *find(Waitset *self, const Opened *ring) {
    for (size_t i = 0; i < self->count; i++)
        if (self->entries[i].watched.ring == ring)
            return &self->entries[i];
    return NULL;
}

static void entry_end(Waitset *self, struct entry *entry) {
    watched_release(&entry->watched);
    *entry = self->entries[--self->count];
}

static struct entry *entry_new(Waitset *self, Opened *ring, uint32_t number) {
    if (self->count == self->capacity) {
        size_t capacity = 2 * self->capacity + 8;
        struct entry *grown = realloc(self->entries, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        self->entries = grown;
        self->capacity = capacity;
    }
    struct entry *entry = &self->entries[self->count++];
    *entry = (struct entry){{ring, ring->mapping_ref, ring->mutex, ring->instance, number}, NULL, 0};
    watched_keep(&entry->watched);
    return entry;
}

static bool is_full(const Waitset *self) {
    uint32_t wakeable = 0;
    for (size_t i = 0; i < self->count; i++)
        wakeable += watched_is_wakeable(&self->entries[i].watched);
    return wakeable >= os_words_max();
}

/* Move an entry's waiters to a list. */
static void take_waiters(struct entry *entry, struct waiter **list) {
    while (entry->waiters) {
        struct waiter *waiter = entry->waiters;
        entry->waiters = waiter->next;
        waiter->next = *list;
        *list = waiter;
    }
}

/* ---- the verbs of those who wait ---- */

/* ADDED: the waiter belongs to an entry now. -1: no memory. With `attended`, FULL also where nobody sleeps here. */
static int add_waiter(Waitset *self, Opened *ring, uint32_t number, struct waiter *waiter, bool attended) {
    int result = MOVED;
    waitset_lock(self);
    if (ring->mapping && watched_number(ring->mapping_ref) == number) {
        struct entry *entry = find(self, ring);
        if (entry && entry->watched.mapping !=
                         ring->mapping_ref) { /* of a handle that was freed, and whose place this one has */
            entry_end(self, entry);
            entry = NULL;
        }
        bool full = !entry && ring->mutex && os_words_max() && is_full(self);
        if (full || (attended && !self->thread))
            result = FULL;
        else if (!entry && (entry = entry_new(self, ring, number)) != NULL)
            stir(self);
        if (entry && result != FULL) {
            waiter->next = entry->waiters;
            entry->waiters = waiter;
            result = ADDED;
        } else if (result != FULL)
            result = -1;
    }
    waitset_unlock(self);
    return result;
}

static PyObject *waitset_add(PyObject *object, PyObject *args) {
    PyObject *given, *wake, *flag = Py_None;
    unsigned int number;
    if (!PyArg_ParseTuple(args, "OIO|O:add", &given, &number, &wake, &flag))
        return NULL;
    if (!opened_check(given) || (flag != Py_None && !flag_check(flag))) {
        PyErr_SetString(PyExc_TypeError, "add() takes a Ring or Table, a number, and who waits, perhaps with a Flag");
        return NULL;
    }
    Opened *ring = (Opened *)given;
    struct waiter *waiter = waiter_new(ring, wake, flag == Py_None ? NULL : flag_state_of(flag));
    if (!waiter)
        return NULL;
    int result = add_waiter((Waitset *)object, ring, number, waiter, false);
    if (result != ADDED)
        waiter_free_all(waiter);
    return result < 0 ? PyErr_NoMemory() : PyLong_FromLong(result);
}

/* For who has been woken, and is to be soon: in one call, since the others of its loop wait meanwhile. */
static PyObject *waitset_rearm(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    if (count != 3 || !ring_type_check(args[0]) || !flag_check(args[2])) {
        PyErr_SetString(PyExc_TypeError, "rearm() takes a Ring, who waits, and a Flag");
        return NULL;
    }
    Ring *ring = (Ring *)args[0];
    if (!ring->mapping)
        return ring_fail(ring, "closed");
    uint64_t version = 0, time;
    uint32_t number = tshm_head_number(&ring->ring); /* before the search for the newest version */
    struct waiter *waiter =
        reading_newest(ring, &version, &time) ? waiter_new((Opened *)ring, args[1], flag_state_of(args[2])) : NULL;
    if (!waiter)
        return NULL;
    if (add_waiter((Waitset *)object, (Opened *)ring, number, waiter, true) == ADDED)
        return PyLong_FromUnsignedLongLong(version);
    waiter_free_all(waiter);
    Py_RETURN_NONE;
}

static PyObject *waitset_remove(PyObject *object, PyObject *args) {
    Waitset *self = (Waitset *)object;
    PyObject *ring, *wake;
    if (!PyArg_ParseTuple(args, "OO:remove", &ring, &wake))
        return NULL;
    struct waiter *found = NULL;
    waitset_lock(self);
    struct entry *entry = find(self, (Opened *)ring);
    for (struct waiter **place = entry ? &entry->waiters : NULL; place && *place; place = &(*place)->next)
        if ((*place)->item.object == wake) {
            found = *place;
            *place = found->next;
            found->next = NULL;
            if (!entry->waiters)
                entry_end(self, entry); /* the sleeper lets go of the memory when its slice is over */
            break;
        }
    waitset_unlock(self);
    waiter_free_all(found);
    Py_RETURN_NONE;
}

/* Also waits until the sleeper has let go of the handle's memory, which it may hold without an entry by now: where
 * memory keeps a region alive, close() shall be its end. */
static PyObject *waitset_forget(PyObject *object, PyObject *ring) {
    Waitset *self = (Waitset *)object;
    struct waiter *waiters = NULL;
    waitset_lock(self);
    struct entry *entry = find(self, (Opened *)ring);
    if (entry) {
        take_waiters(entry, &waiters);
        entry_end(self, entry);
    }
    bool watched = watched_contains(&self->watched, ring);
    uint32_t round = tshm_load(&self->rounds, relaxed); /* raised under the lock */
    if (watched)
        stir(self);
    waitset_unlock(self);
    waiter_wake_all(waiters);
    uint64_t start = os_monotonic_ns();
    Py_BEGIN_ALLOW_THREADS
    while (watched && tshm_load(&self->rounds, relaxed) == round && os_monotonic_ns() - start < FORGET_AT_MOST)
        os_local_wait(&self->rounds, round, FORGET_SLICE);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *waitset_awaited(PyObject *object, PyObject *unused) {
    (void)unused;
    Waitset *self = (Waitset *)object;
    waitset_lock(self);
    size_t count = self->count;
    waitset_unlock(self);
    Opened **rings = calloc(count + 1, sizeof *rings);
    if (!rings)
        return PyErr_NoMemory();
    size_t found = 0;
    waitset_lock(self);
    for (size_t i = 0; i < self->count && found < count; i++)
        if (self->entries[i].waiters) {
            rings[found] = self->entries[i].waiters->ring;
            Py_INCREF((PyObject *)rings[found++]);
        }
    waitset_unlock(self);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; i < found; i++) {
        if (list && PyList_Append(list, (PyObject *)rings[i]) < 0)
            Py_CLEAR(list);
        Py_DECREF((PyObject *)rings[i]);
    }
    free(rings);
    return list;
}

/* ---- the sleeper ---- */

/* The waiters of regions that have changed, are closed or gone; whose entries are kept for a slice, as are those of
 * whom nobody has waited for since. The lock is held. */
static struct waiter *collect(Waitset *self, uint64_t now) {
    struct waiter *due = NULL;
    for (size_t i = self->count; i--;) { /* backwards, since entry_end() moves the last one here */
        struct entry *entry = &self->entries[i];
        uint32_t number = watched_number(entry->watched.mapping);
        bool gone = watched_is_gone(&entry->watched), moved = number != entry->watched.number;
        if (entry->waiters && (gone || moved || !entry->waiters->ring->mapping)) {
            take_waiters(entry, &due);
            entry->watched.number = number;
            entry->kept_until = now + TSHM_SLICE;
        } else if (!entry->waiters && (gone || moved || now >= entry->kept_until))
            entry_end(self, entry);
    }
    return due;
}

/* Watch all regions for a sleep; returns when it has to end, which is `end` at the latest. The lock is held. */
static uint64_t watch_all(Waitset *self, uint64_t now, uint64_t end) {
    if (!watched_reserve(&self->watched, self->count))
        return now + RETRY_SLICE;
    for (int wakeable = 1; wakeable >= 0; wakeable--)
        for (size_t i = 0; i < self->count; i++)
            if (watched_is_wakeable(&self->entries[i].watched) == wakeable)
                watched_add(&self->watched, &self->entries[i].watched);
    for (size_t i = 0; i < self->count; i++)
        if (!self->entries[i].waiters && self->entries[i].kept_until < end)
            end = self->entries[i].kept_until;
    return end;
}

/* Flags that are to be raised once the lock is not held any more: who is woken wants it at once. */
struct flags {
    struct flag_state *items[16];
    size_t count;
};

static void flags_raise(struct flags *flags) {
    for (; flags->count; flags->count--) {
        flag_raise(flags->items[flags->count - 1]);
        flag_release(flags->items[flags->count - 1]);
    }
}

static void flags_add(struct flags *flags, struct flag_state *flag) {
    for (size_t i = 0; i < flags->count; i++)
        if (flags->items[i] == flag)
            return;
    if (flags->count == sizeof flags->items / sizeof *flags->items)
        flags_raise(flags);
    flag_keep(flag);
    flags->items[flags->count++] = flag;
}

/* Hand an entry's waiters to their flags. False: there are others, which Python has to deal with. */
static bool push_waiters(struct entry *entry, struct flags *flags) {
    bool all = entry->waiters != NULL;
    for (struct waiter **place = &entry->waiters; *place;) {
        struct waiter *waiter = *place, *next = waiter->next;
        if (waiter->flag)
            flags_add(flags, waiter->flag);
        if (waiter->flag && flag_push(waiter->flag, &waiter->item)) {
            *place = next;
        } else {
            all = false;
            place = &waiter->next;
        }
    }
    return all;
}

/* Raise the flags of those whose regions have moved on: without the GIL, for which those who are woken would have to
 * wait. True: nothing else is to be done, and the sleeper can sleep on. */
static bool raise_flags(Waitset *self, uint64_t until) {
    struct flags flags = {.count = 0};
    uint64_t now = os_monotonic_ns();
    bool moved = false;
    PyThread_acquire_lock(self->lock, WAIT_LOCK); /* whoever holds it does not wait for anything */
    bool all = self->asleep && now < until;
    for (size_t i = 0; i < self->count; i++) {
        struct entry *entry = &self->entries[i];
        uint32_t number = watched_number(entry->watched.mapping);
        if (watched_is_gone(&entry->watched))
            all = false;
        else if (number != entry->watched.number) {
            moved = true;
            if (!push_waiters(entry, &flags)) {
                all = false;
                continue; /* collect() finds that it has moved */
            }
            entry->watched.number = number;
            entry->kept_until = now + TSHM_SLICE;
            all = watched_renew(&self->watched, &entry->watched) && all;
        }
    }
    waitset_unlock(self);
    flags_raise(&flags);
    return moved && all;
}

/* One sleep, and what has to be done before and after. The lock is held, but not during the sleep. */
static void sleep_once(Waitset *self, uint64_t now, uint64_t end) {
    uint64_t until = watch_all(self, now, end);
    uint32_t wakes = tshm_load(&self->watched.waker.wakes, relaxed); /* wakes under the lock */
    self->asleep = true;
    waitset_unlock(self);
    Py_BEGIN_ALLOW_THREADS
    do
        watched_sleep(&self->watched, wakes, until, false);
    while (raise_flags(self, until));
    Py_END_ALLOW_THREADS
    waitset_lock(self);
    self->asleep = false;
    watched_clear(&self->watched);
    atomic_fetch_add_explicit(&self->rounds, 1, memory_order_relaxed);
    os_local_wake_one(&self->rounds);
}

/* While somebody waits, it ends when it is time to look at the regions; while nobody does, when that has lasted. */
static PyObject *waitset_attend(PyObject *object, PyObject *args) {
    Waitset *self = (Waitset *)object;
    PyObject *period, *linger;
    int64_t period_ns = 0, linger_ns = 0;
    if (!PyArg_ParseTuple(args, "OO:attend", &period, &linger) || timeout_convert(period, &period_ns) < 0 ||
        timeout_convert(linger, &linger_ns) < 0)
        return NULL;
    unsigned long me = PyThread_get_thread_ident();
    uint64_t start = os_monotonic_ns(), needed = start;
    waitset_lock(self);
    bool ours = !self->thread || self->thread == me;
    while (ours) {
        uint64_t now = os_monotonic_ns();
        if (self->count)
            needed = now;
        uint64_t end = self->count ? start + (uint64_t)period_ns : needed + (uint64_t)linger_ns;
        if (now >= end)
            break;
        self->thread = me;
        struct waiter *due = collect(self, now);
        if (due) {
            waitset_unlock(self);
            waiter_wake_all(due);
            waitset_lock(self);
        } else
            sleep_once(self, now, end);
    }
    bool stays = ours && self->count;
    if (ours && !stays)
        self->thread = 0; /* from now on, add() starts a thread */
    waitset_unlock(self);
    return PyBool_FromLong(stays);
}

/* ---- the object ---- */

static PyObject *waitset_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Waitset", names))
        return NULL;
    Waitset *self = (Waitset *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); /* zeroed */
    if (!self)
        return NULL;
    self->lock = PyThread_allocate_lock();
    if (self->lock && os_waker_make(&self->watched.waker))
        return (PyObject *)self;
    Py_DECREF((PyObject *)self);
    return PyErr_NoMemory();
}

static void waitset_dealloc(PyObject *object) {
    Waitset *self = (Waitset *)object;
    PyTypeObject *type = Py_TYPE(object);
    struct waiter *waiters = NULL;
    while (self->count) {
        take_waiters(self->entries, &waiters);
        entry_end(self, self->entries);
    }
    waiter_free_all(waiters);
    watched_free(&self->watched);
    if (self->lock)
        PyThread_free_lock(self->lock);
    free(self->entries);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *get_attended(PyObject *object, void *unused) {
    (void)unused;
    Waitset *self = (Waitset *)object;
    waitset_lock(self);
    bool attended = self->thread;
    waitset_unlock(self);
    return PyBool_FromLong(attended);
}

static Py_ssize_t waitset_length(PyObject *object) {
    Waitset *self = (Waitset *)object;
    waitset_lock(self);
    Py_ssize_t count = (Py_ssize_t)self->count;
    waitset_unlock(self);
    return count;
}

static PyMethodDef methods[] = {
    {"add", waitset_add, METH_VARARGS,
     "Call `wake` once, from another thread, when head has not that number; or have a flag hand it out."},
    {"rearm", (PyCFunction)(void (*)(void))waitset_rearm, METH_FASTCALL,
     "add() with whatever number there is: the newest version, or None if it takes add()."},
    {"remove", waitset_remove, METH_VARARGS, "Do not call `wake` any more."},
    {"forget", waitset_forget, METH_O, "Call everybody who waits for the handle, and let go of its memory."},
    {"awaited", waitset_awaited, METH_NOARGS, "The handles that somebody waits for."},
    {"attend", waitset_attend, METH_VARARGS,
     "Sleep, and call who is due, for a period of so many seconds; False: nobody has waited for so many."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"attended", get_attended, NULL, "True while a thread sleeps here.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Regions on whose heads one thread sleeps."},
    {Py_tp_new, waitset_create},
    {Py_tp_dealloc, waitset_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_sq_length, waitset_length},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Waitset", sizeof(Waitset), 0, Py_TPFLAGS_DEFAULT, slots};

int waitset_register(PyObject *module) {
    waitset_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (!waitset_type || PyModule_AddIntConstant(module, "WAITSET_ADDED", ADDED) < 0 ||
        PyModule_AddIntConstant(module, "WAITSET_MOVED", MOVED) < 0 ||
        PyModule_AddIntConstant(module, "WAITSET_FULL", FULL) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "Waitset", (PyObject *)waitset_type);
}
