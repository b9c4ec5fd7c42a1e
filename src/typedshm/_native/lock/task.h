/* Who runs in this thread: the task of an event loop, as Python knows it. */
#ifndef TYPEDSHM_TASK_H
#define TYPEDSHM_TASK_H

#include "native.h"

/* A name for a task: its address, to be compared and never followed. So whoever notes it keeps no task alive, which
 * could not be collected then: it has the lock that would keep it. NULL is no task. */
typedef const void *task_name;

/* Which one runs. False and an error set if that fails. Runs Python code, and so signal handlers. */
bool task_running(task_name *task);
int task_register(PyObject *module);

#endif
