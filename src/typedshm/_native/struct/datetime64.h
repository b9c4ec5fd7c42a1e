/* Fields that are times of numpy. */
#ifndef TYPEDSHM_DATETIME64_H
#define TYPEDSHM_DATETIME64_H

#include "struct/field.h"

extern const field_codec datetime64_codecs[];

#endif
