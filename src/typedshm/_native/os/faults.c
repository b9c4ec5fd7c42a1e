/* A list that only grows, of entries that are used again. An entry changes hands by its `memory`; the handler looks at
 * addresses that lie in the entry itself, so that it follows the pointer of a living mapping only: the one that the
 * faulting thread is just using. */
#include "os/faults.h"

#include <stdlib.h>

struct entry {
    TSHM_ATOMIC(os_memory *) memory; /* NULL: free */
    TSHM_ATOMIC(uintptr_t) start;
    TSHM_ATOMIC(uintptr_t) end; /* stored last, 0 first: nothing lies below it */
    tshm_atomic_u32 visited;    /* faults_sweep is at it, so it must not be unmapped */
    tshm_atomic_u32 faults;     /* since it was covered */
    struct entry *next;         /* never changes */
};

static TSHM_ATOMIC(struct entry *) entries;

/* Threads that were about to touch a page while it was covered come back once each. More than that is something else: a
 * write to read-only pages, which macOS reports like a loss. */
static const uint32_t FAULTS_MAX = 10000;

static bool claim(struct entry *entry, os_memory *memory) {
    os_memory *nobody = NULL;
    return tshm_exchange_if(&entry->memory, &nobody, memory, acquire); /* with the release in faults_remove */
}

static struct entry *new_entry(os_memory *memory) {
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    tshm_store(&entry->memory, memory, relaxed);
    entry->next = tshm_load(&entries, relaxed);
    while (!tshm_exchange_if(&entries, &entry->next, entry, release)) /* with the acquire in first() */
        ;
    return entry;
}

static struct entry *first(void) {
    return tshm_load(&entries, acquire);
}

bool faults_add(os_memory *memory) {
    struct entry *entry = first();
    while (entry && !claim(entry, memory))
        entry = entry->next;
    if (!entry && !(entry = new_entry(memory)))
        return false;
    tshm_store(&entry->faults, 0, relaxed);
    tshm_store(&entry->start, (uintptr_t)memory->start, relaxed);
    tshm_store(&entry->end, (uintptr_t)memory->start + memory->size, release); /* with the acquire in faults_at */
    return true;
}

void faults_remove(os_memory *memory) {
    struct entry *entry = first();
    while (entry && tshm_load(&entry->memory, relaxed) != memory)
        entry = entry->next;
    if (!entry)
        return;
    tshm_store(&entry->end, 0, seq_cst); /* with the look at `end` in faults_sweep: it sees this, or we see its visit */
    while (tshm_load(&entry->visited, seq_cst))
        os_relax();
    tshm_store(&entry->memory, NULL, release); /* with the acquire in claim() */
}

static bool cover(os_memory *memory, tshm_atomic_u32 *faults) {
    uint32_t there = OS_THERE;
    if (tshm_exchange_if(&memory->lost, &there, OS_GOING, seq_cst)) {
        if (!os_cover(memory)) {
            tshm_store(&memory->lost, OS_THERE, relaxed);
            return false;
        }
        tshm_store(&memory->lost, OS_LOST, release); /* with the acquire in os_unmap */
        return true;
    }
    /* another thread is just covering it, or was done before we looked: try again */
    return atomic_fetch_add_explicit(faults, there == OS_LOST, memory_order_relaxed) < FAULTS_MAX;
}

bool faults_at(uintptr_t address, bool write) {
    for (struct entry *entry = first(); entry; entry = entry->next) {
        uintptr_t end = tshm_load(&entry->end, acquire); /* with the release in faults_add */
        uintptr_t start = tshm_load(&entry->start, acquire);
        /* `end` once more: the entry may have changed hands in between, which the acquire of `start` has us see */
        if (address >= end || address < start || tshm_load(&entry->end, relaxed) != end)
            continue;
        os_memory *memory = tshm_load(&entry->memory, relaxed);
        return (memory->writable || !write) && cover(memory, &entry->faults);
    }
    return false;
}

bool faults_sweep(bool (*is_damaged)(const os_memory *memory)) {
    bool found = false;
    for (struct entry *entry = first(); entry; entry = entry->next) {
        atomic_fetch_add_explicit(&entry->visited, 1, memory_order_seq_cst); /* with the looks in faults_remove */
        if (tshm_load(&entry->end, seq_cst)) {
            os_memory *memory = tshm_load(&entry->memory, relaxed);
            if (tshm_load(&memory->lost, relaxed) == OS_THERE && is_damaged(memory))
                found |= cover(memory, &entry->faults);
        }
        atomic_fetch_sub_explicit(&entry->visited, 1, memory_order_release);
    }
    return found;
}

void faults_after_fork(void) {
    for (struct entry *entry = first(); entry; entry = entry->next) {
        tshm_store(&entry->visited, 0, relaxed);
        os_memory *memory = tshm_load(&entry->end, relaxed) ? tshm_load(&entry->memory, relaxed) : NULL;
        if (memory && tshm_load(&memory->lost, relaxed) == OS_GOING)
            tshm_store(&memory->lost, OS_THERE, relaxed);
    }
}
