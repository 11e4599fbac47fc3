/* arena.h - memory of one request: bump allocation, freed whole. Allocation of up to ARENA_INLINE bytes costs no
 * malloc, and more comes from the caches of blk.h. Not thread-safe; moves between threads with its request, but not
 * in memory. */
#pragma once
#include "util.h"

#define ARENA_INLINE 2048

struct blk;
struct arena {
    uint8_t *p, *end;
    struct blk *blocks; /* beyond the inline part */
    uint8_t inl[ARENA_INLINE] __attribute__((aligned(16)));
};

void arena_init(struct arena *a);
void arena_reset(struct arena *a); /* frees all but the inline part; also the destructor */
/* n bytes aligned to 16, not zeroed, at most BLK_MAX; NULL when out of memory. */
void *arena_alloc(struct arena *a, size_t n) _warn_unused_;
void *arena_zalloc(struct arena *a, size_t n) _warn_unused_;
void *arena_dup(struct arena *a, const void *data, size_t n) _warn_unused_;
char *arena_strndup(struct arena *a, const char *s, size_t n) _warn_unused_; /* NUL-terminated */
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3) _warn_unused_;
