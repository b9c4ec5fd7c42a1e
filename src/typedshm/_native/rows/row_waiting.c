#include "rows/row_waiting.h"

#include "os/faults.h"
#include "timeout.h"

static const int64_t SIGNAL_SLICE = TSHM_SLICE;  /* ns between looks at Python's signal handlers */
static const uint64_t READ_ONLY_SLICE = 2000000; /* ns: nobody wakes a waiter who cannot announce itself */

static uint32_t news_of(const Rows *self) {
    tshm_ring ring = {.base = self->table.base};
    return tshm_head_number(&ring);
}

bool row_waiting_prepare(Rows *self, row_waiting_look *look, void *context, uint32_t *number, bool *any) {
    for (;;) {
        if (!self->mapping) {
            rows_fail(self, "closed");
            return false;
        }
        *number = news_of(self);
        if (!look(context, any))
            return false;
        if (*any || !self->mutex)
            return true;
        if (self->mapping && tshm_announce_news_sleep(&self->table, *number))
            return look(context, any);
    }
}

/* How long to sleep for who is not woken: most of the time, however long a look takes. */
static uint64_t pause_after(uint64_t look) {
    uint64_t pause = 20 * look;
    return pause < READ_ONLY_SLICE ? READ_ONLY_SLICE : pause < TSHM_SLICE ? pause : TSHM_SLICE;
}

bool row_waiting_sleep(Rows *self, row_waiting_look *look, void *context, int64_t ns) {
    uint64_t start = os_monotonic_ns(), looked = start;
    for (uint64_t now = start;; now = os_monotonic_ns()) {
        uint32_t number;
        bool any;
        if (!row_waiting_prepare(self, look, context, &number, &any))
            return false;
        if (any)
            return true;
        if (now - looked >= TSHM_SLICE) {
            looked = now;
            if (!opened_look_at_name((Opened *)self))
                return false;
        }
        if (!self->mapping) {
            rows_fail(self, "closed");
            return false;
        }
        int64_t left = ns == TIMEOUT_FOREVER ? SIGNAL_SLICE : ns - (int64_t)(now - start);
        if (left <= 0) {
            rows_fail(self, "wait timeout");
            return false;
        }
        uint64_t slice = self->mutex ? TSHM_SLICE : pause_after(os_monotonic_ns() - now);
        if ((uint64_t)left < slice)
            slice = (uint64_t)left;
        os_peers *peers = self->mutex ? &self->mutex->lock->lock.peers : NULL;
        tshm_control *control = &tshm_table_control_of(&self->table)->control;
        uint32_t expected = number | (self->mutex ? (uint32_t)TSHM_HEAD_AWAITED : 0);
        if (!self->mutex) /* others may have announced themselves */
            expected = (uint32_t)tshm_load(&control->head.word, relaxed);
        Mapping *mapping = self->mapping_ref; /* a close() meanwhile must not unmap the word */
        Py_INCREF((PyObject *)mapping);
        Py_BEGIN_ALLOW_THREADS
        faults_watch();
        os_word_wait(peers, control, (void *)&control->head.word, expected, slice);
        Py_END_ALLOW_THREADS
        Py_DECREF((PyObject *)mapping);
        if (PyErr_CheckSignals() < 0)
            return false;
    }
}

/* ---- some rows --------------------------------------------------------------------------------------------------- */

struct some {
    Rows *rows;
    const rows_index *index;
    const uint64_t *versions;
    rows_list moved;
};

static bool look_at_some(void *context, bool *any) {
    struct some *some = context;
    some->moved.count = 0;
    for (size_t i = 0; i < some->index->count; i++) {
        tshm_row *row = tshm_row_of(&some->rows->table, rows_index_at(some->index, i));
        /* seq_cst, with the exchange by which a writer gives the row back: see NEWS. Then the version */
        (void)tshm_load(&row->owner, seq_cst);
        if (tshm_row_number(&some->rows->table, row) > some->versions[i] && !rows_list_add(&some->moved, (int64_t)i)) {
            PyErr_NoMemory();
            return false;
        }
    }
    *any = some->moved.count > 0;
    return true;
}

PyObject *row_waiting_wait(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *table, *rows, *timeout;
    Py_buffer versions;
    if (!PyArg_ParseTuple(args, "OOy*O:wait_rows", &table, &rows, &versions, &timeout))
        return NULL;
    Rows *self = (Rows *)table;
    rows_index index;
    if (!rows_check(table)) {
        PyBuffer_Release(&versions);
        PyErr_SetString(PyExc_TypeError, "wait_rows() takes a table");
        return NULL;
    }
    int64_t ns = self->timeout;
    if (timeout_convert(timeout, &ns) < 0 || !rows_index_open(self, rows, &index)) {
        PyBuffer_Release(&versions);
        return NULL;
    }
    struct some some = {self, &index, versions.buf, {NULL, 0, 0}};
    PyObject *moved = NULL;
    if ((size_t)versions.len != index.count * sizeof(uint64_t))
        PyErr_SetString(PyExc_ValueError, "expected a version for each row");
    else if (row_waiting_sleep(self, look_at_some, &some, ns))
        moved = PyBytes_FromStringAndSize((const char *)some.moved.items,
                                          (Py_ssize_t)(some.moved.count * sizeof *some.moved.items));
    rows_list_free(&some.moved);
    PyBuffer_Release(&versions);
    rows_index_close(&index);
    return moved;
}

/* When the newest version was published; 0 while there is none. */
static uint64_t time_of(const tshm_table *table, tshm_row *row) {
    for (int tries = 0; tries < 1000; tries++) {
        tshm_row_cursor cursor;
        int state = tshm_row_read_begin(table, row, &cursor);
        if (state == TSHM_NOTHING)
            return 0;
        uint64_t time = state == TSHM_READABLE ? tshm_load(&cursor.version->time, relaxed) : 0;
        if (state == TSHM_READABLE && !tshm_row_read_retry(&cursor))
            return time;
    }
    return 0;
}

PyObject *row_waiting_versions(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *table, *rows;
    int times;
    if (!PyArg_ParseTuple(args, "OOp:row_versions", &table, &rows, &times))
        return NULL;
    Rows *self = (Rows *)table;
    rows_index index;
    if (!rows_check(table)) {
        PyErr_SetString(PyExc_TypeError, "row_versions() takes a table");
        return NULL;
    }
    if (!self->mapping)
        return rows_fail(self, "closed");
    if (!rows_index_open(self, rows, &index))
        return NULL;
    PyObject *bytes = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(index.count * sizeof(uint64_t)));
    uint64_t *numbers = bytes ? (uint64_t *)PyByteArray_AsString(bytes) : NULL;
    for (size_t i = 0; numbers && i < index.count; i++) {
        tshm_row *row = tshm_row_of(&self->table, rows_index_at(&index, i));
        numbers[i] = times ? time_of(&self->table, row) : tshm_row_number(&self->table, row);
    }
    rows_index_close(&index);
    if (bytes && opened_is_gone((Opened *)self)) {
        Py_DECREF(bytes);
        return rows_fail(self, "gone");
    }
    return bytes;
}

PyObject *row_waiting_holders(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *table, *rows;
    if (!PyArg_ParseTuple(args, "OO:row_holders", &table, &rows))
        return NULL;
    Rows *self = (Rows *)table;
    rows_index index;
    if (!rows_check(table)) {
        PyErr_SetString(PyExc_TypeError, "row_holders() takes a table");
        return NULL;
    }
    if (!self->mapping)
        return rows_fail(self, "closed");
    if (!rows_index_open(self, rows, &index))
        return NULL;
    const tshm_presence *presence = tshm_table_control_of(&self->table)->control.presence;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < index.count; i++) {
        uint64_t number = rows_index_at(&index, i);
        /* relaxed: for people, and nothing is read by it but the number of the process */
        uint64_t word = tshm_load(&tshm_row_of(&self->table, number)->owner, relaxed);
        if (!(word & TSHM_WORD_OWNER) || !held_owner_lives(self->held, number, word))
            continue;
        PyObject *holder =
            Py_BuildValue("KI", (unsigned long long)number, (unsigned int)presence[(word & TSHM_WORD_OWNER) - 1].pid);
        if (!holder || PyList_Append(list, holder) < 0)
            Py_CLEAR(list);
        Py_XDECREF(holder);
    }
    rows_index_close(&index);
    if (list && opened_is_gone((Opened *)self)) {
        Py_DECREF(list);
        return rows_fail(self, "gone");
    }
    return list;
}
