/* Pins: one version in its slot, kept as it is while anybody looks at it; or a private copy of it; or the bytes of a
 * mapping, which nobody keeps as they are. */
#ifndef TYPEDSHM_PIN_H
#define TYPEDSHM_PIN_H

#include "ring/reading.h"

typedef struct {
    PyObject_HEAD
    Ring *ring;              /* NULL: the bytes are a private copy, or in no region */
    Mapping *pages;          /* the read-only ones that `start` lies in */
    char *start;             /* of the value */
    Py_ssize_t size;         /* of the value */
    publication found;       /* which version it is */
    tshm_cursor cursor;      /* which slot */
    tshm_atomic_u32 users;   /* the block, and every Hold; the slot is let go with the last */
    uint32_t forks;          /* os_forks when it was pinned: in a child, the slot is the parent's */
    TSHM_ATOMIC(bool) ended; /* the block is over, so that Structs raise */
    PyObject *ended_words;   /* the message they raise then; NULL: that of borrow() */
    PyObject *read_only;     /* the message of who writes to it; NULL: that of borrow() */
} Pin;

/* Pins the newest version, or the next behind a position; a copy where that cannot be. NULL if there is none, or with
 * an error set if there is none that was published at most `max_age` ns ago. `lost`: as in a publication; may be NULL.
 */
Pin *pin_new(Ring *ring, const reading_position *behind, int64_t max_age, publication *lost);
/* A private copy, for the caller to fill: zeroed if wanted. `read_only` is what it says to who writes to it. */
Pin *pin_new_copy(size_t size, bool zeroed, PyObject *read_only);
/* The block is over. Arrays that were taken from it keep the slot. */
void pin_end(Pin *pin);
/* Raises what a Struct raises then. */
void pin_raise_ended(const Pin *pin);
/* The bytes of a pin as a read-only buffer, which keeps the slot. `owner` is kept alive as well; it may be NULL. NULL
 * and an error set if nobody keeps the slot any more. */
PyObject *pin_hold(Pin *pin, PyObject *owner);
/* The pin that a borrowed Struct remembers, which is a Pin or a Hold; NULL if it is none. Borrowed. */
Pin *pin_of(PyObject *state);
int pin_register(PyObject *module);

#endif
