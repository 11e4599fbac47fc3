/* kit.h - what the tests of the engine share: a fake clock, parties in two words, tickets that count their wakes. */
#pragma once
#include "coherence/coherence.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define SEC NSEC_PER_SEC
#define RWH (CO_R | CO_W | CO_H)
#define RH (CO_R | CO_H)
#define ALL (CO_ACC_READ | CO_ACC_WRITE | CO_ACC_DELETE)

struct kit_ticket {
    struct co_ticket t;
    unsigned wakes;
};

static inline void kit_wake(struct co_ticket *t) { container_of(t, struct kit_ticket, t)->wakes++; }

/* The events of the last call stay in `out` until the next, when holders have been told of them (`silent`: not
 * then). */
struct kit {
    struct co *co;
    uint64_t now;
    struct co_out out;
    bool silent;
};

static inline struct co_key kit_key(uint64_t ino) { return (struct co_key){1, ino, 7}; }

/* SMB-like: client `c`, open `o`, lease key filled with `l` (0: none). */
static inline struct co_party kit_win(uint64_t c, uint64_t o, uint8_t l)
{
    struct co_party p = {.label = CO_LABEL_SMB, .flavour = CO_WINDOWS, .client = c, .open = o};
    memset(p.lease, l, sizeof p.lease);
    snprintf(p.who, sizeof p.who, "win%u.%u", (unsigned)c, (unsigned)o);
    return p;
}
/* NLM-like. */
static inline struct co_party kit_posix(uint64_t c, uint64_t o)
{
    struct co_party p = {.label = CO_LABEL_NLM, .flavour = CO_POSIX, .client = c, .open = o};
    snprintf(p.who, sizeof p.who, "posix%u.%u", (unsigned)c, (unsigned)o);
    return p;
}
static inline struct co_party kit_anon(void)
{
    return (struct co_party){.label = CO_LABEL_NFS3, .flavour = CO_POSIX, .who = "nobody"};
}

static inline void kit_clear(struct kit *k)
{
    for (size_t i = 0; i < k->out.n && !k->silent; i++)
        if (k->out.ev[i].kind == CO_EV_BREAK)
            co_told(k->co, &k->out.ev[i].key, k->out.ev[i].lease, k->now);
    co_out_done(&k->out);
    memset(&k->out, 0, sizeof k->out);
}

static inline struct kit *kit_new(const struct co_policy *p)
{
    struct kit *k = calloc(1, sizeof *k);
    struct co_policy def;
    co_policy_default(&def);
    assert_int_equal(co_create(p ? p : &def, &k->co), ST_OK);
    k->now = 1000 * SEC;
    return k;
}
static inline void kit_free(struct kit *k)
{
    struct co_stats s;
    co_stats(k->co, &s);
    kit_clear(k);
    co_free(k->co);
    free(k);
}
/* Everything has been given back: nothing may be left once the hold-offs are over. */
static inline void kit_empty(struct kit *k)
{
    struct co_stats s;
    kit_clear(k);
    k->now += 1000 * SEC;
    co_tick(k->co, k->now, &k->out);
    co_stats(k->co, &s);
    assert_int_equal(s.files + s.ranges + s.shares + s.leases + s.waiters + s.entered, 0);
    kit_free(k);
}

static inline enum st kit_enter(struct kit *k, struct kit_ticket *t, struct co_party p, struct co_ask a)
{
    kit_clear(k);
    t->t.wake = kit_wake;
    return co_enter(k->co, &t->t, &p, &a, 1, k->now, &k->out);
}
static inline void kit_leave(struct kit *k, struct kit_ticket *t)
{
    co_leave(k->co, &t->t, k->now, &k->out);
    memset(t, 0, sizeof *t);
}
/* Enters and, when it may go, leaves at once. */
static inline enum st kit_do(struct kit *k, struct kit_ticket *t, struct co_party p, struct co_ask a)
{
    enum st st = kit_enter(k, t, p, a);
    if (st == ST_OK)
        kit_leave(k, t);
    return st;
}
static inline enum st kit_try(struct kit *k, struct co_party p, struct co_ask a)
{
    struct kit_ticket t = {0};
    enum st st = kit_do(k, &t, p, a);
    if (st == ST_AGAIN)
        co_cancel(k->co, &t.t, k->now, &k->out);
    return st;
}

static inline struct co_ask kit_io(uint64_t ino, enum co_op op, uint64_t first, uint64_t last)
{
    return (struct co_ask){.key = kit_key(ino), .op = op, .first = first, .last = last};
}
static inline struct co_ask kit_lock(uint64_t ino, uint32_t flags, uint64_t first, uint64_t last)
{
    return (struct co_ask){.key = kit_key(ino), .op = CO_LOCK, .flags = flags, .first = first, .last = last};
}
static inline struct co_ask kit_open(uint64_t ino, uint8_t access, uint8_t deny)
{
    return (struct co_ask){.key = kit_key(ino), .op = CO_OPEN, .access = access, .deny = deny};
}
static inline uint8_t kit_lease(struct kit *k, uint64_t ino, struct co_party p, enum co_lease_kind kind, uint8_t want)
{
    struct co_key key = kit_key(ino);
    uint16_t epoch;
    bool breaking;
    return co_lease(k->co, &key, &p, kind, want, 0, 0, k->now, &epoch, &breaking);
}
/* The next deadline has come. */
static inline void kit_timeout(struct kit *k)
{
    kit_clear(k);
    k->now = co_next_deadline(k->co);
    co_tick(k->co, k->now, &k->out);
}
/* Client 1's open 1 of file 1, under lease key 5. */
static inline struct co_party kit_holder(struct kit *k, enum co_lease_kind kind, uint8_t bits)
{
    struct co_party w = kit_win(1, 1, kind == CO_LEASE ? 5 : 0);
    assert_int_equal(kit_try(k, w, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, w, kind, bits), bits);
    return w;
}
static inline enum st kit_ack(struct kit *k, uint64_t ino, struct co_party p, enum co_lease_kind kind, uint8_t keep)
{
    struct co_key key = kit_key(ino);
    kit_clear(k);
    return co_ack(k->co, &key, &p, kind, keep, k->now, &k->out);
}
static inline bool kit_close(struct kit *k, uint64_t ino, struct co_party p)
{
    struct co_key key = kit_key(ino);
    kit_clear(k);
    return co_close(k->co, &key, &p, 0, k->now, &k->out);
}
static inline enum st kit_unlock(struct kit *k, uint64_t ino, struct co_party p, uint64_t first, uint64_t last)
{
    struct co_key key = kit_key(ino);
    kit_clear(k);
    return co_unlock(k->co, &key, &p, first, last, 0, k->now, &k->out);
}
/* The n-th event of that kind in the last call's output, or NULL. */
static inline const struct co_event *kit_event(struct kit *k, enum co_event_kind kind, unsigned n)
{
    for (size_t i = 0; i < k->out.n; i++)
        if (k->out.ev[i].kind == kind && n-- == 0)
            return &k->out.ev[i];
    return NULL;
}
#define assert_break(k, from_, to_, ack_)                                                                              \
    do {                                                                                                               \
        const struct co_event *ev_ = kit_event(k, CO_EV_BREAK, 0);                                                     \
        assert_non_null(ev_);                                                                                          \
        assert_int_equal(ev_->from, from_);                                                                            \
        assert_int_equal(ev_->to, to_);                                                                                \
        assert_int_equal(ev_->ack, ack_);                                                                              \
    } while (0)
#define assert_no_break(k) assert_null(kit_event(k, CO_EV_BREAK, 0))
