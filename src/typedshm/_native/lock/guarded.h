/* What a Guard can hold: anything that is taken with a timeout and belongs to a thread. */
#ifndef TYPEDSHM_GUARDED_H
#define TYPEDSHM_GUARDED_H

#include "native.h"

enum {
    GUARDED_TAKEN = 0,
    GUARDED_TIMEOUT = 1,
    GUARDED_CLOSED = 2,
    GUARDED_GONE = 3,
    GUARDED_OTHER_TASK = 4,     /* of this thread has it, and awaits something */
    GUARDED_OTHER_GREENLET = 5, /* likewise */
    GUARDED_EXCEPTION = -1
};

/* What to tell _fail() of a lock that was not taken, and for which no Python error is set. */
static inline const char *guarded_problem(int result) {
    return result == GUARDED_TIMEOUT          ? "lock timeout"
           : result == GUARDED_GONE           ? "gone"
           : result == GUARDED_OTHER_TASK     ? "other task"
           : result == GUARDED_OTHER_GREENLET ? "other greenlet"
                                              : "closed";
}

typedef struct {
    /* EXCEPTION: a Python error is set. */
    int (*acquire)(PyObject *lock, int64_t ns);
    /* Only while it is held. `repaired`: what it guards is consistent. False: it was taken over, or belongs to another
     * thread, as a mutex of the system's may. */
    bool (*release)(PyObject *lock, bool repaired);
    /* How often the thread has it. */
    uint32_t (*depth)(PyObject *lock, unsigned long thread);
} guarded;

#endif
