#include "ring/registered.h"

#include "ring/place.h"
#include "ring/ring_type.h"

static bool lives(const Ring *ring, uint64_t owner) {
    lock_handle *lock = ring->mutex && writers_lock_is_present(ring->mutex->lock) ? &ring->mutex->lock->lock : NULL;
    return tshm_lives(&ring->ring, owner, lock ? lock_alive : NULL, lock);
}

/* (entry, pid, whether it has written, since when it takes part, when it began), of one who lives; else None. */
static PyObject *presence_of(const Ring *ring, uint64_t owner) {
    uint32_t entry = (uint32_t)(owner & TSHM_WORD_OWNER);
    if (!lives(ring, owner))
        Py_RETURN_NONE;
    const tshm_presence *presence = &tshm_control_of(&ring->ring)->presence[entry - 1];
    return Py_BuildValue("IINKK", (unsigned int)entry - 1, (unsigned int)presence->pid,
                         PyBool_FromLong(tshm_load(&presence->flags, relaxed) & TSHM_WROTE),
                         (unsigned long long)presence->since, (unsigned long long)presence->started);
}

static PyObject *name_of(tshm_follower *entry) {
    size_t size = 0;
    while (size < sizeof entry->name && entry->name[size])
        size++;
    return PyUnicode_DecodeUTF8(entry->name, (Py_ssize_t)size, "replace");
}

/* What members of a group have lost: those that writers counted when they asked for room, and those that died since
 * then. Where no member lives, whoever comes may still ask for what the dead had. */
static uint64_t lost_in(const Ring *ring, uint32_t group) {
    tshm_follower *entry = tshm_follower_at(&ring->ring, group);
    uint64_t used = tshm_used_places(&ring->ring), position = tshm_load(&entry->position, relaxed), dead = 0;
    bool living = false;
    for (uint32_t i = 0; i < TSHM_FOLLOWERS; i++) {
        tshm_follower *member = tshm_follower_at(&ring->ring, i);
        if (!(used >> i & 1) || !tshm_is_member(member, group))
            continue;
        bool alive = lives(ring, tshm_load(&member->owner, acquire)); /* as in tshm_drop_followers */
        uint64_t has = tshm_load(&member->position, relaxed);
        living = living || alive;
        dead += !alive && has && has <= position && !tshm_load(&member->lost, relaxed); /* else it is being counted */
    }
    return tshm_load(&entry->lost, relaxed) + (living && !entry->redelivers ? dead : 0);
}

static PyObject *describe(Ring *ring, uint32_t number, uint64_t newest) {
    tshm_follower *entry = tshm_follower_at(&ring->ring, number);
    uint64_t role = tshm_role(entry), group = role >> 32, position = tshm_load(&entry->position, relaxed);
    bool member = (uint32_t)role == TSHM_MEMBER, is_group = (uint32_t)role == TSHM_GROUP;
    uint64_t version = member ? 0 : place_version_at(&ring->ring, position);
    uint64_t behind = member ? position != 0 : newest > version ? newest - version : 0;
    uint64_t owner = is_group ? 0 : tshm_load(&entry->owner, relaxed);
    bool in_group = member && group < TSHM_FOLLOWERS;
    return Py_BuildValue(
        "IsNNNKKKKK", (unsigned int)number,
        member     ? "member"
        : is_group ? "group"
                   : "follower",
        name_of(in_group ? tshm_follower_at(&ring->ring, (uint32_t)group) : entry), presence_of(ring, owner),
        PyBool_FromLong(is_group && entry->redelivers), (unsigned long long)behind, (unsigned long long)entry->since,
        (unsigned long long)tshm_load(&entry->keep, relaxed), (unsigned long long)tshm_load(&entry->gone, relaxed),
        (unsigned long long)(is_group ? lost_in(ring, number) : 0));
}

/* Has it been left, with nothing to be kept? The next writer that would wait for it frees it. */
static bool is_left(tshm_follower *entry) {
    uint64_t left =
        tshm_is(entry, TSHM_MEMBER) ? tshm_load(&entry->position, relaxed) : tshm_load(&entry->keep, relaxed);
    return !tshm_is(entry, TSHM_GROUP) && tshm_load(&entry->owner, relaxed) == 0 && left == 0;
}

static PyObject *registered(PyObject *module, PyObject *object) {
    (void)module;
    if (!ring_type_check(object)) {
        PyErr_SetString(PyExc_TypeError, "registered() takes a Ring");
        return NULL;
    }
    Ring *ring = (Ring *)object;
    if (!ring->mapping)
        return ring_fail(ring, "closed");
    PyObject *list = PyList_New(0);
    uint64_t used = ring->ring.lossless ? tshm_used_places(&ring->ring) : 0;
    uint64_t newest = reading_last_of(&ring->ring).version;
    for (uint32_t i = 0; list && i < TSHM_FOLLOWERS; i++) {
        if (!(used >> i & 1) || is_left(tshm_follower_at(&ring->ring, i)))
            continue;
        PyObject *place = describe(ring, i, newest);
        if (!place || PyList_Append(list, place) < 0)
            Py_CLEAR(list);
        Py_XDECREF(place);
    }
    return list;
}

static PyMethodDef functions[] = {
    {"registered", registered, METH_O,
     "Of each place that is used: (number, \"follower\", \"group\" or \"member\", name, Presence or None, whether it\n"
     "redelivers, versions it has still to get, since when, ns it is kept, since when it has nobody, versions lost)."},
    {NULL, NULL, 0, NULL},
};

int registered_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
