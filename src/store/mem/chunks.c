/* chunks.c - a tree from chunk numbers to chunks, as high as the largest number needs: one chunk is no tree at all,
 * the last byte of 2^63 is eight levels down. Knows numbers and pointers; must not know files. */
#include "mem.h"

struct mfan {
    void *down[MTREE_FAN];
};

static unsigned digit(uint64_t i, unsigned level) { return (i >> (level * MTREE_BITS)) & (MTREE_FAN - 1); }

/* The first number that a tree of this height cannot hold; 0: holds all. */
static uint64_t reach(unsigned height) { return height * MTREE_BITS >= 64 ? 0 : 1ull << (height * MTREE_BITS); }

static bool holds(const struct mtree *t, uint64_t i)
{
    uint64_t end = reach(t->height);
    return end == 0 || i < end;
}

static bool grow(struct mtree *t, uint64_t i)
{
    while (!holds(t, i)) {
        if (t->root) {
            struct mfan *top = calloc(1, sizeof *top);
            if (!top)
                return false;
            top->down[0] = t->root;
            t->root = top;
        }
        t->height++;
    }
    return true;
}

struct mchunk **mtree_slot(struct mtree *t, uint64_t i, bool make)
{
    if (!holds(t, i) && (!make || !grow(t, i)))
        return NULL;
    void **at = &t->root;
    for (unsigned level = t->height; level > 0; level--) {
        if (!*at && make)
            *at = calloc(1, sizeof(struct mfan));
        if (!*at)
            return NULL;
        at = &((struct mfan *)*at)->down[digit(i, level - 1)];
    }
    return (struct mchunk **)at;
}

static bool next_in(const void *at, unsigned height, uint64_t from, uint64_t *ret)
{
    if (!at)
        return false;
    if (height == 0) {
        *ret = 0;
        return from == 0;
    }
    uint64_t below = reach(height - 1); /* numbers per branch */
    const struct mfan *fan = at;
    for (unsigned d = digit(from, height - 1); d < MTREE_FAN; d++) {
        uint64_t base = below * d;
        if (next_in(fan->down[d], height - 1, from > base ? from - base : 0, ret)) {
            *ret += base;
            return true;
        }
    }
    return false;
}

bool mtree_next(const struct mtree *t, uint64_t from, uint64_t *ret)
{
    return holds(t, from) && next_in(t->root, t->height, from, ret);
}

/* Frees what is at or after `from`; *at is NULL when nothing is left below it. */
static uint64_t cut_in(void **at, unsigned height, uint64_t from)
{
    uint64_t freed = 0;
    if (!*at || (height == 0 && from > 0))
        return 0;
    if (height == 0) {
        freed = ((struct mchunk *)*at)->cap;
    } else {
        uint64_t below = reach(height - 1);
        struct mfan *fan = *at;
        for (unsigned d = digit(from, height - 1); d < MTREE_FAN; d++) {
            uint64_t base = below * d;
            freed += cut_in(&fan->down[d], height - 1, from > base ? from - base : 0);
        }
        if (from > 0)
            return freed;
    }
    free(*at);
    *at = NULL;
    return freed;
}

uint64_t mtree_cut(struct mtree *t, uint64_t from)
{
    uint64_t freed = holds(t, from) ? cut_in(&t->root, t->height, from) : 0;
    if (from == 0)
        t->height = 0;
    return freed;
}
