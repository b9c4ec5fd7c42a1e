/* Fields that are text or raw bytes. */
#ifndef TYPEDSHM_TEXT_H
#define TYPEDSHM_TEXT_H

#include "struct/field.h"

extern const field_codec text_codecs[];

#endif
