/* The few parts of NumPy's C API that arrays and times use, without NumPy's headers: one binary serves NumPy 1.24 and
 * every 2.x, whose headers either leave the other out or hide what is used here. The entries and structures below are
 * the same in all of them, which register_numpy() proves on objects of known contents. If it finds anything else, the
 * core leaves arrays and times to Python, which is slower and means the same. */
#ifndef TYPEDSHM_NUMPY_H
#define TYPEDSHM_NUMPY_H

#include "native.h"

#define NUMPY_C_CONTIGUOUS 0x0001

typedef struct {
    PyObject_HEAD
    char *data;
    int dimensions;
    Py_ssize_t *shape, *strides;
    PyObject *base, *dtype;
    int flags;
} NumpyArray;

/* Units of np.datetime64. */
enum { NUMPY_SECONDS = 7, NUMPY_MILLISECONDS, NUMPY_MICROSECONDS, NUMPY_NANOSECONDS };

typedef struct {
    PyObject_HEAD
    int64_t count;  /* the smallest integer is NaT */
    int unit, step; /* the count is of so many units */
} NumpyTime;

/* The scalars that arrays of numbers take besides Python's own. */
typedef enum { NUMPY_OTHER, NUMPY_BOOL, NUMPY_WHOLE, NUMPY_SINGLE, NUMPY_DOUBLE } numpy_scalar;

/* False: of this file, only numpy_register() may be called. */
bool numpy_usable(void);
/* The array, if the object is one and of no subclass; NULL without an error if not. */
NumpyArray *numpy_array(PyObject *object);
/* The time, if the object is an np.datetime64; NULL without an error if not. */
NumpyTime *numpy_time(PyObject *object);
numpy_scalar numpy_kind_of(PyTypeObject *type);
bool numpy_same_dtype(PyObject *one, PyObject *other);
/* Whether there can be arrays of a class and dtype. */
bool numpy_can_make(PyObject *type, PyObject *dtype);
/* A C-contiguous array over bytes of `base`. */
PyObject *numpy_new_array(PyTypeObject *type, PyObject *dtype, int dimensions, const Py_ssize_t *shape, char *data,
                          bool writable, PyObject *base);
/* The np.datetime64 of so many nanoseconds. */
PyObject *numpy_new_time(int64_t nanoseconds);
int numpy_register(PyObject *module);

#endif
