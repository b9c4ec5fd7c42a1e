/* Event: an event of the system's. */
#ifndef TYPEDSHM_EVENT_WINDOWS_H
#define TYPEDSHM_EVENT_WINDOWS_H

#include "native.h"

int event_register(PyObject *module);

#endif
