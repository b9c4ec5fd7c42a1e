/* Follower: somebody who goes from version to version. typedshm.region.following.Follower is its subclass. */
#ifndef TYPEDSHM_FOLLOWER_H
#define TYPEDSHM_FOLLOWER_H

#include "ring/pin.h"
#include "ring/place.h"

typedef struct {
    PyObject_HEAD
    Ring *ring;          /* where versions come from now */
    Ring *followed;      /* the handle that it was made of, which counts what its followers miss */
    reading_position at; /* what was handed out last */
    uint64_t seen;       /* the newest version when there was nothing to hand out */
    uint64_t dropped;    /* versions that were missed */
    uint64_t failed;     /* versions that could not be decoded */
    PyObject *pins;      /* of the values that were handed out last, with `borrow`: a Pin, or a list of them, or NULL */
    publication found;   /* by follower_find(), and not taken yet */
    held_place place;    /* in a lossless region, or none */
    uint64_t got;        /* the ring's number up to which writers know that all is got */
    PyObject *spare;     /* the bytes of a large batch, for the next one once nobody else has them; or NULL */
    tshm_atomic_u32 busy; /* a thread or task is in it */
    bool every, borrow, reattach, closed;
} Follower;

static inline bool follower_is_member(const Follower *follower) {
    return follower->place.slots && follower->place.group != TSHM_FOLLOWERS;
}
/* What was handed out last counts as got: writers need not wait for it any more. */
void follower_count(Follower *follower);
/* It is not used any more, either. */
void follower_end_use(Follower *follower);
/* Neither; and the place is left. */
void follower_leave_place(Follower *follower, bool keeps);
/* Is there something to hand out, and behind which position? Of a follower of the newest, the position says nothing.
 * False, perhaps with an error set: there is not. */
bool follower_look(Follower *follower, reading_position *behind);
/* The next value, which counts as handed out after follower_move(); NULL, perhaps without an error: there is none, or
 * it is refused, as told by decoding_value(). */
PyObject *follower_find(Follower *follower, publication *found, PyObject **refused);
/* A version was handed out, or its loss told. */
void follower_move(Follower *follower, const publication *found);
/* Both. */
PyObject *follower_take(Follower *follower, PyObject **refused);
/* One whole step, in which the refusal of a version is raised. */
PyObject *follower_step(Follower *follower);
/* After a step that found nothing, or set an error: is the next region of the name followed now? False: what the step
 * said holds, or another error is set. */
bool follower_goes_on(Follower *follower);
/* False and an error set if it was closed. */
bool follower_is_open(const Follower *follower);
/* One thread or task at a time: false and an error set if another is in it. */
bool follower_enter(Follower *follower);
void follower_leave(Follower *follower);

#endif
