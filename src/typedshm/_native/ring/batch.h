/* Batches: what _native.follower_batch() takes of a follower at once. */
#ifndef TYPEDSHM_BATCH_H
#define TYPEDSHM_BATCH_H

#include "native.h"

int batch_register(PyObject *module);

#endif
