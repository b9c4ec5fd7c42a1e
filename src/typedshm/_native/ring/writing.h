/* The verb write, and what all that write stand on. */
#ifndef TYPEDSHM_WRITING_H
#define TYPEDSHM_WRITING_H

#include "ring/arrays.h"
#include "ring/ring.h"
#include "ring/room.h"

/* Takes the writers' lock for a write; false and an error set if that cannot be. */
bool writing_lock(Ring *ring, bool block, int64_t ns);
/* The same for a follower, also where another publishes exclusively. */
bool writing_lock_to_register(Ring *ring, int64_t ns);
/* false and an error set if the lock, or all of the region, was lost meanwhile. */
bool writing_unlock(Ring *ring, bool block);
/* tshm_write_begin, which also waits for readers that are just taking back a pin too many, or the pins of a dead one
 * whose presence entry they have got. TSHM_PINNED: they do not. */
int writing_begin(Ring *ring, tshm_cursor *cursor);
/* Copies a value into the slot of a block, and publishes it. The lock is held. */
void writing_store(Ring *ring, const void *value, const tshm_cursor *cursor);
/* The same for the next slot: TSHM_WRITABLE, or why there is none. */
int writing_store_next(Ring *ring, const void *value);
/* Publishes what stands in the slot, and wakes. The lock is held. True if it is time for mutex_look(). */
bool writing_publish(Ring *ring, const tshm_cursor *cursor);

enum { WRITING_FAILED = -3 };

/* A value as write() takes it: what is copied into a slot. */
typedef struct {
    PyObject *value;
    Py_buffer view;
    bool apart; /* the view is that of the items of the only field, and `head` is what stands before them */
    char *head, small[ARRAYS_SMALL_HEAD];
    uint64_t version; /* the number that it is to have, 0: the next. In the end the one that it has */
    uint64_t time;    /* when it is to have been published, ns since 1970; 0: now */
} writing_value;

/* False and an error set if it is none; nothing has to be closed then. */
bool writing_open(Ring *ring, PyObject *given, writing_value *value);
void writing_close(writing_value *value);
/* One attempt, with the lock for as long as it takes: TSHM_WRITABLE, TSHM_AWAITED with what to do in `wait`, or
 * WRITING_FAILED and an error set. */
int writing_try(Ring *ring, writing_value *value, room_wait *wait, bool patient);
/* As many as it takes, for at most `ns`. False and an error set. */
bool writing_do(Ring *ring, writing_value *value, int64_t ns);

PyObject *writing_write(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

#endif
