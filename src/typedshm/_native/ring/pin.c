/* Pin and Hold: who looks at a version in its slot.
 *
 * A Pin is one borrow() of one version. It is let go when its block has ended and no Hold is left: a Hold is the buffer
 * that an array looks into, so an array that outlives its block keeps the slot. */
#include "ring/pin.h"

#include "struct/origin.h"
#include "struct/struct.h"

static PyTypeObject *pin_type, *hold_type;
static PyObject *ended_words;

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

/* The last handle may have been closed meanwhile, and have left the rest to us. */
static void unpin(Ring *ring, const tshm_cursor *cursor) {
    if (!slots_unpin(ring->slots, cursor))
        return;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace); /* whoever lets go of an array may be on the way out of an exception */
    PyObject *done = PyObject_CallMethod((PyObject *)ring, "_unpinned", NULL);
    if (!done)
        PyErr_WriteUnraisable((PyObject *)ring);
    Py_XDECREF(done);
    PyErr_Restore(type, value, trace);
}

static void let_go(Pin *pin) {
    /* acquire and release, with themselves in other threads: all have looked their last before the slot is let go */
    if (atomic_fetch_sub_explicit(&pin->users, 1, memory_order_acq_rel) != 1)
        return;
    Ring *ring = pin->ring;
    pin->ring = NULL;
    if (ring && pin->forks == os_forks)
        unpin(ring, &pin->cursor);
    Py_XDECREF((PyObject *)ring);
}

/* ---- Pin -------------------------------------------------------------------------------------------------------- */

/* The region once more, in pages that nothing can write to: the same for all pins, as a fork has to know them. */
static Mapping *pages_of(Ring *self) {
    Mapping *there = tshm_load(&self->slots->pages, acquire); /* pairs with the exchange below: it is whole */
    if (there)
        return there;
    PyObject *pages = PyObject_CallMethod((PyObject *)self, "_read_only_mapping", NULL);
    if (!pages || !mapping_check(pages)) {
        if (pages)
            PyErr_SetString(PyExc_SystemError, "_read_only_mapping() returned no Mapping");
        Py_XDECREF(pages);
        return NULL;
    }
    if (tshm_exchange_if(&self->slots->pages, &there, (Mapping *)pages, release)) /* pairs with the load above */
        return (Mapping *)pages;
    Py_DECREF(pages); /* another thread was faster */
    return tshm_load(&self->slots->pages, acquire);
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

static bool copy(Pin *pin, Ring *ring, const reading_position *behind, int64_t max_age) {
    pin->start = ring->values.extents ? PyMem_Calloc(1, ring->values.size) : PyMem_Malloc(ring->values.size);
    if (!pin->start) {
        PyErr_NoMemory();
        return false;
    }
    if (reading_copy(ring, pin->start, behind, max_age, &pin->found) <= 0)
        return false;
    atomic_fetch_add_explicit(&ring->copies, 1, memory_order_relaxed);
    return true;
}

static Pin *pin_of_nothing(size_t size) {
    Pin *pin = PyObject_New(Pin, pin_type);
    if (!pin)
        return NULL;
    pin->ring = NULL;
    pin->pages = NULL;
    pin->start = NULL;
    pin->size = (Py_ssize_t)size;
    pin->found = NO_PUBLICATION;
    pin->users = 1;
    pin->forks = os_forks;
    pin->ended = false;
    pin->ended_words = pin->read_only = NULL;
    return pin;
}

Pin *pin_new_copy(size_t size, bool zeroed, PyObject *read_only) {
    Pin *pin = pin_of_nothing(size);
    if (pin && !(pin->start = zeroed ? PyMem_Calloc(1, size) : PyMem_Malloc(size))) {
        Py_CLEAR(pin);
        PyErr_NoMemory();
    }
    if (pin) {
        Py_XINCREF(read_only);
        pin->read_only = read_only;
    }
    return pin;
}

/* One attempt to pin a version in its slot: the newest, since writers choose all others, or one that they wait for. */
static int pin_slot(Pin *pin, Ring *ring, const reading_position *behind) {
    bool kept = behind && behind->kept;
    int state = kept ? tshm_next_awaited(&ring->ring, behind->sequence, &pin->cursor) : TSHM_READABLE;
    if (state == TSHM_READABLE)
        state = slots_pin(ring->slots, kept, &pin->cursor, &pin->found.version);
    if (state == TSHM_READABLE)
        pin->found.sequence = pin->cursor.sequence;
    if (state == TSHM_READABLE && behind && !kept && pin->found.version != behind->version + 1) {
        unpin(ring, &pin->cursor); /* there may be older ones still to be got */
        state = TSHM_TOO_MANY;
    }
    return state;
}

Pin *pin_new(Ring *ring, const reading_position *behind, int64_t max_age, publication *lost) {
    Pin *pin = pin_of_nothing(ring->values.size);
    if (!pin)
        return NULL;
    int state = ring->slots && ring->mapping ? TSHM_BUSY : TSHM_TOO_MANY; /* closed: the copy will say so */
    for (int tries = 0; state == TSHM_BUSY && tries < 64; tries++)
        state = pin_slot(pin, ring, behind);
    bool done;
    if (state == TSHM_READABLE) {
        Py_INCREF((PyObject *)ring);
        pin->ring = ring;
        pin->found.time = tshm_load(&pin->cursor.slot->time, relaxed); /* which a pin keeps like the payload */
        done = look_at_slot(pin, ring) && reading_is_fresh(ring, &pin->found, max_age);
    } else {
        done = copy(pin, ring, behind, max_age);
    }
    if (done)
        done = reading_remember(ring, pin->found.version);
    if (!done && lost)
        *lost = pin->found;
    if (!done)
        Py_CLEAR(pin); /* which lets go of the slot */
    return pin;
}

void pin_end(Pin *pin) {
    if (!atomic_exchange_explicit(&pin->ended, true, memory_order_relaxed)) /* two threads may do so at once */
        let_go(pin);
}

void pin_raise_ended(const Pin *pin) {
    struct_raise_ended(pin->ended_words ? pin->ended_words : ended_words);
}

/* Pin(mapping, ended, read_only): memory of another program. */
static PyObject *pin_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *names[] = {"mapping", "ended", "read_only", NULL};
    PyObject *mapping, *ended, *read_only;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OUU:Pin", names, &mapping, &ended, &read_only))
        return NULL;
    if (!mapping_check(mapping)) {
        PyErr_SetString(PyExc_TypeError, "expected a Mapping");
        return NULL;
    }
    Pin *pin = pin_of_nothing(((Mapping *)mapping)->memory.size);
    if (!pin)
        return NULL;
    pin->pages = (Mapping *)mapping;
    pin->start = (char *)pin->pages->memory.start;
    pin->ended_words = ended;
    pin->read_only = read_only;
    Py_INCREF(mapping);
    Py_INCREF(ended);
    Py_INCREF(read_only);
    return (PyObject *)pin;
}

static PyObject *pin_end_method(PyObject *self, PyObject *unused) {
    (void)unused;
    pin_end((Pin *)self);
    Py_RETURN_NONE;
}

static void pin_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Pin *pin = (Pin *)self;
    pin_end(pin);
    if (!pin->pages)
        PyMem_Free(pin->start);
    Py_XDECREF((PyObject *)pin->pages);
    Py_XDECREF(pin->ended_words);
    Py_XDECREF(pin->read_only);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *get_version(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Pin *)self)->found.version);
}

/* ---- Hold ------------------------------------------------------------------------------------------------------- */

PyObject *pin_hold(Pin *pin, PyObject *owner) {
    /* Without a GIL another thread may be ending the block just now. Relaxed: while there is a user, the slot is kept,
     * and with none there will be no more. */
    uint32_t users = tshm_load(&pin->users, relaxed);
    while (users && !tshm_exchange_if(&pin->users, &users, users + 1, relaxed))
        ;
    if (!users) {
        pin_raise_ended(pin);
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

/* ---- where a Struct comes from ---------------------------------------------------------------------------------- */

static PyObject *origin_of(PyObject *module, PyObject *structure) {
    (void)module;
    PyObject *state = struct_check(structure) ? struct_state(structure) : NULL;
    const Pin *pin = pin_of(state);
    if (pin && pin->found.version)
        return origin_new(pin->found.version, pin->found.time);
    return Py_NewRef(state && origin_check(state) ? state : Py_None);
}

static PyMethodDef functions[] = {
    {"origin_of", origin_of, METH_O, "The Origin of a value that was read or borrowed; None if it has none."},
    {NULL, NULL, 0, NULL},
};

/* ---- the types -------------------------------------------------------------------------------------------------- */

static PyMethodDef pin_methods[] = {
    {"end", pin_end_method, METH_NOARGS, "Make every Struct that depends on it raise from now on."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef pin_getset[] = {
    {"version", get_version, NULL, "Which version it is; 0 for memory of another program.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot pin_slots[] = {
    {Py_tp_doc, "One version, which stays as it is; or memory of another program, to look at."},
    {Py_tp_new, pin_create},
    {Py_tp_dealloc, pin_dealloc},
    {Py_tp_methods, pin_methods},
    {Py_tp_getset, pin_getset},
    {0, NULL},
};

static PyType_Spec pin_spec = {"typedshm._native.Pin", sizeof(Pin), 0, Py_TPFLAGS_DEFAULT, pin_slots};

static PyType_Slot hold_slots[] = {
    {Py_tp_doc, "The bytes of a Pin, for as long as an array looks into them."},
    {Py_tp_dealloc, hold_dealloc},
    {Py_bf_getbuffer, hold_getbuffer},
    {0, NULL},
};

static PyType_Spec hold_spec = {"typedshm._native.Hold", sizeof(Hold), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, hold_slots};

int pin_register(PyObject *module) {
    if (!ended_words &&
        !(ended_words = PyUnicode_FromString("this value belonged to a borrow() block, which has ended; use "
                                             "copy.copy(value) inside the block to keep one")))
        return -1;
    pin_type = (PyTypeObject *)PyType_FromSpec(&pin_spec);
    hold_type = (PyTypeObject *)PyType_FromSpec(&hold_spec);
    if (!hold_type || !pin_type)
        return -1;
    return PyModule_AddObjectRef(module, "Pin", (PyObject *)pin_type) < 0 ? -1
                                                                          : PyModule_AddFunctions(module, functions);
}
