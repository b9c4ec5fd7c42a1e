/* Place: what a follower has in a lossless region, whose writers wait for it. The rules are in typedshm.h, FOLLOWERS.
 */
#ifndef TYPEDSHM_PLACE_H
#define TYPEDSHM_PLACE_H

#include "ring/reading.h"

/* What somebody wants who registers. */
typedef struct {
    int64_t first;    /* as for start_find() */
    const char *name; /* of a follower that is kept, or of a group; or NULL. UTF-8, at most 63 bytes */
    uint64_t keep;    /* ns; 0 without a name */
    bool group, redelivers;
} place_wish;

typedef struct {
    Slots *slots;    /* whose steps it is among; NULL: no place */
    uint32_t number; /* below TSHM_FOLLOWERS */
    uint32_t group;  /* the place of its group; TSHM_FOLLOWERS: none */
    uint32_t forks;  /* os_forks when it was taken: in a child it is the parent's */
    uint64_t owner;  /* how we are named there */
    uint64_t has;    /* of a member: the version that it was handed, by the ring's number; 0: none */
    bool delivered;  /* of a member: and it got that */
    uint64_t looked; /* of a member: when it last looked for what the dead had, monotonic ns */
} held_place;

enum {
    PLACE_TAKEN = 0,
    PLACE_FULL = 1,
    PLACE_IN_USE = 2,  /* by a living one of that name */
    PLACE_DIFFERS = 3, /* the group keeps, or redelivers, otherwise */
    PLACE_FAILED = -1  /* an error is set */
};

/* Registers. `at`: where to begin, which is where the last one of that name stopped. `other`: whose place has the name
 * already. Waits for the writers' lock for at most `ns`. */
int place_take(Ring *ring, const place_wish *wish, int64_t ns, held_place *place, reading_position *at,
               uint32_t *other);
/* Is it still ours? Not after the region was left, nor in the child of a fork. */
bool place_is_ours(const held_place *place);
/* The same; false and an error set. */
bool place_check(const held_place *place, Ring *ring);
/* All up to that number is got; of a member, what it has. Wakes writers. */
void place_got(held_place *place, uint64_t sequence);
/* A member's next version: TSHM_READABLE, and `position` is before it; TSHM_NOTHING; TSHM_BUSY: another holds the
 * group's lock for longer than it should. */
int place_hand_out(held_place *place, reading_position *position);
/* The newest version up to a number of the ring's behind which nothing is missing. */
uint64_t place_version_at(const tshm_ring *ring, uint64_t sequence);
/* How many versions a group has still to hand out, before it comes to the newest. */
uint64_t place_group_pending(const held_place *place, uint64_t newest);
/* Leaves it, if it is this process's still. `keeps`: for as long as it was made to be kept. */
void place_leave(held_place *place, bool keeps);
/* A step is taken by the running thread. */
static inline void place_note(held_place *place) {
    steps_note(&place->slots->steps, place->number);
}

#endif
