/* Viewed: put before a Struct among the bases, it makes the Struct read-only, for bytes that a pin keeps; or, if it is
 * an item of a read-only array, a memoryview of that. */
#include "ring/view.h"

#include "struct/array.h"
#include "struct/struct.h"

static PyObject *read_only_error; /* told by register_read_only() */

/* What keeps the bytes of an item of a read-only array: NULL for other Structs. */
static PyObject *kept_by_array(PyObject *self) {
    PyObject *state = struct_check(self) ? struct_state(self) : NULL;
    return state && PyMemoryView_Check(state) ? state : NULL;
}

static Pin *living_pin(PyObject *self) {
    Pin *pin = struct_check(self) ? pin_of(struct_state(self)) : NULL;
    if (pin && !tshm_load(&pin->ended, relaxed))
        return pin;
    if (pin)
        pin_raise_ended(pin);
    else
        PyErr_SetString(PyExc_BufferError, "a borrowed Struct without a pin");
    return NULL;
}

/* Three kinds of callers: our fields, which are done with the bytes at once; those who keep the buffer, and with it a
 * Hold, as memoryview does; and numpy.ndarray(buffer=value), which keeps no buffer but this object: from then on it
 * keeps the slot for as long as it lives. */
static int viewed_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    view->obj = NULL;
    bool kept = kept_by_array(self) != NULL; /* for as long as this object lives */
    Pin *pin = kept ? NULL : living_pin(self);
    if (!pin && !kept)
        return -1;
    if (flags & PyBUF_WRITABLE) {
        if (kept)
            PyErr_SetString(read_only_error,
                            "an item of a read-only array is read-only; copy.copy(item) is one to change");
        else if (pin->read_only)
            PyErr_SetObject(read_only_error, pin->read_only);
        else
            PyErr_SetString(read_only_error, "a borrowed value is read-only; copy.copy(value) is one to change");
        return -1;
    }
    if (struct_getbuffer(self, view, flags) < 0)
        return -1;
    view->readonly = 1;
    if (kept || flags == STRUCT_READ)
        return 0;
    bool keeps_buffer = (flags & PyBUF_FORMAT) || (flags & PyBUF_ANY_CONTIGUOUS) != PyBUF_ANY_CONTIGUOUS;
    PyObject *hold = pin_hold(pin, keeps_buffer ? self : NULL);
    if (!hold) {
        PyBuffer_Release(view);
        return -1;
    }
    if (keeps_buffer)
        native_set(&view->obj, hold);
    else
        struct_set_state(self, hold);
    return 0;
}

static bool viewed_allows(PyObject *state, bool write) {
    const Pin *pin = pin_of(state);
    return !write && ((pin && !tshm_load(&pin->ended, relaxed)) || (state && PyMemoryView_Check(state)));
}

/* Nothing to do, but that there is one tells numpy.frombuffer to keep the buffer. */
static void viewed_releasebuffer(PyObject *self, Py_buffer *view) {
    (void)self, (void)view;
}

/* ---- fields of a viewed Struct ---------------------------------------------------------------------------------- */

PyObject *view_new(PyObject *keeper, PyObject *make, char *start) {
    PyObject *address = PyLong_FromVoidPtr(start);
    PyObject *value = address ? PyObject_CallFunctionObjArgs(make, address, NULL) : NULL;
    Py_XDECREF(address);
    if (value && !struct_check(value)) {
        Py_CLEAR(value);
        PyErr_SetString(PyExc_TypeError, "typedshm: only a Struct can be a view");
    }
    if (value) {
        Py_INCREF(keeper);
        struct_set_state(value, keeper);
    }
    return value;
}

/* A Struct remembers the pin, and raises when it has ended; an array cannot, and keeps it by a Hold. What ctypes makes
 * writes to pages that must not be written to, so a Struct takes its place. */
PyObject *view_of_pin(schema_values *values, Pin *pin) {
    if (values->type || values->unguarded) {
        PyObject *viewed = values_part(values, "viewed", &values->viewed);
        PyObject *value = viewed ? view_new((PyObject *)pin, viewed, pin->start) : NULL;
        if (value && values->part)
            native_set(&value, PyObject_GetAttr(value, values->part));
        return value;
    }
    PyObject *hold = pin_hold(pin, NULL);
    if (!hold)
        return NULL;
    PyObject *value = PyObject_CallFunction(values->overlay, "OiO", hold, 0, Py_None);
    Py_DECREF(hold);
    return value;
}

/* Where a field's bytes are; NULL and an error set once the block has ended. */
static char *address_of(Field *field, PyObject *instance) {
    Py_buffer view;
    char *address = field_open(field, instance, STRUCT_READ, &view);
    if (address)
        struct_close(&view);
    return address;
}

static PyObject *struct_get(Field *field, PyObject *instance) {
    char *address = address_of(field, instance);
    if (!address)
        return NULL;
    PyObject *array = kept_by_array(instance);
    return view_new(array ? array : (PyObject *)pin_of(struct_state(instance)), PyTuple_GetItem(field->extra, 1),
                    address);
}

/* Where the bytes of a memoryview are. */
static char *start_of(PyObject *memoryview) {
    Py_buffer view;
    if (PyObject_GetBuffer(memoryview, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    char *start = view.buf;
    PyBuffer_Release(&view);
    return start;
}

static PyObject *array_in_python(Field *field, PyObject *keeper, Py_ssize_t offset, const array_use *use) {
    PyObject *shape = array_shape(field, use);
    PyObject *array = shape ? PyObject_CallFunction(PyTuple_GetItem(field->extra, 0), "OOOn", shape,
                                                    PyTuple_GetItem(field->extra, 2), keeper, offset)
                            : NULL;
    Py_XDECREF(shape);
    return array;
}

/* `items` is where they are, in the bytes of the instance. */
static PyObject *array_of(Field *field, PyObject *instance, char *items, const array_use *use) {
    PyObject *keeper = kept_by_array(instance);
    Pin *pin = keeper ? NULL : pin_of(struct_state(instance));
    if (pin)
        keeper = pin_hold(pin, NULL);
    else
        Py_INCREF(keeper);
    char *start = pin ? pin->start : start_of(keeper);
    PyObject *array = NULL;
    if (keeper && pin && array_is_direct(field))
        array = array_over(field, items, false, keeper, use);
    else if (keeper && start)
        array = array_in_python(field, keeper, (Py_ssize_t)(items - start), use);
    Py_XDECREF(keeper);
    return array;
}

static PyObject *array_get(Field *field, PyObject *instance) {
    static const array_use all = {0};
    char *address = address_of(field, instance);
    return address ? array_of(field, instance, address, &all) : NULL;
}

static PyObject *counted_get(Field *field, PyObject *instance) {
    array_use use;
    bool counted = array_count(field, instance, PyTuple_GetItem(field->extra, 3), &use);
    char *address = counted ? address_of(field, instance) : NULL;
    return address ? array_of(field, instance, address, &use) : NULL;
}

static PyObject *bounded_get(Field *field, PyObject *instance) {
    array_use use;
    char *address = address_of(field, instance);
    if (!address || !array_counts(field, address, &use))
        return NULL;
    return array_of(field, instance, address + array_start(field), &use);
}

static int refuse(Field *field, PyObject *instance, PyObject *value) {
    (void)value;
    Py_buffer view;
    (void)field_open(field, instance, PyBUF_WRITABLE, &view); /* which raises */
    return -1;
}

const field_codec view_codecs[] = {
    {"viewed struct", struct_get, refuse, NULL, 0, false, 2},
    {"viewed array", array_get, refuse, array_fits, 0, false, 3},
    {"viewed counted array", counted_get, refuse, array_counted_fits, 0, false, 4},
    {"viewed bounded array", bounded_get, refuse, array_bounded_fits, 0, false, 5},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};

/* ---- the type --------------------------------------------------------------------------------------------------- */

static PyObject *register_read_only(PyObject *module, PyObject *error) {
    (void)module;
    Py_INCREF(error);
    native_set(&read_only_error, error);
    Py_RETURN_NONE;
}

static PyType_Slot viewed_slots[] = {
    {Py_tp_doc, "Mixin for Structs that are read-only, and raise once their block has ended."},
    {Py_bf_getbuffer, viewed_getbuffer},
    {Py_bf_releasebuffer, viewed_releasebuffer},
    {0, NULL},
};

static PyType_Spec viewed_spec = {"typedshm._native.Viewed", sizeof(PyObject), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, viewed_slots};

/* view_item(memoryview, make): a read-only Struct over the bytes of an item. */
static PyObject *view_item(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *memoryview, *make;
    if (!PyArg_ParseTuple(args, "O!O:view_item", &PyMemoryView_Type, &memoryview, &make))
        return NULL;
    char *start = start_of(memoryview);
    return start ? view_new(memoryview, make, start) : NULL;
}

static PyMethodDef functions[] = {
    {"view_item", view_item, METH_VARARGS, "A read-only Struct over the bytes that a memoryview has of an item."},
    {"register_read_only", register_read_only, METH_O, "Tell the core what writing to a borrowed value raises."},
    {NULL, NULL, 0, NULL},
};

int view_register(PyObject *module) {
    struct_add_guard((struct_guard){viewed_getbuffer, viewed_allows});
    PyObject *viewed = PyType_FromSpec(&viewed_spec);
    int failed = !viewed || PyModule_AddObjectRef(module, "Viewed", viewed) < 0;
    Py_XDECREF(viewed);
    return failed ? -1 : PyModule_AddFunctions(module, functions);
}
