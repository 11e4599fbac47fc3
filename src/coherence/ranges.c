/* ranges.c - byte ranges of one file: a treap ordered by start, each node knowing the greatest end (and the greatest
 * end of an exclusive range) below it, so that finding who overlaps is O(log n + answers). Both flavours live in it: POSIX
 * ranges of one owner are kept disjoint by replacing, merging and splitting; Windows ranges stack and go only by exact
 * match. Knows no conflict: the caller has asked rules.c. */
#include "engine.h"

static uint32_t range_random(struct shard *sh)
{
    sh->rand ^= sh->rand << 13;
    sh->rand ^= sh->rand >> 7;
    sh->rand ^= sh->rand << 17;
    return (uint32_t)(sh->rand >> 16);
}

static void node_sum_child(struct range *n, const struct range *c)
{
    if (!c)
        return;
    n->max = MAX(n->max, c->max);
    if (c->has_x) {
        n->xmax = n->has_x ? MAX(n->xmax, c->xmax) : c->xmax;
        n->has_x = true;
    }
}

static void node_sum(struct range *n)
{
    n->max = n->last;
    n->has_x = n->exclusive;
    n->xmax = n->exclusive ? n->last : 0;
    node_sum_child(n, n->left);
    node_sum_child(n, n->right);
}

static bool node_before(const struct range *a, const struct range *b)
{
    return a->first != b->first ? a->first < b->first : a->seq < b->seq;
}

/* Everything before `at` to the left, the rest to the right. */
static void node_split(struct range *n, const struct range *at, struct range **ret_l, struct range **ret_r)
{
    if (!n) {
        *ret_l = *ret_r = NULL;
        return;
    }
    if (node_before(n, at)) {
        node_split(n->right, at, &n->right, ret_r);
        *ret_l = n;
    } else {
        node_split(n->left, at, ret_l, &n->left);
        *ret_r = n;
    }
    node_sum(n);
}

static struct range *node_merge(struct range *l, struct range *r)
{
    if (!l || !r)
        return l ? l : r;
    if (l->prio >= r->prio) {
        l->right = node_merge(l->right, r);
        node_sum(l);
        return l;
    }
    r->left = node_merge(l, r->left);
    node_sum(r);
    return r;
}

static struct range *node_insert(struct range *n, struct range *e)
{
    if (!n || n->prio < e->prio) {
        node_split(n, e, &e->left, &e->right);
        node_sum(e);
        return e;
    }
    if (node_before(e, n))
        n->left = node_insert(n->left, e);
    else
        n->right = node_insert(n->right, e);
    node_sum(n);
    return n;
}

static struct range *node_remove(struct range *n, struct range *e)
{
    if (n == e)
        return node_merge(n->left, n->right);
    if (node_before(e, n))
        n->left = node_remove(n->left, e);
    else
        n->right = node_remove(n->right, e);
    node_sum(n);
    return n;
}

static void tree_insert(struct shard *sh, struct ranges *t, struct range *e)
{
    e->prio = range_random(sh);
    e->seq = ++sh->seq;
    e->left = e->right = NULL;
    t->root = node_insert(t->root, e);
    t->n++;
    sh->stats.ranges++;
    budget_take(&sh->co->locks, e->owner->party.account);
}

static void tree_remove(struct shard *sh, struct ranges *t, struct range *e)
{
    t->root = node_remove(t->root, e);
    t->n--;
    sh->stats.ranges--;
    budget_give(&sh->co->locks, e->owner->party.account);
}

static struct range *node_find(struct range *n, uint64_t first, uint64_t last, bool exclusive_only, range_match fn,
                               void *arg)
{
    while (n && n->max >= first && (!exclusive_only || (n->has_x && n->xmax >= first))) {
        struct range *hit = node_find(n->left, first, last, exclusive_only, fn, arg);
        if (hit)
            return hit;
        if (n->first > last)
            return NULL;
        if (n->last >= first && (n->exclusive || !exclusive_only) && fn(arg, n))
            return n;
        n = n->right;
    }
    return NULL;
}

struct range *ranges_find(const struct ranges *t, uint64_t first, uint64_t last, bool exclusive_only, range_match fn,
                          void *arg)
{
    return node_find(t->root, first, last, exclusive_only, fn, arg);
}

/* ---- owners ------------------------------------------------------------------------------------------------ */

static uint64_t owner_hash(const struct file *f, const struct co_party *p)
{
    uint64_t h = (f->hash ^ p->client * 0x9e3779b97f4a7c15ull) + p->open * 0xbf58476d1ce4e5b9ull;
    return (h ^ (h >> 31)) * 0x94d049bb133111ebull;
}

static struct rowner *owner_find(struct shard *sh, const struct file *f, const struct co_party *p)
{
    if (!p->client)
        return NULL;
    for (struct hash_link *l = hash_first(&sh->rowners, owner_hash(f, p)); l; l = hash_next(l)) {
        struct rowner *o = container_of(l, struct rowner, link);
        if (o->file == f && party_same(&o->party, p))
            return o;
    }
    return NULL;
}

static struct rowner *owner_get(struct shard *sh, struct file *f, const struct co_party *p)
{
    struct rowner *o = owner_find(sh, f, p);
    if (o)
        return o;
    o = pool_get(&sh->rowners_pool);
    o->file = f;
    o->party = *p;
    list_init(&o->ranges);
    hash_insert(&sh->rowners, &o->link, owner_hash(f, p));
    return o;
}

static void owner_put(struct shard *sh, struct rowner *o)
{
    if (!list_empty(&o->ranges))
        return;
    hash_remove(&sh->rowners, &o->link);
    pool_put(&sh->rowners_pool, o);
}

bool ranges_reserve(struct shard *sh, size_t n)
{
    return pool_reserve(&sh->ranges, n) && pool_reserve(&sh->rowners_pool, 1);
}

/* ---- taking and giving back -------------------------------------------------------------------------------- */

static void range_add(struct shard *sh, struct rowner *o, uint64_t first, uint64_t last, bool exclusive, bool zero,
                      uint64_t now)
{
    struct range *r = pool_get(&sh->ranges);
    r->first = first;
    r->last = last;
    r->exclusive = exclusive;
    r->zero = zero;
    r->since = now;
    r->owner = o;
    list_append(&o->ranges, &r->own);
    tree_insert(sh, &o->file->ranges, r);
}

static void range_free(struct shard *sh, struct range *r)
{
    tree_remove(sh, &r->owner->file->ranges, r);
    list_remove(&r->own);
    pool_put(&sh->ranges, r);
}

/* Takes r out and puts back what of it lies outside [first, last]. */
static void range_cut(struct shard *sh, struct range *r, uint64_t first, uint64_t last)
{
    struct rowner *o = r->owner;
    struct range was = *r;
    range_free(sh, r);
    if (was.first < first)
        range_add(sh, o, was.first, first - 1, was.exclusive, false, was.since);
    if (was.last > last)
        range_add(sh, o, last + 1, was.last, was.exclusive, false, was.since);
}

struct posix_want {
    const struct rowner *owner;
    uint64_t first, last;
    bool exclusive;
};

/* The owner's own: every overlapping one, and an adjacent one of the same type (which becomes part of the new). */
static bool posix_affected(void *arg, const struct range *r)
{
    const struct posix_want *w = arg;
    if (r->owner != w->owner)
        return false;
    return (r->first <= w->last && w->first <= r->last) || r->exclusive == w->exclusive;
}

static void posix_lock(struct shard *sh, struct rowner *o, uint64_t first, uint64_t last, bool exclusive, uint64_t now)
{
    struct posix_want w = {o, first, last, exclusive};
    for (;;) {
        uint64_t lo = w.first ? w.first - 1 : 0, hi = w.last < UINT64_MAX ? w.last + 1 : UINT64_MAX;
        struct range *r = ranges_find(&o->file->ranges, lo, hi, false, posix_affected, &w);
        if (!r)
            break;
        if (r->exclusive != exclusive) {
            range_cut(sh, r, first, last);
            continue;
        }
        w.first = MIN(w.first, r->first);
        w.last = MAX(w.last, r->last);
        range_free(sh, r);
    }
    range_add(sh, o, w.first, w.last, exclusive, false, now);
}

void ranges_lock(struct shard *sh, struct file *f, const struct co_party *p, const struct co_ask *ask, uint64_t now)
{
    struct rowner *o = owner_get(sh, f, p);
    bool ex = ask->flags & CO_EXCLUSIVE, zero = ask->flags & CO_ZERO_LEN;
    if (p->flavour == CO_POSIX)
        posix_lock(sh, o, ask->first, ask->last, ex, now);
    else
        range_add(sh, o, ask->first, zero ? ask->first : ask->last, ex, zero, now);
}

struct exact_want {
    const struct rowner *owner;
    uint64_t first, last;
    bool zero, exclusive;
};

static bool exact(void *arg, const struct range *r)
{
    const struct exact_want *w = arg;
    return r->owner == w->owner && r->first == w->first && r->last == w->last && r->zero == w->zero &&
           r->exclusive == w->exclusive;
}

/* [MS-FSA] 2.1.5.9: the exact range; the exclusive one first when both are there. */
static enum st windows_unlock(struct shard *sh, struct rowner *o, uint64_t first, uint64_t last, bool zero)
{
    struct exact_want w = {o, first, last, zero, true};
    struct range *r = ranges_find(&o->file->ranges, first, first, true, exact, &w);
    if (!r) {
        w.exclusive = false;
        r = ranges_find(&o->file->ranges, first, first, false, exact, &w);
    }
    if (!r)
        return ST_NOLOCK;
    range_free(sh, r);
    owner_put(sh, o);
    return ST_OK;
}

/* Cutting a piece out of the middle of one makes two of it. */
static bool posix_splits(void *arg, const struct range *r)
{
    const struct posix_want *w = arg;
    return r->owner == w->owner && r->first < w->first && r->last > w->last;
}

static bool posix_overlap(void *arg, const struct range *r)
{
    const struct posix_want *w = arg;
    return r->owner == w->owner;
}

enum st ranges_unlock(struct shard *sh, struct file *f, const struct co_party *p, uint64_t first, uint64_t last,
                      bool zero)
{
    struct rowner *o = owner_find(sh, f, p);
    if (p->flavour == CO_WINDOWS)
        return o ? windows_unlock(sh, o, first, zero ? first : last, zero) : ST_NOLOCK;
    if (!o)
        return ST_OK;
    if (!ranges_reserve(sh, 2))
        return ST_NOMEM;
    struct posix_want w = {.owner = o, .first = first, .last = last};
    if (!budget_allows(&sh->co->locks, o->party.account, sh->co->policy.max_locks, 1) &&
        ranges_find(&f->ranges, first, last, false, posix_splits, &w))
        return ST_TOOMANY;
    struct range *r;
    while ((r = ranges_find(&f->ranges, first, last, false, posix_overlap, &w)))
        range_cut(sh, r, first, last);
    owner_put(sh, o);
    return ST_OK;
}

static void owner_drop(struct shard *sh, struct rowner *o)
{
    struct range *r;
    list_each(r, &o->ranges, own)
        range_free(sh, r);
    owner_put(sh, o);
}

bool ranges_drop_owner(struct shard *sh, struct file *f, const struct co_party *p)
{
    struct rowner *o = owner_find(sh, f, p);
    if (o)
        owner_drop(sh, o);
    return o != NULL;
}

static bool of_client(void *arg, const struct range *r)
{
    return r->owner->party.client == *(const uint64_t *)arg;
}

bool ranges_drop_client(struct shard *sh, struct file *f, uint64_t client)
{
    bool any = false;
    struct range *r;
    while ((r = ranges_find(&f->ranges, 0, UINT64_MAX, false, of_client, &client))) {
        owner_drop(sh, r->owner);
        any = true;
    }
    return any;
}

void ranges_drop_all(struct shard *sh, struct file *f)
{
    while (f->ranges.root)
        owner_drop(sh, f->ranges.root->owner);
}
