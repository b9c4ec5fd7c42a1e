/* KernelMutex: a mutex of the system's. */
#ifndef TYPEDSHM_KERNEL_MUTEX_WINDOWS_H
#define TYPEDSHM_KERNEL_MUTEX_WINDOWS_H

#include "lock/guarded.h"

bool kernel_mutex_check(PyObject *object);
extern const guarded kernel_mutex_guarded;
int kernel_mutex_register(PyObject *module);

#endif
