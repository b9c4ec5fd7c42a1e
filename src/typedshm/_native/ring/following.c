/* What the package itself does with followers, as functions of the module. */
#include "ring/following.h"

#include "ring/decoding.h"
#include "ring/follower.h"
#include "ring/follower_type.h"
#include "ring/ring_type.h"
#include "ring/start.h"
#include "timeout.h"

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static Follower *follower_of(PyObject *const *args, Py_ssize_t count, Py_ssize_t expected) {
    if (count == expected && follower_type_check(args[0]) && ((Follower *)args[0])->ring)
        return (Follower *)args[0];
    PyErr_Format(PyExc_TypeError, "expected a Follower and %zd more, found %zd arguments", expected - 1, count);
    return NULL;
}

/* A signal's handler, which could raise, runs when this has returned: so the version counts as handed out only when it
 * is said to be taken, by an assignment, at which none runs. */
static PyObject *find_for(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 1);
    if (!self)
        return NULL;
    follower_end_use(self);
    PyObject *refused = NULL, *value = follower_find(self, &self->found, &refused);
    if (refused || self->found.lost)
        follower_move(self, &self->found);
    if (refused) {
        self->failed++;
        decoding_fail(refused);
    }
    return value || PyErr_Occurred() ? value : Py_NewRef(Py_None);
}

static PyObject *release_for(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 1);
    if (self)
        follower_end_use(self);
    return self ? Py_NewRef(Py_None) : NULL;
}

static PyObject *observed_for(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 1);
    return self ? PyLong_FromUnsignedLongLong(self->seen) : NULL;
}

static PyObject *enter_for(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 1);
    return self && follower_enter(self) ? Py_NewRef(Py_None) : NULL;
}

static PyObject *leave_for(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 1);
    if (self)
        follower_leave(self);
    return self ? Py_NewRef(Py_None) : NULL;
}

static void switch_to(Follower *self, PyObject *region) {
    PyObject *before = (PyObject *)self->ring;
    Py_INCREF(region);
    self->ring = (Ring *)region;
    Py_DECREF(before);
}

static PyObject *move_to(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 2);
    if (!self)
        return NULL;
    if (!ring_type_check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "expected a Ring to follow");
        return NULL;
    }
    Ring *ring = (Ring *)args[1];
    follower_leave_place(self, true);
    if (ring->instance != self->ring->instance) {
        self->at = (reading_position){0, 0, false};
        self->seen = 0;
    }
    switch_to(self, args[1]);
    Py_RETURN_NONE;
}

static PyObject *register_for(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 8);
    if (!self)
        return NULL;
    int64_t ns = 0;
    place_wish wish = {.first = PyLong_AsLongLong(args[2]),
                       .name = args[3] == Py_None ? NULL : PyUnicode_AsUTF8AndSize(args[3], NULL),
                       .keep = PyLong_AsUnsignedLongLong(args[4]),
                       .group = args[5] == Py_True,
                       .redelivers = args[6] == Py_True};
    if (PyErr_Occurred() || timeout_convert(args[7], &ns) < 0)
        return NULL;
    Ring *ring = ring_type_check(args[1]) ? (Ring *)args[1] : NULL;
    if (!ring || !ring->ring.lossless || !self->every || (self->place.slots && ring == self->ring) ||
        (wish.group && !wish.name)) {
        PyErr_SetString(PyExc_ValueError, "expected a follower of every version of a lossless region, once");
        return NULL;
    }
    if (ring->instance == self->ring->instance) /* or its own name would be another's */
        follower_leave_place(self, true);
    held_place place = {.slots = NULL};
    reading_position at = self->at;
    uint32_t other = TSHM_FOLLOWERS;
    int taken = place_take(ring, &wish, ns, &place, &at, &other);
    if (taken == PLACE_TAKEN) {
        follower_leave_place(self, true);
        switch_to(self, args[1]);
        self->place = place;
        self->at = at;
        self->got = self->at.sequence;
        self->seen = self->at.version;
    }
    return taken == PLACE_FAILED ? NULL : Py_BuildValue("iI", taken, (unsigned int)other);
}

static PyObject *ask_for(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 1);
    if (!self)
        return NULL;
    held_place *place = &self->place;
    /* 0: nobody is in it; acquire, with the release in follower_leave */
    if (place->slots && steps_are_mine(&place->slots->steps, place->number) && !tshm_load(&self->busy, acquire))
        follower_count(self);
    Py_RETURN_NONE;
}

static PyObject *end_for(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Follower *self = follower_of(args, count, 1);
    if (!self)
        return NULL;
    self->closed = true;
    follower_leave_place(self, true);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"follower_find", FAST(find_for), METH_FASTCALL, "The next value, or None; then say that it was taken."},
    {"follower_release", FAST(release_for), METH_FASTCALL, "What was handed out last is not used any more."},
    {"follower_observed", FAST(observed_for), METH_FASTCALL,
     "The newest version when there was no value: what to wait behind."},
    {"follower_enter", FAST(enter_for), METH_FASTCALL, "Begin to use it, alone."},
    {"follower_leave", FAST(leave_for), METH_FASTCALL, "End to use it."},
    {"follower_register", FAST(register_for), METH_FASTCALL,
     "(FOLLOWER_*, the place of whom the name belongs to), from a region, which is followed then, first, name, ns to "
     "keep it, group, redeliver, timeout."},
    {"follower_ask", FAST(ask_for), METH_FASTCALL,
     "The next is asked for, if it is this thread that takes the steps: what was handed out last counts as got."},
    {"follower_end", FAST(end_for), METH_FASTCALL, "Leave its place, and count nothing."},
    {"follower_move", FAST(move_to), METH_FASTCALL, "Go on in another region, from its beginning."},
    {NULL, NULL, 0, NULL},
};

int following_register(PyObject *module) {
    static const struct {
        const char *name;
        long long number;
    } constants[] = {{"START_NEXT", START_NEXT},        {"START_OLDEST", START_OLDEST},
                     {"FOLLOWER_PLACED", PLACE_TAKEN},  {"FOLLOWER_FULL", PLACE_FULL},
                     {"FOLLOWER_IN_USE", PLACE_IN_USE}, {"FOLLOWER_DIFFERS", PLACE_DIFFERS},
                     {"FOLLOWERS", TSHM_FOLLOWERS}};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        PyObject *number = PyLong_FromLongLong(constants[i].number);
        int failed = PyModule_AddObjectRef(module, constants[i].name, number);
        Py_XDECREF(number);
        if (failed)
            return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
