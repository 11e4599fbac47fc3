/* release.c - giving back: unlock, unshare, close, connections and clients that are gone. Whatever was held goes first,
 * then those who waited for it look again, in order. Decides nothing. */
#include "engine.h"

enum st co_unlock(struct co *co, const struct co_key *key, const struct co_party *party, uint64_t first, uint64_t last,
                  uint32_t flags, uint64_t now, struct co_out *out)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    enum st st = party->flavour == CO_WINDOWS ? ST_NOLOCK : ST_OK;
    if (f) {
        st = ranges_unlock(sh, f, party, first, last, flags & CO_ZERO_LEN);
        if (st == ST_OK)
            queue_wake(co, f, WHY_RANGE, NULL, now);
        file_put(co, f, now);
    }
    pthread_mutex_unlock(&sh->mu);
    return st;
}

/* The share and all that hangs on the open. What waited for any of it looks again, in order, once all is gone. */
static void open_drop(struct co *co, struct file *f, const struct co_party *party, bool ranges, uint64_t now)
{
    struct share *s = share_find(f, party);
    if (ranges)
        ranges_drop_owner(shard_of(co, f), f, party);
    if (s)
        share_free(co, f, s, now);
    queue_wake(co, f, WHY_SHARE | WHY_RANGE | WHY_LEASE, NULL, now);
}

void co_unshare(struct co *co, const struct co_key *key, const struct co_party *party, uint64_t now, struct co_out *out)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    if (f) {
        open_drop(co, f, party, false, now);
        file_put(co, f, now);
    }
    pthread_mutex_unlock(&sh->mu);
}

bool co_close(struct co *co, const struct co_key *key, const struct co_party *party, uint64_t link, uint64_t now,
              struct co_out *out)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    bool unlink = false;
    if (f) {
        bool was_open = share_find(f, party) != NULL;
        open_drop(co, f, party, true, now);
        struct pending *d = pending_find(f, link);
        if (d && was_open && opens_of(f, link) == 0) {
            unlink = true;
            pending_clear(sh, d);
        }
        file_put(co, f, now);
    }
    pthread_mutex_unlock(&sh->mu);
    return unlink;
}

bool co_disconnected(struct co *co, const struct co_key *key, const struct co_party *party, bool gone, bool persistent,
                     uint64_t now, struct co_out *out)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    struct share *s = f ? share_find(f, party) : NULL;
    bool alive = s && !s->voided;
    if (alive) {
        bool kept;
        s->disconnected = gone;
        s->persistent = gone && persistent;
        if (gone && s->lease && s->lease->breaking && lease_disconnected(s->lease, &kept) && !kept)
            lease_orphaned(co, s->lease, now, out);
        if (!gone && s->lease && s->lease->breaking)
            lease_back(co, s->lease, now, out);
        queue_wake(co, f, WHY_SHARE, NULL, now);
    }
    if (f)
        file_put(co, f, now);
    pthread_mutex_unlock(&sh->mu);
    return alive;
}

static void client_gone_from(struct co *co, struct file *f, uint64_t client, uint64_t now, struct co_out *out)
{
    struct part *p;
    struct share *s;
    list_each(p, &f->queue, link)
        if (p->op->party.client == client) {
            atomic_store(&p->op->voided, true);
            op_wake(p->op);
        }
    ranges_drop_client(shard_of(co, f), f, client);
    /* An open that a front end knows of is closed by it; one that is only a share mode goes. */
    size_t left = list_count(&f->shares);
    for (struct list *at = f->shares.next; left--;) {
        s = list_entry(at, struct share, link);
        at = at->next;
        if (s->party.client != client)
            continue;
        if (s->party.flavour == CO_POSIX)
            share_free(co, f, s, now);
        else
            (void)share_void(co, f, s, now, out);
    }
    queue_wake(co, f, WHY_SHARE | WHY_RANGE | WHY_LEASE, NULL, now);
}

void co_client_gone(struct co *co, uint64_t client, uint64_t now, struct co_out *out)
{
    if (!client)
        return;
    for (size_t i = 0; i < CO_SHARDS; i++) {
        struct shard *sh = &co->shards[i];
        pthread_mutex_lock(&sh->mu);
        for (size_t b = 0; b < CO_BUCKETS; b++)
            for (struct file *f = atomic_load(&sh->buckets[b].head), *next; f; f = next) {
                next = f->next;
                client_gone_from(co, f, client, now, out);
                file_put(co, f, now);
            }
        pthread_mutex_unlock(&sh->mu);
    }
}
