#include "ring/publishing.h"

#include "ring/raw.h"
#include "ring/ring_type.h"
#include "ring/writing.h"

/* As write() does it, but that the value is bytes already, and that its number may be given. */
static PyObject *publish(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 4 || !ring_type_check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "publish() takes a Ring, bytes, a version and a time");
        return NULL;
    }
    Ring *self = (Ring *)args[0];
    if (!self->mapping)
        return ring_fail(self, "closed");
    raw_value raw;
    if (!raw_open(&self->values, args + 1, &raw))
        return NULL;
    writing_value value = {.version = raw.version, .time = raw.time};
    value.view.buf = (void *)raw.bytes;
    bool done = writing_do(self, &value, self->timeout);
    raw_close(&raw);
    return done ? PyLong_FromUnsignedLongLong(value.version) : NULL;
}

static PyMethodDef functions[] = {
    {"publish", (PyCFunction)(void (*)(void))publish, METH_FASTCALL,
     "Publish bytes with a number and a time in ns, 0: the next, and now; the number that they got."},
    {NULL, NULL, 0, NULL},
};

int publishing_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
