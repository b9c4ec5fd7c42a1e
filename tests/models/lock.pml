/* The writers' lock of _native/lock/lock.c: its word, its participants, and their deaths.
 *
 * Every participant attaches, takes and gives back the lock ROUNDS times, and then leaves, or stays for ever without
 * taking it again. Any of them is killed before any statement, KILLS times in all, and comes to life again as a new
 * process. The kernel frees the presence entry of a killed one at some later time.
 *
 * What is checked: never two inside; who takes the lock is told of a death (DIRTY) exactly if something has been left
 * unrepaired; no death is counted twice; a holder's word is never replaced; nobody is left asleep for ever, not even if
 * whoever gets a dead owner's presence entry does nothing any more.
 *
 * With -DGARBAGE the word begins with an owner that cannot exist; with -DALL_LEAVE nobody stays; with -DGENERATIONS=1
 * words cannot tell one holder of an entry from the next. Harmless are:
 *   GENERATION_FIRST (the probe looks at the generation before it asks for the byte: who dies in between is found by
 *   the next probe)  PROBE_OWN (a word that names one's own entry is probed like any other: its generation is another)
 *   NO_COUNTER (rule 5), as long as generations do not come again. If they do, the counter still prevents two owners; a
 *   dead owner is then waited for until the new holder of its entry leaves.
 *
 * Each of these breaks a rule of lock.h and must fail:
 *   ASK_FIRST (rule 3)  NO_GENERATION, RAISE_LATE (4)  NO_COUNTER with GENERATIONS=1 (5)  PROBE_FIRST, REUSE_PROBE (6)
 *   NO_DIRTY, CLEAR_DIRTY (7)  NO_SLICE (8)
 */
#ifndef PROCESSES
#define PROCESSES 2
#endif
#ifndef ENTRIES
#define ENTRIES 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef KILLS
#define KILLS 2
#endif
#ifndef GENERATIONS
#define GENERATIONS 64 /* how many a word can tell apart */
#endif
#ifdef NO_GENERATION
#define IN_WORD(generation) 0
#else
#define IN_WORD(generation) ((generation) % GENERATIONS)
#endif
#ifdef NO_COUNTER
#define RAISED(counter) (counter)
#else
#define RAISED(counter) ((counter) + 1)
#endif

/* owner: entry + 1, as in the C code; 0 is free */
typedef Word { byte owner; byte generation; byte counter; bool waiting; bool dirty }

Word word;
byte presence[ENTRIES + 2]; /* the kernel's: who holds entry i - 1. The last stands for entries out of range: nobody */
byte generations[ENTRIES + 2];
bool killed[PROCESSES + 1], asleep[PROCESSES + 1];
byte deaths; /* writer.deaths */

/* What only the checks know. */
bool inside[PROCESSES + 1], unrepaired;
byte holders, died_inside;

#define SAME_HALF(w) /* which is slept on */ \
    (word.owner == w.owner && word.generation == w.generation && word.waiting == w.waiting && word.dirty == w.dirty)
#define SAME(w) (SAME_HALF(w) && word.counter == w.counter)

inline copy_word() {
    seen.owner = word.owner; seen.generation = word.generation; seen.counter = word.counter;
    seen.waiting = word.waiting; seen.dirty = word.dirty
}

inline load() { /* one atomic load */
    d_step { copy_word() }
}

inline wake_one() { /* whomever the kernel likes */
    if
    :: asleep[1] -> asleep[1] = false
    :: asleep[2] -> asleep[2] = false
#if PROCESSES > 2
    :: asleep[3] -> asleep[3] = false
#endif
    :: else
    fi
}

/* take(): swap `seen` for a word that names me. A take-over sets WAITING and DIRTY. */
inline take(waiting_too, dirty_too) {
    d_step {
        done = SAME(seen);
        if
        :: done ->
            word.owner = entry; word.generation = IN_WORD(generation); word.counter = RAISED(seen.counter);
            word.waiting = seen.waiting || waiting_too; word.dirty = seen.dirty || dirty_too;
            held.owner = word.owner; held.generation = word.generation; held.counter = word.counter;
            inside[id] = true; holders++; slept = false;
            assert(holders == 1);
            assert(word.dirty == unrepaired)
        :: else
        fi
    }
}

inline count_death() {
    d_step { deaths++; assert(deaths <= died_inside) }
}

inline take_over() {
#ifdef NO_DIRTY
    take(true, false);
#else
    take(true, true);
#endif
    if :: done -> count_death() :: else fi
}

/* owner_lives() */
inline probe(w) {
#ifdef GENERATION_FIRST
    alive = IN_WORD(generations[w.owner]) == w.generation;
    if :: alive -> alive = presence[w.owner] != 0 :: else fi
#else
    alive = presence[w.owner] != 0;
    if :: alive -> alive = IN_WORD(generations[w.owner]) == w.generation :: else fi
#endif
}

/* attempt(), with a probe: one without finds out nothing more. `done` says if it took the lock. */
inline attempt() {
#ifdef PROBE_FIRST
    load();
    probe(seen); /* of whoever has it now; but the word is read afterwards */
#endif
    load();
    if
    :: seen.owner == 0 -> take(slept, false)
#ifdef PROBE_OWN
    :: seen.owner > ENTRIES ->
#else
    :: seen.owner == entry || seen.owner > ENTRIES -> /* rule 10 */
#endif
        take_over()
    :: else ->
#ifndef PROBE_FIRST
        probe(seen);
#endif
        if
        :: alive -> done = false
        :: else ->
            take_over();
#ifdef REUSE_PROBE
            /* a compare-and-swap that failed has refreshed `seen`; the owner is the same, so why ask again? */
            if
            :: !done ->
                d_step { i = seen.owner; copy_word() };
                if :: seen.owner == i && i != 0 -> i = 0; take_over() :: else -> i = 0 fi
            :: else
            fi
#endif
        fi
    fi
}

proctype Participant(byte id) {
    Word seen, held;
    byte entry, generation, rounds, i;
    bool done, alive, repaired, slept;
born: {
    /* ---- lock_attach ---- */
    do
    :: true -> /* rule 3: try to lock the entries' bytes, one after the other */
        i = 1;
        do
        :: i <= ENTRIES ->
#ifdef ASK_FIRST
            if :: presence[i] == 0 -> presence[i] = id; entry = i; break :: else -> i++ fi
#else
            d_step { if :: presence[i] == 0 -> presence[i] = id; entry = i :: else fi };
            if :: entry != 0 -> break :: else -> i++ fi
#endif
        :: else -> break
        od;
        i = 0;
        if
        :: entry != 0 -> break
        :: else -> /* FULL: the user tries again, perhaps for ever, since the others may stay */
end_full:   (presence[1] == 0 || presence[ENTRIES] == 0)
        fi
    od;
    generation = generations[entry] + 1; /* rule 4 */
#ifndef RAISE_LATE
    generations[entry] = generation;
#endif
    do
    :: rounds < ROUNDS ->
        do
        :: true ->
            /* ---- lock_try, and what lock_wait tries first ---- */
            attempt();
            if :: done -> break :: else fi;
            /* ---- lock_wait ---- */
            if
            :: seen.owner == 0 -> goto again
            :: else
            fi;
            if
            :: !seen.waiting ->
                d_step { done = SAME(seen); if :: done -> word.waiting = true; seen.waiting = true :: else fi };
                if :: !done -> goto again :: else -> done = false fi
            :: else
            fi;
            /* the futex call compares */
            d_step { slept = true; if :: SAME_HALF(seen) -> asleep[id] = true :: else fi };
#ifdef NO_SLICE
            !asleep[id];
#else
            /* woken, or the slice is over. One that is over with nothing new to see changes nothing: left out, so
               that a sleeper for whom there will never be anything new is found as a deadlock. */
            (!asleep[id] || !SAME(seen) || presence[seen.owner] == 0 ||
             IN_WORD(generations[seen.owner]) != seen.generation);
            asleep[id] = false;
#endif
            attempt(); /* rule 8 */
            if :: done -> break :: else fi;
again:      skip
        od;
#ifdef RAISE_LATE
        generations[entry] = generation;
#endif
        /* ---- inside; lock_release ---- */
        if
        :: repaired = true
        :: word.dirty -> repaired = false
        fi;
        load();
        do
        :: true ->
            /* rule 9: never LOST */
            assert(seen.owner == held.owner && seen.generation == held.generation && seen.counter == held.counter);
            d_step {
                done = SAME(seen);
                if
                :: done ->
                    word.owner = 0; word.generation = 0; word.waiting = false;
#ifdef CLEAR_DIRTY
                    word.dirty = false;
#else
                    word.dirty = !repaired && seen.dirty;
#endif
                    if :: repaired -> unrepaired = false :: else fi;
                    inside[id] = false; holders--
                :: else
                fi
            };
            if :: done -> break :: else -> load() fi
        od;
        rounds++;
        if :: seen.waiting -> wake_one() :: else fi
    :: rounds == ROUNDS -> break
#ifndef ALL_LEAVE
    :: goto end_idle /* alive, and not interested */
#endif
    od;
    skip; /* spin does not jump into a d_step */
    d_step { presence[entry] = 0; entry = 0 }; /* leaves */
    goto end_gone;
end_idle:
    false
} unless {
    killed[id] ->
    d_step {
        killed[id] = false; asleep[id] = false;
        if :: inside[id] -> inside[id] = false; holders--; unrepaired = true; died_inside++ :: else fi;
        i = 0; done = false; alive = false; repaired = false; slept = false;
        held.owner = 0; held.generation = 0; held.counter = 0; generation = 0;
        seen.owner = 0; seen.generation = 0; seen.counter = 0; seen.waiting = false; seen.dirty = false
    };
    d_step { /* the kernel notices later */
        if :: entry != 0 && presence[entry] == id -> presence[entry] = 0 :: else fi;
        entry = 0
    };
    goto born
}
end_gone:
    skip
}

proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[1] = true
        :: killed[2] = true
#if PROCESSES > 2
        :: killed[3] = true
#endif
        fi
    :: break
    od
}

init {
    atomic {
#ifdef GARBAGE
        word.owner = ENTRIES + 1; unrepaired = true; died_inside = 1;
#endif
        run Participant(1); run Participant(2);
#if PROCESSES > 2
        run Participant(3);
#endif
        run Killer()
    }
}
