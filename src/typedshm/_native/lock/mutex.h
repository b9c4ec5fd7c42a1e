/* The Mutex object: the lock of lock.h, made safe for the threads of one process. */
#ifndef TYPEDSHM_MUTEX_H
#define TYPEDSHM_MUTEX_H

#include "lock/guarded.h"
#include "lock/lock.h"
#include "memory/mapping.h"
#include "lock/peers.h"
#include "lock/task.h"

typedef struct {
    PyObject_HEAD
    Mapping *mapping;
    lock_handle lock;
    tshm_atomic_u32 gate;       /* open, or shut by the thread that has, or is taking, the lock */
    unsigned long thread;       /* that thread, or 0 */
    task_name task;             /* that held it first, if it is to be known: see mutex_hold() */
    uint64_t instance;          /* of the region that the lock belongs to */
    uint32_t forks;             /* when it took its presence entry */
    uint32_t depth;             /* how often it has taken it */
    bool brief;                 /* taken by a verb that gives it back by itself: close() may wait for that */
    bool recovered;             /* the last taking found a dead owner */
    TSHM_ATOMIC(bool) shut;     /* waiters go home */
    TSHM_ATOMIC(bool) detached; /* and soon the descriptor is no more */
} Mutex;

enum {
    MUTEX_TAKEN = GUARDED_TAKEN,
    MUTEX_TIMEOUT = GUARDED_TIMEOUT,
    MUTEX_DETACHED = GUARDED_CLOSED,
    MUTEX_GONE = GUARDED_GONE,
    MUTEX_OTHER_TASK = GUARDED_OTHER_TASK,
    MUTEX_EXCEPTION = GUARDED_EXCEPTION
};

bool mutex_check(PyObject *object);
bool mutex_is_mine(const Mutex *mutex);
/* Nobody is to take it any more; but it stays in working order for those who probe who is alive. */
void mutex_shut(Mutex *mutex);
/* Is its presence entry this process's? Not after close(), nor in the child of a fork that has got none of its own. */
bool mutex_is_present(const Mutex *mutex);
/* Held by a thread of this process, and not just for a moment. */
bool mutex_is_kept(const Mutex *mutex);
/* Re-enters for the thread that has it, unless that has noted a task and another one runs now. `ns`: how long to wait
 * at most. EXCEPTION: a Python error is set. */
int mutex_acquire(Mutex *mutex, int64_t ns);
/* The same, noting the task if the thread did not have it yet: for blocks of the user's, in which he may await. */
int mutex_hold(Mutex *mutex, int64_t ns);
/* The same for readers: whatever the task. */
int mutex_acquire_to_read(Mutex *mutex, int64_t ns);
/* Only by the thread that has it. False: the word was replaced under us. */
bool mutex_release(Mutex *mutex, bool repaired);
extern const guarded mutex_guarded;
int mutex_register(PyObject *module);

#endif
