/* turn.h - time and the loop for fuzz targets: one thread, no network, time that only moves when told. The loop has
 * no thread of its own; turn() does what that would do. Linked with -Wl,--wrap=clock_now, so that everybody has this
 * clock. */
#pragma once
#include "net/loop.h"

/* A loop at the clock's time; aborts when there is none. */
struct loop *turn_loop(void);
/* Time moves on by ns; runs until nothing happens any more. */
void turn(struct loop *l, uint64_t ns);
