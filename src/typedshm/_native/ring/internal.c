#include "ring/internal.h"

#include "arguments.h"
#include "ring/reading.h"
#include "ring/ring_type.h"
#include "ring/waiting.h"
#include "ring/writing.h"
#include "timeout.h"

/* The Ring that a function was given as its first of `expected` arguments; NULL and an error set if it was not. */
static Ring *ring_of(PyObject *const *args, Py_ssize_t count, Py_ssize_t expected) {
    if (count == expected && ring_type_check(args[0]))
        return (Ring *)args[0];
    PyErr_Format(PyExc_TypeError, "expected a Ring and %zd more, found %zd arguments", expected - 1, count);
    return NULL;
}

/* False and an error set if it is no version's number. */
static bool number_of(PyObject *object, uint64_t *number) {
    return arguments_version(object, "after", number);
}

static PyObject *read_newest(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 1);
    if (!ring)
        return NULL;
    publication found;
    PyObject *refused = NULL, *value = reading_value(ring, NULL, &found, &refused);
    if (!value && !refused)
        return PyErr_Occurred() ? NULL : ring_fail(ring, "empty");
    return Py_BuildValue("KNN", (unsigned long long)found.version, value ? value : Py_NewRef(Py_None),
                         refused ? refused : Py_NewRef(Py_None));
}

static PyObject *await_newer(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, count == 4 ? 4 : 3);
    uint64_t after;
    int64_t ns = 0;
    if (!ring || !number_of(args[1], &after) || timeout_convert(args[2], &ns) < 0 ||
        !waiting_newer(ring, after, ns, count == 4 && args[3] == Py_True))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *is_abandoned(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 1);
    int abandoned = ring ? waiting_is_abandoned(ring) : -1;
    return abandoned < 0 ? NULL : PyBool_FromLong(abandoned);
}

static PyObject *newer(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 3);
    uint64_t after = 0;
    if (!ring || (args[1] != Py_None && !number_of(args[1], &after)))
        return NULL;
    if (args[1] == Py_None) {
        uint64_t *position = position_version(&ring->position);
        if (!position)
            return NULL;
        after = *position;
    }
    int slept = PyObject_IsTrue(args[2]);
    if (slept < 0)
        return NULL;
    if (!ring->mapping)
        return ring_fail(ring, "closed");
    uint32_t number;
    int found = waiting_find_newer(ring, after, slept, &number);
    if (found < 0)
        return NULL;
    return found ? Py_NewRef(Py_None) : PyLong_FromUnsignedLong(number);
}

static PyObject *newest(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 1);
    if (!ring)
        return NULL;
    if (!ring->mapping)
        return ring_fail(ring, "closed");
    uint64_t version, time;
    if (!reading_newest(ring, &version, &time))
        return NULL;
    return Py_BuildValue("KK", (unsigned long long)version, (unsigned long long)time);
}

static PyObject *newest_in(PyObject *module, PyObject *mapping) {
    (void)module;
    if (!mapping_check(mapping)) {
        PyErr_SetString(PyExc_TypeError, "newest_in() takes a Mapping");
        return NULL;
    }
    const os_memory *memory = &((Mapping *)mapping)->memory;
    tshm_header header;
    tshm_ring ring;
    tshm_table table;
    if (!tshm_check_table(memory->start, memory->size, &header, &table))
        return Py_BuildValue("ii", 0, 0); /* its rows have versions of their own */
    const char *problem = tshm_check(memory->start, memory->size, &header, &ring);
    if (problem) {
        PyErr_SetString(PyExc_ValueError, problem);
        return NULL;
    }
    uint64_t time = 0, version = reading_newest_of(&ring, &time);
    return Py_BuildValue("KK", (unsigned long long)version, (unsigned long long)time);
}

static PyObject *pinned(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 1);
    if (!ring)
        return NULL;
    if (!ring->mapping)
        return ring_fail(ring, "closed");
    uint32_t slots = ring->slots ? slots_count_pinned(ring->slots) : tshm_count_pinned(&ring->ring, NULL, NULL);
    return Py_BuildValue("IK", (unsigned int)slots, (unsigned long long)tshm_load(&ring->copies, relaxed));
}

/* Writes without waiting for followers, and for other writers no longer than a loop of tasks can spare. */
static PyObject *write_now(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 3);
    int over = ring ? PyObject_IsTrue(args[2]) : -1;
    writing_value value;
    if (over < 0)
        return NULL;
    if (!ring->mapping)
        return ring_fail(ring, "closed");
    if (!writing_open(ring, args[1], &value))
        return NULL;
    int state = WRITING_FAILED;
    room_wait wait = {.ns = over ? 0 : 200000};
    if (!ring->mutex || mutex_may_write(ring->mutex))
        do
            state = writing_try(ring, &value, &wait, true);
        while (state == TSHM_AWAITED && wait.next == ROOM_AGAIN);
    writing_close(&value);
    if (state == TSHM_AWAITED && wait.next == ROOM_BEHIND)
        return room_refuse(ring, &wait);
    return state == WRITING_FAILED ? NULL : PyBool_FromLong(state == TSHM_WRITABLE);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"read_newest", FAST(read_newest), METH_FASTCALL,
     "(version, value, error) of the newest version: an error if the value cannot be decoded."},
    {"is_abandoned", FAST(is_abandoned), METH_FASTCALL, "Whether there was somebody to publish, and nobody is left."},
    {"await_newer", FAST(await_newer), METH_FASTCALL,
     "Sleep until there is a version above a number, or a timeout; with True, or nobody is left to publish one."},
    {"newer", FAST(newer), METH_FASTCALL,
     "None if there is a version above a number, or for None above what this thread got; otherwise what head says."},
    {"newest", FAST(newest), METH_FASTCALL, "(version, when it was published in ns since 1970)."},
    {"newest_in", newest_in, METH_O, "The same of a region that one has not opened; ValueError says what is wrong."},
    {"write_now", FAST(write_now), METH_FASTCALL,
     "Write unless somebody has to be waited for: False. Raises instead if the time is over."},
    {"pinned", FAST(pinned), METH_FASTCALL, "(slots that are pinned, copies that borrow() of this handle made)."},
    {NULL, NULL, 0, NULL},
};

int internal_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
