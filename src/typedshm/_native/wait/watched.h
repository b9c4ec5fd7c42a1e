/* Regions that one thread watches: it sleeps on the heads of all of them, and keeps their memory meanwhile. */
#ifndef TYPEDSHM_WATCHED_H
#define TYPEDSHM_WATCHED_H

#include "lock/mutex.h"

/* One region, and the number that its head had when it was last looked at. */
typedef struct {
    const void *ring; /* only to be compared: it may have been freed */
    Mapping *mapping;
    Mutex *mutex; /* NULL: nobody can wake us */
    uint64_t instance;
    uint32_t number; /* the low half of head */
} watched_region;

/* The number that a region's head has now: the word that sleepers sleep on. */
uint32_t watched_number(const Mapping *mapping);
/* Has the region's memory been lost, or replaced by another region's? */
bool watched_is_gone(const watched_region *region);
/* Can a writer wake us? If not, the region has to be polled. */
bool watched_is_wakeable(const watched_region *region);
void watched_keep(const watched_region *region);
/* Runs no Python code. */
void watched_release(const watched_region *region);

typedef struct {
    os_waker waker;
    os_word *words; /* of the regions, in their order */
    watched_region *regions;
    uint32_t count;
    uint32_t wakeable; /* how many of them, the first ones */
    uint32_t room;
} watched_set;

/* Make room for so many; false if there is no memory left. */
bool watched_reserve(watched_set *set, size_t count);
/* Add one, for which there is room; those that are wakeable first. */
void watched_add(watched_set *set, const watched_region *region);
bool watched_contains(const watched_set *set, const void *ring);
/* Release all. Runs no Python code. */
void watched_clear(watched_set *set);
void watched_free(watched_set *set);
/* Of a region that is watched: the number of which it is to be told apart from now on. False: it is not watched. */
bool watched_renew(watched_set *set, const watched_region *region);
/* Sleep until a head has moved on or a region is gone; until the waker has been used more often than `wakes`; or until
 * a time of os_monotonic_ns; perhaps less long if `interruptible`, as by a signal. Needs no Python. */
void watched_sleep(watched_set *set, uint32_t wakes, uint64_t until, bool interruptible);

#endif
