/* What a Guard can hold: anything that is taken with a timeout and belongs to a thread. */
#ifndef TYPEDSHM_GUARD_H
#define TYPEDSHM_GUARD_H

#include "native.h"

#include <stdbool.h>

enum {
    GUARD_TAKEN = 0,
    GUARD_TIMEOUT = 1,
    GUARD_CLOSED = 2,
    GUARD_GONE = 3,
    GUARD_OTHER_TASK = 4, /* of this thread has it, and awaits something */
    GUARD_EXCEPTION = -1
};

/* What to tell _fail() of a lock that was not taken, and for which no Python error is set. */
static inline const char *guard_problem(int result) {
    return result == GUARD_TIMEOUT      ? "lock timeout"
           : result == GUARD_GONE       ? "gone"
           : result == GUARD_OTHER_TASK ? "other task"
                                        : "closed";
}

typedef struct {
    /* EXCEPTION: a Python error is set. */
    int (*acquire)(PyObject *lock, int64_t ns);
    /* Only while somebody has it. `repaired`: what it guards is in order. False: it was taken from us, or is not ours
     * to give back, as a mutex of the system's is not in another thread. */
    bool (*release)(PyObject *lock, bool repaired);
    /* How often the thread has it. */
    uint32_t (*depth)(PyObject *lock, unsigned long thread);
} guard_lock;

extern const guard_lock mutex_lock;
#ifdef _WIN32
extern const guard_lock kernel_mutex_lock;
bool kernel_mutex_check(PyObject *object);
#endif

#endif
