/* The operating system: what Linux has of its own. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64 /* also where a long has 32 */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

static void futex_wait(void *word, uint32_t expected, uint64_t ns, int flags) {
    struct timespec timeout = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    syscall(SYS_futex, word, FUTEX_WAIT | flags, expected, &timeout, NULL, 0);
}

void os_gate_wait(void *word, uint32_t expected, uint64_t ns) {
    futex_wait(word, expected, ns, FUTEX_PRIVATE_FLAG);
}

void os_gate_wake_one(void *word) {
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

/* Shared futexes (no FUTEX_PRIVATE_FLAG): the sleepers are in other processes, and the kernel knows them. */

void os_word_wait(os_peers *peers, tshm_region *lines, void *word, uint32_t expected, uint64_t ns) {
    (void)peers, (void)lines;
    futex_wait(word, expected, ns, 0);
}

void os_word_wake_one(os_peers *peers, tshm_region *lines, void *word) {
    (void)peers, (void)lines;
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void os_word_wake_all(os_peers *peers, tshm_region *lines, void *word) {
    (void)peers, (void)lines;
    syscall(SYS_futex, word, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
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

/* ---- pages ---------------------------------------------------------------------------------- */

bool os_populate(const os_memory *memory, bool write) {
    return madvise(memory->start, memory->size, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) == 0 ||
           errno != EINVAL;
}

bool os_use_huge_pages(const os_memory *memory) {
    return madvise(memory->start, memory->size, MADV_COLLAPSE) == 0;
}
