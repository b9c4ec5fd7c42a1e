/* RowBlock: a transaction on one row, on a private copy: all of it is published, or nothing. */
#include "rows/row_block.h"

#include "rows/row_reading.h"
#include "rows/row_writing.h"
#include "struct/lease.h"
#include "timeout.h"

static PyTypeObject *block_type;
static PyObject *ended_words;

typedef struct {
    PyObject_HEAD
    Rows *rows;
    uint64_t number;
    int64_t timeout;
    PyObject *value; /* NULL before and after the block */
    PyObject *lease; /* ends with the block */
    held_hold hold;
    unsigned long thread;
} RowBlock;

PyObject *row_block_update(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    uint64_t number;
    if (count != 3 || !rows_check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "update_row() takes a table, a row and a timeout");
        return NULL;
    }
    Rows *rows = (Rows *)args[0];
    int64_t ns = rows->timeout;
    if (timeout_convert(args[2], &ns) < 0 || !rows_number(rows, args[1], &number))
        return NULL;
    if (rows->values.type && !values_part(&rows->values, "leased", &rows->values.leased))
        return NULL; /* not later, with the row */
    RowBlock *self = PyObject_New(RowBlock, block_type);
    if (!self)
        return NULL;
    Py_INCREF((PyObject *)rows);
    self->rows = rows;
    self->number = number;
    self->timeout = ns;
    self->value = self->lease = NULL;
    self->thread = 0;
    return (PyObject *)self;
}

static bool preload(RowBlock *self, PyObject *value) {
    Rows *rows = self->rows;
    Py_buffer view;
    if (values_open(&rows->values, value, PyBUF_WRITABLE, &view) < 0)
        return false;
    publication found;
    bool fits = (size_t)view.len == rows->values.size;
    int state = fits ? row_reading_copy(rows, self->number, view.buf, &found) : ROW_FAILED;
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "the schema made a value of another size");
    bool filled = state == ROW_READ || (state == ROW_EMPTY && values_defaults(&rows->values, view.buf));
    if (!filled && !PyErr_Occurred())
        row_reading_fail(rows, self->number, state);
    struct_close(&view);
    return filled;
}

static PyObject *block_enter(PyObject *object, PyObject *unused) {
    (void)unused;
    RowBlock *self = (RowBlock *)object;
    Rows *rows = self->rows;
    if (self->value)
        return rows_fail(rows, "entered twice");
    if (!rows_may_write(rows) || !row_writing_take(rows, self->number, HELD_BLOCK, self->timeout, &self->hold))
        return NULL;
    self->thread = PyThread_get_thread_ident();
    native_set(&self->lease, lease_new(ended_words, false));
    PyObject *value = self->lease ? values_make_leased(&rows->values, self->lease) : NULL, *shown = NULL;
    if (value && preload(self, value))
        shown = rows->values.part ? PyObject_GetAttr(value, rows->values.part) : Py_NewRef(value);
    if (shown) {
        self->value = value;
        return shown;
    }
    Py_XDECREF(value);
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    (void)row_writing_give(rows, &self->hold, HELD_BLOCK, false);
    PyErr_Restore(type, error, trace);
    return NULL;
}

static bool publish(RowBlock *self) {
    Rows *rows = self->rows;
    Py_buffer view;
    if (!values_check(&rows->values, self->value) || values_open(&rows->values, self->value, PyBUF_SIMPLE, &view) < 0)
        return false;
    bool stored = (size_t)view.len == rows->values.size; /* an array can be resized by force */
    if (!stored)
        rows_fail(rows, "resized");
    if (stored && (stored = values_check_extents(&rows->values, (PyObject *)rows, self->value, view.buf))) {
        row_writing_store(rows, self->number, view.buf, os_realtime_ns());
        writers_lock_note_write(rows->mutex->lock);
    }
    struct_close(&view);
    return stored;
}

static PyObject *block_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    RowBlock *self = (RowBlock *)object;
    Rows *rows = self->rows;
    bool raised = count && args[0] != Py_None;
    if (!self->value)
        return rows_fail(rows, "not entered");
    if (self->hold.forks != os_forks) { /* the child of a fork: the parent publishes, we just stop */
        lease_end(self->lease);
        Py_CLEAR(self->value);
        return raised ? Py_NewRef(Py_False) : rows_fail(rows, "forked");
    }
    if (self->thread != PyThread_get_thread_ident())
        return rows_fail(rows, "other thread");
    bool published = !raised && publish(self);
    lease_end(self->lease);
    Py_CLEAR(self->value);
    if (!published && !raised) {
        PyObject *type, *error, *trace;
        PyErr_Fetch(&type, &error, &trace);
        (void)row_writing_give(rows, &self->hold, HELD_BLOCK, false);
        PyErr_Restore(type, error, trace);
        return NULL;
    }
    if (!row_writing_give(rows, &self->hold, HELD_BLOCK, published))
        return NULL;
    if (rows->mapping && opened_is_gone((Opened *)rows))
        return rows_fail(rows, "gone");
    return Py_NewRef(Py_False);
}

/* One that is thrown away while open publishes nothing, and gives the row back, whichever thread does so. */
static void block_dealloc(PyObject *object) {
    RowBlock *self = (RowBlock *)object;
    if (self->value)
        (void)held_give(self->rows->held, self->rows->mutex, &self->hold, HELD_BLOCK);
    if (self->lease)
        lease_end(self->lease);
    Py_XDECREF(self->value);
    Py_XDECREF(self->lease);
    PyTypeObject *type = Py_TYPE(object);
    Py_DECREF((PyObject *)self->rows);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"__enter__", block_enter, METH_NOARGS, "Take the row and hand out a copy of its newest version."},
    {"__exit__", (PyCFunction)(void (*)(void))block_exit, METH_FASTCALL, "Publish, or drop if the block raised."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A transaction on one row: published whole at its end, dropped whole if it raises."},
    {Py_tp_dealloc, block_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.RowBlock", sizeof(RowBlock), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

int row_block_register(PyObject *module) {
    if (!ended_words &&
        !(ended_words = PyUnicode_FromString("this value belonged to an update() block, which has ended; use "
                                             "copy.copy(value) inside the block to keep one")))
        return -1;
    block_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return block_type ? PyModule_AddObjectRef(module, "RowBlock", (PyObject *)block_type) : -1;
}
