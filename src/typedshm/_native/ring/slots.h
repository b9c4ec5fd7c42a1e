/* The Slots object: the slots of a region that one process uses in place, for all of its threads and handles: those
 * that readers have pinned, and the one that an update() or loan() block fills. */
#ifndef TYPEDSHM_SLOTS_H
#define TYPEDSHM_SLOTS_H

#include "lock/writers_lock.h"
#include "ring/steps.h"

/* The process counts its pins of each slot, since it has one bit there. */
typedef struct {
    PyObject_HEAD
    WritersLock *lock; /* which also keeps the mapping */
    tshm_ring ring;    /* checked */
    tshm_atomic_u32 local_lock;
    bool shut;                    /* nobody is to pin anything: the last handle was closed */
    uint32_t pinned;              /* how many slots are */
    uint64_t intact_at;           /* when our presence entry was still ours, in ns since 1970 */
    uint32_t *users;              /* of each slot: how many pins */
    bool *kept;                   /* of each slot: one of those users is a fork that is under way */
    TSHM_ATOMIC(Mapping *) pages; /* the region once more, read-only; NULL until somebody borrows */
    steps steps;                  /* of this process's followers, in a lossless region */
    uint64_t dropped;             /* when it was last asked which followers live; only the thread that has the lock */
    uint64_t left;                /* what tshm_left() said before that; likewise */
    PyObject *lease;              /* of the open block, or NULL; only the thread that has the lock looks */
} Slots;

bool slots_check(PyObject *object);
/* Pins the newest version, or with `kept` the cursor's, for which writers wait: TSHM_READABLE, perhaps not for the
 * first time; `version` as users count it. */
int slots_pin(Slots *slots, bool kept, tshm_cursor *cursor, uint64_t *version);
/* Lets go of one. True if it was the last one, and no handle is left: the region can be left now. */
bool slots_unpin(Slots *slots, const tshm_cursor *cursor);
/* How many slots are pinned, by any living process. */
uint32_t slots_count_pinned(const Slots *slots);
/* A block begins, or with NULL ends, whose value depends on `lease`. By the thread that has the lock. */
void slots_set_block(Slots *slots, PyObject *lease);
int slots_register(PyObject *module);

#endif
