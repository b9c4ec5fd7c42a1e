#include "ring/values.h"

static PyObject *no_arguments;

/* Takes the attribute; None counts as NULL. */
static int take_attribute(PyObject *object, const char *name, PyObject **place) {
    PyObject *value = PyObject_GetAttrString(object, name);
    if (!value)
        return -1;
    if (value == Py_None)
        Py_CLEAR(value);
    native_set(place, value);
    return 0;
}

static int take_flag(PyObject *object, const char *name, bool *place) {
    PyObject *value = PyObject_GetAttrString(object, name);
    int flag = value ? PyObject_IsTrue(value) : -1;
    Py_XDECREF(value);
    *place = flag > 0;
    return flag;
}

int values_load(schema_values *values, PyObject *schema, size_t size) {
    values->size = size;
    if (take_attribute(schema, "make", &values->make) < 0 || take_attribute(schema, "decode", &values->decode) < 0 ||
        take_attribute(schema, "encode", &values->encode) < 0 ||
        take_attribute(schema, "target", &values->target) < 0 ||
        take_attribute(schema, "overlay", &values->overlay) < 0 || take_attribute(schema, "part", &values->part) < 0 ||
        take_attribute(schema, "extents", (PyObject **)&values->extents) < 0 ||
        take_attribute(schema, "check", &values->check) < 0 || take_flag(schema, "unguarded", &values->unguarded) < 0 ||
        take_attribute(schema, "struct", (PyObject **)&values->type) < 0)
        return -1;
    if (values->extents && (!extents_check((PyObject *)values->extents) || values->extents->plan.size != size)) {
        PyErr_SetString(PyExc_TypeError, "expected the Extents of the schema's own values");
        return -1;
    }
    if (values->type) {
        values->create = (values_newfunc)PyType_GetSlot(values->type, Py_tp_new);
        values->direct = struct_has_direct(values->type) && struct_is_plain(values->type);
    }
    Py_INCREF(schema);
    native_set(&values->schema, schema);
    return 0;
}

enum { OBJECTS = 12 };

/* All that it keeps, for the collector and the end. */
static void list(const schema_values *values, PyObject *objects[OBJECTS]) {
    PyObject *all[OBJECTS] = {values->schema,
                              (PyObject *)values->extents,
                              (PyObject *)values->type,
                              values->make,
                              values->decode,
                              values->encode,
                              values->target,
                              values->overlay,
                              values->part,
                              values->check,
                              tshm_load(&values->leased, relaxed), /* relaxed: no other thread is here */
                              tshm_load(&values->viewed, relaxed)};
    memcpy(objects, all, sizeof all);
}

int values_visit(const schema_values *values, visitproc visit, void *arg) {
    PyObject *objects[OBJECTS];
    list(values, objects);
    for (int i = 0; i < OBJECTS; i++)
        Py_VISIT(objects[i]);
    return 0;
}

void values_free(schema_values *values) {
    PyObject *objects[OBJECTS];
    list(values, objects);
    for (int i = 0; i < OBJECTS; i++)
        Py_XDECREF(objects[i]);
}

PyObject *values_part(schema_values *values, const char *name, _Atomic(PyObject *) *place) {
    PyObject *there = tshm_load(place, acquire); /* pairs with the exchange below: it is whole */
    if (there)
        return there;
    PyObject *made = PyObject_GetAttrString(values->schema, name);
    if (!made || tshm_exchange_if(place, &there, made, release)) /* pairs with the load above */
        return made;
    Py_DECREF(made); /* another thread was faster */
    return tshm_load(place, acquire);
}

bool values_check(const schema_values *values, PyObject *value) {
    if (!values->check)
        return true;
    PyObject *result = PyObject_CallFunctionObjArgs(values->check, value, NULL);
    Py_XDECREF(result);
    return result != NULL;
}

bool values_check_extents(const schema_values *values, PyObject *owner, PyObject *value, const void *bytes) {
    PyObject *path = values->extents ? extents_excess(values->extents, bytes) : NULL;
    if (!path)
        return true;
    PyObject *result = PyObject_CallMethod(owner, "_refuse_excess", "OO", value, path);
    Py_XDECREF(result);
    return false;
}

PyObject *values_new(values_newfunc create, PyTypeObject *type) {
    return create(type, no_arguments, NULL);
}

PyObject *values_make(const schema_values *values) {
    return values->type && values->size <= VALUES_LARGE ? values_new(values->create, values->type)
                                                        : PyObject_CallNoArgs(values->make);
}

PyObject *values_make_leased(const schema_values *values, PyObject *lease) {
    PyTypeObject *leased = (PyTypeObject *)tshm_load(&values->leased, relaxed);
    if (!leased)
        return PyObject_CallNoArgs(values->make);
    PyObject *value = values_new((values_newfunc)PyType_GetSlot(leased, Py_tp_new), leased);
    if (value) {
        Py_INCREF(lease);
        struct_set_state(value, lease);
    }
    return value;
}

bool values_defaults(const schema_values *values, void *to) {
    PyObject *defaults = PyObject_GetAttrString(values->schema, "defaults");
    bool fit = defaults && (size_t)PyBytes_Size(defaults) == values->size;
    if (fit)
        memcpy(to, PyBytes_AsString(defaults), values->size);
    else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "the schema's defaults are not of its size");
    Py_XDECREF(defaults);
    return fit;
}

int values_register(PyObject *module) {
    (void)module;
    if (!no_arguments)
        no_arguments = PyTuple_New(0);
    return no_arguments ? 0 : -1;
}
