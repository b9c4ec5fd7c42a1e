/* The ring of typedshm.h and waiting for it: tshm_write_begin ... tshm_write_end, tshm_must_wake, tshm_read_begin ...
 * tshm_read_retry, tshm_announce_sleep.
 *
 * A writer publishes VERSIONS versions; a payload is two words, which name the attempt they were written by. It is
 * killed before any statement, KILLS times in all; then its lock is free and the next writer begins. (That the lock
 * does what is expected of it here is lock.pml's business.) Readers wait for newer versions until they have the last.
 * Memory is sequentially consistent here; what the orders do is in litmus/.
 *
 * What is checked: what a reader accepts is one whole attempt, the one that was published under that number; numbers
 * only grow; with two slots and more, whatever happens to a writer, the newest version is there; a sleeper is woken by
 * the write it waits for, unless the writer was killed between head and the wake-up or somebody was held up for longer
 * than a slice; and then the end of its slice wakes it.
 *
 * Time goes by in TICKS steps, of which SLICE make a slice. Each of these is a mistake and must fail:
 *   ANY_EVEN (accepts any even mark)  NO_RETRY (no second look at mark)  NO_ODD (mark not odd while writing)
 *   IN_PLACE (writes over the newest version)  HEAD_FIRST (stores head before mark)
 *   WAKE_EARLY (looks for sleepers before it stores head)  NO_COMPARE (goes to sleep whatever head is by then)
 *   SHORT (announces one slice instead of two)  NO_SLICE (sleeps until woken)
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
#ifndef TICKS
#define TICKS 3
#endif
#define SLICE 2
#ifdef SHORT
#define ANNOUNCED SLICE
#else
#define ANNOUNCED (2 * SLICE)
#endif
#ifdef IN_PLACE
#define SLOT(sequence) 0
#else
#define SLOT(sequence) ((sequence) % SLOTS)
#endif

typedef Slot { byte mark; byte first; byte second } /* the payload is first and second */

byte head;
byte until; /* waiting.until */
Slot slot[SLOTS];
byte clock;
bool killed, asleep[READERS + 1];

/* What only the checks know. */
byte attempts;             /* so that a version done over differs from the first attempt at it */
byte author[VERSIONS + 1]; /* the attempt that was published as this version */
byte bedtime[READERS + 1];
bool due[READERS + 1];     /* asleep within its slice when head was stored: to be woken */
bool waking;               /* head is stored, sleepers are not yet woken */
bool excused;              /* a writer died while waking, or a reader was preempted before sleeping */

inline wake_all() {
    d_step { i = 1; do :: i <= READERS -> asleep[i] = false; i++ :: else -> break od; i = 0 }
}

inline store_head() {
    d_step {
        head = sequence; author[sequence] = attempts; waking = true;
        i = 1;
        do
        :: i <= READERS -> due[i] = asleep[i] && clock < bedtime[i] + SLICE; i++
        :: else -> break
        od;
        i = 0
    }
}

inline check_sleepers() { /* when they have been woken */
    d_step {
        i = 1;
        do
        :: i <= READERS -> assert(excused || !(asleep[i] && due[i])); due[i] = false; i++
        :: else -> break
        od;
        i = 0; now = 0; sequence = 0; waking = false
    }
}

#define NEWEST slot[SLOT(head)]

active proctype Writer() {
    byte sequence, now, i;
begin: {
    do
    :: head < VERSIONS ->
        /* ---- tshm_write_begin ---- */
        sequence = head + 1;
        attempts++;
#ifndef NO_ODD
        slot[SLOT(sequence)].mark = 2 * sequence + 1;
#endif
        /* ---- the payload ---- */
        slot[SLOT(sequence)].first = attempts;
        slot[SLOT(sequence)].second = attempts;
        /* ---- tshm_write_end, with the time taken before ---- */
        now = clock;
#ifdef WAKE_EARLY
        if :: until > now -> wake_all() :: else fi;
#endif
#ifdef HEAD_FIRST
        store_head();
#endif
        slot[SLOT(sequence)].mark = 2 * sequence;
#ifndef HEAD_FIRST
        store_head();
#endif
        /* ---- tshm_must_wake ---- */
#ifndef WAKE_EARLY
        if :: until > now -> wake_all() :: else fi;
#endif
        check_sleepers()
    :: else -> break
    od
} unless {
    killed ->
    d_step {
        killed = false; i = 0; sequence = 0; now = 0;
        if :: waking -> excused = true; waking = false :: else fi;
        assert(SLOTS == 1 || head == 0 ||
               (NEWEST.mark == 2 * head && NEWEST.first == author[head] && NEWEST.second == author[head]))
    };
    goto begin
}
    skip; /* spin does not jump into a d_step */
    d_step {
        assert(NEWEST.mark == 2 * VERSIONS && NEWEST.first == author[VERSIONS] && NEWEST.second == author[VERSIONS])
    }
}

active [READERS] proctype Reader() {
    byte last, number, mark, first, second, since, id = _pid; /* the writer is 0 */
    do
    :: last < VERSIONS ->
        number = head; /* wait(): the word to sleep on */
        /* ---- tshm_read_begin: one attempt; then round again ---- */
        if
        :: head > last ->
            number = head;
            mark = slot[SLOT(number)].mark;
            if
#ifdef ANY_EVEN
            :: mark % 2 == 0 && mark != 0 ->
#else
            :: mark == 2 * number ->
#endif
                first = slot[SLOT(number)].first;
                second = slot[SLOT(number)].second;
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
                        last = mark / 2
                    }
                :: else
                fi
            :: else /* BUSY */
            fi;
            d_step { mark = 0; first = 0; second = 0; number = 0 }
        :: else ->
            /* ---- tshm_announce_sleep: the time, then the store ---- */
            since = clock;
            until = since + ANNOUNCED;
            /* ---- os_word_wait: the futex call compares ---- */
            d_step {
                if
#ifdef NO_COMPARE
                :: true ->
#else
                :: head == number ->
#endif
                    asleep[id] = true; bedtime[id] = clock; due[id] = head != number;
                    if :: clock >= since + SLICE -> excused = true :: else fi
                :: else
                fi;
                since = 0
            };
            if
            :: !asleep[id]
#ifndef NO_SLICE
            /* The slice is over. One that is over with nothing new changes nothing: left out, so that a sleeper for
               whom there will never be anything new is found as a deadlock. Time stands still at TICKS. */
            :: head != number && (clock >= bedtime[id] + SLICE || clock == TICKS) ->
                assert(excused || waking || !due[id])
#endif
            fi;
            d_step { asleep[id] = false; due[id] = false; bedtime[id] = 0; number = 0 }
        fi
    :: else -> break
    od
}

active proctype Clock() {
    do
    :: clock < TICKS -> clock++
    :: else -> break
    od
}

active proctype Killer() {
    byte kills;
    do
    :: kills < KILLS -> kills++; killed = true
    :: break
    od
}
