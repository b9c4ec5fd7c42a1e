#include "ring/waiting.h"

#include "arguments.h"
#include "os/faults.h"
#include "ring/reading.h"
#include "timeout.h"

static const int64_t SIGNAL_SLICE = TSHM_SLICE;  /* ns between looks at Python's signal handlers */
static const uint64_t READ_ONLY_SLICE = 2000000; /* ns: nobody wakes a waiter who cannot announce itself */

/* Is there a version above `after`? 1 or 0, or -1 and an error set. With 0 comes the number that head had then:
 * whatever is published later, it changes that. */
int waiting_find_newer(Ring *self, uint64_t after, bool slept, uint32_t *number) {
    *number = tshm_head_number(&self->ring); /* before the search for a newer version */
    uint64_t newest, time;
    if (!reading_newest(self, &newest, &time))
        return -1;
    if (newest > after)
        return 1;
    return slept && !opened_look_at_name((Opened *)self) ? -1 : 0;
}

/* Between two questions whether anybody is left to publish: it is believed only if it was found twice, so that a hot
 * standby can take over in between, and twice is less than TSHM_SLICE. */
static const uint64_t ABSENCE_SLICE = 40000000; /* ns */

int waiting_is_abandoned(Ring *self) {
    PyObject *gone = PyObject_CallMethod((PyObject *)self, "_publisher_is_gone", NULL);
    Py_XDECREF(gone);
    return gone ? gone == Py_True : -1;
}

bool waiting_newer(Ring *self, uint64_t after, int64_t ns, bool until_gone) {
    uint64_t start = os_monotonic_ns(), looked = start, asked = start;
    int absent = 0; /* how often in a row */
    for (uint64_t now = start; self->mapping; now = os_monotonic_ns()) {
        void *word = (void *)&tshm_control_of(&self->ring)->head.word; /* its low half: little-endian */
        uint32_t number;
        bool due = now - looked >= TSHM_SLICE;
        int found = waiting_find_newer(self, after, due, &number);
        if (found)
            return found > 0;
        if (absent > 1) { /* found before this look, so there is nothing to come */
            ring_fail(self, "publisher gone");
            return false;
        }
        if (due)
            looked = now;
        if (until_gone && self->mapping && now - asked >= ABSENCE_SLICE) {
            int found_absent = waiting_is_abandoned(self);
            if (found_absent < 0)
                return false;
            absent = found_absent ? absent + 1 : 0;
            asked = now;
            if (absent > 1)
                continue;
        }
        if (!self->mapping)
            break; /* while Python's code ran */
        int64_t left = ns == TIMEOUT_FOREVER ? SIGNAL_SLICE : ns - (int64_t)(now - start);
        if (left <= 0) {
            ring_fail(self, "wait timeout");
            return false;
        }
        uint64_t slice = !self->mutex ? READ_ONLY_SLICE : until_gone ? ABSENCE_SLICE : TSHM_SLICE;
        if ((uint64_t)left < slice)
            slice = (uint64_t)left;
        os_peers *peers = self->mutex ? &self->mutex->lock->lock.peers : NULL;
        Mapping *mapping = self->mapping_ref; /* a close() meanwhile must not unmap the word */
        Py_INCREF((PyObject *)mapping);
        Py_BEGIN_ALLOW_THREADS
        faults_watch();
        uint32_t expected;
        if (mapping_prepare_sleep(mapping, number, &expected))
            os_word_wait(peers, tshm_control_of(&self->ring), word, expected, slice);
        Py_END_ALLOW_THREADS
        Py_DECREF((PyObject *)mapping);
        if (PyErr_CheckSignals() < 0)
            return false;
    }
    ring_fail(self, "closed");
    return false;
}

/* Which version is the newest: for this thread it counts as got. */
static PyObject *newest_number(Ring *self) {
    uint64_t newest, time, *position = position_version(&self->position);
    if (!position || !reading_newest(self, &newest, &time))
        return NULL;
    if (*position < newest)
        *position = newest;
    return PyLong_FromUnsignedLongLong(newest);
}

/* A keyword that is True or False. False and an error set if it is something else. */
static bool flag_of(PyObject *const *args, Py_ssize_t count, PyObject *names, const char *name, bool none, bool *flag) {
    PyObject *given = arguments_get(args, count, names, name);
    *flag = given ? given == Py_True : none;
    return !given || *flag || given == Py_False || arguments_refuse(PyExc_TypeError, name, "True or False", given);
}

PyObject *waiting_wait(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    static const char *const keywords[] = {"after", "timeout", "copy", "until_gone", NULL};
    static const arguments_verb verb = {
        "wait", keywords, false,
        "wait(timeout=%U) for at most %U seconds, or wait(after=%U) for what is newer than version %U"};
    Ring *self = (Ring *)object;
    int64_t ns = self->timeout;
    if (!arguments_fit(&verb, args, count, names) ||
        timeout_convert(arguments_get(args, count, names, "timeout"), &ns) < 0)
        return NULL;
    PyObject *given = arguments_get(args, count, names, "after");
    uint64_t after;
    if (given && given != Py_None) {
        if (!arguments_version(given, "after", &after))
            return NULL;
    } else {
        uint64_t *position = position_version(&self->position);
        if (!position)
            return NULL;
        after = *position;
    }
    bool copies, until_gone;
    if (!flag_of(args, count, names, "copy", true, &copies) ||
        !flag_of(args, count, names, "until_gone", false, &until_gone) || !waiting_newer(self, after, ns, until_gone))
        return NULL;
    return copies ? reading_newest_value(self, READING_ANY_AGE) : newest_number(self);
}
