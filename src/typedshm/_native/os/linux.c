/* The operating system: what Linux has of its own. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64 /* also where a long has 32 */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
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

static uint64_t read_started(void) {
    char text[1024];
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return 0;
    text[size] = 0;
    const char *field = strrchr(text, ')'); /* behind the program's name, which is field 2 and may contain anything */
    for (int number = 2; field && number < 22; number++)
        field = strchr(field + 1, ' ');
    return field ? strtoull(field, NULL, 10) : 0; /* in ticks since the machine was started */
}

uint64_t os_process_started(void) {
    /* asked at every attach, of which it would take a sixth; a child has a start of its own */
    static tshm_atomic_u64 started;
    static tshm_atomic_u32 known; /* os_forks + 1 when it was asked */
    uint32_t now = os_forks + 1;
    if (tshm_load(&known, acquire) != now) { /* with the release below: `started` is there */
        tshm_store(&started, read_started(), relaxed);
        tshm_store(&known, now, release);
    }
    return tshm_load(&started, relaxed);
}

static void futex_wait(void *word, uint32_t expected, uint64_t ns, int flags) {
    struct timespec timeout = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    syscall(SYS_futex, word, FUTEX_WAIT | flags, expected, &timeout, NULL, 0);
}

void os_local_wait(void *word, uint32_t expected, uint64_t ns) {
    futex_wait(word, expected, ns, FUTEX_PRIVATE_FLAG);
}

void os_local_wake_one(void *word) {
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

/* Shared futexes (no FUTEX_PRIVATE_FLAG): the sleepers are in other processes, and the kernel knows them. */

void os_word_wait(os_peers *peers, tshm_control *control, void *word, uint32_t expected, uint64_t ns) {
    (void)peers, (void)control;
    futex_wait(word, expected, ns, 0);
}

void os_word_wake_one(os_peers *peers, tshm_control *control, void *word) {
    (void)peers, (void)control;
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void os_word_wake_all(os_peers *peers, tshm_control *control, void *word) {
    (void)peers, (void)control;
    syscall(SYS_futex, word, FUTEX_WAKE, 0x7fffffff, NULL, NULL, 0);
}

/* futex_waitv, of Linux 5.16 and later. Written out here, since older headers lack it; the number is the same on every
 * architecture that there is a CPython for. */
enum { SYSTEM_FUTEX_WAITV = 449, WORDS_MAX = 128 };
enum { WORD_OF_32_BITS = 2, WORD_OF_THIS_PROCESS = 128 }; /* flags */
struct word {
    uint64_t expected, address;
    uint32_t flags, reserved;
};
struct moment {
    int64_t seconds, ns; /* also where a long has 32 bits */
};

/* Why there is no such call; 0 if there is. */
static int words_error(void) {
    /* no words at all are refused by the call itself; where it is missing or forbidden the reason is another */
    static TSHM_ATOMIC(int) known;
    int error = tshm_load(&known, relaxed);
    if (!error) {
        error = syscall(SYSTEM_FUTEX_WAITV, NULL, 0, 0, NULL, 0) < 0 ? errno : ENOSYS;
        tshm_store(&known, error, relaxed);
    }
    return error == EINVAL ? 0 : error;
}

uint32_t os_words_max(void) {
    return words_error() ? 0 : WORDS_MAX - 1; /* one is the waker's */
}

void os_words_wait(const os_word *words, uint32_t count, os_waker *waker, uint32_t wakes, uint64_t ns) {
    if (count == 0) {
        os_local_wait(&waker->wakes, wakes, ns);
        return;
    }
    struct word all[WORDS_MAX];
    all[0] = (struct word){wakes, (uintptr_t)&waker->wakes, WORD_OF_32_BITS | WORD_OF_THIS_PROCESS, 0};
    for (uint32_t i = 0; i < count; i++)
        all[i + 1] = (struct word){words[i].expected, (uintptr_t)words[i].word, WORD_OF_32_BITS, 0};
    uint64_t end = os_monotonic_ns() + ns;
    struct moment until = {(int64_t)(end / 1000000000u), (int64_t)(end % 1000000000u)};
    syscall(SYSTEM_FUTEX_WAITV, all, count + 1, 0, &until, CLOCK_MONOTONIC);
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

/* ---- what is missing ------------------------------------------------------------------------ */

uint32_t os_find_missing(os_missing *found) {
    uint32_t count = 0;
    int error = words_error();
    if (error)
        found[count++] = (os_missing){"wait for several", error};
    if (madvise(NULL, 0, MADV_POPULATE_READ) < 0) /* of no page at all: only whether there is such an advice */
        found[count++] = (os_missing){"map pages ahead", errno};
    return count;
}
