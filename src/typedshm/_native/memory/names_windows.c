#include "memory/names_windows.h"

#include "memory/security_windows.h"

bool names_from(PyObject *name, PyObject *sddl, names_object *names) {
    names->name = PyUnicode_AsWideCharString(name, NULL); /* refuses NULs */
    names->attributes.lpSecurityDescriptor = NULL;
    wchar_t *text = names->name && sddl ? PyUnicode_AsWideCharString(sddl, NULL) : NULL;
    bool done = names->name && (!sddl || (text && security_from(text, &names->attributes.lpSecurityDescriptor)));
    PyMem_Free(text);
    names->attributes.nLength = sizeof names->attributes;
    names->attributes.bInheritHandle = FALSE;
    if (!done) {
        PyMem_Free(names->name);
        names->name = NULL;
    }
    return done;
}

void names_free(names_object *names) {
    PyMem_Free(names->name);
    LocalFree(names->attributes.lpSecurityDescriptor);
}
