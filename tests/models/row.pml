/* One row of a table: tshm_row_write_begin ... tshm_row_write_end, tshm_row_read_begin, tshm_row_read_retry, is_torn of
 * rows/row_reading.c, and its owner word, which lock.c takes and gives back as it does the writers' lock.
 *
 * Every writer takes a presence entry, writes the row ROUNDS times in all, and stays for ever without doing anything
 * more. A write may be given up after it was begun, as by an exception. Any writer is killed before any statement, KILLS
 * times in all, and comes to life again as a new process; the kernel frees the presence entry of a killed one at some
 * later time, so that a word may name a dead holder of an entry that somebody else has by now. A payload is two words,
 * which name the attempt that they were written by. Readers read READS times.
 * The word has no counter of acquisitions here, and who gives a row back looks at nothing: neither is needed. Sleeping
 * on the word, its WAITING bit and who wakes whom are lock.pml's business: here the end of a slice is all that wakes.
 *
 * GIVEN: a version may be given a number that leaves another out, as by publish_row().
 *
 * What is checked: never two owners; versions grow, and by one where no number is given, those that a reader gets as well, and are none older than
 * what was there when the read began; what a reader accepts is one whole attempt, the one published under that number;
 * with SLOTS=2 the newest complete version is there at any time, whoever was killed; with SLOTS=1 a reader says
 * TornWrite only if, at some moment of its read, nobody alive had the row and its value was lost; nobody waits for ever,
 * neither a writer for a dead owner, nor a reader.
 *
 * Harmless are: SKIP_UNFINISHED (with SLOTS=1, what was left unfinished is not done over, but gets the next number, as
 * numbers may skip then)  PROBE_OWN (a word that names one's own entry is probed like any other).
 * Each of these is a mistake and must fail:
 *   ANY_WORD (takes over whatever the word is by then)  NO_GENERATION (words name entries only)  PROBE_FIRST (asks
 *   whether the owner lives, then reads the word)  NO_SLICE (waits until the word changes)  STORE_FREE (the word is taken by a
 *   plain store, if it was seen free)
 *   NO_ODD (mark not odd while writing)  NEWEST_SLOT (writes over the newest version)  ODD_COUNTS (an unfinished version
 *   counts as the newest)  LARGER_ODD (a reader takes the larger mark, odd or not)  EVEN_EARLY (the mark is even before
 *   the payload is whole)  NO_RETRY (no second look at mark)
 *   and with SLOTS=1: ODD_IS_TORN (an odd mark is TornWrite, whoever has the row)  TORN_AT_ONCE (no second look at the mark
 *   once the row is seen free)  WAIT_FOR_FREE (waits until the row is free)
 *   and with GIVEN: HAD_NUMBER (the given number may be that of the newest)
 */
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef READERS
#define READERS 1
#endif
#ifndef READS
#define READS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define ENTRIES WRITERS
#define ATTEMPTS (WRITERS * ROUNDS + KILLS + 1)
#ifdef GIVEN
#define LAST (2 * ATTEMPTS) /* number, if each time one is left out */
#else
#define LAST ATTEMPTS
#endif
#ifdef NO_GENERATION
#define IN_WORD(generation) 0
#else
#define IN_WORD(generation) (generation)
#endif

/* owner: entry + 1, as in the C code; 0 is free */
typedef Word { byte owner; byte generation }
typedef Version { byte mark; byte first; byte second } /* the payload is first and second */

Word word;
Version slot[SLOTS];
byte presence[ENTRIES + 1]; /* the kernel's: who holds entry i - 1 */
byte generations[ENTRIES + 1];
bool killed[WRITERS + 1];

/* What only the checks know. */
byte holders;                 /* alive */
bool inside[WRITERS + 1];
byte rounds[WRITERS + 1];     /* outlive their writers, so that there is an end */
byte attempts;                /* so that a version done over differs from the first attempt at it */
byte published;               /* the newest complete version */
byte author[LAST + 1];        /* the attempt that was published as this version */
bool lost[READERS];           /* since the read began, nobody alive had the row at some moment, and its value was lost */

#define SAME(w) (word.owner == w.owner && word.generation == w.generation)
#define OWNER_IS_GONE \
    (seen.owner != 0 && (presence[seen.owner] == 0 || IN_WORD(generations[seen.owner]) != seen.generation))
#define IS_WHOLE(slot) \
    (slot.mark == 2 * published && slot.first == author[published] && slot.second == author[published])
#if SLOTS == 1
#define NOTHING_LOST true
#else
#define NOTHING_LOST (published == 0 || IS_WHOLE(slot[0]) || IS_WHOLE(slot[1]))
#endif

inline look_if_lost() { /* after any change of holders and marks */
#if SLOTS == 1
    if
    :: holders == 0 && slot[0].mark % 2 == 1 ->
        lost[0] = true;
#if READERS > 1
        lost[1] = true
#endif
    :: else
    fi
#else
    assert(NOTHING_LOST)
#endif
}

inline load_word() {
    d_step { seen.owner = word.owner; seen.generation = word.generation }
}

/* swap exactly `seen` for a word that names me */
inline take(whatever) {
    d_step {
        done = SAME(seen) || whatever;
        if
        :: done ->
            word.owner = entry; word.generation = IN_WORD(generation);
            inside[id] = true; holders++;
            assert(holders == 1)
        :: else
        fi
    }
}

#ifdef STORE_FREE
#define IF_FREE true
#else
#define IF_FREE false
#endif
#ifdef ANY_WORD
#define IF_DEAD true
#else
#define IF_DEAD false
#endif

inline probe() {
    alive = presence[seen.owner] != 0;
    if :: alive -> alive = IN_WORD(generations[seen.owner]) == seen.generation :: else fi
}

inline attempt() { /* `done` says if it took the row */
#ifdef PROBE_FIRST
    load_word();
    if :: seen.owner != 0 -> probe() :: else alive = true fi;
#endif
    load_word();
    if
    :: seen.owner == 0 -> take(IF_FREE)
#ifndef PROBE_OWN
    :: seen.owner == entry -> take(IF_DEAD) /* rule 10: it names me, who does not have the row */
    :: seen.owner != 0 && seen.owner != entry ->
#else
    :: seen.owner != 0 ->
#endif
#ifndef PROBE_FIRST
        probe();
#endif
        if
        :: alive -> done = false
        :: else -> take(IF_DEAD)
        fi
    fi
}

/* tshm_row_write_begin: `at` is the slot, `number` the version. One step, since nobody else changes the marks. */
inline write_begin() {
    d_step {
#if SLOTS == 1
        at = 0;
        number = slot[0].mark / 2;
#ifdef SKIP_UNFINISHED
        number++;
#else
        if :: slot[0].mark % 2 == 0 -> number++ :: else fi;
#endif
#else
#ifdef ODD_COUNTS
        at = (slot[1].mark < slot[0].mark -> 1 : 0);
#else
        at = (slot[0].mark % 2 == 0 && (slot[1].mark % 2 == 1 || slot[1].mark < slot[0].mark) -> 1 : 0);
#endif
        number = slot[1 - at].mark / 2 + 1;
#ifdef NEWEST_SLOT
        at = 1 - at;
#endif
#endif
        attempts++; attempt_number = attempts;
#ifndef NO_ODD
        slot[at].mark = 2 * number + 1;
#endif
        look_if_lost()
    }
}

inline publish() {
#ifdef GIVEN
    if
    :: true
    :: true -> number++
#ifdef HAD_NUMBER
    :: true -> number--
#endif
    fi;
#endif
    d_step {
#if defined(SKIP_UNFINISHED) || defined(GIVEN)
        assert(number > published);
#else
        assert(number == published + 1);
#endif
        slot[at].mark = 2 * number; published = number; author[number] = attempt_number
    }
}

proctype Writer(byte id) {
    Word seen;
    byte entry, generation, i, at, number, attempt_number;
    bool done, alive;
born: {
    /* ---- lock_attach ---- */
    i = 1;
    do
    :: entry == 0 ->
        d_step {
            if :: presence[i] == 0 -> presence[i] = id; entry = i :: else -> i = i % ENTRIES + 1 fi
        }
    :: else -> break
    od;
    skip; /* spin does not jump into a d_step */
    d_step { i = 0; generations[entry]++; generation = generations[entry] };
    do
    :: rounds[id] < ROUNDS ->
        /* ---- the row is taken: lock_try, lock_wait ---- */
        do
        :: true ->
            attempt();
            if :: done -> break :: else fi;
            /* ---- lock_wait: the word has changed, or the slice is over and its owner has died. One that is over with
               nothing new changes nothing: left out, so that who waits for ever is found as a deadlock. ---- */
#ifdef NO_SLICE
            (seen.owner == 0 || !SAME(seen))
#else
            (seen.owner == 0 || !SAME(seen) || OWNER_IS_GONE)
#endif
        od;
        /* ---- tshm_row_write_begin ---- */
        skip;
        write_begin();
        /* ---- the payload ---- */
        slot[at].first = attempt_number;
        if
        :: true ->
#ifdef EVEN_EARLY
            publish();
            slot[at].second = attempt_number
#else
            slot[at].second = attempt_number;
            /* ---- tshm_row_write_end ---- */
            publish()
#endif
        :: true /* given up */
        fi;
        skip;
        /* ---- the row is given back: one exchange, which tells whether somebody waits ---- */
        d_step {
            assert(word.owner == entry && word.generation == IN_WORD(generation));
            word.owner = 0; word.generation = 0; done = false;
            inside[id] = false; holders--; rounds[id]++;
            at = 0; number = 0; attempt_number = 0;
            look_if_lost()
        }
    :: goto end_idle /* alive, and not interested any more */
    od;
end_idle:
    false
} unless {
    killed[id] ->
    d_step {
        killed[id] = false;
        if :: inside[id] -> inside[id] = false; holders-- :: else fi;
        look_if_lost();
        i = 0; done = false; alive = false; at = 0; number = 0; attempt_number = 0; generation = 0;
        seen.owner = 0; seen.generation = 0
    };
    d_step { /* the kernel notices later */
        if :: entry != 0 && presence[entry] == id -> presence[entry] = 0 :: else fi;
        entry = 0
    };
    goto born
}
}

proctype Reader(byte id) {
    Word seen;
    byte first, second, at, mark, one, two, last, floor, reads;
    bool alive;
    do
    :: reads < READS ->
        d_step { lost[id] = false; look_if_lost(); floor = published };
        do
        :: true ->
            /* ---- tshm_row_read_begin ---- */
            first = slot[0].mark;
#if SLOTS == 1
            second = 1;
#else
            second = slot[1].mark;
#endif
            d_step {
                at = (first % 2 == 1 || (second > first && second % 2 == 0) -> 1 : 0);
#ifdef LARGER_ODD
                at = (second > first -> 1 : 0);
#endif
                mark = (at == 1 -> second : first)
            };
            if
#ifdef LARGER_ODD
            :: false ->
#else
            :: mark % 2 == 1 -> /* BUSY */
#endif
#if SLOTS == 1
#ifndef ODD_IS_TORN
                load_word();
                alive = false;
#ifdef WAIT_FOR_FREE
                if :: seen.owner != 0 -> (slot[0].mark != first || !SAME(seen)); goto retry :: else fi;
#else
                if :: seen.owner != 0 -> probe() :: else fi;
                if
                :: alive ->
                    /* again, once there is anything new; so a reader that waits for the dead is a deadlock */
                    (slot[0].mark != first || !SAME(seen) || OWNER_IS_GONE);
                    goto retry
                :: else
                fi;
#endif
#endif
#ifndef TORN_AT_ONCE
                if :: slot[0].mark != first -> goto retry :: else fi;
#endif
                assert(lost[id]); /* TornWrite */
                break
#else
                (slot[0].mark != first || slot[1].mark != second) /* again */
#endif
            :: mark == 0 -> /* NOTHING */
                assert(floor == 0 && last == 0);
                break
            :: else ->
                one = slot[at].first;
                two = slot[at].second;
                /* ---- tshm_row_read_retry ---- */
#ifndef NO_RETRY
                if :: slot[at].mark != mark -> goto retry :: else fi;
#endif
                d_step {
                    assert(one == two && one == author[mark / 2]);
                    assert(mark / 2 >= floor && mark / 2 >= last);
                    last = mark / 2
                };
                break
            fi;
retry:      skip;
            d_step { alive = false; one = 0; two = 0; first = 0; second = 0; mark = 0; at = 0;
                     seen.owner = 0; seen.generation = 0 }
        od;
        skip;
        d_step { alive = false; one = 0; two = 0; first = 0; second = 0; mark = 0; at = 0; floor = 0; reads++;
                 seen.owner = 0; seen.generation = 0 }
    :: else -> break
    od
}

proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[1] = true
#if WRITERS > 1
        :: killed[2] = true
#endif
#if WRITERS > 2
        :: killed[3] = true
#endif
        fi
    :: break
    od
}

init {
    atomic {
        run Writer(1);
#if WRITERS > 1
        run Writer(2);
#endif
#if WRITERS > 2
        run Writer(3);
#endif
        run Reader(0);
#if READERS > 1
        run Reader(1);
#endif
        run Killer()
    }
}
