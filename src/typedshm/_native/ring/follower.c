/* A follower's step is done here as long as there is something to hand out. */
#include "ring/follower.h"

#include "ring/borrow.h"
#include "ring/decoding.h"

/* ---- one step -----------------------------------------------------------------------------------------------------
 */

/* Of drain() there may be many. */
static void end_blocks(Follower *self) {
    PyObject *pins = self->pins;
    self->pins = NULL;
    if (!pins)
        return;
    if (!PyList_Check(pins))
        pin_end((Pin *)pins);
    for (Py_ssize_t i = 0; PyList_Check(pins) && i < PyList_Size(pins); i++)
        pin_end((Pin *)PyList_GetItem(pins, i));
    Py_DECREF(pins);
}

void follower_count(Follower *self) {
    held_place *place = &self->place;
    if (!place->slots || !place_is_ours(place))
        return;
    if (follower_is_member(self) ? place->has && place->delivered : self->at.sequence > self->got) {
        self->got = self->at.sequence;
        place_got(place, self->got);
    }
}

void follower_end_use(Follower *self) {
    end_blocks(self);
    follower_count(self);
}

void follower_leave_place(Follower *self, bool keeps) {
    end_blocks(self);
    place_leave(&self->place, keeps);
}

static bool keep_pin(Follower *self, Pin *pin) {
    if (!self->pins) {
        self->pins = (PyObject *)pin;
        return true;
    }
    if (!PyList_Check(self->pins)) {
        PyObject *pins = Py_BuildValue("[N]", self->pins);
        self->pins = pins;
        if (!pins)
            return false;
    }
    int failed = PyList_Append(self->pins, (PyObject *)pin);
    Py_DECREF((PyObject *)pin);
    return !failed;
}

/* Has something been published that was not handed out? Notes what the newest is if not. -1: an error is set. */
static int is_behind(Follower *self) {
    bool member = follower_is_member(self); /* whose group has a position of its own */
    if (self->every && !member && tshm_newest(&self->ring->ring) > self->at.sequence)
        return 1;
    publication newest;
    if (!reading_last(self->ring, &newest))
        return -1;
    self->seen = newest.version;
    return self->every ? newest.sequence > self->at.sequence : newest.version > self->at.version;
}

static PyObject *borrow_next(Follower *self, const reading_position *behind, publication *found) {
    Pin *pin = pin_new(self->ring, behind, READING_ANY_AGE, found);
    PyObject *value = pin ? borrow_value(self->ring, pin) : NULL;
    if (!value) {
        Py_XDECREF((PyObject *)pin);
        return NULL;
    }
    *found = pin->found;
    if (!keep_pin(self, pin))
        Py_CLEAR(value);
    return value;
}

/* A version was got, or told to be lost: nothing but stores, since a signal's handler, which could raise, runs at
 * calls. */
void follower_move(Follower *self, const publication *found) {
    uint64_t next = self->at.version + !found->lost;
    if (follower_is_member(self)) {
        self->place.delivered = true;
    } else if (found->version > next) {
        self->dropped += found->version - next;
        (void)tshm_change(add, &self->followed->dropped, found->version - next, relaxed);
    }
    self->at.sequence = found->sequence;
    self->at.version = self->seen = found->version;
}

bool follower_look(Follower *self, reading_position *behind) {
    if (!self->ring->mapping)
        return ring_fail(self->ring, "closed") != NULL;
    if (self->place.slots && !place_check(&self->place, self->ring))
        return false;
    if (self->place.slots)
        place_note(&self->place);
    *behind = self->at;
    if (follower_is_member(self))
        return is_behind(self) >= 0 && place_hand_out(&self->place, behind) == TSHM_READABLE;
    return is_behind(self) > 0;
}

/* The next value, as it is before move(); NULL, perhaps without an error: there is none, or it is refused. */
PyObject *follower_find(Follower *self, publication *found, PyObject **refused) {
    *found = NO_PUBLICATION;
    reading_position at;
    if (!follower_look(self, &at))
        return NULL;
    const reading_position *behind = self->every ? &at : NULL;
    return self->borrow ? borrow_next(self, behind, found) : reading_value(self->ring, behind, found, refused);
}

PyObject *follower_take(Follower *self, PyObject **refused) {
    publication found;
    PyObject *value = follower_find(self, &found, refused);
    if (value || *refused || found.lost)
        follower_move(self, &found);
    return value;
}

PyObject *follower_step(Follower *self) {
    follower_end_use(self);
    PyObject *refused = NULL, *value = follower_take(self, &refused);
    if (refused) {
        self->failed++;
        decoding_fail(refused);
    }
    return value;
}

bool follower_is_open(const Follower *self) {
    if (self->closed)
        ring_fail(self->followed, "follower closed");
    return !self->closed;
}

bool follower_goes_on(Follower *self) {
    if (!self->reattach)
        return false;
    PyObject *error = native_take_error(), *moved = PyObject_CallMethod((PyObject *)self, "_go_on", "O", error);
    Py_DECREF(error);
    Py_XDECREF(moved);
    return moved == Py_True;
}

bool follower_enter(Follower *self) {
    if (!tshm_exchange(&self->busy, 1, acquire)) /* with the release in leave */
        return true;
    ring_fail(self->ring, "followed twice");
    return false;
}

void follower_leave(Follower *self) {
    tshm_store(&self->busy, 0, release); /* with the acquire in enter */
}
