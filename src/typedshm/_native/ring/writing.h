/* The verb write, and what all that write stand on. */
#ifndef TYPEDSHM_WRITING_H
#define TYPEDSHM_WRITING_H

#include "ring/ring.h"

/* Takes the writers' lock for a write; false and an error set if that cannot be. */
bool writing_lock(Ring *ring, bool block, int64_t ns);
/* false and an error set if the lock, or all of the region, was lost meanwhile. */
bool writing_unlock(Ring *ring, bool block);
/* tshm_write_begin, which also waits for readers that are just taking back a pin too many, or the pins of a dead one
 * whose presence entry they have got. False: they do not. */
bool writing_begin(Ring *ring, tshm_cursor *cursor);
/* Copies a value into the next slot and publishes it; false and an error set if there is none. The lock is held.
 * `items`: NULL, or those of a value of one field, of which `value` is what stands before them. `due`: as
 * writing_publish. */
bool writing_store(Ring *ring, const void *value, const void *items, bool *due);
/* Publishes what stands in the slot, and wakes. The lock is held. True if it is time for mutex_look(). */
bool writing_publish(Ring *ring, const tshm_cursor *cursor);

PyObject *writing_write(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

#endif
