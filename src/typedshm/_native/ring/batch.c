/* A recorder takes many versions at once, as the bytes that they are: nothing is decoded, and no value is made. Each is
 * one complete version, copied as by reading.c, and the follower moves as by as many steps. */
#include "ring/batch.h"

#include "ring/follower.h"
#include "ring/follower_type.h"

/* How much is to be taken at most; the first version is in any case. */
typedef struct {
    size_t versions, bytes;
} batch_limits;

struct taking {
    Ring *ring;
    const reading_position *behind; /* NULL: only the newest is wanted */
    char *values;
    size_t step; /* from one value to the next; 0: there is room for one, and each is packed at once */
    publication *found;
    size_t count, most;
};

static void take_more(void *context) {
    struct taking *taking = context;
    while (taking->count < taking->most) {
        const publication *last = &taking->found[taking->count - 1];
        reading_position behind = {last->sequence, last->version, taking->behind->kept};
        void *to = taking->values + taking->count * taking->step;
        if (reading_try_next(taking->ring, to, &behind, &taking->found[taking->count]) != TSHM_READABLE)
            return; /* there is none, or writers are just there: the next batch begins with it, and waits */
        taking->count++;
    }
}

/* The first one as a follower's step does it, with all its patience and its errors. False, perhaps with an error set:
 * there is none. */
static bool take_first(struct taking *taking) {
    int read = reading_copy(taking->ring, taking->values, taking->behind, READING_ANY_AGE, taking->found);
    taking->count = read > 0;
    return read > 0;
}

/* Those behind it, up to `most`. */
static void take_rest(struct taking *taking, size_t most) {
    size_t before = taking->count, large = taking->ring->values.size * (most - before);
    taking->most = most;
    if (large > VALUES_LARGE)
        opened_work_apart((Opened *)taking->ring, take_more, taking);
    else
        take_more(taking);
    if (opened_is_gone((Opened *)taking->ring)) /* what was copied since may be zeros; the next batch tells */
        taking->count = before;
}

/* ---- what is handed out ------------------------------------------------------------------------------------------ */

/* Over the first bytes, of which there may be more. */
static PyObject *array_over(PyObject *bytes, const char *dtype, size_t count) {
    PyObject *numpy = bytes ? PyImport_ImportModule("numpy") : NULL;
    PyObject *array = numpy ? PyObject_CallMethod(numpy, "frombuffer", "Osn", bytes, dtype, (Py_ssize_t)count) : NULL;
    Py_XDECREF(numpy);
    return array;
}

/* Values of one size, in an array with a row for each. Steals the bytes. */
static PyObject *rows_of(PyObject *bytes, const struct taking *taking) {
    size_t size = taking->count * taking->step;
    PyObject *flat = NULL, *rows = NULL;
    if (size > VALUES_LARGE || PyByteArray_Resize(bytes, (Py_ssize_t)size) == 0)
        flat = array_over(bytes, "u1", size);
    if (flat)
        rows = PyObject_CallMethod(flat, "reshape", "nn", (Py_ssize_t)taking->count, (Py_ssize_t)taking->step);
    Py_XDECREF(flat);
    Py_DECREF(bytes);
    return rows;
}

/* (values, versions, times). Steals the values; NULL and an error set. */
static PyObject *batch_of(PyObject *values, const struct taking *taking) {
    Py_ssize_t size = (Py_ssize_t)(taking->count * sizeof(uint64_t));
    PyObject *numbers = PyByteArray_FromStringAndSize(NULL, size), *times = PyByteArray_FromStringAndSize(NULL, size);
    for (size_t i = 0; numbers && times && i < taking->count; i++) {
        memcpy(PyByteArray_AsString(numbers) + i * sizeof(uint64_t), &taking->found[i].version, sizeof(uint64_t));
        memcpy(PyByteArray_AsString(times) + i * sizeof(uint64_t), &taking->found[i].time, sizeof(uint64_t));
    }
    PyObject *versions = array_over(numbers, "u8", taking->count),
             *published = versions ? array_over(times, "i8", taking->count) : NULL;
    PyObject *batch = published ? PyTuple_Pack(3, values, versions, published) : NULL;
    Py_XDECREF(published);
    Py_XDECREF(versions);
    Py_XDECREF(times);
    Py_XDECREF(numbers);
    Py_DECREF(values);
    return batch;
}

/* ---- values of one size ------------------------------------------------------------------------------------------ */

/* Memory for a batch. To touch pages for the first time takes the system as long as to fill them; so a large batch gets
 * those of the one before, if nobody looks at it any more: then nobody can come to have a reference, either. */
static PyObject *memory_for(Follower *self, size_t size) {
    if (size <= VALUES_LARGE)
        return PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size);
    PyObject *spare = self->spare;
    if (!spare || Py_REFCNT(spare) > 1 || (size_t)PyByteArray_Size(spare) < size)
        native_set(&self->spare, PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size));
    return Py_XNewRef(self->spare);
}

static PyObject *take_equal(Follower *self, struct taking *taking, const batch_limits *limits) {
    size_t size = taking->step = taking->ring->values.size, fit = limits->bytes / size ? limits->bytes / size : 1;
    size_t most = taking->most < fit ? taking->most : fit;
    PyObject *bytes = memory_for(self, most * size);
    if (!bytes)
        return NULL;
    taking->values = PyByteArray_AsString(bytes);
    if (!take_first(taking)) {
        Py_DECREF(bytes);
        return NULL;
    }
    if (most > 1)
        take_rest(taking, most);
    PyObject *rows = rows_of(bytes, taking);
    return rows ? batch_of(rows, taking) : NULL;
}

/* ---- values of varying size: just what is used of each ----------------------------------------------------------- */

struct packing {
    const Extents *extents;
    const void *value;
    char *packed;
};

static void pack(void *context) {
    const struct packing *packing = context;
    extents_pack(packing->extents, packing->value, packing->packed);
}

/* Adds the one that was copied last. False and an error set. */
static bool add_packed(struct taking *taking, PyObject *values, size_t size) {
    PyObject *packed = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!packed)
        return false;
    struct packing packing = {taking->ring->values.extents, taking->values, PyByteArray_AsString(packed)};
    if (size > VALUES_LARGE)
        opened_work_apart((Opened *)taking->ring, pack, &packing);
    else
        pack(&packing);
    int failed = PyList_Append(values, packed);
    Py_DECREF(packed);
    return !failed;
}

static bool take_packed(struct taking *taking, const batch_limits *limits, PyObject *values) {
    size_t most = taking->most, taken = 0, count = 1;
    if (!take_first(taking))
        return false;
    while (taking->count == count) {
        size_t size = (size_t)extents_packed_size(taking->ring->values.extents, taking->values);
        if (taken && size > limits->bytes - taken) {
            taking->count--; /* the next batch takes it */
            break;
        }
        if (!add_packed(taking, values, size))
            return false;
        taken += size;
        if (taken >= limits->bytes || ++count > most)
            break;
        take_rest(taking, count);
    }
    return true;
}

static PyObject *take_varying(Follower *self, struct taking *taking, const batch_limits *limits) {
    (void)self;
    PyObject *values = PyList_New(0);
    taking->values = PyMem_Malloc(taking->ring->values.size); /* of which only what is used is ever touched */
    if (values && !taking->values)
        PyErr_NoMemory();
    if (values && (!taking->values || !take_packed(taking, limits, values)))
        Py_CLEAR(values);
    PyMem_Free(taking->values);
    return values ? batch_of(values, taking) : NULL;
}

/* ---- one batch --------------------------------------------------------------------------------------------------- */

/* How many there can be behind a position. */
static size_t count_most(const Follower *self, const reading_position *at, size_t limit) {
    const tshm_ring *ring = &self->ring->ring;
    uint64_t head = tshm_newest(ring), most = head > at->sequence ? head - at->sequence : 1;
    if (!self->every || follower_is_member(self)) /* which has one at a time */
        most = 1;
    most = most < ring->slot_count ? most : ring->slot_count;
    return most < limit ? (size_t)most : limit;
}

/* NULL, perhaps without an error: there is nothing. Only what is handed out counts as such, so that no error loses
 * any. */
static PyObject *take_batch(Follower *self, const batch_limits *limits) {
    follower_end_use(self);
    reading_position at;
    if (!follower_look(self, &at))
        return NULL;
    struct taking taking = {.ring = self->ring, .behind = self->every ? &at : NULL};
    taking.most = count_most(self, &at, limits->versions);
    taking.found = PyMem_Calloc(taking.most, sizeof *taking.found);
    if (!taking.found)
        return PyErr_NoMemory();
    PyObject *batch = (taking.ring->values.extents ? take_varying : take_equal)(self, &taking, limits);
    if (batch && !reading_remember(taking.ring, taking.found[taking.count - 1].version))
        Py_CLEAR(batch);
    if (!batch && taking.found[0].lost) /* which has been told now */
        follower_move(self, &taking.found[0]);
    for (size_t i = 0; batch && i < taking.count; i++)
        follower_move(self, &taking.found[i]);
    PyMem_Free(taking.found);
    return batch;
}

static bool limits_of(PyObject *const *args, batch_limits *limits) {
    Py_ssize_t versions = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
    Py_ssize_t bytes = versions == -1 && PyErr_Occurred() ? 0 : PyNumber_AsSsize_t(args[2], PyExc_OverflowError);
    if (!PyErr_Occurred() && (versions < 1 || bytes < 1))
        PyErr_SetString(PyExc_ValueError, "follower_batch: expected at least one version and one byte");
    *limits = (batch_limits){(size_t)versions, (size_t)bytes};
    return !PyErr_Occurred();
}

static PyObject *follower_batch(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 3 || !follower_type_check(args[0]) || !((Follower *)args[0])->ring) {
        PyErr_SetString(PyExc_TypeError, "follower_batch() takes a Follower, a number of versions and of bytes");
        return NULL;
    }
    Follower *self = (Follower *)args[0];
    batch_limits limits;
    if (!limits_of(args, &limits) || !follower_is_open(self) || !follower_enter(self))
        return NULL;
    PyObject *batch = take_batch(self, &limits);
    while (!batch && follower_goes_on(self))
        batch = take_batch(self, &limits);
    follower_leave(self);
    return batch || PyErr_Occurred() ? batch : Py_NewRef(Py_None);
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"follower_batch", FAST(follower_batch), METH_FASTCALL,
     "(values, versions, times in ns) of what is there just now, as bytes, up to a number of versions and of bytes; "
     "None: nothing is."},
    {NULL, NULL, 0, NULL},
};

int batch_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
