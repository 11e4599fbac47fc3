/* look.c - what is held, for people: copies, made under the lock and shown without it. */
#include "engine.h"

struct holds {
    struct co_hold *h;
    size_t n, cap;
    bool full; /* no memory: the listing is cut */
};

static bool holds_add(struct holds *hs, struct co_hold h)
{
    if (hs->n == hs->cap) {
        size_t cap = hs->cap ? 2 * hs->cap : 64;
        struct co_hold *grown = realloc(hs->h, cap * sizeof *grown);
        if (!grown)
            return hs->full = true;
        hs->h = grown;
        hs->cap = cap;
    }
    hs->h[hs->n++] = h;
    return false;
}

struct look_range {
    struct holds *hs;
    const struct file *f;
};

static bool look_at_range(void *arg, const struct range *r)
{
    const struct look_range *l = arg;
    return holds_add(l->hs, hold_of_range(l->f, r)); /* true stops */
}

static void look_at(struct holds *hs, const struct file *f)
{
    const struct share *s;
    const struct lease *l;
    const struct pending *d;
    const struct part *p;
    struct look_range lr = {hs, f};
    ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, look_at_range, &lr);
    list_each(s, &f->shares, link)
        if (!s->voided)
            holds_add(hs, hold_of_share(f, s));
    list_each(l, &f->leases, link)
        if (l->granted)
            holds_add(hs, hold_of_lease(l));
    list_each(d, &f->pendings, link)
        holds_add(hs, hold_of_pending(f, d));
    list_each(p, &f->queue, link)
        holds_add(hs, hold_of_part(p));
}

static void look_shard(struct co *co, struct shard *sh, const struct co_key *key, struct holds *hs)
{
    pthread_mutex_lock(&sh->mu);
    if (key) {
        const struct file *f = file_find(sh, key, file_hash(co, key));
        if (f)
            look_at(hs, f);
    } else {
        for (size_t b = 0; b < CO_BUCKETS; b++)
            for (const struct file *f = atomic_load(&sh->buckets[b].head); f; f = f->next)
                look_at(hs, f);
    }
    pthread_mutex_unlock(&sh->mu);
}

void co_each(struct co *co, const struct co_key *key, bool (*fn)(void *arg, const struct co_hold *h), void *arg)
{
    bool more = true;
    for (size_t i = 0; i < CO_SHARDS && more; i++) {
        struct holds hs = {0};
        struct shard *sh = key ? file_shard(co, file_hash(co, key)) : &co->shards[i];
        look_shard(co, sh, key, &hs);
        for (size_t k = 0; k < hs.n && more; k++)
            more = fn(arg, &hs.h[k]);
        free(hs.h);
        more &= !key;
    }
}

void co_stats(struct co *co, struct co_stats *ret)
{
    *ret = (struct co_stats){0};
    for (size_t i = 0; i < CO_SHARDS; i++) {
        struct shard *sh = &co->shards[i];
        pthread_mutex_lock(&sh->mu);
        ret->files += sh->stats.files;
        ret->ranges += sh->stats.ranges;
        ret->shares += sh->stats.shares;
        ret->leases += sh->stats.leases;
        ret->waiters += sh->stats.waiters;
        ret->entered += sh->stats.entered;
        for (size_t k = 0; k < CO_OP_MAX; k++)
            ret->waiting[k] += sh->stats.waiting[k];
        pthread_mutex_unlock(&sh->mu);
        for (size_t b = 0; b < CO_BUCKETS; b++) {
            uint64_t n = atomic_load_explicit(&sh->buckets[b].under_way, memory_order_relaxed);
            ret->entered += (uint32_t)n + (n >> 32);
        }
    }
}
