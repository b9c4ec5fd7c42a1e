/* Steps: which thread has last taken a step in each of the places that this process has among the followers of a
 * region. A writer that waits for a place of its own thread, or of another task there, waits for ever: that one cannot
 * take a step meanwhile. */
#ifndef TYPEDSHM_STEPS_H
#define TYPEDSHM_STEPS_H

#include "native.h"
#include "os/os.h"

/* As steps_thread() numbers them; 0: the place is not this process's. */
typedef struct {
    tshm_atomic_u64 threads[TSHM_FOLLOWERS];
} steps;

/* The number of the running thread, which no other thread of this process has ever had. */
uint64_t steps_thread(void);

/* The running thread takes a step, or makes the follower. Relaxed, as all of this: what matters is what a thread itself
 * has stored, or others before it could be told of the follower. */
static inline void steps_note(steps *self, uint32_t place) {
    tshm_store(&self->threads[place], steps_thread(), relaxed);
}

/* The place is left. */
static inline void steps_forget(steps *self, uint32_t place) {
    tshm_store(&self->threads[place], 0, relaxed);
}

/* Has the running thread taken the last step there? `place` is below TSHM_FOLLOWERS. */
static inline bool steps_are_mine(const steps *self, uint32_t place) {
    return tshm_load(&self->threads[place], relaxed) == steps_thread();
}

#endif
