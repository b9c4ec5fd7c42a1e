/* What the files that bring Windows' objects to Python share. */
#ifndef TYPEDSHM_HANDLES_WINDOWS_H
#define TYPEDSHM_HANDLES_WINDOWS_H

#include "peers.h"

#include "os_windows.h"

/* A name and a security descriptor as Windows wants them. */
typedef struct {
    wchar_t *name;
    SECURITY_ATTRIBUTES attributes;
} Names;

/* `sddl` NULL or "" is Windows' default. False and an error set. */
bool names_from(PyObject *name, PyObject *sddl, Names *names);
void names_free(Names *names);

int objects_add(PyObject *module);
int kernel_mutex_add(PyObject *module);

#endif
