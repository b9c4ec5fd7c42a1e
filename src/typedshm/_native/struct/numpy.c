/* NumPy's C API, proved before it is used. */
#include "struct/numpy.h"

#include "struct/struct.h"

/* ---- the table of the API, and what is used of it ----------------------------------------- */

enum {
    ABI_VERSION = 0,
    ARRAY_TYPE = 2,
    SCALAR = 60,
    NEW_FROM_DESCR = 94,
    EQUIV_TYPES = 182,
    DATETIME_TYPE = 215,
    SET_BASE_OBJECT = 282,
};

enum { NUMPY_1 = 0x01000009, NUMPY_2 = 0x02000000 }; /* each only ever adds to the table */

enum { ALIGNED = 0x0100, WRITEABLE = 0x0400 };

static struct {
    unsigned (*abi_version)(void);
    PyObject *(*scalar)(void *data, PyObject *dtype, PyObject *base);
    PyObject *(*new_from_descr)(PyTypeObject *, PyObject *dtype, int, const Py_ssize_t *, const Py_ssize_t *, void *,
                                int flags, PyObject *); /* steals the dtype */
    unsigned char (*equiv_types)(PyObject *, PyObject *);
    int (*set_base_object)(PyObject *array, PyObject *base); /* steals the base */
} api;

static PyTypeObject *array_type, *dtype_type, *time_type;
static PyObject *nanosecond_dtype;
static bool usable;

static struct {
    const char *name;
    numpy_scalar kind;
    PyTypeObject *type;
} scalars[] = {
    /* no uint64, which NumPy takes for a float beside any other integer */
    {"float64", NUMPY_DOUBLE, NULL}, {"float32", NUMPY_SINGLE, NULL}, {"int64", NUMPY_WHOLE, NULL},
    {"int32", NUMPY_WHOLE, NULL},    {"int16", NUMPY_WHOLE, NULL},    {"int8", NUMPY_WHOLE, NULL},
    {"uint32", NUMPY_WHOLE, NULL},   {"uint16", NUMPY_WHOLE, NULL},   {"uint8", NUMPY_WHOLE, NULL},
    {"bool_", NUMPY_BOOL, NULL},
};

bool numpy_usable(void) {
    return usable;
}

NumpyArray *numpy_array(PyObject *object) {
    return Py_TYPE(object) == array_type ? (NumpyArray *)object : NULL;
}

NumpyTime *numpy_time(PyObject *object) {
    return Py_TYPE(object) == time_type ? (NumpyTime *)object : NULL;
}

numpy_scalar numpy_kind_of(PyTypeObject *type) {
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        if (scalars[i].type == type)
            return scalars[i].kind;
    return NUMPY_OTHER;
}

bool numpy_same_dtype(PyObject *one, PyObject *other) {
    return one == other || api.equiv_types(one, other);
}

bool numpy_can_make(PyObject *type, PyObject *dtype) {
    return PyType_Check(type) && PyType_IsSubtype((PyTypeObject *)type, array_type) &&
           PyObject_TypeCheck(dtype, dtype_type);
}

PyObject *numpy_new_array(PyTypeObject *type, PyObject *dtype, int dimensions, const Py_ssize_t *shape, char *data,
                          bool writable, PyObject *base) {
    Py_INCREF(dtype);
    PyObject *array =
        api.new_from_descr(type, dtype, dimensions, shape, NULL, data, writable ? ALIGNED | WRITEABLE : ALIGNED, NULL);
    if (!array)
        return NULL;
    Py_INCREF(base);
    if (api.set_base_object(array, base) == 0)
        return array;
    Py_DECREF(array);
    return NULL;
}

PyObject *numpy_new_time(int64_t nanoseconds) {
    return api.scalar(&nanoseconds, nanosecond_dtype, NULL);
}

/* ---- the proof ---------------------------------------------------------------------------- */

/* An entry that is a function, without a warning about pointers to data. */
static bool take(void **table, int index, void *function, size_t size) {
    memcpy(function, &table[index], size);
    return table[index] != NULL;
}

static bool read_table(void **table) {
    if (!take(table, ABI_VERSION, &api.abi_version, sizeof api.abi_version))
        return false;
    unsigned version = api.abi_version();
    return (version == NUMPY_1 || version == NUMPY_2) && table[ARRAY_TYPE] == array_type &&
           table[DATETIME_TYPE] == time_type && take(table, SCALAR, &api.scalar, sizeof api.scalar) &&
           take(table, NEW_FROM_DESCR, &api.new_from_descr, sizeof api.new_from_descr) &&
           take(table, EQUIV_TYPES, &api.equiv_types, sizeof api.equiv_types) &&
           take(table, SET_BASE_OBJECT, &api.set_base_object, sizeof api.set_base_object);
}

static PyObject *dtype_of(PyObject *numpy, const char *text) {
    return PyObject_CallMethod(numpy, "dtype", "s", text);
}

/* Whether an array that Python made lies in memory as expected. */
static bool arrays_are_known(PyObject *base, PyObject *dtype, PyObject *array) {
    NumpyArray *known = numpy_array(array);
    return known && known->dimensions == 2 && known->base == base && known->dtype == dtype &&
           known->data == PyByteArray_AsString(base) + 2 && known->shape[0] == 2 && known->shape[1] == 3 &&
           known->strides[0] == 6 && known->strides[1] == 2 && known->flags & NUMPY_C_CONTIGUOUS;
}

/* Whether an array made here is to Python what one made there is. */
static bool arrays_are_made(PyObject *base, PyObject *dtype, PyObject *array) {
    Py_ssize_t shape[] = {2, 3};
    PyObject *made = numpy_new_array(array_type, dtype, 2, shape, PyByteArray_AsString(base) + 2, true, base);
    bool same = made && numpy_array(made) && arrays_are_known(base, dtype, made) &&
                ((NumpyArray *)made)->flags == ((NumpyArray *)array)->flags;
    Py_XDECREF(made);
    return same;
}

static bool arrays_work(PyObject *numpy) {
    PyObject *base = PyByteArray_FromStringAndSize("\0\0\1\0\2\0\3\0\4\0\5\0\6\0", 14);
    PyObject *dtype = dtype_of(numpy, "i2"), *other = dtype_of(numpy, "u2");
    PyObject *array = base && dtype && other ? PyObject_CallFunction((PyObject *)array_type, "(nn)OOn", (Py_ssize_t)2,
                                                                     (Py_ssize_t)3, dtype, base, (Py_ssize_t)2)
                                             : NULL;
    bool work = array && arrays_are_known(base, dtype, array) && api.equiv_types(dtype, dtype) &&
                !api.equiv_types(dtype, other) && arrays_are_made(base, dtype, array);
    Py_XDECREF(array);
    Py_XDECREF(other);
    Py_XDECREF(dtype);
    Py_XDECREF(base);
    return work;
}

static bool time_is_known(PyObject *object, int64_t count, int unit, int step) {
    NumpyTime *time = object ? numpy_time(object) : NULL;
    return time && time->count == count && time->unit == unit && time->step == step;
}

static bool times_work(PyObject *numpy) {
    static const char *const units[] = {"s", "ms", "us", "ns"};
    bool work = true;
    for (int i = 0; i < 4 && work; i++) {
        int64_t count = -((int64_t)5 << 40) - i;
        PyObject *time = PyObject_CallFunction((PyObject *)time_type, "L(si)", (long long)count, units[i], i + 1);
        work = time_is_known(time, count, NUMPY_SECONDS + i, i + 1);
        Py_XDECREF(time);
    }
    nanosecond_dtype = work ? dtype_of(numpy, "M8[ns]") : NULL;
    PyObject *made = nanosecond_dtype ? numpy_new_time(INT64_MIN + 1) : NULL;
    work = time_is_known(made, INT64_MIN + 1, NUMPY_NANOSECONDS, 1);
    Py_XDECREF(made);
    return work;
}

static PyTypeObject *type_named(PyObject *numpy, const char *name) {
    PyObject *type = PyObject_GetAttrString(numpy, name);
    if (type && PyType_Check(type))
        return (PyTypeObject *)type; /* kept for the life of the process */
    Py_XDECREF(type);
    return NULL;
}

static bool find_types(PyObject *numpy) {
    array_type = type_named(numpy, "ndarray");
    dtype_type = type_named(numpy, "dtype");
    time_type = type_named(numpy, "datetime64");
    bool all = array_type && dtype_type && time_type;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        scalars[i].type = all ? type_named(numpy, scalars[i].name) : NULL;
        all = all && scalars[i].type;
    }
    return all;
}

static PyObject *find_capsule(void) {
    PyObject *module = PyImport_ImportModule("numpy._core._multiarray_umath");
    if (!module) {
        PyErr_Clear();
        module = PyImport_ImportModule("numpy.core._multiarray_umath"); /* its name before NumPy 2 */
    }
    PyObject *capsule = module ? PyObject_GetAttrString(module, "_ARRAY_API") : NULL;
    Py_XDECREF(module);
    return capsule;
}

static PyObject *register_numpy(PyObject *module, PyObject *numpy) {
    (void)module;
    PyObject *capsule = !struct_slow() && find_types(numpy) ? find_capsule() : NULL;
    void **table = capsule && PyCapsule_CheckExact(capsule) ? PyCapsule_GetPointer(capsule, NULL) : NULL;
    usable = table && read_table(table) && arrays_work(numpy) && times_work(numpy);
    Py_XDECREF(capsule);
    PyErr_Clear(); /* of a NumPy that is none of those expected */
    return PyBool_FromLong(usable);
}

static PyMethodDef functions[] = {
    {"register_numpy", register_numpy, METH_O, "Show the core the module numpy, to learn whether it knows its C API."},
    {NULL, NULL, 0, NULL},
};

int numpy_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
