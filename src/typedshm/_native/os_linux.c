/* The operating system, for Linux. */
#define _GNU_SOURCE
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t os_monotonic_ns(void) {
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t os_realtime_ns(void) {
    return clock_ns(CLOCK_REALTIME);
}

void os_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The futexes are shared ones (no FUTEX_PRIVATE_FLAG): the sleepers are in other processes. */

void os_word_wait(void *word, uint32_t expected, uint64_t ns) {
    struct timespec timeout = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, NULL, 0);
}

void os_word_wake_one(void *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void os_word_wake_all(void *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
}

/* Open-file-description locks: owned by the open() they were taken through, not by the process, so that
 * two handles in one process exclude each other and closing some other descriptor loses nothing. */

static int byte_control(int fd, int command, short type, uint64_t byte, short *found) {
    struct flock lock = {0};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = (off_t)byte;
    lock.l_len = 1;
    int result;
    do
        result = fcntl(fd, command, &lock);
    while (result < 0 && errno == EINTR);
    if (found)
        *found = lock.l_type;
    return result < 0 ? -errno : 0;
}

int os_byte_lock(int fd, uint64_t byte, enum os_byte_mode mode) {
    short type = mode == OS_BYTE_EXCLUSIVE ? F_WRLCK : mode == OS_BYTE_SHARED ? F_RDLCK : F_UNLCK;
    int result = byte_control(fd, F_OFD_SETLK, type, byte, NULL);
    return result == -EAGAIN || result == -EACCES ? 1 : result;
}

int os_byte_held(int fd, uint64_t byte) {
    short found;
    int result = byte_control(fd, F_OFD_GETLK, F_WRLCK, byte, &found);
    return result < 0 ? result : found != F_UNLCK;
}

int os_preallocate(int fd, uint64_t size) {
    if (ftruncate(fd, (off_t)size) < 0)
        return -errno;
    int result;
    do
        result = posix_fallocate(fd, 0, (off_t)size);
    while (result == EINTR);
    return -result;
}

void *os_map(int fd, size_t size, bool writable) {
    void *memory = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void os_unmap(void *memory, size_t size) {
    munmap(memory, size);
}

int os_protect(void *memory, size_t size) {
    return mprotect(memory, size, PROT_READ) < 0 ? -errno : 0;
}
