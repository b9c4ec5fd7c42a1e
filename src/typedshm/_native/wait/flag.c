/* Flag: what waits is woken by a word of this process, by a descriptor or handle that event loops can wait for, or
 * both.
 *
 * Who raises it: pushes an item, exchanges `raised`, and sets the pollable if it was not raised before. Who takes:
 * clears the pollable, then `raised`, then takes all items. So one that was pushed after the third step finds
 * `raised` 0 again and sets the pollable anew; at worst one is woken for nothing. */
#include "wait/flag.h"

#include "os/pollable.h"
#include "timeout.h"

#include <stdlib.h>

static PyTypeObject *flag_type;

static const int64_t SIGNAL_SLICE = 50000000; /* ns between looks at Python's signal handlers, if none interrupts */

struct flag_state {
    tshm_atomic_u32 references;
    tshm_atomic_u32 raised;
    tshm_atomic_u32 sleepers;       /* threads inside wait() */
    TSHM_ATOMIC(flag_item *) due;   /* the newest first */
    TSHM_ATOMIC(bool) has_pollable; /* until it is closed */
    tshm_atomic_u32 users;          /* threads that may be about to use it */
    pollable pollable;
    uint32_t forks; /* os_forks when it was made: in a child it is the parent's, descriptor and all */
};

typedef struct {
    PyObject_HEAD
    struct flag_state *state;
} Flag;

static flag_item closed_mark; /* in the place of the newest: nobody takes any more */

/* ---- without Python ---- */

void flag_keep(struct flag_state *flag) {
    atomic_fetch_add_explicit(&flag->references, 1, memory_order_relaxed); /* by who has one already */
}

/* The pollable stays open until leave(); false once it is closed, or is the parent's. */
static bool enter(struct flag_state *flag) {
    if (flag->forks != os_forks)
        return false;
    /* before the look whether it is there; close_pollable() does both reversed, so that one of the two sees the other
     */
    atomic_fetch_add_explicit(&flag->users, 1, memory_order_seq_cst);
    return tshm_load(&flag->has_pollable, seq_cst);
}

static void leave(struct flag_state *flag) {
    if (flag->forks == os_forks)
        atomic_fetch_sub_explicit(&flag->users, 1, memory_order_seq_cst); /* with the look in close_pollable() */
}

static void close_pollable(struct flag_state *flag) {
    if (!atomic_exchange_explicit(&flag->has_pollable, false, memory_order_seq_cst)) /* with enter() */
        return;
    while (flag->forks == os_forks && tshm_load(&flag->users, seq_cst))
        os_relax(); /* for the moment of a call that does not wait */
    pollable_close(&flag->pollable);
}

void flag_release(struct flag_state *flag) {
    /* release: all that was done with it is before its end; acquire: the end is behind */
    if (atomic_fetch_sub_explicit(&flag->references, 1, memory_order_acq_rel) > 1)
        return;
    close_pollable(flag);
    free(flag);
}

bool flag_push(struct flag_state *flag, flag_item *item) {
    flag_item *newest = tshm_load(&flag->due, relaxed);
    do {
        if (newest == &closed_mark || flag->forks != os_forks)
            return false;
        item->next = newest;
        /* release, with the acquire of take_all(): the item is complete */
    } while (!tshm_exchange_if(&flag->due, &newest, item, release));
    return true;
}

void flag_raise(struct flag_state *flag) {
    if (flag->forks != os_forks)
        return;
    /* seq_cst: an item is pushed before, and take() lowers before it takes; and with `sleepers`, see wait_once() */
    if (atomic_exchange_explicit(&flag->raised, 1, memory_order_seq_cst))
        return;
    if (enter(flag))
        pollable_set(&flag->pollable);
    leave(flag);
    if (tshm_load(&flag->sleepers, seq_cst))
        os_local_wake_one(&flag->raised);
}

/* ---- its verbs ---- */

bool flag_check(PyObject *object) {
    return PyObject_TypeCheck(object, flag_type);
}

struct flag_state *flag_state_of(PyObject *flag) {
    return ((Flag *)flag)->state;
}

static PyObject *flag_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"pollable", NULL};
    int has_pollable;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "p:Flag", names, &has_pollable))
        return NULL;
    struct flag_state *state = calloc(1, sizeof *state);
    if (!state)
        return PyErr_NoMemory();
    if (has_pollable && !pollable_make(&state->pollable)) {
        free(state);
        return native_system_error();
    }
    tshm_store(&state->has_pollable, has_pollable, relaxed);
    state->forks = os_forks;
    tshm_store(&state->references, 1, relaxed);
    Flag *self = (Flag *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self)
        self->state = state;
    else
        flag_release(state);
    return (PyObject *)self;
}

/* The items that are due, the first one first. `end`: what stands there from now on. */
static flag_item *take_all(struct flag_state *state, flag_item *end) {
    flag_item *newest = tshm_load(&state->due, relaxed), *first = NULL;
    do
        if (newest == &closed_mark)
            return NULL;
    while (!tshm_exchange_if(&state->due, &newest, end, acquire)); /* with the release in flag_push() */
    while (newest) {
        flag_item *next = newest->next;
        newest->next = first;
        first = newest;
        newest = next;
    }
    return first;
}

static void free_all(flag_item *list) {
    while (list) {
        flag_item *item = list;
        list = item->next;
        item->free(item);
    }
}

static PyObject *flag_take(PyObject *object, PyObject *unused) {
    (void)unused;
    struct flag_state *state = ((Flag *)object)->state;
    PyObject *list = PyList_New(0);
    if (!list || state->forks != os_forks)
        return list;
    if (enter(state))
        pollable_clear(&state->pollable);
    leave(state);
    tshm_store(&state->raised, 0, seq_cst); /* with the exchange in flag_raise() */
    flag_item *due = take_all(state, NULL);
    for (flag_item *item = due; item && list; item = item->next)
        if (PyList_Append(list, item->object) < 0)
            Py_CLEAR(list);
    free_all(due);
    return list;
}

static PyObject *flag_set(PyObject *object, PyObject *unused) {
    (void)unused;
    flag_raise(((Flag *)object)->state);
    Py_RETURN_NONE;
}

static void wait_once(struct flag_state *state, uint64_t ns) {
    /* seq_cst: whoever raises it afterwards sees this sleeper; whoever did so before is seen by the system's look */
    atomic_fetch_add_explicit(&state->sleepers, 1, memory_order_seq_cst);
    if (!tshm_load(&state->raised, seq_cst))
        os_local_wait(&state->raised, 0, ns);
    if (atomic_fetch_sub_explicit(&state->sleepers, 1, memory_order_seq_cst) > 1 && tshm_load(&state->raised, seq_cst))
        os_local_wake_one(&state->raised); /* one wakes the next */
}

static PyObject *flag_wait(PyObject *object, PyObject *timeout) {
    struct flag_state *state = ((Flag *)object)->state;
    int64_t ns = TIMEOUT_FOREVER;
    if (timeout_convert(timeout, &ns) < 0)
        return NULL;
    uint64_t start = os_monotonic_ns();
    while (!tshm_load(&state->raised, acquire)) {
        int64_t left = ns == TIMEOUT_FOREVER ? SIGNAL_SLICE : ns - (int64_t)(os_monotonic_ns() - start);
        if (left <= 0)
            Py_RETURN_FALSE;
        Py_BEGIN_ALLOW_THREADS
        wait_once(state, (uint64_t)(left < SIGNAL_SLICE ? left : SIGNAL_SLICE));
        Py_END_ALLOW_THREADS
        if (PyErr_CheckSignals() < 0)
            return NULL;
    }
    Py_RETURN_TRUE;
}

static PyObject *flag_close(PyObject *object, PyObject *unused) {
    (void)unused;
    struct flag_state *state = ((Flag *)object)->state;
    free_all(take_all(state, &closed_mark));
    flag_raise(state); /* for whoever waits */
    close_pollable(state);
    Py_RETURN_NONE;
}

static void flag_dealloc(PyObject *object) {
    Flag *self = (Flag *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->state) {
        free_all(take_all(self->state, &closed_mark));
        close_pollable(self->state); /* though a sleeper may still be about to raise it */
        flag_release(self->state);
    }
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *get_pollable(PyObject *object, void *unused) {
    (void)unused;
    struct flag_state *state = ((Flag *)object)->state;
    return tshm_load(&state->has_pollable, relaxed) ? PyLong_FromSsize_t((Py_ssize_t)state->pollable.waited)
                                                    : Py_NewRef(Py_None);
}

static PyObject *get_inherited(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Flag *)object)->state->forks != os_forks);
}

static PyMethodDef methods[] = {
    {"take", flag_take, METH_NOARGS, "Lower it, and return what those have left who raised it, the first one first."},
    {"set", flag_set, METH_NOARGS, "Raise it."},
    {"wait", flag_wait, METH_O, "Sleep until it is raised; False if the time is over, in seconds or None."},
    {"close", flag_close, METH_NOARGS, "Raise it for the last time; what it holds is let go of."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"pollable", get_pollable, NULL, "The descriptor, or on Windows the handle, that loops can wait for; or None.",
     NULL},
    {"inherited", get_inherited, NULL, "True in a child of a fork: it is the parent's.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "What the threads of waitsets raise for whoever waits elsewhere."},
    {Py_tp_new, flag_create},
    {Py_tp_dealloc, flag_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Flag", sizeof(Flag), 0, Py_TPFLAGS_DEFAULT, slots};

int flag_register(PyObject *module) {
    flag_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return flag_type ? PyModule_AddObjectRef(module, "Flag", (PyObject *)flag_type) : -1;
}
