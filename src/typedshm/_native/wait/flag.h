/* Flag: what the threads of waitsets raise for whoever waits elsewhere, without Python's lock. */
#ifndef TYPEDSHM_FLAG_H
#define TYPEDSHM_FLAG_H

#include "native.h"

struct flag_state; /* freed with its last reference, whether Python's or of one who raises it */

/* The head of what is left with a flag: take() hands out the object, and frees the item. */
typedef struct flag_item {
    struct flag_item *next;
    PyObject *object; /* a reference */
    void (*free)(struct flag_item *item);
} flag_item;

bool flag_check(PyObject *object);
struct flag_state *flag_state_of(PyObject *flag); /* borrowed */

/* The following need no Python. */
void flag_keep(struct flag_state *flag);
void flag_release(struct flag_state *flag);
/* Have take() hand out an item; the flag has to be raised thereafter. False: it is closed, and the item the caller's.
 */
bool flag_push(struct flag_state *flag, flag_item *item);
void flag_raise(struct flag_state *flag);

int flag_register(PyObject *module);

#endif
