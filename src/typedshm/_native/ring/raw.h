/* Raw: values given as bytes, with the number and the time that they are published with; for replay. */
#ifndef TYPEDSHM_RAW_H
#define TYPEDSHM_RAW_H

#include "ring/values.h"

typedef struct {
    const void *bytes; /* as they are to stand in memory */
    uint64_t version;  /* 0: the next */
    uint64_t time;     /* ns since 1970; 0: now */
    Py_buffer view;    /* of what was given */
    void *unpacked;    /* of a value of varying size, or NULL */
} raw_value;

/* From (…, bytes, version, time in ns), the last three arguments of a function. False and an error set if they are no
 * such value; nothing has to be closed then. Values of varying size are packed as by Extents.pack(). */
bool raw_open(const schema_values *values, PyObject *const *args, raw_value *raw);
void raw_close(raw_value *raw);

#endif
