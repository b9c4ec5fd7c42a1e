/* Fields that are numbers, or stored as one. */
#ifndef TYPEDSHM_NUMBER_H
#define TYPEDSHM_NUMBER_H

#include "struct/field.h"

extern const field_codec number_codecs[];

#endif
