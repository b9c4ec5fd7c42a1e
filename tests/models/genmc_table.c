/* One row of a table, by typedshm.h itself, for GenMC: two writers in a row and, with -DREAD, a reader, with -DFOLLOW
 * somebody who looks for changes, with -DSLEEP a sleeper on the news. README.md has the commands. -DSLOTS=1, 2;
 * -DSTOP=1
 * ... 4: the first writer stops there, and the second takes the row over. */
#include "typedshm.h"

#include <assert.h>
#include <pthread.h>

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef STOP
#define STOP 0
#endif

static struct {
    tshm_table_control control;
    tshm_atomic_u64 stamp;
    struct {
        tshm_row row; /* with one version, the payload begins inside, at 40 */
        tshm_atomic_u64 payload[4];
    } rows[1];
} memory;

static tshm_table table;
static int wakes; /* how many wake-ups the writers were told to make */

static void write_one(uint64_t says, int stop) {
    tshm_row *row = tshm_row_of(&table, 0);
    (void)tshm_exchange(&row->owner, says, seq_cst); /* it is free, or its owner has stopped */
    tshm_row_stamp(&table, 0);
    if (stop == 1)
        return;
    tshm_row_cursor cursor = tshm_row_write_begin(&table, row);
    tshm_atomic_u64 *payload = (tshm_atomic_u64 *)cursor.payload;
    tshm_store(&payload[0], says, relaxed);
    if (stop == 2)
        return;
    tshm_store(&payload[1], says, relaxed);
    if (stop == 3)
        return;
    tshm_row_write_end(&cursor, 1);
    if (stop == 4)
        return;
    (void)tshm_exchange(&row->owner, 0, seq_cst);
    wakes += tshm_news(&table);
}

static void *writers(void *unused) {
    write_one(1, STOP); /* in turn, as the row's lock has it */
    write_one(2, 0);
    return unused;
}

#ifdef READ
static uint64_t read_one(void) { /* its version, or 0 */
    tshm_row_cursor cursor;
    if (tshm_row_read_begin(&table, tshm_row_of(&table, 0), &cursor) != TSHM_READABLE)
        return 0;
    tshm_atomic_u64 *payload = (tshm_atomic_u64 *)cursor.payload;
    uint64_t first = tshm_load(&payload[0], relaxed), second = tshm_load(&payload[1], relaxed);
    if (tshm_row_read_retry(&cursor))
        return 0;
    assert(first == second && first);
    assert(STOP || first == cursor.number);
    return cursor.number;
}
#endif

/* What who looks for changes has: what it asks for next, the version that it reported last, and the unsure one's. */
static uint64_t since, reported, unsure_number;
static int unsure;

static void look(void) {
    tshm_row *row = tshm_row_of(&table, 0);
    if (unsure) {
        uint64_t owner = tshm_load(&row->owner, seq_cst), number = tshm_row_number(&table, row);
        if (number != unsure_number)
            reported = unsure_number = number;
        unsure = owner != 0;
    }
    uint64_t epoch = tshm_epoch_step(&table), stamp = tshm_load(tshm_stamp_of(&table, 0), seq_cst);
    if (stamp && stamp >= since) {
        uint64_t owner = tshm_load(&row->owner, seq_cst), number = tshm_row_number(&table, row);
        if (tshm_load(&row->stamp, relaxed) >= since)
            reported = number;
        if (owner && !unsure) {
            unsure = 1;
            unsure_number = number;
        }
    }
    since = epoch + 1;
}

static int asleep;
static uint64_t slept_on; /* the version it had seen by then */

static void *other(void *unused) {
#ifdef READ
    uint64_t first = read_one(), second = read_one();
    assert(!second || second >= first);
#endif
#ifdef FOLLOW
    look();
    look();
#endif
#ifdef SLEEP
    uint32_t number = (uint32_t)tshm_load(&memory.control.control.head.word, acquire) & ~(uint32_t)TSHM_HEAD_AWAITED;
    if (tshm_announce_news_sleep(&table, number)) {
        look();
        asleep = 1;
        slept_on = reported;
    }
#endif
    return unused;
}

int main(void) {
    table.base = (unsigned char *)&memory;
    table.rows_offset = (uint64_t)((unsigned char *)memory.rows - (unsigned char *)&memory);
    table.row_stride = sizeof memory.rows[0];
    table.stamps_offset = (uint64_t)((unsigned char *)&memory.stamp - (unsigned char *)&memory);
    table.payload_size = 16;
    table.slot_count = SLOTS;
    tshm_store(&memory.control.epoch, 1, relaxed);
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, writers, NULL);
    pthread_create(&threads[1], NULL, other, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    uint64_t last = tshm_row_number(&table, tshm_row_of(&table, 0));
    assert(!asleep || wakes || slept_on == last);
    look();
    assert(reported == last && last);
    return 0;
}
