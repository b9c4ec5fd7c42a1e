/* The heads of many regions, held by one thread for as long as a sleep on all of them lasts. */
#ifndef TYPEDSHM_HEADS_H
#define TYPEDSHM_HEADS_H

#include "lock/mutex.h"

/* The head of one region, as who waits for it has seen it. */
typedef struct {
    const void *ring; /* whose it is; only to be compared, for it may be no more */
    Mapping *mapping;
    Mutex *mutex; /* NULL: nobody can wake us */
    uint64_t instance;
    uint32_t number; /* that it had when it was last looked at: its low half */
} Head;

/* The number that a region's head has now, which its sleepers sleep on. */
uint32_t head_number(const Mapping *mapping);
/* Is the region's memory, or what is in it, another's by now? */
bool head_is_gone(const Head *head);
/* Can somebody wake us when it moves on? Else it has to be looked at again and again. */
bool head_is_wakeable(const Head *head);
void head_keep(const Head *head);
/* Runs no Python code. */
void head_let_go(const Head *head);

typedef struct {
    os_bell bell;
    os_word *words; /* of the heads, in their order */
    Head *heads;
    uint32_t count;
    uint32_t wakeable; /* how many of them, the first ones */
    uint32_t room;
} Heads;

/* Room for so many; false if there is no memory left. */
bool heads_reserve(Heads *heads, size_t count);
/* Hold one more, for which there is room; those that are wakeable first. */
void heads_hold(Heads *heads, const Head *head);
bool heads_hold_one_of(const Heads *heads, const void *ring);
/* Let go of all. Runs no Python code. */
void heads_let_go(Heads *heads);
void heads_free(Heads *heads);
/* Sleep until one has another number or is gone; until the bell has been rung more often than `rung`; or until a time
 * of os_monotonic_ns. Needs no Python. */
void heads_sleep(Heads *heads, uint32_t rung, uint64_t until);

#endif
