/* exclusive FILE: a program in C that takes part in a region of 64-bit numbers, and does what it is told, a letter at a
 * time: w writes a number, c claims to publish exclusively, u gives that up, r writes while it holds the lock and then
 * waits for another letter, which lets go. It prints a word for each: "written", "claimed", "exclusive" if another
 * publishes exclusively, "given up". It ends with its input. */
#define _GNU_SOURCE
#include "lock/lock.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

static tshm_ring ring;
static lock_handle lock;

static void take(lock_word *place) {
    for (int result = lock_try(&lock, place); result < 0;)
        result = lock_wait(&lock, place, 10000000);
}

static const char *write_number(uint64_t number) {
    tshm_cursor cursor;
    int state = tshm_write_begin(&ring, lock_alive, &lock, &cursor);
    if (state != TSHM_WRITABLE)
        return state == TSHM_CLAIMED ? "exclusive" : "nothing";
    tshm_copy_in(cursor.payload, &number, sizeof number);
    if (tshm_write_end(&ring, &cursor, os_realtime_ns()))
        os_word_wake_all(&lock.peers, lock.control, (void *)&lock.control->head.word);
    (void)tshm_change(or, &lock_presence(&lock)->flags, TSHM_WROTE, relaxed);
    return "written";
}

static const char *claim(void) {
    if (tshm_claimed(&ring, lock_alive, &lock))
        return "exclusive";
    tshm_claim(&ring);
    return "claimed";
}

static const char *unclaim(void) {
    tshm_unclaim(&ring);
    return "given up";
}

int main(int given, char **arguments) {
    int fd = given > 1 ? open(arguments[1], O_RDWR | O_CLOEXEC) : -1;
    struct stat status;
    tshm_header header;
    if (fd < 0 || fstat(fd, &status) < 0)
        return 1;
    void *memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED || tshm_check(memory, (uint64_t)status.st_size, &header, &ring))
        return 1;
    lock.control = tshm_control_of(&ring);
    lock.presence_count = ring.presence_count;
    lock.peers.fd = open(arguments[1], O_RDWR | O_CLOEXEC); /* of its own: its locks are what proves that we live */
    if (lock_attach(&lock) != LOCK_TAKEN)
        return 1;
    tshm_store(&lock_presence(&lock)->flags, 0, release); /* with the kernel's lock on our byte */
    uint64_t number = 0;
    for (int letter; (letter = getchar()) != EOF;) {
        lock_word place = {&lock.control->writer.word, 0, false};
        take(&place);
        puts(letter == 'c' ? claim() : letter == 'u' ? unclaim() : write_number(++number));
        fflush(stdout);
        if (letter == 'r')
            (void)getchar();
        lock_release(&lock, &place, true);
    }
    return 0;
}
