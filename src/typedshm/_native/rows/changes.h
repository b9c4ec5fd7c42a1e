/* Changes: what a follower of a table has seen, and what it has not. */
#ifndef TYPEDSHM_CHANGES_H
#define TYPEDSHM_CHANGES_H

#include "rows/rows.h"

int changes_register(PyObject *module);

#endif
