/* publish_row(): a version of a row with given bytes, number and time. */
#ifndef TYPEDSHM_ROW_PUBLISHING_H
#define TYPEDSHM_ROW_PUBLISHING_H

#include "native.h"

int row_publishing_register(PyObject *module);

#endif
