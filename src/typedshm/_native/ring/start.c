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

/* So many versions before the newest, or the oldest that is there. */
static reading_position before_newest(const tshm_ring *ring, const publication *newest, uint64_t back) {
    uint64_t lowest = lowest_of(ring, newest);
    reading_position at = {newest->sequence - 1, newest->version - 1, false};
    if (back >= newest->sequence - lowest)
        return before_oldest(ring, newest);
    for (uint64_t sequence = newest->sequence - 1; back && sequence >= lowest; sequence--) {
        tshm_cursor cursor = tshm_cursor_at(ring, sequence);
        if (tshm_load(&cursor.slot->mark, acquire) != 2 * sequence) /* as in before_oldest */
            continue;
        uint64_t version = tshm_version(ring, &cursor);
        if (tshm_read_retry(&cursor))
            break; /* it was written over, and so were those before it */
        at = (reading_position){sequence - 1, version - 1, false};
        back--;
    }
    return at;
}

/* Goes on from a smaller version to where the wanted one would be, which nobody has published. */
static reading_position behind_smaller(const tshm_ring *ring, uint64_t sequence, uint64_t last, uint64_t wanted) {
    for (; sequence < last; sequence++) {
        tshm_cursor cursor = tshm_cursor_at(ring, sequence + 1);
        bool there = tshm_load(&cursor.slot->mark, acquire) == 2 * cursor.sequence; /* as in before_oldest */
        uint64_t version = tshm_version(ring, &cursor);
        if (there && !tshm_read_retry(&cursor) && version >= wanted)
            break;
    }
    return (reading_position){sequence, wanted - 1, false};
}

/* Goes back from the newest: between two versions there lie as many numbers of the ring as versions, and those passed
 * over, and fewer where numbers of versions were left out. Where the version is gone, this ends at a number that is
 * gone too. */
static reading_position before_version(const tshm_ring *ring, const publication *newest, uint64_t wanted) {
    uint64_t back = newest->version - wanted, lowest = lowest_of(ring, newest), sequence = newest->sequence;
    for (bool last = false; !last;) {
        sequence = sequence - lowest > back ? sequence - back : lowest;
        last = sequence == lowest;
        tshm_cursor cursor = tshm_cursor_at(ring, sequence);
        uint64_t mark = tshm_load(&cursor.slot->mark, acquire); /* as in before_oldest */
        uint64_t version = tshm_version(ring, &cursor), left_out = tshm_load(&cursor.slot->left_out, relaxed);
        if (mark > 2 * sequence + 1 || (mark == 2 * sequence && tshm_read_retry(&cursor)))
            return (reading_position){sequence - 1, wanted - 1, false};
        bool there = mark == 2 * sequence;
        if (there && version < wanted)
            return behind_smaller(ring, sequence, newest->sequence, wanted);
        if (there && version - wanted <= left_out) /* it is this one, or was left out just before it */
            return (reading_position){sequence - 1, wanted - 1, false};
        back = there ? version - wanted : 1;
    }
    return (reading_position){lowest > 1 ? lowest - 2 : 0, wanted - 1, false};
}

bool start_find(Ring *self, int64_t first, reading_position *at) {
    publication newest;
    if (!reading_last(self, &newest))
        return false;
    *at = (reading_position){newest.sequence, newest.version, false};
    if (first == START_NEXT || newest.version == 0 || newest.sequence == 0 ||
        (first > 0 && (uint64_t)first > newest.version))
        return true;
    *at = first > 0 ? before_version(&self->ring, &newest, (uint64_t)first)
                    : before_newest(&self->ring, &newest, 0 - (uint64_t)first);
    return true;
}
