/* Timestamps as datetime objects: extra = (decode(field, ns), encode(field, value) -> ns), which are asked for what is
 * none of the common case, a datetime in UTC.
 *
 * The C interface of datetime is not in the limited API, where datetime.h is empty. It is reached through its capsule
 * instead, whose first members have been the same since CPython 3.7, and the inside of the objects since 3.6; both are
 * proved at import with a few moments, and not used if one differs. */
#include "struct/datetime.h"

#include "struct/number.h"
#include "struct/timestamp.h"

/* The first members of PyDateTime_CAPI. */
typedef struct {
    PyTypeObject *date_type, *datetime_type, *time_type, *delta_type, *tzinfo_type;
    PyObject *utc;
    PyObject *(*new_date)(int, int, int, PyTypeObject *);
    PyObject *(*new_datetime)(int, int, int, int, int, int, int, PyObject *, PyTypeObject *);
} datetime_interface;

/* PyDateTime_DateTime, whose `tzinfo` is there only if `has_tzinfo` is set. */
typedef struct {
    PyObject_HEAD
    Py_hash_t hash;
    char has_tzinfo;
    unsigned char data[10]; /* year (2), month, day, hour, minute, second, microsecond (3), each big-endian */
    unsigned char fold;
    PyObject *tzinfo;
} datetime_object;

typedef struct {
    int year, month, day, hour, minute, second, microsecond;
} civil_time;

static const datetime_interface *interface; /* NULL: not proved */

static const int64_t NOT_A_TIME = INT64_MIN, DAY = 86400, MICROSECONDS = 1000000;

/* The proleptic Gregorian calendar, in years that begin in March, so that the leap day is the last: Howard Hinnant,
 * "chrono-compatible low-level date algorithms". Days are counted from 1970-01-01. */
static int64_t days_of(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void set_date(civil_time *date, int64_t days) {
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    date->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    date->month = (int)(month < 10 ? month + 3 : month - 9);
    date->year = (int)(year_of_era + era * 400 + (date->month <= 2));
}

static int64_t floor_divided(int64_t n, int64_t by) {
    return n / by - (n % by < 0);
}

static civil_time civil_time_of(int64_t ns) {
    civil_time at;
    int64_t us = floor_divided(ns, 1000);
    int64_t seconds = floor_divided(us, MICROSECONDS);
    int64_t days = floor_divided(seconds, DAY);
    int64_t of_day = seconds - days * DAY;
    set_date(&at, days);
    at.hour = (int)(of_day / 3600);
    at.minute = (int)(of_day / 60 % 60);
    at.second = (int)(of_day % 60);
    at.microsecond = (int)(us - seconds * MICROSECONDS);
    return at;
}

static PyObject *datetime_of(const datetime_interface *from, int64_t ns) {
    civil_time at = civil_time_of(ns);
    return from->new_datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, from->utc,
                              from->datetime_type);
}

/* Microseconds since the epoch of a datetime in UTC. */
static int64_t microseconds_of(const datetime_object *value) {
    const unsigned char *data = value->data;
    int64_t seconds = days_of(data[0] << 8 | data[1], data[2], data[3]) * DAY;
    seconds += data[4] * 3600 + data[5] * 60 + data[6];
    return seconds * MICROSECONDS + (data[7] << 16 | data[8] << 8 | data[9]);
}

static bool is_in_utc(const datetime_interface *from, PyObject *value) {
    const datetime_object *object = (const datetime_object *)value;
    return Py_TYPE(value) == from->datetime_type && object->has_tzinfo && object->tzinfo == from->utc;
}

static PyObject *datetime_get(Field *field, PyObject *instance) {
    int64_t ns;
    if (!number_fetch(field, instance, (uint64_t *)&ns))
        return NULL;
    if (interface && ns != NOT_A_TIME)
        return datetime_of(interface, ns);
    return timestamp_decode(field, ns);
}

static int datetime_set(Field *field, PyObject *instance, PyObject *value) {
    if (interface && is_in_utc(interface, value)) {
        int64_t us = microseconds_of((const datetime_object *)value);
        if (us > INT64_MIN / 1000 && us < INT64_MAX / 1000)
            return number_store(field, instance, (uint64_t)(us * 1000));
    }
    int64_t ns;
    return timestamp_encode(field, value, &ns) ? number_store(field, instance, (uint64_t)ns) : -1;
}

const field_codec datetime_codecs[] = {
    {"datetime", datetime_get, datetime_set, NULL, 8, true, 2},
    {NULL, NULL, NULL, NULL, 0, false, 0},
};

/* ---- proof ------------------------------------------------------------------------------------------------------ */

/* Whether a moment becomes the datetime that isoformat() says, and is read from it again. -1: an error is set. */
static int is_as_expected(const datetime_interface *from, int64_t ns, const char *expected) {
    PyObject *value = datetime_of(from, ns);
    PyObject *text = value ? PyObject_CallMethod(value, "isoformat", NULL) : NULL;
    int result = -1;
    if (text)
        result = PyUnicode_CompareWithASCIIString(text, expected) == 0 && is_in_utc(from, value) &&
                 microseconds_of((const datetime_object *)value) == floor_divided(ns, 1000);
    Py_XDECREF(text);
    Py_XDECREF(value);
    return result;
}

static int is_without_zone(const datetime_interface *from) {
    PyObject *naive = from->new_datetime(2000, 1, 1, 0, 0, 0, 0, Py_None, from->datetime_type);
    if (!naive)
        return -1;
    int result = !is_in_utc(from, naive);
    Py_DECREF(naive);
    return result;
}

static int prove(const datetime_interface *from) {
    static const struct {
        int64_t ns;
        const char *expected;
    } moments[] = {
        {0, "1970-01-01T00:00:00+00:00"},
        {-1, "1969-12-31T23:59:59.999999+00:00"},
        {951782399123456789, "2000-02-28T23:59:59.123456+00:00"},
        {INT64_MAX, "2262-04-11T23:47:16.854775+00:00"},
        {INT64_MIN + 1, "1677-09-21T00:12:43.145224+00:00"},
    };
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int result = is_as_expected(from, moments[i].ns, moments[i].expected);
        if (result <= 0)
            return result;
    }
    return is_without_zone(from);
}

int datetime_register(PyObject *module) {
    (void)module;
    if (struct_slow())
        return 0;
    /* the module first: a capsule is imported by the name of its module */
    PyObject *imported = PyImport_ImportModule("datetime");
    if (!imported)
        return -1;
    Py_DECREF(imported);
    const datetime_interface *found = PyCapsule_Import("datetime.datetime_CAPI", 0);
    int proved = found ? prove(found) : -1;
    if (proved > 0)
        interface = found;
    PyErr_Clear(); /* a Python without all this takes the other way */
    return 0;
}
