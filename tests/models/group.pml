/* A group, which hands out each version to one of its members: tshm_group_lock, tshm_hand_out, tshm_count_lost,
 * tshm_drop_members, tshm_all_got and tshm_take_place of typedshm.h.
 *
 * MEMBERS members join, LIVES times each, have versions handed out, are done with them, and leave when they like. A writer
 * publishes VERSIONS versions into SLOTS slots, and frees the places of the dead when it would have to wait for them. With
 * -DREDELIVERS what a dead member had is handed out again, otherwise it is counted as lost. With -DSTRANGER a follower
 * that is no member, and dead, has the place that becomes the second member's; with -DKEEP the group is kept for a while when it has nobody; with
 * -DMORTAL a member may die as soon as it has a version, however often.
 * Anybody, or the one that -DONLY names (0: the writer), is killed before any statement, KILLS times in all, and comes again as a new process. How a writer sleeps is
 * in followers.pml; here it looks again as soon as nobody who lives is in its way.
 *
 * What is checked: each version is handed to one member, and once more only if that one died without being done with it;
 * with a member that died it is handed out again or counted as lost, not both, and neither only if the group ended;
 * the count is right whenever the group's lock is free; nothing is written over that is not done with or lost; nobody
 * who lives loses its place; nobody waits for ever. While a member is killed, what it had may be handed out and done.
 *
 * Harmless is LEAVE_FIRST (who takes over a dead member's place gives up its own before that).
 * Each of these is a mistake and must fail:
 *   UNLOCKED (versions are handed out without the group's lock)  GROUP_FIRST (the group's number is stored before the
 *   member's)  MEMBERS_FIRST (who looks for the lowest looks at groups last)  NO_CLEAR (who takes over the group's lock
 *   leaves numbers that were never handed out)  NO_END (it leaves counts that were begun)  COUNT_AGAIN (a count is just
 *   added to, and begun anew)  POSITION_OLD (with REDELIVERS: a position is looked at before the probe only)  ROLE_FIRST
 *   (with REDELIVERS and STRANGER: a new member's place has its role before its owner and position)  MOVE (with REDELIVERS:
 *   the version is stored as one's own, then taken from the dead)  FREE_UNLOCKED (members are dropped without the group's
 *   lock)  FREE_APART (a group is freed after its members)  OLD_STAMP (with KEEP: who joins leaves the time since when
 *   the group was kept)  NO_PROBE (the group's lock is taken from whoever has it)  NO_TAKE_OVER (it is not taken from the dead)
 *   DONE_EARLY (a member is done with a version before it has looked at it)
 */
#ifndef MEMBERS
#define MEMBERS 2
#endif
#ifndef PLACES
#define PLACES 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef VERSIONS
#define VERSIONS 4
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define BIT(place) (1 << (place))
#define IS_USED(place) (used & BIT(place))
#define LOT 100
#define NAMES (MEMBERS * LIVES + 2 * KILLS + 3)
#define X 1       /* a name */
#define GROUP 0   /* its place */
#define FOLLOWER_ROLE 1
#define MEMBER_ROLE 3

byte head, low_mark = LOT, lock, used;
byte owner[PLACES], position[PLACES], role[PLACES], lost[PLACES], gone;
byte born = X; /* names given: a word that names somebody never comes again */
bool living[NAMES];
bool killed[MEMBERS + 1];

/* What only the checks know. */
byte first;                  /* the number behind which the group has to get everything */
bool handed[VERSIONS + 1], done_with[VERSIONS + 1], counted[VERSIONS + 1];
byte lost_now;
bool ready; /* the stranger has its place */
bool asked;

#define HAS(place) (IS_USED(place) && role[place] == MEMBER_ROLE && living[owner[place]])
#define DEAD_WITH(place) (IS_USED(place) && role[place] == MEMBER_ROLE && !living[owner[place]] && position[place] != 0)
#define LIVES_WITH(place) (HAS(place) && position[place] != 0 && position[place] <= wanted)
#define BLOCKS_X(place) (IS_USED(place) && role[place] == FOLLOWER_ROLE && living[owner[place]] && position[place] < wanted)
#if PLACES == 3
#define SOMEBODY (HAS(1) || HAS(2))
#define DEAD_HAS (DEAD_WITH(1) || DEAD_WITH(2))
#define LIVING_HAS (LIVES_WITH(1) || LIVES_WITH(2) || BLOCKS_X(1) || BLOCKS_X(2))
#else
#define SOMEBODY (HAS(1) || HAS(2) || HAS(3))
#define DEAD_HAS (DEAD_WITH(1) || DEAD_WITH(2) || DEAD_WITH(3))
#define LIVING_HAS (LIVES_WITH(1) || LIVES_WITH(2) || LIVES_WITH(3) || BLOCKS_X(1) || BLOCKS_X(2) || BLOCKS_X(3))
#endif
#ifdef REDELIVERS
#define AGAIN DEAD_HAS
#else
#define AGAIN false
#endif
#define IN_THE_WAY (LIVING_HAS || (SOMEBODY && IS_USED(GROUP) && (position[GROUP] < wanted || AGAIN)) || \
                    (owner[GROUP] != 0 && living[owner[GROUP]]))

/* ---- tshm_end_count ---- */
inline end_count(member, value) {
    lost[GROUP] = value;
    position[member] = 0;
    lost[member] = 0
}

/* What a member had is lost, and will be counted so whoever is killed. */
inline is_lost(version) {
    assert(handed[version] && !done_with[version] && !counted[version]);
    counted[version] = true;
    lost_now++
}

/* ---- tshm_group_lock, once it is free or its owner dead; `locked` ---- */
inline group_lock(mine) {
    g = owner[GROUP];
    d_step {
#ifdef NO_PROBE
        locked = true;
#else
#ifdef NO_TAKE_OVER
        locked = g == 0;
#else
        locked = g == 0 || !living[g];
#endif
#endif
        assert(locked || living[g]) /* nobody waits for the dead */
    };
    if
    :: locked -> d_step { locked = owner[GROUP] == g; if :: locked -> owner[GROUP] = mine :: else fi }
    :: else
    fi;
    if
    :: locked && g != 0 ->
        j = 1;
        do
        :: j < PLACES ->
            if
#ifndef NO_END
            :: IS_USED(j) && role[j] == MEMBER_ROLE && lost[j] -> end_count(j, lost[j])
#endif
#ifndef NO_CLEAR
            :: IS_USED(j) && role[j] == MEMBER_ROLE && !lost[j] && position[j] > position[GROUP] -> position[j] = 0
#endif
            :: else
            fi;
            j++
        :: else -> break
        od;
        j = 0
    :: else
    fi;
    g = 0
}

inline group_unlock() {
    d_step { assert(lost[GROUP] == lost_now); owner[GROUP] = 0; locked = false }
}

/* ---- tshm_all_got: one half of it ---- */
inline look_at(members) {
    do
    :: i < PLACES ->
        d_step {
            if
            :: IS_USED(i) && (role[i] == MEMBER_ROLE) == members ->
                p = position[i];
                if
                :: members && p == 0 -> p = LOT
                :: members && p != 0 -> p--
                :: else
                fi;
                if :: p < low -> low = p :: else fi;
                p = 0
            :: else
            fi;
            i++
        }
    :: else -> break
    od;
    i = 0
}

active proctype Writer() {
    byte me, wanted, low, i, j, p, g, dead, free;
    bool locked, ends, somebody;
#ifdef STRANGER
    d_step { used = BIT(2); role[2] = FOLLOWER_ROLE; owner[2] = X; position[2] = 1; low_mark = 1; ready = true };
#endif
begin: {
    d_step { born++; me = born; living[me] = true };
    do
    :: head < VERSIONS ->
        atomic { lock == 0 -> lock = 1 };
look:   wanted = (head + 1 > SLOTS -> head + 1 - SLOTS : 0);
        /* ---- tshm_is_awaited ---- */
        if
        :: wanted && used && wanted > low_mark ->
            low = LOT;
#ifdef MEMBERS_FIRST
            look_at(true);
            look_at(false);
#else
            look_at(false);
            look_at(true);
#endif
            low_mark = low
        :: else -> low = LOT
        fi;
        if
        :: wanted <= low ->
            d_step {
                head++;
                assert(!wanted || !IS_USED(GROUP) || wanted <= first || done_with[wanted] || counted[wanted]);
                low = 0; wanted = 0
            };
            lock = 0
        :: else ->
            low = 0;
            /* ---- tshm_drop_followers ---- */
#ifdef STRANGER
            do
            :: i < PLACES ->
                d_step {
                    if
                    :: IS_USED(i) && role[i] == FOLLOWER_ROLE && position[i] < wanted && !living[owner[i]] ->
                        used = used & ~BIT(i)
                    :: else
                    fi;
                    i++
                }
            :: else -> break
            od;
            i = 0;
#endif
            /* ---- tshm_drop_members ---- */
            if
            :: IS_USED(GROUP) ->
#ifdef FREE_UNLOCKED
                locked = true;
#else
                group_lock(me);
#endif
                if
                :: locked ->
                    i = 1;
                    do
                    :: i < PLACES ->
                        d_step {
                            if
                            :: !IS_USED(i) || role[i] != MEMBER_ROLE
                            :: IS_USED(i) && role[i] == MEMBER_ROLE && living[owner[i]] -> somebody = true
                            :: else -> dead = dead | BIT(i)
                            fi;
                            i++
                        }
                    :: else -> break
                    od;
                    i = 0;
                    if :: somebody -> gone = 0 :: else fi;
                    ends = !somebody;
#ifdef KEEP
                    if /* ---- tshm_is_kept ---- */
                    :: ends && gone == 0 -> d_step { gone = 1; asked = true; ends = false }
                    :: ends && gone == 1 -> ends = false
                    :: ends && gone == 1 -> gone = 2
                    :: else
                    fi;
#endif
                    free = (ends -> BIT(GROUP) : 0);
                    i = 1;
                    do
                    :: i < PLACES && (dead & BIT(i)) ->
                        if
                        :: position[i] && !ends -> /* the dead do not change it any more */
#ifdef REDELIVERS
                            goto next_one
#else
#ifdef COUNT_AGAIN
                            d_step {
                                if :: !counted[position[i]] -> is_lost(position[i]) :: else fi;
                                lost[GROUP] = lost[GROUP] + 1
                            };
                            position[i] = 0
#else
                            d_step { is_lost(position[i]); lost[i] = lost[GROUP] + 1 };
                            end_count(i, lost[i])
#endif
#endif
                        :: else
                        fi;
#ifdef FREE_APART
                        used = used & ~BIT(i);
#else
                        free = free | BIT(i);
#endif
next_one:               i++
                    :: i < PLACES && !(dead & BIT(i)) -> i++
                    :: i == PLACES -> break
                    od;
                    skip; /* spin does not jump into a d_step */
                    d_step {
                        i = 1;
                        do
                        :: i < PLACES -> assert(!(free & BIT(i)) || !living[owner[i]] || role[i] != MEMBER_ROLE); i++
                        :: else -> break
                        od;
                        i = 0;
                        if
                        :: ends ->
                            assert(!SOMEBODY);
#ifdef KEEP
                            assert(asked);
#endif
                            lost_now = 0; lost[GROUP] = 0
                        :: else
                        fi;
                        used = used & ~free; dead = 0; free = 0; somebody = false; ends = false
                    };
#ifndef FREE_UNLOCKED
                    group_unlock()
#else
                    locked = false
#endif
                :: else
                fi
            :: else
            fi;
            lock = 0;
            (!IN_THE_WAY) /* or a slice has ended */
        fi
    :: else -> break
    od
} unless {
    killed[0] ->
    d_step {
        killed[0] = false; if :: lock == 1 -> lock = 0 :: else fi;
        living[me] = false; me = 0; wanted = 0; low = 0; i = 0; j = 0; p = 0; g = 0; dead = 0; free = 0;
        locked = false; ends = false; somebody = false
    };
    goto begin
}
}

active [MEMBERS] proctype Member() {
    byte me, place, i, j, g, o, u, version, lives;
    bool locked, alive;
come: {
#ifdef STRANGER
    ready && (_pid == 1 || !IS_USED(2)); /* the first has a place, the second gets the stranger's */
#endif
    do
    :: lives < LIVES && head < VERSIONS ->
        d_step { born++; me = born; living[me] = true; lives++ };
        atomic { lock == 0 -> lock = _pid + 1 };
        if
        :: !IS_USED(GROUP) -> /* makes it: everything from here on */
            d_step {
                position[GROUP] = head; role[GROUP] = 2; owner[GROUP] = 0; lost[GROUP] = 0; gone = 0;
                if :: head < low_mark -> low_mark = head :: else fi
            };
            d_step { used = used | BIT(GROUP); first = head; lost_now = 0; asked = false }
        :: else
        fi;
        d_step {
            place = 1;
            do :: place < PLACES && IS_USED(place) -> place++ :: else -> break od
        };
        if
        :: place == PLACES -> lock = 0; goto without
        :: else
        fi;
        /* ---- tshm_take_place ---- */
#ifdef ROLE_FIRST
        role[place] = MEMBER_ROLE;
#else
        role[place] = 0;
#endif
#ifdef STRANGER
        owner[place] = me;
        position[place] = 0;
        role[place] = MEMBER_ROLE;
#else
        d_step { lost[place] = 0; owner[place] = me; position[place] = 0; role[place] = MEMBER_ROLE };
#endif
#ifndef OLD_STAMP
        gone = 0;
#endif
        d_step { used = used | BIT(place); asked = false };
        lock = 0;
        do
        :: position[GROUP] < head || AGAIN ->
#ifdef UNLOCKED
            locked = true;
#else
            (owner[GROUP] == 0 || !living[owner[GROUP]]); /* tries again; here: when there is a use */
            group_lock(me);
#endif
            if :: !locked -> goto again :: else fi;
            /* ---- tshm_hand_out ---- */
#ifdef REDELIVERS
            d_step { i = 1; u = used };
            do
            :: i < PLACES && (u & BIT(i)) && role[i] == MEMBER_ROLE && i != place ->
#ifdef STRANGER
                o = owner[i];
                version = position[i];
#else
                d_step { o = owner[i]; version = position[i] };
#endif
                if
                :: version != 0 ->
                    alive = living[o];
#ifndef POSITION_OLD
                    version = position[i];
#endif
                    if
                    :: !alive && version != 0 ->
#ifdef MOVE
                        d_step {
                            assert(!done_with[version] && !counted[version]);
                            position[place] = version
                        };
                        position[i] = 0;
#else
#ifdef LEAVE_FIRST
                        owner[place] = 0;
#endif
                        d_step {
                            assert(!living[owner[i]] && handed[version] && !done_with[version] && !counted[version]);
                            owner[i] = me
                        };
#ifndef LEAVE_FIRST
                        owner[place] = 0;
#endif
                        place = i;
#endif
                        goto handed_out
                    :: else
                    fi
                :: else
                fi;
                d_step { alive = false; version = 0; o = 0; i++ }
            :: i < PLACES && !((u & BIT(i)) && role[i] == MEMBER_ROLE && i != place) -> i++
            :: i == PLACES -> break
            od;
            i = 0;
#endif
            if
            :: position[GROUP] < head ->
                version = position[GROUP] + 1;
                assert(version + SLOTS > head); /* it is there still */
#ifdef GROUP_FIRST
                d_step { assert(!handed[version]); handed[version] = true; position[GROUP] = version };
                position[place] = version;
#else
                position[place] = version;
                d_step { assert(!handed[version]); handed[version] = true; position[GROUP] = version };
#endif
            :: else -> version = 0
            fi;
handed_out: skip;
            d_step { i = 0; o = 0; u = 0; alive = false };
#ifndef UNLOCKED
            group_unlock();
#endif
#ifdef DONE_EARLY
            if :: version -> position[place] = 0 :: else fi;
#endif
            if
#ifdef MORTAL
            :: version -> living[me] = false; goto dead
#endif
            :: version -> /* looks at it, and is done */
                d_step {
                    assert(version + SLOTS > head && !done_with[version] && !counted[version]);
                    position[place] = 0; done_with[version] = true
                }
            :: else
            fi;
            version = 0;
again:      locked = false
        :: head == VERSIONS && position[GROUP] == head && !AGAIN -> break
        :: lives < LIVES -> break /* leaves, and comes again */
        od;
        /* ---- tshm_leave_place ---- */
        skip;
        d_step { owner[place] = 0; living[me] = false; me = 0 };
without:
        skip;
        d_step { if :: me -> living[me] = false; me = 0 :: else fi; place = 0 }
    :: else -> break
    od;
    goto end;
dead:
    skip;
    d_step { me = 0; place = 0; version = 0 };
end:
    skip
} unless {
    killed[_pid] ->
    d_step {
        killed[_pid] = false; if :: lock == _pid + 1 -> lock = 0 :: else fi;
        if :: me -> living[me] = false; me = 0 :: else fi;
        place = 0; i = 0; j = 0; g = 0; o = 0; u = 0; version = 0; locked = false; alive = false;
        if :: lives == LIVES -> lives-- :: else fi
    };
    goto come
}
}

active proctype Killer() {
    byte kills;
    do
    :: kills < KILLS ->
        kills++;
#ifdef ONLY
        killed[ONLY] = true
#else
        if
        :: killed[0] = true
        :: killed[1] = true
#if MEMBERS > 1
        :: killed[2] = true
#endif
#if MEMBERS > 2
        :: killed[3] = true
#endif
        fi
#endif
    :: break
    od
}
