/* Arrays: extra = (numpy.ndarray or a subclass, shape, dtype, offset, assign(field, view, value)). Counted ones have
 * one more, the field with the number of used items along the first axis, and assign() returns that number.
 *
 * An array that only has to be copied and lists of plain numbers are set here; Python's assign() sets, or refuses,
 * everything else. */
#include "struct/array.h"

#include "struct/items.h"
#include "struct/numpy.h"

enum { MOST_DIMENSIONS = 64 };

/* What is known beforehand of a field whose arrays are made here. */
typedef struct {
    items_format items;
    bool is_bytes; /* an equal array is copied as bytes: one of Structs has gaps, which stay as they are */
    int dimensions;
    Py_ssize_t shape[];
} array_form;

/* ---- the form ----------------------------------------------------------------------------- */

/* The items of a dtype. False and an error set if that has not the attributes of one. */
static bool read_dtype(PyObject *dtype, array_form *form) {
    PyObject *kind = PyObject_GetAttrString(dtype, "kind");
    PyObject *width = kind ? PyObject_GetAttrString(dtype, "itemsize") : NULL;
    PyObject *native = width ? PyObject_GetAttrString(dtype, "isnative") : NULL;
    PyObject *names = native ? PyObject_GetAttrString(dtype, "names") : NULL;
    if (names) {
        form->items.kind = (char)PyUnicode_ReadChar(kind, 0);
        form->items.width = PyLong_AsSsize_t(width);
        form->items.swapped = native == Py_False;
        form->is_bytes = names == Py_None;
    }
    Py_XDECREF(names);
    Py_XDECREF(native);
    Py_XDECREF(width);
    Py_XDECREF(kind);
    return !PyErr_Occurred();
}

/* Whether the shape takes up the field's bytes exactly. */
static bool read_shape(PyObject *shape, Py_ssize_t size, array_form *form) {
    Py_ssize_t rest = size;
    if (form->items.width <= 0 || rest % form->items.width)
        return false;
    rest /= form->items.width;
    for (int i = 0; i < form->dimensions; i++) {
        Py_ssize_t length = PyLong_AsSsize_t(PyTuple_GetItem(shape, i));
        if (length <= 0 || rest % length)
            return false;
        rest /= length;
        form->shape[i] = length;
    }
    return rest == 1;
}

bool array_fits(Field *field, Py_ssize_t size, PyObject *extra) {
    PyObject *shape = PyTuple_GetItem(extra, 1), *dtype = PyTuple_GetItem(extra, 2);
    Py_ssize_t dimensions = PyTuple_Check(shape) ? PyTuple_Size(shape) : 0;
    if (dimensions < 1 || dimensions > MOST_DIMENSIONS)
        return false;
    if (!numpy_usable())
        return true;
    if (!numpy_can_make(PyTuple_GetItem(extra, 0), dtype))
        return false;
    array_form *form = PyMem_Calloc(1, sizeof *form + (size_t)dimensions * sizeof *form->shape);
    if (!form) {
        PyErr_NoMemory();
        return false;
    }
    form->dimensions = (int)dimensions;
    if (!read_dtype(dtype, form) || !read_shape(shape, size, form)) {
        PyMem_Free(form);
        return false;
    }
    PyMem_Free(field->prepared);
    field->prepared = form;
    return true;
}

bool array_is_direct(Field *field) {
    return field->prepared;
}

PyObject *array_over(Field *field, char *data, bool writable, PyObject *base, Py_ssize_t count) {
    array_form *form = field->prepared;
    Py_ssize_t some[MOST_DIMENSIONS], *shape = form->shape;
    if (count != ARRAY_ALL) {
        memcpy(some, form->shape, (size_t)form->dimensions * sizeof *some);
        some[0] = count;
        shape = some;
    }
    return numpy_new_array((PyTypeObject *)PyTuple_GetItem(field->extra, 0), PyTuple_GetItem(field->extra, 2),
                           form->dimensions, shape, data, writable, base);
}

PyObject *array_shape(Field *field, Py_ssize_t count) {
    PyObject *whole = PyTuple_GetItem(field->extra, 1);
    if (count == ARRAY_ALL)
        return Py_NewRef(whole);
    PyObject *shape = PyTuple_New(PyTuple_Size(whole));
    PyObject *first = shape ? PyLong_FromSsize_t(count) : NULL;
    if (!first) {
        Py_XDECREF(shape);
        return NULL;
    }
    PyTuple_SetItem(shape, 0, first);
    for (Py_ssize_t i = 1; i < PyTuple_Size(whole); i++)
        PyTuple_SetItem(shape, i, Py_NewRef(PyTuple_GetItem(whole, i)));
    return shape;
}

/* ---- the number of used items ------------------------------------------------------------- */

bool array_counted_fits(Field *field, Py_ssize_t size, PyObject *extra) {
    PyObject *counting = PyTuple_GetItem(extra, PyTuple_Size(extra) - 1);
    return field_check(counting) && ((Field *)counting)->codec && array_fits(field, size, extra);
}

Py_ssize_t array_count(Field *field, PyObject *instance, PyObject *counting) {
    Field *of = (Field *)counting;
    PyObject *number = of->codec->get(of, instance);
    if (!number)
        return -1;
    int overflow;
    long long count = PyLong_AsLongLongAndOverflow(number, &overflow);
    long long most = PyLong_AsLongLong(PyTuple_GetItem(PyTuple_GetItem(field->extra, 1), 0));
    if (overflow || count < 0 || count > most) {
        field_refuse(field, number, "count");
        count = -1;
    }
    Py_DECREF(number);
    return (Py_ssize_t)count;
}

/* ---- get ---------------------------------------------------------------------------------- */

static PyObject *array_of(Field *field, PyObject *instance, Py_ssize_t count) {
    Py_buffer view;
    char *data = array_is_direct(field) ? field_open(field, instance, PyBUF_WRITABLE, &view) : NULL;
    if (data) { /* it stays where it is for as long as the instance lives, as numpy.ndarray() relies on too */
        struct_close(&view);
        return array_over(field, data, true, instance, count);
    }
    PyErr_Clear(); /* said again, or not writable */
    PyObject *extra = field->extra, *shape = array_shape(field, count);
    PyObject *array = shape ? PyObject_CallFunctionObjArgs(PyTuple_GetItem(extra, 0), shape, PyTuple_GetItem(extra, 2),
                                                           instance, PyTuple_GetItem(extra, 3), NULL)
                            : NULL;
    Py_XDECREF(shape);
    return array;
}

static PyObject *array_get(Field *field, PyObject *instance) {
    return array_of(field, instance, ARRAY_ALL);
}

/* ---- set ---------------------------------------------------------------------------------- */

typedef enum { SET, NOT_SET, LEFT_TO_PYTHON } outcome;

static bool equal_form(Field *field, const array_form *form, const NumpyArray *array) {
    return array->dimensions == form->dimensions && (array->flags & NUMPY_C_CONTIGUOUS) &&
           memcmp(array->shape, form->shape, (size_t)form->dimensions * sizeof *form->shape) == 0 &&
           numpy_same_dtype(array->dtype, PyTuple_GetItem(field->extra, 2));
}

/* Memory may hold any byte for True; a field holds 1. */
static void normalize_bools(char *bools, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++)
        bools[i] = bools[i] != 0;
}

static outcome set_array(Field *field, const array_form *form, PyObject *instance, const NumpyArray *array) {
    if (!form->is_bytes)
        return LEFT_TO_PYTHON;
    Py_buffer view;
    char *to = field_open(field, instance, PyBUF_WRITABLE, &view);
    if (!to)
        return NOT_SET;
    /* only now, since opening may run foreign code, which may change the array */
    bool equal = equal_form(field, form, array);
    if (equal) {
        memmove(to, array->data, (size_t)field->size); /* which may be the field's own bytes, or overlap them */
        if (form->items.kind == 'b')
            normalize_bools(to, field->size);
    }
    struct_close(&view);
    return equal ? SET : LEFT_TO_PYTHON;
}

static outcome set_items(Field *field, const array_form *form, PyObject *instance, PyObject *items) {
    char few[512]; /* apart from the field, which stays as it is if an item does not fit */
    char *packed = field->size <= (Py_ssize_t)sizeof few ? few : PyMem_Malloc((size_t)field->size);
    outcome outcome = LEFT_TO_PYTHON;
    if (packed && items_pack(&form->items, form->dimensions, form->shape, items, packed))
        outcome = field_store(field, instance, packed, field->size) == 0 ? SET : NOT_SET;
    if (packed != few)
        PyMem_Free(packed);
    return outcome;
}

static outcome set_directly(Field *field, PyObject *instance, PyObject *value) {
    const array_form *form = field->prepared;
    if (!form)
        return LEFT_TO_PYTHON;
    const NumpyArray *array = numpy_array(value);
    return array ? set_array(field, form, instance, array) : set_items(field, form, instance, value);
}

static int array_set(Field *field, PyObject *instance, PyObject *value) {
    outcome outcome = set_directly(field, instance, value);
    if (outcome != LEFT_TO_PYTHON)
        return outcome == SET ? 0 : -1;
    PyObject *view = array_get(field, instance);
    if (!view)
        return -1;
    PyObject *done =
        PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 4), (PyObject *)field, view, value, NULL);
    Py_DECREF(view);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* ---- counted ------------------------------------------------------------------------------ */

static PyObject *counting_field(Field *field) {
    return PyTuple_GetItem(field->extra, 5);
}

static PyObject *counted_get(Field *field, PyObject *instance) {
    Py_ssize_t count = array_count(field, instance, counting_field(field));
    return count < 0 ? NULL : array_of(field, instance, count);
}

static int counted_set(Field *field, PyObject *instance, PyObject *value) {
    PyObject *room = array_get(field, instance);
    if (!room)
        return -1;
    PyObject *count =
        PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 4), (PyObject *)field, room, value, NULL);
    Py_DECREF(room);
    if (!count)
        return -1;
    Field *counting = (Field *)counting_field(field);
    int failed = counting->codec->set(counting, instance, count);
    Py_DECREF(count);
    return failed;
}

const field_codec array_codecs[] = {
    {"array", array_get, array_set, array_fits, 0, false, 5},
    {"counted array", counted_get, counted_set, array_counted_fits, 0, false, 6},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
