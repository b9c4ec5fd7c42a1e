/* Room: how a writer of a lossless region waits for followers that have still to get what it would write over. */
#ifndef TYPEDSHM_ROOM_H
#define TYPEDSHM_ROOM_H

#include "ring/ring.h"

/* One verb's wait. */
typedef struct {
    int64_t ns;        /* how long it may take in all */
    uint64_t start;    /* 0: nothing has to be waited for yet, or it may take for ever */
    uint64_t looked;   /* when it was last asked what the region's name means, 0: not yet */
    uint64_t sequence; /* of the version that somebody has still to get */
    uint64_t left;     /* what tshm_left() said before that was asked */
    uint32_t place;    /* of whom it waits for */
    int next;          /* what has to be done with the lock given back */
} room_wait;

enum { ROOM_AGAIN, ROOM_SLEEP, ROOM_BEHIND, ROOM_OWN };

/* A verb begins, which may take so long. */
static inline room_wait room_begin(const Ring *ring, int64_t ns) {
    bool timed = ring->ring.lossless && ns > 0 && ns != INT64_MAX && tshm_used_places(&ring->ring);
    return (room_wait){.ns = ns, .start = timed ? os_monotonic_ns() : 0};
}
/* How much of its time is left; 0: none. */
int64_t room_left(const room_wait *wait);
/* With the lock held: somebody has still to get version `sequence`. `patient`: who would wait for a follower of its own
 * thread lets others run. */
void room_ask(Ring *ring, room_wait *wait, uint64_t sequence, bool patient);
/* With the lock given back, unless that is held by a block of the user's: wait until it is worth to try again. False
 * and an error set: not any more. */
bool room_sleep(Ring *ring, room_wait *wait);
/* Raises the error of somebody who is behind; always NULL. */
PyObject *room_refuse(Ring *ring, const room_wait *wait);

#endif
