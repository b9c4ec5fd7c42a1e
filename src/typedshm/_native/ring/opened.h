/* Opened: what handles of regions and of tables have in common. */
#ifndef TYPEDSHM_OPENED_H
#define TYPEDSHM_OPENED_H

#include "lock/mutex.h"
#include "ring/values.h"

/* The mapping is NULL once closed; the reference to it is kept to the end where there is no GIL: verbs may be at work
 * there when close() comes. The mutex is NULL if the handle may not write at all, `refuses` if the layout is another.
 * The timeout is the default of blocking verbs, in ns. */
#define OPENED_HEAD                                                                                                    \
    PyObject_HEAD                                                                                                      \
    Mapping *mapping;                                                                                                  \
    Mapping *mapping_ref;                                                                                              \
    Mutex *mutex;                                                                                                      \
    uint64_t instance;                                                                                                 \
    int64_t timeout;                                                                                                   \
    bool refuses;                                                                                                      \
    schema_values values;

typedef struct {
    OPENED_HEAD
} Opened;

/* Raises what the handle's _fail(what) says; always NULL. */
static inline PyObject *opened_fail(void *opened, const char *what) {
    return native_fail((PyObject *)opened, what);
}
/* For after the work, and while the mapping is there: was it for nothing, since the memory is not there any more? */
static inline bool opened_is_gone(const Opened *opened) {
    return opened->mapping_ref && !mapping_shows(opened->mapping_ref, opened->instance); /* else it was closed */
}
bool opened_check(PyObject *object);
/* Fill the head, which was zeroed. -1 and an error set. */
int opened_start(Opened *opened, PyObject *mapping, uint64_t instance, PyObject *mutex, PyObject *schema, size_t size);
/* Let go of what the head has. */
void opened_end(Opened *opened);
/* Does work(context) on the memory without the GIL, since it takes long. */
void opened_work_apart(Opened *opened, void (*work)(void *context), void *context);
/* Ask its _look(), which asks the system, what no byte tells. False and an error set if the memory is gone. */
bool opened_look(Opened *opened);
/* Ask its _look_at_name() besides whether its name has come to mean something else; for those who wait. */
bool opened_look_at_name(Opened *opened);
/* The base of Ring and Table; a borrowed reference. */
PyObject *opened_base(void);
int opened_register(PyObject *module);

#endif
