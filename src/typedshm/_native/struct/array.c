/* Arrays: extra = (numpy.ndarray or a subclass, shape, dtype, offset, assign(field, view, value)). Counted ones have
 * one more, the field with the number of used items along the first axis, and assign() returns that number. Bounded
 * ones, whose field begins with numbers of used items, have two more: the offset of the items in the field, and how
 * many axes vary; assign() returns the numbers.
 *
 * An array that only has to be copied and lists of plain numbers are set here; Python's assign() sets, or refuses,
 * everything else. */
#include "struct/array.h"

#include "struct/bits.h"
#include "struct/items.h"
#include "struct/numpy.h"

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
    if (dimensions < 1 || dimensions > ARRAY_MOST_DIMENSIONS)
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

PyObject *array_over(Field *field, char *data, bool writable, PyObject *base, const array_use *use) {
    array_form *form = field->prepared;
    Py_ssize_t some[ARRAY_MOST_DIMENSIONS], *shape = form->shape;
    if (use->axes) {
        memcpy(some, form->shape, (size_t)form->dimensions * sizeof *some);
        memcpy(some, use->shape, (size_t)use->axes * sizeof *some);
        shape = some;
    }
    return numpy_new_array((PyTypeObject *)PyTuple_GetItem(field->extra, 0), PyTuple_GetItem(field->extra, 2),
                           form->dimensions, shape, data, writable, base);
}

PyObject *array_shape(Field *field, const array_use *use) {
    PyObject *whole = PyTuple_GetItem(field->extra, 1);
    PyObject *shape = PyTuple_New(PyTuple_Size(whole));
    for (Py_ssize_t i = 0; shape && i < PyTuple_Size(whole); i++) {
        PyObject *length = i < use->axes ? PyLong_FromSsize_t(use->shape[i]) : Py_NewRef(PyTuple_GetItem(whole, i));
        if (length)
            PyTuple_SetItem(shape, i, length);
        else
            Py_CLEAR(shape);
    }
    return shape;
}

/* ---- the number of used items ------------------------------------------------------------- */

bool array_counted_fits(Field *field, Py_ssize_t size, PyObject *extra) {
    PyObject *counting = PyTuple_GetItem(extra, PyTuple_Size(extra) - 1);
    return field_check(counting) && ((Field *)counting)->codec && array_fits(field, size, extra);
}

bool array_count(Field *field, PyObject *instance, PyObject *counting, array_use *use) {
    Field *of = (Field *)counting;
    PyObject *number = of->codec->get(of, instance);
    if (!number)
        return false;
    int overflow;
    long long count = PyLong_AsLongLongAndOverflow(number, &overflow);
    long long most = PyLong_AsLongLong(PyTuple_GetItem(PyTuple_GetItem(field->extra, 1), 0));
    bool fits = !overflow && count >= 0 && count <= most;
    if (!fits)
        field_refuse(field, number, "count");
    Py_DECREF(number);
    use->axes = 1;
    use->shape[0] = (Py_ssize_t)count;
    return fits;
}

/* The last items of `extra` of bounded arrays, viewed ones too. */
static Py_ssize_t bounded_extra(PyObject *extra, Py_ssize_t from_end) {
    return PyLong_AsSsize_t(PyTuple_GetItem(extra, PyTuple_Size(extra) - from_end));
}

Py_ssize_t array_start(Field *field) {
    return bounded_extra(field->extra, 2);
}

bool array_bounded_fits(Field *field, Py_ssize_t size, PyObject *extra) {
    Py_ssize_t start = bounded_extra(extra, 2), axes = bounded_extra(extra, 1);
    PyObject *shape = PyTuple_GetItem(extra, 1);
    if (PyErr_Occurred() || !PyTuple_Check(shape) || axes < 1 || axes > PyTuple_Size(shape) || start < 4 * axes ||
        start >= size)
        return false;
    return array_fits(field, size - start, extra);
}

bool array_counts(Field *field, const char *bytes, array_use *use) {
    use->axes = (int)bounded_extra(field->extra, 1);
    for (int axis = 0; axis < use->axes; axis++) {
        uint32_t count = (uint32_t)bits_at(bytes + 4 * axis, 4, field->swapped);
        Py_ssize_t most = PyLong_AsSsize_t(PyTuple_GetItem(PyTuple_GetItem(field->extra, 1), axis));
        if (count > (uint64_t)most) {
            PyObject *found = Py_BuildValue("iI", axis, (unsigned int)count);
            if (found)
                field_refuse(field, found, "count");
            Py_XDECREF(found);
            return false;
        }
        use->shape[axis] = (Py_ssize_t)count;
    }
    return true;
}

/* ---- get ---------------------------------------------------------------------------------- */

static const array_use ALL = {0};

/* `start` is where the items are, behind the field's first byte. */
static PyObject *array_of(Field *field, PyObject *instance, Py_ssize_t start, const array_use *use) {
    Py_buffer view;
    char *data = array_is_direct(field) ? field_open(field, instance, PyBUF_WRITABLE, &view) : NULL;
    if (data) { /* it stays where it is for as long as the instance lives, as numpy.ndarray() relies on too */
        struct_close(&view);
        return array_over(field, data + start, true, instance, use);
    }
    PyErr_Clear(); /* said again, or not writable */
    PyObject *extra = field->extra, *shape = array_shape(field, use);
    PyObject *array = shape ? PyObject_CallFunctionObjArgs(PyTuple_GetItem(extra, 0), shape, PyTuple_GetItem(extra, 2),
                                                           instance, PyTuple_GetItem(extra, 3), NULL)
                            : NULL;
    Py_XDECREF(shape);
    return array;
}

static PyObject *array_get(Field *field, PyObject *instance) {
    return array_of(field, instance, 0, &ALL);
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

/* Has Python's assign() set the items of all the room there is, and returns what it returns: the number of used ones.
 */
static PyObject *assign_room(Field *field, PyObject *instance, Py_ssize_t start, PyObject *value) {
    PyObject *room = array_of(field, instance, start, &ALL);
    if (!room)
        return NULL;
    PyObject *number =
        PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 4), (PyObject *)field, room, value, NULL);
    Py_DECREF(room);
    return number;
}

static PyObject *counting_field(Field *field) {
    return PyTuple_GetItem(field->extra, 5);
}

static PyObject *counted_get(Field *field, PyObject *instance) {
    array_use use;
    return array_count(field, instance, counting_field(field), &use) ? array_of(field, instance, 0, &use) : NULL;
}

static int counted_set(Field *field, PyObject *instance, PyObject *value) {
    PyObject *count = assign_room(field, instance, 0, value);
    if (!count)
        return -1;
    Field *counting = (Field *)counting_field(field);
    int failed = counting->codec->set(counting, instance, count);
    Py_DECREF(count);
    return failed;
}

/* ---- bounded ------------------------------------------------------------------------------ */

static bool is_bounded(const Field *field) {
    return field->codec && field->codec->fits == array_bounded_fits;
}

static PyObject *bounded_get(Field *field, PyObject *instance) {
    Py_buffer view;
    array_use use;
    const char *bytes = field_open(field, instance, STRUCT_READ, &view);
    if (!bytes)
        return NULL;
    char counts[4 * ARRAY_MOST_DIMENSIONS]; /* apart: the words of a refusal are foreign code */
    memcpy(counts, bytes, 4 * (size_t)bounded_extra(field->extra, 1));
    struct_close(&view);
    return array_counts(field, counts, &use) ? array_of(field, instance, array_start(field), &use) : NULL;
}

static void store_count(const Field *field, char *bytes, Py_ssize_t axis, Py_ssize_t length) {
    bits_put(bytes + 4 * axis, 4, field->swapped, (uint64_t)length);
}

/* An array of the field's dtype with no more items than there is room for. */
static outcome set_bounded(Field *field, PyObject *instance, PyObject *value) {
    const array_form *form = field->prepared;
    const NumpyArray *array = form && form->is_bytes ? numpy_array(value) : NULL;
    if (!array)
        return LEFT_TO_PYTHON;
    Py_buffer view;
    char *to = field_open(field, instance, PyBUF_WRITABLE, &view);
    if (!to)
        return NOT_SET;
    /* only now, since opening may run foreign code, which may change the array */
    Py_ssize_t size = form->items.width, axes = bounded_extra(field->extra, 1);
    bool fits = array->dimensions == form->dimensions && (array->flags & NUMPY_C_CONTIGUOUS) &&
                numpy_same_dtype(array->dtype, PyTuple_GetItem(field->extra, 2));
    for (int axis = 0; fits && axis < form->dimensions; axis++) {
        fits = axis < axes ? array->shape[axis] <= form->shape[axis] : array->shape[axis] == form->shape[axis];
        if (fits)
            size *= array->shape[axis]; /* else it may be any number */
    }
    if (fits) {
        char *items = to + array_start(field);
        memmove(items, array->data, (size_t)size); /* which may be the field's own bytes, or overlap them */
        if (form->items.kind == 'b')
            normalize_bools(items, size);
        for (Py_ssize_t axis = 0; axis < axes; axis++)
            store_count(field, to, axis, array->shape[axis]);
    }
    struct_close(&view);
    return fits ? SET : LEFT_TO_PYTHON;
}

/* The numbers that Python's assign() returned. */
static int store_counts(Field *field, PyObject *instance, PyObject *counts) {
    char bytes[4 * ARRAY_MOST_DIMENSIONS];
    Py_ssize_t axes = bounded_extra(field->extra, 1);
    for (Py_ssize_t axis = 0; axis < axes; axis++)
        store_count(field, bytes, axis, PyLong_AsSsize_t(PyTuple_GetItem(counts, axis)));
    Py_buffer view;
    char *to = PyErr_Occurred() ? NULL : field_open(field, instance, PyBUF_WRITABLE, &view);
    if (!to)
        return -1;
    memcpy(to, bytes, 4 * (size_t)axes);
    struct_close(&view);
    return 0;
}

static int bounded_set(Field *field, PyObject *instance, PyObject *value) {
    outcome outcome = set_bounded(field, instance, value);
    if (outcome != LEFT_TO_PYTHON)
        return outcome == SET ? 0 : -1;
    PyObject *counts = assign_room(field, instance, array_start(field), value);
    if (!counts)
        return -1;
    bool fits = PyTuple_Check(counts) && PyTuple_Size(counts) >= bounded_extra(field->extra, 1);
    if (!fits)
        PyErr_SetString(PyExc_TypeError, "typedshm: expected the numbers of used items");
    int failed = fits ? store_counts(field, instance, counts) : -1;
    Py_DECREF(counts);
    return failed;
}

/* The bytes of the used items, of a field whose numbers of used items may be too large. */
static size_t used_bytes(Field *field, const char *bytes) {
    Py_ssize_t axes = bounded_extra(field->extra, 1), size = field->size - array_start(field);
    for (Py_ssize_t axis = 0; axis < axes; axis++) /* of one step */
        size /= PyLong_AsSsize_t(PyTuple_GetItem(PyTuple_GetItem(field->extra, 1), axis));
    for (Py_ssize_t axis = 0; axis < axes; axis++) {
        Py_ssize_t most = PyLong_AsSsize_t(PyTuple_GetItem(PyTuple_GetItem(field->extra, 1), axis));
        uint32_t count = (uint32_t)bits_at(bytes + 4 * axis, 4, field->swapped);
        size *= count < (uint64_t)most ? (Py_ssize_t)count : most;
    }
    return (size_t)size;
}

/* resize(field, instance, counts, zero) */
static PyObject *resize(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *object, *instance, *counts;
    int zero;
    if (!PyArg_ParseTuple(args, "OOO!p:resize", &object, &instance, &PyTuple_Type, &counts, &zero))
        return NULL;
    Field *field = (Field *)object;
    if (!field_check(object) || !is_bounded(field) || !PyObject_TypeCheck(instance, field->owner) ||
        PyTuple_Size(counts) != bounded_extra(field->extra, 1)) {
        PyErr_SetString(PyExc_TypeError, "resize: expected a field of which axes vary, an instance, and their lengths");
        return NULL;
    }
    char numbers[4 * ARRAY_MOST_DIMENSIONS];
    array_use use;
    for (Py_ssize_t axis = 0; axis < PyTuple_Size(counts); axis++)
        store_count(field, numbers, axis, PyLong_AsSsize_t(PyTuple_GetItem(counts, axis)));
    if (PyErr_Occurred() || !array_counts(field, numbers, &use)) /* which refuses too many */
        return NULL;
    Py_buffer view;
    char *to = field_open(field, instance, PyBUF_WRITABLE, &view);
    if (!to)
        return NULL;
    size_t before = used_bytes(field, to), now = used_bytes(field, numbers);
    if (zero && now > before)
        memset(to + array_start(field) + before, 0, now - before);
    memcpy(to, numbers, 4 * (size_t)use.axes);
    struct_close(&view);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"resize", resize, METH_VARARGS, "Set the numbers of used items of an array field, and have new ones be zero."},
    {NULL, NULL, 0, NULL},
};

int array_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}

const field_codec array_codecs[] = {
    {"array", array_get, array_set, array_fits, 0, false, 5},
    {"counted array", counted_get, counted_set, array_counted_fits, 0, false, 6},
    {"bounded array", bounded_get, bounded_set, array_bounded_fits, 0, false, 7},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
