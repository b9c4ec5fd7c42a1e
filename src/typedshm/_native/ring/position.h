/* The newest version each thread has got through each handle: what wait() waits to be exceeded. */
#ifndef TYPEDSHM_SEEN_H
#define TYPEDSHM_SEEN_H

#include "native.h"

typedef struct {
    uint32_t index;  /* into every thread's table; given back when the handle ends */
    uint64_t holder; /* never given to another handle */
} seen_key;

void seen_start(seen_key *key);
void seen_end(seen_key *key);
/* Where this thread remembers; 0 at first. NULL and a Python error when out of memory. */
uint64_t *seen_version(const seen_key *key);
int seen_register(PyObject *module);

#endif
