#include "ring/place.h"

#include "ring/start.h"
#include "ring/writing.h"

static const uint64_t LOOK = 50000000; /* ns between a member's looks for what the dead had */
static const int TRIES = 1000;         /* to get the lock of a group, which is held for moments */
static const uint64_t PAUSE = 20000;   /* ns between the later ones of those */

static uint64_t name_of(const lock_handle *lock) {
    return (lock->entry + 1) | TSHM_WORD_GENERATION(lock->generation);
}

static tshm_follower *entry_of(const held_place *place) {
    return tshm_follower_at(&place->slots->ring, place->number);
}

static void wake(const held_place *place) {
    lock_handle *lock = &place->slots->lock->lock;
    os_word_wake_all(&lock->peers, lock->control, (void *)&tshm_lossless_of(&place->slots->ring)->room.word);
}

/* ---- registering: with the writers' lock ---------------------------------------------------------------------------
 */

static bool is_called(tshm_follower *entry, uint32_t role, const char *name) {
    return tshm_is(entry, role) && strncmp(entry->name, name, sizeof entry->name) == 0;
}

/* The place of that name, or TSHM_FOLLOWERS. */
static uint32_t find_name(const tshm_ring *ring, uint32_t role, const char *name) {
    uint64_t used = tshm_used_places(ring);
    for (uint32_t i = 0; i < TSHM_FOLLOWERS; i++)
        if ((used >> i & 1) && is_called(tshm_follower_at(ring, i), role, name))
            return i;
    return TSHM_FOLLOWERS;
}

/* A member and its group may need two places. Where there are fewer, what nobody has is given up now, and not between
 * finding the group and taking the place: it may be the very group. */
static void make_room(const tshm_ring *ring, lock_handle *lock) {
    uint64_t unused = ~tshm_used_places(ring) & ((1ull << TSHM_FOLLOWERS) - 1);
    if ((unused & (unused - 1)) == 0)
        (void)tshm_drop_followers(ring, TSHM_SEQUENCE_MAX, lock_alive, lock, os_realtime_ns());
}

static void fill(tshm_follower *entry, const place_wish *wish, const char *name, uint64_t keep) {
    tshm_store(&entry->keep, keep, relaxed);
    entry->since = os_realtime_ns();
    entry->redelivers = wish->redelivers;
    memset(entry->name, 0, sizeof entry->name);
    if (name)
        memcpy(entry->name, name, strlen(name) < sizeof entry->name ? strlen(name) : sizeof entry->name - 1);
}

uint64_t place_version_at(const tshm_ring *ring, uint64_t sequence) {
    tshm_cursor cursor;
    if (tshm_next_awaited(ring, sequence, &cursor) == TSHM_READABLE)
        return tshm_version(ring, &cursor) - 1;
    return reading_last_of(ring).version;
}

/* As start_find(), but only where nothing is missing from there on. */
static bool find_start(Ring *ring, int64_t first, reading_position *at) {
    if (!start_find(ring, first, at))
        return false;
    uint64_t oldest = tshm_oldest(&ring->ring);
    if (at->sequence < oldest) {
        at->sequence = oldest;
        if (first <= 0)
            at->version = place_version_at(&ring->ring, oldest);
    }
    at->kept = true;
    return true;
}

static int take_follower(Ring *ring, const place_wish *wish, held_place *place, reading_position *at, uint32_t *other) {
    lock_handle *lock = &place->slots->lock->lock;
    uint32_t known = wish->name ? find_name(&ring->ring, TSHM_FOLLOWER, wish->name) : TSHM_FOLLOWERS;
    if (known != TSHM_FOLLOWERS) {
        tshm_follower *entry = tshm_follower_at(&ring->ring, known);
        *other = known;
        if (tshm_lives(&ring->ring, tshm_load(&entry->owner, acquire), lock_alive, lock))
            return PLACE_IN_USE;
        /* acquire, with the release of who had it: there it stopped */
        uint64_t position = tshm_load(&entry->position, acquire);
        *at = (reading_position){position, place_version_at(&ring->ring, position), true};
        tshm_store(&entry->keep, wish->keep, relaxed);
        entry->since = os_realtime_ns();
        place->number = known;
        tshm_take_again(&ring->ring, known, place->owner);
        return PLACE_TAKEN;
    }
    place->number = tshm_find_place(&ring->ring);
    if (place->number == TSHM_FOLLOWERS)
        return PLACE_FULL;
    if (!find_start(ring, wish->first, at))
        return PLACE_FAILED;
    fill(tshm_follower_at(&ring->ring, place->number), wish, wish->name, wish->keep);
    tshm_take_place(&ring->ring, place->number, TSHM_FOLLOWER, place->owner, at->sequence);
    return PLACE_TAKEN;
}

/* Whether anybody alive is a member. */
static bool has_members(const tshm_ring *ring, uint32_t group, lock_handle *lock) {
    uint64_t used = tshm_used_places(ring);
    for (uint32_t i = 0; i < TSHM_FOLLOWERS; i++) {
        tshm_follower *entry = tshm_follower_at(ring, i);
        if ((used >> i & 1) && tshm_is_member(entry, group) &&
            tshm_lives(ring, tshm_load(&entry->owner, acquire), lock_alive, lock))
            return true;
    }
    return false;
}

static int take_member(Ring *ring, const place_wish *wish, held_place *place, reading_position *at, uint32_t *other) {
    lock_handle *lock = &place->slots->lock->lock;
    uint32_t group = find_name(&ring->ring, TSHM_GROUP, wish->name);
    bool known = group != TSHM_FOLLOWERS;
    if (known) {
        tshm_follower *entry = tshm_follower_at(&ring->ring, group);
        if (!has_members(&ring->ring, group, lock)) { /* those that come first say how it is */
            entry->redelivers = wish->redelivers;
            tshm_store(&entry->keep, wish->keep, relaxed);
        } else if ((entry->redelivers != 0) != wish->redelivers || tshm_load(&entry->keep, relaxed) != wish->keep) {
            *other = group;
            return PLACE_DIFFERS;
        }
        *at = (reading_position){0, 0, true};
    } else {
        group = tshm_find_place(&ring->ring);
        if (group == TSHM_FOLLOWERS)
            return PLACE_FULL;
        if (!find_start(ring, wish->first, at))
            return PLACE_FAILED;
        fill(tshm_follower_at(&ring->ring, group), wish, wish->name, wish->keep);
        tshm_take_place(&ring->ring, group, TSHM_GROUP, 0, at->sequence);
    }
    place->number = tshm_find_place(&ring->ring);
    if (place->number == TSHM_FOLLOWERS) {
        if (!known)
            tshm_free_places(&ring->ring, 1ull << group);
        return PLACE_FULL;
    }
    fill(tshm_follower_at(&ring->ring, place->number), wish, NULL, 0);
    tshm_take_place(&ring->ring, place->number, tshm_member_of(group), place->owner, 0);
    place->group = group;
    return PLACE_TAKEN;
}

int place_take(Ring *ring, const place_wish *wish, int64_t ns, held_place *place, reading_position *at,
               uint32_t *other) {
    if (!writing_lock_to_register(ring, ns))
        return PLACE_FAILED;
    WritersLock *lock = ring->mutex->lock;
    lock->transient = lock->depth == 1; /* close() in another thread waits for us instead of refusing */
    Py_INCREF((PyObject *)ring->slots);
    *place = (held_place){.slots = ring->slots,
                          .number = TSHM_FOLLOWERS,
                          .group = TSHM_FOLLOWERS,
                          .forks = os_forks,
                          .owner = name_of(&lock->lock)};
    make_room(&ring->ring, &lock->lock);
    int taken = (wish->group ? take_member : take_follower)(ring, wish, place, at, other);
    lock->transient = false;
    if (taken == PLACE_TAKEN)
        place_note(place);
    if (!writing_unlock(ring, false))
        taken = PLACE_FAILED;
    if (taken != PLACE_TAKEN) {
        place->slots = NULL;
        Py_DECREF((PyObject *)ring->slots);
    }
    return taken;
}

/* ---- having one ----------------------------------------------------------------------------------------------------
 */

bool place_is_ours(const held_place *place) {
    return place->forks == os_forks && writers_lock_is_present(place->slots->lock) &&
           tshm_load(&entry_of(place)->owner, relaxed) == place->owner;
}

bool place_check(const held_place *place, Ring *ring) {
    bool ours = place_is_ours(place);
    if (!ours)
        ring_fail(ring, place->forks != os_forks ? "follower forked" : ring->mapping ? "follower lost" : "closed");
    return ours;
}

void place_got(held_place *place, uint64_t sequence) {
    bool member = place->group != TSHM_FOLLOWERS;
    place->has = 0;
    place->delivered = false;
    if (tshm_got_it(&place->slots->ring, entry_of(place), member ? 0 : sequence))
        wake(place);
}

static uint64_t group_position(const held_place *place) {
    return tshm_load(&tshm_follower_at(&place->slots->ring, place->group)->position, relaxed);
}

uint64_t place_group_pending(const held_place *place, uint64_t newest) {
    uint64_t version = place_version_at(&place->slots->ring, group_position(place));
    return newest > version ? newest - version : 0;
}

static bool lock_group(const held_place *place) {
    lock_handle *lock = &place->slots->lock->lock;
    uint64_t mine = tshm_name_in_group(place->owner, place->number);
    uint32_t never = 0; /* a word to sleep on that nobody wakes */
    for (int tries = 0; tries < TRIES; tries++) {
        if (tshm_group_lock(&place->slots->ring, place->group, mine, lock_alive, lock))
            return true;
        if (tries < TRIES / 2)
            os_relax();
        else
            os_local_wait(&never, 0, PAUSE);
    }
    return false;
}

int place_hand_out(held_place *place, reading_position *position) {
    const tshm_ring *ring = &place->slots->ring;
    position->kept = true;
    if (!place->has) {
        lock_handle *lock = &place->slots->lock->lock;
        uint64_t now = os_coarse_ns();
        uint32_t number = place->number;
        tshm_cursor cursor;
        /* a look without the lock first, as there are many who look and few versions */
        bool due = now - place->looked >= LOOK;
        if (!due && tshm_newest(ring) <= group_position(place))
            return TSHM_NOTHING;
        if (!lock_group(place))
            return TSHM_BUSY;
        int state = tshm_hand_out(ring, place->group, &number, due, lock_alive, lock, &cursor);
        tshm_group_unlock(ring, place->group);
        if (due)
            place->looked = now;
        if (number != place->number) { /* that of one who died, with what it had */
            steps_forget(&place->slots->steps, place->number);
            place->number = number;
            place_note(place);
        }
        if (state != TSHM_READABLE)
            return state == TSHM_OVERRUN ? TSHM_BUSY : state; /* which only garbage looks like */
        place->has = cursor.sequence;
    }
    position->sequence = place->has - 1;
    return TSHM_READABLE;
}

void place_leave(held_place *place, bool keeps) {
    Slots *slots = place->slots;
    if (!slots)
        return;
    if (place_is_ours(place) && lock_keeps_entry(&slots->lock->lock)) {
        tshm_follower *entry = entry_of(place);
        if (!keeps)
            tshm_store(&entry->keep, 0, relaxed);
        bool kept = tshm_load(&entry->keep, relaxed) > 0;
        steps_forget(&slots->steps, place->number);
        if (tshm_leave_place(&slots->ring, entry, kept ? os_realtime_ns() : 0))
            wake(place);
    }
    place->slots = NULL;
    Py_DECREF((PyObject *)slots);
}
