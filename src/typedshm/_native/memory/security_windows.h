/* Security descriptors and identifiers of Windows, as text. */
#ifndef TYPEDSHM_SECURITY_WINDOWS_H
#define TYPEDSHM_SECURITY_WINDOWS_H

#include "native.h"
#include "os/windows.h"

/* The descriptor that SDDL text stands for, to be freed by LocalFree(); NULL for "", which is Windows' default. False
 * and an error set. */
bool security_from(const wchar_t *sddl, PSECURITY_DESCRIPTOR *security);
/* A security identifier as text. */
PyObject *security_text(PSID sid);
int security_register(PyObject *module);

#endif
