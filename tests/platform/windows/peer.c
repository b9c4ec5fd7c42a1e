/* A program that shares a region of ten u64 with Windows Python: typedshm.h and the core's lock, no Python.
 * Built for 32 and for 64 bits, since a 32-bit process must be able to share a region with a 64-bit one.
 *
 *   peer SECTION            prints the newest version
 *   peer SECTION COUNT      raises each word by one, COUNT times, each time under the writers' lock, and prints it
 *   peer SECTION die        takes the writers' lock, begins a write, and ends
 *
 * SECTION is the kernel's name of the section; those of the participants' objects begin with it. */
#include "lock/lock.h"
#include "os/windows.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 10 };

static int fail(const char *what) {
    fprintf(stderr, "%s, error %lu\n", what, GetLastError());
    return 2;
}

/* The newest version's number, 0 if there is none. */
static uint64_t read_newest(const tshm_ring *ring, uint64_t words[WORDS]) {
    for (;;) {
        tshm_cursor cursor;
        int found = tshm_read_begin(ring, &cursor);
        if (found == TSHM_NOTHING)
            return 0;
        if (found != TSHM_READABLE)
            continue;
        tshm_copy_out(words, cursor.payload, WORDS * sizeof *words);
        uint64_t version = tshm_version(ring, &cursor);
        if (!tshm_read_retry(&cursor))
            return version;
    }
}

static void print_newest(const tshm_ring *ring) {
    uint64_t words[WORDS] = {0};
    printf("%d bits, version %llu:", (int)sizeof(void *) * 8, (unsigned long long)read_newest(ring, words));
    for (int i = 0; i < WORDS; i++)
        printf(" %llu", (unsigned long long)words[i]);
    putchar('\n');
}

static void raise_all(const tshm_ring *ring, lock_handle *lock) {
    uint64_t words[WORDS] = {0}, now = os_realtime_ns();
    tshm_cursor cursor;
    read_newest(ring, words);
    for (int i = 0; i < WORDS; i++)
        words[i]++;
    if (tshm_write_begin(ring, lock_alive, lock, &cursor) != TSHM_WRITABLE)
        return; /* all slots pinned: shows as a number too low */
    tshm_copy_in(cursor.payload, words, sizeof words);
    if (tshm_write_end(ring, &cursor, now))
        os_word_wake_all(&lock->peers, tshm_control_of(ring), &tshm_control_of(ring)->head.word);
}

int main(int count, char **arguments) {
    lock_handle lock = {0};
    int length = MultiByteToWideChar(CP_UTF8, 0, count > 1 ? arguments[1] : "", -1, lock.peers.prefix,
                                     sizeof lock.peers.prefix / sizeof(wchar_t) - 1);
    if (!length)
        return fail("peer SECTION [COUNT | die]");
    HANDLE section = OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, FALSE, lock.peers.prefix);
    if (!section)
        return fail("no such section");
    static os_memory memory;
    tshm_header header;
    tshm_ring ring;
    if (!os_map(&memory, (intptr_t)section, 0, true, false))
        return fail("cannot be mapped");
    const char *problem = tshm_check(memory.start, memory.size, &header, &ring);
    if (problem || ring.payload_size < WORDS * sizeof(uint64_t)) {
        puts(problem ? problem : "the payload is too small");
        return 1;
    }
    tshm_control *control = tshm_control_of(&ring);
    if (count > 2) {
        lock.control = control;
        lock.presence_count = ring.presence_count;
        if (lock_attach(&lock) != LOCK_TAKEN)
            return fail("no place among those who write");
        bool dies = strcmp(arguments[2], "die") == 0;
        for (long i = dies ? 1 : strtol(arguments[2], NULL, 10); i > 0; i--) {
            lock_word word = {.word = &lock.control->writer.word};
            int taken = lock_try(&lock, &word);
            while (taken == LOCK_BUSY)
                taken = lock_wait(&lock, &word, TSHM_SLICE);
            tshm_cursor cursor;
            if (dies && tshm_write_begin(&ring, lock_alive, &lock, &cursor) == TSHM_WRITABLE) {
                memset(cursor.payload, 0xff, 8 * WORDS);
                TerminateProcess(GetCurrentProcess(), 9);
            }
            raise_all(&ring, &lock);
            if (lock_release(&lock, &word, true) != LOCK_TAKEN)
                return fail("the lock was lost");
        }
    }
    print_newest(&ring);
    return 0;
}
