/* The name of a kernel object or file, and who may use it, as Windows' calls take them. */
#ifndef TYPEDSHM_NAMES_WINDOWS_H
#define TYPEDSHM_NAMES_WINDOWS_H

#include "native.h"
#include "os/windows.h"

typedef struct {
    wchar_t *name;
    SECURITY_ATTRIBUTES attributes;
} names_object;

/* `sddl` NULL or "" is Windows' default. False and an error set. */
bool names_from(PyObject *name, PyObject *sddl, names_object *names);
void names_free(names_object *names);

#endif
