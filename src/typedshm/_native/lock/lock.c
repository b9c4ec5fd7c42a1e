#include "lock/lock.h"

#include <errno.h>

#define OWNER(word) ((uint32_t)((word) & TSHM_WORD_OWNER)) /* entry + 1 */
#define GENERATION(word) ((word) & TSHM_WORD_GENERATION(UINT32_MAX))

/* Rule 8's slice: a waker or a woken waiter may have been killed on the way. */
static const uint64_t SLICE = 10000000; /* ns */

int lock_alive(void *context, uint32_t entry) {
    lock_handle *lock = context;
    if (entry == lock->entry)
        return 1; /* asking through one's own descriptor says nothing (rule 2) */
    if (entry >= lock->presence_count)
        return 0;
    /* rule 11: before, since the number may be another file's; and after, where the answer would be acted upon */
    return !os_peers_intact(&lock->peers) || os_peers_alive(&lock->peers, entry) != 0 || !os_peers_intact(&lock->peers);
}

bool lock_keeps_entry(lock_handle *lock) {
    tshm_atomic_u32 *generation = &lock_presence(lock)->generation;
    if (tshm_load(generation, relaxed) == lock->generation)
        return true;
    if (!os_peers_intact(&lock->peers))
        return false;
    tshm_store(generation, lock->generation, relaxed);
    tshm_fence(release); /* as in lock_attach: before any word that names it */
    return true;
}

/* Rule 4. */
bool lock_owner_lives(lock_handle *lock, uint64_t word) {
    uint32_t entry = OWNER(word) - 1;
    if (OWNER(word) == 0)
        return false;
    /* acquire fence, with the release fence in lock_attach: who sees a word sees the generation that it names */
    tshm_fence(acquire);
    return lock_alive(lock, entry) &&
           GENERATION(word) == TSHM_WORD_GENERATION(tshm_load(&lock->control->presence[entry].generation, acquire));
}

/* For people: how often, and when last. Once for every owner whose name was taken out of the word. */
static void count_death(lock_handle *lock) {
    atomic_fetch_add_explicit(&lock->control->writer.deaths, 1, memory_order_relaxed);
    tshm_store(&lock->control->writer.died_at, os_realtime_ns(), relaxed);
}

int lock_attach(lock_handle *lock) {
    uint32_t entry = 0;
    for (; entry < lock->presence_count; entry++) {
        int result = os_peers_claim(&lock->peers, entry); /* rule 3 */
        if (result == 0)
            break;
        if (result < 0) {
            errno = -result;
            return LOCK_ERROR;
        }
    }
    if (entry == lock->presence_count)
        return LOCK_FULL;
    lock->entry = entry;
    tshm_presence *presence = lock_presence(lock);
    lock->generation = tshm_load(&presence->generation, relaxed) + 1; /* rule 4 */
    /* release, with the acquire load in owner_lives: who learns by it of a death sees what the dead stored */
    tshm_store(&presence->generation, lock->generation, release);
    /* release fence, with the acquire fence in owner_lives: the generation is there before any word that names it */
    tshm_fence(release);
    presence->pid = os_process_id();
    presence->since = os_realtime_ns();
    presence->started = os_process_started();
    return LOCK_TAKEN;
}

/* Swap `word`, as read, for one that names me. */
static int take(lock_handle *lock, lock_word *place, uint64_t word, uint64_t flags) {
    if (place->slept)
        flags |= TSHM_WORD_WAITING;                                      /* rule 8 */
    uint64_t mine = ((word & TSHM_WORD_COUNTER) + TSHM_WORD_ACQUISITION) /* rule 5 */
                    | (word & (TSHM_WORD_WAITING | TSHM_WORD_DIRTY)) | flags | TSHM_WORD_GENERATION(lock->generation) |
                    (lock->entry + 1);
    /* acquire, with the release in lock_release: everything its last owner stored is visible. A row's: seq_cst, with
     * the load of it by who looks for changes */
    if (!tshm_exchange_if(place->word, &word, mine, seq_cst))
        return LOCK_BUSY;
    place->held = mine;
    place->slept = false;
    return mine & TSHM_WORD_DIRTY ? LOCK_RECOVERED : LOCK_TAKEN;
}

/* Take over from a dead owner. */
static int take_over(lock_handle *lock, lock_word *place, uint64_t word) {
    int result = take(lock, place, word, TSHM_WORD_WAITING | TSHM_WORD_DIRTY);
    if (result >= 0)
        count_death(lock);
    return result;
}

/* One attempt. On BUSY, `observed` is the word of a living owner. */
static int attempt(lock_handle *lock, lock_word *place, bool probe, uint64_t *observed) {
    uint64_t word = tshm_load(place->word, relaxed);
    *observed = word;
    if (!lock_keeps_entry(lock))
        return LOCK_BUSY;
    uint32_t owner = OWNER(word);
    if (owner == 0)
        return take(lock, place, word, 0);
    if (owner == lock->entry + 1 || owner > lock->presence_count)
        return take_over(lock, place, word); /* rule 10; or it names who had my entry before me, and is dead */
    if (probe && !lock_owner_lives(lock, word))
        return take_over(lock, place, word); /* rule 6: exactly the word read before the probe */
    return LOCK_BUSY;
}

int lock_try(lock_handle *lock, lock_word *place) {
    uint64_t observed;
    int result = attempt(lock, place, false, &observed);
    for (int spin = 0; result < 0 && spin < 100; spin++) { /* most holders are done in less than a microsecond */
        os_relax();
        result = attempt(lock, place, false, &observed);
    }
    return result < 0 ? attempt(lock, place, true, &observed) : result;
}

int lock_wait(lock_handle *lock, lock_word *place, uint64_t ns) {
    uint64_t observed;
    int result = attempt(lock, place, true, &observed);
    if (result >= 0 || OWNER(observed) == 0)
        return result;
    if (!(observed & TSHM_WORD_WAITING)) {
        /* relaxed: a mere flag; the futex call looks at the word again */
        if (!tshm_exchange_if(place->word, &observed, observed | TSHM_WORD_WAITING, relaxed))
            return LOCK_BUSY;
        observed |= TSHM_WORD_WAITING;
    }
    place->slept = true; /* until the lock is taken, be it by another thread of this process after this one gave up */
    /* its low half, which holds owner, flags and generation: little-endian */
    os_word_wait(&lock->peers, lock->control, (void *)place->word, (uint32_t)observed, ns < SLICE ? ns : SLICE);
    return attempt(lock, place, true, &observed);
}

int lock_release(lock_handle *lock, lock_word *place, bool repaired) {
    uint64_t held = place->held, word = held;
    place->held = 0;
    for (int tries = 0; tries < 1000; tries++) {
        uint64_t freed = (word & TSHM_WORD_COUNTER) | (repaired ? 0 : word & TSHM_WORD_DIRTY);
        /* release, with the acquire in take(). A row's: seq_cst, before the load of the news in tshm_news */
        if (tshm_exchange_if(place->word, &word, freed, seq_cst)) {
            if (word & TSHM_WORD_WAITING)
                os_word_wake_one(&lock->peers, lock->control, (void *)place->word);
            return LOCK_TAKEN;
        }
        if ((word ^ held) & ~TSHM_WORD_WAITING)
            break; /* rule 9 */
    }
    return LOCK_LOST;
}

int lock_owner(const tshm_control *control) {
    /* relaxed: who asks does not look at what the owner has stored; by the time it hears, another may have the lock */
    uint64_t word = tshm_load(&control->writer.word, relaxed);
    uint32_t entry = OWNER(word) - 1;
    if (OWNER(word) == 0 || entry >= TSHM_PRESENCE_MAX)
        return -1;
    uint32_t generation = tshm_load(&control->presence[entry].generation, relaxed);
    return TSHM_WORD_GENERATION(generation) == GENERATION(word) ? (int)entry : -1;
}
