/* Words of other programs' memory, which their rules of consistency are made of, and copies between two looks at them.
 *
 * Publishers are other programs: on x86, which keeps stores in order and loads in order, their plain stores do;
 * elsewhere they have fences of their own or none. What is said here of pairs is what a publisher that follows its rule
 * has. */
#ifndef TYPEDSHM_WORDS_H
#define TYPEDSHM_WORDS_H

#include "native.h"

int words_register(PyObject *module);

#endif
