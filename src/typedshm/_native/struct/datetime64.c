/* np.datetime64: extra = (decode(field, ns), encode(field, value) -> ns). Python's encode() sees to datetimes, to units
 * that are not decimal parts of a second, and to times out of range. */
#include "struct/datetime64.h"

#include "struct/number.h"
#include "struct/numpy.h"
#include "struct/timestamp.h"

static PyObject *datetime64_get(Field *field, PyObject *instance) {
    uint64_t nanoseconds;
    if (!number_fetch(field, instance, &nanoseconds))
        return NULL;
    if (numpy_usable())
        return numpy_new_time((int64_t)nanoseconds);
    return timestamp_decode(field, (int64_t)nanoseconds);
}

/* Nanoseconds in a unit; 0 for those that are left to Python. */
static int64_t nanoseconds_in(int unit) {
    switch (unit) {
    case NUMPY_NANOSECONDS:
        return 1;
    case NUMPY_MICROSECONDS:
        return 1000;
    case NUMPY_MILLISECONDS:
        return 1000000;
    case NUMPY_SECONDS:
        return 1000000000;
    default:
        return 0;
    }
}

static bool plain_time(PyObject *value, int64_t *nanoseconds) {
    const NumpyTime *time = numpy_usable() ? numpy_time(value) : NULL;
    int64_t factor = time && time->step == 1 ? nanoseconds_in(time->unit) : 0;
    if (!factor)
        return false;
    if (time->count == INT64_MIN) { /* NaT, in every unit */
        *nanoseconds = INT64_MIN;
        return true;
    }
    if (time->count > INT64_MAX / factor || time->count < -INT64_MAX / factor)
        return false;
    *nanoseconds = time->count * factor;
    return true;
}

static int datetime64_set(Field *field, PyObject *instance, PyObject *value) {
    int64_t nanoseconds;
    if (!plain_time(value, &nanoseconds) && !timestamp_encode(field, value, &nanoseconds))
        return -1;
    return number_store(field, instance, (uint64_t)nanoseconds);
}

const field_codec datetime64_codecs[] = {
    {"datetime64", datetime64_get, datetime64_set, NULL, 8, true, 2},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};
