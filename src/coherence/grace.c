/* grace.c - after a restart: for a while only those get locks who held them before. Until it ends, locks of the POSIX
 * flavour without `reclaim` are refused, those of the Windows flavour wait, and nobody may cache (eval.c, grant.c ask
 * in_grace()). Whether there is anybody to wait for is the caller's knowledge. */
#include "engine.h"

void co_grace_begin(struct co *co, uint64_t now)
{
    if (!co->policy.grace_period)
        return;
    uint64_t until = now + co->policy.grace_period;
    atomic_store(&co->grace_until, until);
    deadline_moved(co, until);
}

void co_grace_end(struct co *co, uint64_t now, struct co_out *out)
{
    if (!atomic_exchange(&co->grace_until, 0))
        return;
    for (size_t i = 0; i < CO_SHARDS; i++) {
        struct shard *sh = &co->shards[i];
        pthread_mutex_lock(&sh->mu);
        for (size_t b = 0; b < CO_BUCKETS; b++)
            for (struct file *f = atomic_load(&sh->buckets[b].head); f; f = f->next)
                queue_wake(co, f, WHY_GRACE, NULL, now);
        pthread_mutex_unlock(&sh->mu);
    }
}

bool co_in_grace(struct co *co, uint64_t now)
{
    return in_grace(co, now);
}
