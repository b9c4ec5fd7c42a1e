/* Pins: tshm_write_begin, tshm_pinned and tshm_pin of typedshm.h, readers that look at slots in place, and what
 * clear_entry of _native/lock/writers_lock.c does for whoever comes after a reader that was killed.
 *
 * Each of READERS readers looks at the newest version in its slot, ROUNDS times; a writer publishes VERSIONS versions.
 * Anybody is killed before any statement, KILLS times in all. A reader comes to life again as a new process, with a
 * presence entry of its own; the writer's lock is free then, and the next writer begins. The kernel frees a killed
 * reader's presence entry at some later time. A reader may look at what it has pinned for ever.
 *
 * Pins are counted: a reader pins one slot at a time. With two more slots than readers none is ever refused; with SLOTS=3
 * and READERS=2 the second has to take its pin back. Whether those who pinned live is asked of the kernel at once, which
 * the C code does only if there are too many. With -DUNCOUNTED nobody counts: each of ENTRIES participants pins as many
 * slots as its share is, all at once (tshm_pins_each).
 *
 * What is checked: no writer stores into a slot that a living reader is looking at, nobody's pin is cleared by another
 * while it lives, all together look at SLOTS - 2 slots at most, and a writer always finds a slot: at once if none is
 * refused, otherwise as soon as those who are one too many have taken their pins back. So no dead reader's pin stays.
 *
 * Each of these is a mistake and must fail:
 *   NO_RECHECK (the reader does not look at head again once it has its pin)  NO_DROP (a newcomer leaves its
 *   predecessor's pins)  FLAG_LATE (HAS_PINNED is set after the pin)  FLAGS_FIRST (a newcomer clears the flags, then its
 *   predecessor's pins)  CLEAR_WORD (a dead reader's pin is cleared by storing 0)  NO_PROBE (pins of the dead count)
 *   PROBE_ONCE (who was found dead before is taken for dead)
 *   COUNT_BEFORE (the pinned slots are counted before the newest version is found and pinned, not after)  NO_LIMIT (they
 *   are not counted)  NO_TAKE_BACK (a pin too many stays)  ONE_MORE (with UNCOUNTED: than one's share)
 */
#ifndef READERS
#define READERS 1
#endif
#ifndef SLOTS
#define SLOTS (READERS + 2)
#endif
#ifndef ENTRIES
#define ENTRIES (READERS + 1)
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef VERSIONS
#define VERSIONS 4
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifdef UNCOUNTED
#ifdef ONE_MORE
#define EACH ((SLOTS - 2) / ENTRIES + 1)
#else
#define EACH ((SLOTS - 2) / ENTRIES)
#endif
#else
#define EACH 1 /* of one reader; how many there are of all is counted */
#endif
#define BIT(bit) (1 << (bit))
#define LIVING(slot, entry) ((pins[slot] & BIT(entry)) && presence[entry])
#define LOOKED_AT(slot) ((looking[1] | looking[READERS]) & BIT(slot)) /* by one or two readers */

byte head = 1;             /* version 1 is there */
byte mark[SLOTS], pins[SLOTS];
byte presence[ENTRIES];    /* the kernel's: which reader holds this entry */
bool has_pinned[ENTRIES];  /* TSHM_HAS_PINNED in the entry's flags */
bool killed[READERS + 1];  /* the writer is 0 */

/* What only the checks know. */
byte looking[READERS + 1]; /* the slots that a reader is looking at, a bit each */
byte filling;              /* the slot + 1 that a writer stores into */

#if ENTRIES == 1
#define PINNED(slot) (LIVING(slot, 0))
#elif ENTRIES == 2
#define PINNED(slot) (LIVING(slot, 0) || LIVING(slot, 1))
#else
#define PINNED(slot) (LIVING(slot, 0) || LIVING(slot, 1) || LIVING(slot, 2))
#endif

/* ---- tshm_count_pinned ---- */
inline count_pinned() {
    do
    :: slot < SLOTS -> d_step { if :: PINNED(slot) -> pinned++ :: else fi; slot++ }
    :: else -> break
    od;
    slot = 0
}

active proctype Writer() {
    byte sequence, before, slot, word, i, count;
    bool pinned, alive, done;
    bool once_dead[ENTRIES];
    d_step { mark[1] = 2 };
begin: {
    do
    :: count < VERSIONS ->
        /* ---- tshm_write_begin ---- */
        sequence = head + 1;
        do
        :: sequence > head + 2 * SLOTS ->  /* every slot is pinned */
#if SLOTS < READERS + 2 && !defined(UNCOUNTED)
            (!PINNED((head + 1) % SLOTS) || !PINNED((head + 2) % SLOTS)); /* tries again; here: when there is a use */
            sequence = head + 1
#else
            assert(false)
#endif
        :: sequence % SLOTS == head % SLOTS -> sequence++
        :: else ->
            slot = sequence % SLOTS;
            before = mark[slot];
            mark[slot] = 2 * sequence + 1;
            /* ---- tshm_pinned ---- */
            pinned = false;
            word = pins[slot];
            i = 0;
            do
            :: i < ENTRIES && (word & BIT(i)) ->
#ifdef NO_PROBE
                alive = true;
#else
                alive = presence[i] != 0;
#endif
#ifdef PROBE_ONCE
                if :: once_dead[i] -> alive = false :: !alive -> once_dead[i] = true :: else fi;
#endif
                if
                :: alive -> pinned = true
                :: else ->
#ifdef CLEAR_WORD
                    pins[slot] = 0; word = 0
#else
                    d_step { done = pins[slot] == word; if :: done -> pins[slot] = word & ~BIT(i) :: else fi };
                    if :: done -> word = word & ~BIT(i) :: else -> pinned = true fi
#endif
                fi;
                i++
            :: i < ENTRIES && !(word & BIT(i)) -> i++
            :: i == ENTRIES -> break
            od;
            skip; /* spin does not jump into a d_step */
            d_step { i = 0; word = 0; alive = false; done = false };
            if
            :: !pinned -> break
            :: else ->
                if :: before <= 2 * head -> mark[slot] = before :: else fi;
                sequence++
            fi
        od;
        /* ---- the payload ---- */
        skip;
        d_step {
            filling = slot + 1;
            do :: i < READERS -> i++; assert(!(looking[i] & BIT(slot))) :: else -> break od;
            i = 0
        };
        filling = 0;
        /* ---- tshm_write_end ---- */
        mark[slot] = 2 * sequence;
        skip;
        d_step { head = sequence; sequence = 0; before = 0; slot = 0; pinned = false; count++ }
    :: else -> break
    od
} unless {
    killed[0] ->
    d_step {
        killed[0] = false; filling = 0;
        sequence = 0; before = 0; slot = 0; word = 0; i = 0; pinned = false; alive = false; done = false
    };
    goto begin
}
}

inline drop_stale_pins() {
    do
    :: i < SLOTS -> d_step { pins[i] = pins[i] & ~BIT(entry); i++ }
    :: else -> break
    od;
    i = 0
}

inline set_flag() {
    if :: !has_pinned[entry] -> has_pinned[entry] = true :: else fi
}

active [READERS] proctype Reader() {
    byte entry, sequence, i, rounds, slot, pinned, mine, id = _pid;
    bool present;
born: {
    /* ---- os_peers_claim: any free one may be had, not only the first, which may not be free yet ---- */
    if
    :: d_step { presence[0] == 0 -> presence[0] = id; entry = 0; present = true }
#if ENTRIES > 1
    :: d_step { presence[1] == 0 -> presence[1] = id; entry = 1; present = true }
#endif
#if ENTRIES > 2
    :: d_step { presence[2] == 0 -> presence[2] = id; entry = 2; present = true }
#endif
    fi;
    /* ---- clear_entry ---- */
#ifndef NO_DROP
    if
    :: has_pinned[entry] ->
#ifdef FLAGS_FIRST
        has_pinned[entry] = false;
        drop_stale_pins()
#else
        drop_stale_pins();
        has_pinned[entry] = false
#endif
    :: else
    fi;
#endif
    do
    :: rounds < ROUNDS && mine < EACH ->
#ifdef COUNT_BEFORE
        count_pinned();
        if :: pinned -> pinned++ :: else fi; /* and its own, of another slot */
#endif
        /* ---- slots_pin: a slot that this process has pinned already needs no second pin ---- */
        atomic {
            sequence = head;
            if :: looking[id] & BIT(sequence % SLOTS) -> sequence = 0; goto next :: else fi
        };
        /* ---- tshm_pin ---- */
#ifndef FLAG_LATE
        set_flag();
#endif
        pins[sequence % SLOTS] = pins[sequence % SLOTS] | BIT(entry);
#ifdef FLAG_LATE
        set_flag();
#endif
        if
#ifdef NO_RECHECK
        :: true ->
#else
        :: head == sequence ->
#endif
#ifndef UNCOUNTED
#ifndef NO_LIMIT
#ifndef COUNT_BEFORE
            count_pinned();
#endif
#endif
#endif
            if
            :: pinned + 2 > SLOTS ->
                rounds++; /* too many: it copies */
#ifdef NO_TAKE_BACK
                d_step { pinned = 0; sequence = 0 };
                goto end_idle
#endif
            :: else ->
                d_step {
                    looking[id] = looking[id] | BIT(sequence % SLOTS); mine++; rounds++; pinned = 0;
                    do :: slot < SLOTS -> if :: LOOKED_AT(slot) -> pinned++ :: else fi; slot++ :: else -> break od;
                    assert(pinned + 2 <= SLOTS);
                    assert(filling == 0 || !(looking[id] & BIT(filling - 1)));
                    pinned = 0; slot = 0; sequence = 0
                };
                goto next
            fi
        :: else /* a writer has just taken it; begin again */
        fi;
        skip;
        d_step { pinned = 0; pins[sequence % SLOTS] = pins[sequence % SLOTS] & ~BIT(entry); sequence = 0 };
next:   skip
    :: atomic { mine > 0 -> /* ---- tshm_unpin, of any ---- */
        if
        :: looking[id] & BIT(0) -> slot = 0
        :: looking[id] & BIT(1) -> slot = 1
        :: looking[id] & BIT(2) -> slot = 2
#if SLOTS > 3
        :: looking[id] & BIT(3) -> slot = 3
#endif
#if SLOTS > 4
        :: looking[id] & BIT(4) -> slot = 4
#endif
        fi;
        assert(pins[slot] & BIT(entry));
        looking[id] = looking[id] & ~BIT(slot); mine--; pins[slot] = pins[slot] & ~BIT(entry); slot = 0 }
    :: rounds == ROUNDS && mine == 0 -> break
    :: goto end_idle /* alive, with its entry and perhaps its pins, and not interested */
    od;
    skip;
    d_step { presence[entry] = 0; present = false };
    goto end_gone;
end_idle:
    false
} unless {
    killed[id] ->
    d_step { killed[id] = false; looking[id] = 0; mine = 0; sequence = 0; i = 0; slot = 0; pinned = 0 };
    d_step { /* the kernel notices later */
        if :: present -> presence[entry] = 0; present = false :: else fi;
        entry = 0
    };
    goto born
}
end_gone:
    skip
}

active proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[0] = true
        :: killed[1] = true
#if READERS > 1
        :: killed[2] = true
#endif
        fi
    :: break
    od
}
