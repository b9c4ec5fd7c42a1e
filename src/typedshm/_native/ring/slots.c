#include "ring/slots.h"

#include "struct/lease.h"

static PyTypeObject *slots_type;

bool slots_check(PyObject *object) {
    return PyObject_TypeCheck(object, slots_type);
}

/* Held for moments only, and nothing inside waits. With a GIL it is always free. */
static void local_lock_take(Slots *self) {
    uint32_t expected = 0;
    while (!tshm_exchange_if(&self->local_lock, &expected, 1, acquire)) { /* with the release in local_lock_free */
        expected = 0;
        os_relax();
    }
}

static void local_lock_free(Slots *self) {
    tshm_store(&self->local_lock, 0, release); /* with the acquire in local_lock_take */
}

/* Asked again and again, but not each time: it takes as long as all else about a pin. */
static bool is_intact(Slots *self) {
    uint64_t now = os_coarse_ns();
    bool fresh = now - self->intact_at < TSHM_SLICE; /* false too if the clock was set back */
    if (!fresh && os_peers_intact(&self->lock->lock.peers)) {
        self->intact_at = now;
        fresh = true;
    }
    return fresh;
}

int slots_pin(Slots *self, bool kept, tshm_cursor *cursor, uint64_t *version) {
    /* not present: the entry is our parent's, or at the interpreter's end perhaps somebody else's already */
    if (!writers_lock_is_present(self->lock) || self->ring.slot_count < 3)
        return TSHM_TOO_MANY;
    int state = TSHM_TOO_MANY;
    local_lock_take(self);
    if (!self->shut) { /* close() gives up the presence entry, and so the right to pin */
        state = kept ? TSHM_READABLE : tshm_read_begin(&self->ring, cursor);
        uint32_t *users = state == TSHM_READABLE ? &self->users[cursor->sequence % self->ring.slot_count] : NULL;
        if (users && !*users && !is_intact(self)) {
            state = TSHM_TOO_MANY; /* rule 11 of lock.h: nobody would respect the pin */
        } else if (users && !*users) {
            state = tshm_pin_slot(&self->ring, cursor, self->lock->lock.entry, self->pinned, kept, lock_alive,
                                  &self->lock->lock);
            self->pinned += state == TSHM_READABLE;
        }
        if (state == TSHM_READABLE) {
            ++*users;
            *version = tshm_version(&self->ring, cursor);
        }
    }
    local_lock_free(self);
    return state;
}

/* Nothing is pinned, and nothing will be: whoever has our presence entry next need not look for pins. */
static bool is_over(Slots *self) {
    if (!self->shut || self->pinned)
        return false;
    if (writers_lock_is_present(self->lock) && lock_keeps_entry(&self->lock->lock)) {
        /* release, after our pins were taken back */
        (void)tshm_change(and, &lock_presence(&self->lock->lock)->flags, ~TSHM_HAS_PINNED, release);
    }
    return true;
}

bool slots_unpin(Slots *self, const tshm_cursor *cursor) {
    local_lock_take(self);
    if (!--self->users[cursor->sequence % self->ring.slot_count]) {
        self->pinned--;
        /* the region may have been left already, at the interpreter's end, and our entry be somebody else's */
        if (!tshm_load(&self->lock->detached, relaxed) && lock_keeps_entry(&self->lock->lock))
            tshm_unpin(cursor, self->lock->lock.entry);
    }
    bool last = is_over(self);
    local_lock_free(self);
    return last;
}

uint32_t slots_count_pinned(const Slots *self) {
    const tshm_presence *presence = self->lock->lock.control->presence;
    uint32_t entry = 0; /* slots may be many, and seldom has anybody pinned one */
    while (entry < self->ring.presence_count && !(tshm_load(&presence[entry].flags, relaxed) & TSHM_HAS_PINNED))
        entry++;
    if (entry == self->ring.presence_count)
        return 0;
    bool probes = !tshm_load(&self->lock->detached, relaxed);
    return probes ? tshm_count_pinned(&self->ring, lock_alive, &self->lock->lock)
                  : tshm_count_pinned(&self->ring, NULL, NULL);
}

void slots_set_block(Slots *self, PyObject *lease) {
    Py_XINCREF(lease);
    native_set(&self->lease, lease);
}

/* ---- open and shut ---------------------------------------------------------------------------------------------- */

static PyObject *slots_open(PyObject *object, PyObject *unused) {
    (void)unused;
    Slots *self = (Slots *)object;
    local_lock_take(self);
    self->shut = false;
    local_lock_free(self);
    Py_RETURN_NONE;
}

static PyObject *slots_shut(PyObject *object, PyObject *unused) {
    (void)unused;
    Slots *self = (Slots *)object;
    local_lock_take(self);
    self->shut = true;
    bool none = is_over(self);
    local_lock_free(self);
    return PyBool_FromLong(none);
}

/* ---- fork ------------------------------------------------------------------------------------------------------- */

static PyObject *slots_keep(PyObject *object, PyObject *unused) {
    (void)unused;
    Slots *self = (Slots *)object;
    local_lock_take(self);
    bool any = self->pinned;
    for (uint32_t i = 0; any && i < self->ring.slot_count; i++)
        if ((self->kept[i] = self->users[i] > 0))
            self->users[i]++;
    local_lock_free(self);
    return PyBool_FromLong(any);
}

static PyObject *slots_drop(PyObject *object, PyObject *unused) {
    (void)unused;
    Slots *self = (Slots *)object;
    for (uint32_t i = 0; i < self->ring.slot_count; i++) {
        tshm_cursor cursor = tshm_cursor_at(&self->ring, i);
        if (self->kept[i])
            slots_unpin(self, &cursor);
        self->kept[i] = false;
    }
    Py_RETURN_NONE;
}

static PyObject *slots_copy(PyObject *object, PyObject *unused) {
    (void)unused;
    Slots *self = (Slots *)object;
    if (self->lease) /* the block's value looks into the slot that the parent is filling */
        lease_end(self->lease);
    Py_CLEAR(self->lease);
    self->local_lock = 0;                                /* another thread of the parent may have held it */
    Mapping *mapping = tshm_load(&self->pages, relaxed); /* there are no other threads */
    if (self->pinned && mapping) {
        os_memory *pages = &mapping->memory;
        pages->writable = true;
        bool covered = os_cover(pages); /* also where they are lost: what covers them then cannot be written to */
        for (uint32_t i = 0; covered && i < self->ring.slot_count; i++) {
            size_t at = self->ring.slots_offset + i * self->ring.slot_stride;
            if (self->users[i])
                memcpy(pages->start + at, self->ring.base + at, self->ring.slot_stride);
        }
        os_protect(pages);
        tshm_store(&self->pages, NULL, relaxed); /* who borrows next needs pages that show the region */
        Py_DECREF((PyObject *)mapping);
    }
    if (self->pinned)
        memset(self->users, 0, self->ring.slot_count * sizeof *self->users);
    self->pinned = 0;
    Py_RETURN_NONE;
}

/* ---- the object ------------------------------------------------------------------------------------------------- */

static PyObject *slots_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"lock", NULL};
    PyObject *lock;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Slots", names, &lock))
        return NULL;
    if (!writers_lock_check(lock)) {
        PyErr_SetString(PyExc_TypeError, "Slots() takes a WritersLock");
        return NULL;
    }
    Slots *self = (Slots *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); /* zeroed */
    if (!self)
        return NULL;
    Py_INCREF(lock);
    self->lock = (WritersLock *)lock;
    tshm_header header;
    const os_memory *memory = &self->lock->mapping->memory;
    const char *problem = tshm_check(memory->start, memory->size, &header, &self->ring);
    if (problem)
        PyErr_SetString(PyExc_ValueError, problem);
    else if (!(self->users = PyMem_Calloc(self->ring.slot_count, sizeof *self->users)) ||
             !(self->kept = PyMem_Calloc(self->ring.slot_count, sizeof *self->kept)))
        PyErr_NoMemory();
    self->left = UINT64_MAX; /* nobody has asked yet */
    if (PyErr_Occurred())
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void slots_dealloc(PyObject *object) {
    Slots *self = (Slots *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(self->lease);
    Py_XDECREF((PyObject *)tshm_load(&self->pages, relaxed)); /* relaxed: nobody else is here any more */
    Py_XDECREF((PyObject *)self->lock);
    PyMem_Free(self->users);
    PyMem_Free(self->kept);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"open", slots_open, METH_NOARGS, "A handle has come: versions may be pinned."},
    {"shut", slots_shut, METH_NOARGS, "The last handle goes: pin nothing more. True if nothing is pinned."},
    {"keep", slots_keep, METH_NOARGS,
     "Before a fork: keep what is pinned until the child has copied it. True if anything is."},
    {"drop", slots_drop, METH_NOARGS, "In the parent, when the child has done so."},
    {"copy", slots_copy, METH_NOARGS,
     "In the child, which has none of its parent's pins: copy what its arrays look into, and end an open block."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot type_slots[] = {
    {Py_tp_doc, "The slots of a region that one process uses in place."},
    {Py_tp_new, slots_create},
    {Py_tp_dealloc, slots_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Slots", sizeof(Slots), 0, Py_TPFLAGS_DEFAULT, type_slots};

int slots_register(PyObject *module) {
    slots_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return slots_type ? PyModule_AddObjectRef(module, "Slots", (PyObject *)slots_type) : -1;
}
