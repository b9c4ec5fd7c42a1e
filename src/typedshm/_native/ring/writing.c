#include "ring/writing.h"

#include "arguments.h"
#include "ring/arrays.h"
#include "timeout.h"

/* A reader that finds that it has pinned one slot too many takes its pin back in less than a microsecond, unless it is
 * stopped just then. */
static const uint64_t PINNED_PATIENCE = 1000000000; /* ns */
static const uint64_t PINNED_PAUSE = 50000;         /* ns, of which some systems make 16 ms */
static const int PINNED_TRIES = 50;                 /* at least, if it was us who were stopped meanwhile */

/* `alone`: what the lock is wanted for only an exclusive publisher may do, if there is one. */
static bool take_lock(Ring *self, bool block, int64_t ns, bool alone) {
    const char *problem = !self->mapping ? "closed" : self->refuses ? "layout" : !self->mutex ? "read-only" : NULL;
    int result = problem ? WRITERS_LOCK_CLOSED : block ? mutex_hold(self->mutex, ns) : mutex_acquire(self->mutex, ns);
    bool taken = result == WRITERS_LOCK_TAKEN, claimed = taken && alone && claim_is_anothers(&self->mutex->lock->lock);
    if (taken && !claimed && !self->slots->lease && self->mapping)
        return true;
    if (taken) {
        problem = !self->mapping ? "closed" : claimed ? "claimed" : "nested";
        (block ? mutex_give_back : mutex_release)(self->mutex, false);
    } else if (result == WRITERS_LOCK_EXCEPTION) {
        return false;
    } else if (!problem) {
        problem = guarded_problem(result);
    }
    ring_fail(self, problem);
    return false;
}

bool writing_lock(Ring *self, bool block, int64_t ns) {
    return take_lock(self, block, ns, true);
}

bool writing_lock_to_register(Ring *self, int64_t ns) {
    return take_lock(self, false, ns, false);
}

bool writing_unlock(Ring *self, bool block) {
    bool gone = opened_is_gone((Opened *)self); /* which inside lock() nothing else tells */
    if ((block ? mutex_give_back : mutex_release)(self->mutex, true) && !gone)
        return true;
    if (!PyErr_Occurred())
        ring_fail(self, gone ? "gone" : "lock lost");
    return false;
}

/* `version` and `time` as in a writing_value. */
static inline bool publish(Ring *self, const tshm_cursor *cursor, uint64_t version, uint64_t time) {
    uint64_t now = os_realtime_ns();
    time = time ? time : now;
    bool awaited =
        version ? tshm_write_end_as(&self->ring, cursor, version, time) : tshm_write_end(&self->ring, cursor, time);
    writers_lock_note_write(self->mutex->lock);
    if (awaited)
        os_word_wake_all(&self->mutex->lock->lock.peers, tshm_control_of(&self->ring),
                         (void *)&tshm_control_of(&self->ring)->head.word);
    return writers_lock_look_is_due(self->mutex->lock, now);
}

bool writing_publish(Ring *self, const tshm_cursor *cursor) {
    return publish(self, cursor, 0, 0);
}

int writing_begin(Ring *self, tshm_cursor *cursor) {
    lock_handle *lock = &self->mutex->lock->lock;
    int state = tshm_write_begin(&self->ring, lock_alive, lock, cursor);
    if (state != TSHM_PINNED)
        return state;
    uint32_t never = 0; /* a word to sleep on that nobody wakes */
    uint64_t start = os_monotonic_ns();
    for (int tries = 1; tries < PINNED_TRIES || os_monotonic_ns() - start < PINNED_PATIENCE; tries++) {
        os_local_wait(&never, 0, PINNED_PAUSE);
        state = tshm_write_begin(&self->ring, lock_alive, lock, cursor);
        if (state != TSHM_PINNED)
            return state;
    }
    return TSHM_PINNED;
}

struct storing {
    Ring *ring;
    const void *value;
    const void *items;  /* those of the only field, if `value` is just what stands before them; or NULL */
    tshm_cursor cursor; /* where the value goes */
    int state;          /* TSHM_WRITABLE at first if that is known already */
    bool due;
    uint64_t version, time; /* as in a writing_value */
};

enum { NUMBER_HAD = -4 }; /* the given number is not above that of the newest version */

static inline void copy_payload(const struct storing *storing, unsigned char *payload) {
    const schema_values *values = &storing->ring->values;
    if (!storing->items) {
        values_store(values, payload, storing->value);
    } else {
        const tshm_extent *extent = values->extents->extents;
        tshm_copy_in(payload, storing->value, (size_t)extent->data);
        tshm_copy_in(payload + extent->data, storing->items, (size_t)tshm_used(extent, storing->value));
    }
}

static inline void store(void *context) {
    struct storing *storing = context;
    Ring *self = storing->ring;
    if (storing->version && storing->version <= tshm_last_version(&self->ring))
        storing->state = NUMBER_HAD; /* before anything is touched */
    else if (storing->state != TSHM_WRITABLE)
        storing->state = writing_begin(self, &storing->cursor);
    if (storing->state != TSHM_WRITABLE)
        return;
    copy_payload(storing, storing->cursor.payload);
    storing->due = publish(self, &storing->cursor, storing->version, storing->time);
}

static inline void store_one(struct storing *storing) {
    if (storing->ring->values.size > VALUES_LARGE)
        opened_work_apart((Opened *)storing->ring, store, storing);
    else
        store(storing);
}

void writing_store(Ring *self, const void *value, const tshm_cursor *cursor) {
    struct storing storing = {.ring = self, .value = value, .cursor = *cursor, .state = TSHM_WRITABLE};
    store_one(&storing);
}

int writing_store_next(Ring *self, const void *value) {
    struct storing storing = {.ring = self, .value = value, .state = TSHM_PINNED};
    store_one(&storing);
    return storing.state;
}

/* What stands before the items of the only field: the shape of an array; for arrays_head_end(). NULL, perhaps without
 * an error: the array has no shape that fits. */
static char *head_of(const Ring *self, const Py_buffer *array, char small[ARRAYS_SMALL_HEAD]) {
    const tshm_extent *extent = self->values.extents->extents;
    char *head = arrays_head_begin(self, small);
    if (!head)
        return NULL;
    memset(head, 0, (size_t)extent->data);
    uint64_t size = extent->step;
    bool fits = array->ndim >= (int)extent->axes;
    for (uint32_t axis = 0; fits && axis < extent->axes; axis++) {
        uint64_t count = (uint64_t)array->shape[axis];
        fits = count <= extent->most[axis];
        size *= fits ? count : 0;
        if (fits)
            tshm_set_count(extent, axis, head, (uint32_t)count);
    }
    if (fits && size == (uint64_t)array->len)
        return head;
    arrays_head_end(head, small);
    return NULL;
}

bool writing_open(Ring *self, PyObject *given, writing_value *value) {
    value->version = value->time = 0;
    if (Py_TYPE(given) == self->values.type)
        value->value = Py_NewRef(given);
    else if (!(value->value = PyObject_CallFunctionObjArgs(self->values.encode, given, NULL)))
        return false;
    /* an array, which is to be one field of the value */
    value->apart = self->values.part && !struct_check(value->value);
    if (!values_check(&self->values, value->value) ||
        values_open(&self->values, value->value, value->apart ? PyBUF_ND : PyBUF_SIMPLE, &value->view) < 0) {
        Py_DECREF(value->value);
        return false;
    }
    bool fits = false;
    value->head = value->apart ? head_of(self, &value->view, value->small) : NULL;
    if (value->apart) {
        fits = value->head != NULL;
        if (!fits && !PyErr_Occurred())
            Py_XDECREF(PyObject_CallMethod(self->values.schema, "refuse_room", "O", value->value));
    } else if ((size_t)value->view.len != self->values.size) {
        PyErr_Format(PyExc_ValueError, "expected %zu bytes, found %zd", self->values.size, value->view.len);
    } else {
        fits = values_check_extents(&self->values, (PyObject *)self, value->value, value->view.buf);
    }
    if (!fits)
        writing_close(value);
    return fits;
}

void writing_close(writing_value *value) {
    arrays_head_end(value->head, value->small);
    struct_close(&value->view);
    Py_DECREF(value->value);
}

static int refuse_number(uint64_t given, uint64_t newest) {
    PyErr_Format(PyExc_ValueError, "version: expected a number above %llu, that of the newest, found %llu",
                 (unsigned long long)newest, (unsigned long long)given);
    return WRITING_FAILED;
}

int writing_try(Ring *self, writing_value *value, room_wait *wait, bool patient) {
    if (!writing_lock(self, false, room_left(wait)))
        return WRITING_FAILED;
    WritersLock *lock = self->mutex->lock;
    lock->transient = lock->depth == 1; /* close() in another thread waits for us instead of refusing */
    struct storing storing = {
        .ring = self, .value = value->view.buf, .state = TSHM_PINNED, .version = value->version, .time = value->time};
    if (value->apart) {
        storing.value = value->head;
        storing.items = value->view.buf;
    }
    store_one(&storing);
    if (storing.state == TSHM_AWAITED)
        room_ask(self, wait, storing.cursor.sequence, patient);
    uint64_t newest = tshm_last_version(&self->ring);
    lock->transient = false;
    bool done = writing_unlock(self, false);
    if (done && storing.state == TSHM_AWAITED)
        return TSHM_AWAITED;
    if (done && storing.state == NUMBER_HAD)
        return refuse_number(storing.version, newest);
    if (done && storing.state != TSHM_WRITABLE)
        return ring_fail(self, "pinned") ? 0 : WRITING_FAILED;
    if (storing.due && done)
        done = mutex_look(self->mutex);
    value->version = newest;
    return done ? TSHM_WRITABLE : WRITING_FAILED;
}

bool writing_do(Ring *self, writing_value *value, int64_t ns) {
    if (self->mutex && !mutex_may_write(self->mutex))
        return false;
    room_wait wait = room_begin(self, ns);
    int state;
    do
        state = writing_try(self, value, &wait, false);
    while (state == TSHM_AWAITED && room_sleep(self, &wait));
    return state == TSHM_WRITABLE;
}

PyObject *writing_write(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    static const char *const keywords[] = {"value", "timeout", NULL};
    static const arguments_verb verb = {"write", keywords, true,
                                        "write(value, timeout=%U) to wait at most %U seconds for other writers"};
    Ring *self = (Ring *)object;
    int64_t ns = self->timeout;
    if (count != 1 || names) {
        if (!arguments_fit(&verb, args, count, names) ||
            timeout_convert(arguments_get(args, count, names, "timeout"), &ns) < 0)
            return NULL;
    }
    if (!self->mapping)
        return ring_fail(self, "closed");
    PyObject *given = arguments_value(&verb, args, count, names);
    writing_value value;
    if (!given || !writing_open(self, given, &value))
        return NULL;
    bool done = writing_do(self, &value, ns);
    writing_close(&value);
    return done ? Py_NewRef(Py_None) : NULL;
}
