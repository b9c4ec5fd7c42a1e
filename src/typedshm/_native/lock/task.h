/* Who runs in this thread: the task of an event loop, the greenlet, as Python knows them. */
#ifndef TYPEDSHM_TASK_H
#define TYPEDSHM_TASK_H

#include "native.h"

/* The names of a task and of the greenlet that it, or whatever else, runs in: their addresses, to be compared and never
 * followed. So whoever notes them keeps nothing alive, which could not be collected then: it has the lock that would
 * keep it. NULL is none: no loop runs, or nobody has imported greenlets. */
typedef struct {
    const void *task, *greenlet;
} task_name;

#define TASK_NONE ((task_name){NULL, NULL})

/* Which ones run. False and an error set if that fails. May run Python code, and so signal handlers. */
bool task_running(task_name *name);
/* Are there any to be told apart? */
static inline bool task_is_noted(const task_name *name) {
    return name->task || name->greenlet;
}
/* Why one that runs now has no part in what another holds: GUARDED_OTHER_TASK, GUARDED_OTHER_GREENLET; or it has:
 * GUARDED_TAKEN. What is held outside of a loop is held by all of its tasks. */
int task_compare(const task_name *holder, const task_name *now);
int task_register(PyObject *module);

#endif
