/* The mappings of this process, as a handler of faults finds them: without a lock, and in any state of the rest.
 * faults_posix.c or faults_windows.c installs the handler. */
#ifndef TYPEDSHM_FAULTS_H
#define TYPEDSHM_FAULTS_H

#include "os/os.h"

/* Install the handler of faults, also if somebody else has installed one in front of it since. */
void faults_watch(void);

/* False if there is no memory left. */
bool faults_add(os_memory *memory);
void faults_remove(os_memory *memory);

/* A fault at that address: cover the mapping it lies in. False if it lies in none, or covering does not help: `write`
 * says that it was a write for sure, which read-only mappings refuse though nothing is lost. */
bool faults_at(uintptr_t address, bool write);
/* Cover every mapping that is_damaged(). False if there is none. */
bool faults_sweep(bool (*is_damaged)(const os_memory *memory));
/* In the child of a fork, without the parent's other threads: start over with whatever they were covering. */
void faults_after_fork(void);

#endif
