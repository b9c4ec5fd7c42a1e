/* The ring and the pins of typedshm.h itself, for GenMC: a writer that may stop anywhere in its first write, the next
 * writer, and a reader. README.md has the commands. -DSLOTS=1...4, -DSTOP=1...3 (0: it does not stop), -DPIN (the
 * reader looks in place; takes three slots), -DWAIT (it waits for a newer version first). */
#include "typedshm.h"

#include <assert.h>
#include <pthread.h>

#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef STOP
#define STOP 0
#endif
#ifndef WRITES
#define WRITES 2
#endif

static struct {
    tshm_control control;
    struct {
        tshm_slot slot;
        tshm_atomic_u64 payload[2];
    } slots[SLOTS];
} memory;

static tshm_ring ring;
static uint32_t seen_asleep;           /* the number that the reader went to sleep on, or 0 */
static int wakes;                      /* how many wake-ups the writers were told to make */
static uint64_t published[WRITES + 2]; /* what version v says; written before anybody can read v */

static void write_one(uint64_t says, int stop) {
    tshm_cursor cursor;
    int begun = tshm_write_begin(&ring, NULL, NULL, &cursor) == TSHM_WRITABLE;
    if (!begun || stop == 1)
        return;
    tshm_atomic_u64 *payload = (tshm_atomic_u64 *)cursor.payload;
    tshm_store(&payload[0], says, relaxed);
    if (stop == 2)
        return;
    tshm_store(&payload[1], says, relaxed);
    if (stop == 3)
        return;
    if (cursor.sequence < WRITES + 2)
        published[cursor.sequence] = says;
    wakes += tshm_write_end(&ring, &cursor, 1);
}

static void *writers(void *unused) {
    for (int i = 0; i < WRITES; i++) /* in turn, as the lock has it; that orders them is litmus/lock's business */
        write_one(10 + (uint64_t)i, i == 0 ? STOP : 0);
    return unused;
}

/* True if there is something newer. Whoever sleeps is not woken here; main() looks whether it would have been. */
static int wait_for_newer(void) {
    uint32_t number = tshm_head_number(&ring);
    if (!tshm_announce_sleep(&ring, number))
        return 1;
    /* the kernel compares */
    if ((uint32_t)tshm_load(&memory.control.head.word, relaxed) != (number | (uint32_t)TSHM_HEAD_AWAITED))
        return 1;
    seen_asleep = number;
    return 0;
}

static void *reader(void *unused) {
    tshm_cursor cursor;
#ifdef WAIT
    if (!wait_for_newer())
        return unused;
#else
    (void)wait_for_newer;
#endif
    if (tshm_read_begin(&ring, &cursor) != TSHM_READABLE)
        return unused;
    tshm_atomic_u64 *payload = (tshm_atomic_u64 *)cursor.payload;
#ifdef PIN
    int whole = tshm_pin(&ring, &cursor, 0, 0, NULL, NULL) == TSHM_READABLE;
    if (!whole)
        return unused;
    uint64_t first = tshm_load(&payload[0], relaxed), second = tshm_load(&payload[1], relaxed);
    tshm_unpin(&cursor, 0);
#else
    uint64_t first = tshm_load(&payload[0], relaxed), second = tshm_load(&payload[1], relaxed);
    int whole = !tshm_read_retry(&cursor);
#endif
    if (whole) {
        assert(first == second);
        assert(cursor.sequence >= WRITES + 2 || first == published[cursor.sequence]);
    }
    return unused;
}

int main(void) {
    ring.base = (unsigned char *)&memory;
    ring.slots_offset = (uint64_t)((unsigned char *)memory.slots - (unsigned char *)&memory);
    ring.slot_stride = sizeof memory.slots[0];
    ring.payload_size = sizeof memory.slots[0].payload;
    ring.slot_count = SLOTS;
    ring.presence_count = 2; /* more than pins to share: they are counted */
    write_one(5, 0);
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, writers, NULL);
    pthread_create(&threads[1], NULL, reader, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    uint32_t number = tshm_head_number(&ring);
    assert(wakes <= 1 && (seen_asleep == 0 || seen_asleep == number || wakes == 1));
    /* still announced, or taken and told: not both */
    assert(!wakes || !(tshm_load(&memory.control.head.word, relaxed) & TSHM_HEAD_AWAITED));
    return 0;
}
