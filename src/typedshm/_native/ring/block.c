/* Block: what update() and loan() return. A transaction: all of it is published, or nothing. */
#include "ring/block.h"

#include "arguments.h"
#include "os/faults.h"
#include "ring/reading.h"
#include "ring/writing.h"
#include "struct/lease.h"
#include "timeout.h"

static PyTypeObject *block_type;
static PyObject *ended_words;

typedef struct {
    PyObject_HEAD
    Ring *ring;
    int64_t timeout;    /* for the lock, ns */
    PyObject *value;    /* what the block works on; NULL before and after */
    PyObject *counts;   /* of a loan: the bytes of the numbers of used items, if its value is one field; or NULL */
    PyObject *lease;    /* ends with the block */
    Mapping *mapping;   /* the one that `value` looks into, if it is in the slot */
    tshm_cursor cursor; /* if it is in the slot, or that is reserved */
    uint32_t forks;     /* os_forks when the block was entered: in a child, it is the parent's */
    bool loan;
} Block;

/* Steals `counts`. */
static PyObject *block_new(Ring *ring, bool loan, PyObject *counts, int64_t ns) {
    bool ready =
        !ring->values.type || values_part(&ring->values, "leased", &ring->values.leased); /* not later, with the lock */
    Block *self = ready ? PyObject_New(Block, block_type) : NULL;
    if (!self) {
        Py_XDECREF(counts);
        return NULL;
    }
    Py_INCREF((PyObject *)ring);
    self->ring = ring;
    self->timeout = ns;
    self->value = self->lease = NULL;
    self->counts = counts;
    self->mapping = NULL;
    self->loan = loan;
    return (PyObject *)self;
}

/* Small values, and those of a region with one slot, are worked on beside the region: an array kept from the block
 * then never reaches a published version, and a block that raises costs nothing. So are values that are kept and do not
 * know when the block has ended. */
static bool works_in_slot(const Block *self) {
    return self->ring->ring.slot_count > 1 && !self->ring->values.unguarded &&
           (self->loan || self->ring->values.size > VALUES_LARGE);
}

static bool preload(Block *self, void *to) {
    Ring *ring = self->ring;
    int state = reading_newest_locked(ring, to);
    if (state != TSHM_NOTHING)
        return state >= 0;
    return values_defaults(&ring->values, to);
}

/* What a loan begins with: no items in fields whose size varies, or as many as the caller said. */
static bool clear(const Block *self, void *value) {
    if (self->ring->values.extents)
        extents_clear(self->ring->values.extents, value);
    char *counts;
    Py_ssize_t size;
    if (!self->counts)
        return true;
    if (PyBytes_AsStringAndSize(self->counts, &counts, &size) < 0)
        return false;
    const tshm_extent *extent = self->ring->values.extents->extents;
    if ((uint64_t)size != 4 * (uint64_t)extent->axes) {
        PyErr_SetString(PyExc_ValueError, "loan: expected a number for each axis that varies");
        return false;
    }
    memcpy((char *)value + extent->counts, counts, (size_t)size);
    return true;
}

static PyObject *enter_beside(Block *self) {
    PyObject *value = values_make_leased(&self->ring->values, self->lease); /* block_new() has looked for the class */
    if (!value)
        return NULL;
    Py_buffer view;
    if (values_open(&self->ring->values, value, PyBUF_WRITABLE, &view) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    bool filled =
        (size_t)view.len == self->ring->values.size && (self->loan ? clear(self, view.buf) : preload(self, view.buf));
    struct_close(&view);
    if (!filled)
        Py_CLEAR(value);
    return value;
}

static PyObject *enter_slot(Block *self) {
    Ring *ring = self->ring;
    faults_watch();
    if (!ring->ring.lossless && writing_begin(ring, &self->cursor) != TSHM_WRITABLE)
        return ring_fail(ring, "pinned");
    if (!(self->loan ? clear(self, self->cursor.payload) : preload(self, self->cursor.payload)))
        return NULL;
    PyObject *mapping;
    if (ring->debug) { /* pages of its own, to be made read-only when the block ends */
        mapping = PyObject_CallMethod((PyObject *)ring, "_debug_mapping", NULL);
        if (!mapping || !mapping_check(mapping)) {
            Py_XDECREF(mapping);
            return NULL;
        }
    } else {
        mapping = (PyObject *)ring->mapping;
        Py_INCREF(mapping);
    }
    self->mapping = (Mapping *)mapping;
    unsigned long long offset = (unsigned long long)(self->cursor.payload - ring->ring.base);
    return PyObject_CallFunction(ring->values.overlay, "OKO", mapping, offset, self->lease);
}

/* In a lossless region the slot is marked when the block begins, so that its end never waits for followers. */
static bool reserve(Block *self) {
    Ring *ring = self->ring;
    room_wait wait = room_begin(ring, self->timeout);
    for (;;) {
        if (!writing_lock(ring, true, room_left(&wait)))
            return false;
        faults_watch();
        int state = ring->ring.lossless ? writing_begin(ring, &self->cursor) : TSHM_WRITABLE;
        if (state == TSHM_WRITABLE)
            return true;
        if (state == TSHM_AWAITED)
            room_ask(ring, &wait, self->cursor.sequence, false);
        if (!writing_unlock(ring, true))
            return false;
        if (state != TSHM_AWAITED)
            return ring_fail(ring, "pinned") != NULL;
        if (!room_sleep(ring, &wait))
            return false;
    }
}

static PyObject *block_enter(PyObject *object, PyObject *unused) {
    (void)unused;
    Block *self = (Block *)object;
    Ring *ring = self->ring;
    if (self->value)
        return ring_fail(ring, "entered twice");
    if (!reserve(self))
        return NULL;
    native_set(&self->lease, lease_new(ended_words, self->loan && works_in_slot(self)));
    slots_set_block(ring->slots, self->lease);
    self->forks = os_forks;
    if (self->lease)
        self->value = works_in_slot(self) ? enter_slot(self) : enter_beside(self);
    PyObject *part = ring->values.part, *shown = NULL;
    if (self->value)
        shown = part ? PyObject_GetAttr(self->value, part) : Py_NewRef(self->value);
    if (!shown) {
        Py_CLEAR(self->value);
        Py_CLEAR(self->mapping);
        slots_set_block(ring->slots, NULL);
        mutex_give_back(ring->mutex, true);
    }
    return shown;
}

static bool publish(Block *self) {
    Ring *ring = self->ring;
    if (!values_check(&ring->values, self->value))
        return false;
    if (self->mapping) {
        /* in debug mode the block has pages of its own, which can be lost while the region's are there */
        bool lost = tshm_load(&self->mapping->memory.lost, relaxed) != OS_THERE;
        if (lost)
            ring_fail(ring, "gone");
        if (lost || !values_check_extents(&ring->values, (PyObject *)ring, self->value, self->cursor.payload))
            return false;
        (void)writing_publish(ring, &self->cursor);
        return true;
    }
    Py_buffer view;
    if (values_open(&ring->values, self->value, PyBUF_SIMPLE, &view) < 0)
        return false;
    bool stored = (size_t)view.len == ring->values.size; /* an array can be resized by force */
    if (!stored)
        ring_fail(ring, "resized");
    stored = stored && values_check_extents(&ring->values, (PyObject *)ring, self->value, view.buf);
    if (stored && ring->ring.lossless) {
        writing_store(ring, view.buf, &self->cursor);
    } else if (stored && writing_store_next(ring, view.buf) != TSHM_WRITABLE) {
        ring_fail(ring, "pinned");
        stored = false;
    }
    struct_close(&view);
    return stored;
}

static bool end(Block *self) {
    lease_end(self->lease);
    Py_CLEAR(self->value);
    bool protected = true;
    if (self->ring->debug && self->mapping && !PyErr_Occurred()) {
        PyObject *done = PyObject_CallMethod((PyObject *)self->mapping, "protect", NULL);
        protected = done != NULL;
        Py_XDECREF(done);
    }
    Py_CLEAR(self->mapping);
    return protected;
}

static PyObject *block_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    Block *self = (Block *)object;
    Ring *ring = self->ring;
    if (!self->value)
        return ring_fail(ring, "not entered");
    if (self->forks != os_forks) { /* the child of a fork: the parent publishes, we just stop */
        if (!end(self))
            return NULL;
        return count && args[0] != Py_None ? (Py_INCREF(Py_False), Py_False) : ring_fail(ring, "forked");
    }
    if (!mutex_is_mine(ring->mutex))
        return ring_fail(ring, "other thread");
    bool raised = count && args[0] != Py_None;
    bool published = raised || publish(self);
    bool done = end(self) && published;
    slots_set_block(ring->slots, NULL);
    if (!done) {
        mutex_give_back(ring->mutex, true);
        return NULL;
    }
    if (!writing_unlock(ring, true))
        return NULL;
    Py_INCREF(Py_False);
    return Py_False;
}

/* A block that is thrown away while open (a generator dropped in its middle) publishes nothing, and gives the lock back
 * also when that happens in another thread than the one that entered it. */
static void block_dealloc(PyObject *object) {
    Block *self = (Block *)object;
    Ring *ring = self->ring;
    if (self->value && self->forks == os_forks) {
        slots_set_block(ring->slots, NULL);
        mutex_give_back(ring->mutex, true);
    }
    if (self->lease)
        lease_end(self->lease);
    Py_XDECREF(self->value);
    Py_XDECREF(self->counts);
    Py_XDECREF(self->lease);
    Py_XDECREF((PyObject *)self->mapping);
    PyTypeObject *type = Py_TYPE(object);
    Py_DECREF((PyObject *)ring);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* ---- the verbs ---- */

static PyObject *block_of(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names, bool loan) {
    static const char *const keywords[] = {"timeout", NULL}, *const of_loan[] = {"shape", "timeout", NULL};
    static const arguments_verb update = {"update", keywords, false,
                                          "update(timeout=%U) to wait at most %U seconds for other writers"};
    static const arguments_verb as_loan = {"loan", of_loan, false,
                                           "loan(timeout=%U) to wait at most %U seconds for other writers"};
    Ring *self = (Ring *)object;
    int64_t ns = self->timeout;
    if (count || names) {
        if (!arguments_fit(loan ? &as_loan : &update, args, count, names) ||
            timeout_convert(arguments_get(args, count, names, "timeout"), &ns) < 0)
            return NULL;
    }
    PyObject *shape = loan ? arguments_get(args, count, names, "shape") : NULL, *counts = NULL;
    if (loan && (self->values.part || shape)) { /* refused here where it cannot be */
        counts = PyObject_CallMethod(self->values.schema, "counts_of", "(O)", shape ? shape : Py_None);
        if (!counts)
            return NULL;
        if (counts == Py_None)
            Py_CLEAR(counts);
    }
    return block_new(self, loan, counts, ns);
}

PyObject *block_update(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    return block_of(self, args, count, names, false);
}

PyObject *block_loan(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    return block_of(self, args, count, names, true);
}

/* ---- the type ---- */

static PyMethodDef methods[] = {
    {"__enter__", block_enter, METH_NOARGS, "Take the writers' lock and hand out the value."},
    {"__exit__", (PyCFunction)(void (*)(void))block_exit, METH_FASTCALL, "Publish, or drop if the block raised."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A transaction on a region: published whole at its end, dropped whole if it raises."},
    {Py_tp_dealloc, block_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Block", sizeof(Block), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

int block_register(PyObject *module) {
    if (!ended_words &&
        !(ended_words = PyUnicode_FromString("this value belonged to an update() or loan() block, which has ended; "
                                             "use copy.copy(value) inside the block to keep one")))
        return -1;
    block_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return block_type ? PyModule_AddObjectRef(module, "Block", (PyObject *)block_type) : -1;
}
