#include "ring/internal.h"

#include "arguments.h"
#include "ring/borrow.h"
#include "ring/reading.h"
#include "ring/ring_type.h"
#include "ring/waiting.h"
#include "timeout.h"

/* The Ring that a function was given as its first of `expected` arguments; NULL and an error set if it was not. */
static Ring *ring_of(PyObject *const *args, Py_ssize_t count, Py_ssize_t expected) {
    if (count == expected && ring_type_check(args[0]))
        return (Ring *)args[0];
    PyErr_Format(PyExc_TypeError, "expected a Ring and %zd more, found %zd arguments", expected - 1, count);
    return NULL;
}

/* A version's number; None, where that is allowed, is no number. False and an error set if it is something else. */
static bool number_of(PyObject *object, bool *given, uint64_t *number) {
    *number = 0;
    if (given && !(*given = object != Py_None))
        return true;
    return arguments_version(object, "after", number);
}

static PyObject *read_after(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 2);
    bool every;
    uint64_t after, version = 0;
    if (!ring || !number_of(args[1], &every, &after))
        return NULL;
    PyObject *refused = NULL, *value = reading_value(ring, after, every, &version, &refused);
    if (!value && !refused)
        return NULL;
    return Py_BuildValue("KNN", (unsigned long long)version, value ? value : Py_NewRef(Py_None),
                         refused ? refused : Py_NewRef(Py_None));
}

static PyObject *block_after(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    return ring_of(args, count, 2) ? borrow_after(args[0], args[1]) : NULL;
}

static PyObject *await_newer(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, count == 4 ? 4 : 3);
    uint64_t after;
    int64_t ns = 0;
    if (!ring || !number_of(args[1], NULL, &after) || timeout_convert(args[2], &ns) < 0 ||
        !waiting_newer(ring, after, ns, count == 4 && args[3] == Py_True))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *newer(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 3);
    uint64_t after;
    if (!ring || !number_of(args[1], NULL, &after))
        return NULL;
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

static PyObject *oldest(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    Ring *ring = ring_of(args, count, 2);
    uint64_t after, version;
    if (!ring || !number_of(args[1], NULL, &after))
        return NULL;
    if (!ring->mapping)
        return ring_fail(ring, "closed");
    return reading_oldest(ring, after, &version) ? PyLong_FromUnsignedLongLong(version) : NULL;
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

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"read_after", FAST(read_after), METH_FASTCALL,
     "(version, value, error) of the oldest version above a number, or for None of the newest: an error if the value\n"
     "cannot be decoded."},
    {"borrow_after", FAST(block_after), METH_FASTCALL,
     "A block on the oldest version above a number; None: on the newest."},
    {"await_newer", FAST(await_newer), METH_FASTCALL,
     "Sleep until there is a version above a number, or a timeout; with True, or nobody is left to publish one."},
    {"newer", FAST(newer), METH_FASTCALL, "None if there is a version above a number; otherwise what head says."},
    {"newest", FAST(newest), METH_FASTCALL, "(version, when it was published in ns since 1970)."},
    {"newest_in", newest_in, METH_O, "The same of a region that one has not opened; ValueError says what is wrong."},
    {"oldest", FAST(oldest), METH_FASTCALL, "The oldest version above a number that is still in a slot; 0: none."},
    {"pinned", FAST(pinned), METH_FASTCALL, "(slots that are pinned, copies that borrow() of this handle made)."},
    {NULL, NULL, 0, NULL},
};

int internal_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
