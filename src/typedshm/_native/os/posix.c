/* The operating system: what every POSIX system has. */
#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#define _FILE_OFFSET_BITS 64 /* the bytes that stand for things lie behind 2^40, also for 32-bit processes */
#include "os/os.h"

#include "os/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__APPLE__) && !defined(F_OFD_SETLK) /* in every kernel since OS X 10.11, in the SDK only lately */
#define F_OFD_SETLK 90
#define F_OFD_GETLK 92
#endif

TSHM_STATIC_ASSERT(sizeof(off_t) == 8, "files of more than 2 GiB");

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

uint64_t os_coarse_ns(void) {
#ifdef CLOCK_REALTIME_COARSE
    return clock_ns(CLOCK_REALTIME_COARSE);
#else
    return clock_ns(CLOCK_REALTIME);
#endif
}

void os_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

uint32_t os_process_id(void) {
    return (uint32_t)getpid();
}

/* ---- a waker is a word that its sleeper sleeps on ---- */

bool os_waker_make(os_waker *waker) {
    tshm_store(&waker->wakes, 0, relaxed);
    return true;
}

void os_waker_free(os_waker *waker) {
    (void)waker;
}

void os_waker_wake(os_waker *waker) {
    /* seq_cst, with the system's look at the word: it sees the new count, or the wake-up finds the sleeper */
    atomic_fetch_add_explicit(&waker->wakes, 1, memory_order_seq_cst);
    os_local_wake_one(&waker->wakes);
}

/* ---- locks on bytes ---- */

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

int os_byte_lock(intptr_t handle, uint64_t byte, enum os_byte_mode mode) {
    short type = mode == OS_BYTE_EXCLUSIVE ? F_WRLCK : mode == OS_BYTE_SHARED ? F_RDLCK : F_UNLCK;
    int result = byte_control((int)handle, F_OFD_SETLK, type, byte, NULL);
    return result == -EAGAIN || result == -EACCES ? 1 : result;
}

int os_byte_held(intptr_t handle, uint64_t byte) {
    short found;
    int result = byte_control((int)handle, F_OFD_GETLK, F_WRLCK, byte, &found);
    return result < 0 ? result : found != F_UNLCK;
}

bool os_mark_of(intptr_t handle, os_mark *mark) {
    struct stat status;
    if (fstat((int)handle, &status) < 0)
        return false;
    mark->device = (uint64_t)status.st_dev;
    mark->inode = (uint64_t)status.st_ino;
    mark->position = lseek((int)handle, 0, SEEK_CUR);
    return true;
}

bool os_is_marked(intptr_t handle, const os_mark *mark) {
    os_mark found;
    return os_mark_of(handle, &found) && found.device == mark->device && found.inode == mark->inode &&
           found.position == mark->position;
}

int os_peers_claim(os_peers *peers, uint32_t entry) {
    int result = os_byte_lock(peers->fd, TSHM_PRESENCE_BYTE + entry, OS_BYTE_EXCLUSIVE);
    if (result == 0 && !os_mark_of(peers->fd, &peers->mark))
        return -EBADF;
    return result;
}

bool os_peers_intact(const os_peers *peers) {
    return os_is_marked(peers->fd, &peers->mark);
}

int os_peers_alive(const os_peers *peers, uint32_t entry) {
    return os_byte_held(peers->fd, TSHM_PRESENCE_BYTE + entry);
}

uint32_t os_forks;

static void after_fork(void) {
    os_forks++;
    faults_after_fork();
}

static void count_forks(void) {
    pthread_atfork(NULL, NULL, after_fork);
}

static int protection(const os_memory *memory) {
    return memory->writable ? PROT_READ | PROT_WRITE : PROT_READ;
}

static void count_forks_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, count_forks);
}

bool os_map(os_memory *memory, intptr_t handle, size_t size, bool writable, bool large) {
    count_forks_once();
    struct stat status;
    if (size == 0) {
        if (fstat((int)handle, &status) < 0)
            return false;
        size = (size_t)status.st_size;
    }
    memory->size = size;
    memory->writable = writable;
    memory->segment = false;
    memory->large = large;
    tshm_store(&memory->lost, OS_THERE, relaxed);
    void *start = mmap(NULL, size, protection(memory), MAP_SHARED, (int)handle, 0);
    if (start == MAP_FAILED)
        return false;
    memory->start = start;
    if (!faults_add(memory)) {
        munmap(start, size);
        errno = ENOMEM;
        return false;
    }
    faults_watch();
    return true;
}

bool os_map_segment(os_memory *memory, int id, size_t size, bool writable) {
    count_forks_once();
    memory->size = size;
    memory->writable = writable;
    memory->segment = true;
    tshm_store(&memory->lost, OS_THERE, relaxed);
    void *start = shmat(id, NULL, writable ? 0 : SHM_RDONLY);
    if (start == (void *)-1)
        return false;
    memory->start = start;
    if (!faults_add(memory)) {
        shmdt(start);
        errno = ENOMEM;
        return false;
    }
    return true;
}

void os_unmap(os_memory *memory) {
    faults_remove(memory);
    if (memory->segment)
        shmdt(memory->start);
    else
        munmap(memory->start, memory->size);
}

bool os_protect(os_memory *memory) {
    if (mprotect(memory->start, memory->size, PROT_READ) < 0)
        return false;
    memory->writable = false;
    return true;
}

bool os_mlock(const os_memory *memory) {
    return mlock(memory->start, memory->size) == 0;
}

bool os_cover(os_memory *memory) {
    int flags = MAP_ANON | MAP_FIXED | MAP_NORESERVE; /* room is taken page by page, if at all */
    void *start = mmap(memory->start, memory->size, protection(memory), flags | MAP_PRIVATE, -1, 0);
    if (start == MAP_FAILED) /* more private memory than a limit of the process allows: shared memory has none */
        start = mmap(memory->start, memory->size, protection(memory), flags | MAP_SHARED, -1, 0);
    return start != MAP_FAILED;
}
