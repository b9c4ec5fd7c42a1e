/* Writers that wait for followers and for a group's members, under ThreadSanitizer, and some of them die.
 *
 *     followers_threads FILE WRITES
 *
 * As threads.c: every thread is a participant of its own, and dies by closing its descriptor. Payloads are stored and
 * read in place, by plain accesses. These race unless a position, or an owner that is gone, is stored with release and
 * loaded with acquire, unless a writer waits for everybody, and unless a group's version is with one member only. What
 * each follower gets is complete, and versions of the group are handed out once, in order. */
#define _GNU_SOURCE
#include "lifelines.h"
#include "lock/lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 4, WORDS = 4, STRIDE = 256, WRITERS = 2, FOLLOWERS = 2, MEMBERS = 3, PLACE = 0 /* of the group */ };

static const char *path;
static tshm_ring ring;
static uint64_t writes_wanted, writes; /* the second with the writers' lock only */
static uint64_t last;                  /* version handed out; with the group's lock only */
static TSHM_ATOMIC(bool) finished;
static tshm_atomic_u64 steps, handed, deaths, waits;

/* Relaxed, or the counting itself would order the threads. */
static void count(tshm_atomic_u64 *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void insist(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "followers_threads: %s\n", what);
    _Exit(1);
}

static void come(lock_handle *lock) {
    memset(lock, 0, sizeof *lock);
    lock->control = tshm_control_of(&ring);
    lock->presence_count = ring.presence_count;
    lock->peers.fd = open(path, O_RDWR | O_CLOEXEC);
    insist(lock->peers.fd >= 0 && lock_attach(lock) == LOCK_TAKEN, "nobody can attach");
}

static void go(lock_handle *lock) {
    __tsan_release(&lifelines[lock->entry]);
    close(lock->peers.fd);
}

static uint64_t name_of(const lock_handle *lock) {
    return (lock->entry + 1) | TSHM_WORD_GENERATION(lock->generation);
}

static void take(lock_handle *lock, lock_word *word) {
    *word = (lock_word){.word = &lock->control->writer.word};
    int taken = lock_try(lock, word);
    while (taken < 0)
        taken = lock_wait(lock, word, TSHM_SLICE);
}

static void give(lock_handle *lock, lock_word *word) {
    insist(lock_release(lock, word, true) == LOCK_TAKEN, "the lock was lost");
}

static uint32_t enter(lock_handle *lock, uint64_t role) {
    lock_word word;
    take(lock, &word);
    uint32_t place;
    while ((place = tshm_find_place(&ring)) == TSHM_FOLLOWERS) { /* dropping waits for nobody's lock of a group */
        (void)tshm_drop_followers(&ring, TSHM_SEQUENCE_MAX, lock_alive, lock, 1);
        give(lock, &word);
        sched_yield();
        take(lock, &word);
    }
    uint64_t position = (uint32_t)role == TSHM_MEMBER ? 0 : tshm_oldest(&ring);
    tshm_take_place(&ring, place, role, name_of(lock), position);
    give(lock, &word);
    return place;
}

static void *room(void) {
    return (void *)&tshm_lossless_of(&ring)->room.word;
}

/* ---- what they do ---- */

static void *writer(void *unused) {
    lock_handle lock;
    come(&lock);
    for (;;) {
        lock_word word;
        tshm_cursor cursor = {0};
        take(&lock, &word);
        if (writes >= writes_wanted) {
            give(&lock, &word);
            break;
        }
        int state = tshm_write_begin(&ring, lock_alive, &lock, &cursor);
        if (state == TSHM_WRITABLE) {
            uint64_t *words = (uint64_t *)(void *)cursor.payload;
            for (uint64_t i = 0; i < WORDS; i++)
                words[i] = cursor.sequence * 1000003 + i;
            if (tshm_write_end(&ring, &cursor, 1))
                os_word_wake_all(&lock.peers, lock.control, (void *)&lock.control->head.word);
            writes++;
            give(&lock, &word);
            continue;
        }
        insist(state == TSHM_AWAITED, "nothing can be written");
        uint64_t left = tshm_left(&ring);
        uint32_t place = tshm_drop_followers(&ring, cursor.sequence, lock_alive, &lock, 1);
        give(&lock, &word);
        uint32_t number = tshm_room_number(&ring);
        if (place == TSHM_FOLLOWERS || !tshm_announce_writer(&ring, number) ||
            !tshm_still_awaited(&ring, cursor.sequence, left))
            continue;
        count(&waits);
        os_word_wait(NULL, lock.control, room(), number | TSHM_HEAD_AWAITED, 10000000);
    }
    tshm_store(&finished, true, relaxed);
    go(&lock);
    return unused;
}

static void check(const tshm_cursor *cursor) {
    const uint64_t *words = (const uint64_t *)(const void *)cursor->payload;
    for (uint64_t i = 0; i < WORDS; i++)
        insist(words[i] == cursor->sequence * 1000003 + i, "a torn version");
}

static void *follower(void *unused) {
    lock_handle lock;
    come(&lock);
    uint32_t place = enter(&lock, TSHM_FOLLOWER);
    for (uint64_t turn = 1; !tshm_load(&finished, relaxed); turn++) {
        tshm_cursor cursor;
        tshm_follower *mine = tshm_follower_at(&ring, place);
        int state = tshm_next_awaited(&ring, tshm_load(&mine->position, relaxed), &cursor);
        insist(state != TSHM_OVERRUN, "a version was written over");
        if (state != TSHM_READABLE)
            continue;
        check(&cursor);
        count(&steps);
        if (turn % 64 == 0) { /* dies, with its version, or leaves */
            if (turn % 128 && tshm_leave_place(&ring, mine, 0))
                os_word_wake_all(&lock.peers, lock.control, room());
            go(&lock);
            count(&deaths);
            come(&lock);
            place = enter(&lock, TSHM_FOLLOWER);
        } else if (tshm_got_it(&ring, mine, cursor.sequence)) {
            os_word_wake_all(&lock.peers, lock.control, room());
        }
    }
    go(&lock);
    return unused;
}

static void *member(void *unused) {
    lock_handle lock;
    come(&lock);
    uint32_t place = enter(&lock, tshm_member_of(PLACE));
    for (uint64_t turn = 1; !tshm_load(&finished, relaxed);) {
        tshm_cursor cursor;
        if (!tshm_group_lock(&ring, PLACE, tshm_name_in_group(name_of(&lock), place), lock_alive, &lock))
            continue;
        int state = tshm_hand_out(&ring, PLACE, &place, 1, lock_alive, &lock, &cursor);
        if (state == TSHM_READABLE) {
            insist(cursor.sequence > last, "a version was handed out twice");
            last = cursor.sequence;
        }
        bool dies = state == TSHM_READABLE && turn++ % 64 == 0;
        if (!dies || turn % 128)
            tshm_group_unlock(&ring, PLACE);
        insist(state != TSHM_OVERRUN, "a group's version was written over");
        if (state == TSHM_READABLE) {
            check(&cursor);
            count(&handed);
        }
        if (dies) { /* with its version, if it has one; or also with the group's lock */
            go(&lock);
            count(&deaths);
            come(&lock);
            place = enter(&lock, tshm_member_of(PLACE));
        } else if (state == TSHM_READABLE && tshm_got_it(&ring, tshm_follower_at(&ring, place), 0)) {
            os_word_wake_all(&lock.peers, lock.control, room());
        }
    }
    go(&lock);
    return unused;
}

int main(int arguments, char **argument) {
    insist(arguments == 3, "takes a file to make and how many writes to do");
    path = argument[1];
    writes_wanted = strtoull(argument[2], NULL, 10);
    size_t size = sizeof(tshm_lossless_control) + SLOTS * STRIDE;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    insist(fd >= 0 && os_preallocate(fd, size) == 0, "the file cannot be made");
    ring.base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    insist(ring.base != MAP_FAILED, "the file cannot be mapped");
    close(fd);
    ring.slots_offset = sizeof(tshm_lossless_control);
    ring.slot_stride = STRIDE;
    ring.payload_size = 8 * WORDS;
    ring.slot_count = SLOTS;
    ring.presence_count = 16;
    ring.lossless = 1;
    tshm_store(&tshm_follower_at(&ring, PLACE)->keep, UINT64_MAX, relaxed); /* also while all members are dead */
    tshm_take_place(&ring, PLACE, TSHM_GROUP, 0, 0);

    pthread_t threads[WRITERS + FOLLOWERS + MEMBERS];
    int started = 0;
    for (int i = 0; i < FOLLOWERS; i++)
        insist(!pthread_create(&threads[started++], NULL, follower, NULL), "no thread");
    for (int i = 0; i < MEMBERS; i++)
        insist(!pthread_create(&threads[started++], NULL, member, NULL), "no thread");
    for (int i = 0; i < WRITERS; i++)
        insist(!pthread_create(&threads[started++], NULL, writer, NULL), "no thread");
    while (started)
        pthread_join(threads[--started], NULL);
    printf("%llu writes, %llu steps, %llu handed out, %llu deaths, %llu waits; %llu versions lost\n",
           (unsigned long long)writes, (unsigned long long)steps, (unsigned long long)handed,
           (unsigned long long)deaths, (unsigned long long)waits,
           (unsigned long long)tshm_follower_at(&ring, PLACE)->lost);
    return 0;
}
