/* Opening files, and room for them on the disk: what each system needs beyond Python's os module. */
#ifndef TYPEDSHM_FILES_H
#define TYPEDSHM_FILES_H

#include "native.h"

int files_register(PyObject *module);

#endif
