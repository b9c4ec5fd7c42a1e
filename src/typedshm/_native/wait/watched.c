/* Sleeping on the heads of many regions, as wait() sleeps on one: announced, and a slice at a time. */
#include "wait/watched.h"

#include <stdlib.h>

static const uint64_t POLL_SLICE = 2000000; /* ns: nobody wakes those who cannot announce themselves */

static void *word_of(const Mapping *mapping) {
    return &((tshm_region *)mapping->memory.start)->head.version; /* its low half: little-endian */
}

uint32_t head_number(const Mapping *mapping) {
    /* acquire, with the release store in tshm_write_end */
    return tshm_load((tshm_atomic_u32 *)word_of(mapping), acquire);
}

bool head_is_gone(const Head *head) {
    return !mapping_holds(head->mapping, head->instance);
}

bool head_is_wakeable(const Head *head) {
    return head->mutex && os_words_max();
}

void head_keep(const Head *head) {
    Py_INCREF((PyObject *)head->mapping);
    Py_XINCREF((PyObject *)head->mutex);
}

void head_let_go(const Head *head) {
    Py_DECREF((PyObject *)head->mapping);
    Py_XDECREF((PyObject *)head->mutex);
}

bool heads_reserve(Heads *heads, size_t count) {
    if (count <= heads->room)
        return true;
    os_word *words = realloc(heads->words, 2 * count * sizeof *words);
    heads->words = words ? words : heads->words;
    Head *all = words ? realloc(heads->heads, 2 * count * sizeof *all) : NULL;
    heads->heads = all ? all : heads->heads;
    if (all)
        heads->room = (uint32_t)(2 * count);
    return all;
}

void heads_hold(Heads *heads, const Head *head) {
    os_peers *peers = head->mutex ? &head->mutex->lock.peers : NULL;
    tshm_region *lines = (tshm_region *)head->mapping->memory.start;
    heads->words[heads->count] = (os_word){peers, lines, word_of(head->mapping), head->number};
    heads->heads[heads->count++] = *head;
    heads->wakeable += head_is_wakeable(head);
    head_keep(head);
}

bool heads_hold_one_of(const Heads *heads, const void *ring) {
    for (uint32_t i = 0; i < heads->count; i++)
        if (heads->heads[i].ring == ring)
            return true;
    return false;
}

void heads_let_go(Heads *heads) {
    while (heads->count)
        head_let_go(&heads->heads[--heads->count]);
    heads->wakeable = 0;
}

void heads_free(Heads *heads) {
    heads_let_go(heads);
    os_bell_free(&heads->bell);
    free(heads->words);
    free(heads->heads);
}

static bool one_has_changed(const Heads *heads) {
    for (uint32_t i = 0; i < heads->count; i++) {
        const Head *head = &heads->heads[i];
        if (head_number(head->mapping) != head->number || head_is_gone(head))
            return true;
    }
    return false;
}

static void announce(const Heads *heads) {
    uint64_t now = os_realtime_ns();
    for (uint32_t i = 0; i < heads->wakeable; i++) {
        tshm_ring ring = {.base = heads->heads[i].mapping->memory.start};
        tshm_announce_sleep(&ring, now);
    }
}

void heads_sleep(Heads *heads, uint32_t rung, uint64_t until) {
    uint64_t most = heads->wakeable < heads->count ? POLL_SLICE : TSHM_SLICE;
    for (uint64_t now = os_monotonic_ns(); now < until; now = os_monotonic_ns()) {
        uint64_t slice = heads->count && until - now > most ? most : until - now;
        os_watch_faults();
        announce(heads);
        /* returns at once if a head has moved on */
        os_words_wait(heads->words, heads->wakeable, &heads->bell, rung, slice);
        if (tshm_load(&heads->bell.rung, relaxed) != rung || one_has_changed(heads))
            return;
    }
}
