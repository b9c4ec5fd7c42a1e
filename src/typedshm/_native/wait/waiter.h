/* Somebody who waits for a region to change. */
#ifndef TYPEDSHM_WAITER_H
#define TYPEDSHM_WAITER_H

#include "ring/opened.h"
#include "wait/flag.h"

/* The item's object is called once the region has changed; or with a flag, handed out by that. */
struct waiter {
    flag_item item;
    struct waiter *next;
    Opened *ring;
    struct flag_state *flag; /* a reference; or NULL */
};

/* NULL and an error set if there is no memory. */
struct waiter *waiter_new(Opened *ring, PyObject *wake, struct flag_state *flag);
/* Those of a list, which are not interested any more. What is freed may be anything: no lock may be held. */
void waiter_free_all(struct waiter *list);
/* Those of a list, which are due: their flags are raised, or they are called. No lock may be held here either. */
void waiter_wake_all(struct waiter *list);

#endif
