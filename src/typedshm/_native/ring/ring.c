/* Ring: what its verbs stand on. */
#include "ring/ring.h"

#include "os/faults.h"

static PyObject *no_arguments;

PyObject *ring_new_value(ring_newfunc create, PyTypeObject *type) {
    return create(type, no_arguments, NULL);
}

void ring_work_apart(Ring *ring, void (*work)(void *context), void *context) {
    Mapping *mapping = ring->mapping_ref; /* a close() by another thread meanwhile must not unmap it */
    Py_INCREF((PyObject *)mapping);
    Py_BEGIN_ALLOW_THREADS
    faults_watch();
    work(context);
    Py_END_ALLOW_THREADS
    Py_DECREF((PyObject *)mapping);
}

bool ring_look(Ring *ring) {
    PyObject *result = PyObject_CallMethod((PyObject *)ring, "_look", NULL);
    Py_XDECREF(result);
    return result != NULL;
}

bool ring_look_at_name(Ring *ring) {
    PyObject *result = PyObject_CallMethod((PyObject *)ring, "_look_at_name", NULL);
    Py_XDECREF(result);
    return result != NULL;
}

bool ring_check(Ring *ring, PyObject *value) {
    if (!ring->values.check)
        return true;
    PyObject *result = PyObject_CallFunctionObjArgs(ring->values.check, value, NULL);
    Py_XDECREF(result);
    return result != NULL;
}

bool ring_check_extents(Ring *ring, PyObject *value, const void *bytes) {
    PyObject *path = ring->extents ? extents_excess(ring->extents, bytes) : NULL;
    if (!path)
        return true;
    PyObject *result = PyObject_CallMethod((PyObject *)ring, "_refuse_excess", "OO", value, path);
    Py_XDECREF(result);
    return false;
}

PyObject *ring_part(Ring *ring, const char *name, _Atomic(PyObject *) *place) {
    PyObject *there = tshm_load(place, acquire); /* pairs with the exchange below: it is whole */
    if (there)
        return there;
    PyObject *made = PyObject_GetAttrString(ring->schema, name);
    if (!made || tshm_exchange_if(place, &there, made, release)) /* pairs with the load above */
        return made;
    Py_DECREF(made); /* another thread was faster */
    return tshm_load(place, acquire);
}

int ring_register(PyObject *module) {
    (void)module;
    if (!no_arguments)
        no_arguments = PyTuple_New(0);
    return no_arguments ? 0 : -1;
}
