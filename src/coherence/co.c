/* co.c - the engine as a whole: made, freed, given its policy. Knows every pool and decides nothing. */
#include "engine.h"

void co_policy_default(struct co_policy *p)
{
    *p = (struct co_policy){
        .lease_break_timeout = 35 * NSEC_PER_SEC,
        .io_lock_park = NSEC_PER_SEC,
        .grace_period = 45 * NSEC_PER_SEC,
        .regrant_holdoff = 10 * NSEC_PER_SEC,
        .penalty = 600 * NSEC_PER_SEC,
        .starve = 5 * NSEC_PER_SEC,
        .delete_break_all = true,
        .delete_wait = true,
        .range_vs_advisory = 2,
        .share_vs_anonymous = true,
        .unlink_enforce = true,
        .posix_binds_windows = true,
        .leases = true,
        .on_break_timeout = CO_REVOKE,
    };
}

static int shard_init(struct co *co, struct shard *sh, uint64_t seed)
{
    pthread_mutex_init(&sh->mu, NULL);
    sh->co = co;
    sh->files.size = sizeof(struct file);
    sh->ops.size = sizeof(struct op) + CO_ASKS_MAX * sizeof(struct part);
    sh->shares.size = sizeof(struct share);
    sh->leases.size = sizeof(struct lease);
    sh->ranges.size = sizeof(struct range);
    sh->rowners_pool.size = sizeof(struct rowner);
    sh->pendings.size = sizeof(struct pending);
    sh->reservations.size = sizeof(struct reservation);
    sh->mets.size = met_size;
    sh->rand = seed | 1;
    return hash_init(&sh->rowners, 16);
}

enum st co_create(const struct co_policy *p, struct co **ret)
{
    struct co *co = aligned_alloc(64, ALIGN_UP(sizeof *co, 64));
    if (!co)
        return ST_NOMEM;
    memset(co, 0, sizeof *co);
    co->policy = *p;
    co->seed = hash_u64((uintptr_t)co);
    atomic_store(&co->next_deadline, UINT64_MAX);
    pthread_mutex_init(&co->mu, NULL);
    int err = hash_init(&co->wanting, 64);
    for (size_t i = 0; i < CO_SHARDS; i++)
        err |= shard_init(co, &co->shards[i], hash_u64(co->seed + i));
    if (err) {
        co_free(co);
        return ST_NOMEM;
    }
    *ret = co;
    return ST_OK;
}

#define FREE_ALL(head, type)                                                                                           \
    do {                                                                                                               \
        type *e;                                                                                                       \
        list_each(e, head, link) free(e);                                                                              \
    } while (0)

/* What is still held goes; tickets that still wait are forgotten (their owner is going too). */
static void file_free(struct file *f)
{
    struct part *p;
    for (struct list *q = &f->queue; q; q = q == &f->queue ? &f->entered : NULL)
        while ((p = list_first(q, struct part, link))) {
            struct op *op = p->op;
            for (unsigned i = 0; i < op->n; i++)
                list_remove(&op->part[i].link);
            met_free(op->met);
            free(op);
        }
    FREE_ALL(&f->shares, struct share);
    FREE_ALL(&f->leases, struct lease);
    FREE_ALL(&f->pendings, struct pending);
    FREE_ALL(&f->reservations, struct reservation);
    free(f);
}

static void shard_done(struct shard *sh)
{
    for (size_t b = 0; b < CO_BUCKETS; b++)
        for (struct file *f = atomic_load(&sh->buckets[b].head); f; f = f->next)
            ranges_drop_all(sh, f);
    hash_done(&sh->rowners);
    free(sh->timers.heap);
    struct pool *pools[] = {&sh->files,        &sh->ops,      &sh->shares,       &sh->leases, &sh->ranges,
                            &sh->rowners_pool, &sh->pendings, &sh->reservations, &sh->mets};
    for (size_t i = 0; i < ARRAY_LEN(pools); i++)
        pool_done(pools[i]);
    pthread_mutex_destroy(&sh->mu);
}

void co_free(struct co *co)
{
    if (!co)
        return;
    for (size_t i = 0; i < CO_SHARDS; i++)
        shard_done(&co->shards[i]);
    for (size_t i = 0; i < CO_SHARDS; i++)
        for (size_t b = 0; b < CO_BUCKETS; b++)
            for (struct file *f = atomic_load(&co->shards[i].buckets[b].head), *next; f; f = next) {
                next = f->next;
                file_free(f);
            }
    hash_done(&co->wanting);
    pthread_mutex_destroy(&co->mu);
    free(co);
}

void co_set_policy(struct co *co, const struct co_policy *p)
{
    shards_lock(co, CO_SHARDS_ALL);
    co->policy = *p;
    shards_unlock(co, CO_SHARDS_ALL);
}
