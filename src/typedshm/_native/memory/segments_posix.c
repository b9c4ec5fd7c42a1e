/* System V segments of shared memory, by key. */
#include "memory/segments.h"

#include "memory/mapping.h"
#include <errno.h>
#include <sys/ipc.h>
#include <sys/shm.h>

static PyObject *find_segment(PyObject *self, PyObject *args) {
    (void)self;
    int key, mode = 0;
    unsigned long long size = 0;
    if (!PyArg_ParseTuple(args, "i|Ki:find_segment", &key, &size, &mode))
        return NULL;
    int id = shmget((key_t)key, (size_t)size, size ? IPC_CREAT | IPC_EXCL | mode : 0);
    return id < 0 ? native_system_error() : PyLong_FromLong(id);
}

static PyObject *segment_size(PyObject *self, PyObject *args) {
    (void)self;
    int id;
    struct shmid_ds status;
    if (!PyArg_ParseTuple(args, "i:segment_size", &id))
        return NULL;
    return shmctl(id, IPC_STAT, &status) < 0 ? native_system_error() : PyLong_FromSize_t(status.shm_segsz);
}

static PyObject *remove_segment(PyObject *self, PyObject *args) {
    (void)self;
    int id;
    if (!PyArg_ParseTuple(args, "i:remove_segment", &id))
        return NULL;
    if (shmctl(id, IPC_RMID, NULL) < 0)
        return native_system_error();
    Py_RETURN_NONE;
}

static PyObject *map_segment(PyObject *self, PyObject *args) {
    (void)self;
    int id, writable;
    struct shmid_ds status;
    if (!PyArg_ParseTuple(args, "ip:map_segment", &id, &writable))
        return NULL;
    if (shmctl(id, IPC_STAT, &status) < 0)
        return native_system_error();
    return mapping_of_segment(id, status.shm_segsz, writable);
}

static PyMethodDef functions[] = {
    {"find_segment", find_segment, METH_VARARGS, "The number of the segment with a key; made if a size is given."},
    {"segment_size", segment_size, METH_VARARGS, "How many bytes a segment has."},
    {"map_segment", map_segment, METH_VARARGS, "Map all of a segment."},
    {"remove_segment", remove_segment, METH_VARARGS, "Remove a segment once its last user has left it."},
    {NULL, NULL, 0, NULL},
};

int segments_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
