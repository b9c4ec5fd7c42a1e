/* Borrow: the block that borrow() returns. It takes no lock: any thread may enter it, and another leave it. */
#include "ring/borrow.h"

#include "arguments.h"
#include "ring/pin.h"
#include "ring/view.h"

static PyTypeObject *borrow_type;

typedef struct {
    PyObject_HEAD
    Ring *ring;
    Pin *pin; /* NULL before the block */
    int64_t max_age;
} Borrow;

static PyObject *borrow_new(Ring *ring, int64_t max_age) {
    Borrow *self = PyObject_New(Borrow, borrow_type);
    if (!self)
        return NULL;
    Py_INCREF((PyObject *)ring);
    self->ring = ring;
    self->pin = NULL;
    self->max_age = max_age;
    return (PyObject *)self;
}

PyObject *borrow_newest(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    static const char *const keywords[] = {"max_age", NULL};
    static const arguments_verb verb = {"borrow", keywords, false,
                                        "borrow(max_age=%U) to refuse what is older than that many seconds"};
    int64_t max_age = READING_ANY_AGE;
    if ((count || names) && (!arguments_fit(&verb, args, count, names) ||
                             (max_age = reading_max_age(arguments_get(args, count, names, "max_age"))) < 0))
        return NULL;
    return borrow_new((Ring *)object, max_age);
}

PyObject *borrow_value(Ring *ring, Pin *pin) {
    PyObject *value = view_of_pin(&ring->values, pin);
    /* after the work: what has been pinned or copied may have been nothing any more */
    if ((pin->pages && tshm_load(&pin->pages->memory.lost, relaxed) != OS_THERE) ||
        (ring->mapping && opened_is_gone((Opened *)ring))) {
        Py_CLEAR(value);
        if (!PyErr_Occurred())
            ring_fail(ring, "gone");
    }
    return value;
}

static PyObject *borrow_enter(PyObject *object, PyObject *unused) {
    (void)unused;
    Borrow *self = (Borrow *)object;
    if (self->pin)
        return ring_fail(self->ring, "borrowed twice");
    Pin *pin = pin_new(self->ring, NULL, self->max_age, NULL);
    if (!pin)
        return PyErr_Occurred() ? NULL : ring_fail(self->ring, "empty");
    PyObject *value = borrow_value(self->ring, pin);
    bool twice = value && self->pin; /* by another thread meanwhile */
    if (twice)
        Py_CLEAR(value);
    if (!value) {
        if (twice)
            ring_fail(self->ring, "borrowed twice");
        Py_DECREF((PyObject *)pin);
        return NULL;
    }
    self->pin = pin;
    return value;
}

static PyObject *borrow_exit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    (void)args, (void)count;
    Borrow *self = (Borrow *)object;
    if (!self->pin || tshm_load(&self->pin->ended, relaxed))
        return ring_fail(self->ring, "not borrowed");
    pin_end(self->pin);
    Py_RETURN_FALSE;
}

static void borrow_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Borrow *self = (Borrow *)object;
    if (self->pin)
        pin_end(self->pin); /* thrown away while open, as by a generator that is dropped in its middle */
    Py_XDECREF((PyObject *)self->pin);
    Py_DECREF((PyObject *)self->ring);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *get_version(PyObject *object, void *unused) {
    (void)unused;
    const Pin *pin = ((Borrow *)object)->pin;
    return PyLong_FromUnsignedLongLong(pin ? pin->found.version : 0);
}

static PyObject *get_copied(PyObject *object, void *unused) {
    (void)unused;
    const Pin *pin = ((Borrow *)object)->pin;
    return PyBool_FromLong(pin && !pin->pages);
}

static PyMethodDef methods[] = {
    {"__enter__", borrow_enter, METH_NOARGS, "Pin the newest version and hand out a view of it."},
    {"__exit__", (PyCFunction)(void (*)(void))borrow_exit, METH_FASTCALL, "Let it go, unless arrays still look at it."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"version", get_version, NULL, "Which version it is; 0 before the block.", NULL},
    {"copied", get_copied, NULL, "True if it is a private copy.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A block that looks at one version in its slot."},
    {Py_tp_dealloc, borrow_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Borrow", sizeof(Borrow), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

int borrow_register(PyObject *module) {
    borrow_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return borrow_type ? PyModule_AddObjectRef(module, "Borrow", (PyObject *)borrow_type) : -1;
}
