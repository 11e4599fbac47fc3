/* eval.c - one ask of an operation against everything that is held on its file, in the order of [MS-FSA]:
 * delete-pending and share modes (asking holders of H first), caching, byte ranges. Each answers ST_OK, ST_AGAIN
 * with the reason in e->why, or a denial; e->blocker says who. With e->out the breaks that are needed begin (which
 * is idempotent); without it nothing changes: queue.c asks so whether a ticket is worth waking. What conflicts is
 * said by rules.c alone. */
#include "engine.h"

static enum st wait_for(struct eval *e, uint8_t why, struct co_hold blocker)
{
    e->why = why;
    e->blocker = blocker;
    return ST_AGAIN;
}

static enum st refuse(struct eval *e, enum st st, struct co_hold blocker)
{
    e->blocker = blocker;
    return st;
}

static bool looking(const struct eval *e) { return e->out == NULL; }

/* ---- grace, delete-pending, share modes -------------------------------------------------------------------- */

static enum st eval_grace(struct eval *e, const struct part *p)
{
    bool lock = p->ask.op == CO_LOCK, test = p->ask.op == CO_TEST;
    bool share = p->ask.op == CO_OPEN && !(p->ask.flags & CO_NO_HOLD);
    if (!lock && !test && !share)
        return ST_OK;
    bool grace = in_grace(e->co, e->now);
    if (p->ask.flags & CO_RECLAIM)
        return grace ? ST_OK : ST_NOGRACE;
    if (!grace)
        return ST_OK;
    if (e->op->party.flavour == CO_POSIX)
        return ST_GRACE;
    /* It may not steal a range that is about to be reclaimed. */
    struct co_hold none = {.kind = CO_KIND_NONE, .key = p->file->key};
    return lock ? wait_for(e, WHY_GRACE, none) : ST_OK;
}

/* The holder of H is asked to close or give up H before its share mode counts. True: wait for it. False: the share
 * counts, or is gone. Once H has been broken it does not come back by itself, so a holder is asked only once. */
static bool share_asks_holder(struct eval *e, struct part *p, struct share *s)
{
    const struct rule *r = &co_rules[RULE_SHARE_VIOLATION];
    struct lease *l = s->lease;
    if (!l || rule_keep(r, l->kind, l->granted) == l->granted)
        return false;
    uint8_t keep = rule_keep(r, l->kind, l->granted);
    if (looking(e)) {
        e->begun |= !l->breaking || (l->floor & ~keep);
        return l->breaking;
    }
    if (e->expired && l->breaking) {
        atomic_store(&e->op->revoked, true);
        lease_revoke(e->co, l, e->now, e->out);
        return false;
    }
    if (!lease_break(e->co, l, keep, &e->op->party, e->now, e->out))
        return false;
    return l->breaking && rule_keep(r, l->kind, l->granted) != l->granted;
}

static bool share_conflicts(const struct eval *e, const struct part *p, const struct share *s, uint8_t access,
                            uint8_t deny)
{
    if (s->voided || party_same(&s->party, &e->op->party))
        return false;
    bool takes = p->ask.op == CO_OPEN && !(p->ask.flags & CO_NO_HOLD);
    if (p->ask.flags & CO_ADVISORY && s->party.flavour == CO_POSIX && !takes)
        return false; /* share modes of that flavour do not bind stateless I/O */
    return rule_share(access, deny, s);
}

static enum st eval_one_share(struct eval *e, struct part *p, struct share *s)
{
    struct co_hold hold = hold_of_share(p->file, s);
    if (share_asks_holder(e, p, s))
        return wait_for(e, WHY_LEASE | WHY_SHARE, hold);
    if (s->voided)
        return ST_OK;
    if (s->disconnected && !s->persistent) {
        if (looking(e))
            return ST_OK; /* worth asking again: it will be voided */
        if (share_void(e->co, p->file, s, e->now, e->out))
            return ST_OK;
    }
    if (s->persistent && !e->expired)
        return wait_for(e, WHY_SHARE, hold);
    return refuse(e, ST_SHARE_CONFLICT, hold);
}

static enum st eval_shares(struct eval *e, struct part *p)
{
    const struct co_ask *ask = &p->ask;
    const struct rule *r = rule_of(&e->co->policy, &e->op->party, ask);
    bool open = ask->op == CO_OPEN;
    uint8_t access = r->access | (open ? ask->access : 0), deny = open ? ask->deny : 0;
    if (!(access | deny) || !rule_share_binds(&e->co->policy, &e->op->party, ask))
        return ST_OK;
    enum st st = ST_OK;
    struct share *s;
    list_each(s, &p->file->shares, link) {
        if (!share_conflicts(e, p, s, access, deny))
            continue;
        enum st one = eval_one_share(e, p, s);
        if (one == ST_AGAIN) {
            if (!looking(e))
                met_add(e->op, p, &e->blocker);
            st = one; /* the others are asked in parallel */
        } else if (one) {
            return one;
        }
    }
    return st;
}

enum st eval_modes(struct eval *e, struct part *p)
{
    enum st st = eval_grace(e, p);
    if (st || p->ask.flags & CO_FORCE)
        return p->ask.flags & CO_FORCE ? ST_OK : st;
    const struct rule *r = rule_of(&e->co->policy, &e->op->party, &p->ask);
    const struct pending *d = r->pending_denies ? pending_of(p->file, p->ask.link) : NULL;
    if (d)
        return refuse(e, ST_DELETE_PENDING, hold_of_pending(p->file, d));
    return list_empty(&p->file->shares) ? ST_OK : eval_shares(e, p);
}

/* ---- caching ----------------------------------------------------------------------------------------------- */

static bool lease_exempt(const struct eval *e, const struct rule *r, const struct lease *l)
{
    const struct co_party *p = &e->op->party;
    if (rule_spares(r, p, l))
        return true;
    /* A level II oplock is lost by a write even of its own open ([MS-FSA] 2.1.4.12 compares no key for it). */
    return lease_own(l, p) && !(l->kind == CO_OPLOCK && l->granted == CO_R && p->open == l->party.open);
}

static bool lease_blocks(const struct eval *e, const struct part *p, const struct rule *r, const struct lease *l)
{
    uint8_t lost = l->granted & ~rule_keep_of(r, l);
    if (!l->breaking)
        return false;
    /* In the steps of a cascade the ticket goes on waiting for the state that it needs. */
    if (l->cascade && (lost || r->whole))
        lost = CO_W | CO_H;
    return rule_waits(&e->co->policy, &p->ask, r, lost);
}

/* The holder may still act on what the operation takes: the notification is not on its way, or (a break to something
 * else is under way) can only be sent when that one is over. It waits for that, whether the break is its own or was
 * begun by somebody else. */
static bool lease_untold(const struct eval *e, const struct part *p, const struct rule *r, const struct lease *l)
{
    enum co_tell tell = e->op->tell;
    bool waits_for_answers = !(p->ask.flags & CO_FORCE);
    uint8_t believed = (l->breaking && waits_for_answers ? l->to : 0) | lease_unsaid(l);
    bool asked_to = tell == CO_TELL_ALL || (tell == CO_TELL_FILES && !r->child);
    if (!believed || !asked_to || e->expired || lease_own(l, &e->op->party))
        return false;
    return rule_keep(r, l->kind, believed) != believed;
}

/* Begins what must begin. False: the lease went away with its opens. When the time of the operation is over, holders
 * that have been asked lose everything; one that is met only now is asked, like any other. */
static bool lease_begin(struct eval *e, struct part *p, const struct rule *r, struct lease *l)
{
    uint8_t keep = rule_keep_of(r, l);
    bool idle = !l->breaking;
    struct co_hold was = hold_of_lease(l);
    if (e->expired && lease_blocks(e, p, r, l)) {
        atomic_store(&e->op->revoked, true);
        lease_revoke(e->co, l, e->now, e->out);
        return true;
    }
    bool alive = lease_break(e->co, l, keep, &e->op->party, e->now, e->out);
    if (idle && (!alive || !lease_blocks(e, p, r, l)))
        out_conflict(e->out, &was, &e->op->party, p->ask.op, "granted", 0, 0);
    return alive;
}

static enum st leases_against(struct eval *e, struct part *p, const struct rule *r)
{
    enum st st = ST_OK;
    struct lease *l;
    if (!(r->lease | r->exclusive | r->batch))
        return ST_OK;
    list_each(l, &p->file->leases, link) {
        uint8_t keep = rule_keep_of(r, l);
        bool takes = keep != l->granted || (l->cascade && r->whole);
        if (lease_exempt(e, r, l) || e->now < l->since + r->min_age)
            continue;
        if (takes && looking(e))
            e->begun |= !l->breaking || (l->floor & ~keep);
        else if (takes && !lease_begin(e, p, r, l))
            continue;
        if (takes && lease_blocks(e, p, r, l)) {
            st = wait_for(e, WHY_LEASE, hold_of_lease(l));
            if (!looking(e))
                met_add(e->op, p, &e->blocker);
        } else if (st == ST_OK && lease_untold(e, p, r, l)) {
            st = wait_for(e, WHY_LEASE, (struct co_hold){.kind = CO_KIND_NONE, .key = p->file->key});
        }
    }
    return st;
}

enum st eval_leases(struct eval *e, struct part *p)
{
    const struct rule *r = rule_of(&e->co->policy, &e->op->party, &p->ask);
    return r->child ? ST_OK : leases_against(e, p, r);
}

enum st eval_directories(struct eval *e, struct part *p)
{
    const struct rule *r = rule_of(&e->co->policy, &e->op->party, &p->ask);
    return r->child ? leases_against(e, p, r) : ST_OK;
}

/* ---- byte ranges, the queue, operations under way ---------------------------------------------------------- */

struct io_want {
    const struct eval *e;
    const struct co_ask *ask;
    bool write;
};

static bool io_hit(void *arg, const struct range *r)
{
    const struct io_want *w = arg;
    return rule_range_io(&w->e->co->policy, &w->e->op->party, w->ask, w->write, r);
}

static enum st eval_io(struct eval *e, struct part *p, const struct rule *r)
{
    const struct co_ask *ask = &p->ask;
    if (!p->file->ranges.root || ask->first > ask->last)
        return ST_OK;
    struct io_want w = {e, ask, r->range == RULE_WRITES};
    struct range *hit = ranges_find(&p->file->ranges, ask->first, ask->last,
                                    rule_range_kinds(&e->co->policy, &e->op->party, ask, w.write), io_hit, &w);
    if (!hit)
        return ST_OK;
    /* An absent holder that may come back can give its range back then: until it does, or is given up. */
    struct share *s = share_find(p->file, &hit->owner->party);
    if (s && s->persistent && !e->expired && !(ask->flags & CO_DENY_NOWAIT))
        return wait_for(e, WHY_SHARE | WHY_RANGE, hold_of_range(p->file, hit));
    uint64_t park = e->co->policy.io_lock_park;
    if (r->deny_at_once || ask->flags & CO_DENY_NOWAIT || !park ||
        (e->op->range_since && e->now >= e->op->range_since + park))
        return refuse(e, ST_LOCK_CONFLICT, hold_of_range(p->file, hit));
    return wait_for(e, WHY_RANGE, hold_of_range(p->file, hit));
}

struct lock_want {
    const struct co_party *party;
    const struct co_ask *ask;
    range_match fn;
    void *arg;
};

static bool lock_hit(void *arg, const struct range *r)
{
    const struct lock_want *w = arg;
    return rule_lock(w->party, w->ask, &r->owner->party, r->first, r->last, r->zero, r->exclusive) &&
           (!w->fn || w->fn(w->arg, r));
}

struct range *eval_lock_conflict(const struct file *f, const struct co_party *party, const struct co_ask *ask,
                                 range_match fn, void *arg)
{
    struct lock_want w = {party, ask, fn, arg};
    uint64_t last = ask->flags & CO_ZERO_LEN ? ask->first : ask->last;
    return ranges_find(&f->ranges, ask->first, last, ask->flags & CO_EXCLUSIVE ? RANGE_ANY : RANGE_EXCL, lock_hit, &w);
}

/* A holder that is being broken pushes out the locks that it had cached: they count as held before the break (D3). */
static bool lock_bypasses(const struct eval *e, const struct part *p)
{
    const struct lease *l;
    list_each(l, &p->file->leases, link)
        if (l->breaking && lease_own(l, &e->op->party))
            return true;
    return false;
}

static bool lock_meets_ticket(const struct eval *e, const struct part *p, const struct part *q)
{
    return q->op != e->op && q->ask.op == CO_LOCK &&
           rule_lock(&e->op->party, &p->ask, &q->op->party, q->ask.first, q->ask.last, q->ask.flags & CO_ZERO_LEN,
                     q->ask.flags & CO_EXCLUSIVE);
}

/* The nearest ticket before this one that wants what it wants. */
static const struct part *lock_earlier(const struct eval *e, const struct part *p)
{
    const struct list *head = &p->file->queue;
    const struct list *at = list_empty(&p->link) ? head->prev : p->link.prev;
    for (; at != head; at = at->prev) {
        const struct part *q = list_entry(at, struct part, link);
        if (lock_meets_ticket(e, p, q))
            return q;
    }
    return NULL;
}

/* One that does not queue sees only what is held, except that it may not starve an exclusive ticket for ever. */
static const struct part *lock_starves(const struct eval *e, const struct part *p)
{
    const struct part *q;
    if (p->ask.flags & CO_EXCLUSIVE)
        return NULL;
    list_each(q, &p->file->queue, link)
        if (q->ask.flags & CO_WAIT && e->now >= q->op->ticket->queued_at + e->co->policy.starve &&
            !party_same(&q->op->party, &e->op->party) && lock_meets_ticket(e, p, q))
            return q;
    return NULL;
}

static enum st eval_queue(struct eval *e, struct part *p)
{
    const struct part *q;
    if (list_empty(&p->file->queue) || p->ask.flags & CO_RECLAIM || lock_bypasses(e, p))
        return ST_OK;
    if (p->ask.flags & CO_WAIT) {
        if (!(q = lock_earlier(e, p)))
            return ST_OK;
        e->why_op = q->op;
        return wait_for(e, WHY_EARLIER, hold_of_part(q));
    }
    q = lock_starves(e, p);
    return q ? refuse(e, ST_LOCK_DENIED, hold_of_part(q)) : ST_OK;
}

/* Would the lock, if it were held now, refuse an operation that is under way? Then it waits for it to end. */
static enum st eval_entered(struct eval *e, struct part *p)
{
    uint64_t n = atomic_load(&file_bucket(shard_of(e->co, p->file), p->file->hash)->under_way);
    bool exclusive = p->ask.flags & CO_EXCLUSIVE;
    struct co_hold counted = {.kind = CO_KIND_NONE, .key = p->file->key};
    if (n >> 32 || (n && exclusive))
        return wait_for(e, WHY_ENTERED, counted);
    if (list_empty(&p->file->entered))
        return ST_OK;
    struct rowner owner = {.party = e->op->party};
    struct range probe = {.owner = &owner, .first = p->ask.first, .last = p->ask.last, .exclusive = exclusive,
                          .zero = p->ask.flags & CO_ZERO_LEN};
    const struct part *q;
    list_each(q, &p->file->entered, link) {
        enum rule_range kind = rule_of(&e->co->policy, &q->op->party, &q->ask)->range;
        if ((kind == RULE_READS || kind == RULE_WRITES) && !party_same(&q->op->party, &owner.party) &&
            q->ask.first <= q->ask.last &&
            rule_range_io(&e->co->policy, &q->op->party, &q->ask, kind == RULE_WRITES, &probe))
            return wait_for(e, WHY_ENTERED, hold_of_part(q));
    }
    return ST_OK;
}

static enum st eval_lock(struct eval *e, struct part *p)
{
    bool test = p->ask.op == CO_TEST, wait = p->ask.flags & CO_WAIT;
    if (!test && e->co->policy.nlm_break_deny && e->op->party.flavour == CO_POSIX && atomic_load(&e->op->revoked))
        return refuse(e, ST_LOCK_DENIED, met_first(e->op));
    struct range *hit = eval_lock_conflict(p->file, &e->op->party, &p->ask, NULL, NULL);
    if (hit && (test || !wait))
        return refuse(e, ST_LOCK_DENIED, hold_of_range(p->file, hit));
    if (test)
        return ST_OK;
    enum st st = eval_queue(e, p);
    if (hit && (st == ST_OK || st == ST_AGAIN)) {
        e->blocker = hold_of_range(p->file, hit);
        return st == ST_AGAIN ? st : wait_for(e, WHY_RANGE, e->blocker);
    }
    return st ? st : eval_entered(e, p);
}

/* An open that denies waits for stateless I/O under way that its share mode would have refused. */
static enum st eval_open(struct eval *e, struct part *p)
{
    uint8_t deny = p->ask.flags & (CO_ATTR_ONLY | CO_NO_HOLD) ? 0 : p->ask.deny;
    if (!(deny & (CO_ACC_READ | CO_ACC_WRITE)))
        return ST_OK;
    uint64_t n = atomic_load(&file_bucket(shard_of(e->co, p->file), p->file->hash)->under_way);
    struct co_hold counted = {.kind = CO_KIND_NONE, .key = p->file->key};
    if ((n >> 32 && deny & CO_ACC_WRITE) || ((uint32_t)n && deny & CO_ACC_READ))
        return wait_for(e, WHY_ENTERED, counted);
    const struct part *q;
    list_each(q, &p->file->entered, link) {
        const struct rule *r = rule_of(&e->co->policy, &q->op->party, &q->ask);
        bool advisory = q->ask.flags & CO_ADVISORY && e->op->party.flavour == CO_POSIX;
        if (q->ask.op <= CO_RESIZE && r->access & deny && !advisory &&
            rule_share_binds(&e->co->policy, &q->op->party, &q->ask))
            return wait_for(e, WHY_ENTERED, hold_of_part(q));
    }
    return ST_OK;
}

enum st eval_ranges(struct eval *e, struct part *p)
{
    const struct rule *r = rule_of(&e->co->policy, &e->op->party, &p->ask);
    if (p->ask.flags & CO_FORCE)
        return ST_OK;
    enum st st = r->range == RULE_LOCKS ? eval_lock(e, p) : r->range == RULE_NO_RANGE ? ST_OK : eval_io(e, p, r);
    return st || p->ask.op != CO_OPEN ? st : eval_open(e, p);
}
