/* Sleeping and waking on Windows: os_word_wait and wake of _native/os/windows.c, with their events and bits.
 *
 * WAKERS wakers change a word, STORES times each, and wake whoever sleeps on it: all, or with -DONE one. SLEEPERS
 * sleepers wait until the word has had its last value. Sleepers are killed before any statement, KILLS times in all, and
 * come to life again as new processes, without an event; the kernel closes a dead sleeper's event at some later time. An
 * event is there while anybody has a handle to it; whoever opens it to wake has one too, for that moment.
 *
 * What is checked: a sleeper that looked at the old word is woken by the wakers themselves, none of whom dies here, and
 * not by the end of its slice; who wakes one and finds nobody, leaves nobody asleep; nobody sleeps for ever.
 *
 * Each of these is a mistake and must fail:
 *   LATE_BIT (the sleeper looks at the word before it sets its bit)  WAKE_EARLY (the waker looks for sleepers before it
 *   stores the word)  NO_SECOND (a dead sleeper's bit is cleared, and that is all)  SHARED_EVENT (one event for all)
 *   GONE_COUNTS (with ONE: a dead sleeper counts as woken)
 */
#ifndef SLEEPERS
#define SLEEPERS 2
#endif
#ifndef WAKERS
#define WAKERS 1
#endif
#ifndef STORES
#define STORES 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define NUMBERS SLEEPERS
#define NOBODY 255
#define BIT(number) (1 << (number))
#define LAST (WAKERS * STORES)

byte word;
byte bits;              /* of tshm_sleepers */
byte handles[NUMBERS];  /* of the event with this number: it exists while there are any */
bool signaled[NUMBERS]; /* an event that resets itself: ends one wait */
bool killed[SLEEPERS];

/* What only the checks know. */
byte waking;                     /* wakers that have stored, or are about to, and have not yet woken */
bool stale[SLEEPERS];            /* waits, or is about to, for a word that was `expected` when it looked */
byte expected_of[SLEEPERS], number_of[SLEEPERS];

inline close() {
    d_step { handles[number]--; if :: handles[number] == 0 -> signaled[number] = false :: else fi }
}

inline leave_event() {
    d_step {
        if
        :: number != NOBODY ->
            handles[number]--;
            if :: handles[number] == 0 -> signaled[number] = false :: else fi;
            number = NOBODY
        :: else
        fi
    }
}

inline set_event() {
    d_step { opened = handles[number] > 0; if :: opened -> handles[number]++ :: else fi };
    if
    :: opened -> signaled[number] = true; close(); woken = true
    :: else -> woken = false
    fi
}

inline store_word() {
    d_step { word++; stored = word; waking++ }
}

inline check_nobody_sleeps() { /* who looked at the word before this waker stored it */
    do
    :: number < SLEEPERS ->
        assert(!stale[number] || expected_of[number] >= stored || signaled[number_of[number]]);
        number++
    :: else -> break
    od;
    number = 0
}

active [WAKERS] proctype Waker() {
    byte stores, stored, number, snapshot;
    bool opened, woken;
    do
    :: stores < STORES ->
#ifndef WAKE_EARLY
        store_word();
#endif
        /* ---- wake ---- */
        snapshot = bits;
        do
        :: number < NUMBERS && (snapshot & BIT(number)) ->
            set_event();
            if
            :: !woken -> /* GONE */
                bits = bits & ~BIT(number);
#ifndef NO_SECOND
                set_event()
#endif
            :: else
            fi;
#ifdef ONE
#ifdef GONE_COUNTS
            break
#else
            if :: woken -> break :: else -> number++ fi
#endif
#else
            number++
#endif
        :: number < NUMBERS && !(snapshot & BIT(number)) -> number++
        :: number == NUMBERS -> break
        od;
#ifdef WAKE_EARLY
        store_word();
#endif
        skip; /* spin does not jump into a d_step */
        d_step {
            waking--; stores++; number = 0;
#ifdef ONE
            if :: !woken && waking == 0 -> check_nobody_sleeps() :: else fi;
#endif
            stored = 0; snapshot = 0; opened = false; woken = false
        }
    :: else -> break
    od
}

active [SLEEPERS] proctype Sleeper() {
    byte expected, number = NOBODY, i, id = _pid - WAKERS;
born: {
    do
    :: expected = word;
        if :: expected == LAST -> break :: else fi;
        /* ---- os_word_wait: take_event ---- */
        if
        :: number == NOBODY ->
#ifdef SHARED_EVENT
            d_step { number = 0; handles[0]++ };
#else
            /* ---- new_event, own_event: the first number whose event does not exist ---- */
            do
            :: i < NUMBERS ->
                d_step { if :: handles[i] == 0 -> handles[i] = 1; number = i :: else fi };
                if :: number != NOBODY -> break :: else -> i++ fi
            :: else -> i = 0 /* it would poll; but here somebody is just dying */
            od;
            i = 0;
#endif
            bits = bits & ~BIT(number)
        :: else
        fi;
#ifndef LATE_BIT
        bits = bits | BIT(number);
#endif
        d_step {
            if
            :: word == expected -> stale[id] = true; expected_of[id] = expected; number_of[id] = number
            :: else
            fi
        };
#ifdef LATE_BIT
        bits = bits | BIT(number);
#endif
        if
        :: stale[id] ->
            /* WaitForSingleObject. A slice that is over with nothing new changes nothing: left out. */
            if
            :: d_step { signaled[number] -> signaled[number] = false; stale[id] = false }
            :: d_step { word != expected && !signaled[number] ->
#ifndef ONE
                assert(waking > 0);
#endif
                stale[id] = false }
            fi
        :: else
        fi;
        bits = bits & ~BIT(number) /* and the event is kept */
    od;
    skip;
    leave_event()
} unless {
    killed[id] ->
    d_step { killed[id] = false; stale[id] = false; expected = 0; i = 0 };
    leave_event(); /* the kernel closes its handles later */
    goto born
}
}

active proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[0] = true
#if SLEEPERS > 1
        :: killed[1] = true
#endif
#if SLEEPERS > 2
        :: killed[2] = true
#endif
        fi
    :: break
    od
}
