/* History: the versions before the newest, as far as they are in slots. */
#ifndef TYPEDSHM_HISTORY_H
#define TYPEDSHM_HISTORY_H

#include "native.h"

int history_register(PyObject *module);

#endif
