/* Exclusive publishers: tshm_claimed, tshm_claim and tshm_unclaim of typedshm.h, and the first step of tshm_write_begin;
 * and claim_give_up of lock/claim.c.
 *
 * WRITERS processes try ROUNDS times each to write a version, to claim the region and write, or to give up what they have
 * claimed, as they like; each of these with the writers' lock held, but that a claim may be given up without. They are killed before any statement, KILLS times in
 * all, and come again as new processes, with a presence entry that another may have had: a claim names entry and
 * generation. The writers' lock is free when its holder is dead, as lock.pml shows.
 *
 * What is checked: nobody writes while another who lives has the claim; nobody's claim is taken away or written over while
 * it lives; a dead one's claim is in nobody's way; nobody waits for ever.
 *
 * Each of these is a mistake and must fail:
 *   UNLOCKED (claims without the writers' lock)  NO_CHECK (writes whoever has claimed)  CLAIM_ANYHOW (claims whoever has)
 *   CLEAR_ANYHOW (gives up whoever has it)  NO_PROBE (a claim holds, though its owner is dead)  CLEAR_ALL (a claim that is in the way is cleared)
 *   GIVE_UP_ANYHOW (the same without the lock)
 *   NO_GENERATION (a claim names an entry only)  CHECK_LATE (looks for a claim after it has given the lock back)
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 3
#endif
#ifndef KILLS
#define KILLS 2
#endif
#define ENTRIES (WRITERS + 1)
#ifdef NO_GENERATION
#define NAME(entry) ((entry) + 1)
#define LIVES(word) (presence[(word) - 1])
#else
#define NAME(entry) ((entry) + 1 + 8 * generation[entry])
#define LIVES(word) (presence[((word) & 7) - 1] && generation[((word) & 7) - 1] == (word) / 8)
#endif

byte lock;      /* who has the writers' lock, its number + 1 */
byte exclusive; /* the claim */
byte generation[ENTRIES];
bool presence[ENTRIES];
bool killed[WRITERS];

/* What only the checks know. */
byte claimer;   /* the process, its number + 1, that has the claim by its own doing and lives */
byte writing;   /* likewise, that writes */
bool raising[ENTRIES]; /* taken, and the generation not yet raised */

/* ---- tshm_claimed ---- */
inline look() {
    claim = exclusive;
    if
    :: claim == 0 || claim == me -> claim = 0
    :: else ->
        d_step {
#ifdef NO_PROBE
            alive = true;
#else
#ifdef CLEAR_ALL
            alive = false;
#else
            alive = LIVES(claim);
#endif
#endif
            /* or somebody has taken the entry and not yet raised its generation, or it was given up since it was
             * looked at: once more, then */
            assert(!alive || claimer != 0 || raising[(claim & 7) - 1] || exclusive != claim)
        };
        if
        :: alive
        :: else ->
            d_step { assert(claimer == 0 || claimer == _pid + 1); exclusive = 0 };
            claim = 0
        fi;
        alive = false
    fi
}

active [WRITERS] proctype Writer() {
    byte entry, me, claim, rounds;
    bool alive, present;
come: {
    if
    :: d_step { !presence[0] -> presence[0] = true; raising[0] = true; entry = 0; present = true }
    :: d_step { !presence[1] -> presence[1] = true; raising[1] = true; entry = 1; present = true }
    :: d_step { !presence[2] -> presence[2] = true; raising[2] = true; entry = 2; present = true }
    fi;
    d_step { generation[entry]++; raising[entry] = false; me = NAME(entry) };
    do
    :: rounds < ROUNDS ->
        rounds++;
#ifdef UNLOCKED
        if
        :: true
        :: claim = 0; look();
            if
            :: claim == 0 -> d_step { assert(claimer == 0 || claimer == _pid + 1); exclusive = me; claimer = _pid + 1 }
            :: else
            fi;
            goto next
        fi;
#endif
        if
        :: true
        :: true -> /* ---- gives it up: claim_give_up, one step without the lock ---- */
            atomic {
                if
#ifdef GIVE_UP_ANYHOW
                :: true ->
#else
                :: exclusive == me ->
#endif
                    assert(claimer == 0 || claimer == _pid + 1); exclusive = 0; claimer = 0
                :: else
                fi
            };
            goto next
        fi;
        atomic { lock == 0 -> lock = _pid + 1 };
        if
        :: true -> /* ---- writes ---- */
#ifndef NO_CHECK
            look();
#endif
            if
            :: claim == 0 ->
#ifdef CHECK_LATE
                lock = 0;
#endif
                d_step { assert(writing == 0 && (claimer == 0 || claimer == _pid + 1)); writing = _pid + 1 };
                d_step { assert(writing == _pid + 1 && (claimer == 0 || claimer == _pid + 1)); writing = 0 }
            :: else
            fi
        :: true -> /* ---- claims ---- */
#ifndef CLAIM_ANYHOW
            look();
#endif
            if
            :: claim == 0 -> d_step { assert(claimer == 0 || claimer == _pid + 1); exclusive = me; claimer = _pid + 1 }
            :: else
            fi
        :: true -> /* ---- gives it up: tshm_unclaim ---- */
            if
#ifdef CLEAR_ANYHOW
            :: true ->
#else
            :: exclusive == me ->
#endif
                d_step { assert(claimer == 0 || claimer == _pid + 1); exclusive = 0; claimer = 0 }
            :: else
            fi
        fi;
        d_step { claim = 0; if :: lock == _pid + 1 -> lock = 0 :: else fi };
next:   claim = 0
    :: else -> break
    od;
    skip; /* spin does not jump into a d_step */
    d_step { /* ends, and what it had claimed is left */
        if :: claimer == _pid + 1 -> claimer = 0 :: else fi;
        presence[entry] = false; present = false
    }
} unless {
    killed[_pid] ->
    d_step {
        killed[_pid] = false; if :: lock == _pid + 1 -> lock = 0 :: else fi;
        if :: claimer == _pid + 1 -> claimer = 0 :: else fi;
        if :: writing == _pid + 1 -> writing = 0 :: else fi;
        if :: present -> presence[entry] = false; raising[entry] = false; present = false :: else fi;
        entry = 0; me = 0; claim = 0; alive = false
    };
    goto come
}
}

active proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[0] = true
        :: killed[1] = true
        fi
    :: break
    od
}
