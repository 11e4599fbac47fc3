/* reference.c - what the gate must answer, read off semantics 1.4, 2.2, 2.3 and 5 in the dullest way: every hold is
 * compared with every ask, no table, no tree, no shared predicate. Has no opinion (ST_MAX) where the answer depends on
 * what happened before (steps of a cascade, disconnected opens). */
#include "world.h"

static bool overlap(const struct co_ask *a, uint64_t first, uint64_t last)
{
    return a->first <= last && first <= a->last;
}

static bool is_write(const struct co_ask *a)
{
    return a->op == CO_WRITE || a->op == CO_RESIZE || (a->op == CO_OPEN && a->flags & CO_OVERWRITE);
}

static bool me(const struct co_party *a, const struct co_party *b)
{
    return a->client && a->client == b->client;
}

struct flat {
    const struct range *r[1024]; /* more than a string of actions makes */
    size_t n;
};
static bool flatten(void *arg, const struct range *r)
{
    struct flat *f = arg;
    if (f->n < ARRAY_LEN(f->r))
        f->r[f->n++] = r;
    return false;
}

/* W in somebody else's hands is waited for by whatever reads, writes, opens or locks; R by whatever changes data or
 * locks exclusively, for no longer than until its holder has been told. */
static enum st caches(const struct world *w, const struct file *f, const struct co_party *p, const struct co_ask *ask)
{
    bool locks = ask->op == CO_LOCK || ask->op == CO_TEST, exclusive = ask->op == CO_LOCK && ask->flags & CO_EXCLUSIVE;
    bool changes = is_write(ask) || exclusive || (locks && w->co->policy.lock_break_write);
    const struct lease *l;
    enum st st = ST_OK;
    list_each(l, &f->leases, link) {
        if (l->cascade ||
            (l->untold && l->believed & ~world_thinks(w, l))) /* some of several notifications were sent */
            return ST_MAX;
        uint8_t takes = CO_W | (changes ? CO_R : 0);
        if (!me(&l->party, p) && (l->granted | world_thinks(w, l)) & CO_W)
            st = ST_AGAIN;
        if (!me(&l->party, p) && world_thinks(w, l) & takes)
            st = ST_AGAIN;
    }
    return st;
}

static enum st io(const struct world *w, const struct file *f, const struct co_party *p, const struct co_ask *ask)
{
    struct flat a = {.n = 0};
    const struct share *s;
    uint8_t access = is_write(ask) ? CO_ACC_WRITE : CO_ACC_READ;
    list_each(s, &f->shares, link)
        if (s->deny & access && !p->open && s->party.flavour == CO_WINDOWS)
            return s->lease && s->lease->granted & CO_H ? ST_AGAIN : ST_SHARE_CONFLICT;
    enum st st = caches(w, f, p, ask);
    if (st != ST_OK)
        return st;
    ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, flatten, &a);
    for (size_t i = 0; i < a.n; i++) {
        const struct co_party *o = &a.r[i]->owner->party;
        if (!overlap(ask, a.r[i]->first, a.r[i]->last) || (!p->client && o->flavour == CO_POSIX))
            continue;
        bool bound = me(o, p) ? o->flavour == CO_WINDOWS && is_write(ask) && !a.r[i]->exclusive
                              : is_write(ask) || a.r[i]->exclusive;
        if (bound)
            return ask->op == CO_RESIZE || ask->flags & CO_DENY_NOWAIT ? ST_LOCK_CONFLICT : ST_AGAIN;
    }
    return ST_OK;
}

/* Another's ticket for a lock that cannot be had beside this one. */
static bool rivals(const struct part *q, const struct co_party *p, const struct co_ask *ask)
{
    return q->ask.op == CO_LOCK && !me(&q->op->party, p) && overlap(ask, q->ask.first, q->ask.last) &&
           (ask->flags & CO_EXCLUSIVE || q->ask.flags & CO_EXCLUSIVE);
}

static bool being_broken(const struct file *f, const struct co_party *p)
{
    const struct lease *l;
    list_each(l, &f->leases, link)
        if (me(&l->party, p) && l->breaking)
            return true;
    return false;
}

static bool under_way(const struct world *w, const struct file *f, const struct co_party *p, const struct co_ask *ask)
{
    bool ex = ask->flags & CO_EXCLUSIVE;
    uint64_t counted = atomic_load(&file_bucket(shard_of(w->co, f), f->hash)->under_way);
    const struct part *q;
    if (counted >> 32 || (counted && ex))
        return true;
    list_each(q, &f->entered, link) {
        bool reads = q->ask.op == CO_READ, writes = is_write(&q->ask);
        if (q->ask.op == CO_OPEN && p->flavour == CO_WINDOWS && q->op->party.flavour == CO_WINDOWS)
            continue; /* overwriting looks at no ranges of its own kind, and they do not wait for it */
        if ((reads || writes) && !me(&q->op->party, p) && overlap(ask, q->ask.first, q->ask.last) && (writes || ex) &&
            !(q->ask.flags & CO_ADVISORY && p->flavour == CO_POSIX))
            return true;
    }
    return false;
}

static enum st lock(const struct world *w, const struct file *f, const struct co_party *p, const struct co_ask *ask)
{
    struct flat a = {.n = 0};
    const struct part *q;
    bool ex = ask->flags & CO_EXCLUSIVE, waits = ask->op == CO_LOCK && ask->flags & CO_WAIT;
    enum st st = caches(w, f, p, ask);
    if (st != ST_OK)
        return st;
    ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, flatten, &a);
    for (size_t i = 0; i < a.n; i++) {
        const struct range *r = a.r[i];
        if (!overlap(ask, r->first, r->last))
            continue;
        if (me(&r->owner->party, p) ? ex && p->flavour == CO_WINDOWS : ex || r->exclusive)
            return waits ? ST_AGAIN : ST_LOCK_DENIED;
    }
    if (ask->op == CO_TEST)
        return ST_OK;
    if (!being_broken(f, p))
        list_each(q, &f->queue, link) {
            bool old = w->now >= q->op->ticket->queued_at + w->co->policy.starve;
            if (rivals(q, p, ask) && (waits || (!ex && old && q->ask.flags & CO_WAIT)))
                return waits ? ST_AGAIN : ST_LOCK_DENIED;
        }
    return under_way(w, f, p, ask) ? ST_AGAIN : ST_OK;
}

static enum st open_shares(const struct file *f, const struct co_party *p, const struct co_ask *ask)
{
    uint8_t access = ask->access | (ask->flags & CO_OVERWRITE ? CO_ACC_WRITE : 0);
    const struct share *s;
    enum st st = ST_OK;
    list_each(s, &f->shares, link) {
        if (me(&s->party, p) || !((access & s->deny) | (ask->deny & s->access)))
            continue;
        if (ask->flags & CO_ADVISORY && s->party.flavour == CO_POSIX)
            continue;
        if (!s->lease || !(s->lease->granted & CO_H))
            return ST_SHARE_CONFLICT;
        st = ST_AGAIN; /* its holder is asked first */
    }
    return st;
}

static enum st open(const struct world *w, const struct file *f, const struct co_party *p, const struct co_ask *ask)
{
    const struct part *q;
    if (ask->flags & CO_ATTR_ONLY)
        return ST_OK;
    enum st st = open_shares(f, p, ask);
    if (st == ST_OK)
        st = caches(w, f, p, ask);
    if (st != ST_OK)
        return st;
    if (ask->flags & CO_OVERWRITE) {
        struct flat a = {.n = 0};
        ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, flatten, &a);
        for (size_t i = 0; i < a.n; i++)
            if (overlap(ask, a.r[i]->first, a.r[i]->last) && !me(&a.r[i]->owner->party, p) &&
                (p->flavour != CO_WINDOWS || a.r[i]->owner->party.flavour != CO_WINDOWS))
                return ST_LOCK_CONFLICT;
    }
    if (!(ask->deny & CO_ACC_WRITE) || ask->flags & CO_NO_HOLD)
        return ST_OK;
    if (atomic_load(&file_bucket(shard_of(w->co, f), f->hash)->under_way) >> 32)
        return ST_AGAIN;
    list_each(q, &f->entered, link)
        if (!q->op->party.open && (q->ask.op == CO_WRITE || q->ask.op == CO_RESIZE) &&
            !(q->ask.flags & CO_ADVISORY && p->flavour == CO_POSIX))
            return ST_AGAIN;
    return ST_OK;
}

enum st reference_answer(const struct world *w, unsigned party, const struct co_ask *ask)
{
    const struct file *f = world_file(w);
    const struct co_party *p = &w->party[party];
    const struct share *s;
    if (!f)
        return ask->op == CO_LOCK || ask->op == CO_OPEN ? ST_MAX : ST_OK;
    list_each(s, &f->shares, link)
        if (s->disconnected)
            return ST_MAX;
    switch (ask->op) {
    case CO_READ:
    case CO_WRITE:
    case CO_RESIZE: return io(w, f, p, ask);
    case CO_LOCK:
    case CO_TEST: return lock(w, f, p, ask);
    case CO_OPEN: return open(w, f, p, ask);
    default: return ST_MAX;
    }
}
