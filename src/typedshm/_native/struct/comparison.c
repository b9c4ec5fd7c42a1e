/* How the bytes of each kind compare. They answer as the values in Python would, and leave the rest open. */
#include "struct/comparison.h"

#include "struct/bits.h"
#include "struct/text.h"

static verdict decided(bool equal) {
    return equal ? COMPARISON_EQUAL : COMPARISON_DIFFERENT;
}

static bool same_bytes(const char *one, const char *other, Py_ssize_t size) {
    return memcmp(one, other, (size_t)size) == 0;
}

/* ---- where bytes decide: integers, raw bytes --------------------------------------------------------------------- */

static verdict compare_bytes(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped) {
    (void)unit, (void)swapped;
    return decided(same_bytes(one, other, size));
}

/* ---- where equal bytes are equal values, but other bytes may be as well: enums, arrays of text and of bool ------- */

static verdict compare_alike(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped) {
    (void)unit, (void)swapped;
    return same_bytes(one, other, size) ? COMPARISON_EQUAL : COMPARISON_OPEN;
}

/* ---- what only the values know ----------------------------------------------------------------------------------- */

static verdict compare_values(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped) {
    (void)one, (void)other, (void)size, (void)unit, (void)swapped;
    return COMPARISON_OPEN;
}

/* ---- bool: any bits are True ------------------------------------------------------------------------------------- */

static verdict compare_truth(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped) {
    (void)unit;
    return decided((bits_at(one, size, swapped) != 0) == (bits_at(other, size, swapped) != 0));
}

/* ---- floats, alone, in complex numbers and in arrays: NaN equals nothing, and the two zeros each other ----------- */

static bool same_singles(const char *one, const char *other, Py_ssize_t size) {
    int different = 0; /* no early exit, so that compilers make vectors of it */
    for (Py_ssize_t at = 0; at < size; at += 4) {
        float mine, theirs;
        memcpy(&mine, one + at, 4);
        memcpy(&theirs, other + at, 4);
        different |= !(mine == theirs);
    }
    return !different;
}

static bool same_doubles(const char *one, const char *other, Py_ssize_t size) {
    int different = 0;
    for (Py_ssize_t at = 0; at < size; at += 8) {
        double mine, theirs;
        memcpy(&mine, one + at, 8);
        memcpy(&theirs, other + at, 8);
        different |= !(mine == theirs);
    }
    return !different;
}

/* By the bits of an IEEE 754 number, so that nobody has to convert half floats and foreign byte orders. */
static bool same_real(uint64_t one, uint64_t other, Py_ssize_t width) {
    uint64_t sign = (uint64_t)1 << (8 * width - 1);
    uint64_t infinity = width == 2 ? 0x7c00 : width == 4 ? 0x7f800000 : 0x7ff0000000000000;
    if (one == other)
        return (one & (sign - 1)) <= infinity;
    return ((one | other) & (sign - 1)) == 0;
}

static verdict compare_reals(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped) {
    if (!swapped && unit == 8)
        return decided(same_doubles(one, other, size));
    if (!swapped && unit == 4)
        return decided(same_singles(one, other, size));
    for (Py_ssize_t at = 0; at < size; at += unit)
        if (!same_real(bits_at(one + at, unit, swapped), bits_at(other + at, unit, swapped), unit))
            return COMPARISON_DIFFERENT;
    return COMPARISON_EQUAL;
}

/* ---- text: the bytes behind the NUL count only where it does not decode ------------------------------------------ */

static verdict compare_text(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped) {
    (void)swapped;
    if (same_bytes(one, other, size))
        return COMPARISON_EQUAL;
    Py_ssize_t end = text_size(one, size, unit);
    if (end != text_size(other, size, unit) || !same_bytes(one, other, end))
        return COMPARISON_DIFFERENT;
    return COMPARISON_OPEN;
}

/* ---- times in ns since 1970; the smallest number is NaT ---------------------------------------------------------- */

#define NOT_A_TIME ((uint64_t)1 << 63)

/* np.datetime64: NaT equals nothing. */
static verdict compare_times(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped) {
    if (!same_bytes(one, other, size))
        return COMPARISON_DIFFERENT;
    for (Py_ssize_t at = 0; at < size; at += unit)
        if (bits_at(one + at, unit, swapped) == NOT_A_TIME)
            return COMPARISON_DIFFERENT;
    return COMPARISON_EQUAL;
}

static int64_t microseconds(uint64_t bits) {
    int64_t ns = (int64_t)bits;
    return ns / 1000 - (ns % 1000 < 0);
}

/* datetime: in microseconds; NaT, which it cannot represent, is compared as the bytes that it is. */
static verdict compare_datetimes(const char *one, const char *other, Py_ssize_t size, Py_ssize_t unit, bool swapped) {
    (void)unit;
    uint64_t mine = bits_at(one, size, swapped), theirs = bits_at(other, size, swapped);
    if (mine == NOT_A_TIME || theirs == NOT_A_TIME)
        return decided(mine == theirs);
    return decided(microseconds(mine) == microseconds(theirs));
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    comparison *compare;
    Py_ssize_t least, most; /* bytes of a unit, powers of two as bits_at() expects */
    bool single;            /* the field is one unit */
} comparisons[] = {
    {"bytes", compare_bytes, 1, PY_SSIZE_T_MAX, false},
    {"alike", compare_alike, 1, PY_SSIZE_T_MAX, false},
    {"values", compare_values, 1, PY_SSIZE_T_MAX, false},
    {"truth", compare_truth, 1, 8, true},
    {"reals", compare_reals, 2, 8, false},
    {"text", compare_text, 1, 4, false},
    {"times", compare_times, 8, 8, false},
    {"datetime", compare_datetimes, 8, 8, true},
};

comparison *comparison_named(const char *name, Py_ssize_t size, Py_ssize_t unit) {
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++) {
        if (strcmp(comparisons[i].name, name) != 0)
            continue;
        if (unit >= comparisons[i].least && unit <= comparisons[i].most && (unit & (unit - 1)) == 0 &&
            size % unit == 0 && (!comparisons[i].single || size == unit))
            return comparisons[i].compare;
    }
    PyErr_Format(PyExc_ValueError, "Fields: no comparison '%s' of %zd bytes in units of %zd", name, size, unit);
    return NULL;
}
