/* The mappings of this process, as a handler of faults finds them: without a lock, and in any state of the rest. */
#ifndef TYPEDSHM_WATCH_H
#define TYPEDSHM_WATCH_H

#include "os/os.h"

/* False if there is no memory left. */
bool watch_add(os_memory *memory);
void watch_remove(os_memory *memory);

/* A fault at that address: cover the mapping it lies in. False if it lies in none, or covering does not help: `write`
 * says that it was a write for sure, which read-only mappings refuse though nothing is lost. */
bool watch_fault(uintptr_t address, bool write);
/* Cover every mapping that is_damaged(). False if there is none. */
bool watch_sweep(bool (*is_damaged)(const os_memory *memory));
/* In the child of a fork, whose other threads are no more: what they were about is to be begun anew. */
void watch_after_fork(void);

#endif
