/* Origins: what a snapshot remembers of the version it is a copy of. Made with every read, so it is made fast. */
#include "struct/origin.h"

static PyTypeObject *origin_type;

typedef struct {
    PyObject_HEAD
    unsigned long long version, time;
} Origin;

/* A loop that reads lets go of one value just after it has got the next: the memory of the last one that went serves
 * the next one that comes, which saves a twentieth of the time of read(). */
#ifdef Py_GIL_DISABLED
static PyObject *take_spare(void) {
    return NULL;
}

static bool keep_spare(PyObject *memory) {
    (void)memory;
    return false;
}
#else
static PyObject *spare;

static PyObject *take_spare(void) {
    PyObject *memory = spare;
    spare = NULL;
    return memory ? PyObject_Init(memory, origin_type) : NULL;
}

static bool keep_spare(PyObject *memory) {
    if (spare)
        return false;
    spare = memory;
    return true;
}
#endif

PyObject *origin_new(uint64_t version, uint64_t time) {
    Origin *self = (Origin *)take_spare();
    if (!self)
        self = PyObject_New(Origin, origin_type);
    if (self) {
        self->version = version;
        self->time = time;
    }
    return (PyObject *)self;
}

bool origin_check(PyObject *object) {
    return Py_TYPE(object) == origin_type;
}

static PyObject *origin_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type, (void)kwargs;
    unsigned long long version, time;
    return PyArg_ParseTuple(args, "KK:Origin", &version, &time) ? origin_new(version, time) : NULL;
}

static void origin_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (!keep_spare(self))
        PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *origin_reduce(PyObject *object, PyObject *unused) {
    (void)unused;
    Origin *self = (Origin *)object;
    return Py_BuildValue("O(KK)", (PyObject *)origin_type, self->version, self->time);
}

static PyMethodDef methods[] = {
    {"__reduce__", origin_reduce, METH_NOARGS, "Pickle it."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"version", T_ULONGLONG, offsetof(Origin, version), READONLY, "Its number."},
    {"time", T_ULONGLONG, offsetof(Origin, time), READONLY, "When it was published, in ns since 1970."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Which version a snapshot is a copy of, and when that was published."},
    {Py_tp_new, origin_create},
    {Py_tp_dealloc, origin_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Origin", sizeof(Origin), 0, Py_TPFLAGS_DEFAULT, slots};

int origin_register(PyObject *module) {
    origin_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return origin_type ? PyModule_AddObjectRef(module, "Origin", (PyObject *)origin_type) : -1;
}
