/* blk.h - reference-counted memory blocks for message bytes, from per-thread caches of a few size classes, so that
 * a request costs no malloc and a 1 MiB reply no page faults. A block may be freed on any thread. */
#pragma once
#include "util.h"
#include <stdatomic.h>

struct blk {
    struct blk *next; /* for whoever owns the block: queues */
    _Atomic uint32_t refs;
    uint32_t class_;
    uint32_t cap;  /* bytes at data */
    uint32_t head; /* first valid byte (owner's use) */
    uint32_t len;  /* valid bytes from head (owner's use) */
    uint8_t data[] __attribute__((aligned(16)));
};
#define BLK_MAX (9u << 20) /* the largest block, more than the largest message (8 MiB I/O + headers) */

struct blk *blk_get(size_t cap) _warn_unused_; /* refs = 1, head = len = 0; NULL when cap > BLK_MAX or out of memory */
struct blk *blk_ref(struct blk *b);
void blk_put(struct blk *b); /* NULL is fine */
