/* Leases: Structs that look into a block's bytes and raise once the block has ended. */
#include "native.h"

static PyTypeObject *struct_type; /* typedshm.struct.Struct, told by register_struct() */
static PyObject *ended_error;     /* what a view raises after its block */
static Py_ssize_t state_offset;
static int (*structure_getbuffer)(PyObject *, Py_buffer *, int); /* ctypes' own */
static PyTypeObject *lease_type, *leased_type;

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

void struct_raise_ended(const char *words) {
    PyErr_SetString(ended_error, words);
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

/* ---- Lease -------------------------------------------------------------------------------- */

PyObject *lease_new(PyObject *words) {
    Lease *lease = PyObject_New(Lease, lease_type);
    if (!lease)
        return NULL;
    Py_INCREF(words);
    lease->words = words;
    lease->ended = false;
    return (PyObject *)lease;
}

void lease_end(PyObject *lease) {
    ((Lease *)lease)->ended = true;
}

static PyObject *lease_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    PyObject *words;
    static char *names[] = {"words", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U:Lease", names, &words))
        return NULL;
    return lease_new(words);
}

static void lease_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Lease *)self)->words);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *lease_end_method(PyObject *self, PyObject *unused) {
    (void)unused;
    lease_end(self);
    Py_RETURN_NONE;
}

static PyObject *lease_get_ended(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Lease *)self)->ended);
}

static PyMethodDef lease_methods[] = {
    {"end", lease_end_method, METH_NOARGS, "Make every view that depends on this lease raise from now on."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef lease_getset[] = {
    {"ended", lease_get_ended, NULL, "True once the block has ended.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot lease_slots[] = {
    {Py_tp_doc, "The right of a view to look at bytes that are not its own."},
    {Py_tp_new, lease_create},
    {Py_tp_dealloc, lease_dealloc},
    {Py_tp_methods, lease_methods},
    {Py_tp_getset, lease_getset},
    {0, NULL},
};

static PyType_Spec lease_spec = {"typedshm._native.Lease", sizeof(Lease), 0, Py_TPFLAGS_DEFAULT, lease_slots};

/* ---- Leased: put before a Struct among the bases, it guards the buffer by the lease -------- */

static int leased_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    PyObject *state = struct_check(self) ? struct_state(self) : NULL;
    if (!state || Py_TYPE(state) != lease_type) {
        PyErr_SetString(PyExc_BufferError, "a leased Struct without a lease");
        view->obj = NULL;
        return -1;
    }
    if (((Lease *)state)->ended) {
        PyErr_SetObject(ended_error, ((Lease *)state)->words);
        view->obj = NULL;
        return -1;
    }
    return structure_getbuffer(self, view, flags);
}

static PyType_Slot leased_slots[] = {
    {Py_tp_doc, "Mixin for Structs that raise once their lease has ended."},
    {Py_bf_getbuffer, leased_getbuffer},
    {0, NULL},
};

static PyType_Spec leased_spec = {"typedshm._native.Leased", sizeof(PyObject), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, leased_slots};

bool lease_is_on(PyObject *value) {
    return PyObject_TypeCheck(value, leased_type);
}

static PyMethodDef functions[] = {
    {"register_struct", register_struct, METH_VARARGS, "Tell the core the base class of all Structs."},
    {NULL, NULL, 0, NULL},
};

int lease_add(PyObject *module) {
    lease_type = (PyTypeObject *)PyType_FromSpec(&lease_spec);
    if (!lease_type || PyModule_AddObjectRef(module, "Lease", (PyObject *)lease_type) < 0)
        return -1;
    leased_type = (PyTypeObject *)PyType_FromSpec(&leased_spec);
    if (!leased_type || PyModule_AddObjectRef(module, "Leased", (PyObject *)leased_type) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
