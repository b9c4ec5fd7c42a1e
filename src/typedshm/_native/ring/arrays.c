#include "ring/arrays.h"

static const tshm_extent *extent_of(const Ring *self) {
    return self->values.extents->extents;
}

char *arrays_head_begin(const Ring *self, char small[ARRAYS_SMALL_HEAD]) {
    uint64_t size = extent_of(self)->data;
    char *head = size <= ARRAYS_SMALL_HEAD ? small : PyMem_Malloc((size_t)size);
    if (!head)
        PyErr_NoMemory();
    return head;
}

void arrays_head_end(char *head, const char *small) {
    if (head != small)
        PyMem_Free(head);
}

static PyObject *counts_in(const tshm_extent *extent, const char *head) {
    PyObject *counts = PyTuple_New((Py_ssize_t)extent->axes);
    for (uint32_t axis = 0; counts && axis < extent->axes; axis++)
        PyTuple_SetItem(counts, axis, PyLong_FromUnsignedLong(tshm_count(extent, axis, head)));
    return counts;
}

PyObject *arrays_make(Ring *self, const char *head, Py_ssize_t *shape, Py_buffer *memory) {
    const tshm_extent *extent = extent_of(self);
    PyObject *counts = counts_in(extent, head), *array = NULL, *bytes = NULL;
    PyObject *made = counts ? PyObject_CallMethod(self->values.schema, "make_array", "(O)", counts) : NULL;
    Py_XDECREF(counts);
    bool fits = made && PyArg_ParseTuple(made, "OO:make_array", &array, &bytes) &&
                PyObject_GetBuffer(bytes, memory, PyBUF_WRITABLE) == 0;
    for (uint32_t axis = 0; fits && axis < extent->axes; axis++)
        shape[axis] = (Py_ssize_t)tshm_count(extent, axis, head);
    array = fits ? Py_NewRef(array) : NULL;
    Py_XDECREF(made);
    return array;
}

void arrays_refuse(Ring *self, PyObject *array, const char *head, uint64_t version) {
    PyObject *counts = counts_in(extent_of(self), head);
    PyObject *result = counts ? PyObject_CallMethod(self->values.schema, "refuse_shape", "OOK", array, counts,
                                                    (unsigned long long)version)
                              : NULL;
    Py_XDECREF(result);
    Py_XDECREF(counts);
}
