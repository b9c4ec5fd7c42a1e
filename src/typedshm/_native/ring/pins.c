#include "ring/pins.h"

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

int pins_take(Ring *self, tshm_cursor *cursor, uint64_t *version) {
    /* not present: the entry is our parent's, or at the interpreter's end perhaps somebody else's already */
    if (!self->mutex || !mutex_is_present(self->mutex) || self->ring.slot_count < 3)
        return TSHM_TOO_MANY;
    ring_pins *pins = &self->pins;
    int state = TSHM_TOO_MANY;
    gate_shut(pins);
    if (!pins->shut) { /* close() gives up the presence entry, and so the right to pin */
        state = tshm_read_begin(&self->ring, cursor);
        uint32_t *users = state == TSHM_READABLE ? &pins->users[cursor->sequence % self->ring.slot_count] : NULL;
        if (users && !*users) {
            state = tshm_pin(&self->ring, cursor, self->mutex->lock.entry, lock_alive, &self->mutex->lock);
            pins->slots += state == TSHM_READABLE;
        }
        if (state == TSHM_READABLE) {
            ++*users;
            *version = tshm_version(&self->ring, cursor);
        }
    }
    gate_open(pins);
    return state;
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

void pins_give(Ring *self, const tshm_cursor *cursor) {
    ring_pins *pins = &self->pins;
    gate_shut(pins);
    if (!--pins->users[cursor->sequence % self->ring.slot_count]) {
        pins->slots--;
        /* at the interpreter's end the region may have been left already, and our entry be somebody else's */
        if (!tshm_load(&self->mutex->detached, relaxed))
            tshm_unpin(cursor, self->mutex->lock.entry);
    }
    bool last = pins->shut && !pins->slots;
    gate_open(pins);
    if (last)
        leave(self); /* close() came meanwhile, found it pinned, and left that to us */
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

void pins_count_copy(Ring *self) {
    gate_shut(&self->pins);
    self->pins.copies++;
    gate_open(&self->pins);
}

/* ---- fork ------------------------------------------------------------------------------------------------------- */

bool pins_keep(Ring *self) {
    gate_shut(&self->pins);
    for (uint32_t i = 0; i < self->ring.slot_count; i++)
        if ((self->pins.kept[i] = self->pins.users[i] > 0))
            self->pins.users[i]++;
    bool any = self->pins.slots;
    gate_open(&self->pins);
    return any;
}

void pins_drop(Ring *self) {
    for (uint32_t i = 0; i < self->ring.slot_count; i++) {
        tshm_cursor cursor = tshm_cursor_at(&self->ring, i);
        if (self->pins.kept[i])
            pins_give(self, &cursor);
    }
}

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
