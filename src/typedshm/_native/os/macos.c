/* The operating system: what macOS has of its own. */
#define _DARWIN_C_SOURCE
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysctl.h>
#include <time.h>
#include <unistd.h>

/* macOS 14.4 and later sleep and wake by address. Declared here, since older SDKs lack the header, and linked weakly,
 * since older systems lack the functions: there they are NULL. */
extern int os_sync_wait_on_address_with_timeout(void *address, uint64_t value, size_t size, uint32_t flags,
                                                uint32_t clock, uint64_t ns) __attribute__((weak_import));
extern int os_sync_wake_by_address_any(void *address, size_t size, uint32_t flags) __attribute__((weak_import));
extern int os_sync_wake_by_address_all(void *address, size_t size, uint32_t flags) __attribute__((weak_import));

enum { PRIVATE = 0, SHARED = 1 };           /* flags: sleepers of this process, or of all that map the page */
enum { CLOCK_MACH_ABSOLUTE_TIME = 32 };     /* the only clock there is */
static const uint64_t POLL_SLICE = 2000000; /* ns between looks, where nobody can wake us */

uint64_t os_process_started(void) {
    int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, getpid()};
    struct kinfo_proc process;
    size_t size = sizeof process;
    if (sysctl(name, 4, &process, &size, NULL, 0) != 0 || size < sizeof process)
        return 0;
    return (uint64_t)process.kp_proc.p_starttime.tv_sec * 1000000u + (uint64_t)process.kp_proc.p_starttime.tv_usec;
}

static void word_wait(void *word, uint32_t expected, uint64_t ns, uint32_t flags) {
    if (ns == 0 || tshm_load((tshm_atomic_u32 *)word, relaxed) != expected)
        return; /* 0 would be refused */
    if (os_sync_wait_on_address_with_timeout) {
        os_sync_wait_on_address_with_timeout(word, expected, sizeof(uint32_t), flags, CLOCK_MACH_ABSOLUTE_TIME, ns);
        return;
    }
    struct timespec slice = {0, (long)(ns < POLL_SLICE ? ns : POLL_SLICE)};
    nanosleep(&slice, NULL);
}

static void word_wake_one(void *word, uint32_t flags) {
    if (os_sync_wake_by_address_any)
        os_sync_wake_by_address_any(word, sizeof(uint32_t), flags);
}

void os_local_wait(void *word, uint32_t expected, uint64_t ns) {
    word_wait(word, expected, ns, PRIVATE);
}

void os_local_wake_one(void *word) {
    word_wake_one(word, PRIVATE);
}

void os_word_wait(os_peers *peers, tshm_control *control, void *word, uint32_t expected, uint64_t ns) {
    (void)peers, (void)control;
    word_wait(word, expected, ns, SHARED);
}

void os_word_wake_one(os_peers *peers, tshm_control *control, void *word) {
    (void)peers, (void)control;
    word_wake_one(word, SHARED);
}

void os_word_wake_all(os_peers *peers, tshm_control *control, void *word) {
    (void)peers, (void)control;
    if (os_sync_wake_by_address_all)
        os_sync_wake_by_address_all(word, sizeof(uint32_t), SHARED);
}

/* No call sleeps on several addresses: many words have to be polled. */

uint32_t os_words_max(void) {
    return 0;
}

void os_words_wait(const os_word *words, uint32_t count, os_waker *waker, uint32_t wakes, uint64_t ns) {
    (void)words, (void)count;
    os_local_wait(&waker->wakes, wakes, ns);
}

int os_preallocate(int fd, uint64_t size) {
    fstore_t store = {.fst_flags = F_ALLOCATEALL, .fst_posmode = F_PEOFPOSMODE, .fst_length = (off_t)size};
    int result;
    do
        result = fcntl(fd, F_PREALLOCATE, &store);
    while (result < 0 && errno == EINTR);
    /* file systems that don't know the call have no holes (FAT), or can't promise anything (network) */
    if (result < 0 && errno != ENOTSUP && errno != EINVAL)
        return -errno;
    return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

bool os_populate(const os_memory *memory, bool write) {
    (void)memory, (void)write;
    return false;
}

uint32_t os_find_missing(os_missing *found) {
    uint32_t count = 0;
    found[count++] = (os_missing){"wait for several", 0};
    found[count++] = (os_missing){"map pages ahead", 0};
    if (!os_sync_wait_on_address_with_timeout)
        found[count++] = (os_missing){"wait", 0};
    return count;
}
