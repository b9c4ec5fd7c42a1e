#include "rows/row_reading.h"

#include "os/faults.h"
#include "ring/decoding.h"
#include "ring/pin.h"
#include "ring/view.h"
#include "struct/origin.h"
#include "timeout.h"

static const int FUTILE_TRIES = 64;                   /* copies lost to writers before a reader queues up with them */
static const int64_t PATIENCE_LOCKED = 10000000000;   /* ns that a reader waits for the row at most */
static const int64_t PATIENCE_READ_ONLY = 1000000000; /* ns that a reader without the right to it goes on trying */
static const uint64_t PAUSE = 100000;                 /* ns between its tries */

int row_reading_try(const Rows *self, uint64_t number, void *to, publication *found) {
    tshm_row_cursor cursor;
    int state = tshm_row_read_begin(&self->table, tshm_row_of(&self->table, number), &cursor);
    if (state != TSHM_READABLE)
        return state;
    values_fetch(&self->values, to, cursor.payload);
    found->version = cursor.number;
    found->time = tshm_load(&cursor.version->time, relaxed);
    return tshm_row_read_retry(&cursor) ? ROW_BUSY : ROW_READ;
}

/* With one version kept: a mark that is odd while nobody alive has the row. Whoever was at work when the mark was read
 * and has finished since, has changed it. */
static bool is_torn(const Rows *self, uint64_t number) {
    if (self->table.slot_count != 1)
        return false;
    tshm_row *row = tshm_row_of(&self->table, number);
    uint64_t mark = tshm_load(&row->versions[0].mark, acquire); /* before the owner */
    /* acquire, with the exchange that gave the row back: the mark that it left */
    uint64_t word = tshm_load(&row->owner, acquire);
    return mark & 1 && !held_owner_lives(self->held, number, word) &&
           tshm_load(&row->versions[0].mark, relaxed) == mark;
}

static int try_often(const Rows *self, uint64_t number, void *to, publication *found) {
    for (int tries = 0; tries < FUTILE_TRIES; tries++) {
        int state = row_reading_try(self, number, to, found);
        if (state != ROW_BUSY)
            return state;
        if (is_torn(self, number))
            return ROW_TORN;
        os_relax();
    }
    return ROW_BUSY;
}

/* Writers beat every attempt, and this handle cannot, or must not now, keep them out: try for a while longer. */
static int read_patiently(Rows *self, uint64_t number, void *to, publication *found) {
    uint64_t start = os_monotonic_ns();
    int64_t patience = self->timeout < PATIENCE_READ_ONLY ? self->timeout : PATIENCE_READ_ONLY;
    do {
        Mapping *mapping = self->mapping;
        if (!mapping) {
            rows_fail(self, "closed");
            return ROW_FAILED;
        }
        Py_INCREF((PyObject *)mapping);
        uint32_t never = 0; /* a word to sleep on that nobody wakes */
        int state;
        Py_BEGIN_ALLOW_THREADS
        os_local_wait(&never, 0, PAUSE);
        state = try_often(self, number, to, found);
        Py_END_ALLOW_THREADS
        Py_DECREF((PyObject *)mapping);
        if (PyErr_CheckSignals() < 0)
            return ROW_FAILED;
        if (state != ROW_BUSY)
            return state;
    } while ((int64_t)(os_monotonic_ns() - start) < patience);
    rows_fail(self, "overrun");
    return ROW_FAILED;
}

/* Nobody else is at the row. */
static int read_alone(Rows *self, uint64_t number, void *to, publication *found) {
    int state = self->mapping ? row_reading_try(self, number, to, found) : ROW_BUSY;
    if (state != ROW_BUSY)
        return state;
    if (self->mapping && self->table.slot_count == 1)
        return ROW_TORN;
    rows_fail(self, self->mapping ? "corrupt" : "closed");
    return ROW_FAILED;
}

static int read_locked(Rows *self, uint64_t number, void *to, publication *found) {
    if (held_is_mine(self->held, number))
        return read_alone(self, number, to, found);
    held_hold hold;
    int64_t ns = self->timeout < PATIENCE_LOCKED ? self->timeout : PATIENCE_LOCKED;
    int result = held_take(self->held, self->mutex, number, HELD_VERB, ns, &hold);
    if (result == HELD_ORDER)
        return read_patiently(self, number, to, found);
    if (result != HELD_TAKEN) {
        rows_fail_taken(self, number, result);
        return ROW_FAILED;
    }
    int state = read_alone(self, number, to, found);
    held_give(self->held, self->mutex, &hold, HELD_VERB);
    return state;
}

int row_reading_copy(Rows *self, uint64_t number, void *to, publication *found) {
    if (!self->mapping) {
        rows_fail(self, "closed");
        return ROW_FAILED;
    }
    int state = try_often(self, number, to, found);
    if (state == ROW_BUSY)
        state = self->mutex ? read_locked(self, number, to, found) : read_patiently(self, number, to, found);
    if (state != ROW_FAILED && self->mapping && opened_is_gone((Opened *)self)) {
        rows_fail(self, "gone");
        return ROW_FAILED;
    }
    return state;
}

PyObject *row_reading_fail(Rows *self, uint64_t number, int state) {
    int64_t row = (int64_t)number;
    if (state == ROW_EMPTY && !opened_look((Opened *)self)) /* a file that was cut short shows zeros */
        return NULL;
    return state == ROW_FAILED ? NULL : rows_fail_for(self, state == ROW_EMPTY ? "empty" : "torn", &row, 1);
}

/* ---- one row ----------------------------------------------------------------------------------------------------- */

/* Large ones without the GIL, at first. */
struct copying {
    Rows *rows;
    uint64_t number;
    void *to;
    publication *found;
    int state;
};

static void copy_apart(void *context) {
    struct copying *copying = context;
    copying->state = try_often(copying->rows, copying->number, copying->to, copying->found);
}

static int read_into(Rows *self, uint64_t number, void *to, publication *found) {
    if (self->values.size > VALUES_LARGE && self->mapping) {
        struct copying copying = {self, number, to, found, ROW_BUSY};
        opened_work_apart((Opened *)self, copy_apart, &copying);
        if (copying.state == ROW_READ && !opened_is_gone((Opened *)self))
            return ROW_READ;
    }
    return row_reading_copy(self, number, to, found);
}

/* The classes of models and of ctypes have no read-only instances. */
static PyObject *instance(Rows *self, uint64_t number) {
    PyObject *value = values_make(&self->values);
    Py_buffer view;
    if (!value || values_open(&self->values, value, PyBUF_WRITABLE, &view) < 0) {
        Py_XDECREF(value);
        return NULL;
    }
    publication found;
    bool fits = (size_t)view.len >= self->values.size;
    int state = fits ? read_into(self, number, view.buf, &found) : ROW_FAILED;
    struct_close(&view);
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "the schema made a value of another size");
    if (state != ROW_READ) {
        row_reading_fail(self, number, state);
        Py_CLEAR(value);
    }
    if (value && self->values.type) {
        PyObject *origin = origin_new(found.version, found.time);
        if (origin)
            struct_set_state(value, origin);
        else
            Py_CLEAR(value);
    }
    if (value && self->values.decode) {
        PyObject *refused = NULL;
        native_set(&value, decoding_value((PyObject *)self, &self->values, value, found.version, &refused));
        if (refused)
            decoding_fail(refused);
    }
    return value;
}

PyObject *row_reading_value(Rows *self, uint64_t number) {
    if (self->values.decode || self->values.unguarded)
        return instance(self, number);
    Pin *pin = pin_new_copy(self->values.size, self->values.extents != NULL, self->copy_words);
    if (!pin)
        return NULL;
    int state = read_into(self, number, pin->start, &pin->found);
    PyObject *value = state == ROW_READ ? view_of_pin(&self->values, pin) : row_reading_fail(self, number, state);
    Py_DECREF((PyObject *)pin);
    return value;
}

PyObject *row_reading_zero(PyObject *module, PyObject *object) {
    (void)module;
    if (!rows_check(object)) {
        PyErr_SetString(PyExc_TypeError, "zero_row() takes a table");
        return NULL;
    }
    Rows *self = (Rows *)object;
    if (self->values.decode || self->values.unguarded)
        Py_RETURN_NONE;
    Pin *pin = pin_new_copy(self->values.size, true, self->copy_words);
    PyObject *value = pin ? view_of_pin(&self->values, pin) : NULL;
    Py_XDECREF((PyObject *)pin);
    return value;
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

enum {
    HEADS_AHEAD = 16,   /* rows whose heads are fetched into the caches before they are looked at */
    PAYLOADS_AHEAD = 8, /* rows whose newest versions are, as their heads, which are there by then, tell */
    BYTES_AHEAD = 1024, /* of one version; of a longer one the processor itself fetches the rest while it is copied */
    FETCHED = 64,       /* bytes that are fetched at once: a line of most processors */
};

struct many {
    Rows *rows;
    const rows_index *index;
    unsigned char *to;
    size_t first, last;
    rows_list unread; /* positions */
    bool full;        /* there was no memory for those */
};

/* Inline, or gcc leaves the calls away, since it takes a function that only fetches for one without effect. */
static inline __attribute__((always_inline)) void prefetch_head(const struct many *many, size_t i) {
    if (i < many->last)
        __builtin_prefetch(tshm_row_of(&many->rows->table, rows_index_at(many->index, i)));
}

static void prefetch_payload(const struct many *many, size_t i) {
    const tshm_table *table = &many->rows->table;
    tshm_row_cursor cursor;
    if (i >= many->last ||
        tshm_row_read_begin(table, tshm_row_of(table, rows_index_at(many->index, i)), &cursor) != TSHM_READABLE)
        return;
    size_t size = table->payload_size < BYTES_AHEAD ? (size_t)table->payload_size : BYTES_AHEAD;
    const unsigned char *line = cursor.payload - (uintptr_t)cursor.payload % FETCHED;
    for (; line < cursor.payload + size; line += FETCHED)
        __builtin_prefetch(line, 0, 2); /* 2: as far as the second cache, which took less time than the first (Zen 3) */
}

static void read_chunk(void *context) {
    struct many *many = context;
    Rows *self = many->rows;
    publication found;
    for (size_t i = many->first; i < many->first + HEADS_AHEAD; i++)
        prefetch_head(many, i);
    for (size_t i = many->first; i < many->first + PAYLOADS_AHEAD; i++)
        prefetch_payload(many, i);
    for (size_t i = many->first; i < many->last; i++) {
        prefetch_head(many, i + HEADS_AHEAD);
        prefetch_payload(many, i + PAYLOADS_AHEAD);
        int state = row_reading_try(self, rows_index_at(many->index, i), many->to + i * self->values.size, &found);
        if (state != ROW_READ && !rows_list_add(&many->unread, (int64_t)i))
            many->full = true;
    }
}

/* Those that could not be read at once: numbers of those that are empty or torn replace the positions. */
static bool read_rest(struct many *many, bool zero, rows_list *empty, rows_list *torn) {
    Rows *self = many->rows;
    publication found;
    for (size_t i = 0; i < many->unread.count; i++) {
        size_t at = (size_t)many->unread.items[i];
        uint64_t number = rows_index_at(many->index, at);
        int state = row_reading_copy(self, number, many->to + at * self->values.size, &found);
        if (state == ROW_FAILED)
            return false;
        if (state == ROW_EMPTY && zero)
            memset(many->to + at * self->values.size, 0, self->values.size);
        else if (state != ROW_READ && !rows_list_add(state == ROW_EMPTY ? empty : torn, (int64_t)number)) {
            PyErr_NoMemory();
            return false;
        }
    }
    return true;
}

static const size_t CHUNK = (size_t)4 << 20; /* bytes between looks at signals */

static bool read_all(struct many *many) {
    Rows *self = many->rows;
    size_t size = self->values.size, chunk = CHUNK / size + 1;
    for (size_t first = 0; first < many->index->count; first += chunk) {
        if (first && PyErr_CheckSignals() < 0)
            return false;
        if (!self->mapping) {
            rows_fail(self, "closed");
            return false;
        }
        many->first = first;
        many->last = many->index->count - first > chunk ? first + chunk : many->index->count;
        if ((many->last - first) * size > VALUES_LARGE)
            opened_work_apart((Opened *)self, read_chunk, many);
        else
            read_chunk(many);
        if (many->full) {
            PyErr_NoMemory();
            return false;
        }
    }
    return true;
}

PyObject *row_reading_many(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *table, *rows, *out;
    int zero;
    if (!PyArg_ParseTuple(args, "OOOp:read_rows", &table, &rows, &out, &zero))
        return NULL;
    Rows *self = (Rows *)table;
    rows_index index;
    if (!rows_check(table)) {
        PyErr_SetString(PyExc_TypeError, "read_rows() takes a table");
        return NULL;
    }
    if (!self->mapping)
        return rows_fail(self, "closed");
    if (!rows_index_open(self, rows, &index))
        return NULL;
    Py_buffer view;
    if (PyObject_GetBuffer(out, &view, PyBUF_WRITABLE) < 0) {
        rows_index_close(&index);
        return NULL;
    }
    struct many many = {self, &index, view.buf, 0, 0, {NULL, 0, 0}, false};
    rows_list empty = {NULL, 0, 0}, torn = {NULL, 0, 0};
    bool done = (size_t)view.len == index.count * self->values.size;
    if (!done)
        PyErr_SetString(PyExc_ValueError, "expected as much room as the rows have");
    done = done && read_all(&many) && read_rest(&many, zero, &empty, &torn);
    if (done && self->mapping && opened_is_gone((Opened *)self)) {
        rows_fail(self, "gone");
        done = false;
    }
    if (done && empty.count && !opened_look((Opened *)self))
        done = false;
    if (done && (empty.count || torn.count)) {
        const rows_list *told = torn.count ? &torn : &empty;
        rows_fail_for(self, torn.count ? "torn" : "empty", told->items, told->count);
        done = false;
    }
    rows_list_free(&many.unread);
    rows_list_free(&empty);
    rows_list_free(&torn);
    PyBuffer_Release(&view);
    rows_index_close(&index);
    return done ? Py_NewRef(Py_None) : NULL;
}
