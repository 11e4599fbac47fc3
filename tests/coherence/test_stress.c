/* Threads on a few files at once: reads and writes by nobody, opens with leases that are acknowledged by another
 * thread, locks that wait, a clock that runs. Checks exclusion with plain variables, so that a thread sanitizer sees
 * every lock that is not one; at the end nothing is left and nobody sleeps. */
#include "base/clock.h"
#include "coherence/coherence.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>
#include <stdio.h>

enum { THREADS = 4, FILES = 3, ROUNDS = 6000 };

static struct co *co;
static int guarded[FILES];  /* written only by the exclusive lock's holder */
static _Atomic int failures, stop;
static _Atomic unsigned long waited, broken;

/* Break notifications are answered by the thread that ticks: a small mailbox. */
static pthread_mutex_t box_mu = PTHREAD_MUTEX_INITIALIZER;
static struct co_event box[4096];
static size_t box_n;

static void deliver(struct co_out *out)
{
    pthread_mutex_lock(&box_mu);
    for (size_t i = 0; i < out->n; i++)
        if (out->ev[i].kind == CO_EV_BREAK && out->ev[i].ack && box_n < 4096)
            box[box_n++] = out->ev[i];
    pthread_mutex_unlock(&box_mu);
    for (size_t i = 0; i < out->n; i++)
        if (out->ev[i].kind == CO_EV_BREAK)
            co_told(co, &out->ev[i].key, out->ev[i].lease, clock_now());
    co_out_done(out);
    memset(out, 0, sizeof *out);
}

static void answer(void)
{
    struct co_out out = {0};
    for (;;) {
        pthread_mutex_lock(&box_mu);
        if (!box_n) {
            pthread_mutex_unlock(&box_mu);
            return;
        }
        struct co_event ev = box[--box_n];
        pthread_mutex_unlock(&box_mu);
        co_ack(co, &ev.key, &ev.party, ev.lease_kind, ev.to, clock_now(), &out);
        atomic_fetch_add(&broken, 1);
        deliver(&out);
    }
}

struct request {
    struct co_ticket t;
    _Atomic bool woken;
};
static void wake(struct co_ticket *t) { atomic_store(&container_of(t, struct request, t)->woken, true); }

/* Runs one operation to its end, waiting as a front end would. */
static enum st run(const struct co_party *p, const struct co_ask *asks, size_t n, struct request *q)
{
    struct co_out out = {0};
    memset(q, 0, sizeof *q);
    q->t.wake = wake;
    q->t.tell_first = CO_TELL_ALL;
    for (;;) {
        enum st st = co_enter(co, &q->t, p, asks, n, clock_now(), &out);
        deliver(&out);
        if (st != ST_AGAIN)
            return st;
        atomic_fetch_add(&waited, 1);
        while (!atomic_exchange(&q->woken, false)) {
            answer();
            sched_yield();
        }
    }
}

static void leave(struct request *q)
{
    struct co_out out = {0};
    co_leave(co, &q->t, clock_now(), &out);
    deliver(&out);
}

static void lock_round(const struct co_party *p, struct co_key key, size_t f)
{
    struct request q;
    struct co_out out = {0};
    struct co_ask ask = {.key = key, .op = CO_LOCK, .flags = CO_WAIT | CO_EXCLUSIVE, .first = 0, .last = 9};
    if (run(p, &ask, 1, &q) != ST_OK)
        return; /* deadlock: not here, one lock at a time */
    leave(&q);
    int seen = ++guarded[f];
    sched_yield();
    if (guarded[f] != seen)
        atomic_fetch_add(&failures, 1);
    co_unlock(co, &key, p, 0, 9, 0, clock_now(), &out);
    deliver(&out);
}

static void open_round(struct co_party p, struct co_key key, unsigned r)
{
    struct request q;
    struct co_out out = {0};
    uint16_t epoch;
    bool breaking;
    struct co_ask ask = {.key = key, .op = CO_OPEN, .access = CO_ACC_READ, .deny = 0};
    if (run(&p, &ask, 1, &q) != ST_OK)
        return;
    co_lease(co, &key, &p, r & 1 ? CO_LEASE : CO_OPLOCK, CO_R | CO_W | CO_H, 0, 0, clock_now(), &epoch, &breaking);
    leave(&q);
    ask =
        (struct co_ask){.key = key, .op = r & 2 ? CO_READ : CO_WRITE, .flags = CO_DENY_NOWAIT, .first = 20, .last = 29};
    if (run(&p, &ask, 1, &q) == ST_OK)
        leave(&q);
    co_close(co, &key, &p, 0, clock_now(), &out);
    deliver(&out);
}

static void *worker(void *arg)
{
    size_t id = (size_t)arg;
    unsigned seed = (unsigned)id + 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t f = (size_t)rand_r(&seed) % FILES;
        struct co_key key = {1, 100 + f, 1}, other = {1, 100 + (f + 1) % FILES, 1};
        struct co_party p = {.flavour = id & 1 ? CO_POSIX : CO_WINDOWS, .client = id + 1, .open = id * ROUNDS + i + 1};
        struct co_party nobody = {.flavour = CO_POSIX};
        struct request q;
        memset(p.lease, (int)id + 1, sizeof p.lease);
        struct co_ask io = {.key = key, .op = i & 1 ? CO_READ : CO_WRITE, .flags = CO_ADVISORY, .first = 0, .last = 9};
        struct co_ask mv[2] = {{.key = key, .op = CO_RENAME}, {.key = other, .op = CO_CHILD}};
        switch (rand_r(&seed) % 5) {
        case 0: lock_round(&p, key, f); break;
        case 1: open_round(p, key, i); break;
        case 2:
            if (run(&nobody, mv, 2, &q) == ST_OK)
                leave(&q);
            break;
        default:
            if (run(&nobody, &io, 1, &q) == ST_OK)
                leave(&q);
        }
    }
    return NULL;
}

static void *ticker(void *arg)
{
    while (!atomic_load(&stop)) {
        struct co_out out = {0};
        struct co_stats s;
        co_tick(co, clock_now(), &out);
        deliver(&out);
        answer();
        co_stats(co, &s);
        sched_yield();
    }
    return NULL;
}

int main(void)
{
    pthread_t t[THREADS], tick;
    struct co_policy pol;
    struct co_stats s;
    co_policy_default(&pol);
    pol.regrant_holdoff = 0;
    pol.lease_break_timeout = 20 * NSEC_PER_MSEC;
    pol.penalty = NSEC_PER_MSEC;
    if (co_create(&pol, &co) != ST_OK)
        return 1;
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, worker, (void *)i);
    pthread_create(&tick, NULL, ticker, NULL);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    atomic_store(&stop, 1);
    pthread_join(tick, NULL);
    struct co_out out = {0};
    co_tick(co, UINT64_MAX - 1, &out);
    co_out_done(&out);
    co_stats(co, &s);
    uint64_t left = s.files + s.ranges + s.shares + s.leases + s.waiters + s.entered;
    int total = guarded[0] + guarded[1] + guarded[2];
    printf("%d locks, %lu waits, %lu breaks answered, %d failures, %lu left\n", total, atomic_load(&waited),
           atomic_load(&broken), atomic_load(&failures), (unsigned long)left);
    co_free(co);
    return atomic_load(&failures) || left ? 1 : 0;
}
