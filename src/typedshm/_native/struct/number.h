/* Fields that are numbers, or stored as one. */
#ifndef TYPEDSHM_NUMBER_H
#define TYPEDSHM_NUMBER_H

#include "struct/field.h"

/* The bits of a field of at most 8 bytes, in this machine's order. False with an error set. */
bool number_fetch(const Field *field, PyObject *instance, uint64_t *bits);
/* 0, or -1 and an error set. */
int number_store(const Field *field, PyObject *instance, uint64_t bits);

extern const field_codec number_codecs[];

#endif
