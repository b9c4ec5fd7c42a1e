/* The WritersLock object: the lock of lock.h as one process holds it, for all of its threads and handles. */
#ifndef TYPEDSHM_WRITERS_LOCK_H
#define TYPEDSHM_WRITERS_LOCK_H

#include "lock/claim.h"
#include "lock/guarded.h"
#include "lock/lock.h"
#include "lock/peers.h"
#include "lock/task.h"
#include "memory/mapping.h"

typedef struct {
    PyObject_HEAD
    Mapping *mapping;
    lock_handle lock;
    lock_word word;
    tshm_atomic_u32 local_lock; /* held by the thread that holds, or is taking, the shared lock */
    unsigned long thread;       /* that thread, or 0 */
    task_name task;             /* that holds it; none if a verb does, which gives it back by itself */
    uint64_t instance;          /* of the region that the lock belongs to */
    uint32_t forks;             /* when it took its presence entry */
    uint32_t depth;             /* how often that thread has taken it */
    bool transient;             /* taken by a verb that gives it back by itself: detach() may wait for that */
    bool recovered;             /* the last taking found a dead owner */
    uint32_t claims;            /* how many handles publish exclusively; Python sees to it that one at a time changes */
    TSHM_ATOMIC(bool) wrote;    /* this process has published something, and its presence entry says so */
    TSHM_ATOMIC(bool) detached; /* waiters go home, and soon the descriptor is no more */
    tshm_atomic_u64 looked; /* when a writer last asked what the name means: in ns since 1970; 0: it may not write */
} WritersLock;

enum {
    WRITERS_LOCK_TAKEN = GUARDED_TAKEN,
    WRITERS_LOCK_TIMEOUT = GUARDED_TIMEOUT,
    WRITERS_LOCK_CLOSED = GUARDED_CLOSED,
    WRITERS_LOCK_GONE = GUARDED_GONE,
    WRITERS_LOCK_OTHER_TASK = GUARDED_OTHER_TASK,
    WRITERS_LOCK_OTHER_GREENLET = GUARDED_OTHER_GREENLET,
    WRITERS_LOCK_CLAIMED = 6, /* another process publishes exclusively */
    WRITERS_LOCK_EXCEPTION = GUARDED_EXCEPTION
};

bool writers_lock_check(PyObject *object);
/* How often a thread has it, by whatever handle. */
uint32_t writers_lock_depth(const WritersLock *lock, unsigned long thread);
bool writers_lock_is_mine(const WritersLock *lock);
/* Is its presence entry this process's? Not after detach(), nor in the child of a fork that has got none of its own. */
bool writers_lock_is_present(const WritersLock *lock);
/* Re-enters for the thread that has it. `ns`: how long to wait at most. `closing`: set when the handle that wants it is
 * being closed. `look`: called now and then by who has to wait; raises if that is for nothing; or NULL. EXCEPTION: a
 * Python error is set. */
int writers_lock_acquire(WritersLock *lock, const TSHM_ATOMIC(bool) * closing, PyObject *look, int64_t ns);
/* Between two sleeps of a waiter: signal handlers, and now and then a look at what it waits for; at once if there is
 * nothing any more by which a death could be found out. `looked` is 0 at first. False and an error set: it waits no
 * longer. */
bool writers_lock_goes_on(const WritersLock *lock, PyObject *look, uint64_t *looked);
/* Only by the thread that has it. False: the word was replaced under us. */
bool writers_lock_release(WritersLock *lock, bool repaired);
/* Its presence entry says that this process has written. By a thread that has just
 * published something. */
static inline void writers_lock_note_write(WritersLock *lock) {
    if (tshm_load(&lock->wrote, relaxed))
        return;
    tshm_store(&lock->wrote, true, relaxed);
    (void)tshm_change(or, &lock_presence(&lock->lock)->flags, TSHM_WROTE, relaxed);
}
/* Is it time to ask what the name means? `now`: in ns since 1970, as a clock has it that may be set. */
static inline bool writers_lock_look_is_due(const WritersLock *lock, uint64_t now) {
    return now - tshm_load(&lock->looked, relaxed) + TSHM_SLICE >= 2 * TSHM_SLICE; /* before or after it */
}
int writers_lock_register(PyObject *module);

#endif
