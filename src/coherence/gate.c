/* gate.c - entering and leaving. Three ways in:
 *   counted   one ask that takes no hold, on a file of which nothing is known: the bucket's counter, no lock, no memory
 *   recorded  anything else: an op with its parts, listed on its files while it is under way
 *   queued    an op that must wait, in the queues of its files
 * ticket->eng says which: NULL outside; an odd value for counted; else the op.
 *
 * Counting needs no lock because it is Dekker's handshake with file_get(): we count and then look whether the chain is
 * still empty; who makes a file links it and then reads the count. Nothing here decides a conflict. */
#include "engine.h"

/* ---- counted ----------------------------------------------------------------------------------------------- */

enum { COUNT_READ = 1, COUNT_OTHER = 3, COUNT_NOTHING = 5, COUNT_MASK = 7 };

/* How an operation is counted when nothing is known of its file; 0: it must be recorded. */
static const uint8_t count_as[CO_OP_MAX] = {
    [CO_READ] = COUNT_READ,       [CO_WRITE] = COUNT_OTHER,     [CO_RESIZE] = COUNT_OTHER,
    [CO_FLUSH] = COUNT_NOTHING,   [CO_GETATTR] = COUNT_NOTHING, [CO_SETATTR] = COUNT_NOTHING,
    [CO_REMOVE] = COUNT_OTHER,    [CO_RENAME] = COUNT_OTHER,    [CO_LINK] = COUNT_NOTHING,
    [CO_DISPOSITION] = COUNT_OTHER, [CO_CHILD] = COUNT_OTHER,   [CO_CHILD_ATTR] = COUNT_OTHER,
};

static uint64_t count_unit(unsigned as) { return as == COUNT_READ ? 1 : 1ull << 32; }

static void count_leave(struct co *co, struct bucket *b, unsigned as, uint64_t now)
{
    atomic_fetch_sub(&b->under_way, count_unit(as));
    if (likely(!atomic_load(&b->head)))
        return;
    size_t shard = (size_t)((char *)b - (char *)co->shards) / sizeof(struct shard);
    pthread_mutex_lock(&co->shards[shard].mu);
    for (struct file *f = atomic_load(&b->head); f; f = f->next)
        queue_wake(co, f, WHY_ENTERED, NULL, now);
    pthread_mutex_unlock(&co->shards[shard].mu);
}

static bool count_enter(struct co *co, struct co_ticket *t, const struct co_ask *ask, uint64_t hash, uint64_t now)
{
    unsigned as = count_as[ask->op];
    struct bucket *b = file_bucket(file_shard(co, hash), hash);
    if (!as || atomic_load_explicit(&b->head, memory_order_relaxed))
        return false;
    if (as == COUNT_NOTHING) {
        t->eng = (void *)(uintptr_t)COUNT_NOTHING;
        return true;
    }
    atomic_fetch_add(&b->under_way, count_unit(as));
    if (unlikely(atomic_load(&b->head))) {
        count_leave(co, b, as, now);
        return false;
    }
    t->eng = (void *)((uintptr_t)b | as);
    return true;
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

struct gate {
    struct eval e;
    struct co_ticket *t;
    struct op *op;
    uint64_t blocked; /* bit per part */
    uint8_t whys;
    bool all;         /* all shards are held */
    bool need_all;    /* they have to be, to look for a circle */
};

static void gate_note(struct gate *g, unsigned i)
{
    struct part *p = &g->op->part[i];
    if (!g->blocked)
        g->t->blocker = g->e.blocker;
    g->blocked |= 1ull << i;
    g->whys |= g->e.why;
    part_waits_for(p, g->e.why, g->e.why_op);
    p->behind = g->e.blocker.id;
    met_add(g->op, p, &g->e.blocker);
    g->e.why_op = NULL;
}

/* By when this wait is over. One hard deadline for all the breaks that an operation meets, so that a cascade or several
 * holders do not add up; it lies after the acknowledgement timeout, so revocation comes first. */
static uint64_t gate_deadline(struct gate *g)
{
    struct op *op = g->op;
    uint64_t now = g->e.now, hard = g->e.co->policy.lease_break_timeout + CO_NSEC_SLACK;
    bool lock = op->part[0].ask.op == CO_LOCK;
    if (waits_for_holder(g->whys)) {
        if (!op->lease_since || now >= op->lease_since + hard) /* then whom it waits for has just been met */
            op->lease_since = now;
        return op->lease_since + hard;
    }
    op->lease_since = 0;
    if (g->whys & WHY_RANGE && !op->range_since)
        op->range_since = now;
    if (g->whys & WHY_GRACE)
        return atomic_load(&g->e.co->grace_until);
    return lock ? UINT64_MAX : op->range_since + g->e.co->policy.io_lock_park;
}

static bool gate_may_close_circle(const struct gate *g)
{
    return g->op->party.flavour == CO_POSIX && g->whys & (WHY_RANGE | WHY_EARLIER) &&
           g->op->part[0].ask.op == CO_LOCK;
}

static enum st gate_wait(struct gate *g)
{
    struct op *op = g->op;
    if (list_empty(&op->part[0].link) && op_wants(op) &&
        !budget_allows(&g->e.co->waits, op->party.account, g->e.co->policy.max_waits, 1))
        return ST_TOOMANY;
    if (gate_may_close_circle(g)) {
        if (!g->all) { /* come back with all; the place in the queue keeps its files there meanwhile */
            if (list_empty(&op->part[0].link))
                op_enqueue(g->e.co, op);
            g->need_all = true;
            return ST_AGAIN;
        }
        if (deadlock_closes(g->e.co, op))
            return ST_DEADLOCK;
    }
    if (!g->t->queued_at)
        g->t->queued_at = g->e.now;
    op->woken = 0;
    g->t->deadline = gate_deadline(g);
    if (list_empty(&op->part[0].link))
        op_enqueue(g->e.co, op);
    atomic_store(&op->blocked, g->blocked);
    timer_set(g->e.co, &op->home->timers, &op->timer, g->t->deadline);
    return ST_AGAIN;
}

/* ---- deciding ---------------------------------------------------------------------------------------------- */

/* The elements of one Windows lock request also exclude each other. */
static bool elements_conflict(const struct op *op)
{
    if (op->party.flavour != CO_WINDOWS || op->part[0].ask.op != CO_LOCK)
        return false;
    for (unsigned i = 1; i < op->n; i++)
        for (unsigned k = 0; k < i; k++) {
            const struct co_ask *a = &op->part[i].ask, *b = &op->part[k].ask;
            if (op->part[i].file == op->part[k].file &&
                rule_lock(&op->party, a, &op->party, b->first, b->flags & CO_ZERO_LEN ? b->first : b->last,
                          b->flags & CO_ZERO_LEN, b->flags & CO_EXCLUSIVE))
                return true;
        }
    return false;
}

static enum st gate_decide(struct gate *g)
{
    struct op *op = g->op;
    static enum st (*const steps[])(struct eval *, struct part *) = {eval_modes, eval_leases, eval_ranges,
                                                                     eval_directories};
    for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
        if (s >= 2 && g->blocked)
            break; /* ranges are decided when the caches are gone; directories lose theirs when all else is settled */
        for (unsigned i = 0; i < op->n; i++) {
            if (g->blocked & 1ull << i)
                continue; /* share modes come before caching */
            enum st st = steps[s](&g->e, &op->part[i]);
            if (st == ST_AGAIN)
                gate_note(g, i);
            else if (st)
                return st;
        }
    }
    if (g->blocked)
        return ST_AGAIN;
    return elements_conflict(op) ? ST_LOCK_DENIED : ST_OK;
}

/* ---- going ------------------------------------------------------------------------------------------------- */

/* Room for what is taken: memory, and in the account's budget. */
static enum st gate_room(const struct gate *g)
{
    const struct op *op = g->op;
    struct co *co = g->e.co;
    bool counts = op->part[0].ask.op == CO_LOCK;
    for (unsigned i = 0; i < op->n; i++) {
        const struct co_ask *ask = &op->part[i].ask;
        struct shard *sh = shard_of(co, op->part[i].file);
        if (ask->op == CO_LOCK && !ranges_reserve(sh, 3 * op->n))
            return ST_NOMEM;
        if (ask->op == CO_OPEN && !pool_reserve(&sh->shares, op->n))
            return ST_NOMEM;
        counts |= ask->op == CO_OPEN && !(ask->flags & CO_NO_HOLD) && op->party.flavour == CO_POSIX;
    }
    return !counts || budget_allows(&co->locks, op->party.account, co->policy.max_locks, op->n) ? ST_OK : ST_TOOMANY;
}

/* Whoever was told to come back has come. */
static void reservations_consume(struct co *co, struct file *f, const struct op *op, enum co_op kind)
{
    struct reservation *r;
    list_each(r, &f->reservations, link) {
        if (r->op != kind || r->client != op->party.client || r->open != op->party.open)
            continue;
        list_remove(&r->link);
        pool_put(&shard_of(co, f)->reservations, r);
    }
}

static void part_take(struct gate *g, struct part *p)
{
    struct co *co = g->e.co;
    struct file *f = p->file;
    if (!list_empty(&f->reservations))
        reservations_consume(co, f, g->op, p->ask.op);
    if (p->ask.op == CO_LOCK) {
        ranges_lock(shard_of(co, f), f, &g->op->party, &p->ask, g->e.now);
        queue_wake(co, f, WHY_RANGE, NULL, g->e.now); /* it may have replaced an exclusive one of its own */
    } else if (p->ask.op == CO_OPEN && !(p->ask.flags & CO_NO_HOLD)) {
        share_add(co, f, &g->op->party, &p->ask, g->e.now);
    }
}

static enum st gate_go(struct gate *g)
{
    struct op *op = g->op;
    enum st st = gate_room(g);
    if (st != ST_OK)
        return st;
    if (op->part[0].ask.op == CO_LOCK && op->range_since && op->woken)
        op->handover = MAX(g->e.now - op->woken, 1ull);
    met_tell(op, NULL, atomic_load(&op->revoked) ? "revoked" : "granted", g->e.now, g->e.out);
    for (unsigned i = 0; i < op->n; i++)
        part_take(g, &op->part[i]);
    if (!list_empty(&op->part[0].link))
        op_dequeue(g->e.co, op, g->e.now);
    for (unsigned i = 0; i < op->n; i++)
        list_append(&op->part[i].file->entered, &op->part[i].link);
    op->entered = true;
    op->home->stats.entered++;
    return ST_OK;
}

static void op_forget(struct co *co, struct op *op, uint64_t now)
{
    if (!list_empty(&op->part[0].link))
        op_dequeue(co, op, now);
    op->ticket->eng = NULL;
    op_free(co, op, now);
}

static enum st gate_run(struct gate *g)
{
    struct co *co = g->e.co;
    struct op *op = g->op;
    enum st st = ST_CANCELLED;
    g->e.expired = op->lease_since && g->e.now >= op->lease_since + co->policy.lease_break_timeout + CO_NSEC_SLACK;
    if (!atomic_load(&op->voided))
        st = gate_decide(g);
    if (st == ST_AGAIN)
        st = gate_wait(g);
    if (st == ST_AGAIN)
        return st;
    if (st == ST_OK)
        st = gate_go(g);
    if (st == ST_OK)
        return st;
    if (g->e.blocker.kind != CO_KIND_NONE)
        g->t->blocker = g->e.blocker;
    met_tell(op, &g->t->blocker, st == ST_CANCELLED ? "cancelled" : "denied", g->e.now, g->e.out);
    op_forget(co, op, g->e.now);
    g->t->queued_at = 0;
    return st;
}

/* ---- the calls --------------------------------------------------------------------------------------------- */

static bool op_is_for(const struct op *op, const struct co_party *party, const struct co_ask *asks, size_t n)
{
    if (op->n != n || op->party.client != party->client || op->party.open != party->open ||
        memcmp(op->party.lease, party->lease, sizeof party->lease))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct co_ask *a = &op->part[i].ask, *b = &asks[i];
        if (!key_same(&a->key, &b->key) || a->op != b->op || a->flags != b->flags || a->access != b->access ||
            a->deny != b->deny || a->link != b->link || a->first != b->first || a->last != b->last)
            return false;
    }
    return true;
}

static bool asks_valid(const struct co_ask *asks, size_t n)
{
    if (n == 0 || n > CO_LOCKS_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct co_ask *a = &asks[i];
        if ((unsigned)a->op >= CO_OP_MAX)
            return false;
        if (n > CO_ASKS_MAX && (a->op != CO_LOCK || !key_same(&a->key, &asks[0].key)))
            return false;
        if ((a->op == CO_LOCK || a->op == CO_TEST) && !(a->flags & CO_ZERO_LEN) && a->first > a->last)
            return false;
    }
    return true;
}

static bool op_is_on(const struct op *op, const struct co_key *key)
{
    for (unsigned i = 0; i < op->n; i++)
        if (key_same(&op->part[i].file->key, key))
            return true;
    return false;
}

/* Asks again about other things than before (names were resolved anew): it loses its place. Its deadline stands, unless
 * there are holders of other files now, who have been asked nothing yet. */
static struct op *op_replace(struct co *co, struct op *old, struct co_ticket *t, const struct co_party *party,
                             const struct co_ask *asks, size_t n, uint64_t now)
{
    struct met *met = NULL;
    uint64_t lease_since = 0;
    bool revoked = false, voided = false;
    /* First of all: a file goes with the last op that stands on it, and the new one is not in any list yet. */
    if (old) {
        met = TAKE_PTR(old->met);
        lease_since = old->lease_since;
        for (size_t i = 0; i < n; i++)
            if (!op_is_on(old, &asks[i].key))
                lease_since = 0;
        revoked = atomic_load(&old->revoked);
        voided = atomic_load(&old->voided);
        op_forget(co, old, now);
    }
    struct op *op = op_new(co, t, party, asks, n, now);
    if (op) {
        op->met = met;
        op->lease_since = lease_since;
        atomic_store(&op->revoked, revoked);
        atomic_store(&op->voided, voided);
    } else {
        met_free(met);
    }
    t->eng = op;
    return op;
}

static enum st enter_recorded(struct co *co, struct co_ticket *t, const struct co_party *party,
                              const struct co_ask *asks, size_t n, uint64_t now, struct co_out *out)
{
    struct op *op = t->eng;
    uint64_t mask = op ? op_shards(op) : 0;
    for (size_t i = 0; i < n; i++)
        mask |= shard_bit(file_hash(co, &asks[i].key));
    for (bool all = false;; all = true, mask = CO_SHARDS_ALL) {
        struct gate g = {.e = {.co = co, .now = now, .out = out}, .t = t, .all = all};
        enum st st = ST_NOMEM;
        shards_lock(co, mask);
        op = t->eng;
        if (!op || !op_is_for(op, party, asks, n))
            op = op_replace(co, op, t, party, asks, n, now);
        if (op) {
            op->tell = t->tell_first;
            g.op = g.e.op = op;
            st = gate_run(&g);
        }
        shards_unlock(co, mask);
        if (!g.need_all)
            return st;
    }
}

enum st co_enter(struct co *co, struct co_ticket *t, const struct co_party *party, const struct co_ask *asks, size_t n,
                 uint64_t now, struct co_out *out)
{
    if (likely(n == 1 && !t->eng && (unsigned)asks->op < CO_OP_MAX) &&
        count_enter(co, t, asks, file_hash(co, &asks->key), now))
        return ST_OK;
    if (!asks_valid(asks, n))
        return ST_INVAL;
    memset(&t->blocker, 0, sizeof t->blocker);
    return enter_recorded(co, t, party, asks, n, now, out);
}

void co_leave(struct co *co, struct co_ticket *t, uint64_t now, struct co_out *out)
{
    uintptr_t eng = (uintptr_t)t->eng;
    struct op *op = t->eng;
    t->eng = NULL;
    if (eng & 1) {
        t->queued_at = 0;
        if (eng != COUNT_NOTHING)
            count_leave(co, (struct bucket *)(eng & ~(uintptr_t)COUNT_MASK), eng & COUNT_MASK, now);
        return;
    }
    if (!op || !op->entered)
        return;
    uint64_t mask = op_shards(op);
    shards_lock(co, mask);
    op->home->stats.entered--;
    for (unsigned i = 0; i < op->n; i++)
        list_remove(&op->part[i].link);
    for (unsigned i = 0; i < op->n; i++)
        queue_wake(co, op->part[i].file, WHY_ENTERED, NULL, now);
    op_free(co, op, now);
    shards_unlock(co, mask);
    t->queued_at = 0; /* nobody lists it any more */
}

void co_cancel(struct co *co, struct co_ticket *t, uint64_t now, struct co_out *out)
{
    struct op *op = t->eng;
    if (!op || (uintptr_t)op & 1 || op->entered)
        return;
    uint64_t mask = op_shards(op);
    shards_lock(co, mask);
    met_tell(op, NULL, op->deferred ? "deferred" : "cancelled", now, out);
    op_forget(co, op, now);
    shards_unlock(co, mask);
    t->queued_at = 0;
}

void co_reserve(struct co *co, struct co_ticket *t, uint64_t now, uint64_t hold)
{
    struct op *op = t->eng;
    if (!op || (uintptr_t)op & 1)
        return;
    uint64_t mask = op_shards(op);
    shards_lock(co, mask);
    op->deferred = true;
    for (unsigned i = 0; i < op->n; i++) {
        const struct part *p = &op->part[i];
        struct shard *sh = shard_of(co, p->file);
        const struct rule *rule = rule_of(&co->policy, &op->party, &p->ask);
        reservations_consume(co, p->file, op, p->ask.op);
        struct reservation *r = rule->lease ? pool_get(&sh->reservations) : NULL;
        if (!r)
            continue;
        *r = (struct reservation){.client = op->party.client, .open = op->party.open, .until = now + hold,
                                  .op = p->ask.op, .bits = rule->lease};
        list_append(&p->file->reservations, &r->link);
    }
    shards_unlock(co, mask);
}
