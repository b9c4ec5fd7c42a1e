/* Waiting for the next version. */
#ifndef TYPEDSHM_WAITING_H
#define TYPEDSHM_WAITING_H

#include "ring/ring.h"

/* Sleep until there is a version above `after`; false and an error set if there is none within `ns`, or with
 * `until_gone` if nobody is left to publish one. */
bool waiting_newer(Ring *ring, uint64_t after, int64_t ns, bool until_gone);
/* Is nobody left to publish a version? 1 or 0, or -1 and an error set. */
int waiting_is_abandoned(Ring *ring);
/* Is there a version above `after`? 1 or 0, or -1 and an error set. With 0 comes a number that head had then: whatever
 * is published later, it changes that. `slept`: since the last look. */
int waiting_find_newer(Ring *ring, uint64_t after, bool slept, uint32_t *number);

PyObject *waiting_wait(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

#endif
