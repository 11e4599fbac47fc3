/* ranges.c - byte ranges of one file: a treap ordered by start, each node knowing the greatest end of each kind of
 * range below it, so that finding who overlaps is O(log n + answers), however many there are of kinds that do not
 * matter. Each owner has a second one of its own ranges: what it holds itself must not be looked for among thousands
 * of others. Both flavours live here: POSIX ranges of one owner are kept disjoint by replacing, merging and
 * splitting; Windows ranges stack and go only by exact match. Knows no conflict: the caller has asked rules.c. */
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
    for (unsigned k = 0; k < RANGE_KINDS; k++)
        if (c->below & 1u << k)
            n->max[k] = n->below & 1u << k ? MAX(n->max[k], c->max[k]) : c->max[k];
    n->below |= c->below;
}

static void node_sum(struct range *n, enum range_tree t)
{
    if (t != OF_FILE)
        return;
    n->below = (uint8_t)(1u << n->kind);
    n->max[n->kind] = n->last;
    node_sum_child(n, n->in[t].left);
    node_sum_child(n, n->in[t].right);
}

/* By start; then so that all those which Windows cannot tell apart are side by side. */
static int node_compare(const struct range *a, const struct range *b)
{
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->last != b->last)
        return a->last < b->last ? -1 : 1;
    return (a->exclusive << 1 | a->zero) - (b->exclusive << 1 | b->zero);
}

static bool node_before(const struct range *a, const struct range *b)
{
    int c = node_compare(a, b);
    return c ? c < 0 : a->seq < b->seq;
}

/* Everything before `at` to the left, the rest to the right. */
static void node_split(enum range_tree t, struct range *n, const struct range *at, struct range **ret_l,
                       struct range **ret_r)
{
    if (!n) {
        *ret_l = *ret_r = NULL;
        return;
    }
    if (node_before(n, at)) {
        node_split(t, n->in[t].right, at, &n->in[t].right, ret_r);
        *ret_l = n;
    } else {
        node_split(t, n->in[t].left, at, ret_l, &n->in[t].left);
        *ret_r = n;
    }
    node_sum(n, t);
}

static struct range *node_merge(enum range_tree t, struct range *l, struct range *r)
{
    if (!l || !r)
        return l ? l : r;
    if (l->prio >= r->prio) {
        l->in[t].right = node_merge(t, l->in[t].right, r);
        node_sum(l, t);
        return l;
    }
    r->in[t].left = node_merge(t, l, r->in[t].left);
    node_sum(r, t);
    return r;
}

static struct range *node_insert(enum range_tree t, struct range *n, struct range *e)
{
    if (!n || n->prio < e->prio) {
        node_split(t, n, e, &e->in[t].left, &e->in[t].right);
        node_sum(e, t);
        return e;
    }
    if (node_before(e, n))
        n->in[t].left = node_insert(t, n->in[t].left, e);
    else
        n->in[t].right = node_insert(t, n->in[t].right, e);
    node_sum(n, t);
    return n;
}

static struct range *node_remove(enum range_tree t, struct range *n, struct range *e)
{
    if (n == e)
        return node_merge(t, n->in[t].left, n->in[t].right);
    if (node_before(e, n))
        n->in[t].left = node_remove(t, n->in[t].left, e);
    else
        n->in[t].right = node_remove(t, n->in[t].right, e);
    node_sum(n, t);
    return n;
}

static bool node_reaches(const struct range *n, uint64_t first, unsigned kinds)
{
    for (unsigned k = 0; k < RANGE_KINDS; k++)
        if (kinds & n->below & 1u << k && n->max[k] >= first)
            return true;
    return false;
}

static struct range *node_find(struct range *n, uint64_t first, uint64_t last, unsigned kinds, range_match fn,
                               void *arg)
{
    while (n && node_reaches(n, first, kinds)) {
        struct range *hit = node_find(n->in[OF_FILE].left, first, last, kinds, fn, arg);
        if (hit)
            return hit;
        if (n->first > last)
            return NULL;
        if (n->last >= first && kinds & 1u << n->kind && fn(arg, n))
            return n;
        n = n->in[OF_FILE].right;
    }
    return NULL;
}

struct range *ranges_find(const struct ranges *t, uint64_t first, uint64_t last, unsigned kinds, range_match fn,
                          void *arg)
{
    return node_find(t->root, first, last, kinds, fn, arg);
}

/* The owner's first range that ends at `at` or after it: of a POSIX owner, whose ranges end in the order they begin. */
static struct range *own_reaching(const struct rowner *o, uint64_t at)
{
    struct range *found = NULL;
    for (struct range *n = o->root; n;) {
        if (n->last >= at)
            found = n;
        n = n->last >= at ? n->in[OF_OWNER].left : n->in[OF_OWNER].right;
    }
    return found;
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
    hash_insert(&sh->rowners, &o->link, owner_hash(f, p));
    return o;
}

static void owner_put(struct shard *sh, struct rowner *o)
{
    if (o->root)
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
    struct ranges *t = &o->file->ranges;
    r->first = first;
    r->last = last;
    r->exclusive = exclusive;
    r->zero = zero;
    r->kind = (uint8_t)((o->party.flavour == CO_WINDOWS ? 2 : 0) + exclusive);
    r->since = now;
    r->owner = o;
    r->prio = range_random(sh);
    r->seq = ++sh->seq;
    t->root = node_insert(OF_FILE, t->root, r);
    t->n++;
    o->root = node_insert(OF_OWNER, o->root, r);
    sh->stats.ranges++;
    budget_take(&sh->co->locks, o->party.account);
}

/* But for the owner's tree, which is the caller's business. */
static void range_leave_file(struct shard *sh, struct range *r)
{
    struct ranges *t = &r->owner->file->ranges;
    t->root = node_remove(OF_FILE, t->root, r);
    t->n--;
    sh->stats.ranges--;
    budget_give(&sh->co->locks, r->owner->party.account);
    pool_put(&sh->ranges, r);
}

static void range_free(struct shard *sh, struct range *r)
{
    r->owner->root = node_remove(OF_OWNER, r->owner->root, r);
    range_leave_file(sh, r);
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

/* What of the owner's own is overlapped gives way; of the same type it becomes part of the new one, also when it is
 * only adjacent. */
static void posix_lock(struct shard *sh, struct rowner *o, uint64_t first, uint64_t last, bool exclusive, uint64_t now)
{
    uint64_t lo = first, hi = last, at = first ? first - 1 : 0, end = last < UINT64_MAX ? last + 1 : UINT64_MAX;
    for (struct range *r; (r = own_reaching(o, at)) != NULL && r->first <= end;) {
        if (r->exclusive == exclusive) {
            lo = MIN(lo, r->first);
            hi = MAX(hi, r->last);
            range_free(sh, r);
        } else if (r->first <= last && first <= r->last) {
            range_cut(sh, r, first, last);
            at = first; /* what is left before it is done with */
        } else if (r->last < UINT64_MAX) {
            at = r->last + 1;
        } else {
            break;
        }
    }
    range_add(sh, o, lo, hi, exclusive, false, now);
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

/* The owner's exact one, the oldest if there are several. */
static struct range *exact(const struct rowner *o, const struct range *like)
{
    struct range *found = NULL;
    for (struct range *n = o->root; n;) {
        int c = node_compare(like, n);
        found = c == 0 ? n : found;
        n = c <= 0 ? n->in[OF_OWNER].left : n->in[OF_OWNER].right;
    }
    return found;
}

/* [MS-FSA] 2.1.5.9: the exact range; the exclusive one first when both are there. */
static enum st windows_unlock(struct shard *sh, struct rowner *o, uint64_t first, uint64_t last, bool zero)
{
    struct range like = {.first = first, .last = last, .zero = zero, .exclusive = true};
    struct range *r = exact(o, &like);
    like.exclusive = false;
    if (!r && !(r = exact(o, &like)))
        return ST_NOLOCK;
    range_free(sh, r);
    owner_put(sh, o);
    return ST_OK;
}

/* Cutting a piece out of the middle of a range makes two of it. */
static bool posix_splits(const struct rowner *o, uint64_t first, uint64_t last)
{
    const struct range *r = own_reaching(o, first);
    return r && r->first < first && r->last > last;
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
    if (!budget_allows(&sh->co->locks, o->party.account, sh->co->policy.max_locks, 1) && posix_splits(o, first, last))
        return ST_TOOMANY;
    for (struct range *r; (r = own_reaching(o, first)) != NULL && r->first <= last;)
        range_cut(sh, r, first, last);
    owner_put(sh, o);
    return ST_OK;
}

/* In order: the owner's tree is unrolled from its left end, and what leaves the file's is the leftmost of his. */
static void owner_drop(struct shard *sh, struct rowner *o)
{
    for (struct range *n = TAKE_PTR(o->root), *next; n; n = next) {
        if ((next = n->in[OF_OWNER].left) != NULL) {
            n->in[OF_OWNER].left = next->in[OF_OWNER].right;
            next->in[OF_OWNER].right = n;
        } else {
            next = n->in[OF_OWNER].right;
            range_leave_file(sh, n);
        }
    }
    owner_put(sh, o);
}

bool ranges_drop_owner(struct shard *sh, struct file *f, const struct co_party *p)
{
    struct rowner *o = owner_find(sh, f, p);
    if (o)
        owner_drop(sh, o);
    return o != NULL;
}

struct client_want {
    uint64_t client;
    struct rowner *owners; /* found so far */
};

static bool note_owner(void *arg, const struct range *r)
{
    struct client_want *w = arg;
    struct rowner *o = r->owner;
    if (o->party.client == w->client && !o->drop) {
        o->drop = w->owners ? w->owners : o; /* the last one points to itself */
        w->owners = o;
    }
    return false;
}

bool ranges_drop_client(struct shard *sh, struct file *f, uint64_t client)
{
    struct client_want w = {.client = client};
    ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, note_owner, &w);
    for (struct rowner *o = w.owners, *next; o; o = next) {
        next = o->drop != o ? o->drop : NULL;
        owner_drop(sh, o);
    }
    return w.owners != NULL;
}

void ranges_drop_all(struct shard *sh, struct file *f)
{
    while (f->ranges.root)
        owner_drop(sh, f->ranges.root->owner);
}
