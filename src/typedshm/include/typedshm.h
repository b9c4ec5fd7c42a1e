/* typedshm.h - the shared-memory protocol of typedshm, format 2.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Plain C11 (or C++11), no Python, no system calls: what is here is the meaning of the bytes. A
 * program that includes this file can read a region that it has mapped, also through a read-only
 * mapping, and, while it holds the writers' lock, write one.
 *
 * A REGION holds the newest versions of one value of a fixed size, the payload:
 *
 *     0     header      256 bytes, written once, before `state` says ready
 *     256   head        the sequence number of the newest version, and whether somebody sleeps on it
 *     384   sleepers    who sleeps on `head`, where the kernel wakes nobody by address (Windows)
 *     512   writer      the writers' lock word, and what is known of dead owners
 *     640   presence    one entry for each participant that may write
 *     ...   followers   of a lossless region only: what its writers wait for
 *     ...   document    the layout of the payload, as JSON
 *     ...   slots       slot_count times { slot line of 128 bytes, payload }
 *
 * All numbers are little-endian and of fixed width. Nothing here is a pointer, a pthread object or a
 * process id that anybody relies on. Words that several processes store to lie on 128-byte lines of
 * their own (two cache lines: neighbours are prefetched in pairs).
 *
 * THE RING. Every version has a sequence number; the one with number s lies in slot s % slot_count.
 * `slot.mark` is 2s + 1 while it is being written and 2s once it is complete; `head` holds the number h
 * of the newest complete version, 0 when there is none. A writer, alone because it holds the lock, marks
 * the slot odd, fills it, marks it even and stores `head` last. A reader loads `head`, requires that
 * the slot's mark EQUALS 2h, copies, and looks again. To accept any even mark would be wrong: it
 * may belong to a write whose author died before storing `head`, and which the next writer repeats.
 *
 * A killed writer needs no repair: the next one starts again at h + 1. With one slot that slot
 * was the only copy, so the value is lost until the next whole write; with two or more, nothing is.
 *
 * PINS. A reader that wants to look at a slot in place sets its bit in the slot's pin words, then
 * makes sure that the slot still holds the newest version. A writer marks its slot odd, then looks for
 * pins, and if there are any restores the mark and goes on to the next number. So sequence numbers may
 * skip; the number that users see, the slot's `version`, does not skip with them. At most slot_count - 2
 * slots may be pinned, by however many readers, so that a writer always finds one: a reader that exceeds
 * that takes its pin back, and copies. With more slots than participants nobody counts, and each
 * participant may pin its share; see tshm_pins_each().
 *
 * GIVEN NUMBERS. Who publishes what has been published before, as when a recording is replayed, may give versions
 * the numbers, and the times, that they had then: any number above that of the newest, see tshm_write_end_as(). The
 * slot tells how many were left out before its version. With one slot the version is the sequence number itself, and
 * that skips.
 *
 * WAITING. `head` is the sequence number times two, plus the W bit: somebody sleeps on the low half of
 * the word. A waiter sets the bit in the word that it has seen, then sleeps while the word stays so; a
 * writer exchanges the whole word, which publishes the number, clears the bit and tells whether anybody
 * has to be woken: once for each sleep, and not once for each write.
 *
 * A LOSSLESS region besides has followers, for whom writers wait: a version that one of them has still to get is not
 * written over. See FOLLOWERS below.
 *
 * THE WRITERS' LOCK is a word that names its owner by presence entry and generation; whether that owner
 * lives is asked of the kernel. See TSHM_WORD_* below.
 *
 * VALUES OF VARYING SIZE have a capacity, which lies in the payload, and numbers that say how much of it is
 * used. Readers and writers may copy just that; see tshm_plan. To copy everything is right as well.
 *
 * A TABLE holds many values of one layout, its rows, each with a lock and versions of its own; see below, where it is
 * told how rows are written, read and followed:
 *
 *     0     header      as above, with TSHM_TABLE in its flags, and the number of rows
 *     256   news        what waiters sleep on: raised when something was published while somebody sleeps
 *     384   ...         sleepers, writer (whose lock nobody takes) and presence, as above
 *     ...   epoch       raised by everybody who looks for changes
 *     ...   tickets     of those who append
 *     ...   document
 *     ...   stamps      one for every 64 rows: the epoch in which one of them was last written
 *     ...   rows        row_count times { owner, stamp, ticket, marks and times, payloads }, from line to line
 *
 * GEOMETRY is never trusted: copy the header once with tshm_check() or tshm_check_table(), which know the real size of
 * the memory, and use only the copy.
 */
#ifndef TYPEDSHM_H
#define TYPEDSHM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#ifdef __cplusplus
#include <atomic>
#define TSHM_ATOMIC(type) std::atomic<type>
#define tshm_load(place, order) std::atomic_load_explicit(place, std::memory_order_##order)
#define tshm_store(place, value, order) std::atomic_store_explicit(place, value, std::memory_order_##order)
#define tshm_fence(order) std::atomic_thread_fence(std::memory_order_##order)
#define tshm_exchange_if(place, expected, value, order)                                                                \
    std::atomic_compare_exchange_strong_explicit(place, expected, value, std::memory_order_##order,                    \
                                                 std::memory_order_relaxed)
#define tshm_exchange(place, value, order) std::atomic_exchange_explicit(place, value, std::memory_order_##order)
#define tshm_change(operation, place, bits, order)                                                                     \
    std::atomic_fetch_##operation##_explicit(place, bits, std::memory_order_##order)
#define TSHM_STATIC_ASSERT static_assert
#else
#include <stdatomic.h>
#define TSHM_ATOMIC(type) _Atomic(type)
#define tshm_load(place, order) atomic_load_explicit(place, memory_order_##order)
#define tshm_store(place, value, order) atomic_store_explicit(place, value, memory_order_##order)
#define tshm_fence(order) atomic_thread_fence(memory_order_##order)
#define tshm_exchange_if(place, expected, value, order)                                                                \
    atomic_compare_exchange_strong_explicit(place, expected, value, memory_order_##order, memory_order_relaxed)
#define tshm_exchange(place, value, order) atomic_exchange_explicit(place, value, memory_order_##order)
#define tshm_change(operation, place, bits, order)                                                                     \
    atomic_fetch_##operation##_explicit(place, bits, memory_order_##order)
#define TSHM_STATIC_ASSERT _Static_assert
TSHM_STATIC_ASSERT(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must be lock-free");
#endif

#define TSHM_MAGIC 0x4d48534445505954ull /* the bytes "TYPEDSHM" */
#define TSHM_FORMAT 0x00020000u          /* major << 16 | minor; readers insist on the major */
#define TSHM_LINE 128u
#define TSHM_SLOTS_MAX 65536u
#define TSHM_PRESENCE_MAX 512u
#define TSHM_PIN_WORDS (TSHM_PRESENCE_MAX / 64)
#define TSHM_ROWS_MAX (1ull << 32)
#define TSHM_ROW_LINE 64u    /* rows begin one */
#define TSHM_STAMPED_ROWS 64 /* that share a stamp */
#define TSHM_TABLE 1u        /* in the header's flags */
#define TSHM_LOSSLESS 2u     /* likewise */
#define TSHM_FOLLOWERS 48u   /* places for followers that writers wait for */
#define TSHM_SIZE_MAX (1ull << 40)
#define TSHM_DOCUMENT_MAX (1ull << 20)

typedef TSHM_ATOMIC(uint64_t) tshm_atomic_u64;
typedef TSHM_ATOMIC(uint32_t) tshm_atomic_u32;

/* ---- the structures ----------------------------------------------------------------------- */

/* The values of `state`; 0 before a creator begins. It writes the whole control block first, READY last. */
enum { TSHM_INITIALISING = 1, TSHM_READY = 2 };

typedef struct tshm_header {
    uint64_t magic;           /*   0  TSHM_MAGIC */
    uint32_t format;          /*   8  TSHM_FORMAT */
    uint32_t header_size;     /*  12  256 */
    uint64_t region_size;     /*  16  bytes, all of it */
    uint64_t slots_offset;    /*  24  of the first slot, a multiple of 128 */
    uint64_t slot_stride;     /*  32  from slot to slot, a multiple of 128 */
    uint64_t payload_size;    /*  40  bytes of one value */
    uint32_t slot_count;      /*  48  1 ... 65536 */
    uint32_t presence_count;  /*  52  entries that exist, 1 ... 512 */
    uint8_t layout_id[16];    /*  56  hash of the canonical layout */
    uint64_t instance;        /*  72  random and not 0, new with every creation */
    uint64_t document_offset; /*  80  */
    uint64_t document_size;   /*  88  bytes of UTF-8 */
    uint64_t created;         /*  96  ns since 1970 */
    uint32_t flags;           /* 104  TSHM_TABLE or TSHM_LOSSLESS; unknown ones are refused */
    uint32_t reserved0;       /* 108  0 */
    uint64_t row_count;       /* 112  of a table: 1 ... 2^32; slot_count are the versions kept of each row, and slots */
    uint64_t stamps_offset;   /* 120  are rows; a multiple of 128. Both 0 in a region */
    uint64_t reserved1[14];   /* 128  0 */
    uint64_t check;           /* 240  tshm_header_check() of the 240 bytes before it */
    tshm_atomic_u32 state;    /* 248  TSHM_READY is stored last, with release */
    uint32_t reserved2;       /* 252  0 */
} tshm_header;

typedef struct tshm_head {
    tshm_atomic_u64 word; /* sequence number << 1 | TSHM_HEAD_AWAITED; its low half is the word that waiters sleep on */
    uint8_t reserved[120];
} tshm_head;

#define TSHM_HEAD_AWAITED 1ull              /* the W bit: who publishes next must wake */
#define TSHM_SEQUENCE_MAX (UINT64_MAX >> 1) /* 292 years at a version a nanosecond */

/* Who sleeps on a word. Used where no kernel call wakes by address between processes (Windows): there a sleeper makes
 * an event of its own, named as for presence but with "!w" and a number below 512, and sets that bit before it looks at
 * the word for the last time. Who wakes opens the events by their names; a bit without an event belongs to a dead
 * sleeper. */
typedef struct tshm_sleepers {
    tshm_atomic_u64 bits[8];
} tshm_sleepers;

typedef struct tshm_waiting {
    tshm_sleepers sleepers; /* on the head; looked at only when the W bit was set */
    tshm_sleepers writers;  /* on the room, likewise */
} tshm_waiting;

typedef struct tshm_writer {
    tshm_atomic_u64 word;    /* the lock; see TSHM_WORD_* */
    tshm_atomic_u64 deaths;  /* owners found dead holding it */
    tshm_atomic_u64 died_at; /* when the last of them was found, ns since 1970 */
    tshm_sleepers sleepers;  /* on the lock word */
    /* Who alone may write, by TSHM_WORD_OWNER and TSHM_WORD_GENERATION; 0: everybody. Stored to with the lock held; but
     * whom it names may take its own name out without the lock, by a compare-and-swap. */
    tshm_atomic_u64 exclusive;
    /* What follows is stored to with the lock held only. */
    tshm_atomic_u64 followers; /* a bit for each place that is used */
    tshm_atomic_u64 low_mark;  /* the number up to which all followers had everything when that was last looked at */
    uint8_t reserved[16];
} tshm_writer;

/* One participant. Entries are used again: whoever takes one raises `generation` before anything else, so that a word
 * which names (entry, generation) never means its next holder. Alive(entry, generation): the kernel says that somebody
 * holds the entry, AND THEN its generation still is that one. */
typedef struct tshm_presence {
    uint32_t pid;               /*  0  for people to read; nobody acts on it */
    tshm_atomic_u32 flags;      /*  4  TSHM_WROTE, TSHM_HAS_PINNED; who takes the entry sets it to 0, last of all */
    tshm_atomic_u32 generation; /*  8  of its holder; raised by whoever takes it, never reset */
    uint32_t reserved;          /* 12 */
    uint64_t since;             /* 16  when it was taken, ns since 1970; for people */
    uint64_t started; /* 24  when the process began, in the system's own unit; with the pid it names a process,
                         also across namespaces of pids; 0 where unknown; for people */
} tshm_presence;

#define TSHM_WROTE 1u      /* it has published a version; for people */
#define TSHM_HAS_PINNED 2u /* set before its first pin: who takes the entry next looks for pins left behind */

typedef struct tshm_slot {
    tshm_atomic_u64 mark;                 /*  0  2s + 1 while sequence number s is written, 2s when complete */
    tshm_atomic_u64 version;              /*  8  the number that users see */
    tshm_atomic_u64 time;                 /* 16  of publication, ns since 1970 */
    tshm_atomic_u64 left_out;             /* 24  how many numbers before this version no version has */
    uint64_t reserved[4];                 /* 32 */
    tshm_atomic_u64 pins[TSHM_PIN_WORDS]; /* 64  a bit for each presence entry */
} tshm_slot;

/* The control block: all that lies before the document, in order. */
typedef struct tshm_control {
    tshm_header header;
    tshm_head head; /* of a table: the news, a number << 1 | TSHM_HEAD_AWAITED */
    tshm_waiting waiting;
    tshm_writer writer;
    tshm_presence presence[TSHM_PRESENCE_MAX];
} tshm_control;

/* A place for a follower, for a group that shares the versions among its members, or for a member of one. What is not
 * atomic is written before the place is used, with the writers' lock held. */
typedef struct tshm_follower {
    tshm_atomic_u64 owner; /*  0  who has it, as in `exclusive`, 0: nobody any more; of a group its lock, TSHM_WORD_* */
    tshm_atomic_u64 position; /*  8  the number up to which all is got, or of a group handed out; of a member the
                                     one that it has, 0: none */
    tshm_atomic_u64 gone; /* 16  since when it has been known to have nobody, ns since 1970; 0: it has, or unknown */
    tshm_atomic_u64 keep; /* 24  how long it is kept then, in ns */
    tshm_atomic_u64 lost; /* 32  of a group: versions that died with a member. Of a member: what that of its group
                                 will be when its version has been counted, 0: it is not being counted */
    uint64_t since;       /* 40  when it was taken, ns since 1970; for people */
    tshm_atomic_u64 role; /* 48  TSHM_FOLLOWER, TSHM_GROUP, or TSHM_MEMBER and behind it (<< 32) the place of its group;
                                 one word: who looks for members must not see the one half without the other */
    uint32_t redelivers;  /* 56  of a group: what a dead member had is handed out again */
    uint32_t reserved;    /* 60 */
    char name[64];        /* 64  UTF-8, of a follower that is kept or of a group, else empty; zeros behind it */
} tshm_follower;

enum { TSHM_FOLLOWER = 1, TSHM_GROUP = 2, TSHM_MEMBER = 3 };

/* What writers sleep on that wait for followers: a number << 1 | TSHM_HEAD_AWAITED, raised when a follower has got
 * something while somebody sleeps. */
typedef struct tshm_room_line {
    tshm_atomic_u64 word;
    tshm_atomic_u64 left; /* how many have left their places */
    uint8_t reserved[112];
} tshm_room_line;

/* The control block of a lossless region. */
typedef struct tshm_lossless_control {
    tshm_control control;
    tshm_room_line room;
    tshm_follower followers[TSHM_FOLLOWERS];
} tshm_lossless_control;

/* That of a table. */
typedef struct tshm_table_control {
    tshm_control control;
    tshm_atomic_u64 epoch; /* from 1 on */
    uint8_t reserved0[120];
    tshm_atomic_u64 tickets; /* how many were given to those who append */
    tshm_atomic_u64 lapped;  /* how many of them wrote nothing, since a later one had been faster */
    uint8_t reserved1[112];
} tshm_table_control;

/* One version of a row. */
typedef struct tshm_row_version {
    tshm_atomic_u64 mark; /* 2v + 1 while version v is written, 2v when complete; the newest is the larger even one */
    tshm_atomic_u64 time; /* of publication, ns since 1970 */
} tshm_row_version;

/* What stands before the payloads of a row. Zeros say: free, and never written. */
typedef struct tshm_row {
    tshm_atomic_u64 owner;        /*  0  the row's lock; see TSHM_WORD_* */
    tshm_atomic_u64 stamp;        /*  8  the epoch in which it was last written */
    tshm_atomic_u64 ticket;       /* 16  of the last append to it; stored before the version is published */
    tshm_row_version versions[2]; /* 24  where one version is kept there is no second, and the payload begins at 40 */
    uint64_t reserved;            /* 56 */
} tshm_row;

TSHM_STATIC_ASSERT(sizeof(tshm_header) == 256 && offsetof(tshm_header, check) == 240, "header");
TSHM_STATIC_ASSERT(offsetof(tshm_header, layout_id) == 56 && offsetof(tshm_header, state) == 248, "header");
TSHM_STATIC_ASSERT(sizeof(tshm_slot) == TSHM_LINE && offsetof(tshm_slot, pins) == 64, "slot");
TSHM_STATIC_ASSERT(offsetof(tshm_control, head) == 256 && offsetof(tshm_control, waiting) == 384, "control block");
TSHM_STATIC_ASSERT(offsetof(tshm_control, writer) == 512 && offsetof(tshm_control, presence) == 640, "control block");
TSHM_STATIC_ASSERT(sizeof(tshm_presence) == 32 && offsetof(tshm_presence, since) == 16, "presence");
TSHM_STATIC_ASSERT(sizeof(tshm_control) == 640 + 32 * TSHM_PRESENCE_MAX, "control block");
TSHM_STATIC_ASSERT(sizeof(tshm_writer) == TSHM_LINE && offsetof(tshm_writer, exclusive) == 88, "writer");
TSHM_STATIC_ASSERT(sizeof(tshm_follower) == TSHM_LINE && offsetof(tshm_follower, role) == 48, "follower");
TSHM_STATIC_ASSERT(offsetof(tshm_lossless_control, followers) == sizeof(tshm_control) + 128, "control block");
TSHM_STATIC_ASSERT(offsetof(tshm_header, row_count) == 112 && offsetof(tshm_header, reserved1) == 128, "header");
TSHM_STATIC_ASSERT(sizeof(tshm_table_control) == sizeof(tshm_control) + 256, "control block of a table");
TSHM_STATIC_ASSERT(offsetof(tshm_table_control, tickets) == sizeof(tshm_control) + 128, "control block of a table");
TSHM_STATIC_ASSERT(sizeof(tshm_row) == 64 && offsetof(tshm_row, versions) == 24, "row");

/* THE LOCK WORD. Owner, flags and generation share the half that waiters sleep on.
 *
 *     bits 0 ... 11   owner: presence entry + 1, or 0 when the lock is free
 *     bit  12         WAITING: an unlock must wake somebody
 *     bit  13         DIRTY: an owner died holding the lock, and nobody has unlocked since
 *     bits 14 ... 31  the low bits of the owner's generation: with them a word that names the dead does not
 *                     come again (not before 2^18 others had the same entry), so that it can be taken over by a
 *                     compare-and-swap of exactly that word
 *     bits 32 ... 63  acquisitions, raised by every one of them and never reset, so that no unlock can mistake
 *                     one holding of its own for another
 *
 * Presence entry i is taken by something that the kernel frees when its holder dies. On POSIX systems
 * that is the exclusive lock on byte TSHM_PRESENCE_BYTE + i of the region's file, through a descriptor
 * that is never mapped, duplicated or inherited; on Windows the existence of an event object with the
 * name of the region's section (for a region in a file: of the file), "!p" and i. An owner whose byte nobody holds, or
 * whose object does not exist, is dead. */
#define TSHM_WORD_OWNER 0xfffull
#define TSHM_WORD_WAITING (1ull << 12)
#define TSHM_WORD_DIRTY (1ull << 13)
#define TSHM_WORD_GENERATION(generation) ((uint64_t)((generation) & 0x3ffffu) << 14)
#define TSHM_WORD_NAME (TSHM_WORD_OWNER | TSHM_WORD_GENERATION(0x3ffffu)) /* what names somebody */
#define TSHM_WORD_ACQUISITION (1ull << 32)
#define TSHM_WORD_COUNTER (~(TSHM_WORD_ACQUISITION - 1))

/* POSIX: bytes of the file that stand for things, far behind its contents (kernel locks may lie there). */
#define TSHM_PRESENCE_BYTE (1ull << 41)    /* + i: presence entry i */
#define TSHM_BIRTH_BYTE ((1ull << 41) - 1) /* held while a region is being made, joined or left */
#define TSHM_LIFE_BYTE ((1ull << 41) - 2)  /* shared by all who have the region open */

/* ---- checking a header --------------------------------------------------------------------- */

/* What a process may believe of a region: a private, checked copy. */
typedef struct tshm_ring {
    unsigned char *base;
    uint64_t slots_offset;
    uint64_t slot_stride;
    uint64_t payload_size;
    uint32_t slot_count;
    uint32_t presence_count;
    uint32_t lossless; /* writers wait for followers */
} tshm_ring;

/* FNV-1a over the header's constant part: catches accidents, not attackers. */
static inline uint64_t tshm_header_check(const tshm_header *header) {
    const unsigned char *bytes = (const unsigned char *)header;
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < offsetof(tshm_header, check); i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3ull;
    return hash;
}

/* What holds for regions and tables alike; `control_size` is that of their control block. */
static inline const char *tshm_check_header(void *memory, uint64_t size, uint64_t control_size, tshm_header *copy) {
    if (size < control_size)
        return "the memory is shorter than a header";
    memcpy((void *)copy, memory, sizeof(tshm_header)); /* once; nothing below looks at the original */
    if (copy->magic != TSHM_MAGIC)
        return "the magic number is not that of a typedshm region";
    if (copy->format >> 16 != TSHM_FORMAT >> 16)
        return "the format is one this version does not know";
    if (copy->header_size != sizeof(tshm_header))
        return "header_size is not 256";
    if (copy->flags & ~(TSHM_TABLE | TSHM_LOSSLESS))
        return "flags has bits this version does not know";
    if (copy->flags == (TSHM_TABLE | TSHM_LOSSLESS))
        return "flags says that a table is lossless";
    if (copy->check != tshm_header_check(copy))
        return "the check sum does not fit the header";
    if (copy->region_size > size || copy->region_size > TSHM_SIZE_MAX)
        return "region_size exceeds the memory's real size";
    if (copy->instance == 0)
        return "instance is 0";
    if (copy->presence_count < 1 || copy->presence_count > TSHM_PRESENCE_MAX)
        return "presence_count is outside 1 ... 512";
    if (copy->payload_size < 1 || copy->payload_size > TSHM_SIZE_MAX)
        return "payload_size is outside 1 ... 2^40";
    if (copy->slots_offset < control_size || copy->slots_offset > copy->region_size)
        return "slots_offset lies inside the header or outside the region";
    if (copy->slots_offset % TSHM_LINE)
        return "slots_offset is not a multiple of 128";
    if (copy->document_size > TSHM_DOCUMENT_MAX || copy->document_offset < control_size ||
        copy->document_offset > copy->slots_offset || copy->document_size > copy->slots_offset - copy->document_offset)
        return "the document lies outside its place between header and slots";
    return NULL;
}

/* Check the region that starts at `memory`, of which `size` bytes are really there.
 *
 * Returns NULL and fills `ring` and `copy` (the header as checked) if it can be trusted not to lead
 * outside those bytes; otherwise what is wrong, in words. Call it when `state` has been seen READY. */
static inline const char *tshm_check(void *memory, uint64_t size, tshm_header *copy, tshm_ring *ring) {
    const char *problem = tshm_check_header(memory, size, sizeof(tshm_control), copy);
    if (problem)
        return problem;
    if (copy->flags & TSHM_TABLE)
        return "it is a table, and no region";
    int lossless = copy->flags & TSHM_LOSSLESS;
    if (lossless && copy->slot_count < 2)
        return "slot_count of a lossless region is less than 2";
    if (lossless && copy->document_offset < sizeof(tshm_lossless_control)) /* behind which the slots begin */
        return "the document lies among the followers";
    if (copy->slot_count < 1 || copy->slot_count > TSHM_SLOTS_MAX)
        return "slot_count is outside 1 ... 65536";
    if (copy->slot_stride % TSHM_LINE)
        return "slot_stride is not a multiple of 128";
    if (copy->slot_stride > TSHM_SIZE_MAX || copy->slot_stride < sizeof(tshm_slot) + copy->payload_size)
        return "slot_stride does not hold a slot";
    /* at most 2^16 * 2^40: cannot overflow */
    if (copy->slot_count * copy->slot_stride > copy->region_size - copy->slots_offset)
        return "the slots reach past the end of the region";
    ring->base = (unsigned char *)memory;
    ring->slots_offset = copy->slots_offset;
    ring->slot_stride = copy->slot_stride;
    ring->payload_size = copy->payload_size;
    ring->slot_count = copy->slot_count;
    ring->presence_count = copy->presence_count;
    ring->lossless = lossless != 0;
    return NULL;
}

/* The same of a table. */
typedef struct tshm_table {
    unsigned char *base;
    uint64_t rows_offset;
    uint64_t row_stride;
    uint64_t row_count;
    uint64_t stamps_offset;
    uint64_t payload_size;
    uint32_t slot_count; /* versions kept of each row: 1 or 2 */
    uint32_t presence_count;
} tshm_table;

/* Where the first payload of a row begins, and how far the second lies behind it. */
static inline uint64_t tshm_row_head(uint32_t slot_count) {
    return slot_count == 1 ? offsetof(tshm_row, versions) + sizeof(tshm_row_version) : sizeof(tshm_row);
}

static inline uint64_t tshm_row_room(uint64_t payload_size) {
    return (payload_size + 7) / 8 * 8;
}

static inline uint64_t tshm_stamp_count(uint64_t row_count) {
    return (row_count + TSHM_STAMPED_ROWS - 1) / TSHM_STAMPED_ROWS;
}

static inline const char *tshm_check_table(void *memory, uint64_t size, tshm_header *copy, tshm_table *table) {
    const char *problem = tshm_check_header(memory, size, sizeof(tshm_table_control), copy);
    if (problem)
        return problem;
    if (!(copy->flags & TSHM_TABLE))
        return "it is a region, and no table";
    if (copy->slot_count < 1 || copy->slot_count > 2)
        return "slot_count of a table is neither 1 nor 2";
    if (copy->row_count < 1 || copy->row_count > TSHM_ROWS_MAX)
        return "row_count is outside 1 ... 2^32";
    if (copy->slot_stride % TSHM_ROW_LINE)
        return "slot_stride is not a multiple of 64";
    if (copy->slot_stride > TSHM_SIZE_MAX ||
        copy->slot_stride < tshm_row_head(copy->slot_count) + copy->slot_count * tshm_row_room(copy->payload_size))
        return "slot_stride does not hold a row";
    /* by division, since the product may be larger than 64 bits hold */
    if (copy->row_count > (copy->region_size - copy->slots_offset) / copy->slot_stride)
        return "the rows reach past the end of the table";
    if (copy->stamps_offset % TSHM_LINE || copy->stamps_offset < copy->document_offset + copy->document_size ||
        copy->stamps_offset > copy->slots_offset ||
        tshm_stamp_count(copy->row_count) > (copy->slots_offset - copy->stamps_offset) / 8)
        return "the stamps lie outside their place between document and rows";
    table->base = (unsigned char *)memory;
    table->rows_offset = copy->slots_offset;
    table->row_stride = copy->slot_stride;
    table->row_count = copy->row_count;
    table->stamps_offset = copy->stamps_offset;
    table->payload_size = copy->payload_size;
    table->slot_count = copy->slot_count;
    table->presence_count = copy->presence_count;
    return NULL;
}

/* ---- copying ------------------------------------------------------------------------------- */

/* Copies race with writers on purpose, and are thrown away when they lost. Words loaded and stored
 * relaxed make that defined for small payloads; above TSHM_WORDWISE bytes memcpy is twice as fast, and
 * whether it loads and stores whole words does not matter: nobody looks at a copy that lost. */
#if defined(__SANITIZE_THREAD__) /* gcc; clang is asked, which also gcc understands from 14 on */
#define TSHM_WORDWISE SIZE_MAX
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSHM_WORDWISE SIZE_MAX
#endif
#endif
#ifndef TSHM_WORDWISE
#define TSHM_WORDWISE ((size_t)512)
#endif

static inline void tshm_copy_out(void *to, const void *shared, size_t size) {
    if (size > TSHM_WORDWISE) {
        memcpy(to, shared, size);
        return;
    }
    const tshm_atomic_u64 *words = (const tshm_atomic_u64 *)shared;
    unsigned char *bytes = (unsigned char *)to;
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word = tshm_load(&words[i], relaxed);
        memcpy(bytes + 8 * i, &word, 8);
    }
    if (size % 8) { /* slots end on a line, so the word is there */
        uint64_t word = tshm_load(&words[size / 8], relaxed);
        memcpy(bytes + size / 8 * 8, &word, size % 8);
    }
}

/* x86's streaming stores are ordered by neither release nor acquire, but by this. */
static inline void tshm_streaming_fence(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

/* Copies of more than TSHM_STREAM bytes are stored past the caches where the processor can: what would push everything
 * else out of them anyway takes 0.8 of memcpy's time. What is smaller, whoever reads it finds in a cache if the writer
 * left it there: two MiB, written, seen and read to the end by another process, took 1.3 to 1.7 of the time when they
 * were stored past it; four to thirty-two MiB 0.75 to 1.0 (Zen 3 with 32 MiB of cache). `shared` begins a line. */
#define TSHM_STREAM ((size_t)4194304)

static inline void tshm_copy_large(void *shared, const void *from, size_t size) {
#if defined(__SSE2__)
    if (size > TSHM_STREAM) {
        size_t before = (64 - (uintptr_t)shared % 64) % 64; /* up to where a line begins */
        memcpy(shared, from, before);
        shared = (char *)shared + before;
        from = (const char *)from + before;
        size -= before;
        size_t streamed = size / 64 * 64;
        for (size_t at = 0; at < streamed; at += 64) {
            const __m128i *source = (const __m128i *)((const char *)from + at);
            __m128i *target = (__m128i *)((char *)shared + at);
            __m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1);
            __m128i c = _mm_loadu_si128(source + 2), d = _mm_loadu_si128(source + 3);
            _mm_stream_si128(target, a);
            _mm_stream_si128(target + 1, b);
            _mm_stream_si128(target + 2, c);
            _mm_stream_si128(target + 3, d);
        }
        memcpy((char *)shared + streamed, (const char *)from + streamed, size - streamed);
        return; /* tshm_write_end has the fence that orders streaming stores */
    }
#endif
    memcpy(shared, from, size);
}

/* `shared` is a slot's payload: its last word is stored whole, also where the value ends inside it. */
static inline void tshm_copy_in(void *shared, const void *from, size_t size) {
    if (size > TSHM_WORDWISE) {
        tshm_copy_large(shared, from, size);
        return;
    }
    tshm_atomic_u64 *words = (tshm_atomic_u64 *)shared;
    const unsigned char *bytes = (const unsigned char *)from;
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word;
        memcpy(&word, bytes + 8 * i, 8);
        tshm_store(&words[i], word, relaxed);
    }
    if (size % 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + size / 8 * 8, size % 8);
        tshm_store(&words[size / 8], word, relaxed);
    }
}

/* ---- values of varying size ----------------------------------------------------------------- */

/* A field whose size varies has room for a fixed number of items, preceded by how many of them are used: a 32-bit
 * number for each of the first `axes` axes, in the byte order of the field. The items are packed, in C order. */
typedef struct tshm_extent {
    uint64_t counts;      /* offset of the numbers in the value */
    uint64_t data;        /* offset of the first item */
    uint64_t step;        /* bytes of one step along the last of those axes */
    const uint32_t *most; /* how many steps there is room for along each of them */
    uint32_t axes;
    uint32_t swapped; /* the numbers are not in this machine's byte order */
} tshm_extent;

/* A value of which not everything has to be copied. */
typedef struct tshm_plan {
    uint64_t size; /* of the whole value, bytes */
    uint32_t count;
    const tshm_extent *extents; /* by ascending offset */
} tshm_plan;

static inline uint32_t tshm_in_order(const tshm_extent *extent, uint32_t count) {
    return extent->swapped ? count << 24 | (count & 0xff00) << 8 | (count >> 8 & 0xff00) | count >> 24 : count;
}

/* A number of used items as it stands in a value of one's own. */
static inline uint32_t tshm_count(const tshm_extent *extent, uint32_t axis, const void *value) {
    uint32_t count;
    memcpy(&count, (const unsigned char *)value + extent->counts + 4 * axis, 4);
    return tshm_in_order(extent, count);
}

static inline void tshm_set_count(const tshm_extent *extent, uint32_t axis, void *value, uint32_t count) {
    count = tshm_in_order(extent, count);
    memcpy((unsigned char *)value + extent->counts + 4 * axis, &count, 4);
}

/* The bytes of the used items, in a value of one's own. A number of more than there is room for counts as that: what is
 * copied never leaves the room, and who looks at the items refuses the number. */
static inline uint64_t tshm_used(const tshm_extent *extent, const void *value) {
    uint64_t size = extent->step;
    for (uint32_t axis = 0; axis < extent->axes; axis++) {
        uint32_t count = tshm_count(extent, axis, value);
        size *= count < extent->most[axis] ? count : extent->most[axis];
    }
    return size;
}

/* The bytes that there is room for. */
static inline uint64_t tshm_room(const tshm_extent *extent) {
    uint64_t size = extent->step;
    for (uint32_t axis = 0; axis < extent->axes; axis++)
        size *= extent->most[axis];
    return size;
}

/* Where the i-th part of a value begins that is always copied, and ends: what lies between the items of two extents,
 * for i up to plan->count. The numbers of used items are in them. */
static inline uint64_t tshm_fixed_begin(const tshm_plan *plan, uint32_t i) {
    return i ? plan->extents[i - 1].data + tshm_room(&plan->extents[i - 1]) : 0;
}

static inline uint64_t tshm_fixed_end(const tshm_plan *plan, uint32_t i) {
    return i < plan->count ? plan->extents[i].data : plan->size;
}

/* The bytes from `begin` to `end` of a slot's payload, to the same place in a value of one's own. */
static inline void tshm_copy_part_out(void *value, const void *shared, uint64_t begin, uint64_t end) {
    unsigned char *bytes = (unsigned char *)value;
    if (begin % 8 && begin < end) { /* the rest of a word, so that what follows begins one */
        uint64_t word = tshm_load(&((const tshm_atomic_u64 *)shared)[begin / 8], relaxed);
        uint64_t rest = 8 - begin % 8, size = rest < end - begin ? rest : end - begin;
        memcpy(bytes + begin, (const unsigned char *)&word + begin % 8, (size_t)size);
        begin += size;
    }
    tshm_copy_out(bytes + begin, (const unsigned char *)shared + begin, (size_t)(end - begin));
}

/* The other way, in whole words, with what stands beside the part in the value, which has `size` bytes. */
static inline void tshm_copy_part_in(void *shared, const void *value, uint64_t begin, uint64_t end, uint64_t size) {
    if (begin >= end) /* an empty part has no word */
        return;
    begin = begin / 8 * 8;
    end = end % 8 ? end + 8 - end % 8 : end;
    tshm_copy_in((unsigned char *)shared + begin, (const unsigned char *)value + begin,
                 (size_t)((end < size ? end : size) - begin));
}

/* As tshm_copy_out, of what is used. Looks at the numbers of used items once, where they have been copied to: a second
 * look at shared memory might find others. Nothing else of `to` is changed. */
static inline void tshm_copy_used_out(void *to, const void *shared, const tshm_plan *plan) {
    for (uint32_t i = 0; i <= plan->count; i++)
        tshm_copy_part_out(to, shared, tshm_fixed_begin(plan, i), tshm_fixed_end(plan, i));
    for (uint32_t i = 0; i < plan->count; i++) {
        uint64_t data = plan->extents[i].data;
        tshm_copy_part_out(to, shared, data, data + tshm_used(&plan->extents[i], to));
    }
}

/* As tshm_copy_in, of what is used. What is not stays what an older version left there. */
static inline void tshm_copy_used_in(void *shared, const void *from, const tshm_plan *plan) {
    for (uint32_t i = 0; i <= plan->count; i++)
        tshm_copy_part_in(shared, from, tshm_fixed_begin(plan, i), tshm_fixed_end(plan, i), plan->size);
    for (uint32_t i = 0; i < plan->count; i++) {
        uint64_t data = plan->extents[i].data;
        tshm_copy_part_in(shared, from, data, data + tshm_used(&plan->extents[i], from), plan->size);
    }
}

/* ---- reading ------------------------------------------------------------------------------- */

static inline tshm_control *tshm_control_of(const tshm_ring *ring) {
    return (tshm_control *)ring->base;
}

static inline tshm_slot *tshm_slot_of(const tshm_ring *ring, uint64_t sequence) {
    return (tshm_slot *)(ring->base + ring->slots_offset + sequence % ring->slot_count * ring->slot_stride);
}

/* One version in its slot, as a reader or the writer sees it. */
typedef struct tshm_cursor {
    uint64_t sequence;
    tshm_slot *slot;
    unsigned char *payload;
} tshm_cursor;

enum { TSHM_NOTHING = 0, TSHM_READABLE = 1, TSHM_BUSY = -1, TSHM_OVERRUN = -3 };

static inline tshm_cursor tshm_cursor_at(const tshm_ring *ring, uint64_t sequence) {
    tshm_cursor cursor;
    cursor.sequence = sequence;
    cursor.slot = tshm_slot_of(ring, sequence);
    cursor.payload = (unsigned char *)cursor.slot + sizeof(tshm_slot);
    return cursor;
}

/* The sequence number of the newest version, 0 when there is none. Relaxed: for holders of the lock, who alone change
 * it and were ordered by the lock, and for those who have a fence. */
static inline uint64_t tshm_newest(const tshm_ring *ring) {
    return tshm_load(&tshm_control_of(ring)->head.word, relaxed) >> 1;
}

/* Find the newest version. TSHM_BUSY: a writer has just taken its slot; begin again. */
static inline int tshm_read_begin(const tshm_ring *ring, tshm_cursor *cursor) {
    /* acquire, with the exchange of head in tshm_write_end; also through a waiter's exchange, which only adds W */
    uint64_t sequence = tshm_load(&tshm_control_of(ring)->head.word, acquire) >> 1;
    if (sequence == 0)
        return TSHM_NOTHING;
    *cursor = tshm_cursor_at(ring, sequence);
    /* acquire, with the release store of the even mark in tshm_write_end: the payload it completed */
    return tshm_load(&cursor->slot->mark, acquire) == 2 * sequence ? TSHM_READABLE : TSHM_BUSY;
}

/* True if a writer came by since tshm_read_begin, so that what was copied may be torn. */
static inline int tshm_read_retry(const tshm_cursor *cursor) {
    /* acquire fence, with the fence in tshm_write_begin: whoever saw a byte of the next write sees its odd mark */
    tshm_fence(acquire);
    return tshm_load(&cursor->slot->mark, relaxed) != 2 * cursor->sequence;
}

/* The version, as users count it. Call between tshm_read_begin and tshm_read_retry. With one slot it is the sequence
 * number, so that what the newest was can be told while that slot is written to. */
static inline uint64_t tshm_version(const tshm_ring *ring, const tshm_cursor *cursor) {
    return ring->slot_count == 1 ? cursor->sequence : tshm_load(&cursor->slot->version, relaxed);
}

/* ---- looking in place ----------------------------------------------------------------------- */

/* Asks whether presence entry `entry` is alive; errors count as alive. */
typedef int (*tshm_alive)(void *context, uint32_t entry);

/* Does a reader who lives have `slot` pinned? Only looks. */
static inline int tshm_is_pinned(tshm_slot *slot, tshm_alive alive, void *context) {
    for (uint32_t entry = 0; entry < TSHM_PRESENCE_MAX; entry++) {
        uint64_t word = tshm_load(&slot->pins[entry / 64], relaxed) >> entry % 64;
        if (!word)
            entry |= 63; /* the next word */
        else if ((word & 1) && (!alive || alive(context, entry)))
            return 1;
    }
    return 0;
}

/* How many slots are pinned. */
static inline uint32_t tshm_count_pinned(const tshm_ring *ring, tshm_alive alive, void *context) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < ring->slot_count; i++)
        count += (uint32_t)tshm_is_pinned(tshm_slot_of(ring, i), alive, context);
    return count;
}

static inline void tshm_unpin(const tshm_cursor *cursor, uint32_t entry) {
    /* release, with the acquire in tshm_pinned: the payload was read before it is written over */
    (void)tshm_change(and, &cursor->slot->pins[entry / 64], ~(1ull << entry % 64), release);
}

enum { TSHM_TOO_MANY = -2 };

/* How many slots each participant may have pinned without asking anybody, or 0: then all pins are counted. To count is
 * to look at every slot; with more slots than participants there is enough for all. */
static inline uint32_t tshm_pins_each(const tshm_ring *ring) {
    return ring->slot_count < 3 ? 0 : (ring->slot_count - 2) / ring->presence_count;
}

/* As tshm_pin(), which is for the newest version; or with `kept` for one that writers wait for on our behalf. */
static inline int tshm_pin_slot(const tshm_ring *ring, const tshm_cursor *cursor, uint32_t entry, uint32_t mine,
                                int kept, tshm_alive alive, void *context) {
    uint32_t each = tshm_pins_each(ring);
    if (each && mine >= each)
        return TSHM_TOO_MANY;
    /* Before the pin. Relaxed: who takes the entry after our death is told of it by the kernel, and sees both. */
    tshm_atomic_u32 *flags = &tshm_control_of(ring)->presence[entry].flags;
    if (!(tshm_load(flags, relaxed) & TSHM_HAS_PINNED))
        (void)tshm_change(or, flags, TSHM_HAS_PINNED, relaxed);
    (void)tshm_change(or, &cursor->slot->pins[entry / 64], 1ull << entry % 64, relaxed);
    /* Two pairs. With the fence in tshm_write_begin: either the writer sees the pin, or we see what it had published
     * before, a newer head. With itself in another reader: of two who pin, one sees the other's pin. */
    tshm_fence(seq_cst);
    /* Not mark, which says the same most of the time: it may have been restored by a writer who took our pin for that
     * of our predecessor in the presence entry, which died. No writer looks for pins at the newest version, nor at one
     * that it has to wait for: it does so when our position has moved on, which is a release store behind the pin. */
    int state = TSHM_READABLE;
    if (!kept && tshm_newest(ring) != cursor->sequence)
        state = TSHM_BUSY;
    else if (!each && /* the kernel is asked who lives only if it matters */
             tshm_count_pinned(ring, NULL, NULL) + 2 > ring->slot_count &&
             tshm_count_pinned(ring, alive, context) + 2 > ring->slot_count)
        state = TSHM_TOO_MANY;
    if (state != TSHM_READABLE)
        tshm_unpin(cursor, entry);
    return state;
}

/* After tshm_read_begin: pin that slot, so that it stays as it is until tshm_unpin(). `entry` is a presence entry of
 * one's own that has not pinned the slot yet, and `mine` how many others it has pinned. TSHM_BUSY: a writer has gone on
 * meanwhile; begin again. TSHM_TOO_MANY: all that may be pinned are. */
static inline int tshm_pin(const tshm_ring *ring, const tshm_cursor *cursor, uint32_t entry, uint32_t mine,
                           tshm_alive alive, void *context) {
    return tshm_pin_slot(ring, cursor, entry, mine, 0, alive, context);
}

/* ---- who alone may write, and who has still to get what -------------------------------------- */

/* Does whom a word names live? */
static inline int tshm_lives(const tshm_ring *ring, uint64_t word, tshm_alive alive, void *context) {
    uint32_t owner = (uint32_t)(word & TSHM_WORD_OWNER);
    if (owner == 0 || owner > ring->presence_count)
        return 0;
    tshm_presence *presence = &tshm_control_of(ring)->presence[owner - 1];
    /* acquire fence, with the release fence of who took the entry: who sees a word sees the generation that it names */
    tshm_fence(acquire);
    if (alive && !alive(context, owner - 1))
        return 0;
    /* acquire, after the kernel was asked: who took the entry since then has raised it before anything else */
    return TSHM_WORD_GENERATION(tshm_load(&presence->generation, acquire)) == (word & TSHM_WORD_GENERATION(0x3ffffu));
}

/* AN EXCLUSIVE PUBLISHER claims the region, with the lock held: nobody else may write then, while it lives. To give the
 * claim up takes no lock: who has it then has made up its mind whether to write, and who comes next finds no claim. */

/* How the holder of the lock is named in other words than the lock. */
static inline uint64_t tshm_my_name(const tshm_ring *ring) {
    return tshm_load(&tshm_control_of(ring)->writer.word, relaxed) & TSHM_WORD_NAME; /* relaxed: we stored it */
}

/* Only with the lock held: the word of another who lives and has the claim, or 0. That of a dead one is cleared. */
static inline uint64_t tshm_claimed(const tshm_ring *ring, tshm_alive alive, void *context) {
    tshm_atomic_u64 *exclusive = &tshm_control_of(ring)->writer.exclusive;
    uint64_t claim = tshm_load(exclusive, relaxed); /* relaxed, as all of it: the lock orders what its holders do */
    if (claim == 0 || claim == tshm_my_name(ring))
        return 0;
    if (tshm_lives(ring, claim, alive, context))
        return claim;
    tshm_store(exclusive, 0, relaxed);
    return 0;
}

/* Only with the lock held, and if tshm_claimed() says 0. */
static inline void tshm_claim(const tshm_ring *ring) {
    tshm_store(&tshm_control_of(ring)->writer.exclusive, tshm_my_name(ring), relaxed);
}

/* Only with the lock held. Another's claim stays. */
static inline void tshm_unclaim(const tshm_ring *ring) {
    tshm_atomic_u64 *exclusive = &tshm_control_of(ring)->writer.exclusive;
    if (tshm_load(exclusive, relaxed) == tshm_my_name(ring))
        tshm_store(exclusive, 0, relaxed);
}

/* FOLLOWERS of a lossless region have places, each with a position: the sequence number up to which they have got
 * everything. A writer whose slot still holds a version above the lowest of these waits. Places are taken, and given
 * to others, with the writers' lock held, so that nobody registers while somebody decides what to write over; a
 * follower that leaves stores 0 as the owner, and a writer that would have to wait for it frees the place, as it does
 * when the kernel says that the owner is dead. One with a name is kept for a while, for somebody to go on where it
 * stopped.
 *
 * A GROUP hands out each version to one of its members. Its position is the last number that was handed out; a member's
 * the one that it has. Whoever takes a version has the group's lock: it stores the number as its own, and after that
 * as the group's. So who looks for the lowest looks at groups first, then at members. A member found dead with a number
 * above that of its group never got it; who takes over the lock from a dead member clears such numbers before anything
 * else, since the next hand-out would make them look as if; and ends a count that was begun. Any other number was with
 * the dead member: it is handed out once more, or counted as lost, as the group was made. To be handed out again, the
 * place of the dead member is taken over whole, by a store of its owner, so that at no moment two have the same
 * version. A place that becomes a member's is that before it is used, and after its owner and number are.
 *
 * ROOM. Who waits for followers sleeps on the room, as others do on a table's news. */

static inline tshm_lossless_control *tshm_lossless_of(const tshm_ring *ring) {
    return (tshm_lossless_control *)ring->base;
}

/* `place` is below TSHM_FOLLOWERS. */
static inline tshm_follower *tshm_follower_at(const tshm_ring *ring, uint32_t place) {
    return &tshm_lossless_of(ring)->followers[place];
}

static inline uint64_t tshm_used_places(const tshm_ring *ring) {
    /* acquire, with the release in tshm_take_place, for those without the writers' lock: what a place is */
    return tshm_load(&tshm_control_of(ring)->writer.followers, acquire) & ((1ull << TSHM_FOLLOWERS) - 1);
}

static inline uint64_t tshm_role(tshm_follower *follower) {
    /* acquire, with the release in tshm_take_place: who sees a new member sees that it has no version */
    return tshm_load(&follower->role, acquire);
}

static inline uint64_t tshm_member_of(uint32_t group) {
    return TSHM_MEMBER | (uint64_t)group << 32;
}

static inline int tshm_is(tshm_follower *follower, uint32_t kind) {
    return (uint32_t)tshm_role(follower) == kind;
}

static inline int tshm_is_member(tshm_follower *follower, uint32_t group) {
    return tshm_role(follower) == tshm_member_of(group);
}

/* Up to which number a place holds nobody up. */
static inline uint64_t tshm_got(tshm_follower *follower) {
    uint64_t role = tshm_role(follower);
    /* acquire, with the release of who had it: the payload was read before it is written over */
    uint64_t position = tshm_load(&follower->position, acquire);
    if (tshm_load(&follower->role, relaxed) != role)
        return TSHM_SEQUENCE_MAX; /* without the lock: it was given to another meanwhile, a reason to look again */
    if ((uint32_t)role == TSHM_MEMBER)
        return position ? position - 1 : TSHM_SEQUENCE_MAX;
    return position;
}

/* The lowest of these numbers. Also without the lock, for who looks whether it would be worth taking it. */
static inline uint64_t tshm_all_got(const tshm_ring *ring) {
    uint64_t used = tshm_used_places(ring), low = TSHM_SEQUENCE_MAX;
    for (int members = 0; members <= 1; members++) /* groups first: see FOLLOWERS */
        for (uint32_t place = 0; place < TSHM_FOLLOWERS; place++) {
            tshm_follower *follower = tshm_follower_at(ring, place);
            if (!(used >> place & 1) || tshm_is(follower, TSHM_MEMBER) != members)
                continue;
            uint64_t got = tshm_got(follower);
            low = got < low ? got : low;
        }
    return low;
}

/* Only with the lock held: nobody has these places any more, a bit each. */
static inline void tshm_free_places(const tshm_ring *ring, uint64_t places) {
    tshm_atomic_u64 *followers = &tshm_control_of(ring)->writer.followers;
    tshm_store(followers, tshm_load(followers, relaxed) & ~places, relaxed);
}

/* Has a place that nobody has to be kept for somebody to come? From when this was first asked on. */
static inline int tshm_is_kept(tshm_follower *follower, uint64_t now) {
    uint64_t keep = tshm_load(&follower->keep, relaxed), gone = tshm_load(&follower->gone, relaxed);
    if (keep == 0)
        return 0;
    if (gone == 0 || gone > now) /* the clock was put back */
        tshm_store(&follower->gone, gone = now, relaxed);
    return now - gone < keep;
}

/* How a member, or with TSHM_FOLLOWERS as its place the holder of the writers' lock, is named in the lock of a group:
 * threads of one process are others to each other. `name` is that of the participant, as in tshm_my_name(). */
static inline uint64_t tshm_name_in_group(uint64_t name, uint32_t place) {
    return (name & TSHM_WORD_NAME) | (uint64_t)(place + 1) << 32;
}

/* What a member that died had is lost; `lost` is what the group has lost then. Each store may be the last. */
static inline void tshm_end_count(tshm_follower *group, tshm_follower *member, uint64_t lost) {
    /* release, each of these: a process is killed between instructions */
    tshm_store(&group->lost, lost, release);
    tshm_store(&member->position, 0, release);
    tshm_store(&member->lost, 0, release);
}

/* Take the lock of a group, by a name as in tshm_name_in_group(); it is held for moments, and nothing inside waits.
 * False: another who lives has it; try again. */
static inline int tshm_group_lock(const tshm_ring *ring, uint32_t place, uint64_t mine, tshm_alive alive,
                                  void *context) {
    tshm_follower *group = tshm_follower_at(ring, place);
    uint64_t owner = tshm_load(&group->owner, relaxed);
    if (owner != 0 && owner != mine && tshm_lives(ring, owner, alive, context))
        return 0;
    /* exactly the word that was probed; acquire, with the release in tshm_group_unlock: what its last holder did */
    uint64_t seen = owner;
    if (!tshm_exchange_if(&group->owner, &seen, mine, acquire))
        return 0;
    if (owner == 0)
        return 1;
    uint64_t used = tshm_used_places(ring), position = tshm_load(&group->position, relaxed);
    for (uint32_t i = 0; i < TSHM_FOLLOWERS; i++) {
        tshm_follower *member = tshm_follower_at(ring, i);
        if (!(used >> i & 1) || !tshm_is_member(member, place))
            continue;
        uint64_t lost = tshm_load(&member->lost, relaxed);
        if (lost) /* a dead holder was counting; before anything else is counted */
            tshm_end_count(group, member, lost);
        else if (tshm_load(&member->position, relaxed) > position) /* or had a number that it never handed out */
            tshm_store(&member->position, 0, relaxed);
    }
    return 1;
}

static inline void tshm_group_unlock(const tshm_ring *ring, uint32_t place) {
    tshm_store(&tshm_follower_at(ring, place)->owner, 0, release); /* with the acquire in tshm_group_lock */
}

/* With the lock of the group: the version that a dead member has is lost. It is counted once, also if we die on the
 * way: then tshm_group_lock() goes on. */
static inline void tshm_count_lost(tshm_follower *group, tshm_follower *member) {
    uint64_t lost = tshm_load(&group->lost, relaxed) + 1;
    tshm_store(&member->lost, lost, release);
    tshm_end_count(group, member, lost);
}

/* The part of tshm_drop_followers() that is about one group. */
static inline uint32_t tshm_drop_members(const tshm_ring *ring, uint32_t place, uint64_t sequence, tshm_alive alive,
                                         void *context, uint64_t now) {
    tshm_follower *group = tshm_follower_at(ring, place);
    uint64_t mine = tshm_name_in_group(tshm_my_name(ring), TSHM_FOLLOWERS);
    if (!tshm_group_lock(ring, place, mine, alive, context))
        return place;
    uint64_t used = tshm_used_places(ring), dead = 0;
    uint32_t living = TSHM_FOLLOWERS, waits = TSHM_FOLLOWERS;
    for (uint32_t i = 0; i < TSHM_FOLLOWERS; i++) {
        tshm_follower *member = tshm_follower_at(ring, i);
        if (!(used >> i & 1) || !tshm_is_member(member, place))
            continue;
        /* acquire, as in tshm_drop_followers */
        if (!tshm_lives(ring, tshm_load(&member->owner, acquire), alive, context)) {
            dead |= 1ull << i;
            continue;
        }
        living = i;
        if (tshm_got(member) < sequence)
            waits = i;
    }
    if (living != TSHM_FOLLOWERS)
        tshm_store(&group->gone, 0, relaxed);
    int ends = living == TSHM_FOLLOWERS && !tshm_is_kept(group, now);
    uint64_t places = ends ? 1ull << place : 0;
    for (uint32_t i = 0; i < TSHM_FOLLOWERS; i++) {
        tshm_follower *member = tshm_follower_at(ring, i);
        if (!(dead >> i & 1))
            continue;
        if (tshm_load(&member->position, relaxed) && !ends) {
            if (group->redelivers) { /* when a living member looks, which it does at least once in a slice */
                waits = tshm_got(member) < sequence && waits == TSHM_FOLLOWERS ? i : waits;
                continue;
            }
            tshm_count_lost(group, member);
        }
        places |= 1ull << i;
    }
    if (waits == TSHM_FOLLOWERS && !ends && tshm_got(group) < sequence)
        waits = living != TSHM_FOLLOWERS ? living : place;
    tshm_free_places(ring, places); /* a group with its members at once: without them it would have lost nothing */
    tshm_group_unlock(ring, place);
    return waits;
}

/* Only with the writers' lock held: free what nobody has any more and need not be kept. Returns a place for which a
 * writer that wants the slot of version `sequence` has to wait, or TSHM_FOLLOWERS. `now` is in ns since 1970. Who is to
 * wait loads tshm_left() before. */
static inline uint32_t tshm_drop_followers(const tshm_ring *ring, uint64_t sequence, tshm_alive alive, void *context,
                                           uint64_t now) {
    uint32_t waits = TSHM_FOLLOWERS;
    for (uint32_t place = 0; place < TSHM_FOLLOWERS; place++) {
        uint64_t used = tshm_used_places(ring);
        tshm_follower *follower = tshm_follower_at(ring, place);
        uint64_t group = tshm_role(follower) >> 32;
        if (!(used >> place & 1))
            continue;
        uint32_t found = TSHM_FOLLOWERS;
        if (tshm_is(follower, TSHM_GROUP)) {
            found = tshm_drop_members(ring, place, sequence, alive, context, now);
        } else if (tshm_is(follower, TSHM_MEMBER)) {
            if (group >= TSHM_FOLLOWERS || !(used >> group & 1) ||
                !tshm_is(tshm_follower_at(ring, (uint32_t)group), TSHM_GROUP))
                tshm_free_places(ring, 1ull << place); /* garbage */
        } else if (tshm_got(follower) < sequence) {
            /* acquire, with the release in tshm_leave_place: all that it read */
            if (tshm_lives(ring, tshm_load(&follower->owner, acquire), alive, context) || tshm_is_kept(follower, now))
                found = place;
            else
                tshm_free_places(ring, 1ull << place);
        }
        waits = waits == TSHM_FOLLOWERS ? found : waits;
    }
    return waits;
}

/* Only with the lock held: has a follower still to get version `sequence`? */
static inline int tshm_is_awaited(const tshm_ring *ring, uint64_t sequence) {
    tshm_atomic_u64 *low_mark = &tshm_control_of(ring)->writer.low_mark;
    if (tshm_used_places(ring) == 0 || sequence <= tshm_load(low_mark, relaxed))
        return 0;
    uint64_t low = tshm_all_got(ring); /* positions grow, and who registers lowers the mark */
    tshm_store(low_mark, low, relaxed);
    return sequence > low;
}

/* Only with the lock held: a free place, or TSHM_FOLLOWERS. */
static inline uint32_t tshm_find_place(const tshm_ring *ring) {
    uint64_t used = tshm_used_places(ring);
    uint32_t place = 0;
    while (place < TSHM_FOLLOWERS && (used >> place & 1))
        place++;
    return place;
}

/* Only with the lock held: use a free place, filled but for its role, owner and position. */
static inline void tshm_take_place(const tshm_ring *ring, uint32_t place, uint64_t role, uint64_t owner,
                                   uint64_t position) {
    tshm_writer *writer = &tshm_control_of(ring)->writer;
    tshm_follower *follower = tshm_follower_at(ring, place);
    tshm_store(&follower->role, 0, relaxed);
    tshm_store(&follower->gone, 0, relaxed);
    tshm_store(&follower->lost, 0, relaxed);
    tshm_store(&follower->owner, owner, relaxed);
    /* Release, with the acquire in tshm_got: who sees it without the lock, sees that the role has changed. */
    tshm_store(&follower->position, position, release);
    /* Release, and behind the two: a member of that group that looks for the dead, and knows the place as another's,
     * must not find the new member with the old one's owner and number. */
    tshm_store(&follower->role, role, release);
    uint64_t got = tshm_got(follower);
    if (got < tshm_load(&writer->low_mark, relaxed))
        tshm_store(&writer->low_mark, got, release); /* before the place is used: we may be killed in between */
    if ((uint32_t)role == TSHM_MEMBER && role >> 32 < TSHM_FOLLOWERS) /* its group has somebody again */
        tshm_store(&tshm_follower_at(ring, (uint32_t)(role >> 32))->gone, 0, relaxed);
    tshm_store(&writer->followers, tshm_load(&writer->followers, relaxed) | 1ull << place, release);
}

/* Only with the lock held: the position to begin at for who wants all that there is, up to which nothing is missing.
 * What a pin has kept while later versions were written over does not count. */
static inline uint64_t tshm_oldest(const tshm_ring *ring) {
    uint64_t head = tshm_newest(ring), position = head, before = 0;
    for (uint64_t back = 0; back < 2 * (uint64_t)ring->slot_count && back < head; back++) {
        tshm_cursor cursor = tshm_cursor_at(ring, head - back);
        if (tshm_load(&cursor.slot->mark, relaxed) != 2 * cursor.sequence)
            continue; /* passed over, or written over */
        uint64_t version = tshm_version(ring, &cursor);
        if (back && version != before)
            break;
        before = version - 1 - tshm_load(&cursor.slot->left_out, relaxed);
        position = cursor.sequence - 1;
    }
    return position;
}

/* Only with the lock held: go on in a place that is kept, and whose owner does not live. */
static inline void tshm_take_again(const tshm_ring *ring, uint32_t place, uint64_t owner) {
    tshm_follower *follower = tshm_follower_at(ring, place);
    tshm_store(&follower->gone, 0, relaxed);
    tshm_store(&follower->owner, owner, release); /* in this order: if we die in between it is kept from then on */
}

/* The next version behind `*position`, which moves past numbers that no version has; when the version has been copied,
 * and tshm_read_retry() agrees, the position is its number. TSHM_BUSY: begin again; `settled`: no writer is just
 * looking whether a slot is pinned. TSHM_OVERRUN: it has been written over, or nobody has had that number, and its slot
 * a later one. For followers that writers do not wait for. */
static inline int tshm_next(const tshm_ring *ring, uint64_t *position, int settled, tshm_cursor *cursor) {
    /* acquire, with the exchange of head in tshm_write_end: every version up to there */
    uint64_t head = tshm_load(&tshm_control_of(ring)->head.word, acquire) >> 1;
    for (uint64_t sequence = *position + 1; sequence <= head; sequence++) {
        *cursor = tshm_cursor_at(ring, sequence);
        /* acquire, with the release store of the even mark in tshm_write_end: the payload it completed */
        uint64_t mark = tshm_load(&cursor->slot->mark, acquire);
        if (mark == 2 * sequence)
            return TSHM_READABLE;
        if (mark > 2 * sequence + 1) /* one that is odd, and pinned, may be about to get its old mark back */
            return (mark & 1) && !settled && tshm_is_pinned(cursor->slot, NULL, NULL) ? TSHM_BUSY : TSHM_OVERRUN;
        if (head - sequence >= ring->slot_count) /* marks that agree with no head */
            return TSHM_OVERRUN;
        /* Passed over: the slot was pinned. Odd, if a writer had been killed there before, and a reader was late. */
        *position = sequence;
    }
    return TSHM_NOTHING;
}

/* The same for followers that writers wait for: nothing behind `position` was written over, so a slot that has another
 * number, lower or higher, was passed over when that number's turn came. A writer passes over fewer than twice all
 * slots. TSHM_OVERRUN: marks that agree with no head; or the follower had no place. */
static inline int tshm_next_awaited(const tshm_ring *ring, uint64_t position, tshm_cursor *cursor) {
    /* acquire, with the exchange of head in tshm_write_end: every version up to there */
    uint64_t head = tshm_load(&tshm_control_of(ring)->head.word, acquire) >> 1;
    for (uint64_t ahead = 1; ahead <= 2 * (uint64_t)ring->slot_count && position < head; ahead++) {
        if (head - position < ahead)
            break;
        *cursor = tshm_cursor_at(ring, position + ahead);
        /* acquire, with the release store of the even mark in tshm_write_end: the payload it completed */
        if (tshm_load(&cursor->slot->mark, acquire) == 2 * cursor->sequence)
            return TSHM_READABLE;
    }
    return position < head ? TSHM_OVERRUN : TSHM_NOTHING;
}

/* Where to go on after TSHM_OVERRUN: at a version that will last for a while. */
static inline uint64_t tshm_behind_overrun(const tshm_ring *ring) {
    uint64_t head = tshm_load(&tshm_control_of(ring)->head.word, acquire) >> 1;             /* as in tshm_next */
    uint64_t back = ring->slot_count < 3 ? 0 : ring->slot_count - 2 - ring->slot_count / 8; /* the first to try */
    return head > back ? head - back - 1 : 0;
}

/* After there is more room. True if writers sleep on the room, and have to be woken. */
static inline int tshm_raise_room(const tshm_ring *ring) {
    tshm_atomic_u64 *word = &tshm_lossless_of(ring)->room.word;
    tshm_fence(seq_cst); /* with that in tshm_announce_writer: it sees what we did, or we see that it sleeps */
    uint64_t seen = tshm_load(word, relaxed);
    while (seen & TSHM_HEAD_AWAITED)
        if (tshm_exchange_if(word, &seen, (seen & ~TSHM_HEAD_AWAITED) + 2, relaxed)) /* what matters is the fence */
            return 1;
    return 0; /* nobody sleeps, or another has raised the number meanwhile and wakes them */
}

/* A follower has got everything up to that number, or a member has no version any more, with 0. True as
 * tshm_raise_room(). */
static inline int tshm_got_it(const tshm_ring *ring, tshm_follower *follower, uint64_t position) {
    /* release, with the acquire in tshm_got: the payload was read before it is written over */
    tshm_store(&follower->position, position, release);
    return tshm_raise_room(ring);
}

/* Somebody has left its place, or given it up. `now`: when, if the place is to be kept; else 0. True as
 * tshm_raise_room(). */
static inline int tshm_leave_place(const tshm_ring *ring, tshm_follower *follower, uint64_t now) {
    tshm_store(&follower->gone, now, relaxed);
    /* release, with the acquire in tshm_drop_followers; from here on the place may be another's */
    tshm_store(&follower->owner, 0, release);
    (void)tshm_change(add, &tshm_lossless_of(ring)->room.left, 1, release); /* with the acquire in tshm_left */
    return tshm_raise_room(ring);
}

/* How many have left. Load it before tshm_drop_followers(): who is counted is found gone. */
static inline uint64_t tshm_left(const tshm_ring *ring) {
    return tshm_load(&tshm_lossless_of(ring)->room.left, acquire); /* with the release in tshm_leave_place */
}

static inline uint32_t tshm_room_number(const tshm_ring *ring) {
    return (uint32_t)(tshm_load(&tshm_lossless_of(ring)->room.word, relaxed) & ~TSHM_HEAD_AWAITED);
}

/* As tshm_announce_sleep, of a writer, on the room. After it, look once more: tshm_still_awaited(). */
static inline int tshm_announce_writer(const tshm_ring *ring, uint32_t number) {
    tshm_atomic_u64 *word = &tshm_lossless_of(ring)->room.word;
    uint64_t seen = tshm_load(word, relaxed);
    do {
        if ((uint32_t)(seen & ~TSHM_HEAD_AWAITED) != number)
            return 0;
    } while (!(seen & TSHM_HEAD_AWAITED) && !tshm_exchange_if(word, &seen, seen | TSHM_HEAD_AWAITED, relaxed));
    tshm_fence(seq_cst); /* with that in tshm_got_it */
    return 1;
}

/* Without the lock, between announcement and sleep: is it still as tshm_drop_followers() said? That a version was got
 * makes room, and so does who leaves, which nobody tells a writer that announces itself only after that. `left`: what
 * tshm_left() said before tshm_drop_followers(). */
static inline int tshm_still_awaited(const tshm_ring *ring, uint64_t sequence, uint64_t left) {
    return tshm_all_got(ring) < sequence && tshm_left(ring) == left;
}

/* With the lock of its group: the next version for the member at `*place`, which has none. With `looks`, first that of
 * a member that died, if the group redelivers: the place is then that one's, and the member's own is left. The version
 * stays where it is until the member says tshm_got_it(0). */
static inline int tshm_hand_out(const tshm_ring *ring, uint32_t group_place, uint32_t *place, int looks,
                                tshm_alive alive, void *context, tshm_cursor *cursor) {
    tshm_follower *group = tshm_follower_at(ring, group_place), *member = tshm_follower_at(ring, *place);
    uint64_t used = tshm_used_places(ring);
    for (uint32_t i = 0; looks && group->redelivers && i < TSHM_FOLLOWERS; i++) {
        tshm_follower *other = tshm_follower_at(ring, i);
        if (!(used >> i & 1) || !tshm_is_member(other, group_place)) /* before anything else of it is looked at */
            continue;
        /* acquire, with the release in tshm_leave_place: one that left has none any more */
        uint64_t owner = tshm_load(&other->owner, acquire);
        if (tshm_load(&other->position, relaxed) == 0 || tshm_lives(ring, owner, alive, context))
            continue;
        uint64_t had = tshm_load(&other->position, relaxed); /* again: it may have died just after that was got */
        if (had == 0)
            continue;
        tshm_store(&other->owner, tshm_load(&member->owner, relaxed), release); /* the one step that hands it over */
        tshm_store(&member->owner, 0, release);
        *place = i;
        *cursor = tshm_cursor_at(ring, had);
        /* acquire, as in tshm_next */
        return tshm_load(&cursor->slot->mark, acquire) == 2 * had ? TSHM_READABLE : TSHM_OVERRUN;
    }
    uint64_t position = tshm_load(&group->position, relaxed);
    int state = tshm_next_awaited(ring, position, cursor);
    if (state == TSHM_READABLE) {
        /* release: who finds the group's new position, in tshm_all_got, finds whose the version is */
        tshm_store(&member->position, cursor->sequence, relaxed);
        tshm_store(&group->position, cursor->sequence, release);
    }
    return state;
}

/* ---- writing: only while holding the writers' lock ------------------------------------------ */

/* Is `slot` pinned by a reader who lives? Dead readers' pins are cleared, one bit at a time. */
static inline int tshm_pinned(tshm_slot *slot, tshm_alive alive, void *context) {
    int pinned = 0;
    for (uint32_t i = 0; i < TSHM_PIN_WORDS; i++) {
        /* acquire, with the release that cleared a pin: that reader is done with the payload */
        uint64_t word = tshm_load(&slot->pins[i], acquire);
        for (uint32_t bit = 0; bit < 64 && word >> bit; bit++) {
            uint64_t pin = 1ull << bit;
            if (!(word & pin))
                continue;
            /* probed after it was read, and cleared only if the word is still the one read */
            uint64_t seen = word;
            if (alive && !alive(context, i * 64 + bit) && tshm_exchange_if(&slot->pins[i], &seen, word & ~pin, relaxed))
                word &= ~pin;
            else
                pinned = 1;
        }
    }
    return pinned;
}

/* Why nothing can be written: every slot is pinned, which takes readers that break the rule of slot_count - 2, or that
 * are just taking back a pin too many, then try again; a follower has still to get what would be written over, see
 * tshm_drop_followers(); another publishes exclusively. */
enum { TSHM_WRITABLE = 1, TSHM_PINNED = 0, TSHM_AWAITED = -1, TSHM_CLAIMED = -2 };

/* Choose and mark the slot of the next version: TSHM_WRITABLE. With TSHM_AWAITED the cursor is at the version that a
 * follower has still to get. To give up a begun write, do nothing: a slot left odd is no reader's and the next writer's
 * first choice. */
static inline int tshm_write_begin(const tshm_ring *ring, tshm_alive alive, void *context, tshm_cursor *cursor) {
    uint64_t head = tshm_newest(ring);
    if (tshm_claimed(ring, alive, context))
        return TSHM_CLAIMED;
    for (uint32_t ahead = 1; ahead <= 2 * ring->slot_count; ahead++) { /* counts, as a garbage head may wrap around */
        uint64_t sequence = (head + ahead) & TSHM_SEQUENCE_MAX;
        if (sequence == 0 || (ring->slot_count > 1 && sequence % ring->slot_count == head % ring->slot_count))
            continue; /* 0 says that there is none; the newest version itself is never touched while it is that */
        *cursor = tshm_cursor_at(ring, sequence);
        uint64_t before = tshm_load(&cursor->slot->mark, relaxed);
        if (ring->lossless && !(before & 1) && before <= 2 * head && tshm_is_awaited(ring, before / 2)) {
            if (ring->slot_count >= 3 && tshm_is_pinned(cursor->slot, alive, context))
                continue; /* passed over by writers as any other; what is not pinned never is */
            cursor->sequence = before / 2;
            return TSHM_AWAITED;
        }
        tshm_store(&cursor->slot->mark, 2 * sequence + 1, relaxed);
        /* Two pairs. As a release fence, with the acquire fence in tshm_read_retry: no payload store is seen before
         * the odd mark. Sequentially consistent, with the fence between a reader's pin and its look at head, in
         * tshm_pin: either it sees that head has moved on from this slot, or we see its pin. Without pins (fewer than
         * three slots) release is enough. */
        if (ring->slot_count < 3) {
            tshm_streaming_fence(); /* streaming stores to come must not overtake the odd mark either */
            tshm_fence(release);
            return TSHM_WRITABLE;
        }
        tshm_fence(seq_cst);
        if (!tshm_pinned(cursor->slot, alive, context))
            return TSHM_WRITABLE;
        if (before <= 2 * head) /* else it is what a killed writer left before `head`, and nobody's */
            tshm_store(&cursor->slot->mark, before, release); /* for the reader who pinned it */
    }
    return TSHM_PINNED;
}

/* The number of the newest version as users count it, 0 when there is none. Its slot is never written to while it is
 * that, but with one slot, where it is head's. */
static inline uint64_t tshm_last_version(const tshm_ring *ring) {
    uint64_t head = tshm_newest(ring);
    return head && ring->slot_count > 1 ? tshm_load(&tshm_slot_of(ring, head)->version, relaxed) : head;
}

/* As tshm_write_end, with a given number: above tshm_last_version(), which is to be seen to before tshm_write_begin(),
 * and at most TSHM_SEQUENCE_MAX. */
static inline int tshm_write_end_as(const tshm_ring *ring, const tshm_cursor *cursor, uint64_t version, uint64_t now) {
    tshm_control *control = tshm_control_of(ring);
    uint64_t sequence = ring->slot_count == 1 ? version : cursor->sequence; /* any number has the one slot */
    tshm_store(&cursor->slot->left_out, version - tshm_last_version(ring) - 1, relaxed);
    tshm_store(&cursor->slot->version, version, relaxed);
    tshm_store(&cursor->slot->time, now, relaxed);
    tshm_streaming_fence();                                 /* whoever filled the slot may have used streaming stores */
    tshm_store(&cursor->slot->mark, 2 * sequence, release); /* with the acquire load in tshm_read_begin */
    /* release, with the acquire load in tshm_read_begin; takes the W bit, or the waiter's exchange fails */
    return (tshm_exchange(&control->head.word, sequence << 1, release) & TSHM_HEAD_AWAITED) != 0;
}

/* Publish what was written into cursor->payload, as the next version. `now` is in ns since 1970. True if somebody
 * sleeps on the head and has to be woken. */
static inline int tshm_write_end(const tshm_ring *ring, const tshm_cursor *cursor, uint64_t now) {
    uint64_t version = ring->slot_count == 1 ? cursor->sequence : tshm_last_version(ring) + 1;
    return tshm_write_end_as(ring, cursor, version, now);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* A waiter that has seen the newest version, and wants the next, never sleeps longer than TSHM_SLICE at a time: a
 * writer killed between the exchange of head and the wake-up costs no more than that. A sleeper that is killed, or goes
 * away, leaves the W bit behind, for one wake-up in vain. */
#define TSHM_SLICE 100000000ull /* ns */

/* The word that waiters sleep on, as it is without the W bit: what changes with every version. */
static inline uint32_t tshm_head_number(const tshm_ring *ring) {
    /* acquire, with the exchange of head in tshm_write_end */
    return (uint32_t)(tshm_load(&tshm_control_of(ring)->head.word, acquire) & ~TSHM_HEAD_AWAITED);
}

/* Before sleeping: set the W bit, provided that the head still has that number. False: it has moved on. Sleep while the
 * low half of the head is `number` | TSHM_HEAD_AWAITED: the kernel compares once more. */
static inline int tshm_announce_sleep(const tshm_ring *ring, uint32_t number) {
    tshm_atomic_u64 *word = &tshm_control_of(ring)->head.word;
    uint64_t seen = tshm_load(word, relaxed);
    for (;;) { /* at most twice, but for others who announce themselves at the same moment */
        if ((uint32_t)(seen & ~TSHM_HEAD_AWAITED) != number)
            return 0;
        if (seen & TSHM_HEAD_AWAITED)
            return 1;
        /* relaxed: it only adds a bit to what a writer has released, and what follows is another look at this word */
        if (tshm_exchange_if(word, &seen, seen | TSHM_HEAD_AWAITED, relaxed))
            return 1;
    }
}

/* ---- tables --------------------------------------------------------------------------------- */

/* Writers of different rows have nothing to do with each other, and no word that all of them store to. Five kinds of
 * accesses are sequentially consistent, and the argument below is about their one order:
 *
 *   - the exchanges of a row's owner, by which it is taken and given back, and loads of it by who looks for changes;
 *   - stores to and loads of the stamps of 64 rows each;
 *   - loads of the epoch by writers, and its increment, or load, by who looks for changes;
 *   - the exchanges by which somebody announces that it sleeps on the news, and the loads of who has published.
 *
 * CHANGES. A writer that has a row makes sure that the stamp of its 64 rows is at least the epoch, and looks at the
 * epoch once more: still the same, or again. It stamps the row likewise, publishes, gives the row back. Who looks for
 * changes raises the epoch, E before that, then looks at the rows whose 64 are stamped with at least what it had seen
 * before (E + 1 of the last time), at each in this order: owner, newest mark, stamp. A stamp of at least that is a
 * change. A row that somebody has is besides UNSURE, with its mark: it is looked at each time, and is a change when the
 * mark has moved, until it is seen free. Either the writer's last look at the epoch comes before the increment: then
 * its stamp of the 64 is seen, and the row as taken, or as published. Or it comes after, and the writer stamps again,
 * with what will be asked for next time. A writer that is killed leaves a row that stays unsure until somebody takes it
 * over. Of an unsure row, too, the owner is looked at before the mark, and one that is unsure already keeps the mark
 * that it was remembered with. The first look of all goes through every row whose 64 were ever stamped: whoever has one
 * may have stamped it long ago. Who may not store loads the epoch instead of raising it, looks at rows whose 64 are
 * stamped with at least what it loaded the last time, and compares their marks with those that it has seen.
 *
 * NEWS. Who wants to sleep reads the number, looks for changes, announces itself in that very word, looks for changes
 * AGAIN, and sleeps while the word stays so. Who has given a row back looks at the word, and raises the number only if
 * somebody announced itself. So nobody stores to it while nobody sleeps. Without the second look wake-ups get lost. It
 * looks at a row's owner first, also where only the mark matters: the exchanges of the owner are what is in one order.
 *
 * WITH ONE VERSION a mark that stays odd, while nobody alive has the row, tells that its value is lost until it is next
 * written. To tell so, look at the mark, the owner and the mark again: one that has changed was not left, but
 * completed. With two versions, the other one is still there.
 *
 * APPENDING. Who appends draws a ticket, takes the row that it names, and gives it back unwritten if the row's ticket
 * is greater: somebody was a lap ahead. Otherwise it stores its ticket BEFORE the version is published; if it is killed
 * in between, the row keeps what it had from an earlier lap. Stored after, it would let one that is a lap behind
 * write over the newer version. */

static inline tshm_table_control *tshm_table_control_of(const tshm_table *table) {
    return (tshm_table_control *)table->base;
}

/* `number` is below row_count. */
static inline tshm_row *tshm_row_of(const tshm_table *table, uint64_t number) {
    return (tshm_row *)(table->base + table->rows_offset + number * table->row_stride);
}

static inline tshm_atomic_u64 *tshm_stamp_of(const tshm_table *table, uint64_t number) {
    return (tshm_atomic_u64 *)(table->base + table->stamps_offset) + number / TSHM_STAMPED_ROWS;
}

/* One version of a row, as a reader or the writer sees it. */
typedef struct tshm_row_cursor {
    tshm_row *row;
    tshm_row_version *version;
    unsigned char *payload;
    uint64_t number; /* of the version; what users see */
} tshm_row_cursor;

static inline tshm_row_cursor tshm_row_cursor_at(const tshm_table *table, tshm_row *row, uint32_t slot,
                                                 uint64_t number) {
    tshm_row_cursor cursor;
    cursor.row = row;
    cursor.version = &row->versions[slot];
    cursor.payload =
        (unsigned char *)row + tshm_row_head(table->slot_count) + slot * tshm_row_room(table->payload_size);
    cursor.number = number;
    return cursor;
}

/* The newest complete version of a row. TSHM_BUSY: it is being written, or, with one version, was left unfinished. */
static inline int tshm_row_read_begin(const tshm_table *table, tshm_row *row, tshm_row_cursor *cursor) {
    /* acquire, with the release store of the even mark in tshm_row_write_end: the payload it completed */
    uint64_t first = tshm_load(&row->versions[0].mark, acquire);
    uint64_t second = table->slot_count == 1 ? 1 : tshm_load(&row->versions[1].mark, acquire);
    uint32_t slot = first & 1 || (second > first && !(second & 1));
    uint64_t mark = slot ? second : first;
    if (mark & 1)
        return TSHM_BUSY;
    *cursor = tshm_row_cursor_at(table, row, slot, mark / 2);
    return mark ? TSHM_READABLE : TSHM_NOTHING;
}

/* True if a writer came by since tshm_row_read_begin, so that what was copied may be torn. */
static inline int tshm_row_read_retry(const tshm_row_cursor *cursor) {
    /* acquire fence, with the fence in tshm_row_write_begin: whoever saw a byte of the next write sees its odd mark */
    tshm_fence(acquire);
    return tshm_load(&cursor->version->mark, relaxed) != 2 * cursor->number;
}

/* The number of a row's newest complete version, 0 while there is none; also of one that is being written. */
static inline uint64_t tshm_row_number(const tshm_table *table, tshm_row *row) {
    tshm_row_cursor cursor;
    int state = tshm_row_read_begin(table, row, &cursor);
    for (int tries = 0; state == TSHM_BUSY && table->slot_count == 2 && tries < 100; tries++)
        state = tshm_row_read_begin(table, row, &cursor);
    if (state != TSHM_BUSY)
        return cursor.number;
    uint64_t mark = tshm_load(&row->versions[0].mark, acquire); /* acquire: as in tshm_row_read_begin */
    return mark & 1 ? mark / 2 - (mark > 1) : mark / 2;
}

/* Only by who has the row: choose and mark the place of its next version. To give up a begun write, do nothing where
 * two versions are kept; where one is, its value is lost. */
static inline tshm_row_cursor tshm_row_write_begin(const tshm_table *table, tshm_row *row) {
    uint64_t first = tshm_load(&row->versions[0].mark, relaxed), number;
    uint32_t slot = 0;
    if (table->slot_count == 1) {
        number = first & 1 ? first / 2 : first / 2 + 1; /* what was left unfinished is done over */
    } else {
        uint64_t second = tshm_load(&row->versions[1].mark, relaxed);
        slot = !(first & 1) && (second & 1 || second < first); /* the one that is not the newest */
        number = (slot ? first : second) / 2 + 1;
    }
    if (number == 0 || number > TSHM_SEQUENCE_MAX)
        number = 1; /* from garbage: 0 would say that there is none */
    tshm_row_cursor cursor = tshm_row_cursor_at(table, row, slot, number);
    /* release, with the acquire loads in tshm_row_read_begin: whoever finds this place odd, and so turns to the other
     * one, sees no older version there than the one that this writer saw */
    tshm_store(&cursor.version->mark, 2 * number + 1, release);
    tshm_streaming_fence(); /* streaming stores to come must not overtake the odd mark */
    /* release, with the acquire fence in tshm_row_read_retry: no payload store is seen before the odd mark */
    tshm_fence(release);
    return cursor;
}

/* Only by who has the row: see CHANGES above. */
static inline void tshm_row_stamp(const tshm_table *table, uint64_t number) {
    tshm_atomic_u64 *epoch = &tshm_table_control_of(table)->epoch, *stamp = tshm_stamp_of(table, number);
    uint64_t now = tshm_load(epoch, seq_cst), before;
    do {
        before = now;
        uint64_t seen;
        while ((seen = tshm_load(stamp, seq_cst)) < before) /* with the load by who looks for changes */
            (void)tshm_exchange_if(stamp, &seen, before, seq_cst);
        now = tshm_load(epoch, seq_cst); /* with the increment in tshm_epoch_step */
    } while (now != before);
    /* relaxed: before the release store of the mark in tshm_row_write_end */
    tshm_store(&tshm_row_of(table, number)->stamp, before, relaxed);
}

/* Publish what was written into cursor->payload; the row was stamped meanwhile. `now` is in ns since 1970. Any number
 * above the one that tshm_row_write_begin() chose, as in GIVEN NUMBERS, may have been put into the cursor. */
static inline void tshm_row_write_end(const tshm_row_cursor *cursor, uint64_t now) {
    tshm_store(&cursor->version->time, now, relaxed);
    tshm_streaming_fence(); /* whoever filled it may have used streaming stores */
    /* release, with the acquire load in tshm_row_read_begin */
    tshm_store(&cursor->version->mark, 2 * cursor->number, release);
}

/* After one or more rows were published and given back: true if somebody sleeps on the news, and has to be woken. */
static inline int tshm_news(const tshm_table *table) {
    tshm_atomic_u64 *word = &tshm_table_control_of(table)->control.head.word;
    uint64_t seen = tshm_load(word, seq_cst); /* with the exchange in tshm_announce_news_sleep */
    while (seen & TSHM_HEAD_AWAITED)
        if (tshm_exchange_if(word, &seen, (seen & ~TSHM_HEAD_AWAITED) + 2, seq_cst))
            return 1;
    return 0; /* nobody sleeps, or another has raised the number meanwhile and wakes them */
}

/* As tshm_announce_sleep, on the news. After it, look for changes once more. */
static inline int tshm_announce_news_sleep(const tshm_table *table, uint32_t number) {
    tshm_atomic_u64 *word = &tshm_table_control_of(table)->control.head.word;
    uint64_t seen = tshm_load(word, relaxed);
    for (;;) {
        if ((uint32_t)(seen & ~TSHM_HEAD_AWAITED) != number)
            return 0;
        /* with the load in tshm_news; also where the bit is set: the exchange orders the look that follows it */
        if (tshm_exchange_if(word, &seen, seen | TSHM_HEAD_AWAITED, seq_cst))
            return 1;
    }
}

/* The epoch that ends now: what is stamped from here on has a later one. */
static inline uint64_t tshm_epoch_step(const tshm_table *table) {
    return tshm_change(add, &tshm_table_control_of(table)->epoch, 1, seq_cst); /* with the loads in tshm_row_stamp */
}

#endif
