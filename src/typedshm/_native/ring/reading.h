/* The verbs that read, and what else looks for a version. */
#ifndef TYPEDSHM_READING_H
#define TYPEDSHM_READING_H

#include "ring/ring.h"

/* A version: its number as users count it, and when it was published in ns since 1970. */
typedef struct {
    uint64_t version, time;
} publication;

#define READING_ANY_AGE INT64_MAX

/* Copies the newest version; `every`: the oldest above `after`. False and an error set if there is none. */
bool reading_copy(Ring *ring, void *to, uint64_t after, bool every, int64_t max_age, publication *found);
/* From seconds to ns: NULL and None are any age. -1 and an error: no age. */
int64_t reading_max_age(PyObject *seconds);
/* Was a version published at most `max_age` ns ago? False and an error set if not. */
bool reading_is_fresh(Ring *ring, const publication *found, int64_t max_age);
/* For update(): the newest value, read under the lock. 1 done, 0 region is empty, < 0 error set. */
int reading_newest_locked(Ring *ring, void *to);
/* The newest complete version as users count it, 0 when empty, and when it was published. Never blocks. False and an
 * error set if the region is gone. */
bool reading_newest(Ring *ring, uint64_t *version, uint64_t *time);
/* The same of a ring that one has not joined. `time` stays as it is when empty. */
uint64_t reading_newest_of(const tshm_ring *ring, uint64_t *time);
/* The oldest version above `after` that is still in a slot, 0 if there is none. False and an error set if the region is
 * gone. */
bool reading_oldest(Ring *ring, uint64_t after, uint64_t *version);
/* This thread has got a version. False and an error set when out of memory. */
bool reading_remember(Ring *ring, uint64_t version);
/* The newest version as a new value, or an error set. */
PyObject *reading_newest_value(Ring *ring, int64_t max_age);
/* A new value, and which version it is: the newest, or with `every` the oldest above `after`. NULL: none, and an error
 * is set, or given as `refused` if it is the version's fault; see decoding_value(). */
PyObject *reading_value(Ring *ring, uint64_t after, bool every, uint64_t *version, PyObject **refused);

/* The verbs, as methods. */
PyObject *reading_read(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *reading_read_into(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

#endif
