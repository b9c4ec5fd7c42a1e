/* Fields that are arrays. */
#ifndef TYPEDSHM_ARRAY_H
#define TYPEDSHM_ARRAY_H

#include "struct/field.h"

extern const field_codec array_codecs[];

#endif
