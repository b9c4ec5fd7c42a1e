#include "ring/start.h"

static uint64_t lowest_of(const tshm_ring *ring, const publication *newest) {
    return newest->sequence < ring->slot_count ? 1 : newest->sequence - ring->slot_count + 1;
}

/* The oldest version that is there, but for those that a pin keeps beyond a whole round. */
static reading_position before_oldest(const tshm_ring *ring, const publication *newest) {
    for (uint64_t sequence = lowest_of(ring, newest); sequence < newest->sequence; sequence++) {
        tshm_cursor cursor = tshm_cursor_at(ring, sequence);
        /* acquire, with the release store of the even mark in tshm_write_end: the version beside it */
        if (tshm_load(&cursor.slot->mark, acquire) != 2 * sequence)
            continue;
        uint64_t version = tshm_version(ring, &cursor);
        if (!tshm_read_retry(&cursor))
            return (reading_position){sequence - 1, version - 1, false};
    }
    return (reading_position){newest->sequence - 1, newest->version - 1, false};
}

/* Goes back from the newest: between two versions there lie as many numbers as versions, and those passed over. Where
 * the version is gone, this ends at a number that is gone too. */
static reading_position before_version(const tshm_ring *ring, const publication *newest, uint64_t wanted, bool *gone) {
    uint64_t back = newest->version - wanted, lowest = lowest_of(ring, newest);
    uint64_t sequence = newest->sequence > back ? newest->sequence - back : 0;
    *gone = false;
    while (sequence >= lowest) {
        tshm_cursor cursor = tshm_cursor_at(ring, sequence);
        uint64_t mark = tshm_load(&cursor.slot->mark, acquire); /* as in before_oldest */
        uint64_t version = tshm_version(ring, &cursor);
        if (mark > 2 * sequence + 1 || (mark == 2 * sequence && tshm_read_retry(&cursor)))
            break;
        if (mark == 2 * sequence && version <= wanted)
            return (reading_position){sequence - 1, wanted - 1, false};
        back = mark == 2 * sequence ? version - wanted : 1;
        sequence = sequence > back ? sequence - back : 0;
    }
    *gone = true;
    return (reading_position){sequence ? sequence - 1 : 0, wanted - 1, false};
}

bool start_find(Ring *self, int64_t first, reading_position *at) {
    publication newest;
    if (!reading_last(self, &newest))
        return false;
    *at = (reading_position){newest.sequence, newest.version, false};
    if (first == START_NEXT || newest.version == 0 || newest.sequence == 0 ||
        (first > 0 && (uint64_t)first > newest.version))
        return true;
    uint64_t back = first > 0 ? 0 : 0 - (uint64_t)first;
    uint64_t wanted = first > 0 ? (uint64_t)first : newest.version > back ? newest.version - back : 1;
    bool gone;
    *at = before_version(&self->ring, &newest, wanted, &gone);
    if (gone && first <= 0)
        *at = before_oldest(&self->ring, &newest);
    return true;
}
