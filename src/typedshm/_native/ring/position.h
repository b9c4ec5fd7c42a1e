/* The newest version each thread has got through each handle: what wait() waits to be exceeded. */
#ifndef TYPEDSHM_POSITION_H
#define TYPEDSHM_POSITION_H

#include "native.h"

typedef struct {
    uint32_t index;  /* into every thread's table; given back when the handle ends */
    uint64_t holder; /* never given to another handle */
} position_key;

void position_start(position_key *key);
void position_end(position_key *key);
/* Where this thread remembers; 0 at first. NULL and a Python error when out of memory. */
uint64_t *position_version(const position_key *key);
int position_register(PyObject *module);

#endif
