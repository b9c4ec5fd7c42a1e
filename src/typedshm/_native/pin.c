/* Pin and Hold: who looks at a version in its slot.
 *
 * A Pin is one borrow() of one version. It is let go when its block has ended and no Hold is left: a Hold is the buffer
 * that an array looks into, so an array that outlives its block keeps the slot. The handle counts its pins of each
 * slot, since it has one bit there. */
#include "pin.h"

static PyTypeObject *pin_type, *hold_type;

typedef struct {
    PyObject_HEAD
    Pin *pin;
    PyObject *owner;
} Hold;

Pin *pin_of(PyObject *state) {
    if (!state)
        return NULL;
    return Py_TYPE(state) == hold_type ? ((Hold *)state)->pin : Py_TYPE(state) == pin_type ? (Pin *)state : NULL;
}

/* ---- the slots that a handle has pinned ------------------------------------------------------------------------- */

/* Short, and nothing inside waits. With a GIL it is always open. */
static void gate_shut(ring_pins *pins) {
    uint32_t open = 0;
    while (!tshm_exchange_if(&pins->gate, &open, 1, acquire)) { /* with the release in gate_open */
        open = 0;
        os_relax();
    }
}

static void gate_open(ring_pins *pins) {
    tshm_store(&pins->gate, 0, release); /* with the acquire in gate_shut */
}

/* TSHM_READABLE: the newest version is pinned, perhaps not for the first time. */
static int pin_slot(Ring *self, tshm_cursor *cursor, uint64_t *version) {
    /* not present: the entry is our parent's, or at the interpreter's end perhaps somebody else's already */
    if (!self->mutex || !mutex_is_present(self->mutex) || self->ring.slot_count < 3)
        return TSHM_TOO_MANY;
    ring_pins *pins = &self->pins;
    int state = TSHM_TOO_MANY;
    gate_shut(pins);
    if (!pins->shut) { /* close() gives up the presence entry, and so the right to pin */
        state = tshm_read_begin(&self->ring, cursor);
        uint32_t *users = state == TSHM_READABLE ? &pins->users[cursor->version % self->ring.slot_count] : NULL;
        if (users && !*users) {
            state = tshm_pin(&self->ring, cursor, self->mutex->lock.entry, lock_alive, &self->mutex->lock);
            pins->slots += state == TSHM_READABLE;
        }
        if (state == TSHM_READABLE) {
            ++*users;
            *version = tshm_ordinal(&self->ring, cursor);
        }
    }
    gate_open(pins);
    return state;
}

/* True: that was the last pin of a handle that was closed meanwhile, and can leave its region now. */
static bool unpin_slot(Ring *self, const tshm_cursor *cursor) {
    ring_pins *pins = &self->pins;
    gate_shut(pins);
    if (!--pins->users[cursor->version % self->ring.slot_count]) {
        pins->slots--;
        /* at the interpreter's end the region may have been left already, and our entry be somebody else's */
        if (!tshm_load(&self->mutex->detached, relaxed))
            tshm_unpin(cursor, self->mutex->lock.entry);
    }
    bool last = pins->shut && !pins->slots;
    gate_open(pins);
    return last;
}

bool pins_shut(Ring *self) {
    gate_shut(&self->pins);
    self->pins.shut = true;
    bool none = !self->pins.slots;
    gate_open(&self->pins);
    return none;
}

bool pins_are_shut(Ring *self) {
    gate_shut(&self->pins);
    bool shut = self->pins.shut;
    gate_open(&self->pins);
    return shut;
}

void pins_reopen(Ring *self) {
    gate_shut(&self->pins);
    self->pins.shut = false;
    gate_open(&self->pins);
}

static void leave(Ring *self) {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace); /* whoever lets go of an array may be on the way out of an exception */
    PyObject *done = PyObject_CallMethod((PyObject *)self, "_leave", NULL);
    if (!done)
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(done);
    PyErr_Restore(type, value, trace);
}

static void let_go(Pin *pin) {
    /* acquire and release, with themselves in other threads: all have looked their last before the slot is let go */
    if (atomic_fetch_sub_explicit(&pin->users, 1, memory_order_acq_rel) != 1)
        return;
    Ring *ring = pin->ring;
    pin->ring = NULL;
    if (ring && pin->forks == os_forks && unpin_slot(ring, &pin->cursor))
        leave(ring);
    Py_XDECREF((PyObject *)ring);
}

/* ---- Pin -------------------------------------------------------------------------------------------------------- */

/* The region once more, in pages that nothing can write to: the same for all pins, as a fork has to know them. */
static Mapping *pages_of(Ring *self) {
    Mapping *there = tshm_load(&self->pins.pages, acquire); /* pairs with the exchange below: it is whole */
    if (there)
        return there;
    PyObject *pages = PyObject_CallMethod((PyObject *)self, "_read_only_mapping", NULL);
    if (!pages || !mapping_check(pages)) {
        Py_XDECREF(pages);
        return NULL;
    }
    if (tshm_exchange_if(&self->pins.pages, &there, (Mapping *)pages, release)) /* pairs with the load above */
        return (Mapping *)pages;
    Py_DECREF(pages); /* another thread was faster */
    return tshm_load(&self->pins.pages, acquire);
}

static bool look_at_slot(Pin *pin, Ring *ring) {
    Mapping *pages = pages_of(ring);
    if (!pages)
        return false;
    Py_INCREF((PyObject *)pages);
    pin->pages = pages;
    pin->start = (char *)pages->memory.start + (pin->cursor.payload - ring->ring.base);
    return true;
}

static bool copy(Pin *pin, Ring *ring, uint64_t after, bool every) {
    pin->start = PyMem_Malloc(ring->size);
    if (!pin->start) {
        PyErr_NoMemory();
        return false;
    }
    if (!ring_copy(ring, pin->start, after, every, &pin->version))
        return false;
    gate_shut(&ring->pins);
    ring->pins.copies++;
    gate_open(&ring->pins);
    return true;
}

Pin *pin_new(Ring *ring, uint64_t after, bool every) {
    Pin *pin = PyObject_New(Pin, pin_type);
    if (!pin)
        return NULL;
    pin->ring = NULL;
    pin->pages = NULL;
    pin->start = NULL;
    pin->size = (Py_ssize_t)ring->size;
    pin->users = 1;
    pin->forks = os_forks;
    pin->ended = false;
    int state = TSHM_BUSY;
    for (int tries = 0; state == TSHM_BUSY && tries < 64; tries++)
        state = pin_slot(ring, &pin->cursor, &pin->version);
    if (state == TSHM_READABLE && every && pin->version != after + 1) { /* there may be older ones still to be got */
        if (unpin_slot(ring, &pin->cursor))
            leave(ring); /* close() came meanwhile, found it pinned, and left that to us */
        state = TSHM_TOO_MANY;
    }
    bool done;
    if (state == TSHM_READABLE) {
        Py_INCREF((PyObject *)ring);
        pin->ring = ring;
        done = look_at_slot(pin, ring);
    } else {
        done = copy(pin, ring, after, every);
    }
    if (done)
        done = ring_remember(ring, pin->version);
    if (!done)
        Py_CLEAR(pin); /* which lets go of the slot */
    return pin;
}

void pin_end(Pin *pin) {
    if (!atomic_exchange_explicit(&pin->ended, true, memory_order_relaxed)) /* two threads may do so at once */
        let_go(pin);
}

void pin_raise_ended(void) {
    struct_raise_ended("this value belonged to a borrow() block, which has ended; use copy.copy(value) inside the "
                       "block to keep one");
}

static void pin_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Pin *pin = (Pin *)self;
    pin_end(pin);
    if (!pin->pages)
        PyMem_Free(pin->start);
    Py_XDECREF((PyObject *)pin->pages);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *get_version(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Pin *)self)->version);
}

/* ---- Hold ------------------------------------------------------------------------------------------------------- */

PyObject *hold_new(Pin *pin, PyObject *owner) {
    /* Without a GIL another thread may be ending the block just now. Relaxed: while there is a user, the slot is kept,
     * and with none there will be no more. */
    uint32_t users = tshm_load(&pin->users, relaxed);
    while (users && !tshm_exchange_if(&pin->users, &users, users + 1, relaxed))
        ;
    if (!users) {
        pin_raise_ended();
        return NULL;
    }
    Hold *hold = PyObject_New(Hold, hold_type);
    if (!hold) {
        let_go(pin);
        return NULL;
    }
    Py_INCREF((PyObject *)pin);
    hold->pin = pin;
    Py_XINCREF(owner);
    hold->owner = owner;
    return (PyObject *)hold;
}

static void hold_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Hold *hold = (Hold *)self;
    let_go(hold->pin);
    Py_DECREF((PyObject *)hold->pin);
    Py_XDECREF(hold->owner);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int hold_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    const Pin *pin = ((Hold *)self)->pin;
    return PyBuffer_FillInfo(view, self, pin->start, pin->size, 1, flags);
}

/* ---- fork ------------------------------------------------------------------------------------------------------- */

/* Before a fork: keep what is pinned until the child has copied it, whatever other threads let go of meanwhile. */
bool pins_keep(Ring *self) {
    gate_shut(&self->pins);
    for (uint32_t i = 0; i < self->ring.slot_count; i++)
        if ((self->pins.kept[i] = self->pins.users[i] > 0))
            self->pins.users[i]++;
    bool any = self->pins.slots;
    gate_open(&self->pins);
    return any;
}

/* In the parent, when the child has done so. */
void pins_drop(Ring *self) {
    for (uint32_t i = 0; i < self->ring.slot_count; i++) {
        tshm_cursor cursor = tshm_cursor_at(&self->ring, i);
        if (self->pins.kept[i] && unpin_slot(self, &cursor))
            leave(self);
    }
}

/* In the child, which has none of its parent's pins: put copies in the place of the slots that its arrays look into. */
void pins_after_fork(Ring *self) {
    ring_pins *pins = &self->pins;
    pins->gate = 0;                                      /* another thread may have shut it, which is not here */
    Mapping *mapping = tshm_load(&pins->pages, relaxed); /* there are no other threads */
    if (pins->slots && mapping) {
        os_memory *pages = &mapping->memory;
        pages->writable = true;
        bool covered = os_cover(pages); /* also where they are lost: what covers them then cannot be written to */
        for (uint32_t i = 0; covered && i < self->ring.slot_count; i++) {
            size_t at = self->ring.slots_offset + i * self->ring.slot_stride;
            if (pins->users[i])
                memcpy(pages->start + at, self->ring.base + at, self->ring.slot_stride);
        }
        os_protect(pages);
        tshm_store(&pins->pages, NULL, relaxed); /* who borrows next needs pages that show the region */
        Py_DECREF((PyObject *)mapping);
    }
    pins->slots = 0;
    memset(pins->users, 0, self->ring.slot_count * sizeof *pins->users);
}

/* ---- the types -------------------------------------------------------------------------------------------------- */

static PyGetSetDef pin_getset[] = {
    {"version", get_version, NULL, "Which version it is.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot pin_slots[] = {
    {Py_tp_doc, "One version, which stays as it is."},
    {Py_tp_dealloc, pin_dealloc},
    {Py_tp_getset, pin_getset},
    {0, NULL},
};

static PyType_Spec pin_spec = {"typedshm._native.Pin", sizeof(Pin), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, pin_slots};

static PyType_Slot hold_slots[] = {
    {Py_tp_doc, "The bytes of a Pin, for as long as an array looks into them."},
    {Py_tp_dealloc, hold_dealloc},
    {Py_bf_getbuffer, hold_getbuffer},
    {0, NULL},
};

static PyType_Spec hold_spec = {"typedshm._native.Hold", sizeof(Hold), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, hold_slots};

int pin_add(PyObject *module) {
    pin_type = (PyTypeObject *)PyType_FromSpec(&pin_spec);
    hold_type = (PyTypeObject *)PyType_FromSpec(&hold_spec);
    if (!hold_type || !pin_type)
        return -1;
    return PyModule_AddObjectRef(module, "Pin", (PyObject *)pin_type);
}
