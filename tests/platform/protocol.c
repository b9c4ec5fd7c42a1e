/* Every function of typedshm.h as one of its own, to look at what a compiler makes of it. */
#include "typedshm.h"

const char *check(void *memory, uint64_t size, tshm_header *copy, tshm_ring *ring) {
    return tshm_check(memory, size, copy, ring);
}

void copy_out(void *to, const void *shared, size_t size) {
    tshm_copy_out(to, shared, size);
}

void copy_in(void *shared, const void *from, size_t size) {
    tshm_copy_in(shared, from, size);
}

void copy_used_out(void *to, const void *shared, const tshm_plan *plan) {
    tshm_copy_used_out(to, shared, plan);
}

void copy_used_in(void *shared, const void *from, const tshm_plan *plan) {
    tshm_copy_used_in(shared, from, plan);
}

void set_count(const tshm_extent *extent, uint32_t axis, void *value, uint32_t count) {
    tshm_set_count(extent, axis, value, count);
}

int read_begin(const tshm_ring *ring, tshm_cursor *cursor) {
    return tshm_read_begin(ring, cursor);
}

int read_retry(const tshm_cursor *cursor) {
    return tshm_read_retry(cursor);
}

uint64_t version(const tshm_ring *ring, const tshm_cursor *cursor) {
    return tshm_version(ring, cursor);
}

int pin(const tshm_ring *ring, const tshm_cursor *cursor, uint32_t entry, uint32_t mine, tshm_alive alive,
        void *context) {
    return tshm_pin(ring, cursor, entry, mine, alive, context);
}

void unpin(const tshm_cursor *cursor, uint32_t entry) {
    tshm_unpin(cursor, entry);
}

uint32_t count_pinned(const tshm_ring *ring, tshm_alive alive, void *context) {
    return tshm_count_pinned(ring, alive, context);
}

int pinned(tshm_slot *slot, tshm_alive alive, void *context) {
    return tshm_pinned(slot, alive, context);
}

/* The two kinds of rings order their writes by different means. Each is seen alone, since it is known that the copied
 * count does not change, and whole, since nothing is called (flatten). */

#define WHOLE __attribute__((flatten))

WHOLE int write_begin_without_pins(const tshm_ring *ring, tshm_alive alive, void *context, tshm_cursor *cursor) {
    tshm_ring copy = *ring;
    copy.lossless = 0; /* whose followers have barriers of their own */
    return copy.slot_count < 3 ? tshm_write_begin(&copy, alive, context, cursor) : 0;
}

WHOLE int write_begin_with_pins(const tshm_ring *ring, tshm_alive alive, void *context, tshm_cursor *cursor) {
    tshm_ring copy = *ring;
    copy.lossless = 0; /* whose followers have barriers of their own */
    return copy.slot_count < 3 ? 0 : tshm_write_begin(&copy, alive, context, cursor);
}

int write_end(const tshm_ring *ring, const tshm_cursor *cursor, uint64_t now) {
    return tshm_write_end(ring, cursor, now);
}

uint32_t head_number(const tshm_ring *ring) {
    return tshm_head_number(ring);
}

int announce_sleep(const tshm_ring *ring, uint32_t number) {
    return tshm_announce_sleep(ring, number);
}

int lives(const tshm_ring *ring, uint64_t word, tshm_alive alive, void *context) {
    return tshm_lives(ring, word, alive, context);
}

uint64_t used_places(const tshm_ring *ring) {
    return tshm_used_places(ring);
}

uint64_t role(tshm_follower *follower) {
    return tshm_role(follower);
}

uint64_t got(tshm_follower *follower) {
    return tshm_got(follower);
}

void end_count(tshm_follower *group, tshm_follower *member, uint64_t lost) {
    tshm_end_count(group, member, lost);
}

void count_lost(tshm_follower *group, tshm_follower *member) {
    tshm_count_lost(group, member);
}

/* Whose owner lives is asked elsewhere: `alive` is known, and no generation looked at. */
WHOLE int group_lock(const tshm_ring *ring, uint32_t place, uint64_t mine, tshm_alive alive, void *context) {
    return tshm_group_lock(ring, place, mine, alive, context);
}

void group_unlock(const tshm_ring *ring, uint32_t place) {
    tshm_group_unlock(ring, place);
}

WHOLE uint32_t drop_members(const tshm_ring *ring, uint32_t place, uint64_t sequence, tshm_alive alive, void *context,
                            uint64_t now) {
    return tshm_drop_members(ring, place, sequence, alive, context, now);
}

WHOLE uint32_t drop_followers(const tshm_ring *ring, uint64_t sequence, tshm_alive alive, void *context, uint64_t now) {
    return tshm_drop_followers(ring, sequence, alive, context, now);
}

WHOLE void take_place(const tshm_ring *ring, uint32_t place, uint64_t role, uint64_t owner, uint64_t position) {
    tshm_take_place(ring, place, role, owner, position);
}

void take_again(const tshm_ring *ring, uint32_t place, uint64_t owner) {
    tshm_take_again(ring, place, owner);
}

int next(const tshm_ring *ring, uint64_t *position, tshm_cursor *cursor) {
    return tshm_next(ring, position, 1, cursor);
}

int next_awaited(const tshm_ring *ring, uint64_t position, tshm_cursor *cursor) {
    return tshm_next_awaited(ring, position, cursor);
}

uint64_t behind_overrun(const tshm_ring *ring) {
    return tshm_behind_overrun(ring);
}

int raise_room(const tshm_ring *ring) {
    return tshm_raise_room(ring);
}

int got_it(const tshm_ring *ring, tshm_follower *follower, uint64_t position) {
    return tshm_got_it(ring, follower, position);
}

int leave_place(const tshm_ring *ring, tshm_follower *follower, uint64_t now) {
    return tshm_leave_place(ring, follower, now);
}

uint64_t left(const tshm_ring *ring) {
    return tshm_left(ring);
}

int announce_writer(const tshm_ring *ring, uint32_t number) {
    return tshm_announce_writer(ring, number);
}

WHOLE int hand_out(const tshm_ring *ring, uint32_t group_place, uint32_t *place, int looks, tshm_alive alive,
                   void *context, tshm_cursor *cursor) {
    return tshm_hand_out(ring, group_place, place, looks, alive, context, cursor);
}

int row_read_begin(const tshm_table *table, tshm_row *row, tshm_row_cursor *cursor) {
    return tshm_row_read_begin(table, row, cursor);
}

int row_read_retry(const tshm_row_cursor *cursor) {
    return tshm_row_read_retry(cursor);
}

/* Of a row with one version: what is loaded there is the mark again, and nothing of another. */
WHOLE uint64_t row_number(const tshm_table *table, tshm_row *row) {
    tshm_table copy = *table;
    return copy.slot_count == 1 ? tshm_row_number(&copy, row) : 0;
}

tshm_row_cursor row_write_begin(const tshm_table *table, tshm_row *row) {
    return tshm_row_write_begin(table, row);
}

void row_stamp(const tshm_table *table, uint64_t number) {
    tshm_row_stamp(table, number);
}

void row_write_end(const tshm_row_cursor *cursor, uint64_t now) {
    tshm_row_write_end(cursor, now);
}

int news(const tshm_table *table) {
    return tshm_news(table);
}

int announce_news_sleep(const tshm_table *table, uint32_t number) {
    return tshm_announce_news_sleep(table, number);
}

uint64_t epoch_step(const tshm_table *table) {
    return tshm_epoch_step(table);
}
