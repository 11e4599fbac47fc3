/* file.c - the sharded table of files. A file is there while something is held on it, waits, is under way or is kept
 * from being granted. Operations on a file without any of that are only counted in its bucket (gate.c). Knows what a
 * file consists of, not what it means. */
#include "engine.h"

#define POOL_KEEP 256

void *pool_get(struct pool *p)
{
    void *obj = p->free;
    if (!obj)
        return calloc(1, p->size);
    p->free = *(void **)obj;
    p->kept--;
    memset(obj, 0, p->size);
    return obj;
}

void pool_put(struct pool *p, void *obj)
{
    if (p->kept >= POOL_KEEP) {
        free(obj);
        return;
    }
    *(void **)obj = p->free;
    p->free = obj;
    p->kept++;
}

bool pool_reserve(struct pool *p, size_t n)
{
    while (p->kept < n) {
        void *obj = malloc(p->size);
        if (!obj)
            return false;
        *(void **)obj = p->free;
        p->free = obj;
        p->kept++;
    }
    return true;
}

void pool_done(struct pool *p)
{
    for (void *obj = p->free, *next; obj; obj = next) {
        next = *(void **)obj;
        free(obj);
    }
    p->free = NULL;
}

/* Multiply and fold; the seed keeps the slots of one process from being known. File ids are chosen by the store. */
uint64_t file_hash(const struct co *co, const struct co_key *key)
{
    uint64_t a = key->ino ^ co->seed, b = (key->store << 32) ^ key->gen ^ 0x9e3779b97f4a7c15ull;
    __uint128_t m = (__uint128_t)(a * 0xff51afd7ed558ccdull) * (b | 1);
    uint64_t h = (uint64_t)m ^ (uint64_t)(m >> 64) ^ a;
    h ^= h >> 29;
    h *= 0xbf58476d1ce4e5b9ull;
    return h ^ (h >> 32);
}

struct file *file_find(struct shard *sh, const struct co_key *key, uint64_t hash)
{
    struct file *f = atomic_load_explicit(&file_bucket(sh, hash)->head, memory_order_relaxed);
    while (f && !key_same(&f->key, key))
        f = f->next;
    return f;
}

struct file *file_get(struct co *co, struct shard *sh, const struct co_key *key, uint64_t hash)
{
    struct file *f = file_find(sh, key, hash);
    if (f)
        return f;
    if (!timers_reserve(&sh->timers))
        return NULL;
    f = pool_get(&sh->files);
    if (!f) {
        timers_release(&sh->timers, NULL);
        return NULL;
    }
    f->key = *key;
    f->hash = hash;
    f->timer.kind = TIMER_FILE;
    list_init(&f->shares);
    list_init(&f->leases);
    list_init(&f->queue);
    list_init(&f->entered);
    list_init(&f->pendings);
    list_init(&f->reservations);
    struct bucket *b = file_bucket(sh, hash);
    f->next = atomic_load_explicit(&b->head, memory_order_relaxed);
    /* Sequentially consistent: whoever enters by counting looks at the head after it has counted, and we look at the
     * count after this; one of us sees the other. */
    atomic_store(&b->head, f);
    sh->stats.files++;
    return f;
}

/* Until when an otherwise empty file is remembered: its reservations (those that are over go) and hold-offs, and after
 * those for as long as another break would lengthen them. 0: it is not. */
static uint64_t file_lingers(struct co *co, struct shard *sh, struct file *f, uint64_t now)
{
    uint64_t until = MAX(f->hold_w ? f->hold_w + co->policy.regrant_holdoff : 0, f->hold_r);
    struct reservation *r;
    list_each(r, &f->reservations, link) {
        if (r->until <= now) {
            list_remove(&r->link);
            pool_put(&sh->reservations, r);
        } else {
            until = MAX(until, r->until);
        }
    }
    return until > now ? until : 0;
}

void file_put(struct co *co, struct file *f, uint64_t now)
{
    if (!list_empty(&f->entered) || !list_empty(&f->queue) || !list_empty(&f->shares) || f->ranges.root ||
        !list_empty(&f->leases) || !list_empty(&f->pendings))
        return;
    struct shard *sh = shard_of(co, f);
    uint64_t until = file_lingers(co, sh, f, now);
    if (until) {
        timer_set(co, &sh->timers, &f->timer, until);
        return;
    }
    struct bucket *b = file_bucket(sh, f->hash);
    struct file *at = atomic_load_explicit(&b->head, memory_order_relaxed);
    if (at == f) {
        atomic_store(&b->head, f->next);
    } else {
        while (at->next != f)
            at = at->next;
        at->next = f->next;
    }
    timers_release(&sh->timers, &f->timer);
    sh->stats.files--;
    pool_put(&sh->files, f);
}

void shards_lock(struct co *co, uint64_t mask)
{
    for (; mask; mask &= mask - 1)
        pthread_mutex_lock(&co->shards[__builtin_ctzll(mask)].mu);
}

void shards_unlock(struct co *co, uint64_t mask)
{
    for (; mask; mask &= mask - 1)
        pthread_mutex_unlock(&co->shards[__builtin_ctzll(mask)].mu);
}

struct file *file_lock(struct co *co, const struct co_key *key, struct shard **ret_sh)
{
    uint64_t hash = file_hash(co, key);
    struct shard *sh = file_shard(co, hash);
    pthread_mutex_lock(&sh->mu);
    *ret_sh = sh;
    return file_find(sh, key, hash);
}
