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

/* ---- many rows ----------------------------------------------------------------------------------------------------
 */

/* The first number that is none of a row's; or `count`. */
static size_t first_outside(const rows_index *index, uint64_t row_count) {
    if (!index->numbers) {
        if (!index->count)
            return 0;
        uint64_t last = rows_index_at(index, index->count - 1);
        return (uint64_t)index->start < row_count && last < row_count ? index->count : 0;
    }
    for (size_t i = 0; i < index->count; i++)
        if (rows_index_at(index, i) >= row_count)
            return i;
    return index->count;
}

bool rows_index_open(Rows *self, PyObject *object, rows_index *index) {
    memset(index, 0, sizeof *index);
    index->rows = (int64_t)self->table.row_count;
    if (PyTuple_Check(object)) {
        Py_ssize_t count;
        if (!PyArg_ParseTuple(object, "LLn:rows", &index->start, &index->step, &count))
            return false;
        index->count = (size_t)(count < 0 ? 0 : count);
    } else {
        if (PyObject_GetBuffer(object, &index->view, PyBUF_SIMPLE) < 0)
            return false;
        index->numbers = index->view.buf;
        index->count = (size_t)index->view.len / sizeof *index->numbers;
    }
    size_t outside = first_outside(index, self->table.row_count);
    if (outside == index->count)
        return true;
    int64_t number = index->numbers ? index->numbers[outside] : (int64_t)rows_index_at(index, outside);
    Py_XDECREF(PyObject_CallMethod((PyObject *)self, "_refuse_number", "L", (long long)number));
    rows_index_close(index);
    return false;
}

void rows_index_close(rows_index *index) {
    if (index->view.obj)
        PyBuffer_Release(&index->view);
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
