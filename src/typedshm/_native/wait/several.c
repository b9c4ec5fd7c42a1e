#include "wait/several.h"

#include "ring/opened.h"
#include "timeout.h"
#include "wait/watched.h"

/* One of the list's items, (handle, number), whose handle is open. False: it is closed; or an error is set. */
static bool item_at(PyObject *list, Py_ssize_t index, watched_region *region) {
    PyObject *item = PyList_GetItem(list, index), *handle; /* borrowed */
    unsigned int number;
    if (!item || !PyArg_ParseTuple(item, "OI", &handle, &number))
        return false;
    if (!opened_check(handle)) {
        PyErr_SetString(PyExc_TypeError, "sleep_on() takes Rings and Tables, each with a number");
        return false;
    }
    Opened *ring = (Opened *)handle;
    *region = (watched_region){ring, ring->mapping_ref, ring->mutex, ring->instance, number};
    return ring->mapping != NULL;
}

/* Those that are wakeable first. False as for item_at(). */
static bool fill(watched_set *set, PyObject *list) {
    for (int wakeable = 1; wakeable >= 0; wakeable--)
        for (Py_ssize_t i = 0; i < PyList_Size(list); i++) {
            watched_region region;
            if (!item_at(list, i, &region))
                return false;
            if (watched_is_wakeable(&region) == wakeable && set->count < set->room)
                watched_add(set, &region);
        }
    return true;
}

static PyObject *sleep_on(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *list, *timeout;
    int64_t ns = 0;
    if (!PyArg_ParseTuple(args, "O!O:sleep_on", &PyList_Type, &list, &timeout) || timeout_convert(timeout, &ns) < 0)
        return NULL;
    watched_set set = {0};
    if (!os_waker_make(&set.waker))
        return PyErr_NoMemory();
    bool reserved = watched_reserve(&set, (size_t)PyList_Size(list));
    if (!reserved)
        PyErr_NoMemory();
    else if (fill(&set, list)) {
        uint64_t slice = ns < (int64_t)TSHM_SLICE ? (uint64_t)ns : TSHM_SLICE;
        Py_BEGIN_ALLOW_THREADS
        watched_sleep(&set, 0, os_monotonic_ns() + slice, true);
        Py_END_ALLOW_THREADS
    }
    watched_free(&set);
    return PyErr_Occurred() || PyErr_CheckSignals() < 0 ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef functions[] = {
    {"sleep_on", sleep_on, METH_VARARGS,
     "Sleep until one of several regions, each with the number that its head had, has changed; or a slice at most."},
    {NULL, NULL, 0, NULL},
};

int several_register(PyObject *module) {
    return PyModule_AddIntConstant(module, "WORDS_MAX", (long)os_words_max()) < 0
               ? -1
               : PyModule_AddFunctions(module, functions);
}
