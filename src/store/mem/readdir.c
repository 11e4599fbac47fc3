/* readdir.c - directories in memory: entries by name in a hash table, and in the order of their cookies in an array.
 * Cookies only grow, so one that was given out stays right whatever else is added or removed. */
#include "mem.h"

#define BATCH 32 /* entries copied under the lock at a time: fn may call the store */

struct ment *mdir_find(const struct mdir *d, const char *name, size_t n)
{
    for (struct hash_link *l = hash_first(&d->names, hash_bytes(name, n)); l; l = hash_next(l)) {
        struct ment *e = container_of(l, struct ment, link);
        if (e->nname == n && memcmp(e->name, name, n) == 0)
            return e;
    }
    return NULL;
}

static void squeeze(struct mdir *d)
{
    size_t to = 0;
    for (size_t i = 0; i < d->nslots; i++)
        if (d->slots[i].e)
            d->slots[to++] = d->slots[i];
    d->nslots = to;
}

enum st mdir_add(struct mdir *d, const char *name, size_t n, struct mnode *child)
{
    if (d->nslots == d->cap && d->live * 2 <= d->nslots)
        squeeze(d);
    if (d->nslots == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 8;
        struct mslot *p = realloc(d->slots, cap * sizeof *p);
        if (!p)
            return ST_NOMEM;
        d->slots = p;
        d->cap = cap;
    }
    struct ment *e = malloc(sizeof *e + n);
    if (!e)
        return ST_NOMEM;
    e->child = child;
    e->cookie = d->next_cookie++;
    e->nname = (uint8_t)n;
    memcpy(e->name, name, n);
    hash_insert(&d->names, &e->link, hash_bytes(name, n));
    d->slots[d->nslots++] = (struct mslot){e->cookie, e};
    d->live++;
    return ST_OK;
}

/* The first slot with a cookie above `cookie`. */
static size_t slot_after(const struct mdir *d, uint64_t cookie)
{
    size_t lo = 0, hi = d->nslots;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->slots[mid].cookie > cookie)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

void mdir_remove(struct mdir *d, struct ment *e)
{
    d->slots[slot_after(d, e->cookie - 1)].e = NULL;
    hash_remove(&d->names, &e->link);
    d->live--;
    free(e);
}

void mdir_done(struct mdir *d)
{
    for (size_t i = 0; i < d->nslots; i++)
        free(d->slots[i].e);
    free(d->slots);
    if (d->names.slots)
        hash_done(&d->names);
}

struct batch {
    unsigned n;
    struct st_dirent e[BATCH];
    char names[BATCH][ST_NAME_MAX + 1];
};

static void batch_fill(struct mnode *n, uint64_t cookie, struct batch *b)
{
    b->n = 0;
    pthread_rwlock_rdlock(&n->lock);
    for (size_t i = slot_after(&n->dir, cookie); i < n->dir.nslots && b->n < BATCH; i++) {
        const struct ment *e = n->dir.slots[i].e;
        if (!e)
            continue;
        memcpy(b->names[b->n], e->name, e->nname);
        b->names[b->n][e->nname] = '\0';
        b->e[b->n] = (struct st_dirent){.name = b->names[b->n],
                                        .nname = e->nname,
                                        .ino = e->child->n.id.ino,
                                        .type = e->child->n.type,
                                        .cookie = e->cookie};
        b->n++;
    }
    pthread_rwlock_unlock(&n->lock);
}

enum st mem_readdir(struct st_node *st, uint64_t cookie, bool (*fn)(void *, const struct st_dirent *), void *arg)
{
    struct batch b;
    if (st->type != ST_DIR)
        return ST_NOTDIR;
    for (;;) {
        batch_fill(MNODE(st), cookie, &b);
        if (b.n == 0)
            return ST_END;
        for (unsigned i = 0; i < b.n; i++) {
            if (!fn(arg, &b.e[i]))
                return ST_OK;
            cookie = b.e[i].cookie;
        }
    }
}
