#include "rows/rows.h"

#include <stdlib.h>

static PyTypeObject *type; /* that of tables, for as long as the module is there */

void rows_set_type(PyTypeObject *rows) {
    type = rows;
}

bool rows_check(PyObject *object) {
    return PyObject_TypeCheck(object, type);
}

PyObject *rows_fail_for(Rows *self, const char *what, const int64_t *numbers, size_t count) {
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_fail_rows", "sy#", what, (const char *)numbers,
                                           (Py_ssize_t)(count * sizeof *numbers));
    if (result) { /* it is declared never to return */
        Py_DECREF(result);
        PyErr_SetString(PyExc_SystemError, what);
    }
    return NULL;
}

bool rows_fail_taken(Rows *self, uint64_t number, int result) {
    if (result == HELD_MEMORY)
        PyErr_NoMemory();
    else if (result == HELD_TIMEOUT)
        rows_fail_for(self, held_problem(result), (const int64_t *)&number, 1);
    else if (result != HELD_EXCEPTION)
        rows_fail(self, held_problem(result));
    return false;
}

bool rows_number(Rows *self, PyObject *key, uint64_t *number) {
    PyObject *found = NULL, *made = NULL;
    if (PyLong_CheckExact(key))
        found = key;
    else if (self->keys && PyUnicode_CheckExact(key))
        found = PyDict_GetItemWithError(self->keys, key);
    if (!found && !PyErr_Occurred())
        found = made = PyObject_CallMethod((PyObject *)self, "_row_number", "(O)", key);
    if (!found)
        return false;
    int overflow = 0;
    long long signed_number = PyLong_AsLongLongAndOverflow(found, &overflow);
    if (signed_number < 0 && !overflow)
        signed_number += (long long)self->table.row_count;
    bool inside = !overflow && signed_number >= 0 && (uint64_t)signed_number < self->table.row_count;
    if (!inside && !PyErr_Occurred())
        Py_XDECREF(PyObject_CallMethod((PyObject *)self, "_refuse_number", "O", found));
    Py_XDECREF(made);
    *number = (uint64_t)signed_number;
    return inside;
}

bool rows_may_write(Rows *self) {
    const char *problem = !self->mapping ? "closed" : self->refuses ? "layout" : !self->mutex ? "read-only" : NULL;
    if (problem) {
        rows_fail(self, problem);
        return false;
    }
    return mutex_may_write(self->mutex);
}

void rows_wake(Rows *self) {
    tshm_control *control = &tshm_table_control_of(&self->table)->control;
    if (tshm_news(&self->table))
        os_word_wake_all(&self->mutex->lock->lock.peers, control, (void *)&control->head.word);
}

/* ---- many rows --------------------------------------------------------------------------------------------------- */

static bool refuse(Rows *self, int64_t number) {
    Py_XDECREF(PyObject_CallMethod((PyObject *)self, "_refuse_number", "L", (long long)number));
    return false;
}

static bool open_range(Rows *self, PyObject *object, rows_index *index) {
    Py_ssize_t count;
    if (!PyArg_ParseTuple(object, "LLn:rows", &index->start, &index->step, &count))
        return false;
    index->count = (size_t)(count < 0 ? 0 : count);
    uint64_t rows = self->table.row_count, last = index->count ? rows_index_at(index, index->count - 1) : 0;
    if (!index->count || ((uint64_t)index->start < rows && last < rows))
        return true;
    return refuse(self, index->start);
}

static bool copy_numbers(Rows *self, const int64_t *numbers, rows_index *index) {
    index->numbers = malloc(index->count * sizeof *index->numbers + 1);
    if (!index->numbers) {
        PyErr_NoMemory();
        return false;
    }
    for (size_t i = 0; i < index->count; i++) {
        int64_t number = numbers[i];
        index->numbers[i] = (uint64_t)(number < 0 ? number + index->rows : number);
        if (index->numbers[i] >= self->table.row_count)
            return refuse(self, number);
    }
    return true;
}

bool rows_index_open(Rows *self, PyObject *object, rows_index *index) {
    memset(index, 0, sizeof *index);
    index->rows = (int64_t)self->table.row_count;
    if (PyTuple_Check(object))
        return open_range(self, object, index);
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0)
        return false;
    index->count = (size_t)view.len / sizeof *index->numbers;
    bool done = copy_numbers(self, view.buf, index);
    PyBuffer_Release(&view);
    if (!done)
        rows_index_close(index);
    return done;
}

void rows_index_close(rows_index *index) {
    free(index->numbers);
}

bool rows_list_add(rows_list *list, int64_t item) {
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 16;
        int64_t *items = realloc(list->items, room * sizeof *items);
        if (!items)
            return false;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = item;
    return true;
}

void rows_list_free(rows_list *list) {
    free(list->items);
}
