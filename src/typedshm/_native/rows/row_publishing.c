#include "rows/row_publishing.h"

#include "ring/raw.h"
#include "rows/row_writing.h"

struct publishing {
    Rows *rows;
    uint64_t number; /* of the row */
    const raw_value *raw;
    uint64_t now;
};

static void store(void *context) {
    const struct publishing *publishing = context;
    const raw_value *raw = publishing->raw;
    row_writing_store_as(publishing->rows, publishing->number, raw->bytes, raw->version,
                         raw->time ? raw->time : publishing->now);
}

/* By who has the row. The version that it got, or 0 and an error set: its number is not above the newest. */
static uint64_t store_held(struct publishing *publishing) {
    Rows *self = publishing->rows;
    tshm_row *row = tshm_row_of(&self->table, publishing->number);
    uint64_t newest = tshm_row_number(&self->table, row), given = publishing->raw->version;
    if (given && given <= newest) {
        PyErr_Format(PyExc_ValueError, "version: expected a number above %llu, that of the row's newest, found %llu",
                     (unsigned long long)newest, (unsigned long long)given);
        return 0;
    }
    if (self->values.size > VALUES_LARGE)
        opened_work_apart((Opened *)self, store, publishing);
    else
        store(publishing);
    return tshm_row_number(&self->table, row);
}

static uint64_t publish(Rows *self, uint64_t number, const raw_value *raw) {
    held_hold hold;
    if (!rows_may_write(self) || !row_writing_take(self, number, HELD_VERB, self->timeout, &hold))
        return 0;
    struct publishing publishing = {self, number, raw, os_realtime_ns()};
    uint64_t version = store_held(&publishing);
    if (version)
        writers_lock_note_write(self->mutex->lock);
    bool kept = row_writing_give(self, &hold, HELD_VERB, version != 0);
    return kept && version && row_writing_look_after(self, publishing.now) ? version : 0;
}

static PyObject *publish_row(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 5 || !rows_check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "publish_row() takes a table, a row, bytes, a version and a time");
        return NULL;
    }
    Rows *self = (Rows *)args[0];
    uint64_t number;
    raw_value raw;
    if (!self->mapping)
        return rows_fail(self, "closed");
    if (!rows_number(self, args[1], &number) || !raw_open(&self->values, args + 2, &raw))
        return NULL;
    uint64_t version = publish(self, number, &raw);
    raw_close(&raw);
    return version ? PyLong_FromUnsignedLongLong(version) : NULL;
}

static PyMethodDef functions[] = {
    {"publish_row", (PyCFunction)(void (*)(void))publish_row, METH_FASTCALL,
     "Publish bytes in a row with a number and a time in ns, 0: the next, and now; the number that they got."},
    {NULL, NULL, 0, NULL},
};

int row_publishing_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
