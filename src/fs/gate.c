/* gate.c - the one way from an operation into the coherence engine, and the way out of it.
 *
 * fs_gate() asks; fs_leave() ends what was entered. What others must be told comes out of the engine as events, and is
 * handed to the front ends after each call, without locks: before the operation acts, so before its reply. The engine's
 * deadlines are timed on one loop.
 *
 * Test builds set again_percent: then a gate sometimes says ST_AGAIN without cause, once per operation, and when the
 * operation comes again the store's counter of mutations must stand where it stood, unless somebody else was let
 * through in between: nothing happens before the gate. */
#include "base/clock.h"
#include "base/log.h"
#include "internal.h"
#include <stdio.h>

static const struct co_party nobody = {.label = CO_LABEL_LOCAL, .who = "local"};

/* What the operations of coherence.h mean to share modes. */
static const uint8_t op_access[CO_OP_MAX] = {
    [CO_READ] = CO_ACC_READ,     [CO_WRITE] = CO_ACC_WRITE,   [CO_RESIZE] = CO_ACC_WRITE,
    [CO_REMOVE] = CO_ACC_DELETE, [CO_RENAME] = CO_ACC_DELETE,
};
static const bool op_is_io[CO_OP_MAX] = {[CO_READ] = true, [CO_WRITE] = true, [CO_RESIZE] = true};

struct co_ask fs_ask(struct st_node *n, enum co_op op)
{
    return (struct co_ask){
        .key = fs_node_key(n),
        .op = op,
        .flags = n->type == ST_DIR ? CO_DIRECTORY : 0,
        .last = UINT64_MAX,
        .access = op_access[op],
        .tag = n,
    };
}

struct co_ask fs_ask_io(struct st_node *n, const struct fs_open *o, enum co_op op, uint64_t first, uint64_t last)
{
    struct co_ask ask = fs_ask(n, op);
    if (o)
        ask.key = fs_open_key(o);
    ask.first = first;
    ask.last = last;
    return ask;
}

void fs_ask_bytes(struct co_ask *ask, uint64_t from, uint64_t to)
{
    bool any = from < to;
    ask->first = any ? from : 1;
    ask->last = any ? to - 1 : 0;
}

/* --- Injected ST_AGAIN. */
static uint32_t dice(void)
{
    static _Thread_local uint64_t x;
    if (!x)
        x = clock_now() ^ (uintptr_t)&x;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)(x >> 32);
}

static uint64_t mutations(const struct fs_req *q)
{
    return q->share ? atomic_load(&q->share->store->mutations) : 0;
}

/* Who acts has counted its gate before, and counts itself as acting until it has acted: so of these three the order in
 * which they are read is what proves something. */
static void inject_look(struct fs_req *q)
{
    uint64_t gates = atomic_load(&q->fs->gates);
    q->seen_gates = atomic_load(&q->fs->acting) ? UINT64_MAX : gates; /* somebody acts: nothing can be proven */
    q->seen_mutations = mutations(q);
}

static void inject_check(struct fs_req *q)
{
    uint64_t more = mutations(q) - q->seen_mutations;
    if (!more || q->seen_gates != atomic_load(&q->fs->gates))
        return;
    atomic_fetch_add(&q->fs->metrics.gate_violations, 1);
    log_error("fs", "event=gate_violation mutations=%llu", (unsigned long long)more);
}

static bool inject(struct fs_req *q)
{
    struct fs *fs = q->fs;
    if (q->injected) {
        inject_check(q);
        return false;
    }
    if (!q->job || dice() % 100 >= fs->cfg.again_percent)
        return false;
    q->injected = true;
    inject_look(q);
    atomic_fetch_add_explicit(&fs->metrics.injected, 1, memory_order_relaxed);
    q->ticket.wake(&q->ticket);
    return true;
}

/* --- The gate. */
static void deliver(struct fs *fs, struct co_out *out, const struct co_ask *asks, size_t n, bool waits);

static void settle_flags(const struct co_party *party, struct co_ask *asks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (op_is_io[asks[i].op])
            asks[i].flags |= party->flavour == CO_POSIX ? CO_ADVISORY : CO_DENY_NOWAIT;
}

/* Among SMB's own clients a directory's cache follows the change, as it does with Windows. */
static enum st enter(struct fs_req *q, const struct co_party *party, const struct co_ask *asks, size_t n)
{
    struct co_out out = fs_out();
    q->ticket.tell_first = !q->job ? CO_TELL_NOBODY : q->posix ? CO_TELL_ALL : CO_TELL_FILES;
    enum st st = co_enter(q->fs->co, &q->ticket, party, asks, n, clock_now(), &out);
    deliver(q->fs, &out, asks, n, st == ST_AGAIN);
    return st;
}

enum st fs_gate(struct fs_req *q, struct co_ask *asks, size_t n)
{
    struct fs *fs = q->fs;
    const struct co_party *party = q->party ? q->party : &nobody;
    bool testing = unlikely(fs->cfg.again_percent != 0);
    if (testing && inject(q))
        return ST_AGAIN;
    settle_flags(party, asks, n);
    enum st st = enter(q, party, asks, n);
    if (st == ST_OK) {
        if (testing) {
            atomic_fetch_add(&fs->acting, 1);
            atomic_fetch_add(&fs->gates, 1);
        }
        return ST_OK;
    }
    if (st == ST_AGAIN) {
        atomic_fetch_add_explicit(&fs->metrics.parked, 1, memory_order_relaxed);
        if (q->job)
            return ST_AGAIN;
        fs_cancel(q);
        return ST_DELAY;
    }
    q->injected = false;
    return st;
}

void fs_leave(struct fs_req *q)
{
    struct fs *fs = q->fs;
    struct co_out out = fs_out();
    q->injected = false;
    co_leave(fs->co, &q->ticket, clock_now(), &out);
    if (unlikely(fs->cfg.again_percent != 0))
        atomic_fetch_sub(&fs->acting, 1);
    fs_deliver(fs, &out);
}

static void wake_nobody(struct co_ticket *t)
{
}

/* With a ticket of its own: q's may be waiting for something else. */
void fs_hint(struct fs_req *q, struct co_ask ask)
{
    struct fs *fs = q->fs;
    struct co_ticket t = {.wake = wake_nobody};
    struct co_out out = fs_out();
    uint64_t now = clock_now();
    if (co_enter(fs->co, &t, q->party ? q->party : &nobody, &ask, 1, now, &out) == ST_OK)
        co_leave(fs->co, &t, now, &out);
    else
        co_cancel(fs->co, &t, now, &out);
    fs_deliver(fs, &out);
}

/* --- Events. */
static void log_conflict(struct fs *fs, const struct co_event *ev, const struct co_ask *asks, size_t n)
{
    char path[1024], who[2 * sizeof ev->party.who];
    struct co_key key = ev->key;
    for (size_t i = 0; i < n; i++) /* a stream's key leads to its file */
        if (asks[i].tag && asks[i].key.ino == key.ino && asks[i].key.gen == key.gen && asks[i].key.store == key.store)
            key = fs_node_key(asks[i].tag);
    if (!fs_key_path(fs, &key, path, sizeof path))
        snprintf(path, sizeof path, "#%llu", (unsigned long long)key.ino);
    snprintf(who, sizeof who, "%s", log_quote(ev->party.who, strnlen(ev->party.who, sizeof ev->party.who)));
    /* Between protocols it is what the product is for; within one it is everyday life. */
    enum log_level level = ev->party.label != ev->by.label ? LOG_INFO : LOG_DEBUG;
    log_at(level, "fs", "event=conflict from=%s to=%s kind=%s op=%s file=%s holder=%s by=%s waited_ms=%llu outcome=%s",
           fs_label_name(ev->by.label), fs_label_name(ev->party.label), ev->what ? ev->what : "other",
           fs_op_name(ev->op), log_quote(path, strlen(path)), who,
           log_quote(ev->by.who, strnlen(ev->by.who, sizeof ev->by.who)),
           (unsigned long long)(ev->waited / NSEC_PER_MSEC), ev->outcome ? ev->outcome : "other");
}

static void deliver(struct fs *fs, struct co_out *out, const struct co_ask *asks, size_t n, bool waits)
{
    if (likely(!out->n))
        return co_out_done(out);
    for (size_t i = 0; i < out->n; i++) {
        const struct co_event *ev = out->ev ? &out->ev[i] : &out->inl[i];
        if (ev->kind == CO_EV_CONFLICT || ev->kind == CO_EV_ACK) {
            fs_count(fs, ev);
            if (ev->kind == CO_EV_CONFLICT)
                log_conflict(fs, ev, asks, n);
            continue;
        }
        struct fs_told *told = ev->kind == CO_EV_BREAK ? told_new(fs, ev, waits) : NULL;
        const struct fs_sink *sink = &fs->sinks[(unsigned)ev->party.label < CO_LABEL_MAX ? ev->party.label : 0];
        if (sink->event)
            sink->event(sink->arg, ev, told);
        fs_told_done(told);
    }
    co_out_done(out);
}

void fs_deliver(struct fs *fs, struct co_out *out)
{
    deliver(fs, out, NULL, 0, false);
}

/* --- Deadlines. */
static void arm(struct fs *fs)
{
    uint64_t at = co_next_deadline(fs->co);
    loop_timer(fs->cfg.loop, &fs->co_timer, at == UINT64_MAX ? 0 : at ? at : 1);
}

void fs_tick(struct fs *fs)
{
    struct co_out out = fs_out();
    co_tick(fs->co, clock_now(), &out);
    fs_deliver(fs, &out);
}

static void on_timer(struct timer *t)
{
    struct fs *fs = container_of(t, struct fs, co_timer);
    fs_tick(fs);
    arm(fs);
}

static void on_task(struct task *t)
{
    struct fs *fs = container_of(t, struct fs, co_task);
    atomic_store(&fs->co_task_posted, false);
    arm(fs);
}

/* From inside the engine, on any thread. */
static void deadline_moved(void *arg)
{
    struct fs *fs = arg;
    if (!atomic_exchange(&fs->co_task_posted, true))
        loop_post(fs->cfg.loop, &fs->co_task);
}

enum st fs_gate_start(struct fs *fs)
{
    enum st st = co_create(&fs->cfg.lock, &fs->co);
    if (st != ST_OK || !fs->cfg.loop)
        return st;
    fs->co_timer.fn = on_timer;
    fs->co_task.fn = on_task;
    co_on_deadline(fs->co, deadline_moved, fs);
    return ST_OK;
}

void fs_gate_stop(struct fs *fs)
{
    if (!fs->co)
        return;
    if (fs->cfg.loop && loop_self() == fs->cfg.loop)
        loop_timer(fs->cfg.loop, &fs->co_timer, 0);
    co_free(fs->co);
    fs->co = NULL;
}
