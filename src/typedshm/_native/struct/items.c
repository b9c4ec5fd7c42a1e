/* Packs what every Python and NumPy converts alike: Python's own numbers and NumPy's commonest, as far as they fit.
 * What does not fit, Python refuses in its own words.
 *
 * NumPy first finds a dtype for all items of a list, and then converts that to the field's. An integer is converted
 * once or, beside a float, twice: to the same number only if the first time, to a double, leaves it exact. */
#include "struct/items.h"

#include "struct/bits.h"
#include "struct/numpy.h"

static const long long EXACT = 1LL << 53; /* up to here a double holds every integer */

/* An integer as NumPy's int64 can hold it: beyond, the dtype that NumPy finds depends on the other items. */
static bool whole_number(PyObject *item, long long *number) {
    if (PyBool_Check(item)) {
        *number = item == Py_True;
        return true;
    }
    PyObject *whole = NULL; /* a new int */
    if (!PyLong_CheckExact(item)) {
        whole = numpy_kind_of(Py_TYPE(item)) == NUMPY_WHOLE ? PyNumber_Index(item) : NULL;
        if (!whole)
            return false;
    }
    int overflow;
    *number = PyLong_AsLongLongAndOverflow(whole ? whole : item, &overflow);
    Py_XDECREF(whole);
    return !overflow;
}

static bool pack_bool(PyObject *item, char *to) {
    bool own = PyBool_Check(item);
    if (!own && numpy_kind_of(Py_TYPE(item)) != NUMPY_BOOL)
        return false;
    *to = own ? item == Py_True : PyObject_IsTrue(item) == 1;
    return true;
}

static bool pack_whole(const items_format *format, PyObject *item, char *to) {
    long long number;
    if (!whole_number(item, &number))
        return false;
    uint64_t bits = (uint64_t)number;
    bool fits = format->kind == 'i' ? bits_sign_extended(bits, format->width) == number
                                    : number >= 0 && (format->width == 8 || !(bits >> (8 * format->width)));
    if (fits)
        bits_put(to, format->width, format->swapped, bits);
    return fits;
}

static bool real_number(PyObject *item, Py_ssize_t width, double *number) {
    if (PyFloat_CheckExact(item)) {
        *number = PyFloat_AsDouble(item);
        return !isnan(*number) || width > 2; /* NumPy keeps more of the bits of a nan of 16 bits */
    }
    numpy_scalar kind = numpy_kind_of(Py_TYPE(item));
    if (kind == NUMPY_DOUBLE || kind == NUMPY_SINGLE) {
        *number = PyFloat_AsDouble(item);
        return !isnan(*number); /* some would change on the way through a Python float */
    }
    long long whole;
    if (!whole_number(item, &whole) || whole > EXACT || whole < -EXACT)
        return false;
    *number = (double)whole;
    return true;
}

static bool put_real(double number, Py_ssize_t width, bool swapped, char *to) {
    uint64_t bits;
    if (!bits_of_real(number, width, &bits))
        return false;
    bits_put(to, width, swapped, bits);
    return true;
}

static bool pack_real(const items_format *format, PyObject *item, char *to) {
    double number;
    return real_number(item, format->width, &number) && put_real(number, format->width, format->swapped, to);
}

static bool pack_complex(const items_format *format, PyObject *item, char *to) {
    Py_ssize_t part = format->width / 2;
    double real, imaginary = 0;
    if (PyComplex_CheckExact(item)) {
        real = PyComplex_RealAsDouble(item);
        imaginary = PyComplex_ImagAsDouble(item);
    } else if (!real_number(item, part, &real)) {
        return false;
    }
    return put_real(real, part, format->swapped, to) && put_real(imaginary, part, format->swapped, to + part);
}

static bool pack_item(const items_format *format, PyObject *item, char *to) {
    switch (format->kind) {
    case 'b':
        return pack_bool(item, to);
    case 'i':
    case 'u':
        return pack_whole(format, item, to);
    case 'f':
        return pack_real(format, item, to);
    case 'c':
        return pack_complex(format, item, to);
    default:
        return false;
    }
}

/* A new reference to an item of a list, which other threads may be changing where there is no GIL, or of a tuple. */
static PyObject *item_at(PyObject *items, bool is_list, Py_ssize_t index) {
#ifdef Py_GIL_DISABLED
    if (is_list)
        return PyList_GetItemRef(items, index);
#endif
    PyObject *item = is_list ? PyList_GetItem(items, index) : PyTuple_GetItem(items, index);
    Py_XINCREF(item);
    return item;
}

bool items_pack(const items_format *format, int dimensions, const Py_ssize_t *shape, PyObject *items, char *to) {
    bool is_list = PyList_CheckExact(items);
    if (!is_list && !PyTuple_CheckExact(items))
        return false;
    if ((is_list ? PyList_Size(items) : PyTuple_Size(items)) != shape[0])
        return false;
    Py_ssize_t step = format->width;
    for (int i = 1; i < dimensions; i++)
        step *= shape[i];
    bool packed = true;
    for (Py_ssize_t i = 0; i < shape[0] && packed; i++) {
        PyObject *item = item_at(items, is_list, i);
        if (!item) { /* the list has become shorter */
            PyErr_Clear();
            return false;
        }
        packed = dimensions > 1 ? items_pack(format, dimensions - 1, shape + 1, item, to + i * step)
                                : pack_item(format, item, to + i * step);
        Py_DECREF(item);
    }
    return packed;
}
