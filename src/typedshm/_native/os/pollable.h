/* What other people's event loops can wait for: an eventfd on Linux, a pipe on other POSIX systems, an event on
 * Windows. Once set it stays set until it is cleared. */
#ifndef TYPEDSHM_POLLABLE_H
#define TYPEDSHM_POLLABLE_H

#include "os/os.h"

typedef struct {
    intptr_t waited;            /* a descriptor that is readable while it is set; or a handle that is signalled */
    intptr_t written;           /* where it is set: the same, or the pipe's other end */
    os_mark mark, written_mark; /* by which a descriptor is known to be ours still */
} pollable;

/* False, and errno or GetLastError(), on failure. */
bool pollable_make(pollable *made);
/* From any thread; setting it twice does what once does. */
void pollable_set(const pollable *set);
void pollable_clear(const pollable *cleared);
void pollable_close(pollable *closed);

#endif
