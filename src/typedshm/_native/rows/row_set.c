#include "rows/row_set.h"

#include "lock/guard.h"
#include "rows/row_writing.h"
#include "timeout.h"

#include <stdlib.h>

static PyTypeObject *row_set_type;

typedef struct {
    PyObject_HEAD
    Rows *rows;
    size_t count;
    uint64_t *numbers; /* ascending, so that whoever waits for one has none above it */
    held_hold *holds;
    uint32_t depth;
    unsigned long thread; /* that has them, or 0 */
} RowSet;

static bool check(PyObject *object) {
    return PyObject_TypeCheck(object, row_set_type);
}

static bool give_first(RowSet *self, held_hold *holds, size_t count) {
    bool kept = true;
    while (count-- > 0)
        kept = held_give(self->rows->held, self->rows->mutex, &holds[count], HELD_LOCK) && kept;
    return kept;
}

static int acquire(PyObject *object, int64_t ns) {
    RowSet *self = (RowSet *)object;
    if (!rows_may_write(self->rows))
        return GUARDED_EXCEPTION;
    if (self->thread == PyThread_get_thread_ident()) {
        self->depth++;
        return GUARDED_TAKEN;
    }
    held_hold *holds = calloc(self->count + 1, sizeof *holds); /* those in `self` may be another thread's */
    if (!holds) {
        PyErr_NoMemory();
        return GUARDED_EXCEPTION;
    }
    uint64_t start = os_monotonic_ns();
    for (size_t i = 0; i < self->count; i++) {
        int64_t left = ns == TIMEOUT_FOREVER || ns <= 0 ? ns : ns - (int64_t)(os_monotonic_ns() - start);
        if (row_writing_take(self->rows, self->numbers[i], HELD_LOCK, left > 0 ? left : 0, &holds[i]))
            continue;
        PyObject *type, *error, *trace;
        PyErr_Fetch(&type, &error, &trace);
        give_first(self, holds, i);
        free(holds);
        PyErr_Restore(type, error, trace);
        return GUARDED_EXCEPTION;
    }
    if (self->rows->mapping && opened_is_gone((Opened *)self->rows)) { /* zeros were no free rows */
        give_first(self, holds, self->count);
        free(holds);
        rows_fail(self->rows, "gone");
        return GUARDED_EXCEPTION;
    }
    free(self->holds);
    self->holds = holds;
    self->thread = PyThread_get_thread_ident();
    self->depth = 1;
    return GUARDED_TAKEN;
}

static bool release(PyObject *object, bool repaired) {
    (void)repaired; /* each write of a row was whole */
    RowSet *self = (RowSet *)object;
    if (--self->depth)
        return true;
    self->thread = 0;
    bool kept = give_first(self, self->holds, self->count);
    if (self->rows->mapping)
        rows_wake(self->rows); /* writes under this lock looked at the news before their rows were given back */
    return kept;
}

static uint32_t depth(PyObject *object, unsigned long thread) {
    const RowSet *self = (const RowSet *)object;
    bool ours = self->count == 0 || !self->holds || self->holds[0].forks == os_forks;
    return self->thread == thread && ours ? self->depth : 0;
}

static const guarded row_set_guarded = {acquire, release, depth};

/* RowSet(table, rows) */
static PyObject *row_set_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"table", "rows", NULL};
    PyObject *table, *rows;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:RowSet", names, &table, &rows))
        return NULL;
    if (!rows_check(table)) {
        PyErr_SetString(PyExc_TypeError, "RowSet() takes a table");
        return NULL;
    }
    rows_index index;
    if (!rows_index_open((Rows *)table, rows, &index))
        return NULL;
    RowSet *self = (RowSet *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); /* zeroed */
    if (self) {
        Py_INCREF(table);
        self->rows = (Rows *)table;
        self->count = index.count;
        self->numbers = calloc(index.count + 1, sizeof *self->numbers);
    }
    if (self && !self->numbers) {
        Py_CLEAR(self);
        PyErr_NoMemory();
    }
    for (size_t i = 0; self && i < index.count; i++) {
        self->numbers[i] = rows_index_at(&index, i);
        if (i && self->numbers[i] <= self->numbers[i - 1]) {
            Py_CLEAR(self);
            PyErr_SetString(PyExc_ValueError, "RowSet() takes ascending rows");
        }
    }
    rows_index_close(&index);
    return (PyObject *)self;
}

static void row_set_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    RowSet *self = (RowSet *)object;
    if (self->depth)
        give_first(self, self->holds, self->count);
    free(self->numbers);
    free(self->holds);
    Py_XDECREF((PyObject *)self->rows);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "Several rows of a table, as one lock."},
    {Py_tp_new, row_set_create},
    {Py_tp_dealloc, row_set_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.RowSet", sizeof(RowSet), 0, Py_TPFLAGS_DEFAULT, slots};

int row_set_register(PyObject *module) {
    row_set_type = (PyTypeObject *)PyType_FromSpec(&spec);
    guard_add(check, &row_set_guarded);
    return row_set_type ? PyModule_AddObjectRef(module, "RowSet", (PyObject *)row_set_type) : -1;
}
