/* Start: where somebody begins who goes from version to version. */
#ifndef TYPEDSHM_START_H
#define TYPEDSHM_START_H

#include "ring/reading.h"

#define START_NEXT INT64_MAX
#define START_OLDEST INT64_MIN

/* The position before the first version that is wanted: that version, or one of so many before the newest if it is not
 * above 0; with START_NEXT the next to be published. A version that is gone is missed, if it was named by its number;
 * otherwise the oldest that is there takes its place. False and an error set if the region is gone. */
bool start_find(Ring *ring, int64_t first, reading_position *at);

#endif
