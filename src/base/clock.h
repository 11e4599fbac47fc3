/* clock.h - time. clock_now() is monotonic and coarse enough to be called per request; file times are timespecs. */
#pragma once
#include <stdint.h>
#include <time.h>

uint64_t clock_now(void);          /* CLOCK_MONOTONIC in ns */
struct timespec clock_wall(void);  /* CLOCK_REALTIME */
