/* Structs as the core sees them, and Overlay, the first base of Struct: what a ctypes.Structure would tell NumPy about
 * its bytes is wrong where it is packed or derived, and an object that has a buffer is taken for a number by int(). */
#include "struct/struct.h"

#include <stdlib.h>

static PyTypeObject *struct_type; /* typedshm.struct.Struct, told by register_struct() */
static PyObject *ended_error;     /* what a view raises after its block */
static Py_ssize_t state_offset;
static int (*structure_getbuffer)(PyObject *, Py_buffer *, int);
static newfunc structure_new;

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

PyObject *struct_new(PyTypeObject *type) {
    PyObject *none = PyTuple_New(0); /* the one there is */
    PyObject *made = none ? structure_new(type, none, NULL) : NULL;
    Py_XDECREF(none);
    return made;
}

bool struct_is_made_plainly(PyTypeObject *type) {
    return (newfunc)PyType_GetSlot(type, Py_tp_new) == structure_new;
}

/* The format of a class, which keeps it for as long as it lives. NULL if it has none. */
static char *format_of(PyTypeObject *type) {
    PyObject *format = PyObject_GetAttrString((PyObject *)type, "_format");
    char *text = format ? PyBytes_AsString(format) : NULL;
    Py_XDECREF(format);
    if (!text)
        PyErr_Clear();
    return text;
}

int struct_getbuffer(PyObject *structure, Py_buffer *view, int flags) {
    if (structure_getbuffer(structure, view, flags) < 0)
        return -1;
    if ((flags & PyBUF_FORMAT) && flags != STRUCT_READ) {
        char *format = format_of(Py_TYPE(structure));
        if (format)
            view->format = format;
    }
    return 0;
}

void struct_raise_ended(PyObject *words) {
    PyErr_SetObject(ended_error, words);
}

/* ---- Overlay ---------------------------------------------------------------------------------------------------- */

/* NumPy assigns what is no tuple to each field of a structured item, as a number, text or bytes. */
static PyObject *no_number(PyObject *self) {
    return PyErr_Format(PyExc_TypeError,
                        "expected a number, found a Struct, %R; NumPy takes it for the value of every field of a "
                        "structured item, but not when it is assigned to a slice: a[i:i+1] = value",
                        (PyObject *)Py_TYPE(self));
}

static int overlay_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    return struct_getbuffer(self, view, flags);
}

static PyType_Slot overlay_slots[] = {
    {Py_tp_doc, "What the core adds to a ctypes.Structure."},
    {Py_bf_getbuffer, overlay_getbuffer},
    {Py_nb_float, no_number},
    {Py_nb_int, no_number},
    {0, NULL},
};

static PyType_Spec overlay_spec = {"typedshm._native.Overlay", sizeof(PyObject), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, overlay_slots};

/* ---- bytes without the buffer protocol --------------------------------------------------------------------------- */

static bool direct; /* what register_direct() was shown is as expected */

static struct_guard guards[2];
static size_t guard_count;

void struct_add_guard(struct_guard guard) {
    guards[guard_count++] = guard;
}

bool struct_slow(void) {
    static int slow = -1;
    if (slow < 0) {
        const char *asked = getenv("TYPEDSHM_SLOW");
        slow = asked && *asked && strcmp(asked, "0") != 0;
    }
    return slow;
}

bool struct_has_direct(PyTypeObject *type) {
    return direct && PyType_IsSubtype(type, struct_type);
}

static int (*getbuffer_of(PyTypeObject *type))(PyObject *, Py_buffer *, int) {
    return (int (*)(PyObject *, Py_buffer *, int))PyType_GetSlot(type, Py_bf_getbuffer);
}

bool struct_is_plain(PyTypeObject *type) {
    return getbuffer_of(type) == overlay_getbuffer;
}

bool struct_allows(PyObject *structure, bool write) {
    int (*getbuffer)(PyObject *, Py_buffer *, int) = getbuffer_of(Py_TYPE(structure));
    if (getbuffer == overlay_getbuffer)
        return true;
    for (size_t i = 0; i < guard_count; i++)
        if (getbuffer == guards[i].getbuffer)
            return guards[i].allows(struct_state(structure), write);
    return false; /* a class with a __buffer__ of its own */
}

/* register_direct([(instance, address, size), ...]): use the bytes of instances directly if each has its address and
 * its size where CPython has kept them so far. Not without a GIL, where another thread could resize the instance
 * meanwhile. */
static PyObject *register_direct(PyObject *module, PyObject *probes) {
    (void)module;
#ifdef Py_GIL_DISABLED
    bool proved = false;
#else
    bool proved = !struct_slow();
#endif
    Py_ssize_t count = PyList_Size(probes);
    for (Py_ssize_t i = 0; i < count && proved; i++) {
        PyObject *instance, *address;
        Py_ssize_t size;
        if (!PyArg_ParseTuple(PyList_GetItem(probes, i), "OOn", &instance, &address, &size))
            return NULL;
        const struct_head *head = (const struct_head *)instance;
        proved = head->address == PyLong_AsVoidPtr(address) && head->size == size;
    }
    if (PyErr_Occurred())
        return NULL;
    direct = proved && count > 0;
    return PyBool_FromLong(direct);
}

/* ---- StructType ------------------------------------------------------------------------------------------------- */

static PyObject *by_value; /* told by register_by_value() */

/* Where C passes a Structure by value to a callback, ctypes calls the class without arguments, and fills the instance.
 */
static PyObject *made_for_ctypes(PyObject *type) {
    PyObject *error, *value, *trace;
    PyErr_Fetch(&error, &value, &trace);
    PyObject *frame = (PyObject *)PyEval_GetFrame();
    PyObject *answer = PyObject_CallFunctionObjArgs(by_value, type, frame ? frame : Py_None, NULL);
    int yes = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (yes <= 0) {
        PyErr_Clear();
        PyErr_Restore(error, value, trace);
        return NULL;
    }
    Py_XDECREF(error);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    PyObject *none = PyTuple_New(0);
    newfunc create = (newfunc)PyType_GetSlot((PyTypeObject *)type, Py_tp_new);
    PyObject *made = none ? create((PyTypeObject *)type, none, NULL) : NULL;
    Py_XDECREF(none);
    return made;
}

static PyObject *(*construct)(PyTypeObject *type, PyObject *arguments);

void struct_set_construct(PyObject *(*function)(PyTypeObject *type, PyObject *arguments)) {
    construct = function;
}

static PyObject *structtype_call(PyObject *type, PyObject *args, PyObject *kwargs) {
    if (construct && kwargs && !PyTuple_Size(args)) {
        PyObject *made = construct((PyTypeObject *)type, kwargs);
        if (made || PyErr_Occurred())
            return made;
    }
    static ternaryfunc call;
    if (!call)
        call = (ternaryfunc)PyType_GetSlot(&PyType_Type, Py_tp_call);
    PyObject *made = call(type, args, kwargs);
    if (made || !by_value || PyTuple_Size(args) || (kwargs && PyDict_Size(kwargs)) ||
        !PyErr_ExceptionMatches(PyExc_TypeError))
        return made;
    return made_for_ctypes(type);
}

static PyType_Slot structtype_slots[] = {
    {Py_tp_doc, "The metaclass of ctypes.Structure, whose classes ctypes may call without arguments."},
    {Py_tp_call, structtype_call},
    {0, NULL},
};

static PyType_Spec structtype_spec = {"typedshm._native.StructType", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                      structtype_slots};

static PyObject *structtype_new(void) {
    PyObject *ctypes = PyImport_ImportModule("ctypes");
    PyObject *structure = ctypes ? PyObject_GetAttrString(ctypes, "Structure") : NULL;
    Py_XDECREF(ctypes);
    PyObject *bases = structure ? PyTuple_Pack(1, (PyObject *)Py_TYPE(structure)) : NULL;
    Py_XDECREF(structure);
    PyObject *type = bases ? PyType_FromSpecWithBases(&structtype_spec, bases) : NULL;
    Py_XDECREF(bases);
    return type;
}

static PyObject *register_by_value(PyObject *module, PyObject *function) {
    (void)module;
    Py_INCREF(function);
    native_set(&by_value, function);
    Py_RETURN_NONE;
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
    structure_new = (newfunc)PyType_GetSlot((PyTypeObject *)structure, Py_tp_new);
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
    {"register_direct", register_direct, METH_O, "Show the core instances, to learn where they keep address and size."},
    {"register_by_value", register_by_value, METH_O, "Tell the core who knows that ctypes is making an instance."},
    {NULL, NULL, 0, NULL},
};

int struct_register(PyObject *module) {
    PyObject *overlay = PyType_FromSpec(&overlay_spec);
    PyObject *type = structtype_new();
    int failed = !overlay || !type || PyModule_AddObjectRef(module, "Overlay", overlay) < 0 ||
                 PyModule_AddObjectRef(module, "StructType", type) < 0;
    Py_XDECREF(overlay);
    Py_XDECREF(type);
    return failed ? -1 : PyModule_AddFunctions(module, functions);
}
