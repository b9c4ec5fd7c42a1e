/* The mapping object, for the files that look into its memory. */
#ifndef TYPEDSHM_MAPPING_H
#define TYPEDSHM_MAPPING_H

#include "native.h"
#include "os/os.h"

typedef struct {
    PyObject_HEAD
    os_memory memory;
} Mapping;

bool mapping_check(PyObject *object);
int mapping_register(PyObject *module);
#ifndef _WIN32
/* A mapping of a System V segment of that size; NULL and an exception on failure. */
PyObject *mapping_of_segment(int id, size_t size, bool writable);
#endif

/* Does the memory still hold that instance of a region? Not after it went away, nor when somebody has put something
 * else into the file. For after the work on it, if that has touched a slot: nothing before is certain. */
static inline bool mapping_shows(const Mapping *mapping, uint64_t instance) {
    const tshm_control *control = (const tshm_control *)mapping->memory.start;
    return tshm_load(&mapping->memory.lost, relaxed) == OS_THERE &&
           *(const volatile uint64_t *)&control->header.instance == instance;
}

/* The same for work on the control block alone: a file that was cut inside its first page shows zeros up to the page's
 * end, and only beyond is it a fault. */
static inline bool mapping_holds(const Mapping *mapping, uint64_t instance) {
    const tshm_control *control = (const tshm_control *)mapping->memory.start;
    (void)*(const volatile uint32_t *)&control->presence[TSHM_PRESENCE_MAX - 1].pid;
    return mapping_shows(mapping, instance);
}

/* Before sleeping on the head, which was seen with that number: what its low half has to be while one sleeps. False: it
 * has moved on. Whoever may not write cannot announce itself; it sleeps on the word as others left it, and briefly. */
static inline bool mapping_prepare_sleep(const Mapping *mapping, uint32_t number, uint32_t *expected) {
    tshm_ring ring = {.base = mapping->memory.start};
    *expected = number | (uint32_t)TSHM_HEAD_AWAITED;
    if (mapping->memory.writable)
        return tshm_announce_sleep(&ring, number);
    uint32_t word = (uint32_t)tshm_load(&tshm_control_of(&ring)->head.word, relaxed);
    bool same = (*expected ^ word) <= TSHM_HEAD_AWAITED;
    *expected = word;
    return same;
}

#endif
