/* Fields that are Structs. */
#ifndef TYPEDSHM_NESTED_H
#define TYPEDSHM_NESTED_H

#include "struct/field.h"

extern const field_codec nested_codecs[];

#endif
