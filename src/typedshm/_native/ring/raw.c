#include "ring/raw.h"

#include "arguments.h"

/* Zeros behind what is used, since the words around it are stored whole. */
static bool unpack(const schema_values *values, raw_value *raw) {
    raw->bytes = raw->unpacked = PyMem_Calloc(1, values->size);
    if (!raw->unpacked) {
        PyErr_NoMemory();
        return false;
    }
    if (!extents_unpack(values->extents, raw->view.buf, (uint64_t)raw->view.len, raw->unpacked)) {
        PyErr_Format(PyExc_ValueError,
                     "value: expected what is used of it, found %zd bytes, which is not the size that "
                     "its numbers of items tell",
                     raw->view.len);
        return false;
    }
    PyObject *path = extents_excess(values->extents, raw->unpacked);
    if (path)
        PyErr_Format(PyExc_ValueError, "value: field %S has more items than there is room for", path);
    return !path;
}

static bool fill(const schema_values *values, raw_value *raw) {
    if (values->extents)
        return unpack(values, raw);
    raw->bytes = raw->view.buf;
    if ((size_t)raw->view.len == values->size)
        return true;
    PyErr_Format(PyExc_ValueError, "value: expected %zu bytes, found %zd", values->size, raw->view.len);
    return false;
}

bool raw_open(const schema_values *values, PyObject *const *args, raw_value *raw) {
    *raw = (raw_value){.unpacked = NULL};
    if (!arguments_version(args[1], "version", &raw->version) || !arguments_version(args[2], "time", &raw->time))
        return false;
    if (raw->version > TSHM_SEQUENCE_MAX || raw->time > INT64_MAX)
        return arguments_refuse(PyExc_OverflowError, raw->time > INT64_MAX ? "time" : "version", "at most 2^63 - 1",
                                args[raw->time > INT64_MAX ? 2 : 1]);
    if (PyObject_GetBuffer(args[0], &raw->view, PyBUF_SIMPLE) < 0)
        return false;
    if (fill(values, raw))
        return true;
    raw_close(raw);
    return false;
}

void raw_close(raw_value *raw) {
    PyMem_Free(raw->unpacked);
    PyBuffer_Release(&raw->view);
}
