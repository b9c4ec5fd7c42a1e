/* Fields that are text or raw bytes. */
#ifndef TYPEDSHM_TEXT_H
#define TYPEDSHM_TEXT_H

#include "struct/field.h"

/* Bytes of text up to the first NUL of `unit` bytes, or all of it. */
Py_ssize_t text_size(const char *from, Py_ssize_t size, Py_ssize_t unit);

extern const field_codec text_codecs[];

#endif
