/* The rows of a table under ThreadSanitizer: writers that append, update and die, readers, and followers that sleep.
 *
 *     rows_threads FILE WRITES
 *
 * As threads.c, which says how: every thread is a participant of its own. What it can prove here:
 *
 *  - A plain variable for each row, touched by those that have it only: it races unless the row's word excludes and
 *    orders, also when the row is taken over from the dead.
 *  - A plain note for each version, made before that is published, and looked at by whoever has read it: it races
 *    unless the mark is stored with release and loaded with acquire.
 *
 * The orders of stamps, epoch and news are seq_cst accesses of atomics, which never race: whether followers report
 * every change, and sleepers are woken, is checked by what they saw at the end. */
#define _GNU_SOURCE
#include "lifelines.h"
#include "lock/lock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ROWS = 70 /* two stamps */,
    BUSY = 4 /* rows that everybody wants */,
    WORDS = 25,
    WRITERS = 3,
    OTHERS = 2,
    NOTES = 100000
};

static const char *path;
static tshm_table table;
static uint64_t writes_wanted;
static TSHM_ATOMIC(bool) written, finished;
static tshm_atomic_u64 write_count, append_count, lapped_count, death_count, takeovers, read_count, report_count,
    sleeps;

static uint64_t newest[ROWS]; /* touched by those that have the row */
static uint64_t *notes;       /* of the first versions of each row */

/* Relaxed, or the counting itself would order the threads. */
static void count(tshm_atomic_u64 *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void insist(bool holds, const char *what) {
    if (holds)
        return;
    fprintf(stderr, "rows_threads: %s\n", what);
    _Exit(1);
}

static tshm_table_control *control(void) {
    return tshm_table_control_of(&table);
}

static void come(lock_handle *lock) {
    memset(lock, 0, sizeof *lock);
    lock->control = &control()->control;
    lock->presence_count = table.presence_count;
    lock->peers.fd = open(path, O_RDWR | O_CLOEXEC);
    insist(lock->peers.fd >= 0 && lock_attach(lock) == LOCK_TAKEN, "nobody can attach");
}

static void go(lock_handle *lock) {
    __tsan_release(&lifelines[lock->entry]);
    close(lock->peers.fd);
}

/* ---- rows: every word follows from row and version ---- */

static uint64_t word_of(uint64_t row, uint64_t version, size_t i) {
    return version * 0x9e3779b97f4a7c15ull + row * 0x10001ull + i;
}

static uint64_t *note_of(uint64_t row, uint64_t version) {
    return version < NOTES ? &notes[row * NOTES + version] : NULL;
}

/* Of a row that is ours; `dies` in the middle of it. */
static void store(uint64_t row, uint64_t ticket, bool dies) {
    uint64_t words[WORDS], version = newest[row] + 1;
    tshm_row_stamp(&table, row);
    tshm_row_cursor cursor = tshm_row_write_begin(&table, tshm_row_of(&table, row));
    insist(cursor.number == version, "a version was skipped");
    for (size_t i = 0; i < WORDS; i++)
        words[i] = word_of(row, version, i);
    if (ticket)
        tshm_store(&cursor.row->ticket, ticket, relaxed);
    tshm_copy_in(cursor.payload, words, dies ? sizeof words / 16 * 8 : sizeof words);
    if (dies)
        return;
    if (note_of(row, version))
        *note_of(row, version) = words[0];
    newest[row] = version;
    tshm_row_write_end(&cursor, 1);
}

static bool everybody_had_a_turn(void) {
    tshm_atomic_u64 *counters[] = {&append_count, &death_count, &takeovers, &read_count, &report_count, &sleeps};
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        if (!tshm_load(counters[i], relaxed))
            return false;
    return true;
}

static void *writer(void *argument) {
    lock_handle lock;
    come(&lock);
    uint64_t chance = (uint64_t)(uintptr_t)&lock;
    for (uint64_t turn = 1; tshm_load(&write_count, relaxed) < writes_wanted || !everybody_had_a_turn(); turn++) {
        chance = chance * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t ticket = 0, row = turn % 2 ? chance >> 33 & (BUSY - 1) : (chance >> 33) % ROWS;
        bool dies = argument && turn % 64 == 0;
        if (turn % 4 == 0) {
            ticket = tshm_change(add, &control()->tickets, 1, relaxed) + 1;
            row = (ticket - 1) % ROWS;
        }
        lock_word word = {.word = &tshm_row_of(&table, row)->owner};
        int taken = lock_try(&lock, &word);
        while (taken < 0)
            taken = lock_wait(&lock, &word, TSHM_SLICE);
        if (taken == LOCK_RECOVERED)
            count(&takeovers);
        bool lapped = ticket && tshm_load(&tshm_row_of(&table, row)->ticket, relaxed) > ticket;
        if (!lapped)
            store(row, ticket, dies);
        count(lapped ? &lapped_count : ticket ? &append_count : &write_count);
        if (dies) {
            go(&lock);
            count(&death_count);
            come(&lock);
            continue;
        }
        insist(lock_release(&lock, &word, true) == LOCK_TAKEN, "a row was lost");
        if (tshm_news(&table))
            os_word_wake_all(&lock.peers, lock.control, (void *)&lock.control->head.word);
    }
    go(&lock);
    return NULL;
}

static void *reader(void *unused) {
    uint64_t last[ROWS] = {0}, words[WORDS];
    for (uint64_t turn = 0; !tshm_load(&finished, relaxed); turn++) {
        uint64_t row = turn % 3 ? turn % BUSY : turn % ROWS;
        tshm_row_cursor cursor;
        if (tshm_row_read_begin(&table, tshm_row_of(&table, row), &cursor) != TSHM_READABLE)
            continue;
        tshm_copy_out(words, cursor.payload, sizeof words);
        if (tshm_row_read_retry(&cursor))
            continue;
        insist(cursor.number >= last[row], "a version older than the one before");
        last[row] = cursor.number;
        for (size_t i = 0; i < WORDS; i++)
            insist(words[i] == word_of(row, cursor.number, i), "a torn row");
        if (note_of(row, cursor.number))
            insist(*note_of(row, cursor.number) == words[0], "another note");
        count(&read_count);
    }
    return unused;
}

/* ---- a follower, by the rules under CHANGES in typedshm.h ---- */

typedef struct {
    uint64_t since, unsure[ROWS], reported[ROWS]; /* unsure: its version + 1; reported: that which a report led to */
} follower;

static bool look(follower *mine) {
    uint64_t epoch = tshm_epoch_step(&table);
    bool any = false;
    for (uint64_t row = 0; row < ROWS; row++) {
        tshm_row *place = tshm_row_of(&table, row);
        if (tshm_load(tshm_stamp_of(&table, row), seq_cst) < mine->since && !mine->unsure[row])
            continue;
        bool held = (tshm_load(&place->owner, seq_cst) & TSHM_WORD_OWNER) != 0;
        uint64_t version = tshm_row_number(&table, place);
        bool changed =
            tshm_load(&place->stamp, relaxed) >= mine->since || (mine->unsure[row] && mine->unsure[row] != version + 1);
        mine->unsure[row] = !held ? 0 : mine->unsure[row] && !changed ? mine->unsure[row] : version + 1;
        if (changed) {
            mine->reported[row] = version;
            any = true;
            count(&report_count);
        }
    }
    mine->since = epoch + 1;
    return any;
}

static void *following(void *unused) {
    lock_handle lock;
    follower mine = {.since = 1};
    come(&lock);
    tshm_atomic_u64 *news = &control()->control.head.word;
    while (!tshm_load(&written, acquire)) {
        uint32_t number = (uint32_t)(tshm_load(news, acquire) & ~TSHM_HEAD_AWAITED);
        if (look(&mine) || !tshm_announce_news_sleep(&table, number) || look(&mine))
            continue;
        count(&sleeps);
        os_word_wait(&lock.peers, lock.control, (void *)news, number | (uint32_t)TSHM_HEAD_AWAITED, TSHM_SLICE);
    }
    look(&mine);
    for (uint64_t row = 0; row < ROWS; row++)
        insist(mine.reported[row] == tshm_row_number(&table, tshm_row_of(&table, row)), "a change went unreported");
    go(&lock);
    return unused;
}

/* ---- the table, written here by hand ---- */

static void make_table(void) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    tshm_header header = {0};
    header.magic = TSHM_MAGIC;
    header.format = TSHM_FORMAT;
    header.header_size = sizeof header;
    header.flags = TSHM_TABLE;
    header.document_offset = header.stamps_offset = sizeof(tshm_table_control);
    header.slots_offset = header.stamps_offset + TSHM_LINE;
    header.payload_size = WORDS * sizeof(uint64_t);
    header.slot_count = 2;
    header.slot_stride = (tshm_row_head(2) + 2 * header.payload_size + 63) / 64 * 64;
    header.row_count = ROWS;
    header.presence_count = 16;
    header.instance = 1;
    header.region_size = header.slots_offset + ROWS * header.slot_stride;
    header.check = tshm_header_check(&header);
    insist(fd >= 0 && os_preallocate(fd, header.region_size) == 0, "the file cannot be made");
    size_t size = (size_t)header.region_size;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    insist(memory != MAP_FAILED, "the file cannot be mapped");
    close(fd);
    memcpy(memory, &header, sizeof header);
    const char *problem = tshm_check_table(memory, size, &header, &table);
    insist(!problem, problem);
    tshm_store(&control()->epoch, 1, relaxed);
    notes = calloc((size_t)ROWS * NOTES, sizeof *notes);
    insist(notes != NULL, "no memory");
}

static void join_all(pthread_t *threads, int amount) {
    while (amount)
        pthread_join(threads[--amount], NULL);
}

int main(int given, char **arguments) {
    insist(given == 3, "takes a file to make and how many writes to do");
    path = arguments[1];
    writes_wanted = strtoull(arguments[2], NULL, 10);
    make_table();

    pthread_t writers[WRITERS], readers[OTHERS], followers[OTHERS];
    for (int i = 0; i < OTHERS; i++) {
        insist(!pthread_create(&readers[i], NULL, reader, NULL), "no thread");
        insist(!pthread_create(&followers[i], NULL, following, NULL), "no thread");
    }
    for (int i = 0; i < WRITERS; i++) /* the first one lives for ever */
        insist(!pthread_create(&writers[i], NULL, writer, i ? (void *)path : NULL), "no thread");
    join_all(writers, WRITERS);
    tshm_store(&written, true, release);
    join_all(followers, OTHERS);
    tshm_store(&finished, true, relaxed);
    join_all(readers, OTHERS);

    printf(
        "%llu writes, %llu appends, %llu lapped, %llu deaths, %llu take-overs; %llu reads, %llu reports, %llu sleeps\n",
        (unsigned long long)write_count, (unsigned long long)append_count, (unsigned long long)lapped_count,
        (unsigned long long)death_count, (unsigned long long)takeovers, (unsigned long long)read_count,
        (unsigned long long)report_count, (unsigned long long)sleeps);
    return 0;
}
