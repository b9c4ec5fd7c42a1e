/* The claim of a process to be the only one that writes; see typedshm.h. */
#ifndef TYPEDSHM_CLAIM_H
#define TYPEDSHM_CLAIM_H

#include "lock/lock.h"

/* Only with the lock held: has another process the claim, and lives? That of a dead one is cleared. */
static inline bool claim_is_anothers(lock_handle *lock) {
    tshm_ring ring; /* what typedshm.h needs of it */
    ring.base = (unsigned char *)lock->control;
    ring.presence_count = lock->presence_count;
    return tshm_claimed(&ring, lock_alive, lock) != 0;
}
/* Only with the lock held. False: another has it, and lives. */
bool claim_take(lock_handle *lock);
/* Also without the lock: takes out this process's name alone, and whoever has the lock has made up its mind. */
void claim_give_up(lock_handle *lock);
/* The presence entry of whom the word names, or -1 if it names nobody, or somebody whose entry is another's by now. Not
 * probed. */
int claim_holder(const tshm_control *control, uint32_t presence_count);
/* Who publishes: whoever has written, or has the claim. */
enum { CLAIM_NEVER, CLAIM_ABANDONED, CLAIM_PUBLISHED };
/* PUBLISHED: one of those lives, as `alive` says; ABANDONED: there have been some; else NEVER. */
int claim_state(const tshm_control *control, uint32_t presence_count, tshm_alive alive, void *context);

#endif
