/* arena.c - bump allocation out of the inline part, then out of blocks. What is big gets a block of its own, so that
 * the rest of the current block is not thrown away for it. Knows nothing of requests. */
#include "arena.h"
#include "blk.h"
#include <stdarg.h>
#include <stdio.h>

#define ARENA_ALIGN 16
#define ARENA_BLOCK 4096 /* the usual block; more than a quarter of it is "big" */

_Static_assert(offsetof(struct blk, data) % ARENA_ALIGN == 0, "blocks start aligned");

void arena_init(struct arena *a)
{
    a->blocks = NULL;
    a->p = a->inl;
    a->end = a->inl + sizeof a->inl;
}

void arena_reset(struct arena *a)
{
    for (struct blk *b = a->blocks, *next; b; b = next) {
        next = b->next;
        blk_put(b);
    }
    arena_init(a);
}

static void *arena_more(struct arena *a, size_t n)
{
    bool big = n > ARENA_BLOCK / 4;
    struct blk *b = blk_get(big ? n : ARENA_BLOCK);
    if (!b)
        return NULL;
    b->next = a->blocks;
    a->blocks = b;
    if (!big) {
        a->p = b->data + n;
        a->end = b->data + (b->cap & ~(uint32_t)(ARENA_ALIGN - 1));
    }
    return b->data;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (unlikely(n > BLK_MAX))
        return NULL;
    n = n ? ALIGN_UP(n, ARENA_ALIGN) : ARENA_ALIGN;
    if (unlikely(n > (size_t)(a->end - a->p)))
        return arena_more(a, n);
    void *p = a->p;
    a->p += n;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);
    return p ? memset(p, 0, n) : NULL;
}

void *arena_dup(struct arena *a, const void *data, size_t n)
{
    void *p = arena_alloc(a, n);
    if (p && n)
        memcpy(p, data, n);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    n = n ? strnlen(s, n) : 0;
    char *p = arena_alloc(a, n + 1);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}
