#include "struct/struct.h"

static PyTypeObject *struct_type; /* typedshm.struct.Struct, told by register_struct() */
static PyObject *ended_error;     /* what a view raises after its block */
static Py_ssize_t state_offset;
static int (*structure_getbuffer)(PyObject *, Py_buffer *, int);

bool struct_check(PyObject *object) {
    return struct_type != NULL && PyObject_TypeCheck(object, struct_type);
}

static PyObject **state_of(PyObject *structure) {
    return (PyObject **)((char *)structure + state_offset);
}

PyObject *struct_state(PyObject *structure) {
    return *state_of(structure);
}

void struct_set_state(PyObject *structure, PyObject *state) {
    native_set(state_of(structure), state);
}

int struct_getbuffer(PyObject *structure, Py_buffer *view, int flags) {
    return structure_getbuffer(structure, view, flags);
}

void struct_raise_ended(PyObject *words) {
    PyErr_SetObject(ended_error, words);
}

/* register_struct(Struct, error): learn the base class, where its one slot lies, and what an ended view raises.
 *
 * A class made by Python with a single entry in __slots__ keeps it right behind its base's
 * instance; that is checked here with a probe object, so that a CPython that lays classes out
 * otherwise fails at import and not in somebody's memory. */
static PyObject *register_struct(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *type, *error;
    if (!PyArg_ParseTuple(args, "OO:register_struct", &type, &error))
        return NULL;
    PyObject *ctypes = PyImport_ImportModule("ctypes");
    if (!ctypes)
        return NULL;
    PyObject *structure = PyObject_GetAttrString(ctypes, "Structure");
    Py_DECREF(ctypes);
    if (!structure)
        return NULL;
    PyObject *size = PyObject_GetAttrString(structure, "__basicsize__");
    if (!size) {
        Py_DECREF(structure);
        return NULL;
    }
    Py_ssize_t offset = PyLong_AsSsize_t(size);
    Py_DECREF(size);
    structure_getbuffer =
        (int (*)(PyObject *, Py_buffer *, int))PyType_GetSlot((PyTypeObject *)structure, Py_bf_getbuffer);

    PyObject *probe = PyObject_CallNoArgs(type);
    if (!probe) {
        Py_DECREF(structure);
        return NULL;
    }
    bool found = PyObject_SetAttrString(probe, "_state", type) == 0 && *(PyObject **)((char *)probe + offset) == type;
    Py_DECREF(probe);
    if (!found) {
        Py_DECREF(structure);
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ImportError, "typedshm: this Python lays out __slots__ in an unknown way");
        return NULL;
    }
    /* registered once, for the life of the process */
    Py_INCREF(type);
    Py_INCREF(error);
    struct_type = (PyTypeObject *)type;
    ended_error = error;
    state_offset = offset;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"register_struct", register_struct, METH_VARARGS, "Tell the core the base class of all Structs."},
    {NULL, NULL, 0, NULL},
};

int struct_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
