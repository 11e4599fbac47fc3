/* queue.c - operations: made, queued on their files, woken in order, forgotten. One queue per file for all that wait,
 * whatever for. A ticket that has been woken keeps its place, and goes on blocking later ones, until it has asked again
 * or is cancelled. Wakes by looking at each ticket whose reason to wait has changed, never by broadcast. */
#include "engine.h"

static size_t op_size(size_t parts) { return sizeof(struct op) + parts * sizeof(struct part); }

static void op_release(struct shard *sh, struct op *op)
{
    if (op->cap == CO_ASKS_MAX)
        pool_put(&sh->ops, op);
    else
        free(op);
}

struct op *op_new(struct co *co, struct co_ticket *t, const struct co_party *party, const struct co_ask *asks, size_t n,
                  uint64_t now)
{
    struct shard *sh = file_shard(co, file_hash(co, &asks[0].key));
    if (!timers_reserve(&sh->timers))
        return NULL;
    struct op *op = n <= CO_ASKS_MAX ? pool_get(&sh->ops) : calloc(1, op_size(n));
    if (!op) {
        timers_release(&sh->timers, NULL);
        return NULL;
    }
    op->cap = n <= CO_ASKS_MAX ? CO_ASKS_MAX : (unsigned)n;
    op->home = sh;
    op->ticket = t;
    op->party = *party;
    op->timer.kind = TIMER_OP;
    op->seq = ++sh->seq;
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = file_hash(co, &asks[i].key);
        struct part *p = &op->part[i];
        p->file = file_get(co, file_shard(co, hash), &asks[i].key, hash);
        if (!p->file) {
            op_free(co, op, now);
            return NULL;
        }
        p->op = op;
        p->ask = asks[i];
        list_init(&p->link);
        op->n++;
    }
    return op;
}

void op_free(struct co *co, struct op *op, uint64_t now)
{
    struct shard *sh = op->home;
    timers_release(&sh->timers, &op->timer);
    met_done(op);
    for (unsigned i = 0; i < op->n; i++)
        part_waits_for(&op->part[i], 0, NULL);
    for (unsigned i = 0; i < op->n; i++) {
        bool again = false; /* several asks may stand on one file, which goes with the last */
        for (unsigned k = i + 1; k < op->n; k++)
            again |= op->part[k].file == op->part[i].file;
        if (!again)
            file_put(co, op->part[i].file, now);
    }
    op_release(sh, op);
}

uint64_t op_shards(const struct op *op)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < op->n; i++)
        mask |= shard_bit(op->part[i].file->hash);
    return mask;
}

bool op_wants(const struct op *op)
{
    for (unsigned i = 0; i < op->n; i++)
        if (op->part[i].ask.op == CO_LOCK && op->part[i].ask.flags & CO_WAIT)
            return true;
    return false;
}

void op_enqueue(struct co *co, struct op *op)
{
    for (unsigned i = 0; i < op->n; i++)
        list_append(&op->part[i].file->queue, &op->part[i].link);
    op->home->stats.waiters++;
    op->home->stats.waiting[op->part[0].ask.op]++;
    if (!op_wants(op))
        return;
    pthread_mutex_lock(&co->mu);
    hash_insert(&co->wanting, &op->wanting, party_hash(&op->party));
    pthread_mutex_unlock(&co->mu);
    op->is_wanting = true;
    budget_take(&co->waits, op->party.account);
}

void op_dequeue(struct co *co, struct op *op, uint64_t now)
{
    struct shard *sh = op->home;
    sh->stats.waiters--;
    sh->stats.waiting[op->part[0].ask.op]--;
    timer_clear(&sh->timers, &op->timer);
    if (op->is_wanting) {
        pthread_mutex_lock(&co->mu);
        hash_remove(&co->wanting, &op->wanting);
        pthread_mutex_unlock(&co->mu);
        op->is_wanting = false;
        budget_give(&co->waits, op->party.account);
    }
    for (unsigned i = 0; i < op->n; i++) {
        list_remove(&op->part[i].link);
        part_waits_for(&op->part[i], 0, NULL);
    }
    atomic_store(&op->blocked, 0);
    for (unsigned i = 0; i < op->n; i++)
        if (op->part[i].ask.op == CO_LOCK)
            queue_wake(co, op->part[i].file, 0, op, now);
}

void part_waits_for(struct part *p, uint8_t why, struct op *why_op)
{
    for (unsigned i = 0; i < WHY_BITS; i++)
        p->file->waits[i] += (why >> i & 1u) - (p->why >> i & 1u);
    p->why = why;
    p->why_op = why_op;
}

void op_wake(struct op *op)
{
    if (atomic_exchange(&op->blocked, 0))
        op->ticket->wake(op->ticket);
}

/* I/O that a range is left in the way of has io_lock_park from now on. False: the timer cannot be reached from here. */
static bool range_wait_begins(struct co *co, struct part *p, uint64_t now)
{
    struct op *op = p->op;
    if (op->range_since || p->ask.op == CO_LOCK)
        return true;
    if (op->home != shard_of(co, p->file))
        return false;
    op->range_since = now;
    op->ticket->deadline = MIN(op->ticket->deadline, now + co->policy.io_lock_park);
    timer_set(co, &op->home->timers, &op->timer, op->ticket->deadline);
    return true;
}

/* Can this part still not go? Looks only; updates the reason. */
static bool part_blocked(struct co *co, struct part *p, uint64_t now)
{
    struct eval e = {.co = co, .op = p->op, .now = now};
    enum st st = eval_modes(&e, p);
    if (st == ST_OK)
        st = eval_leases(&e, p);
    if (st == ST_OK && !e.begun)
        st = eval_ranges(&e, p);
    if (st == ST_OK && !e.begun)
        st = eval_directories(&e, p);
    if (st != ST_AGAIN || e.begun || (!waits_for_holder(e.why) && e.why & WHY_RANGE && !range_wait_begins(co, p, now)))
        return false;
    part_waits_for(p, e.why, e.why_op);
    p->behind = e.blocker.id;
    return true;
}

void queue_wake(struct co *co, struct file *f, uint8_t what, const struct op *gone, uint64_t now)
{
    struct part *p;
    uint32_t concerned = gone ? f->waits[__builtin_ctz(WHY_EARLIER)] : 0;
    for (unsigned i = 0; i < WHY_BITS; i++)
        concerned |= what >> i & 1 ? f->waits[i] : 0;
    if (!concerned)
        return;
    list_each(p, &f->queue, link) {
        struct op *op = p->op;
        uint64_t bit = 1ull << (p - op->part);
        if (!(p->why & what) && !(gone && p->why & WHY_EARLIER && p->why_op == gone))
            continue;
        if (!(atomic_load(&op->blocked) & bit) || part_blocked(co, p, now))
            continue;
        if (atomic_fetch_and(&op->blocked, ~bit) != bit)
            continue;
        op->woken = now;
        op->ticket->wake(op->ticket);
    }
}

