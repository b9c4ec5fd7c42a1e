/* Structs inside of Structs: extra = (class, adopt, the ctypes field) or, leased, (class, adopt, from_buffer, offset).
 * adopt(field, value) makes a Struct of what is none, or raises. */
#include "struct/nested.h"

#include "struct/struct.h"

static bool struct_fits(Field *field, Py_ssize_t size, PyObject *extra) {
    (void)size;
    field->nested = (descrgetfunc)PyType_GetSlot(Py_TYPE(PyTuple_GetItem(extra, 2)), Py_tp_descr_get);
    if (!field->nested)
        PyErr_SetString(PyExc_TypeError, "Field: the nested ctypes field is not a descriptor");
    return field->nested;
}

/* ctypes' own field makes an object that shares the instance's memory and keeps it alive. */
static PyObject *struct_get(Field *field, PyObject *instance) {
    return field->nested(PyTuple_GetItem(field->extra, 2), instance, (PyObject *)field->owner);
}

/* The nested view depends on the same lease, and asks the instance for its guarded buffer. */
static PyObject *leased_get(Field *field, PyObject *instance) {
    PyObject *nested = PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 2), instance,
                                                    PyTuple_GetItem(field->extra, 3), NULL);
    if (!nested)
        return NULL;
    if (!struct_check(instance) || !struct_check(nested)) {
        Py_DECREF(nested);
        PyErr_SetString(PyExc_TypeError, "typedshm: only a Struct has a leased field");
        return NULL;
    }
    PyObject *lease = struct_state(instance);
    Py_XINCREF(lease);
    struct_set_state(nested, lease);
    return nested;
}

static bool is_own(Field *field, PyObject *value) {
    PyObject *type = PyTuple_GetItem(field->extra, 0);
    return PyType_Check(type) && PyObject_TypeCheck(value, (PyTypeObject *)type);
}

static int store(Field *field, PyObject *instance, PyObject *value) {
    Py_buffer source;
    /* a subclass with more fields would be cut off */
    if (field->direct && struct_allows(value, false) && struct_size(value) == field->size)
        return field_store(field, instance, struct_bytes(value, field->size), field->size);
    if (PyObject_GetBuffer(value, &source, PyBUF_SIMPLE) < 0)
        return -1;
    int result = source.len == field->size ? field_store(field, instance, source.buf, source.len)
                                           : field_refuse(field, value, "type");
    PyBuffer_Release(&source);
    return result;
}

static int struct_set(Field *field, PyObject *instance, PyObject *value) {
    if (is_own(field, value))
        return store(field, instance, value);
    PyObject *made = PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 1), (PyObject *)field, value, NULL);
    if (!made)
        return -1;
    int result = is_own(field, made) ? store(field, instance, made) : field_refuse(field, value, "type");
    Py_DECREF(made);
    return result;
}

const field_codec nested_codecs[] = {
    {"struct", struct_get, struct_set, struct_fits, 0, false, 3},
    {"leased", leased_get, struct_set, NULL, 0, false, 4},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
