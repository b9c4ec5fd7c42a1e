#include "lock/claim.h"

bool claim_take(lock_handle *lock) {
    if (claim_is_anothers(lock))
        return false;
    tshm_ring ring;
    ring.base = (unsigned char *)lock->control;
    tshm_claim(&ring);
    return true;
}

void claim_give_up(lock_handle *lock) {
    uint64_t mine = TSHM_WORD_GENERATION(lock->generation) | (lock->entry + 1);
    /* relaxed, as all of it: who claims it next has the lock, which orders what its holders do. Our own threads that
     * write just now have the lock, too, and nobody else writes before they give it back. */
    (void)tshm_exchange_if(&lock->control->writer.exclusive, &mine, 0, relaxed);
}

int claim_holder(const tshm_control *control, uint32_t presence_count) {
    uint64_t word = tshm_load(&control->writer.exclusive, relaxed);
    uint32_t owner = (uint32_t)(word & TSHM_WORD_OWNER);
    if (owner == 0 || owner > presence_count)
        return -1;
    /* relaxed: for people, and for those who ask again in a moment */
    uint32_t generation = tshm_load(&control->presence[owner - 1].generation, relaxed);
    bool same = TSHM_WORD_GENERATION(generation) == (word & TSHM_WORD_GENERATION(UINT32_MAX));
    return same ? (int)owner - 1 : -1;
}

int claim_state(const tshm_control *control, uint32_t presence_count, tshm_alive alive, void *context) {
    int holder = claim_holder(control, presence_count);
    if (holder >= 0 && alive(context, (uint32_t)holder))
        return CLAIM_PUBLISHED;
    bool been = tshm_load(&control->writer.exclusive, relaxed) || tshm_load(&control->head.word, relaxed) >> 1;
    for (uint32_t entry = 0; entry < presence_count; entry++) {
        if (!(tshm_load(&control->presence[entry].flags, relaxed) & TSHM_WROTE))
            continue; /* flags stay when their holder goes, and the kernel is asked about few */
        if (alive(context, entry))
            return CLAIM_PUBLISHED;
        been = true;
    }
    return been ? CLAIM_ABANDONED : CLAIM_NEVER;
}
