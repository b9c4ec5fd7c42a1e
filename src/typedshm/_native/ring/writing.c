#include "ring/writing.h"

#include "arguments.h"
#include "ring/arrays.h"
#include "timeout.h"

/* A reader that finds that it has pinned one slot too many takes its pin back in less than a microsecond, unless it is
 * stopped just then. */
static const uint64_t PINNED_PATIENCE = 1000000000; /* ns */
static const uint64_t PINNED_PAUSE = 50000;         /* ns, of which some systems make 16 ms */
static const int PINNED_TRIES = 50;                 /* at least, if it was us who were stopped meanwhile */

bool writing_lock(Ring *self, bool block, int64_t ns) {
    const char *problem = !self->mapping ? "closed" : self->refuses ? "layout" : !self->mutex ? "read-only" : NULL;
    int result = problem ? WRITERS_LOCK_CLOSED : block ? mutex_hold(self->mutex, ns) : mutex_acquire(self->mutex, ns);
    bool taken = result == WRITERS_LOCK_TAKEN, claimed = taken && claim_is_anothers(&self->mutex->lock->lock);
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

bool writing_unlock(Ring *self, bool block) {
    bool gone = opened_is_gone((Opened *)self); /* which inside lock() nothing else tells */
    if ((block ? mutex_give_back : mutex_release)(self->mutex, true) && !gone)
        return true;
    if (!PyErr_Occurred())
        ring_fail(self, gone ? "gone" : "lock lost");
    return false;
}

bool writing_publish(Ring *self, const tshm_cursor *cursor) {
    uint64_t now = os_realtime_ns();
    bool awaited = tshm_write_end(&self->ring, cursor, now);
    writers_lock_note_write(self->mutex->lock);
    if (awaited)
        os_word_wake_all(&self->mutex->lock->lock.peers, tshm_control_of(&self->ring),
                         (void *)&tshm_control_of(&self->ring)->head.word);
    return writers_lock_look_is_due(self->mutex->lock, now);
}

bool writing_begin(Ring *self, tshm_cursor *cursor) {
    if (tshm_write_begin(&self->ring, lock_alive, &self->mutex->lock->lock, cursor) == TSHM_WRITABLE)
        return true;
    uint32_t never = 0; /* a word to sleep on that nobody wakes */
    uint64_t start = os_monotonic_ns();
    for (int tries = 1; tries < PINNED_TRIES || os_monotonic_ns() - start < PINNED_PATIENCE; tries++) {
        os_local_wait(&never, 0, PINNED_PAUSE);
        if (tshm_write_begin(&self->ring, lock_alive, &self->mutex->lock->lock, cursor) == TSHM_WRITABLE)
            return true;
    }
    return false;
}

struct storing {
    Ring *ring;
    const void *value;
    const void *items; /* those of the only field, if `value` is just what stands before them; or NULL */
    bool pinned;
    bool due;
};

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
    tshm_cursor cursor;
    storing->pinned = !writing_begin(self, &cursor);
    if (storing->pinned)
        return;
    copy_payload(storing, cursor.payload);
    storing->due = writing_publish(self, &cursor);
}

static bool store_apart(Ring *self, const void *value, const void *items, bool *due) {
    struct storing storing = {self, value, items, false, false};
    opened_work_apart((Opened *)self, store, &storing);
    *due = storing.due;
    return storing.pinned;
}

bool writing_store(Ring *self, const void *value, const void *items, bool *due) {
    bool pinned;
    if (self->values.size > VALUES_LARGE) {
        pinned = store_apart(self, value, items, due);
    } else {
        struct storing storing = {self, value, items, false, false}; /* of its own, so that it stays in registers */
        store(&storing);
        pinned = storing.pinned;
        *due = storing.due;
    }
    if (pinned)
        ring_fail(self, "pinned");
    return !pinned;
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
    PyObject *value = arguments_value(&verb, args, count, names);
    if (!value)
        return NULL;
    if (Py_TYPE(value) == self->values.type)
        Py_INCREF(value);
    else if (!(value = PyObject_CallFunctionObjArgs(self->values.encode, value, NULL)))
        return NULL;
    Py_buffer view;
    bool apart = self->values.part && !struct_check(value); /* an array, which is to be one field of the value */
    if (!values_check(&self->values, value) ||
        values_open(&self->values, value, apart ? PyBUF_ND : PyBUF_SIMPLE, &view) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    bool done = false, due = false;
    char small[ARRAYS_SMALL_HEAD], *head = apart ? head_of(self, &view, small) : NULL;
    if (apart && !head) {
        if (!PyErr_Occurred())
            Py_XDECREF(PyObject_CallMethod(self->values.schema, "refuse_room", "O", value));
    } else if (!apart && (size_t)view.len != self->values.size) {
        PyErr_Format(PyExc_ValueError, "expected %zu bytes, found %zd", self->values.size, view.len);
    } else if ((!apart && !values_check_extents(&self->values, (PyObject *)self, value, view.buf)) ||
               (self->mutex && !mutex_may_write(self->mutex))) {
        done = false;
    } else if (writing_lock(self, false, ns)) {
        WritersLock *lock = self->mutex->lock;
        lock->transient = lock->depth == 1; /* close() in another thread waits for us instead of refusing */
        done = writing_store(self, apart ? head : view.buf, apart ? view.buf : NULL, &due);
        lock->transient = false;
        done = writing_unlock(self, false) && done;
        if (due && done)
            done = mutex_look(self->mutex);
    }
    arrays_head_end(head, small);
    struct_close(&view);
    Py_DECREF(value);
    if (!done)
        return NULL;
    Py_RETURN_NONE;
}
