/* told.c - from a break notification being made to its being on the holder's connection: until then the engine lets
 * nobody act on what the holder has lost. Knows nothing of who tells, and how. */
#include "base/clock.h"
#include "internal.h"

struct fs_told {
    struct fs *fs;
    struct co_key key;
    uint64_t lease;
    bool waited_for;
    _Atomic unsigned refs;
};

struct fs_told *told_new(struct fs *fs, const struct co_event *ev, bool waited_for)
{
    struct fs_told *t = malloc(sizeof *t);
    if (!t) { /* the engine does not wait for it, rather than for ever */
        co_told(fs->co, &ev->key, ev->lease, clock_now());
        return NULL;
    }
    *t = (struct fs_told){.fs = fs, .key = ev->key, .lease = ev->lease, .waited_for = waited_for, .refs = 1};
    return t;
}

struct fs_told *fs_told_later(struct fs_told *t)
{
    if (t)
        atomic_fetch_add(&t->refs, 1);
    return t;
}

bool fs_told_is_waited_for(const struct fs_told *t)
{
    return t && t->waited_for;
}

void fs_told_done(struct fs_told *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    co_told(t->fs->co, &t->key, t->lease, clock_now());
    free(t);
}
