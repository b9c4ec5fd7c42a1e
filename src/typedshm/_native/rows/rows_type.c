/* The Rows object: its making, its end, and what it is asked. */
#include "rows/rows_type.h"

#include "rows/row_block.h"
#include "rows/row_reading.h"
#include "rows/row_waiting.h"
#include "rows/row_writing.h"

static int rows_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    Rows *self = (Rows *)object;
    static char *names[] = {"mapping", "instance", "mutex", "held", "schema", "size", "refuses", "keys", "words", NULL};
    PyObject *mapping, *mutex, *held, *schema, *keys, *words;
    Py_ssize_t size;
    unsigned long long instance;
    int refuses;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OKOOOnpOU:Rows", names, &mapping, &instance, &mutex, &held, &schema,
                                     &size, &refuses, &keys, &words))
        return -1;
    if (self->mapping_ref || !mapping_check(mapping) || (mutex != Py_None && !mutex_check(mutex)) ||
        !held_check(held) || (keys != Py_None && !PyDict_Check(keys))) {
        PyErr_SetString(PyExc_TypeError, "Rows() takes a Mapping, a Mutex and HeldRows, once");
        return -1;
    }
    tshm_header header;
    const os_memory *memory = &((Mapping *)mapping)->memory;
    const char *problem = tshm_check_table(memory->start, memory->size, &header, &self->table);
    if (!problem && (size < 1 || (uint64_t)size > self->table.payload_size))
        problem = "the schema does not fit the payload";
    if (problem) {
        PyErr_SetString(PyExc_ValueError, problem);
        return -1;
    }
    self->refuses = refuses;
    Py_INCREF(held);
    self->held = (HeldRows *)held;
    Py_INCREF(words);
    self->copy_words = words;
    if (keys != Py_None) {
        Py_INCREF(keys);
        self->keys = keys;
    }
    return opened_start((Opened *)self, mapping, instance, mutex, schema, (size_t)size);
}

static int rows_traverse(PyObject *object, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(object));
    return values_visit(&((Rows *)object)->values, visit, arg);
}

static void rows_dealloc(PyObject *object) {
    Rows *self = (Rows *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    opened_end((Opened *)self);
    Py_XDECREF((PyObject *)self->held);
    Py_XDECREF(self->keys);
    Py_XDECREF(self->copy_words);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static Py_ssize_t rows_length(PyObject *object) {
    return (Py_ssize_t)((Rows *)object)->table.row_count;
}

/* One row at once; what else stands in brackets is Python's part. */
static bool is_one(const Rows *self, PyObject *key) {
    return PyLong_CheckExact(key) || (self->keys && PyUnicode_CheckExact(key));
}

static PyObject *value_of(Rows *self, PyObject *key) {
    uint64_t number;
    if (!self->mapping)
        return rows_fail(self, "closed");
    return rows_number(self, key, &number) ? row_reading_value(self, number) : NULL;
}

static PyObject *rows_get(PyObject *object, PyObject *key) {
    Rows *self = (Rows *)object;
    return is_one(self, key) ? value_of(self, key) : PyObject_CallMethod(object, "_get", "(O)", key);
}

static int rows_set(PyObject *object, PyObject *key, PyObject *value) {
    Rows *self = (Rows *)object;
    uint64_t number;
    if (value && is_one(self, key) && !PyDict_Check(value)) { /* a dict is columns */
        if (!self->mapping) {
            rows_fail(self, "closed");
            return -1;
        }
        return rows_number(self, key, &number) && row_writing_write(self, number, value, self->timeout) ? 0 : -1;
    }
    PyObject *done = value ? PyObject_CallMethod(object, "_set", "OO", key, value)
                           : PyObject_CallMethod(object, "_delete", "(O)", key);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* read_row(table, row) */
static PyObject *read_row(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count == 2 && rows_check(args[0]))
        return value_of((Rows *)args[0], args[1]);
    PyErr_SetString(PyExc_TypeError, "read_row() takes a table and a row");
    return NULL;
}

static PyMethodDef methods[] = {
    {"__class_getitem__", (PyCFunction)Py_GenericAlias, METH_O | METH_CLASS, "Table[T], for annotations."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The verbs of a table that are written in C."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, rows_init},
    {Py_tp_traverse, rows_traverse},
    {Py_tp_dealloc, rows_dealloc},
    {Py_tp_methods, methods},
    {Py_mp_length, rows_length},
    {Py_mp_subscript, rows_get},
    {Py_mp_ass_subscript, rows_set},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Rows", sizeof(Rows), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"read_row", FAST(read_row), METH_FASTCALL, "The newest version of one row."},
    {"zero_row", row_reading_zero, METH_O, "A read-only value of zeros; None for models and classes of ctypes."},
    {"read_rows", row_reading_many, METH_VARARGS, "Those of many, into a buffer."},
    {"row_versions", row_waiting_versions, METH_VARARGS, "Their numbers, or times, as 64-bit numbers in a bytearray."},
    {"row_holders", row_waiting_holders, METH_VARARGS, "[(number, process id)] of those that somebody alive has."},
    {"write_row", FAST(row_writing_one), METH_FASTCALL, "Publish a version of one row."},
    {"write_rows", row_writing_many, METH_VARARGS, "Of many, from a buffer, of which only some bytes may count."},
    {"append_row", FAST(row_writing_append), METH_FASTCALL, "Of the row whose turn it is; its number."},
    {"append_rows", row_writing_append_many, METH_VARARGS, "Of several; the number of the first."},
    {"filled_rows", row_writing_filled, METH_O,
     "(rows that hold something from the first on, tickets given, of them lapped)."},
    {"update_row", FAST(row_block_update), METH_FASTCALL, "A transaction on one row."},
    {"wait_rows", row_waiting_wait, METH_VARARGS, "Positions of the rows that hold another version, once one does."},
    {NULL, NULL, 0, NULL},
};

int rows_type_register(PyObject *module) {
    PyObject *rows_type = PyType_FromSpecWithBases(&spec, opened_base());
    rows_set_type((PyTypeObject *)rows_type);
    bool added = rows_type && PyModule_AddObjectRef(module, "Rows", rows_type) == 0;
    return added ? PyModule_AddFunctions(module, functions) : -1;
}
