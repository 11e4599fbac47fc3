/* drc.c - see drc.h. Sixteen shards by key hash; in each a hash table and a list, oldest reply first. Entries keep
 * small replies inside themselves, so that the usual reply costs one copy and no malloc once the cache is warm.
 *
 * Locks: one mutex per shard, never two at once, none held when a waiter is called. */
#include "drc.h"
#include "base/hash.h"
#include "base/list.h"
#include <errno.h>
#include <pthread.h>

#define DRC_SHARDS 16u
#define DRC_INLINE 384u /* the longest usual reply: CREATE's */

struct drc_entry {
    struct hash_link link;
    struct list lru; /* done: in shard->done; free: in shard->free */
    struct drc_key key;
    bool running;
    uint64_t done_at;
    struct drc_waiter *waiter; /* while running */
    uint32_t n;
    uint8_t *heap; /* replies beyond DRC_INLINE */
    uint8_t inl[DRC_INLINE];
};
struct drc_shard {
    pthread_mutex_t lock;
    struct hash table;
    struct list done, free;
    uint32_t count, running;
    size_t bytes;
} __attribute__((aligned(64)));
struct drc {
    uint32_t max_entries; /* per shard */
    size_t max_bytes;     /* per shard */
    struct drc_shard shards[DRC_SHARDS];
};

int drc_create(uint32_t max_entries, size_t max_bytes, struct drc **ret)
{
    struct drc *d = aligned_alloc(64, sizeof *d);
    if (!d)
        return -ENOMEM;
    memset(d, 0, sizeof *d);
    d->max_entries = MAX(max_entries / DRC_SHARDS, 1u);
    d->max_bytes = MAX(max_bytes / DRC_SHARDS, sizeof(struct drc_entry));
    for (unsigned i = 0; i < DRC_SHARDS; i++) {
        struct drc_shard *s = &d->shards[i];
        if (hash_init(&s->table, 64) < 0) {
            while (i-- > 0) {
                hash_done(&d->shards[i].table);
                pthread_mutex_destroy(&d->shards[i].lock);
            }
            free(d);
            return -ENOMEM;
        }
        pthread_mutex_init(&s->lock, NULL);
        list_init(&s->done);
        list_init(&s->free);
    }
    *ret = d;
    return 0;
}

static void entry_free_all(struct list *l)
{
    struct drc_entry *e;
    list_each(e, l, lru) {
        list_remove(&e->lru);
        free(e->heap);
        free(e);
    }
}

void drc_free(struct drc *d)
{
    if (!d)
        return;
    for (unsigned i = 0; i < DRC_SHARDS; i++) {
        entry_free_all(&d->shards[i].done);
        entry_free_all(&d->shards[i].free);
        hash_done(&d->shards[i].table);
        pthread_mutex_destroy(&d->shards[i].lock);
    }
    free(d);
}

uint64_t drc_sum(const uint8_t *args, size_t n)
{
    return hash_bytes(args, MIN(n, (size_t)DRC_CHECKSUMMED)) ^ (uint64_t)n * 0x9e3779b97f4a7c15ull;
}

static uint64_t key_hash(const struct drc_key *k)
{
    return hash_bytes(k, offsetof(struct drc_key, sum)) ^ k->sum;
}

static struct drc_shard *shard_of(struct drc *d, uint64_t hash) { return &d->shards[hash >> 60 & (DRC_SHARDS - 1)]; }

static struct drc_entry *entry_find(struct drc_shard *s, const struct drc_key *k, uint64_t hash)
{
    for (struct hash_link *l = hash_first(&s->table, hash); l; l = hash_next(l)) {
        struct drc_entry *e = container_of(l, struct drc_entry, link);
        if (memcmp(&e->key, k, offsetof(struct drc_key, origin)) == 0)
            return e;
    }
    return NULL;
}

/* Out of the table, to the free list. */
static void entry_forget(struct drc_shard *s, struct drc_entry *e)
{
    hash_remove(&s->table, &e->link);
    list_remove(&e->lru);
    s->count--;
    s->bytes -= sizeof *e + (e->heap ? e->n : 0);
    free(TAKE_PTR(e->heap));
    list_append(&s->free, &e->lru);
}

static struct drc_entry *entry_new(struct drc *d, struct drc_shard *s, uint64_t now)
{
    struct drc_entry *oldest = list_first(&s->done, struct drc_entry, lru);
    while (oldest && (s->count >= d->max_entries || s->bytes + sizeof *oldest > d->max_bytes ||
                      oldest->done_at + DRC_AGE < now)) {
        entry_forget(s, oldest);
        oldest = list_first(&s->done, struct drc_entry, lru);
    }
    if (s->count >= d->max_entries)
        return NULL; /* all of them running */
    struct drc_entry *e = list_first(&s->free, struct drc_entry, lru);
    if (e)
        list_remove(&e->lru);
    else if ((e = malloc(sizeof *e)) == NULL)
        return NULL;
    s->count++;
    s->bytes += sizeof *e;
    return e;
}

static struct blk *reply_copy(const uint8_t *p, size_t n)
{
    struct blk *b = n > 0 ? blk_get(n) : NULL;
    if (b) {
        memcpy(b->data, p, n);
        b->len = (uint32_t)n;
    }
    return b;
}

static const uint8_t *entry_reply(const struct drc_entry *e) { return e->heap ? e->heap : e->inl; }

static enum drc_verdict entry_again(struct drc_entry *e, const struct drc_key *k, struct drc_waiter *w,
                                    struct drc_waiter **ret_replaced, struct blk **ret_reply)
{
    if (!e->running) {
        *ret_reply = reply_copy(entry_reply(e), e->n);
        return *ret_reply ? DRC_REPLAY : DRC_ABSORBED;
    }
    if (e->key.origin == k->origin || !w)
        return DRC_ABSORBED;
    *ret_replaced = e->waiter;
    e->waiter = w;
    return DRC_WAITING;
}

enum drc_verdict drc_begin(struct drc *d, const struct drc_key *k, uint64_t now, struct drc_waiter *w,
                           struct drc_entry **ret, struct blk **ret_reply)
{
    uint64_t hash = key_hash(k);
    struct drc_shard *s = shard_of(d, hash);
    struct drc_waiter *replaced = NULL;
    enum drc_verdict v = DRC_NEW;
    *ret = NULL;
    *ret_reply = NULL;
    pthread_mutex_lock(&s->lock);
    struct drc_entry *e = entry_find(s, k, hash);
    if (e && !e->running && e->done_at + DRC_AGE < now) {
        entry_forget(s, e); /* an xid that came round again */
        e = NULL;
    }
    if (e) {
        v = entry_again(e, k, w, &replaced, ret_reply);
    } else if ((e = entry_new(d, s, now)) != NULL) {
        e->key = *k;
        e->running = true;
        e->waiter = NULL;
        e->heap = NULL;
        e->n = 0;
        list_init(&e->lru);
        hash_insert(&s->table, &e->link, hash);
        s->running++;
        *ret = e;
    }
    pthread_mutex_unlock(&s->lock);
    if (replaced)
        replaced->ready(replaced, NULL);
    return v;
}

void drc_end(struct drc *d, struct drc_entry *e, uint64_t now, const uint8_t *reply, size_t n, bool keep)
{
    struct drc_shard *s = shard_of(d, e->link.hash);
    uint8_t *heap = keep && n > DRC_INLINE ? malloc(n) : NULL;
    pthread_mutex_lock(&s->lock);
    struct drc_waiter *w = TAKE_PTR(e->waiter);
    e->running = false;
    s->running--;
    if (!keep || n == 0 || (n > DRC_INLINE && !heap)) {
        entry_forget(s, e);
        free(heap);
    } else {
        e->heap = heap;
        e->n = (uint32_t)n;
        memcpy(heap ? heap : e->inl, reply, n);
        e->done_at = now;
        s->bytes += heap ? n : 0;
        list_append(&s->done, &e->lru);
    }
    pthread_mutex_unlock(&s->lock);
    if (w)
        w->ready(w, reply_copy(reply, n));
}

void drc_usage(struct drc *d, struct drc_usage *ret)
{
    *ret = (struct drc_usage){0};
    for (unsigned i = 0; i < DRC_SHARDS; i++) {
        struct drc_shard *s = &d->shards[i];
        pthread_mutex_lock(&s->lock);
        ret->entries += s->count;
        ret->running += s->running;
        ret->bytes += s->bytes;
        pthread_mutex_unlock(&s->lock);
    }
}
