#include "rows/row_writing.h"

#include "rows/row_reading.h"
#include "timeout.h"

#include <stdlib.h>

void row_writing_store(Rows *self, uint64_t number, const void *value, uint64_t now) {
    row_writing_store_as(self, number, value, 0, now);
}

void row_writing_store_as(Rows *self, uint64_t number, const void *value, uint64_t version, uint64_t now) {
    tshm_row_stamp(&self->table, number);
    tshm_row_cursor cursor = tshm_row_write_begin(&self->table, tshm_row_of(&self->table, number));
    cursor.number = version ? version : cursor.number;
    values_store(&self->values, cursor.payload, value);
    tshm_row_write_end(&cursor, now);
}

bool row_writing_take(Rows *self, uint64_t number, enum held_use use, int64_t ns, held_hold *hold) {
    int result = held_take(self->held, self->mutex, number, use, ns, hold);
    return result == HELD_TAKEN || rows_fail_taken(self, number, result);
}

bool row_writing_look_after(Rows *self, uint64_t now) {
    if (self->mapping && opened_is_gone((Opened *)self)) {
        rows_fail(self, "gone");
        return false;
    }
    WritersLock *lock = self->mutex->lock;
    return !writers_lock_look_is_due(lock, now) || mutex_look(self->mutex);
}

bool row_writing_give(Rows *self, held_hold *hold, enum held_use use, bool published) {
    bool kept = held_give(self->held, self->mutex, hold, use);
    if (published)
        rows_wake(self);
    if (!kept && !PyErr_Occurred())
        rows_fail(self, self->mapping && opened_is_gone((Opened *)self) ? "gone" : "lock lost");
    return kept;
}

/* ---- one row ----------------------------------------------------------------------------------------------------- */

struct storing {
    Rows *rows;
    uint64_t number;
    const void *value;
    uint64_t now;
};

static void store_apart(void *context) {
    struct storing *storing = context;
    row_writing_store(storing->rows, storing->number, storing->value, storing->now);
}

/* With the row in the set. */
static void store_held(Rows *self, uint64_t number, const void *value, uint64_t now) {
    struct storing storing = {self, number, value, now};
    if (self->values.size > VALUES_LARGE)
        opened_work_apart((Opened *)self, store_apart, &storing);
    else
        store_apart(&storing);
}

static bool store_one(Rows *self, uint64_t number, const void *bytes, int64_t ns) {
    held_hold hold;
    uint64_t now;
    if (self->values.size <= VALUES_LARGE && held_take_now(self->held, number, &hold)) {
        now = os_realtime_ns();
        row_writing_store(self, number, bytes, now);
    } else {
        if (!row_writing_take(self, number, HELD_VERB, ns, &hold))
            return false;
        now = os_realtime_ns();
        store_held(self, number, bytes, now);
    }
    writers_lock_note_write(self->mutex->lock);
    return row_writing_give(self, &hold, HELD_VERB, true) && row_writing_look_after(self, now);
}

/* What is stored of a value, as a new reference, and its bytes until struct_close(view). NULL and an error set. */
static PyObject *open_written(Rows *self, PyObject *value, Py_buffer *view) {
    if (!rows_may_write(self))
        return NULL;
    if (Py_TYPE(value) == self->values.type)
        Py_INCREF(value);
    else if (!(value = PyObject_CallMethod((PyObject *)self, "_encode", "(O)", value)))
        return NULL;
    if (!values_check(&self->values, value) || values_open(&self->values, value, PyBUF_SIMPLE, view) < 0) {
        Py_DECREF(value);
        return NULL;
    }
    bool fits = (size_t)view->len == self->values.size;
    if (!fits)
        PyErr_Format(PyExc_ValueError, "expected %zu bytes, found %zd", self->values.size, view->len);
    if (fits && values_check_extents(&self->values, (PyObject *)self, value, view->buf))
        return value;
    struct_close(view);
    Py_DECREF(value);
    return NULL;
}

bool row_writing_write(Rows *self, uint64_t number, PyObject *value, int64_t ns) {
    Py_buffer view;
    value = open_written(self, value, &view);
    bool done = value && store_one(self, number, view.buf, ns);
    if (value)
        struct_close(&view);
    Py_XDECREF(value);
    return done;
}

PyObject *row_writing_one(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    uint64_t number;
    if (count != 4 || !rows_check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "write_row() takes a table, a row, a value and a timeout");
        return NULL;
    }
    Rows *self = (Rows *)args[0];
    int64_t ns = self->timeout;
    if (timeout_convert(args[3], &ns) < 0)
        return NULL;
    if (!rows_number(self, args[1], &number) || !row_writing_write(self, number, args[2], ns))
        return NULL;
    Py_RETURN_NONE;
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

/* Which bytes of a value are written; the others stay as they are. */
struct span {
    size_t offset, size;
};

struct many {
    Rows *rows;
    const rows_index *index;
    const unsigned char *data;
    size_t step;
    const struct span *spans;
    size_t span_count;
    unsigned char *merged; /* room for a value and, behind it, the defaults */
    uint64_t ticket;       /* of the first row, or 0: none append */
    uint64_t now;
    rows_list deferred; /* positions: those that others had */
    rows_list late;     /* numbers: those that were not to be had in time */
    rows_list torn;
};

/* What the row holds, with the spans of what is to be written. NULL: it is torn, and there is nothing to keep. */
static const void *merge(const struct many *many, uint64_t number, const void *value) {
    Rows *self = many->rows;
    publication found;
    if (self->values.extents)
        memset(many->merged, 0, self->values.size);
    int state = row_reading_try(self, number, many->merged, &found); /* nobody else writes to it now */
    if (state == ROW_EMPTY)
        memcpy(many->merged, many->merged + self->values.size, self->values.size);
    else if (state != ROW_READ)
        return NULL;
    for (size_t i = 0; i < many->span_count; i++) {
        const struct span *span = &many->spans[i];
        memcpy(many->merged + span->offset, (const unsigned char *)value + span->offset, span->size);
    }
    return many->merged;
}

/* By who has the row. False: no memory. */
static bool store(struct many *many, size_t position, bool held) {
    Rows *self = many->rows;
    uint64_t number = rows_index_at(many->index, position);
    const void *value = many->data + position * many->step;
    tshm_row *row = tshm_row_of(&self->table, number);
    if (many->ticket && tshm_load(&row->ticket, relaxed) > many->ticket + position) {
        (void)tshm_change(add, &tshm_table_control_of(&self->table)->lapped, 1, relaxed);
        return true; /* a later lap was faster */
    }
    if (many->span_count && !(value = merge(many, number, value)))
        return rows_list_add(&many->torn, (int64_t)number);
    if (many->ticket) /* see APPENDING. Relaxed: before the release store of the mark; only who has the row looks */
        tshm_store(&row->ticket, many->ticket + position, relaxed);
    if (held)
        store_held(self, number, value, many->now);
    else
        row_writing_store(self, number, value, many->now);
    return true;
}

static bool no_memory(void) {
    PyErr_NoMemory();
    return false;
}

/* One row, waiting for at most `ns`. False and an error set. */
static bool write_position(struct many *many, size_t position, int64_t ns, rows_list *missed, bool missed_numbers) {
    Rows *self = many->rows;
    uint64_t number = rows_index_at(many->index, position);
    held_hold hold;
    if (self->values.size <= VALUES_LARGE && held_take_now(self->held, number, &hold)) {
        bool stored = store(many, position, false);
        return row_writing_give(self, &hold, HELD_VERB, false) && (stored || no_memory());
    }
    int result = held_take(self->held, self->mutex, number, HELD_VERB, ns, &hold);
    if (result == HELD_TIMEOUT)
        return rows_list_add(missed, missed_numbers ? (int64_t)number : (int64_t)position) || no_memory();
    if (result != HELD_TAKEN)
        return rows_fail_taken(self, number, result);
    bool stored = store(many, position, true);
    return row_writing_give(self, &hold, HELD_VERB, false) && (stored || no_memory());
}

static const size_t CHUNK = (size_t)1 << 20; /* bytes between looks at signals, and moments without the GIL */

/* Those that can be had at once. */
static bool first_pass(struct many *many) {
    size_t chunk = CHUNK / (many->rows->values.size + 256) + 1;
    for (size_t i = 0; i < many->index->count; i++) {
        if (i && i % chunk == 0) {
            rows_wake(many->rows);
            Py_BEGIN_ALLOW_THREADS
            os_relax();
            Py_END_ALLOW_THREADS
            if (PyErr_CheckSignals() < 0 || !rows_may_write(many->rows))
                return false;
        }
        if (i % 16 == 0) /* a clock takes as long as half a row */
            many->now = os_realtime_ns();
        if (!write_position(many, i, 0, &many->deferred, false))
            return false;
    }
    return true;
}

/* Of several values for one row the last one wins: an earlier one that was deferred is dropped. */
static bool drop_overtaken(struct many *many) {
    uint64_t rows = many->rows->table.row_count;
    unsigned char *seen = calloc(1, (size_t)(rows / 8 + 1));
    if (!seen)
        return no_memory();
    size_t left = many->deferred.count;
    for (size_t i = many->index->count; i-- > 0;) {
        uint64_t number = rows_index_at(many->index, i);
        bool later = seen[number / 8] >> number % 8 & 1;
        seen[number / 8] |= (unsigned char)(1 << number % 8);
        if (left && many->deferred.items[left - 1] == (int64_t)i && later)
            many->deferred.items[--left] = -1;
        else if (left && many->deferred.items[left - 1] == (int64_t)i)
            left--;
    }
    free(seen);
    return true;
}

/* Those that others had: as long as there is time. */
static bool second_pass(struct many *many, int64_t ns) {
    if (!many->deferred.count)
        return true;
    if (!many->ticket && !drop_overtaken(many))
        return false;
    uint64_t start = os_monotonic_ns();
    for (size_t i = 0; i < many->deferred.count; i++) {
        int64_t position = many->deferred.items[i], left = ns;
        if (position < 0)
            continue;
        rows_wake(many->rows); /* of those that are published already: this one may take long */
        if (ns != TIMEOUT_FOREVER)
            left = ns - (int64_t)(os_monotonic_ns() - start);
        many->now = os_realtime_ns();
        if (!write_position(many, (size_t)position, left > 0 ? left : 0, &many->late, true) ||
            !rows_may_write(many->rows))
            return false;
    }
    return true;
}

static bool write_all(struct many *many, int64_t ns) {
    Rows *self = many->rows;
    bool done = rows_may_write(self) && first_pass(many) && second_pass(many, ns);
    if (self->mapping && many->index->count) {
        writers_lock_note_write(self->mutex->lock);
        rows_wake(self);
    }
    if (done && (many->late.count || many->torn.count)) {
        const rows_list *told = many->torn.count ? &many->torn : &many->late;
        rows_fail_for(self, many->torn.count ? "torn" : "row timeout", told->items, told->count);
        done = false;
    }
    rows_list_free(&many->deferred);
    rows_list_free(&many->late);
    rows_list_free(&many->torn);
    return done && row_writing_look_after(self, os_realtime_ns());
}

/* Room to merge spans in, and what a row has that was never written. */
static bool prepare(struct many *many, const Py_buffer *spans) {
    size_t size = many->rows->values.size;
    many->spans = spans->buf;
    many->span_count = (size_t)spans->len / sizeof *many->spans;
    for (size_t i = 0; i < many->span_count; i++) {
        if (many->spans[i].offset > size || many->spans[i].size > size - many->spans[i].offset) {
            PyErr_SetString(PyExc_ValueError, "a span lies outside the value");
            return false;
        }
    }
    many->merged = malloc(2 * size);
    return many->merged ? values_defaults(&many->rows->values, many->merged + size) : no_memory();
}

/* No value has more used items than there is room for; else an error is set. */
static bool check_extents(const struct many *many) {
    Rows *self = many->rows;
    for (size_t i = 0; self->values.extents && i < (many->step ? many->index->count : 1) && many->index->count; i++) {
        PyObject *path = extents_excess(self->values.extents, many->data + i * many->step);
        if (!path)
            continue;
        Py_XDECREF(PyObject_CallMethod((PyObject *)self, "_refuse_excess", "nO", (Py_ssize_t)i, path));
        return false;
    }
    return true;
}

PyObject *row_writing_many(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *table, *rows, *data, *span_bytes, *timeout;
    Py_ssize_t step;
    if (!PyArg_ParseTuple(args, "OOOnOO:write_rows", &table, &rows, &data, &step, &span_bytes, &timeout))
        return NULL;
    Rows *self = (Rows *)table;
    if (!rows_check(table)) {
        PyErr_SetString(PyExc_TypeError, "write_rows() takes a table");
        return NULL;
    }
    int64_t ns = self->timeout;
    rows_index index;
    if (timeout_convert(timeout, &ns) < 0 || !rows_may_write(self) || !rows_index_open(self, rows, &index))
        return NULL;
    Py_buffer view = {0}, spans = {0};
    bool done = PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) == 0 &&
                (span_bytes == Py_None || PyObject_GetBuffer(span_bytes, &spans, PyBUF_SIMPLE) == 0);
    struct many many = {.rows = self, .index = &index, .data = view.buf, .step = (size_t)step};
    size_t needed = index.count ? (index.count - 1) * many.step + self->values.size : 0;
    if (done && (step < 0 || (size_t)view.len < needed)) {
        PyErr_SetString(PyExc_ValueError, "expected a value for each row");
        done = false;
    }
    done = done && check_extents(&many) && (span_bytes == Py_None || prepare(&many, &spans)) && write_all(&many, ns);
    free(many.merged);
    if (view.obj)
        PyBuffer_Release(&view);
    if (spans.obj)
        PyBuffer_Release(&spans);
    rows_index_close(&index);
    return done ? Py_NewRef(Py_None) : NULL;
}

/* ---- appending --------------------------------------------------------------------------------------------------- */

/* Values for the rows whose turn it is. `first`: the first ticket, also 0 from garbage. False and an error set. */
static bool append(Rows *self, const unsigned char *data, size_t count, int64_t ns, uint64_t *first) {
    tshm_table_control *control = tshm_table_control_of(&self->table);
    size_t size = self->values.size;
    uint64_t rows = self->table.row_count;
    /* relaxed: the number is all that is wanted; rows are ordered by their owners */
    *first = tshm_change(add, &control->tickets, (uint64_t)count, relaxed) + 1;
    size_t skipped = (uint64_t)count > rows ? (size_t)((uint64_t)count - rows) : 0; /* their own laps are faster */
    size_t left = count - skipped;
    if (skipped)
        (void)tshm_change(add, &control->lapped, skipped, relaxed);
    uint64_t one, *numbers = left == 1 ? &one : malloc(left * sizeof *numbers + 1);
    for (size_t i = 0; numbers && i < left; i++)
        numbers[i] = (*first - 1 + skipped + i) % rows;
    rows_index index = {.numbers = numbers, .count = left};
    struct many many = {.rows = self, .index = &index, .step = size, .ticket = *first + skipped};
    many.data = data + skipped * size;
    bool done = numbers ? write_all(&many, ns) : no_memory();
    if (numbers != &one)
        free(numbers);
    return done;
}

PyObject *row_writing_append(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 3 || !rows_check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "append_row() takes a table, a value and a timeout");
        return NULL;
    }
    Rows *self = (Rows *)args[0];
    int64_t ns = self->timeout;
    Py_buffer view;
    PyObject *value = timeout_convert(args[2], &ns) < 0 ? NULL : open_written(self, args[1], &view);
    if (!value)
        return NULL;
    uint64_t first;
    bool done = append(self, view.buf, 1, ns, &first);
    struct_close(&view);
    Py_DECREF(value);
    return done ? PyLong_FromUnsignedLongLong((first - 1) % self->table.row_count) : NULL;
}

PyObject *row_writing_append_many(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *table, *data, *timeout;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "OOnO:append_rows", &table, &data, &count, &timeout))
        return NULL;
    Rows *self = (Rows *)table;
    if (!rows_check(table) || count < 0) {
        PyErr_SetString(PyExc_TypeError, "append_rows() takes a table, values and how many they are");
        return NULL;
    }
    int64_t ns = self->timeout;
    if (timeout_convert(timeout, &ns) < 0 || !rows_may_write(self))
        return NULL;
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    uint64_t first = 1;
    const rows_index index = {.count = (size_t)count};
    const struct many many = {.rows = self, .index = &index, .data = view.buf, .step = self->values.size};
    bool fits = (size_t)view.len == (size_t)count * self->values.size;
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "expected as many values as were told");
    bool done = fits && check_extents(&many);
    if (done && count)
        done = append(self, view.buf, (size_t)count, ns, &first);
    PyBuffer_Release(&view);
    return done ? PyLong_FromUnsignedLongLong((first - 1) % self->table.row_count) : NULL;
}

enum { IN_FLIGHT = 1024 }; /* appends that may be under way: who is further behind is dead, or as good as that */

PyObject *row_writing_filled(PyObject *module, PyObject *object) {
    (void)module;
    if (!rows_check(object)) {
        PyErr_SetString(PyExc_TypeError, "filled_rows() takes a table");
        return NULL;
    }
    Rows *self = (Rows *)object;
    if (!self->mapping)
        return rows_fail(self, "closed");
    /* relaxed: numbers for people, and each row is looked at by itself */
    uint64_t tickets = tshm_load(&tshm_table_control_of(&self->table)->tickets, relaxed);
    uint64_t lapped = tshm_load(&tshm_table_control_of(&self->table)->lapped, relaxed);
    uint64_t filled = tshm_load(&self->filled, relaxed);
    while (filled < self->table.row_count && (tshm_row_number(&self->table, tshm_row_of(&self->table, filled)) ||
                                              filled + IN_FLIGHT < tickets)) /* or a hole that a killed one left */
        filled++;
    if (opened_is_gone((Opened *)self))
        return rows_fail(self, "gone");
    tshm_store(&self->filled, filled, relaxed);
    return Py_BuildValue("KKK", (unsigned long long)filled, (unsigned long long)tickets, (unsigned long long)lapped);
}
