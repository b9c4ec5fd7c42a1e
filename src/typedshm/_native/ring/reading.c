#include "ring/reading.h"

#include "arguments.h"
#include "os/faults.h"
#include "ring/arrays.h"
#include "ring/decoding.h"
#include "struct/array.h"
#include "struct/lease.h"
#include "struct/origin.h"
#include "timeout.h"

static const uint64_t FUTILE_TRIES = 64;              /* copies lost to writers before a reader queues up with them */
static const int64_t PATIENCE_LOCKED = 10000000000;   /* ns a reader waits for the writers' lock at most */
static const int64_t PATIENCE_READ_ONLY = 1000000000; /* ns a reader without the lock goes on trying */
static const int OVERRUNS = 64;                       /* slots that nobody can read, one after the other */

struct wanted {
    const reading_position *behind; /* the next one behind it, or NULL: the newest */
    bool settled;                   /* no writer is just looking whether a slot is pinned */
    int64_t max_age;
    arrays_items *items; /* or NULL: all is copied to one place */
};

static const struct wanted NEWEST = {NULL, false, READING_ANY_AGE, NULL};

struct reading {
    const Ring *ring;
    void *to;
    struct wanted wanted;
    publication found;
    int state;
};

/* Like tshm_read_begin, for the next version behind a position, or behind what has been written over since. */
static int begin_behind(const tshm_ring *ring, struct wanted wanted, tshm_cursor *cursor) {
    uint64_t sequence = wanted.behind->sequence;
    if (wanted.behind->kept) {
        int state = tshm_next_awaited(ring, sequence, cursor);
        return state == TSHM_OVERRUN ? TSHM_BUSY : state; /* which only garbage looks like */
    }
    for (int overruns = 0; overruns < OVERRUNS; overruns++) {
        int state = tshm_next(ring, &sequence, wanted.settled, cursor);
        if (state == TSHM_NOTHING && overruns)
            return TSHM_BUSY; /* the newest is always there, but with one slot */
        if (state != TSHM_OVERRUN)
            return state;
        uint64_t lasting = tshm_behind_overrun(ring);
        sequence = lasting > sequence ? lasting : sequence + 1;
    }
    return TSHM_BUSY;
}

/* Nothing is copied if the array has another shape. */
static void copy_items(const struct reading *reading, const unsigned char *payload) {
    const tshm_extent *extent = reading->ring->values.extents->extents;
    arrays_items *items = reading->wanted.items;
    tshm_copy_part_out(reading->to, payload, 0, extent->data);
    items->differ = false;
    for (uint32_t axis = 0; axis < extent->axes; axis++) {
        uint32_t count = tshm_count(extent, axis, reading->to);
        if (count != (uint64_t)items->shape[axis] || count > extent->most[axis])
            items->differ = true;
    }
    uint64_t used = tshm_used(extent, reading->to);
    if (used != items->size) /* a class of arrays may tell one shape and have the buffer of another */
        items->differ = true;
    if (!items->differ)
        tshm_copy_out(items->data, payload + extent->data, (size_t)used);
}

static inline void copy_payload(const struct reading *reading, const unsigned char *payload) {
    if (reading->wanted.items)
        copy_items(reading, payload);
    else
        values_fetch(&reading->ring->values, reading->to, payload);
}

static inline void read_once(void *context) {
    struct reading *reading = context;
    const Ring *self = reading->ring;
    tshm_cursor cursor;
    reading->state = reading->wanted.behind ? begin_behind(&self->ring, reading->wanted, &cursor)
                                            : tshm_read_begin(&self->ring, &cursor);
    if (reading->state != TSHM_READABLE)
        return;
    copy_payload(reading, cursor.payload);
    reading->found.sequence = cursor.sequence;
    reading->found.version = tshm_version(&self->ring, &cursor);
    reading->found.time = tshm_load(&cursor.slot->time, relaxed);
    reading->state = tshm_read_retry(&cursor) ? TSHM_BUSY : TSHM_READABLE;
}

static int try_read_apart(Ring *self, void *to, struct wanted wanted, publication *found) {
    struct reading reading = {self, to, wanted, NO_PUBLICATION, TSHM_NOTHING};
    opened_work_apart((Opened *)self, read_once, &reading);
    *found = reading.found;
    return reading.state;
}

/* One attempt to copy a version: TSHM_NOTHING, TSHM_READABLE (done) or TSHM_BUSY. */
static int try_read(Ring *self, void *to, struct wanted wanted, publication *found) {
    if (self->values.size > VALUES_LARGE)
        return try_read_apart(self, to, wanted, found);
    struct reading reading = {self, to, wanted, NO_PUBLICATION,
                              TSHM_NOTHING}; /* of its own, so that it stays in registers */
    read_once(&reading);
    *found = reading.found;
    return reading.state;
}

int reading_try_next(const Ring *self, void *to, const reading_position *behind, publication *found) {
    struct reading reading = {self, to, {behind, false, READING_ANY_AGE, NULL}, NO_PUBLICATION, TSHM_NOTHING};
    read_once(&reading);
    *found = reading.found;
    return reading.state;
}

/* Never blocks: should the slot never agree with head, as only a corrupt region would have it, what stands there has to
 * do. */
publication reading_last_of(const tshm_ring *ring) {
    publication found = NO_PUBLICATION;
    for (int tries = 0; tries < 1000; tries++) {
        tshm_cursor cursor;
        if (tshm_read_begin(ring, &cursor) == TSHM_NOTHING)
            return NO_PUBLICATION;
        found.sequence = cursor.sequence;
        found.version = tshm_version(ring, &cursor);
        found.time = tshm_load(&cursor.slot->time, relaxed);
        /* with one slot the version is the sequence number itself, whatever the slot is going through */
        if (ring->slot_count == 1 || !tshm_read_retry(&cursor))
            break;
    }
    return found;
}

uint64_t reading_newest_of(const tshm_ring *ring, uint64_t *time) {
    publication found = reading_last_of(ring);
    if (found.version)
        *time = found.time;
    return found.version;
}

/* Why the newest version cannot be read although no writer is at work. */
static const char *unreadable(const Ring *self) {
    return self->ring.slot_count == 1 ? "torn" : "corrupt";
}

bool reading_remember(Ring *self, uint64_t version) {
    uint64_t *position = position_version(&self->position);
    if (position && *position < version)
        *position = version;
    return position != NULL;
}

/* A torn version never becomes whole again. Whoever has been told so waits for the next one. */
static PyObject *fail_unreadable(Ring *self, publication *found) {
    found->lost = self->ring.slot_count == 1;
    if (found->lost) {
        found->sequence = found->version = reading_newest_of(&self->ring, &found->time);
        if (!reading_remember(self, found->version))
            return NULL;
    }
    return ring_fail(self, unreadable(self));
}

/* Writers beat every attempt: read while they are locked out. A reader does not wait for ever, whatever the default. */
static bool read_locked(Ring *self, void *to, struct wanted wanted, publication *found) {
    int64_t ns = self->timeout < PATIENCE_LOCKED ? self->timeout : PATIENCE_LOCKED;
    int result = mutex_acquire_to_read(self->mutex, ns);
    if (result != WRITERS_LOCK_TAKEN) {
        if (result != WRITERS_LOCK_EXCEPTION)
            ring_fail(self, guarded_problem(result));
        return false;
    }
    WritersLock *lock = self->mutex->lock;
    bool transient = lock->transient;
    lock->transient = lock->depth == 1;
    bool closed = !self->mapping; /* meanwhile, while other handles keep the lock in working order */
    wanted.settled = true;
    int state = closed ? TSHM_BUSY : try_read(self, to, wanted, found);
    lock->transient = transient;
    /* nothing was repaired: a dead writer's mark stays for the next writer to report */
    bool kept = mutex_release(self->mutex, false);
    if (state != TSHM_READABLE)
        (void)(closed || !kept ? ring_fail(self, closed ? "closed" : "lock lost") : fail_unreadable(self, found));
    return state == TSHM_READABLE;
}

/* Writers beat every attempt, and this handle has no lock to keep them out with: try for a while longer. */
static bool read_patiently(Ring *self, void *to, struct wanted wanted, publication *found) {
    uint64_t start = os_monotonic_ns(), before = 0;
    int64_t patience = self->timeout < PATIENCE_READ_ONLY ? self->timeout : PATIENCE_READ_ONLY;
    bool moved = false;
    int state;
    do {
        Mapping *mapping = self->mapping;
        if (!mapping) {
            ring_fail(self, "closed");
            return false;
        }
        Py_INCREF((PyObject *)mapping);
        tshm_head *head = &tshm_control_of(&self->ring)->head;
        uint64_t word = tshm_load(&head->word, relaxed), sequence = word >> 1;
        moved = moved || (before && sequence != before);
        before = sequence;
        Py_BEGIN_ALLOW_THREADS
        os_word_wait(NULL, tshm_control_of(&self->ring), (void *)&head->word, (uint32_t)word, 100000);
        Py_END_ALLOW_THREADS
        Py_DECREF((PyObject *)mapping);
        if (PyErr_CheckSignals() < 0)
            return false;
        wanted.settled = os_monotonic_ns() - start > TSHM_SLICE; /* a writer held up for so long is as good as dead */
        state = self->mapping ? try_read(self, to, wanted, found) : TSHM_BUSY;
        if (state == TSHM_READABLE)
            return true;
    } while ((int64_t)(os_monotonic_ns() - start) < patience);
    (void)(moved ? ring_fail(self, "overrun") : fail_unreadable(self, found));
    return false;
}

bool reading_is_fresh(Ring *self, const publication *found, int64_t max_age) {
    if (max_age == READING_ANY_AGE)
        return true;
    int64_t age = (int64_t)(os_realtime_ns() - found->time); /* negative after the clock was put back */
    if (age <= max_age)
        return true;
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_refuse_stale", "KLL", (unsigned long long)found->version,
                                           (long long)age, (long long)max_age);
    Py_XDECREF(result);
    return false;
}

/* 1: copied; 0: there is nothing; -1: an error is set. */
static inline int read_version(Ring *self, void *to, struct wanted wanted, publication *found) {
    int state = TSHM_BUSY;
    for (uint64_t tries = 0; state == TSHM_BUSY && tries < FUTILE_TRIES; tries++) {
        if (tries)
            os_relax();
        if (!self->mapping) {
            ring_fail(self, "closed");
            return -1;
        }
        state = try_read(self, to, wanted, found);
    }
    if (state == TSHM_BUSY &&
        !(self->mutex ? read_locked(self, to, wanted, found) : read_patiently(self, to, wanted, found)))
        return -1;
    if (self->mapping && opened_is_gone((Opened *)self)) {
        ring_fail(self, "gone");
        return -1;
    }
    if (state == TSHM_NOTHING)
        return 0;
    return reading_is_fresh(self, found, wanted.max_age) ? 1 : -1;
}

/* The same where nothing is an error. */
static inline bool read_any_version(Ring *self, void *to, struct wanted wanted, publication *found) {
    int read = read_version(self, to, wanted, found);
    if (!read)
        ring_fail(self, "empty");
    return read > 0;
}

int reading_copy(Ring *self, void *to, const reading_position *behind, int64_t max_age, publication *found) {
    struct wanted wanted = {behind, false, max_age, NULL};
    return read_version(self, to, wanted, found);
}

/* Fill a value's buffer; as read_version(). */
static inline int fill(Ring *self, Py_buffer *view, struct wanted wanted, publication *found) {
    if ((size_t)view->len >= self->values.size)
        return read_version(self, view->buf, wanted, found);
    PyErr_Format(PyExc_ValueError, "expected room for %zu bytes, found %zd", self->values.size, view->len);
    return -1;
}

static inline bool remember_origin(PyObject *structure, const publication *found) {
    PyObject *origin = origin_new(found->version, found->time);
    if (!origin)
        return false;
    struct_set_state(structure, origin);
    return true;
}

/* A new array of a version's own shape, so that no room is taken, nor zeroed, for what is not used. The shape is looked
 * at first, and once more each time that there is another meanwhile. NULL, perhaps without an error: there are too many
 * items, or too often others, and a Struct tells what it has. */
static PyObject *read_array(Ring *self, struct wanted wanted, publication *found) {
    Py_ssize_t shape[ARRAY_MOST_DIMENSIONS] = {-1}; /* which none has */
    arrays_items items = {NULL, shape, 0, true};
    char small[ARRAYS_SMALL_HEAD], *head = arrays_head_begin(self, small);
    wanted.items = &items;
    PyObject *array = NULL;
    Py_buffer memory;
    for (uint64_t tries = 0; head && tries < FUTILE_TRIES; tries++) {
        bool read = read_version(self, head, wanted, found) > 0;
        if (read && !items.differ)
            break;
        if (array)
            PyBuffer_Release(&memory);
        Py_CLEAR(array);
        if (!read || extents_excess(self->values.extents, head) || !(array = arrays_make(self, head, shape, &memory)))
            break;
        items.data = memory.buf;
        items.size = (uint64_t)memory.len;
    }
    if (array)
        PyBuffer_Release(&memory);
    if (items.differ)
        Py_CLEAR(array);
    arrays_head_end(head, small);
    return array;
}

/* A new value, and which version it is; NULL, perhaps without an error, if there is none. See decoding_value() for
 * `refused`. This thread has then got the version, unless an exception came between that is not the version's fault. */
static inline PyObject *read_value(Ring *self, struct wanted wanted, publication *found, PyObject **refused) {
    if (self->values.part && self->values.size > VALUES_LARGE) {
        PyObject *array = read_array(self, wanted, found);
        if (array && !reading_remember(self, found->version))
            Py_CLEAR(array);
        if (array || PyErr_Occurred())
            return array;
    }
    PyObject *value = values_make(&self->values);
    if (!value)
        return NULL;
    Py_buffer view;
    if (values_open(&self->values, value, PyBUF_WRITABLE, &view) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    bool done = fill(self, &view, wanted, found) > 0;
    struct_close(&view);
    if (!done || (self->values.type && !remember_origin(value, found))) {
        Py_DECREF(value);
        return NULL;
    }
    if (self->values.decode) {
        PyObject *decoded = decoding_value((PyObject *)self, &self->values, value, found->version, refused);
        Py_DECREF(value);
        value = decoded;
    }
    if ((value || *refused) && !reading_remember(self, found->version)) {
        Py_CLEAR(value);
        Py_CLEAR(*refused);
    }
    return value;
}

PyObject *reading_newest_value(Ring *self, int64_t max_age) {
    struct wanted wanted = NEWEST;
    wanted.max_age = max_age;
    publication found = NO_PUBLICATION;
    PyObject *refused = NULL, *value = read_value(self, wanted, &found, &refused);
    if (refused)
        decoding_fail(refused);
    else if (!value && !PyErr_Occurred())
        ring_fail(self, "empty");
    return value;
}

PyObject *reading_value(Ring *self, const reading_position *behind, publication *found, PyObject **refused) {
    struct wanted wanted = {behind, false, READING_ANY_AGE, NULL};
    *found = NO_PUBLICATION;
    return read_value(self, wanted, found, refused);
}

int64_t reading_max_age(PyObject *seconds) {
    if (!seconds || seconds == Py_None)
        return READING_ANY_AGE;
    static const char *const expected = "at least 0 seconds, or None for any age";
    double value;
    if (!timeout_number(seconds, "max_age", expected, &value))
        return -1;
    if (!(value >= 0)) { /* nor is NaN */
        arguments_refuse(PyExc_ValueError, "max_age", expected, seconds);
        return -1;
    }
    return value < 9e9 ? (int64_t)(value * 1e9) : READING_ANY_AGE;
}

PyObject *reading_read(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    static const char *const keywords[] = {"max_age", NULL};
    static const arguments_verb verb = {
        "read", keywords, false,
        "read(max_age=%U) to refuse what is older than that many seconds, or wait(timeout=%U) for a newer version"};
    int64_t max_age = READING_ANY_AGE;
    if ((count || names) && (!arguments_fit(&verb, args, count, names) ||
                             (max_age = reading_max_age(arguments_get(args, count, names, "max_age"))) < 0))
        return NULL;
    return reading_newest_value((Ring *)object, max_age);
}

/* Fill an array with the only field of the newest version, whose shape it must have. */
static bool read_items(Ring *self, PyObject *array, struct wanted wanted, publication *found) {
    Py_buffer view;
    if (PyObject_GetBuffer(array, &view, PyBUF_WRITABLE | PyBUF_ND) < 0)
        return false;
    if (view.ndim < (int)self->values.extents->extents->axes) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "read_into: the array has fewer dimensions than its schema said");
        return false;
    }
    arrays_items items = {view.buf, view.shape, (uint64_t)view.len, false};
    char small[ARRAYS_SMALL_HEAD], *head = arrays_head_begin(self, small);
    wanted.items = &items;
    bool done = head && read_any_version(self, head, wanted, found);
    if (done && items.differ) {
        arrays_refuse(self, array, head, found->version);
        done = false;
    }
    arrays_head_end(head, small);
    PyBuffer_Release(&view);
    return done;
}

PyObject *reading_read_into(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    static const char *const keywords[] = {"value", "max_age", NULL};
    static const arguments_verb verb = {"read_into", keywords, true,
                                        "read_into(value, max_age=%U) to refuse what is older than that many seconds"};
    Ring *self = (Ring *)object;
    struct wanted wanted = NEWEST;
    if ((count != 1 || names) && (!arguments_fit(&verb, args, count, names) ||
                                  (wanted.max_age = reading_max_age(arguments_get(args, count, names, "max_age"))) < 0))
        return NULL;
    PyObject *value = arguments_value(&verb, args, count, names), *target = value;
    if (!value)
        return NULL;
    if (self->values.type && PyObject_TypeCheck(value, self->values.type))
        Py_INCREF(target);
    else if (!(target = PyObject_CallFunctionObjArgs(self->values.target, value, NULL)))
        return NULL;
    publication found = NO_PUBLICATION;
    if (self->values.part && !struct_check(target)) {
        bool filled = read_items(self, target, wanted, &found) && reading_remember(self, found.version);
        Py_DECREF(target);
        return filled ? Py_NewRef(Py_None) : NULL;
    }
    bool structure = struct_check(target); /* the value itself, perhaps of a class that was declared again */
    Py_buffer view;
    if (values_open(&self->values, target, PyBUF_WRITABLE, &view) < 0) {
        Py_DECREF(target);
        return NULL;
    }
    int filled = fill(self, &view, wanted, &found);
    struct_close(&view);
    if (!filled)
        ring_fail(self, "empty");
    bool done = filled > 0 && reading_remember(self, found.version);
    if (done && structure && !lease_is_on(value)) /* whose state is its lease */
        done = remember_origin(value, &found);
    Py_DECREF(target);
    if (!done)
        return NULL;
    Py_RETURN_NONE;
}

bool reading_last(Ring *self, publication *found) {
    *found = reading_last_of(&self->ring);
    if (!mapping_holds(self->mapping_ref, self->instance)) {
        ring_fail(self, "gone");
        return false;
    }
    return found->version || opened_look((Opened *)self); /* a file cut short shows zeros where head was */
}

bool reading_newest(Ring *self, uint64_t *version, uint64_t *time) {
    publication found;
    bool there = reading_last(self, &found);
    *version = found.version;
    *time = found.time;
    return there;
}

int reading_newest_locked(Ring *self, void *to) {
    publication found = NO_PUBLICATION;
    int state = try_read(self, to, NEWEST, &found);
    if (state < 0) /* nobody else may write now */
        ring_fail(self, unreadable(self));
    return state;
}
