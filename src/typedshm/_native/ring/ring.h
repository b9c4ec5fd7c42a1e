/* The Ring object: a region as its verbs see it. typedshm.region.Region is its subclass. */
#ifndef TYPEDSHM_RING_H
#define TYPEDSHM_RING_H

#include "ring/opened.h"
#include "ring/position.h"
#include "ring/slots.h"

typedef struct {
    OPENED_HEAD
    Slots *slots;   /* NULL together with the mutex */
    tshm_ring ring; /* checked */
    bool debug;
    tshm_atomic_u64 copies;  /* that borrow() made because no pin was free */
    tshm_atomic_u64 dropped; /* versions that the handle's followers missed */
    position_key position;
} Ring;

/* Raises what Region._fail(what) says; always NULL. */
static inline PyObject *ring_fail(Ring *ring, const char *what) {
    return opened_fail(ring, what);
}

#endif
