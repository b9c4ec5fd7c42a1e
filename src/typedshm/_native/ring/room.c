#include "ring/room.h"

#include "os/faults.h"
#include "timeout.h"

/* Nobody tells of a death: how long a writer sleeps before it asks again who lives. */
static const uint64_t SLICE = 10000000; /* ns */
/* A follower that keeps up makes room before a sleeper would be awake. */
static const uint64_t SPIN = 20000; /* ns */

int64_t room_left(const room_wait *wait) {
    if (wait->ns == TIMEOUT_FOREVER || !wait->start)
        return wait->ns;
    int64_t left = wait->ns - (int64_t)(os_monotonic_ns() - wait->start);
    return left > 0 ? left : 0;
}

/* Is it this thread that takes the steps of that place? */
static bool is_own(const Ring *self, uint32_t place, uint64_t mine) {
    tshm_follower *follower = tshm_follower_at(&self->ring, place);
    return tshm_load(&follower->owner, relaxed) == mine && steps_are_mine(&self->slots->steps, place);
}

/* Is there a place that waits for the running thread alone? Of a group, if nobody else is a member. */
static bool waits_for_itself(const Ring *self, uint64_t sequence, uint32_t *found) {
    uint64_t used = tshm_used_places(&self->ring), mine = tshm_my_name(&self->ring);
    for (uint32_t place = 0; place < TSHM_FOLLOWERS; place++) {
        tshm_follower *follower = tshm_follower_at(&self->ring, place);
        if (!(used >> place & 1) || tshm_got(follower) >= sequence)
            continue;
        bool own = !tshm_is(follower, TSHM_GROUP) && is_own(self, place, mine);
        if (tshm_is(follower, TSHM_GROUP)) {
            uint32_t members = 0, ours = 0;
            for (uint32_t i = 0; i < TSHM_FOLLOWERS; i++) {
                if (!(used >> i & 1) || !tshm_is_member(tshm_follower_at(&self->ring, i), place))
                    continue;
                members++;
                ours += is_own(self, i, mine);
            }
            own = members && members == ours;
        }
        if (own) {
            *found = place;
            return true;
        }
    }
    return false;
}

void room_ask(Ring *self, room_wait *wait, uint64_t sequence, bool patient) {
    Slots *slots = self->slots;
    uint64_t now = os_monotonic_ns();
    if (!wait->start) /* for what came before there was nothing to wait for */
        wait->start = now;
    wait->sequence = sequence;
    wait->next = ROOM_OWN;
    if (!patient && waits_for_itself(self, sequence, &wait->place))
        return;
    wait->left = tshm_left(&self->ring);
    wait->next = ROOM_SLEEP;
    bool over = room_left(wait) == 0;
    /* Who lives is asked of the kernel: not each time, but where there is nothing else left to hope for. */
    if (!over && wait->left == slots->left && now - slots->dropped < SLICE)
        return;
    wait->place = tshm_drop_followers(&self->ring, sequence, lock_alive, &slots->lock->lock, os_realtime_ns());
    slots->left = wait->left;
    slots->dropped = now;
    wait->next = wait->place == TSHM_FOLLOWERS ? ROOM_AGAIN : over ? ROOM_BEHIND : ROOM_SLEEP;
}

/* Without the GIL. The longest that a follower's death goes unnoticed is a slice. */
static void sleep_for_room(const Ring *self, os_peers *peers, const room_wait *wait, uint64_t slice) {
    const tshm_ring *ring = &self->ring;
    for (uint64_t start = os_monotonic_ns(); os_monotonic_ns() - start < SPIN; os_relax())
        if (!tshm_still_awaited(ring, wait->sequence, wait->left))
            return;
    uint32_t number = tshm_room_number(ring);
    if (tshm_announce_writer(ring, number) && tshm_still_awaited(ring, wait->sequence, wait->left))
        os_word_wait(peers, tshm_control_of(ring), (void *)&tshm_lossless_of(ring)->room.word,
                     number | (uint32_t)TSHM_HEAD_AWAITED, slice);
}

PyObject *room_refuse(Ring *self, const room_wait *wait) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_refuse_behind", "IO", (unsigned int)wait->place,
                                           wait->next == ROOM_OWN ? Py_True : Py_False);
    Py_XDECREF(result); /* it raises */
    return NULL;
}

bool room_sleep(Ring *self, room_wait *wait) {
    if (wait->next == ROOM_AGAIN)
        return true;
    if (wait->next != ROOM_SLEEP)
        return room_refuse(self, wait) != NULL;
    if (!self->mapping) {
        ring_fail(self, "closed");
        return false;
    }
    uint64_t left = (uint64_t)room_left(wait), slice = left < SLICE ? left : SLICE;
    os_peers *peers = &self->mutex->lock->lock.peers;
    Mapping *mapping = self->mapping_ref; /* a close() meanwhile must not unmap the word */
    Py_INCREF((PyObject *)mapping);
    Py_BEGIN_ALLOW_THREADS
    faults_watch();
    sleep_for_room(self, peers, wait, slice);
    Py_END_ALLOW_THREADS
    Py_DECREF((PyObject *)mapping);
    if (PyErr_CheckSignals() < 0)
        return false;
    uint64_t now = os_monotonic_ns();
    bool due = wait->looked && now - wait->looked >= TSHM_SLICE;
    if (due || !wait->looked)
        wait->looked = now;
    return !due || !self->mapping || opened_look_at_name((Opened *)self);
}
