/* The C core under ThreadSanitizer: writers, readers, pinners and waiters over one region, and some of them die.
 *
 *     threads FILE WRITES
 *
 * Every thread is a participant of its own, with its own descriptor and its own lock_handle, as if it were a process;
 * the mapping is one, since the sanitizer knows memory by its address. What it can prove here:
 *
 *  - Copies are of relaxed atomics, so by definition no race, whoever comes between; that they are whole is checked.
 *    The sanitizer ignores fences (the one in tshm_read_retry that makes such copies whole, for instance), which hides
 *    nothing and reports nothing wrong as nothing plain depends on them alone. That they are there is
 * test_barriers.py's concern, that they suffice the models'.
 *  - A pinned slot is read in place by plain loads, as NumPy would. These race unless head and mark are stored with
 *    release and loaded with acquire, and unless a writer sees the pin, or its removal with acquire.
 *  - How much of a value is used is loaded plainly from where it was copied to: looked at once more where writers store
 *    it, it would race.
 *  - Plain variables that only holders of the lock touch: they race unless the lock's word excludes and orders, also
 *    when it is taken over from the dead.
 *
 * A participant dies by closing its descriptor, whatever it holds. */
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

enum {
    SLOTS = 4,
    VALUE = 203 /* not whole words */,
    STRIDE = 384,
    WRITERS = 3,
    PINNERS = 4 /* more than may pin a slot each */,
    READERS = 2,
    WAITERS = 2
};

static const char *path;
static tshm_ring ring;
static uint64_t writes_wanted;
static TSHM_ATOMIC(bool) finished;
static tshm_atomic_u64 deaths_held, deaths_pinned, takeovers, read_count, pinned_count, refused_count, woken_count;

/* Relaxed, or the counting itself would order the threads. */
static void count(tshm_atomic_u64 *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Touched by holders of the lock only. */
static uint64_t newest;

static void insist(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "threads: %s\n", what);
    _Exit(1);
}

/* ---- participants ---- */

static void come(lock_handle *lock) {
    memset(lock, 0, sizeof *lock);
    lock->control = tshm_control_of(&ring);
    lock->presence_count = ring.presence_count;
    lock->peers.fd = open(path, O_RDWR | O_CLOEXEC);
    insist(lock->peers.fd >= 0 && lock_attach(lock) == LOCK_TAKEN, "nobody can attach");
    for (uint32_t i = 0; i < ring.slot_count; i++) /* as Ring does: a dead predecessor's pins are not ours */
        atomic_fetch_and_explicit(&tshm_slot_of(&ring, i)->pins[lock->entry / 64], ~(1ull << lock->entry % 64),
                                  memory_order_relaxed);
}

static void go(lock_handle *lock) {
    __tsan_release(&lifelines[lock->entry]);
    close(lock->peers.fd);
}

/* ---- values: every word tells the version it belongs to, and so does how many bytes of the items are used ---- */

enum { COUNT = 8, ITEMS = 12 /* no word of its own begins there */, ROOM = 150 };
static uint32_t most[1];
static tshm_extent extents[1];
static tshm_plan plan; /* set at run time: of a size that it knows, gcc may copy unseen by the sanitizer */

static uint64_t word_of(uint64_t version, size_t i) {
    return version * 0x9e3779b97f4a7c15ull + i;
}

static void fill(unsigned char *value, uint64_t version) {
    for (size_t i = 0; i <= VALUE / 8; i++) {
        uint64_t word = word_of(version, i);
        memcpy(value + 8 * i, &word, i < VALUE / 8 ? 8 : VALUE % 8);
    }
    tshm_set_count(extents, 0, value, (uint32_t)(version % (ROOM + 1)));
}

static void check(const unsigned char *value, uint64_t version) {
    unsigned char expected[VALUE];
    fill(expected, version);
    size_t end = ITEMS + (size_t)(version % (ROOM + 1)); /* of what is used */
    for (size_t at = 0; at < VALUE; at += 8) { /* plain loads of whole words: the sanitizer remembers four of each */
        size_t size = VALUE - at < 8 ? VALUE - at : 8;
        if (at >= end && at + size <= ITEMS + ROOM)
            continue;
        uint64_t found = 0, wanted = 0;
        memcpy(&found, value + at, size);
        memcpy(&wanted, expected + at, size);
        for (size_t byte = at; byte < at + size; byte++)
            insist((byte >= end && byte < ITEMS + ROOM) || ((found ^ wanted) >> 8 * (byte - at) & 0xff) == 0,
                   "a torn value");
    }
}

static bool everybody_had_a_turn(void) {
    tshm_atomic_u64 *counters[] = {&deaths_held,  &deaths_pinned, &takeovers,  &read_count,
                                   &pinned_count, &refused_count, &woken_count};
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        if (!tshm_load(counters[i], relaxed))
            return false;
    return true;
}

static void *writer(void *argument) {
    bool mortal = argument != NULL;
    lock_handle lock;
    unsigned char *value = malloc(plan.size);
    insist(value != NULL, "no memory");
    come(&lock);
    for (uint64_t turn = 1;; turn++) {
        lock_word word = {.word = &lock.control->writer.word};
        int taken = lock_try(&lock, &word);
        while (taken < 0)
            taken = lock_wait(&lock, &word, TSHM_SLICE);
        if (taken == LOCK_RECOVERED)
            count(&takeovers);
        bool dies = mortal && turn % 64 == 0;
        tshm_cursor cursor;
        if (newest >= writes_wanted && everybody_had_a_turn()) {
            insist(lock_release(&lock, &word, true) == LOCK_TAKEN, "the lock was lost");
            break;
        }
        /* a pinner that moves on may leave its pin on one slot after the other just as we look: then once more */
        if (tshm_write_begin(&ring, lock_alive, &lock, &cursor) == TSHM_WRITABLE) {
            fill(value, newest + 1);
            if (turn % 3) /* or as a writer who knows nothing of extents */
                tshm_copy_used_in(cursor.payload, value, &plan);
            else
                tshm_copy_in(cursor.payload, value, dies && turn % 128 ? VALUE / 2 : plan.size);
            if (!dies || turn % 128 == 0) {
                bool awaited = tshm_write_end(&ring, &cursor, os_realtime_ns());
                newest++;
                if (!dies && awaited)
                    os_word_wake_all(&lock.peers, lock.control, (void *)&lock.control->head.word);
            }
        }
        if (dies) {
            go(&lock);
            count(&deaths_held);
            come(&lock);
        } else {
            insist(lock_release(&lock, &word, true) == LOCK_TAKEN, "the lock was lost");
        }
    }
    tshm_store(&finished, true, relaxed);
    go(&lock);
    free(value);
    return NULL;
}

static void *reader(void *unused) {
    unsigned char value[VALUE];
    uint64_t last = 0;
    while (!tshm_load(&finished, relaxed)) {
        tshm_cursor cursor;
        if (tshm_read_begin(&ring, &cursor) != TSHM_READABLE)
            continue;
        if (tshm_load(&read_count, relaxed) % 4)
            tshm_copy_used_out(value, cursor.payload, &plan);
        else
            tshm_copy_out(value, cursor.payload, VALUE);
        uint64_t version = tshm_version(&ring, &cursor);
        if (tshm_read_retry(&cursor))
            continue;
        insist(version >= last, "a version older than the one before");
        check(value, last = version);
        count(&read_count);
    }
    return unused;
}

static void *pinner(void *unused) {
    lock_handle lock;
    come(&lock);
    for (uint64_t turn = 1; !tshm_load(&finished, relaxed); turn++) {
        tshm_cursor cursor;
        if (tshm_read_begin(&ring, &cursor) != TSHM_READABLE)
            continue;
        if (turn % 32 == 0)
            sched_yield(); /* a writer may pass here, or with the pin; on few processors it hardly would by chance */
        int state = tshm_pin(&ring, &cursor, lock.entry, 0, lock_alive, &lock);
        if (state == TSHM_TOO_MANY)
            count(&refused_count);
        if (state != TSHM_READABLE)
            continue;
        if (turn % 256 == 0) {
            go(&lock); /* with its pin */
            count(&deaths_pinned);
            come(&lock);
            continue;
        }
        if (turn % 32 == 16)
            sched_yield();
        check(cursor.payload, tshm_version(&ring, &cursor));
        count(&pinned_count);
        tshm_unpin(&cursor, lock.entry);
    }
    go(&lock);
    return unused;
}

static void *waiter(void *unused) {
    tshm_head *head = &tshm_control_of(&ring)->head;
    uint64_t seen = 0;
    while (!tshm_load(&finished, relaxed)) {
        uint64_t sequence = tshm_load(&head->word, acquire) >> 1;
        if (sequence == seen) {
            uint32_t number = (uint32_t)(sequence << 1);
            if (tshm_announce_sleep(&ring, number))
                os_word_wait(NULL, tshm_control_of(&ring), (void *)&head->word, number | TSHM_HEAD_AWAITED, TSHM_SLICE);
            continue;
        }
        insist(sequence > seen, "head went back");
        seen = sequence;
        count(&woken_count);
    }
    return unused;
}

/* ---- the region, written here by hand ---- */

static void make_region(void) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    tshm_header header = {0};
    header.magic = TSHM_MAGIC;
    header.format = TSHM_FORMAT;
    header.header_size = sizeof header;
    header.document_offset = header.slots_offset = (sizeof(tshm_control) + TSHM_LINE - 1) / TSHM_LINE * TSHM_LINE;
    header.slot_stride = STRIDE;
    header.payload_size = VALUE;
    header.slot_count = SLOTS;
    header.presence_count = 16;
    header.instance = 1;
    header.region_size = header.slots_offset + SLOTS * STRIDE;
    header.check = tshm_header_check(&header);
    insist(fd >= 0 && os_preallocate(fd, header.region_size) == 0, "the file cannot be made");
    size_t size = (size_t)header.region_size;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    insist(memory != MAP_FAILED, "the file cannot be mapped");
    close(fd);
    memcpy(memory, &header, sizeof header);
    const char *problem = tshm_check(memory, size, &header, &ring);
    insist(!problem, problem);
    most[0] = ROOM;
    extents[0] = (tshm_extent){COUNT, ITEMS, 1, most, 1, 0};
    plan = (tshm_plan){VALUE, 1, extents};
}

int main(int given, char **arguments) {
    insist(given == 3, "takes a file to make and how many writes to do");
    path = arguments[1];
    writes_wanted = strtoull(arguments[2], NULL, 10);
    make_region();

    pthread_t threads[WRITERS + READERS + PINNERS + WAITERS];
    int started = 0;
    for (int i = 0; i < WRITERS; i++) /* the first one lives for ever */
        insist(!pthread_create(&threads[started++], NULL, writer, i ? (void *)path : NULL), "no thread");
    for (int i = 0; i < READERS; i++)
        insist(!pthread_create(&threads[started++], NULL, reader, NULL), "no thread");
    for (int i = 0; i < PINNERS; i++)
        insist(!pthread_create(&threads[started++], NULL, pinner, NULL), "no thread");
    for (int i = 0; i < WAITERS; i++)
        insist(!pthread_create(&threads[started++], NULL, waiter, NULL), "no thread");
    while (started)
        pthread_join(threads[--started], NULL);

    tshm_cursor cursor = {0};
    insist(tshm_read_begin(&ring, &cursor) == TSHM_READABLE, "the last version is not readable");
    insist(tshm_version(&ring, &cursor) == newest, "versions are missing");
    uint64_t counted = tshm_load(&tshm_control_of(&ring)->writer.deaths, relaxed);
    insist(takeovers == deaths_held, "a death that the next owner was not told of");
    insist(counted && counted <= deaths_held, "deaths went uncounted"); /* one who dies before the repair is no other */
    printf("%llu writes, %llu deaths with the lock, %llu with a pin, %llu take-overs; %llu reads, %llu in place, %llu "
           "pins refused, %llu wake-ups\n",
           (unsigned long long)newest, (unsigned long long)deaths_held, (unsigned long long)deaths_pinned,
           (unsigned long long)takeovers, (unsigned long long)read_count, (unsigned long long)pinned_count,
           (unsigned long long)refused_count, (unsigned long long)woken_count);
    return 0;
}
