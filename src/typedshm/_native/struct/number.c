/* Numbers, and what is stored as one: bool, enums. */
#include "struct/number.h"

#include "struct/bits.h"

/* ---- the field's bits -------------------------------------------------------------------- */

static inline bool fetch_bits(const Field *field, PyObject *instance, uint64_t *bits) {
    Py_buffer view;
    const char *from = field_open(field, instance, STRUCT_READ, &view);
    if (!from)
        return false;
    *bits = bits_at(from, field->size, field->swapped);
    struct_close(&view);
    return true;
}

static inline int store_bits(const Field *field, PyObject *instance, uint64_t bits) {
    Py_buffer view;
    char *to = field_open(field, instance, PyBUF_WRITABLE, &view);
    if (!to)
        return -1;
    bits_put(to, field->size, field->swapped, bits);
    struct_close(&view);
    return 0;
}

bool number_fetch(const Field *field, PyObject *instance, uint64_t *bits) {
    return fetch_bits(field, instance, bits);
}

int number_store(const Field *field, PyObject *instance, uint64_t bits) {
    return store_bits(field, instance, bits);
}

/* ---- integers ----------------------------------------------------------------------------- */

static PyObject *unsigned_get(Field *field, PyObject *instance) {
    uint64_t bits;
    return fetch_bits(field, instance, &bits) ? PyLong_FromUnsignedLongLong(bits) : NULL;
}

static PyObject *signed_get(Field *field, PyObject *instance) {
    uint64_t bits;
    return fetch_bits(field, instance, &bits) ? PyLong_FromLongLong(bits_sign_extended(bits, field->size)) : NULL;
}

/* A new reference to the int that `value` is or, by __index__, stands for. */
static PyObject *whole_number(Field *field, PyObject *value) {
    if (PyLong_Check(value)) {
        Py_INCREF(value);
        return value;
    }
    PyObject *number = PyIndex_Check(value) ? PyNumber_Index(value) : NULL;
    if (!number && (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError)))
        field_refuse(field, value, "type");
    return number;
}

static int unsigned_bits(Field *field, PyObject *number, PyObject *value, uint64_t *bits) {
    *bits = PyLong_AsUnsignedLongLong(number);
    if (*bits == UINT64_MAX && PyErr_Occurred())
        return PyErr_ExceptionMatches(PyExc_OverflowError) ? field_refuse(field, value, "range") : -1;
    if (field->size < 8 && *bits >> (8 * field->size))
        return field_refuse(field, value, "range");
    return 0;
}

static int signed_bits(Field *field, PyObject *number, PyObject *value, uint64_t *bits) {
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (n == -1 && !overflow && PyErr_Occurred())
        return -1;
    *bits = (uint64_t)n;
    if (overflow || bits_sign_extended(*bits, field->size) != n)
        return field_refuse(field, value, "range");
    return 0;
}

static int unsigned_set(Field *field, PyObject *instance, PyObject *value) {
    PyObject *number = whole_number(field, value);
    if (!number)
        return -1;
    uint64_t bits;
    int failed = unsigned_bits(field, number, value, &bits);
    Py_DECREF(number);
    return failed ? -1 : store_bits(field, instance, bits);
}

static int signed_set(Field *field, PyObject *instance, PyObject *value) {
    PyObject *number = whole_number(field, value);
    if (!number)
        return -1;
    uint64_t bits;
    int failed = signed_bits(field, number, value, &bits);
    Py_DECREF(number);
    return failed ? -1 : store_bits(field, instance, bits);
}

/* ---- enums: extra = (the enum class, its map from value to member, signed?, open?) ---------- */

static bool enum_fits(Field *field, Py_ssize_t size, PyObject *extra) {
    (void)field;
    return (size == 1 || size == 2 || size == 4 || size == 8) && PyDict_Check(PyTuple_GetItem(extra, 1));
}

/* A new reference to the member of value `number`; combinations of flags are made by the class. In an open enum a
 * number without a member is itself. */
static PyObject *enum_member(Field *field, PyObject *number) {
    PyObject *member = PyDict_GetItemWithError(PyTuple_GetItem(field->extra, 1), number);
    if (member) {
        Py_INCREF(member);
        return member;
    }
    if (PyErr_Occurred())
        return NULL;
    member = PyObject_CallFunctionObjArgs(PyTuple_GetItem(field->extra, 0), number, NULL);
    if (member || !PyErr_ExceptionMatches(PyExc_ValueError))
        return member;
    if (PyTuple_GetItem(field->extra, 3) == Py_True) {
        PyErr_Clear();
        return Py_NewRef(number);
    }
    field_refuse(field, number, "member");
    return NULL;
}

static PyObject *enum_get(Field *field, PyObject *instance) {
    bool is_signed = PyTuple_GetItem(field->extra, 2) == Py_True;
    PyObject *number = is_signed ? signed_get(field, instance) : unsigned_get(field, instance);
    if (!number)
        return NULL;
    PyObject *member = enum_member(field, number);
    Py_DECREF(number);
    return member;
}

static int enum_set(Field *field, PyObject *instance, PyObject *value) {
    PyObject *number = whole_number(field, value);
    if (!number)
        return -1;
    uint64_t bits;
    bool is_signed = PyTuple_GetItem(field->extra, 2) == Py_True;
    int failed = is_signed ? signed_bits(field, number, value, &bits) : unsigned_bits(field, number, value, &bits);
    if (!failed && (PyObject *)Py_TYPE(value) != PyTuple_GetItem(field->extra, 0)) { /* no member already */
        PyObject *member = enum_member(field, number);
        failed = !member;
        Py_XDECREF(member);
    }
    Py_DECREF(number);
    return failed ? -1 : store_bits(field, instance, bits);
}

/* ---- bool: extra = (numpy.bool_,) ---------------------------------------------------------- */

static PyObject *bool_get(Field *field, PyObject *instance) {
    uint64_t bits;
    return fetch_bits(field, instance, &bits) ? PyBool_FromLong(bits != 0) : NULL;
}

static int bool_set(Field *field, PyObject *instance, PyObject *value) {
    if (value == Py_True || value == Py_False)
        return store_bits(field, instance, value == Py_True);
    int is_numpy = PyObject_IsInstance(value, PyTuple_GetItem(field->extra, 0));
    if (is_numpy < 0)
        return -1;
    if (is_numpy) {
        int truth = PyObject_IsTrue(value);
        return truth < 0 ? -1 : store_bits(field, instance, (uint64_t)truth);
    }
    PyObject *number = whole_number(field, value); /* 0 and 1 are fine */
    if (!number)
        return -1;
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    if (n == -1 && !overflow && PyErr_Occurred())
        return -1;
    if (n != 0 && n != 1)
        return field_refuse(field, value, "range");
    return store_bits(field, instance, (uint64_t)n);
}

/* ---- floats and complex numbers ------------------------------------------------------------ */

/* NumPy's masked element, which says that it is nan, or zero. */
static bool is_masked(PyObject *value) {
    return PyObject_HasAttrString(value, "mask");
}

/* The number that `value` is or stands for; false with an error set. */
static bool real_number(Field *field, PyObject *value, double *number) {
    if (PyComplex_Check(value)) { /* numpy's would drop the imaginary part with a mere warning */
        field_refuse(field, value, "type");
        return false;
    }
    *number = PyFloat_AsDouble(value);
    if (*number != -1.0 || !PyErr_Occurred()) {
        if (!isnan(*number) || PyFloat_Check(value) || !is_masked(value))
            return true;
        field_refuse(field, value, "type");
        return false;
    }
    if (PyErr_ExceptionMatches(PyExc_TypeError))
        field_refuse(field, value, "type");
    else if (PyErr_ExceptionMatches(PyExc_OverflowError))
        field_refuse(field, value, "range");
    return false;
}

static PyObject *real_get(Field *field, PyObject *instance) {
    Py_buffer view;
    const char *from = field_open(field, instance, STRUCT_READ, &view);
    if (!from)
        return NULL;
    double value;
    if (field->size == sizeof value && !field->swapped) /* at once, as it is the most common of all fields */
        memcpy(&value, from, sizeof value);
    else
        value = bits_to_real(bits_at(from, field->size, field->swapped), field->size);
    struct_close(&view);
    return PyFloat_FromDouble(value);
}

static int real_set(Field *field, PyObject *instance, PyObject *value) {
    double number;
    uint64_t bits;
    if (!real_number(field, value, &number))
        return -1;
    if (!bits_of_real(number, field->size, &bits))
        return field_refuse(field, value, "range");
    return store_bits(field, instance, bits);
}

static PyObject *complex_get(Field *field, PyObject *instance) {
    Py_buffer view;
    Py_ssize_t part = field->size / 2;
    const char *from = field_open(field, instance, STRUCT_READ, &view);
    if (!from)
        return NULL;
    double real = bits_to_real(bits_at(from, part, field->swapped), part);
    double imaginary = bits_to_real(bits_at(from + part, part, field->swapped), part);
    struct_close(&view);
    return PyComplex_FromDoubles(real, imaginary);
}

static int complex_set(Field *field, PyObject *instance, PyObject *value) {
    double real, imaginary = 0;
    uint64_t real_bits, imaginary_bits;
    char bytes[16];
    Py_ssize_t part = field->size / 2;
    PyObject *number = NULL;
    if (!PyComplex_Check(value) && PyObject_HasAttrString(value, "__complex__")) { /* numpy.complex64 */
        number = PyObject_CallMethod(value, "__complex__", NULL);
        if (!number)
            return -1;
        if (!PyObject_IsTrue(number) && is_masked(value)) {
            Py_DECREF(number);
            return field_refuse(field, value, "type");
        }
        value = number;
    }
    int result = -1;
    if (PyComplex_Check(value)) {
        real = PyComplex_RealAsDouble(value);
        imaginary = PyComplex_ImagAsDouble(value);
    } else if (!real_number(field, value, &real)) {
        goto done;
    }
    if (!bits_of_real(real, part, &real_bits) || !bits_of_real(imaginary, part, &imaginary_bits)) {
        result = field_refuse(field, value, "range");
    } else {
        bits_put(bytes, part, field->swapped, real_bits);
        bits_put(bytes + part, part, field->swapped, imaginary_bits);
        result = field_store(field, instance, bytes, field->size);
    }
done:
    Py_XDECREF(number);
    return result;
}

/* ---- the table ---------------------------------------------------------------------------- */

const field_codec number_codecs[] = {
    {"i8", signed_get, signed_set, NULL, 1, true, 0},
    {"i16", signed_get, signed_set, NULL, 2, true, 0},
    {"i32", signed_get, signed_set, NULL, 4, true, 0},
    {"i64", signed_get, signed_set, NULL, 8, true, 0},
    {"u8", unsigned_get, unsigned_set, NULL, 1, true, 0},
    {"u16", unsigned_get, unsigned_set, NULL, 2, true, 0},
    {"u32", unsigned_get, unsigned_set, NULL, 4, true, 0},
    {"u64", unsigned_get, unsigned_set, NULL, 8, true, 0},
    {"f16", real_get, real_set, NULL, 2, true, 0},
    {"f32", real_get, real_set, NULL, 4, true, 0},
    {"f64", real_get, real_set, NULL, 8, true, 0},
    {"c64", complex_get, complex_set, NULL, 8, true, 0},
    {"c128", complex_get, complex_set, NULL, 16, true, 0},
    {"bool", bool_get, bool_set, NULL, 1, true, 1},
    {"bool32", bool_get, bool_set, NULL, 4, true, 1},
    {"enum", enum_get, enum_set, enum_fits, 0, false, 4},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
