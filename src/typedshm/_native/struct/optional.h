/* Numbers of which one says that there is none. */
#ifndef TYPEDSHM_OPTIONAL_H
#define TYPEDSHM_OPTIONAL_H

#include "struct/field.h"

extern const field_codec optional_codecs[];

#endif
