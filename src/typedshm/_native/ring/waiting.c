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

/* Sleep until there is a version above `after`; false and an error set if there is none within `ns`. */
bool waiting_newer(Ring *self, uint64_t after, int64_t ns) {
    uint64_t start = os_monotonic_ns(), looked = start;
    for (uint64_t now = start; self->mapping; now = os_monotonic_ns()) {
        void *word = (void *)&tshm_control_of(&self->ring)->head.word; /* its low half: little-endian */
        uint32_t number;
        bool due = now - looked >= TSHM_SLICE;
        int found = waiting_find_newer(self, after, due, &number);
        if (found)
            return found > 0;
        if (due)
            looked = now;
        if (!self->mapping)
            break; /* while Python's code ran */
        int64_t left = ns == TIMEOUT_FOREVER ? SIGNAL_SLICE : ns - (int64_t)(now - start);
        if (left <= 0) {
            ring_fail(self, "wait timeout");
            return false;
        }
        uint64_t slice = self->mutex ? TSHM_SLICE : READ_ONLY_SLICE;
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

PyObject *waiting_wait(PyObject *object, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    static const char *const keywords[] = {"after", "timeout", NULL};
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
    return waiting_newer(self, after, ns) ? reading_newest_value(self, READING_ANY_AGE) : NULL;
}
