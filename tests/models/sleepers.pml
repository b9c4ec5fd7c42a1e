/* Sleeping and waking on Windows: os_word_wait and wake of _native/os/windows.c, with their events and bits.
 *
 * WAKERS wakers change a word, STORES times each, and wake whoever sleeps on it. The word is the head's: a number and
 * the W bit, which a sleeper sets (tshm_announce_sleep) and a waker takes by the exchange that changes the number; only
 * if it was set it looks for bits, and wakes all. With -DONE it is the lock's: wakers wake one, and do so as though
 * WAITING were always set, whose rules are lock.pml's business. SLEEPERS sleepers wait until the word has had its last
 * value. Sleepers are killed before any statement, KILLS times in all, and come to life again as new processes, without
 * an event; the kernel closes a dead sleeper's event at some later time. An event is there while anybody has a handle to
 * it; whoever opens it to wake has one too, for that moment.
 *
 * What is checked: a sleeper that looked at the old word is woken by the wakers themselves, none of whom dies here, and
 * not by the end of its slice; who wakes one and finds nobody, leaves nobody asleep; nobody sleeps for ever.
 *
 * Each of these is a mistake and must fail:
 *   LATE_BIT (the sleeper looks at the word before it sets its bit)  LATE_W (it looks at the number, then sets W whatever
 *   the number is)  BIT_ONLY (it does not set W)  FIRST_ONLY (only who sets W sets its bit)
 *   WAKE_EARLY (the waker looks for sleepers before it changes the word)
 *   LOAD_W (it looks for W, then stores the word, instead of exchanging it)
 *   NO_SECOND (a dead sleeper's bit is cleared, and that is all)  SHARED_EVENT (one event for all)
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
#define LAST (2 * WAKERS * STORES)
#define W 1
#define NUMBER(word) ((word) & ~W)
#ifdef FIRST_ONLY
#define FIRST(value) first = value;
#else
#define FIRST(value)
#endif

byte word;              /* number and W; without W with ONE */
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

inline change_word() {
    d_step {
#ifndef ONE
#ifndef LOAD_W
#ifndef WAKE_EARLY
        awaited = word & W;
#endif
#endif
#endif
        word = NUMBER(word) + 2; stored = word; waking++
    }
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
    bool opened, woken, awaited;
    do
    :: stores < STORES ->
#ifdef ONE
        awaited = true;
#endif
#ifdef LOAD_W
        awaited = word & W;
#endif
#ifdef WAKE_EARLY
        awaited = word & W;
#else
        change_word();
#endif
        if :: !awaited -> goto done :: else fi;
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
done:
#ifdef WAKE_EARLY
        change_word();
#endif
        skip; /* spin does not jump into a d_step */
        d_step {
            waking--; stores++; number = 0;
#ifdef ONE
            if :: !woken && waking == 0 -> check_nobody_sleeps() :: else fi;
#endif
            stored = 0; snapshot = 0; opened = false; woken = false; awaited = false
        }
    :: else -> break
    od
}

active [SLEEPERS] proctype Sleeper() {
    byte expected, number = NOBODY, i, id = _pid - WAKERS;
    bool first;
born: {
    do
    :: expected = NUMBER(word);
        if :: expected == LAST -> break :: else fi;
#ifndef ONE
#ifndef BIT_ONLY
#ifndef LATE_W
        /* ---- tshm_announce_sleep; the look before the compare-and-swap is left out ---- */
        d_step {
            if
            :: NUMBER(word) == expected -> FIRST(!(word & W)) word = expected | W; expected = expected | W
            :: else
            fi
        };
        if :: !(expected & W) -> goto again :: else fi;
#endif
#endif
#endif
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
#ifdef FIRST_ONLY
        if :: first -> bits = bits | BIT(number) :: else fi;
#else
        bits = bits | BIT(number);
#endif
#endif
        d_step {
            if
            :: word == expected -> stale[id] = true; expected_of[id] = expected; number_of[id] = number
            :: else
            fi
        };
#ifdef LATE_W
        d_step { word = word | W; expected = expected | W; expected_of[id] = expected };
#endif
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
        bits = bits & ~BIT(number); /* and the event is kept */
again:  skip; /* spin does not jump into a d_step */
        d_step { first = false; expected = 0; expected_of[id] = 0; number_of[id] = 0 }
    od;
    skip;
    leave_event()
} unless {
    killed[id] ->
    d_step { killed[id] = false; stale[id] = false; expected = 0; i = 0; first = false;
             expected_of[id] = 0; number_of[id] = 0 };
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
