/* What the files of the binding share: the Python headers and each noun's entry points. */
#ifndef TYPEDSHM_NATIVE_H
#define TYPEDSHM_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h> /* the build says whether Py_LIMITED_API holds: it does but for free-threaded CPython */
#include <structmember.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Py_XSETREF, which the limited API lacks. Steals `value`. */
static inline void native_set(PyObject **place, PyObject *value) {
    PyObject *old = *place;
    *place = value;
    Py_XDECREF(old);
}

/* Raises what the object's own _fail(what) says; always NULL. Words and kinds of errors are Python's. */
static inline PyObject *native_fail(PyObject *object, const char *what) {
    PyObject *result = PyObject_CallMethod(object, "_fail", "s", what);
    if (result) { /* it is declared never to return */
        Py_DECREF(result);
        PyErr_SetString(PyExc_SystemError, what);
    }
    return NULL;
}

/* Raises the OSError of the call that has just failed; always NULL. */
static inline PyObject *native_system_error(void) {
#ifdef _WIN32
    return PyErr_SetFromWindowsErr(0);
#else
    return PyErr_SetFromErrno(PyExc_OSError);
#endif
}

/* ---- lease.c: what an instance of Struct remembers, and views that end -------------------- */

/* Every Struct has one slot, `_state`, right behind the ctypes object. It holds NULL, the version
 * number a snapshot was read at, or the Lease or Pin that a view of somebody else's bytes depends on. */
typedef struct {
    PyObject_HEAD
    PyObject *words; /* the message of the error raised once the lease has ended */
    bool ended;
} Lease;

PyObject *lease_new(PyObject *words);
void lease_end(PyObject *lease);
/* true for a Struct that depends on a lease */
bool lease_is_on(PyObject *value);

/* The object in `_state`, borrowed; NULL if unset. `structure` must be a Struct. */
PyObject *struct_state(PyObject *structure);
/* Steals a reference to `state`. */
void struct_set_state(PyObject *structure, PyObject *state);
/* True for instances of the registered Struct base. */
bool struct_check(PyObject *object);
/* ctypes' own bf_getbuffer of a Struct. */
int struct_getbuffer(PyObject *structure, Py_buffer *view, int flags);
/* Raises what a view raises after its block. */
void struct_raise_ended(const char *words);

/* ---- each file adds its types and functions to the module --------------------------------- */

int lease_add(PyObject *module);
int field_add(PyObject *module);
int memory_add(PyObject *module);
int byte_locks_add(PyObject *module);
int handles_add(PyObject *module);
int mutex_add(PyObject *module);
int guard_add(PyObject *module);
int task_add(PyObject *module);
int header_add(PyObject *module);
int seen_add(PyObject *module);
int ring_add(PyObject *module);
int block_add(PyObject *module);
int pin_add(PyObject *module);
int borrow_add(PyObject *module);
int view_add(PyObject *module);
int waitset_add(PyObject *module);

#endif
