/* Locks of participants: owner words in shared memory, with the owners' lives proved by the kernel. A region has one,
 * the writers' lock; in a table each row has one.
 *
 * The rules (why each is needed was found by model checking and by killing processes):
 *  1. The presence descriptor is private: never mapped, duplicated or passed on.
 *  2. After fork the child attaches anew before anything else.
 *  3. A presence entry is taken by trying to lock its byte; asking first would race.
 *  4. Whoever takes an entry raises its generation before anything else. A word names entry and generation; its owner
 *     lives if the byte is held and, looked at after that, the generation is still the same.
 *  5. Every acquisition raises the counter; nothing resets it.
 *  6. Take-over: read the word, probe the owner, swap exactly that word. Never reuse an old probe.
 *  7. Take-over sets DIRTY; only an unlock after the repair clears it.
 *  8. Who has slept acquires with WAITING set, for those who may still sleep. Sleeps are sliced.
 *  9. Unlock swaps from {me, my counter} and tolerates changes of WAITING only; otherwise it stores nothing.
 * 10. A word that names me while I don't hold it, or an entry out of range, is garbage and is taken over.
 * 11. The program may have closed the presence descriptor. Only a probe through one that is still ours proves a death;
 *     and once my entry is another's, which its generation tells, neither the lock nor a pin bit is mine to touch.
 *
 * A word is used by one thread of a process at a time: its user provides the exclusion inside the process.
 */
#ifndef TYPEDSHM_LOCK_H
#define TYPEDSHM_LOCK_H

#include "os/os.h"

typedef struct {
    tshm_control *control;
    os_peers peers;
    uint32_t presence_count; /* from a checked header */
    uint32_t entry;          /* mine */
    uint32_t generation;     /* of my entry, as long as it is mine */
} lock_handle;

/* A word, as the participant sees it that holds it or wants to. */
typedef struct {
    tshm_atomic_u64 *word;
    uint64_t held; /* the word while I hold it, else 0 */
    bool slept;    /* in vain, since it was last taken */
} lock_word;

enum {
    LOCK_TAKEN = 0,
    LOCK_RECOVERED = 1, /* taken; its last owner died holding it */
    LOCK_BUSY = -1,
    LOCK_LOST = -2, /* on unlock: another replaced the word */
    LOCK_FULL = -3, /* on attach: every presence entry is taken */
    LOCK_ERROR = -4 /* on attach: errno says why */
};

/* Take a presence entry. `peers` have been opened. What its last holder left behind is for the caller: `flags` of the
 * entry are still its. */
int lock_attach(lock_handle *lock);
/* Take the lock if that needs no sleep: it is free, or its owner is dead. */
int lock_try(lock_handle *lock, lock_word *place);
/* Sleep for at most `ns` because lock_try said BUSY, then try again. */
int lock_wait(lock_handle *lock, lock_word *place, uint64_t ns);
/* `repaired`: what a dead owner left behind is in order again. */
int lock_release(lock_handle *lock, lock_word *place, bool repaired);
/* Does whom a word names live? Not if it names nobody. */
bool lock_owner_lives(lock_handle *lock, uint64_t word);
/* The owner's presence entry, or -1 when the lock is free or its owner's entry is another's. Not probed; for people. */
int lock_owner(const tshm_control *control);
static inline tshm_presence *lock_presence(const lock_handle *lock) {
    return &lock->control->presence[lock->entry];
}
/* Is my entry still mine? Rule 11. A generation that was only written over is put right. */
bool lock_keeps_entry(lock_handle *lock);
/* Is presence entry `entry` alive? Errors count as alive. For tshm_write_begin: `context` is the lock. */
int lock_alive(void *context, uint32_t entry);

#endif
