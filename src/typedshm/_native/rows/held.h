/* HeldRows: the rows of a table that one process has, for all of its threads and handles.
 *
 * A row's owner word knows processes only. So each process notes which of its threads has which row:
 *  1. A thread enters a row into the set first, then takes the word; it leaves in the opposite order. A word that names
 *     this process while the row is not in the set is garbage, as in rule 10 of lock.h.
 *  2. With a GIL, a verb that keeps it from taking the row to giving it back need not enter it while the set is empty:
 *     no other thread can be between.
 *  3. Whoever has rows may WAIT only for those above the highest of them: two threads that took 3 and 17 in opposite
 *     orders would wait for each other for ever. A lower row is tried, and refused if it is not free.
 *  4. The set is left before a handler of signals runs, which may write to that row, or close the handle.
 *  5. The child of a fork begins with an empty set; the words name its parent. */
#ifndef TYPEDSHM_HELD_H
#define TYPEDSHM_HELD_H

#include "lock/mutex.h"

/* One row in the set. */
typedef struct held_row {
    struct held_row *next;
    uint64_t number;
    unsigned long thread;
    uint32_t depth; /* how often that thread has it */
    bool block;     /* an update() is at work on it */
    task_name task; /* that has it; none if a verb does, which gives it back by itself */
    lock_word word;
} held_row;

enum { HELD_SHARDS = 1024 }; /* so that lock() of many rows finds each quickly */

typedef struct {
    PyObject_HEAD
    Mapping *mapping;
    WritersLock *lock; /* whose presence entry owns the rows; NULL: for reading only */
    os_peers peers;    /* by which owners are asked whether they live, where there is no lock */
    bool asks;         /* that can be done; otherwise owners count as alive */
    tshm_table table;  /* checked */
    uint32_t forks;
    tshm_atomic_u32 count; /* of rows in the set */
    struct held_shard {
        tshm_atomic_u32 lock; /* for moments only */
        tshm_atomic_u32 left; /* raised when one is given back; threads of this process that want one sleep on it */
        tshm_atomic_u32 waiters;
        held_row *first;
    } shards[HELD_SHARDS];
} HeldRows;

/* A row that a caller has, until held_give(). */
typedef struct {
    lock_word word;
    held_row *row;  /* in the set; NULL: taken by rule 2 */
    uint32_t forks; /* os_forks when it was taken: in a child, it is the parent's */
} held_hold;

enum {
    HELD_TAKEN = GUARDED_TAKEN,
    HELD_TIMEOUT = GUARDED_TIMEOUT,
    HELD_CLOSED = GUARDED_CLOSED,
    HELD_OTHER_TASK = GUARDED_OTHER_TASK,
    HELD_OTHER_GREENLET = GUARDED_OTHER_GREENLET,
    HELD_NESTED = 6, /* this thread has an update() at work on it */
    HELD_ORDER = 7,  /* rule 3 */
    HELD_MEMORY = 8,
    HELD_EXCEPTION = GUARDED_EXCEPTION
};

/* For whom a row is taken: for a verb that gives it back by itself, for lock(), or for an update(). */
enum held_use { HELD_VERB, HELD_LOCK, HELD_BLOCK };

bool held_check(PyObject *object);
/* What to tell _fail() of a row that was not taken, and for which no Python error is set. */
const char *held_problem(int result);
/* By rule 2, for a verb that keeps the GIL until it gives the row back. False: the row is another's, or this cannot be
 * told so quickly. */
bool held_take_now(HeldRows *held, uint64_t number, held_hold *hold);
/* Re-enters for the thread that has it. `ns`: how long to wait at most. EXCEPTION: a Python error is set. */
int held_take(HeldRows *held, Mutex *mutex, uint64_t number, enum held_use use, int64_t ns, held_hold *hold);
/* False: the word was replaced under us, or it is a parent's. */
bool held_give(HeldRows *held, Mutex *mutex, held_hold *hold, enum held_use use);
/* Does this thread have the row? */
bool held_is_mine(HeldRows *held, uint64_t number);
/* Does somebody alive have the row whose owner word was read so? */
bool held_owner_lives(HeldRows *held, uint64_t number, uint64_t word);
int held_register(PyObject *module);

#endif
