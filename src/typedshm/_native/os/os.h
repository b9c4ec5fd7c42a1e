/* What the core needs of an operating system. posix.c with linux.c or macos.c implement it, or windows.c; nothing here
 * knows Python. */
#ifndef TYPEDSHM_OS_H
#define TYPEDSHM_OS_H

#include "typedshm.h"

#include <stdbool.h>

/* ---- what the system lacks or forbids, and is done in another way ---- */
typedef struct {
    const char *what;
    int error; /* why, as the system numbers errors; 0 if it just has no such call */
} os_missing;
enum { OS_MISSING_MAX = 4 };
/* Find it all out. Returns how many there are. */
uint32_t os_find_missing(os_missing *found);

/* ---- time ---- */
uint64_t os_monotonic_ns(void); /* for deadlines */
uint64_t os_realtime_ns(void);  /* since 1970, for times that other processes read */
uint64_t os_coarse_ns(void);    /* the same, some milliseconds late and in a fraction of the time */
void os_relax(void);            /* inside a short spin */
uint32_t os_process_id(void);
/* Is there a process of that number? A zombie counts. */
bool os_process_lives(uint32_t id);
/* When this process began, in the system's own unit: with its number it tells it from all others of this machine, also
 * from those that see other numbers. 0 if the system does not tell. */
uint64_t os_process_started(void);
/* Raised in every child of a fork(), whoever called it: what its parent holds is not its own. Always 0 on Windows. */
extern uint32_t os_forks;

/* ---- sleeping on a word of this process ---- */
/* Sleep while *word == expected, at most `ns`. May return early for no reason. */
void os_local_wait(void *word, uint32_t expected, uint64_t ns);
void os_local_wake_one(void *word);

/* ---- whose a descriptor is ---- */
/* The program may close descriptors that are not its own, as daemons do, and the system gives their numbers to what is
 * opened next. So ours are known by their file, and by a position in it: that belongs to the opening, not to the file,
 * and nobody reads or writes by it. */
typedef struct {
    uint64_t device, inode; /* POSIX only: the position is enough to be sure that a guess is right */
    int64_t position;
} os_mark;

/* How the descriptor (on Windows the file's handle) is marked now. False if it is none. */
bool os_mark_of(intptr_t handle, os_mark *mark);
bool os_is_marked(intptr_t handle, const os_mark *mark);

/* ---- the other participants of a region, as the kernel knows them ---- */
#ifdef _WIN32
enum { OS_NAME_MAX = 260 }; /* characters of a kernel object's name, with the NUL */
typedef struct {
    wchar_t prefix[OS_NAME_MAX - 16]; /* of the names of the objects that stand for participants and sleepers */
    void *security;                   /* their SECURITY_DESCRIPTOR, or NULL */
    void *file;                       /* of a region in a file: presence is a lock on one of its bytes; or NULL */
    os_mark mark;                     /* the file's, when that lock was taken */
    void *presence;                   /* the object that stands for us, or NULL */
    struct os_waiter_event *events;   /* our events that nobody sleeps on at the moment */
    void *events_lock;                /* an SRWLOCK */
} os_peers;
#else
typedef struct {
    int fd;       /* its locks are ours; never mapped, duplicated or inherited */
    os_mark mark; /* its own, when the first of them was taken */
} os_peers;
#endif

/* Claim presence entry `entry`, until our end. 0 = done, 1 = another has it, otherwise -errno. Never blocks. */
int os_peers_claim(os_peers *peers, uint32_t entry);
/* 1 = another has claimed it and lives, 0 = nobody, otherwise -errno. Our own claim does not count. */
int os_peers_alive(const os_peers *peers, uint32_t entry);

/* Is what proves our own life still there? Not if the program has closed our descriptor. Then nothing that was asked
 * through it counts. */
bool os_peers_intact(const os_peers *peers);

/* Sleep while *word == expected, at most `ns`. May return early for no reason. `peers` is NULL for those who may only
 * read. `control` is the control block that the word belongs to: where the kernel cannot wake by address between
 * processes, it also says whom to wake. */
void os_word_wait(os_peers *peers, tshm_control *control, void *word, uint32_t expected, uint64_t ns);
void os_word_wake_one(os_peers *peers, tshm_control *control, void *word);
void os_word_wake_all(os_peers *peers, tshm_control *control, void *word);

/* ---- sleeping on many words of shared memory at once ---- */
/* With it, threads of this process wake such a sleeper. */
typedef struct {
    tshm_atomic_u32 wakes; /* how often */
#ifdef _WIN32
    void *event, *timer;
#endif
} os_waker;

typedef struct {
    os_peers *peers; /* ours, as for os_word_wait */
    tshm_control *control;
    void *word;
    uint32_t expected;
} os_word;

/* How many words one thread can sleep on; 0 where the system has no such call. */
uint32_t os_words_max(void);
bool os_waker_make(os_waker *waker);
void os_waker_free(os_waker *waker);
void os_waker_wake(os_waker *waker);
/* Sleep while every word is as expected and the waker has not been used more often than `wakes`, at most `ns`. May
 * return early for no reason. No words, and the waker alone, are always possible. */
void os_words_wait(const os_word *words, uint32_t count, os_waker *waker, uint32_t wakes, uint64_t ns);

/* ---- memory ---- */
/* A mapping. What lies behind it can go away: a file is cut short, a disk fails or is full. The system would end the
 * process at the next touch; here zeroed pages of our own take the place of the whole mapping instead, for good. Who is
 * at work there goes on, to nobody's profit or harm, and finds out afterwards, by `lost`. The structure stays where it
 * is while it is mapped. */
typedef struct os_memory {
    unsigned char *start;
    size_t size;
    bool writable;
    bool segment;         /* of System V, which is detached rather than unmapped */
    bool large;           /* made of pages that are never written to the disk (Windows) */
    tshm_atomic_u32 lost; /* an enum os_lost */
} os_memory;

enum os_lost { OS_THERE, OS_GOING, OS_LOST };

/* `handle`: a file descriptor; on Windows a section handle. `size` 0: all of it. `large`: by large pages, where a
 * section has them. False, and errno or GetLastError(), on failure. */
bool os_map(os_memory *memory, intptr_t handle, size_t size, bool writable, bool large);
#ifndef _WIN32
/* The System V segment of that number, all of its `size` bytes. False and errno on failure. */
bool os_map_segment(os_memory *memory, int id, size_t size, bool writable);
#endif
void os_unmap(os_memory *memory);
/* From now on, writing to the mapping is a fault. False, and errno or GetLastError(), on failure. */
bool os_protect(os_memory *memory);
/* Have the system map every page now, for writing too if `write`, which changes no byte and may dirty all of them.
 * False if it has no such call. Whatever else keeps it from doing so is met again, and told, at the first touch. */
bool os_populate(const os_memory *memory, bool write);
/* Keep the pages in memory for as long as they are mapped. False, and errno or GetLastError(), on failure. */
bool os_mlock(const os_memory *memory);
#ifdef __linux__
/* Move the file's pages, as far as they fill huge ones, into huge pages. False and errno on failure. */
bool os_use_huge_pages(const os_memory *memory);
#endif
/* Lay zeroed pages over the mapping. For the handler of faults; false on failure. */
bool os_cover(os_memory *memory);

/* ---- kernel locks on single bytes of a file, released when their owner dies ---- */
enum os_byte_mode { OS_BYTE_FREE, OS_BYTE_SHARED, OS_BYTE_EXCLUSIVE };
/* 0 = done, 1 = held by another, otherwise -errno. Never blocks. `handle`: a descriptor; on Windows a file handle, and
 * there a lock that changes its mode is given back first. */
int os_byte_lock(intptr_t handle, uint64_t byte, enum os_byte_mode mode);
/* 1 = somebody else holds it, 0 = nobody, otherwise -errno. Our own descriptor's lock does not count (on Windows, it
 * must have none). */
int os_byte_held(intptr_t handle, uint64_t byte);

#ifndef _WIN32
/* Give the file `size` bytes that really exist, so that a full disk is noticed now. 0 or -errno. */
int os_preallocate(int fd, uint64_t size);
#endif

#endif
