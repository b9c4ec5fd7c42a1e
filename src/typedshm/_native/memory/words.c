/* Words of other programs' memory, and copies between two looks at them. */
#include "memory/words.h"

#include "memory/mapping.h"

enum { WITHOUT_THE_GIL = 1 << 20 }; /* bytes from which copying takes longer than handing over the interpreter */

/* The mapping, if it has `size` bytes at `offset`. Every number that came from shared memory is checked here. */
static Mapping *checked(PyObject *object, unsigned long long offset, unsigned long long size) {
    if (!mapping_check(object)) {
        PyErr_Format(PyExc_TypeError, "expected a Mapping, found %R", (PyObject *)Py_TYPE(object));
        return NULL;
    }
    Mapping *mapping = (Mapping *)object;
    if (size <= mapping->memory.size && offset <= mapping->memory.size - size)
        return mapping;
    PyErr_Format(PyExc_ValueError, "expected bytes of the %zu that are mapped, found %llu at %llu",
                 mapping->memory.size, size, offset);
    return NULL;
}

static void *word_at(PyObject *object, unsigned long long offset, unsigned long long size, bool for_writing) {
    if (size != 1 && size != 2 && size != 4 && size != 8) {
        PyErr_Format(PyExc_ValueError, "expected a word of 1, 2, 4 or 8 bytes, found %llu", size);
        return NULL;
    }
    Mapping *mapping = checked(object, offset, size);
    if (!mapping)
        return NULL;
    if (for_writing && !mapping->memory.writable) {
        PyErr_SetString(PyExc_TypeError, "the mapping is read-only");
        return NULL;
    }
    return mapping->memory.start + offset;
}

static bool is_aligned(const void *word, unsigned long long size) {
    return (uintptr_t)word % size == 0;
}

static uint64_t load(const void *word, unsigned long long size) {
    uint64_t value = 0;
    if (!is_aligned(word, size)) { /* of a packed layout: whole on x86 within a line, and no rule's counter elsewhere */
        for (unsigned long long i = 0; i < size; i++)
            ((unsigned char *)&value)[i] = ((const volatile unsigned char *)word)[i];
        return value;
    }
    /* acquire, with the publisher's store of the word after the bytes it stands for */
    switch (size) {
    case 1:
        return tshm_load((TSHM_ATOMIC(uint8_t) *)word, acquire);
    case 2:
        return tshm_load((TSHM_ATOMIC(uint16_t) *)word, acquire);
    case 4:
        return tshm_load((tshm_atomic_u32 *)word, acquire);
    default:
        return tshm_load((tshm_atomic_u64 *)word, acquire);
    }
}

static void store(void *word, unsigned long long size, uint64_t value) {
    if (!is_aligned(word, size)) {
        for (unsigned long long i = 0; i < size; i++)
            ((volatile unsigned char *)word)[i] = ((unsigned char *)&value)[i];
        return;
    }
    /* release, with a reader's acquire load of the word: what was stored before is there */
    switch (size) {
    case 1:
        tshm_store((TSHM_ATOMIC(uint8_t) *)word, (uint8_t)value, release);
        return;
    case 2:
        tshm_store((TSHM_ATOMIC(uint16_t) *)word, (uint16_t)value, release);
        return;
    case 4:
        tshm_store((tshm_atomic_u32 *)word, (uint32_t)value, release);
        return;
    default:
        tshm_store((tshm_atomic_u64 *)word, value, release);
    }
}

static PyObject *load_word(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *mapping;
    unsigned long long offset, size;
    if (!PyArg_ParseTuple(args, "OKK:load_word", &mapping, &offset, &size))
        return NULL;
    const void *word = word_at(mapping, offset, size, false);
    return word ? PyLong_FromUnsignedLongLong(load(word, size)) : NULL;
}

static PyObject *store_word(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *mapping;
    unsigned long long offset, size, value;
    if (!PyArg_ParseTuple(args, "OKKK:store_word", &mapping, &offset, &size, &value))
        return NULL;
    void *word = word_at(mapping, offset, size, true);
    if (!word)
        return NULL;
    store(word, size, value);
    /* release, with the reader's fence after its copy: whoever saw a byte that is stored after this sees the word */
    tshm_fence(release);
    Py_RETURN_NONE;
}

static PyObject *exchange_word(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *mapping;
    unsigned long long offset, expected, desired;
    if (!PyArg_ParseTuple(args, "OKKK:exchange_word", &mapping, &offset, &expected, &desired))
        return NULL;
    void *word = word_at(mapping, offset, 4, true);
    if (!word)
        return NULL;
    if (!is_aligned(word, 4)) {
        PyErr_SetString(PyExc_ValueError, "expected a lock word at a multiple of 4 bytes");
        return NULL;
    }
    uint32_t found = (uint32_t)expected;
    /* acquire and release, with the other lockers' exchanges and their stores that give the lock back */
    atomic_compare_exchange_strong_explicit((tshm_atomic_u32 *)word, &found, (uint32_t)desired, memory_order_acq_rel,
                                            memory_order_acquire);
    return PyLong_FromUnsignedLong(found);
}

static void copy(void *to, const void *from, size_t size) {
    PyThreadState *state = size >= WITHOUT_THE_GIL ? PyEval_SaveThread() : NULL;
    memcpy(to, from, size);
    if (state)
        PyEval_RestoreThread(state);
}

static PyObject *copy_bytes(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *object;
    unsigned long long offset, size;
    if (!PyArg_ParseTuple(args, "OKK:copy_bytes", &object, &offset, &size))
        return NULL;
    Mapping *mapping = checked(object, offset, size);
    PyObject *bytes = mapping ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size) : NULL;
    if (!bytes)
        return NULL;
    copy(PyBytes_AsString(bytes), mapping->memory.start + offset, (size_t)size);
    /* acquire, with the publisher's store of the word that is looked at next: it is looked at after the copy */
    tshm_fence(acquire);
    return bytes;
}

static PyObject *put_bytes(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *object;
    unsigned long long offset;
    Py_buffer bytes;
    if (!PyArg_ParseTuple(args, "OKy*:put_bytes", &object, &offset, &bytes))
        return NULL;
    Mapping *mapping = checked(object, offset, (unsigned long long)bytes.len);
    if (mapping && !mapping->memory.writable) {
        PyErr_SetString(PyExc_TypeError, "the mapping is read-only");
        mapping = NULL;
    }
    if (mapping)
        copy(mapping->memory.start + offset, bytes.buf, (size_t)bytes.len);
    PyBuffer_Release(&bytes);
    if (!mapping)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *process_lives(PyObject *self, PyObject *id) {
    (void)self;
    unsigned long number = PyLong_AsUnsignedLong(id);
    if (PyErr_Occurred())
        return NULL;
    return PyBool_FromLong(os_process_lives((uint32_t)number));
}

static PyMethodDef functions[] = {
    {"load_word", load_word, METH_VARARGS, "The number in a word of a mapping, in this machine's byte order."},
    {"store_word", store_word, METH_VARARGS, "Store a number in a word of a mapping."},
    {"exchange_word", exchange_word, METH_VARARGS,
     "Store a number in a word of 32 bits if another stands there; returns what stood there."},
    {"copy_bytes", copy_bytes, METH_VARARGS, "A copy of bytes of a mapping."},
    {"put_bytes", put_bytes, METH_VARARGS, "Store bytes in a mapping."},
    {"process_lives", process_lives, METH_O, "True if there is a process of that number."},
    {NULL, NULL, 0, NULL},
};

int words_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
