/* The slots that a handle has pinned. It counts its pins of each, since it has one bit there. */
#ifndef TYPEDSHM_PINS_H
#define TYPEDSHM_PINS_H

#include "ring/ring.h"

/* Pins the newest version: TSHM_READABLE, perhaps not for the first time; `version` as users count it. */
int pins_take(Ring *ring, tshm_cursor *cursor, uint64_t *version);
/* Lets go of one; the last one of a handle that was closed meanwhile leaves its region. */
void pins_give(Ring *ring, const tshm_cursor *cursor);
/* Counts a copy that was made because there was no pin to be had. */
void pins_count_copy(Ring *ring);
/* The handle is being closed: no more pins. False if arrays from borrow() still have some: the last of them calls
 * Region._leave(). */
bool pins_shut(Ring *ring);
bool pins_are_shut(Ring *ring);
/* It is not closed after all. */
void pins_reopen(Ring *ring);
/* Before a fork: keep what is pinned until the child has copied it, whatever other threads let go of meanwhile. */
bool pins_keep(Ring *ring);
/* In the parent, when the child has done so. */
void pins_drop(Ring *ring);
/* In the child, which has none of its parent's pins: put copies in the place of the slots that its arrays look into. */
void pins_after_fork(Ring *ring);

#endif
