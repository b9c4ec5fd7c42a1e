/* The verbs that read, and what else looks for a version. */
#ifndef TYPEDSHM_READING_H
#define TYPEDSHM_READING_H

#include "ring/ring.h"

/* A version: its number as users count it, when it was published in ns since 1970, its number in the ring. `lost`: it
 * was torn by a writer's death, which has been told. */
typedef struct {
    uint64_t version, time, sequence;
    bool lost;
} publication;

#define NO_PUBLICATION ((publication){0, 0, 0, false})

/* Where somebody is who goes from version to version: the ring's number up to which it has gone, and the newest version
 * up to there, as users count. `kept`: writers wait for it. */
typedef struct {
    uint64_t sequence, version;
    bool kept;
} reading_position;

#define READING_ANY_AGE INT64_MAX

/* Copies the next version behind a position, or for NULL the newest. 1 done, 0 there is none, -1 an error is set. */
int reading_copy(Ring *ring, void *to, const reading_position *behind, int64_t max_age, publication *found);
/* One attempt to copy the next version behind a position: TSHM_NOTHING, TSHM_READABLE (done) or TSHM_BUSY. Sets no
 * error, and needs no GIL. */
int reading_try_next(const Ring *ring, void *to, const reading_position *behind, publication *found);
/* From seconds to ns: NULL and None are any age. -1 and an error: no age. */
int64_t reading_max_age(PyObject *seconds);
/* Was a version published at most `max_age` ns ago? False and an error set if not. */
bool reading_is_fresh(Ring *ring, const publication *found, int64_t max_age);
/* For update(): the newest value, read under the lock. 1 done, 0 region is empty, < 0 error set. */
int reading_newest_locked(Ring *ring, void *to);
/* The newest complete version as users count it, 0 when empty, and when it was published. Never blocks. False and an
 * error set if the region is gone. */
bool reading_newest(Ring *ring, uint64_t *version, uint64_t *time);
bool reading_last(Ring *ring, publication *found);
/* The same of a ring that one has not joined. `time` stays as it is when empty. */
uint64_t reading_newest_of(const tshm_ring *ring, uint64_t *time);
publication reading_last_of(const tshm_ring *ring);
/* This thread has got a version. False and an error set when out of memory. */
bool reading_remember(Ring *ring, uint64_t version);
/* The newest version as a new value, or an error set. */
PyObject *reading_newest_value(Ring *ring, int64_t max_age);
/* A new value, and which version it is: the next behind a position, or for NULL the newest. NULL: none, and perhaps an
 * error is set, or given as `refused` if it is the version's fault; see decoding_value(). */
PyObject *reading_value(Ring *ring, const reading_position *behind, publication *found, PyObject **refused);

/* The verbs, as methods. */
PyObject *reading_read(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *reading_read_into(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

#endif
