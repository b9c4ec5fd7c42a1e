/* The Mutex object: the way of one handle to its process's WritersLock. */
#ifndef TYPEDSHM_MUTEX_H
#define TYPEDSHM_MUTEX_H

#include "lock/writers_lock.h"

typedef struct {
    PyObject_HEAD
    WritersLock *lock;
    uint32_t forks;            /* os_forks when the counts below began */
    tshm_atomic_u32 holds;     /* blocks and guards that were entered through this handle, and not yet left */
    tshm_atomic_u32 verbs;     /* that have it for a moment, and give it back by themselves */
    bool claims;               /* this handle publishes exclusively */
    bool recovered;            /* the last taking through this handle found a dead owner */
    TSHM_ATOMIC(bool) closing; /* the handle is closed or about to be: its waiters go home */
    PyObject *look;            /* () -> None; raises if it is lost or replaced; or NULL */
} Mutex;

bool mutex_check(PyObject *object);
/* Held by this thread, through this handle. */
bool mutex_is_mine(const Mutex *mutex);
/* For a verb that gives it back by itself: re-enters for the thread that has it, unless that has noted a task and
 * another one runs now. `ns`: how long to wait at most. EXCEPTION: a Python error is set. */
int mutex_acquire(Mutex *mutex, int64_t ns);
/* The same for readers: whatever the task. */
int mutex_acquire_to_read(Mutex *mutex, int64_t ns);
/* Only by the thread that has it. False: the word was replaced under us. */
bool mutex_release(Mutex *mutex, bool repaired);
/* Ask the system whether the region is still there and has its name; false and an error set if not. */
bool mutex_look(Mutex *mutex);
/* A writer asks what the name means after it has published, by the time of that. Who was told once that nobody else is
 * there to read asks before, so that an error is no write. False and an error set. */
bool mutex_may_write(Mutex *mutex);
/* For blocks of the user's, who may await in there: the handle cannot be closed before it is given back, and the task
 * is noted, if the thread did not have the lock yet. */
int mutex_hold(Mutex *mutex, int64_t ns);
/* Also by another thread, for a block that was thrown away. */
bool mutex_give_back(Mutex *mutex, bool repaired);
/* For verbs that take other locks than this: close() waits for them, or with `block` is refused. False: the handle is
 * being closed, and nothing was counted. */
bool mutex_begin(Mutex *mutex, bool block);
void mutex_end(Mutex *mutex, bool block);
extern const guarded mutex_guarded;
int mutex_register(PyObject *module);

#endif
