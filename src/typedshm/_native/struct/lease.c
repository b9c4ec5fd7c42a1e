/* Leases: Structs that look into a block's bytes and raise once the block has ended. */
#include "struct/lease.h"

#include "struct/struct.h"

static PyTypeObject *lease_type, *leased_type;

typedef struct {
    PyObject_HEAD
    PyObject *words; /* the message of the error raised once the lease has ended */
    bool ended;
    bool loan; /* the bytes are a slot's that nothing was copied into */
} Lease;

PyObject *lease_new(PyObject *words, bool loan) {
    Lease *lease = PyObject_New(Lease, lease_type);
    if (!lease)
        return NULL;
    Py_INCREF(words);
    lease->words = words;
    lease->ended = false;
    lease->loan = loan;
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
    return lease_new(words, false);
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

static PyObject *lease_get_loan(PyObject *self, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Lease *)self)->loan);
}

static PyMethodDef lease_methods[] = {
    {"end", lease_end_method, METH_NOARGS, "Make every view that depends on this lease raise from now on."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef lease_getset[] = {
    {"loan", lease_get_loan, NULL, "True if the bytes are what an older version left.", NULL},
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
        struct_raise_ended(((Lease *)state)->words);
        view->obj = NULL;
        return -1;
    }
    return struct_getbuffer(self, view, flags);
}

static bool leased_allows(PyObject *state, bool write) {
    (void)write;
    return state && Py_TYPE(state) == lease_type && !((Lease *)state)->ended;
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

int lease_register(PyObject *module) {
    lease_type = (PyTypeObject *)PyType_FromSpec(&lease_spec);
    if (!lease_type || PyModule_AddObjectRef(module, "Lease", (PyObject *)lease_type) < 0)
        return -1;
    struct_add_guard((struct_guard){leased_getbuffer, leased_allows});
    leased_type = (PyTypeObject *)PyType_FromSpec(&leased_spec);
    return leased_type ? PyModule_AddObjectRef(module, "Leased", (PyObject *)leased_type) : -1;
}
