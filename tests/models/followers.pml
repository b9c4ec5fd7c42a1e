/* Followers for whom the writers of a lossless region wait: tshm_write_begin, tshm_is_awaited, tshm_drop_followers,
 * tshm_take_place, tshm_take_again, tshm_oldest, tshm_leave_place, tshm_next_awaited and tshm_got_it of typedshm.h, and how a writer
 * sleeps on the room: tshm_announce_writer, tshm_still_awaited, tshm_raise_room.
 *
 * WRITERS writers publish VERSIONS versions in all. FOLLOWERS followers register, at the oldest version or the newest,
 * get versions, and leave when they like, LIVES times each; with -DNAMED the first has a name, so that its place is kept
 * for it. Anybody is killed before any statement, KILLS times in all, and comes again as a new process. The writers' lock
 * is free then: that it is, is lock.pml's business. Time is what passes between two looks at a place that is kept. With
 * -DPINS (and 3 slots) a slot is pinned now and then: its number is passed over. With -DLATE followers come when so many
 * versions are there.
 *
 * What is checked: nothing is written over that a place has still to get, or that somebody looks at; each follower, also
 * one that goes on where another of its name stopped, gets every version behind its position, in order, and never an
 * overrun; a place is given to others only when nobody has it and it has been kept; a writer is woken by who makes
 * room, unless somebody was killed, and then the end of its slice wakes it; nobody waits for ever.
 *
 * Each of these is a mistake and must fail:
 *   UNLOCKED (registers without the writers' lock)  BIT_FIRST (a place is used before low_mark is lowered)  NO_LOWER
 *   (low_mark is not lowered)  NO_PROBE (the dead count as living)  PROBE_ALL (whoever is
 *   dead is dropped, kept or not)  OLD_STAMP (who goes on in a place leaves the time since when it was kept)  OWNER_FIRST
 *   (takes it before it resets that time)  LEAVE_STORES (stores the position once more after it has left)  GOT_EARLY (the
 *   position is stored before the payload is read)  ANY_MARK (a version that no head names is waited for)  LOW_IS_HEAD
 *   (low_mark counts those only that have a position above 0)  OVERRUN (with PINS: a mark that is higher is taken for an
 *   overrun)  WRITE_OVER (with PINS: what is awaited and pinned is taken as any other that is pinned)  ANY_OLDEST (with PINS:
 *   the oldest version is where to begin, though a later one is missing)
 *   NO_SECOND (the writer does not look again after it has announced itself)  POSITIONS_ONLY (looks again at positions
 *   only)  NOT_COUNTED (who leaves is not counted)  LEAVE_SILENTLY (nor wakes anybody)  RAISE_EARLY (room is raised before the position is stored)
 *   NO_ANNOUNCEMENT (sleeps without W)  NO_COMPARE (goes to sleep whatever the room is by then)  KEEP_W (raises the
 *   number, and leaves W)  WAKE_EARLY (wakes before it raises the number)  NO_SLICE (sleeps until woken)
 */
#ifndef WRITERS
#define WRITERS 1
#endif
#ifndef FOLLOWERS
#define FOLLOWERS 1
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef VERSIONS
#define VERSIONS 3
#endif
#ifndef LIVES
#define LIVES 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef PLACES
#define PLACES FOLLOWERS
#endif
#define W 1
#define NUMBER(word) ((word) & ~W)
#define BIT(place) (1 << (place))
#define LOT 100 /* more than any number */
#define NAMES (LIVES * FOLLOWERS + KILLS + 1)
#ifdef NAMED
#define IS_NAMED(place) (named[place])
#else
#define IS_NAMED(place) false
#endif
#ifdef KEEP_W
#define KEPT_W W
#else
#define KEPT_W 0
#endif

byte head, mark[SLOTS], room, left;
byte lock; /* who has the writers' lock, its number + 1 */
byte used, low_mark = LOT;
byte owner[PLACES], position[PLACES], role[PLACES], gone[PLACES]; /* gone: 1 since the last look, 2 kept long enough */
bool named[PLACES];
byte born; /* names given: a word that names somebody never comes again */
bool living[NAMES];
bool pinned[SLOTS];
bool killed[WRITERS + FOLLOWERS], asleep[WRITERS];

/* What only the checks know. */
byte count;                  /* versions published */
short published;             /* which numbers, a bit each */
byte reading[FOLLOWERS];     /* the version that somebody looks at, or 0 */
byte waking;                 /* who made room, and has not yet seen to the writers */
bool excused[WRITERS];       /* somebody was killed that was to wake */
byte wanted[WRITERS];        /* the version that a writer waits for others to get */
bool dead_known[WRITERS];    /* a slice of its has ended since the one without a name that it waits for is dead */
bool announced;              /* since the number of the room was last raised */
bool mute[PLACES];           /* who left it was killed before it could be counted */
bool asked[PLACES];          /* the place was seen without anybody since somebody had it */

#define IS_USED(place) (used & BIT(place))
#define WAITS_FOR(place) (IS_USED(place) && position[place] < wanted[id])
#define LIVES_IN(place) (WAITS_FOR(place) && living[owner[place]])
/* of what nobody tells a writer: deaths, and that a place was kept long enough */
#define SILENT(place) (WAITS_FOR(place) && (owner[place] != 0 || IS_NAMED(place) || mute[place]))
#define DEAD(place) (WAITS_FOR(place) && !IS_NAMED(place) && owner[place] != 0 && !living[owner[place]])
#if PLACES == 1
#define IS_DEAD DEAD(0)
#define IS_ROOM (!LIVES_IN(0))
#define IS_SILENT SILENT(0)
#else
#define IS_DEAD (DEAD(0) || DEAD(1))
#define IS_ROOM (!LIVES_IN(0) && !LIVES_IN(1))
#define IS_SILENT (SILENT(0) || SILENT(1))
#endif

inline excuse_all() {
    e = 0;
    do :: e < WRITERS -> excused[e] = true; e++ :: else -> break od;
    e = 0
}

inline wake_all() {
    d_step { e = 0; do :: e < WRITERS -> asleep[e] = false; e++ :: else -> break od; e = 0 }
}

/* ---- tshm_all_got ---- */
inline all_got() {
    low = LOT;
    seen_used = used;
    i = 0;
    do
    :: i < PLACES && (seen_used & BIT(i)) ->
        r = role[i];
        p = position[i];
        d_step {
            if :: role[i] != r -> p = LOT :: else fi;
#ifdef LOW_IS_HEAD
            if :: p == 0 -> p = LOT :: else fi;
#endif
            if :: p < low -> low = p :: else fi;
            r = 0; p = 0; i++
        }
    :: i < PLACES && !(seen_used & BIT(i)) -> i++
    :: i == PLACES -> break
    od;
    skip; /* spin does not jump into a d_step */
    d_step { i = 0; seen_used = 0 }
}

/* ---- tshm_drop_followers ---- */
inline drop_followers() {
    waits = PLACES;
    i = 0;
    do
    :: i < PLACES ->
        if
        :: IS_USED(i) && position[i] < sequence ->
            r = owner[i];
#ifdef NO_PROBE
            alive = r != 0;
#else
            alive = living[r];
#endif
            if
#ifndef PROBE_ALL
            :: !alive && IS_NAMED(i) ->
                /* ---- tshm_is_kept: a first look begins the time ---- */
                if
                :: gone[i] == 0 -> gone[i] = 1; asked[i] = true; alive = true
                :: gone[i] == 1 -> alive = true
                :: gone[i] == 1 -> gone[i] = 2
                :: gone[i] == 2
                fi
#endif
            :: else
            fi;
            if
            :: alive -> waits = i
            :: else ->
                d_step {
                    assert(!living[owner[i]] && (!IS_NAMED(i) || asked[i]));
                    if :: owner[i] != 0 || IS_NAMED(i) || mute[i] -> excuse_all() :: else fi;
                    used = used & ~BIT(i);
                    e = 0; do :: e < WRITERS -> dead_known[e] = false; e++ :: else -> break od; e = 0
                }
            fi
        :: else
        fi;
        d_step { r = 0; alive = false; i++ }
    :: else -> break
    od;
    i = 0
}

active [WRITERS] proctype Writer() {
    byte sequence, before, slot, low, seen_used, i, r, p, waits, seen_left, number, seen, e, id = _pid;
    bool alive, awaited, done;
begin: {
    do
    :: count < VERSIONS ->
        atomic { lock == 0 -> lock = id + 1; if :: count >= VERSIONS -> lock = 0; goto over :: else fi };
look:   /* ---- tshm_write_begin ---- */
        sequence = head + 1;
        do
        :: sequence > head + 2 * SLOTS -> sequence = head + 1 /* every slot is pinned: again */
        :: sequence % SLOTS == head % SLOTS && head -> sequence++
        :: else ->
            slot = sequence % SLOTS;
            before = mark[slot];
            awaited = false;
            /* ---- tshm_is_awaited ---- */
            if
#ifdef ANY_MARK
            :: !(before & 1) && used && before / 2 > low_mark ->
#else
            :: !(before & 1) && before <= 2 * head && used && before / 2 > low_mark ->
#endif
                all_got();
                low_mark = low;
                d_step { awaited = before / 2 > low; low = 0 }
            :: else
            fi;
#ifdef WRITE_OVER
            if :: awaited && pinned[slot] -> awaited = false :: else fi;
#endif
            if
            :: awaited && !pinned[slot] -> break
            :: awaited && pinned[slot] -> sequence++
            :: !awaited ->
                d_step {
                    mark[slot] = 2 * sequence + 1;
                    if
                    :: !(before & 1) && before <= 2 * head && before && !pinned[slot] ->
                        do
                        :: i < PLACES -> assert(!IS_USED(i) || before / 2 <= position[i]); i++
                        :: else -> break
                        od;
                        i = 0;
                        do :: i < FOLLOWERS -> assert(reading[i] != before / 2); i++ :: else -> break od;
                        i = 0
                    :: else
                    fi
                };
                if
                :: pinned[slot] -> mark[slot] = before; sequence++
                :: else -> break
                fi
            fi
        od;
        if
        :: !awaited ->
            /* ---- the payload, and tshm_write_end ---- */
            mark[slot] = 2 * sequence;
            skip;
            d_step { head = sequence; published = published | BIT(sequence); count++ };
            lock = 0
        :: else ->
            sequence = before / 2;
            seen_left = left;
            drop_followers();
            if
            :: waits == PLACES -> goto look
            :: else
            fi;
            lock = 0;
            number = NUMBER(room);
#ifndef NO_ANNOUNCEMENT
            /* ---- tshm_announce_writer ---- */
            seen = room;
            do
            :: NUMBER(seen) != number -> goto again
            :: NUMBER(seen) == number && (seen & W) -> break
            :: NUMBER(seen) == number && !(seen & W) ->
                d_step {
                    done = room == seen;
                    if :: done -> room = seen | W; announced = true :: else -> seen = room fi
                };
                if :: done -> break :: else fi
            od;
#endif
            skip;
            d_step { excused[id] = false; seen = 0; done = false };
#ifndef NO_SECOND
            /* ---- tshm_still_awaited ---- */
            all_got();
            if
#ifdef POSITIONS_ONLY
            :: low >= sequence -> goto again
#else
            :: low >= sequence || left != seen_left -> goto again
#endif
            :: else
            fi;
#endif
            /* ---- the kernel compares, and sleeps ---- */
            d_step {
                wanted[id] = sequence; low = 0;
                if
#ifdef NO_COMPARE
                :: true ->
#else
#ifdef NO_ANNOUNCEMENT
                :: NUMBER(room) == number ->
#else
                :: room == (number | W) ->
#endif
#endif
                    asleep[id] = true
                :: else
                fi
            };
            if
            :: !asleep[id]
#ifndef NO_SLICE
            /* the slice is over; one after which it would wait for the same living changes nothing */
            :: d_step { asleep[id] && IS_ROOM ->
                assert(waking > 0 || excused[id] || IS_SILENT);
                assert(!dead_known[id] || !IS_DEAD);
                dead_known[id] = IS_DEAD }
#endif
            fi
        fi;
again:  skip;
        d_step {
            asleep[id] = false; excused[id] = false; wanted[id] = 0; awaited = false; done = false; alive = false;
            sequence = 0; before = 0; slot = 0; low = 0; waits = 0; seen_left = 0; number = 0; seen = 0
        }
    :: else -> break
    od
} unless {
    killed[id] ->
    d_step {
        killed[id] = false; if :: lock == id + 1 -> lock = 0 :: else fi;
        asleep[id] = false; excused[id] = false; wanted[id] = 0; awaited = false; done = false; alive = false;
        sequence = 0; before = 0; slot = 0; low = 0; waits = 0; seen_left = 0; number = 0; seen = 0;
        seen_used = 0; i = 0; r = 0; p = 0; e = 0
    };
    goto begin
}
over:
    skip
}

inline raise_number() {
    d_step {
        done = room == seen;
        if
        :: done -> assert(announced); announced = false; room = (NUMBER(seen) + 2) | KEPT_W
        :: else -> seen = room
        fi
    }
}

/* ---- tshm_raise_room, and the wake-up ---- */
inline raise_room() {
    seen = room;
    do
    :: (seen & W) != 0 ->
#ifdef WAKE_EARLY
        wake_all();
        raise_number();
        if :: done -> break :: else fi
#else
        raise_number();
        if :: done -> wake_all(); break :: else fi
#endif
    :: (seen & W) == 0 -> break
    od;
    skip;
    d_step { seen = 0; done = false; if :: telling -> telling = false; waking-- :: else fi }
}

active [FOLLOWERS] proctype Follower() {
    byte place, me, at, got, i, r, low, seen, e, lives, id = _pid - WRITERS;
    bool done, telling, leaving;
come: {
#ifdef LATE
    count >= LATE;
#endif
    do
    :: lives < LIVES && count < VERSIONS ->
        d_step { born++; me = born; living[me] = true; lives++ };
#ifndef UNLOCKED
        atomic { lock == 0 -> lock = _pid + 1 };
#endif
        place = PLACES;
#ifdef NAMED
        if
        :: id == 0 -> /* is its name there? */
            d_step {
                i = 0;
                do :: i < PLACES -> if :: IS_USED(i) && named[i] -> place = i :: else fi; i++ :: else -> break od;
                i = 0
            }
        :: else
        fi;
#endif
        if
        :: place < PLACES ->
            /* ---- tshm_take_again ---- */
#ifdef OWNER_FIRST
            d_step { owner[place] = me; asked[place] = false };
            gone[place] = 0
#else
#ifndef OLD_STAMP
            gone[place] = 0;
#endif
            d_step { owner[place] = me; asked[place] = false }
#endif
        :: else ->
            /* ---- tshm_find_place ---- */
            d_step {
                i = 0;
                do :: i < PLACES && IS_USED(i) -> i++ :: else -> break od;
                place = i; i = 0
            };
            if
            :: place == PLACES -> lock = 0; goto without /* all are in use */
            :: else
            fi;
            /* ---- at the oldest version that is there, or behind the newest ---- */
            if
            :: at = head
            :: d_step { /* tshm_oldest: back to where a version is missing */
                i = head; at = head;
                do
                :: i && mark[i % SLOTS] == 2 * i -> at = i - 1; i--
#ifdef ANY_OLDEST
                :: i && mark[i % SLOTS] != 2 * i -> i--
#else
                :: i && mark[i % SLOTS] != 2 * i && !(published & BIT(i)) -> i--
                :: i && mark[i % SLOTS] != 2 * i && (published & BIT(i)) -> break
#endif
                :: !i -> break
                od;
                i = 0
            }
            fi;
            /* ---- tshm_take_place ---- */
            d_step { named[place] = id == 0; mute[place] = false };
            role[place] = 0;
            gone[place] = 0;
            owner[place] = me;
            position[place] = at;
            role[place] = 1;
#ifdef BIT_FIRST
            d_step { used = used | BIT(place); asked[place] = false };
#endif
#ifndef NO_LOWER
            if :: at < low_mark -> low_mark = at :: else fi;
#endif
#ifndef BIT_FIRST
            d_step { used = used | BIT(place); asked[place] = false };
#endif
            at = 0
        fi;
        lock = 0;
        do
        :: position[place] < head ->
            /* ---- tshm_next_awaited ---- */
            got = position[place] + 1;
            do
            :: mark[got % SLOTS] == 2 * got -> break
            :: else ->
#ifdef OVERRUN
                assert(mark[got % SLOTS] < 2 * got);
#endif
                got++;
                assert(got <= head) /* an overrun */
            od;
            skip; /* spin does not jump into a d_step */
            d_step { /* the first that was published */
                i = position[place] + 1;
                do :: i < got -> assert(!(published & BIT(i))); i++ :: else -> break od;
                i = 0
            };
#ifdef GOT_EARLY
            d_step { position[place] = got; if :: !telling -> telling = true; waking++ :: else fi };
#endif
            reading[id] = got; /* looks at it, then has done so */
            /* ---- tshm_got_it ---- */
#ifdef RAISE_EARLY
            raise_room();
#endif
#ifndef GOT_EARLY
            d_step {
                reading[id] = 0; position[place] = got; got = 0;
                if :: !telling -> telling = true; waking++ :: else fi
            };
#else
            d_step { reading[id] = 0; got = 0 };
#endif
#ifdef RAISE_EARLY
            d_step { if :: telling -> telling = false; waking-- :: else fi }
#else
            raise_room()
#endif
        :: count == VERSIONS && position[place] == head -> break
        :: lives < LIVES -> break /* leaves, and comes again */
        od;
        /* ---- tshm_leave_place ---- */
        skip;
#ifdef NAMED
        if
        :: id == 0 -> d_step { gone[place] = 1; asked[place] = true } /* when it left is what it is kept from */
        :: else
        fi;
#endif
        d_step {
            owner[place] = 0; living[me] = false; me = 0;
            waking++; telling = true; leaving = true
        };
#ifdef LEAVE_STORES
        at = position[place];
        position[place] = at;
        at = 0;
#endif
#ifndef NOT_COUNTED
        d_step { left++; leaving = false };
#endif
#ifdef LEAVE_SILENTLY
        d_step { if :: telling -> telling = false; waking-- :: else fi };
#else
        raise_room();
#endif
without:
        skip;
        d_step { if :: me -> living[me] = false; me = 0 :: else fi; place = 0; at = 0 }
    :: else -> break
    od
} unless {
    killed[_pid] ->
    d_step {
        killed[_pid] = false; if :: lock == _pid + 1 -> lock = 0 :: else fi;
        if :: me -> living[me] = false; me = 0 :: else fi;
        if :: telling -> telling = false; waking--; excuse_all() :: else fi;
        if :: leaving -> mute[place] = true; leaving = false :: else fi;
        reading[id] = 0; place = 0; at = 0; got = 0; i = 0; r = 0; low = 0; seen = 0; done = false; e = 0;
        if :: lives == LIVES -> lives-- :: else fi
    };
    goto come
}
}

#ifdef PINS
active proctype Pinner() {
    byte pins;
    do
    :: pins < 2 && head >= 1 ->
        pins++;
        if :: pinned[0] = true; pinned[0] = false :: pinned[1] = true; pinned[1] = false :: pinned[2] = true; pinned[2] = false fi
    :: break
    od
}
#endif

active proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
        if
        :: killed[0] = true
        :: killed[1] = true
#if WRITERS + FOLLOWERS > 2
        :: killed[2] = true
#endif
#if WRITERS + FOLLOWERS > 3
        :: killed[3] = true
#endif
        fi
    :: break
    od
}
