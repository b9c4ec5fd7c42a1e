/* What the core needs of an operating system. One os_<name>.c implements it; nothing here knows Python. */
#ifndef TYPEDSHM_OS_H
#define TYPEDSHM_OS_H

#include "typedshm.h"

#include <stdbool.h>

/* ---- time ---- */
uint64_t os_monotonic_ns(void); /* for deadlines */
uint64_t os_realtime_ns(void);  /* since 1970, for times that other processes read */
void os_relax(void);            /* inside a short spin */

/* ---- sleeping on a word of shared memory ---- */
/* Sleep while *word == expected, at most `ns`. May return early for no reason. */
void os_word_wait(void *word, uint32_t expected, uint64_t ns);
void os_word_wake_one(void *word);
void os_word_wake_all(void *word);

/* ---- kernel locks on single bytes of a file, released when their owner dies ---- */
enum os_byte_mode { OS_BYTE_FREE, OS_BYTE_SHARED, OS_BYTE_EXCLUSIVE };
/* 0 = done, 1 = held by another, otherwise -errno. Never blocks. */
int os_byte_lock(int fd, uint64_t byte, enum os_byte_mode mode);
/* 1 = somebody else holds it, 0 = nobody, otherwise -errno. Our own descriptor's lock does not count. */
int os_byte_held(int fd, uint64_t byte);

/* ---- memory ---- */
/* Give the file `size` bytes that really exist, so that a full disk is noticed now. 0 or -errno. */
int os_preallocate(int fd, uint64_t size);
/* NULL and errno on failure. */
void *os_map(int fd, size_t size, bool writable);
void os_unmap(void *memory, size_t size);
/* From now on, writing to the mapping is a fault. 0 or -errno. */
int os_protect(void *memory, size_t size);

#endif
