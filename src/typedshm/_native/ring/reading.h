/* The verbs that read, and what else looks for a version. */
#ifndef TYPEDSHM_READING_H
#define TYPEDSHM_READING_H

#include "ring/ring.h"

/* Copies the newest version; `every`: the oldest above `after`. False and an error set if there is none. */
bool reading_copy(Ring *ring, void *to, uint64_t after, bool every, uint64_t *version);
/* For update(): the newest value, read under the lock. 1 done, 0 region is empty, < 0 error set. */
int reading_newest_locked(Ring *ring, void *to);
/* The newest complete version as users count it, 0 when empty, and when it was published. Never blocks. False and an
 * error set if the region is gone. */
bool reading_newest(Ring *ring, uint64_t *version, uint64_t *time);
/* This thread has got a version. False and an error set when out of memory. */
bool reading_remember(Ring *ring, uint64_t version);

/* The verbs, as methods. */
PyObject *reading_read(PyObject *self, PyObject *unused);
PyObject *reading_read_after(PyObject *self, PyObject *after);
PyObject *reading_read_into(PyObject *self, PyObject *value);
PyObject *reading_wait(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *reading_await(PyObject *self, PyObject *args);
PyObject *reading_newer(PyObject *self, PyObject *args);

#endif
