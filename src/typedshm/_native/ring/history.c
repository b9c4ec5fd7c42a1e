#include "ring/history.h"

#include "ring/reading.h"
#include "ring/ring_type.h"

static const int TRIES = 64; /* to get a version that is overtaken by writers */

/* The next older version that is complete, at or below a number. TSHM_OVERRUN: it, and all before it, are gone, but for
 * what a pin may keep. To be made sure of by tshm_read_retry(). */
static int find_back(const tshm_ring *ring, uint64_t sequence, tshm_cursor *cursor) {
    for (uint64_t looks = 0; sequence && looks < ring->slot_count; looks++, sequence--) {
        *cursor = tshm_cursor_at(ring, sequence);
        /* acquire, with the release store of the even mark in tshm_write_end: the payload it completed */
        uint64_t mark = tshm_load(&cursor->slot->mark, acquire);
        if (mark == 2 * sequence)
            return TSHM_READABLE;
        if (mark > 2 * sequence + 1)
            return TSHM_OVERRUN;
    }
    return sequence ? TSHM_OVERRUN : TSHM_NOTHING;
}

/* ---- the newest ones -----------------------------------------------------------------------------------------------
 */

/* What stands before the value in a row of recent(). */
typedef struct {
    uint64_t version;
    int64_t time;
} row_head;

struct filling {
    const Ring *ring;
    char *rows;
    size_t row_size, left; /* rows before the last one that was filled */
    uint64_t sequence;     /* of that */
};

static void fill_row(char *row, const publication *found) {
    row_head head = {found->version, (int64_t)found->time};
    memcpy(row, &head, sizeof head);
}

static void fill_back(void *context) {
    struct filling *filling = context;
    const Ring *self = filling->ring;
    tshm_cursor cursor;
    while (filling->left && find_back(&self->ring, filling->sequence - 1, &cursor) == TSHM_READABLE) {
        char *row = filling->rows + (filling->left - 1) * filling->row_size;
        values_fetch(&self->values, row + sizeof(row_head), cursor.payload);
        publication found = {tshm_version(&self->ring, &cursor), tshm_load(&cursor.slot->time, relaxed),
                             cursor.sequence, false};
        if (tshm_read_retry(&cursor))
            return; /* the oldest of them is what writers take first */
        fill_row(row, &found);
        filling->sequence = cursor.sequence;
        filling->left--;
    }
}

static PyObject *recent(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 2 || !ring_type_check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "recent() takes a Ring and a buffer");
        return NULL;
    }
    Ring *self = (Ring *)args[0];
    Py_buffer view;
    if (PyObject_GetBuffer(args[1], &view, PyBUF_WRITABLE) < 0)
        return NULL;
    struct filling filling = {.ring = self, .rows = view.buf, .row_size = sizeof(row_head) + self->values.size};
    filling.left = (size_t)view.len / filling.row_size;
    int read = 0;
    if (filling.left) {
        publication newest = NO_PUBLICATION;
        char *row = filling.rows + (filling.left - 1) * filling.row_size;
        read = reading_copy(self, row + sizeof(row_head), NULL, READING_ANY_AGE, &newest);
        if (read > 0) {
            fill_row(row, &newest);
            filling.sequence = newest.sequence;
            filling.left--;
            if (self->mapping && self->values.size * filling.left > VALUES_LARGE)
                opened_work_apart((Opened *)self, fill_back, &filling);
            else if (self->mapping)
                fill_back(&filling);
            if (self->mapping && opened_is_gone((Opened *)self)) {
                ring_fail(self, "gone");
                read = -1;
            }
        }
    }
    PyBuffer_Release(&view);
    return read < 0 ? NULL : PyLong_FromSize_t(filling.left);
}

/* ---- by time -------------------------------------------------------------------------------------------------------
 */

/* Goes back one by one: clocks may be put back, so that times need not grow with numbers. The oldest that was looked at
 * is left in `oldest`. */
static int find_time(const tshm_ring *ring, uint64_t time, publication *oldest, tshm_cursor *cursor) {
    uint64_t sequence = tshm_load(&tshm_control_of(ring)->head.word, acquire) >> 1; /* as in tshm_next */
    int state;
    while ((state = find_back(ring, sequence, cursor)) == TSHM_READABLE) {
        publication found = {tshm_version(ring, cursor), tshm_load(&cursor->slot->time, relaxed), cursor->sequence,
                             false};
        if (tshm_read_retry(cursor))
            return TSHM_OVERRUN;
        *oldest = found;
        if (found.time <= time)
            return TSHM_READABLE;
        sequence = found.sequence - 1;
    }
    return state;
}

static PyObject *read_at(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 2 || !ring_type_check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "read_at() takes a Ring and a time");
        return NULL;
    }
    Ring *self = (Ring *)args[0];
    uint64_t time = PyLong_AsUnsignedLongLong(args[1]);
    if (time == (uint64_t)-1 && PyErr_Occurred())
        return NULL;
    publication oldest = NO_PUBLICATION, found = NO_PUBLICATION;
    PyObject *value = NULL, *refused = NULL;
    for (int tries = 0; tries < TRIES && !value && !refused; tries++) {
        tshm_cursor cursor;
        if (!self->mapping)
            return ring_fail(self, "closed");
        int state = find_time(&self->ring, time, &oldest, &cursor);
        if (!mapping_holds(self->mapping_ref, self->instance))
            return ring_fail(self, "gone");
        if (state != TSHM_READABLE)
            break;
        reading_position behind = {cursor.sequence - 1, oldest.version - 1, false};
        value = reading_value(self, &behind, &found, &refused);
        if (!value && !refused && PyErr_Occurred())
            return NULL;
        if (found.sequence != cursor.sequence) { /* it was written over just now: look again, for another or none */
            Py_CLEAR(value);
            Py_CLEAR(refused);
        }
    }
    return Py_BuildValue("NNKK", value ? value : Py_NewRef(Py_None), refused ? refused : Py_NewRef(Py_None),
                         (unsigned long long)oldest.version, (unsigned long long)oldest.time);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"recent", FAST(recent), METH_FASTCALL,
     "Fill rows of version, time and value with the newest versions, up to the last row: the number of the first."},
    {"read_at", FAST(read_at), METH_FASTCALL,
     "(value, error, version, time in ns) of the newest version of a time or before, or of the oldest there with "
     "None."},
    {NULL, NULL, 0, NULL},
};

int history_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
