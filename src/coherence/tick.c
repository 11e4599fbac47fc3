/* tick.c - deadlines: a heap of timers per shard, and the earliest of all, which the caller's one timer is set to. What
 * a deadline means is said elsewhere (leases.c, gate.c). Time is what the caller says it is. */
#include "engine.h"

bool timers_reserve(struct timers *ts)
{
    if (ts->reserved == ts->cap) {
        size_t cap = ts->cap ? 2 * ts->cap : 16;
        struct timer **heap = realloc(ts->heap, cap * sizeof(struct timer *));
        if (!heap)
            return false;
        ts->heap = heap;
        ts->cap = cap;
    }
    ts->reserved++;
    return true;
}

void timers_release(struct timers *ts, struct timer *t)
{
    if (t)
        timer_clear(ts, t);
    ts->reserved--;
}

static void heap_place(struct timers *ts, struct timer *t, size_t i)
{
    ts->heap[i] = t;
    t->pos = i + 1;
}

static void heap_up(struct timers *ts, struct timer *t, size_t i)
{
    for (; i && t->at < ts->heap[(i - 1) / 2]->at; i = (i - 1) / 2)
        heap_place(ts, ts->heap[(i - 1) / 2], i);
    heap_place(ts, t, i);
}

static void heap_down(struct timers *ts, struct timer *t, size_t i)
{
    for (size_t c; (c = 2 * i + 1) < ts->n; i = c) {
        if (c + 1 < ts->n && ts->heap[c + 1]->at < ts->heap[c]->at)
            c++;
        if (t->at <= ts->heap[c]->at)
            break;
        heap_place(ts, ts->heap[c], i);
    }
    heap_place(ts, t, i);
}

void timer_clear(struct timers *ts, struct timer *t)
{
    if (!t->pos)
        return;
    size_t i = t->pos - 1;
    t->pos = 0;
    struct timer *last = ts->heap[--ts->n];
    if (last == t)
        return;
    if (i && last->at < ts->heap[(i - 1) / 2]->at)
        heap_up(ts, last, i);
    else
        heap_down(ts, last, i);
}

void timer_set(struct co *co, struct timers *ts, struct timer *t, uint64_t at)
{
    timer_clear(ts, t);
    if (at == UINT64_MAX)
        return;
    t->at = at;
    heap_up(ts, t, ts->n++);
    if (t->pos == 1)
        deadline_moved(co, at);
}

/* Lowers the earliest deadline and says so. Between the two ends of co_tick() the value is UINT64_MAX, so that none
 * that is set meanwhile is missed. */
void deadline_moved(struct co *co, uint64_t at)
{
    uint64_t old = atomic_load(&co->next_deadline);
    while (at < old)
        if (atomic_compare_exchange_weak(&co->next_deadline, &old, at)) {
            if (co->on_deadline)
                co->on_deadline(co->on_deadline_arg);
            return;
        }
}

uint64_t co_next_deadline(struct co *co)
{
    return atomic_load(&co->next_deadline);
}

void co_on_deadline(struct co *co, void (*fn)(void *arg), void *arg)
{
    co->on_deadline_arg = arg;
    co->on_deadline = fn;
}

static void timer_fire(struct co *co, struct timer *t, uint64_t now, struct co_out *out)
{
    switch (t->kind) {
    case TIMER_LEASE: {
        struct lease *l = container_of(t, struct lease, timer);
        struct file *f = l->file;
        lease_timeout(co, l, now, out);
        file_put(co, f, now);
        break;
    }
    case TIMER_OP:
        op_wake(container_of(t, struct op, timer));
        break;
    case TIMER_FILE:
        file_put(co, container_of(t, struct file, timer), now);
        break;
    }
}

static uint64_t shard_tick(struct co *co, struct shard *sh, uint64_t now, struct co_out *out)
{
    pthread_mutex_lock(&sh->mu);
    while (sh->timers.n && sh->timers.heap[0]->at <= now) {
        struct timer *t = sh->timers.heap[0];
        timer_clear(&sh->timers, t);
        timer_fire(co, t, now, out);
    }
    uint64_t next = sh->timers.n ? sh->timers.heap[0]->at : UINT64_MAX;
    pthread_mutex_unlock(&sh->mu);
    return next;
}

uint64_t co_tick(struct co *co, uint64_t now, struct co_out *out)
{
    atomic_store(&co->next_deadline, UINT64_MAX);
    uint64_t grace = atomic_load(&co->grace_until), next = UINT64_MAX;
    if (grace && grace <= now) {
        co_grace_end(co, now, out);
        grace = 0;
    }
    for (size_t i = 0; i < CO_SHARDS; i++)
        next = MIN(next, shard_tick(co, &co->shards[i], now, out));
    if (grace)
        next = MIN(next, grace);
    uint64_t old = atomic_load(&co->next_deadline);
    while (next < old && !atomic_compare_exchange_weak(&co->next_deadline, &old, next))
        continue;
    return MIN(next, old);
}
