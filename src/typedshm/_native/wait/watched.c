/* Sleeping on the heads of many regions, as wait() sleeps on one: announced, and a slice at a time. */
#include "wait/watched.h"

#include "os/faults.h"

#include <stdlib.h>

static const uint64_t POLL_SLICE = 2000000; /* ns: nobody wakes those who cannot announce themselves */

static void *word_of(const Mapping *mapping) {
    return &((tshm_control *)mapping->memory.start)->head.word; /* its low half: little-endian */
}

uint32_t watched_number(const Mapping *mapping) {
    tshm_ring ring = {.base = mapping->memory.start};
    return tshm_head_number(&ring);
}

bool watched_is_gone(const watched_region *region) {
    return !mapping_holds(region->mapping, region->instance);
}

bool watched_is_wakeable(const watched_region *region) {
    return region->mutex && os_words_max();
}

void watched_keep(const watched_region *region) {
    Py_INCREF((PyObject *)region->mapping);
    Py_XINCREF((PyObject *)region->mutex);
}

void watched_release(const watched_region *region) {
    Py_DECREF((PyObject *)region->mapping);
    Py_XDECREF((PyObject *)region->mutex);
}

bool watched_reserve(watched_set *set, size_t count) {
    if (count <= set->room)
        return true;
    os_word *words = realloc(set->words, 2 * count * sizeof *words);
    set->words = words ? words : set->words;
    watched_region *regions = words ? realloc(set->regions, 2 * count * sizeof *regions) : NULL;
    set->regions = regions ? regions : set->regions;
    if (regions)
        set->room = (uint32_t)(2 * count);
    return regions;
}

void watched_add(watched_set *set, const watched_region *region) {
    os_peers *peers = region->mutex ? &region->mutex->lock->lock.peers : NULL;
    tshm_control *control = (tshm_control *)region->mapping->memory.start;
    set->words[set->count] = (os_word){peers, control, word_of(region->mapping), region->number};
    set->regions[set->count++] = *region;
    set->wakeable += watched_is_wakeable(region);
    watched_keep(region);
}

bool watched_contains(const watched_set *set, const void *ring) {
    for (uint32_t i = 0; i < set->count; i++)
        if (set->regions[i].ring == ring)
            return true;
    return false;
}

void watched_clear(watched_set *set) {
    while (set->count)
        watched_release(&set->regions[--set->count]);
    set->wakeable = 0;
}

void watched_free(watched_set *set) {
    watched_clear(set);
    os_waker_free(&set->waker);
    free(set->words);
    free(set->regions);
}

static bool one_has_changed(const watched_set *set) {
    for (uint32_t i = 0; i < set->count; i++) {
        const watched_region *region = &set->regions[i];
        if (watched_number(region->mapping) != region->number || watched_is_gone(region))
            return true;
    }
    return false;
}

/* False: a head has moved on. */
static bool announce(const watched_set *set) {
    for (uint32_t i = 0; i < set->wakeable; i++)
        if (!mapping_prepare_sleep(set->regions[i].mapping, set->regions[i].number, &set->words[i].expected))
            return false;
    return true;
}

bool watched_renew(watched_set *set, const watched_region *region) {
    for (uint32_t i = 0; i < set->count; i++)
        if (set->regions[i].ring == region->ring && set->regions[i].mapping == region->mapping) {
            set->regions[i].number = region->number; /* from which announce() makes what its word has to be */
            return true;
        }
    return false;
}

void watched_sleep(watched_set *set, uint32_t wakes, uint64_t until, bool interruptible) {
    uint64_t most = set->wakeable < set->count ? POLL_SLICE : TSHM_SLICE;
    for (uint64_t now = os_monotonic_ns(); now < until; now = os_monotonic_ns()) {
        uint64_t slice = set->count && until - now > most ? most : until - now;
        faults_watch();
        if (!announce(set))
            return;
        os_words_wait(set->words, set->wakeable, &set->waker, wakes, slice);
        if (tshm_load(&set->waker.wakes, relaxed) != wakes || one_has_changed(set))
            return;
        if (interruptible && os_monotonic_ns() < now + slice)
            return; /* by a signal, if anything */
    }
}
