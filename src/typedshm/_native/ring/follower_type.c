/* The Follower object. To wait, to go on with another region of the name, and to tell errors from the end of a loop is
 * Python's work. */
#include "ring/follower_type.h"

#include "arguments.h"
#include "ring/decoding.h"
#include "ring/follower.h"
#include "ring/ring_type.h"
#include "ring/start.h"

static PyTypeObject *follower_type;

static PyObject *follower_next(PyObject *object) {
    Follower *self = (Follower *)object;
    if (self->closed || !follower_enter(self))
        return NULL;
    PyObject *value = follower_step(self), *end = Py_NewRef(Py_None);
    while (!value && end) { /* what Python gets is when to give up, and never a value, which a signal could take away */
        PyObject *error = native_take_error(),
                 *answer = PyObject_CallMethod((PyObject *)self, "_wait", "OO", error, end);
        Py_DECREF(error);
        native_set(&end, answer);
        if (answer && !self->closed) /* by a block of another thread's that ended in an error */
            value = follower_step(self);
        else if (answer)
            Py_CLEAR(end);
    }
    Py_XDECREF(end);
    follower_leave(self);
    return value;
}

/* As step(), and if there is nothing here, in the next region of the name. */
static PyObject *step_or_go_on(Follower *self) {
    PyObject *value = follower_step(self);
    while (!value && follower_goes_on(self))
        value = follower_step(self);
    return value;
}

static PyObject *follower_poll(PyObject *object, PyObject *unused) {
    (void)unused;
    Follower *self = (Follower *)object;
    if (!follower_is_open(self) || !follower_enter(self))
        return NULL;
    PyObject *value = step_or_go_on(self);
    follower_leave(self);
    return value || PyErr_Occurred() ? value : Py_NewRef(Py_None);
}

/* Nothing that is there is lost by an error: where one ends this, the next call begins. False: the first call of all
 * meets it, or it is not the region's, and what was taken is to be had once more. */
static bool take_all(Follower *self, PyObject *values, Py_ssize_t most) {
    reading_position first = self->at, at = first;
    most = follower_is_member(self) ? 1 : most; /* which has one at a time */
    uint64_t dropped = self->dropped;
    PyObject *value = step_or_go_on(self), *refused = NULL;
    while (value) {
        int failed = PyList_Append(values, value);
        Py_DECREF(value);
        if (failed)
            break;
        at = self->at;
        value = PyList_Size(values) < most ? follower_take(self, &refused) : NULL;
    }
    Py_ssize_t count = PyList_Size(values);
    if (refused) {
        Py_CLEAR(refused);
        self->at = at;
    }
    if (!PyErr_Occurred())
        return true;
    if (count && opened_is_gone((Opened *)self->ring)) {
        PyErr_Clear();
        return true;
    }
    if (count && !self->reattach) {
        self->at = first;
        self->dropped = dropped;
    }
    return false;
}

static bool most_of(PyObject *given, Py_ssize_t *most) {
    *most = PY_SSIZE_T_MAX;
    if (!given || given == Py_None)
        return true;
    *most = PyBool_Check(given) ? -1 : PyNumber_AsSsize_t(given, NULL);
    if (*most >= 0)
        return true;
    bool number = !PyErr_Occurred();
    PyErr_Clear();
    number = number && !PyBool_Check(given);
    return arguments_refuse(number ? PyExc_ValueError : PyExc_TypeError, "most", "a number of values, or None for all",
                            given);
}

static PyObject *follower_drain(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    static const char *const keywords[] = {"most", NULL};
    static const arguments_verb verb = {"drain", keywords, false, "drain(most=%U) for at most so many values"};
    Follower *self = (Follower *)object;
    Py_ssize_t most;
    if (!arguments_fit(&verb, args, count, names) || !most_of(arguments_get(args, count, names, "most"), &most) ||
        !follower_is_open(self) || !follower_enter(self))
        return NULL;
    PyObject *values = PyList_New(0);
    if (values && most > 0 && !take_all(self, values, most))
        Py_CLEAR(values);
    follower_leave(self);
    return values;
}

static PyObject *follower_close(PyObject *object, PyObject *unused) {
    (void)unused;
    Follower *self = (Follower *)object;
    if (!self->closed) {
        if (!follower_enter(self))
            return NULL;
        self->closed = true;
        follower_end_use(self);
        follower_leave_place(self, true);
        Py_CLEAR(self->spare);
        follower_leave(self);
    }
    Py_RETURN_NONE;
}

static PyObject *follower_discard(PyObject *object, PyObject *unused) {
    (void)unused;
    Follower *self = (Follower *)object;
    if (!self->closed) {
        if (!follower_enter(self))
            return NULL;
        self->closed = true;
        follower_leave_place(self, false);
        follower_leave(self);
    }
    Py_RETURN_NONE;
}

static PyObject *follower_done(PyObject *object, PyObject *unused) {
    (void)unused;
    Follower *self = (Follower *)object;
    if (!follower_is_open(self) || !follower_enter(self))
        return NULL;
    bool ours = !self->place.slots || place_check(&self->place, self->ring);
    if (ours)
        follower_count(self);
    follower_leave(self);
    return ours ? Py_NewRef(Py_None) : NULL;
}

/* ---- the object ---------------------------------------------------------------------------------------------------
 */

static int follower_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"region", "first", "every", "borrow", "reattach", NULL};
    Follower *self = (Follower *)object;
    PyObject *region;
    long long first;
    int every, borrow, reattach;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OLppp:Follower", names, &region, &first, &every, &borrow,
                                     &reattach))
        return -1;
    if (self->ring || !ring_type_check(region)) {
        PyErr_SetString(PyExc_TypeError, "Follower() takes a Ring, once");
        return -1;
    }
    Ring *ring = (Ring *)region;
    if (!ring->mapping) {
        ring_fail(ring, "closed");
        return -1;
    }
    if (!start_find(ring, first, &self->at))
        return -1;
    Py_INCREF(region);
    self->ring = ring;
    Py_INCREF(region);
    self->followed = ring;
    self->seen = self->at.version;
    self->every = every;
    self->borrow = borrow;
    self->reattach = reattach;
    return 0;
}

static int follower_traverse(PyObject *object, visitproc visit, void *arg) {
    Follower *self = (Follower *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT((PyObject *)self->ring);
    Py_VISIT((PyObject *)self->followed);
    return 0;
}

static void follower_dealloc(PyObject *object) {
    Follower *self = (Follower *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    follower_leave_place(self, true); /* what was handed out last has perhaps not been dealt with */
    Py_XDECREF((PyObject *)self->ring);
    Py_XDECREF((PyObject *)self->followed);
    Py_XDECREF(self->spare);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *get_version(PyObject *object, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Follower *)object)->at.version);
}

static PyObject *get_dropped(PyObject *object, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Follower *)object)->dropped);
}

static PyObject *get_failed(PyObject *object, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Follower *)object)->failed);
}

static PyObject *get_pending(PyObject *object, void *unused) {
    (void)unused;
    Follower *self = (Follower *)object;
    publication newest;
    if (!self->ring->mapping)
        return ring_fail(self->ring, "closed");
    if (!reading_last(self->ring, &newest))
        return NULL;
    if (follower_is_member(self))
        return PyLong_FromUnsignedLongLong(place_group_pending(&self->place, newest.version));
    return PyLong_FromUnsignedLongLong(newest.version > self->at.version ? newest.version - self->at.version : 0);
}

static PyObject *get_closed(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Follower *)object)->closed);
}

static int set_taken(PyObject *object, PyObject *value, void *unused) {
    (void)value, (void)unused;
    Follower *self = (Follower *)object;
    if (self->found.sequence)
        follower_move(self, &self->found);
    self->found = NO_PUBLICATION;
    return 0;
}

static PyObject *get_busy(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(tshm_load(&((Follower *)object)->busy, relaxed));
}

static PyObject *get_taken(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Follower *)object)->found.sequence == 0);
}

/* What help() shows; see ring_type.c. */

static const char poll_doc[] = "poll($self, /)\n--\n\n"
                               "Return the next value, or None if there is none just now; it never waits.\n\n"
                               "Raises\n------\n"
                               "Closed\n"
                               "    The follower, or the region's handle, was closed.\n"
                               "RegionLost, Exception\n"
                               "    As in a loop, see :meth:`Region.follow`.";

static const char drain_doc[] =
    "drain($self, /, *, most=None)\n--\n\n"
    "Return a list of all values that are there just now; it never waits.\n\n"
    "An error that is raised loses no value: if there were some before it, they are returned, and the next call\n"
    "raises it.\n\n"
    "Parameters\n----------\n"
    "most\n"
    "    So many values at most; None, the default, takes all.\n\n"
    "Raises\n------\n"
    "Closed, RegionLost, Exception\n"
    "    As for :meth:`poll`.";

static const char done_doc[] =
    "done($self, /)\n--\n\n"
    "Count what was handed out last as got, now and not when the next is asked for.\n\n"
    "With ``lossless=True`` writers wait for it no longer, and whoever goes on under this name does so behind\n"
    "it. Otherwise nothing waits, and nothing happens.\n\n"
    "Raises\n------\n"
    "Closed, MisuseError\n"
    "    It was closed; or another thread or task is waiting in it.";

static const char discard_doc[] =
    "discard($self, /)\n--\n\n"
    "End it as :meth:`close` does, and give up its name at once: nothing is kept for whoever comes next.\n\n"
    "Raises\n------\n"
    "MisuseError\n"
    "    Another thread or task is waiting in it.";

static const char close_doc[] =
    "close($self, /)\n--\n\n"
    "End it: a loop over it ends, and a borrowed value is valid no longer.\n\n"
    "What was handed out last counts as got, and its place in a lossless region is left; one with a name is\n"
    "kept for `keep` seconds. It is a context manager, too; a block that ends in an error leaves what was\n"
    "handed out last uncounted, as the end of the process does, and closing the region.\n\n"
    "Raises\n------\n"
    "MisuseError\n"
    "    Another thread or task is waiting in it.";

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"poll", follower_poll, METH_NOARGS, poll_doc},
    {"drain", FAST(follower_drain), METH_FASTCALL | METH_KEYWORDS, drain_doc},
    {"done", follower_done, METH_NOARGS, done_doc},
    {"close", follower_close, METH_NOARGS, close_doc},
    {"discard", follower_discard, METH_NOARGS, discard_doc},
    {"__class_getitem__", (PyCFunction)Py_GenericAlias, METH_O | METH_CLASS, "Follower[T], for annotations."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"version", get_version, NULL, "The number of the last version handed out; before the first, the number to exceed.",
     NULL},
    {"dropped", get_dropped, NULL, "How many versions were missed: they were in no slot any more.", NULL},
    {"failed", get_failed, NULL,
     "How many versions raised an error, since they could not be decoded. The step after one goes on behind it.", NULL},
    {"pending", get_pending, NULL, "How many versions were published and not handed out, also those that are gone.",
     NULL},
    {"_busy", get_busy, NULL, "True while a thread or task is in it.", NULL},
    {"_taken", get_taken, set_taken, "What follower_find() found was taken.", NULL},
    {"closed", get_closed, NULL, "True once it was closed.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The part of a follower that is written in C."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, follower_init},
    {Py_tp_traverse, follower_traverse},
    {Py_tp_dealloc, follower_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, follower_next},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Follower", sizeof(Follower), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

bool follower_type_check(PyObject *object) {
    return PyObject_TypeCheck(object, follower_type);
}

int follower_type_register(PyObject *module) {
    follower_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return follower_type ? PyModule_AddObjectRef(module, "Follower", (PyObject *)follower_type) : -1;
}
