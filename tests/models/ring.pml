/* The ring of typedshm.h and waiting for it: tshm_write_begin ... tshm_write_end, tshm_read_begin ... tshm_read_retry,
 * tshm_announce_sleep, and the kernel's sleep on the head.
 *
 * A writer publishes VERSIONS versions; a payload is two words, which name the attempt they were written by. It is
 * killed before any statement, KILLS times in all; then its lock is free and the next writer begins. (That the lock
 * does what is expected of it here is lock.pml's business.) Readers wait for newer versions until they have the last, or
 * leave for good, before they sleep or while they do. Memory is sequentially consistent here; what the orders do is in
 * litmus/. There is no clock: whoever is held up may be held up for as long as it likes.
 *
 * GIVEN: a version may be given a number that leaves others out, tshm_write_end_as; with one slot that is its sequence
 * number, otherwise it stands in the slot beside it.
 *
 * What is checked: what a reader accepts is one whole attempt, the one that was published under that number; numbers
 * only grow, head's as well, and those that are given; with two slots and more, whatever happens to a writer, the newest version is there; a
 * sleeper is woken by the write it waits for, unless the writer was killed between the exchange of head and the wake-up,
 * and then the end of its slice wakes it; nobody is woken in vain more often than somebody has announced a sleep.
 *
 * ONLY_NUMBER (a sleeper goes to sleep though the W bit is gone, if the number is the same) is harmless: nobody takes the
 * bit without changing the number. Each of these is a mistake and must fail:
 *   ANY_EVEN (accepts any even mark)  NO_RETRY (no second look at mark)  NO_ODD (mark not odd while writing)
 *   IN_PLACE (writes over the newest version)  HEAD_FIRST (exchanges head before it stores mark)
 *   STORE_HEAD (looks for W, then stores head, instead of exchanging it)  KEEP_W (the exchange leaves W as it was)
 *   WAKE_EARLY (looks for W and wakes before it exchanges head)
 *   NO_ANNOUNCEMENT (sleeps without W)  STORE_W (announces by a plain store)  ANY_NUMBER (announces with whatever number
 *   head has by then, and sleeps on that)  NO_COMPARE (goes to sleep whatever head is by then)
 *   TAKE_BACK (who no longer sleeps clears W)  NO_SLICE (sleeps until woken)
 * and with GIVEN:
 *   NUMBER_LAST (stores the number behind the exchange of head)  NUMBER_EARLY (stores it before the mark is odd)
 *   OWN_NUMBER (counts on from what stands in its own slot)  HEAD_ALONE (with one slot, the mark keeps the next number)
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef VERSIONS
#define VERSIONS 3
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifdef IN_PLACE
#define SLOT(sequence) 0
#else
#define SLOT(sequence) ((sequence) % SLOTS)
#endif
#ifdef GIVEN
#define LAST (2 * VERSIONS) /* number, if each time one is left out */
#else
#define LAST VERSIONS
#endif
#define W 1
#define NUMBER(word) ((word) & ~W)
#define SEQUENCE(word) ((word) >> 1)

typedef Slot { /* the payload is first and second */
    byte mark; byte first; byte second;
#ifdef GIVEN
    byte version
#endif
}

byte head; /* .word: sequence << 1 | W */
Slot slot[SLOTS];
bool killed, asleep[READERS + 1];

/* What only the checks know. */
byte attempts;              /* so that a version done over differs from the first attempt at it */
byte author[LAST + 1];      /* the attempt that was published as this version */
#ifdef GIVEN
byte given[LAST + 1];       /* and the number that it was given */
#endif
bool waking;                /* head is exchanged, sleepers are not yet woken */
bool excused[READERS + 1];  /* asleep when a writer died that was to wake */
bool announced;             /* since W was last taken */

#define NEWEST slot[SLOT(SEQUENCE(head))]
#define IS_WHOLE(slot, version) \
    (slot.mark == 2 * (version) && slot.first == author[version] && slot.second == author[version])

inline publish(word) {
    assert(SEQUENCE(word) > SEQUENCE(head));
    assert(!awaited || announced);
    announced = false;
    head = word; author[sequence] = attempts; waking = awaited;
#ifdef GIVEN
    given[sequence] = version
#endif
}

#ifdef GIVEN
#if SLOTS == 1
#define NEWEST_NUMBER SEQUENCE(head)
#else
#define NEWEST_NUMBER (head > W -> NEWEST.version : 0)
#endif

inline choose_number() { /* above tshm_last_version() */
    d_step {
#ifdef OWN_NUMBER
        version = slot[SLOT(sequence)].version;
#else
        version = NEWEST_NUMBER;
#endif
        version++
    };
    if :: true :: version++ fi
}
#endif

inline exchange_head() {
    d_step {
#ifndef STORE_HEAD
#ifndef WAKE_EARLY
        awaited = head & W;
#endif
#endif
#ifdef KEEP_W
        publish(sequence << 1 | awaited)
#else
        publish(sequence << 1)
#endif
    }
}

inline wake_all() {
    d_step {
        waking = false;
        i = 1; do :: i <= READERS -> asleep[i] = false; i++ :: else -> break od; i = 0
    }
}

active proctype Writer() {
    byte sequence, i;
    bool awaited;
#ifdef GIVEN
    byte version;
#define RESET_NUMBER version = 0;
#else
#define RESET_NUMBER
#endif
begin: {
    do
    :: SEQUENCE(head) < VERSIONS ->
        /* ---- tshm_write_begin ---- */
        sequence = SEQUENCE(head) + 1;
        attempts++;
#ifdef GIVEN
        choose_number();
#ifdef NUMBER_EARLY
        slot[SLOT(sequence)].version = version;
#endif
#endif
#ifndef NO_ODD
        slot[SLOT(sequence)].mark = 2 * sequence + 1;
#endif
        /* ---- the payload ---- */
        slot[SLOT(sequence)].first = attempts;
        slot[SLOT(sequence)].second = attempts;
        /* ---- tshm_write_end ---- */
#ifdef WAKE_EARLY
        awaited = head & W;
        if :: awaited -> wake_all() :: else fi;
        awaited = false;
#endif
#ifdef STORE_HEAD
        awaited = head & W;
#endif
#ifdef HEAD_FIRST
        exchange_head();
#endif
#ifdef GIVEN
#if SLOTS == 1
#ifdef HEAD_ALONE
        slot[0].mark = 2 * sequence;
        sequence = version;
#else
        sequence = version;
#endif
#else
#ifndef NUMBER_LAST
        slot[SLOT(sequence)].version = version;
#endif
#endif
#endif
#ifndef HEAD_ALONE
        slot[SLOT(sequence)].mark = 2 * sequence;
#endif
#ifndef HEAD_FIRST
        exchange_head();
#endif
#ifdef NUMBER_LAST
        slot[SLOT(sequence)].version = version;
#endif
        /* ---- writing_publish ---- */
        if :: awaited -> wake_all() :: else fi;
        RESET_NUMBER sequence = 0; awaited = false
    :: else -> break
    od
} unless {
    killed ->
    d_step {
        RESET_NUMBER killed = false; sequence = 0; awaited = false; i = 0;
        if
        :: waking ->
            waking = false;
            do :: i < READERS -> i++; excused[i] = asleep[i] :: else -> break od;
            i = 0
        :: else
        fi;
        assert(SLOTS == 1 || head <= W || IS_WHOLE(NEWEST, SEQUENCE(head)))
    };
    goto begin
}
    skip; /* spin does not jump into a d_step */
    assert(SEQUENCE(head) >= VERSIONS && IS_WHOLE(NEWEST, SEQUENCE(head)))
}

active [READERS] proctype Reader() {
    byte last, number, seen, mark, first, second, id = _pid; /* the writer is 0 */
    bool impatient;
#ifdef GIVEN
    byte version, had;
#endif
    do
    :: last < VERSIONS ->
        number = NUMBER(head); /* tshm_head_number */
        /* ---- tshm_read_begin: one attempt; then round again ---- */
        if
        :: SEQUENCE(head) > last ->
            number = SEQUENCE(head);
            mark = slot[SLOT(number)].mark;
            if
#ifdef ANY_EVEN
            :: mark % 2 == 0 && mark != 0 ->
#else
            :: mark == 2 * number ->
#endif
                first = slot[SLOT(number)].first;
                second = slot[SLOT(number)].second;
#ifdef GIVEN
#if SLOTS == 1
                version = number;
#else
                version = slot[SLOT(number)].version;
#endif
#endif
                /* ---- tshm_read_retry ---- */
                if
#ifdef NO_RETRY
                :: true ->
#else
                :: slot[SLOT(number)].mark == mark ->
#endif
                    d_step {
                        assert(first == second && first == author[mark / 2]);
                        assert(mark / 2 > last);
#ifdef GIVEN
                        assert(version == given[mark / 2] && version > had);
                        had = version;
#endif
                        last = mark / 2
                    }
                :: else
                fi
            :: else /* BUSY */
            fi;
            d_step { RESET_NUMBER mark = 0; first = 0; second = 0; number = 0 }
        :: else ->
            /* ---- tshm_announce_sleep ---- */
#ifndef NO_ANNOUNCEMENT
            seen = head;
            do
#ifdef ANY_NUMBER
            :: NUMBER(seen) != number -> number = NUMBER(seen)
#else
            :: NUMBER(seen) != number -> goto moved_on
#endif
            :: NUMBER(seen) == number && (seen & W) -> break
            :: NUMBER(seen) == number && !(seen & W) ->
#ifdef STORE_W
                d_step { head = seen | W; announced = true };
                break
#else
                d_step {
                    if
                    :: head == seen -> head = seen | W; announced = true; seen = head
                    :: else -> seen = head
                    fi
                }
#endif
            od;
#endif
            if :: true :: impatient = true :: goto left fi;
            /* ---- the kernel compares, and sleeps ---- */
            d_step {
                if
#ifdef NO_COMPARE
                :: true ->
#else
#ifdef ONLY_NUMBER
                :: NUMBER(head) == number ->
#else
#ifdef NO_ANNOUNCEMENT
                :: NUMBER(head) == number ->
#else
                :: head == (number | W) ->
#endif
#endif
#endif
                    asleep[id] = true
                :: else
                fi
            };
            if
            :: !asleep[id]
            :: asleep[id] && impatient -> goto left /* its time is over, or it is killed */
#ifndef NO_SLICE
            /* The slice is over. One that is over with nothing new changes nothing: left out, so that a sleeper for
               whom there will never be anything new is found as a deadlock. */
            :: d_step { asleep[id] && NUMBER(head) != number -> assert(waking || excused[id]) }
#endif
            fi;
#ifdef TAKE_BACK
            d_step { if :: head == (number | W) -> head = number; announced = false :: else fi };
#endif
moved_on:   skip;
            d_step { asleep[id] = false; excused[id] = false; impatient = false; number = 0; seen = 0 }
        fi
    :: else -> break
    od;
left:
    skip;
#ifdef TAKE_BACK
    d_step { if :: head == (number | W) -> head = number; announced = false :: else fi };
#endif
#ifdef GIVEN
    had = 0;
#endif
    d_step { asleep[id] = false; excused[id] = false; impatient = false; number = 0; seen = 0; last = 0 }
}

active proctype Killer() {
    byte kills;
    do
    :: kills < KILLS -> kills++; killed = true
    :: break
    od
}
