/* world.c - actions and invariants of the small world (world.h). */
#include "world.h"

#define RWH CO_LEASE_ALL

static const struct co_ask asks[] = {
    {.op = CO_READ, .first = 0, .last = 9},
    {.op = CO_WRITE, .first = 5, .last = 14},
    {.op = CO_OPEN, .access = CO_ACC_READ, .deny = 0},
    {.op = CO_OPEN, .access = CO_ACC_READ | CO_ACC_WRITE | CO_ACC_DELETE, .deny = CO_ACC_WRITE},
    {.op = CO_OPEN, .flags = CO_ATTR_ONLY},
    {.op = CO_OPEN, .flags = CO_OVERWRITE, .access = CO_ACC_WRITE, .last = 14},
    {.op = CO_LOCK, .flags = 0, .first = 0, .last = 9},
    {.op = CO_LOCK, .flags = CO_EXCLUSIVE, .first = 5, .last = 14},
    {.op = CO_LOCK, .flags = CO_WAIT, .first = 0, .last = 9},
    {.op = CO_LOCK, .flags = CO_WAIT | CO_EXCLUSIVE, .first = 5, .last = 14},
    {.op = CO_LOCK, .flags = CO_WAIT | CO_EXCLUSIVE, .first = 0, .last = 9},
    {.op = CO_TEST, .flags = CO_EXCLUSIVE, .first = 0, .last = 9},
    {.op = CO_RESIZE, .first = 5, .last = 14},
    {.op = CO_REMOVE},
    {.op = CO_RENAME},
    {.op = CO_DISPOSITION},
    {.op = CO_CHILD},
};
static const struct {
    enum co_lease_kind kind;
    uint8_t want;
} wants[] = {{CO_LEASE, RWH}, {CO_LEASE, CO_R | CO_H}, {CO_OPLOCK, RWH}, {CO_OPLOCK, CO_R}};
static const uint8_t keeps[] = {RWH, CO_R | CO_H, CO_R, 0}; /* acknowledgements */

/* Actions are numbered: kind of action, then its detail, then the party. */
enum { A_ENTER, A_LEASE = A_ENTER + ARRAY_LEN(asks), A_ACK = A_LEASE + ARRAY_LEN(wants),
       A_UNLOCK = A_ACK + ARRAY_LEN(keeps), A_CLOSE = A_UNLOCK + 2, A_NEXT, A_GIVE_UP, A_DISCONNECT, A_RECONNECT,
       A_TICK, A_TOLD, A_PER_PARTY };

unsigned world_actions(void) { return A_PER_PARTY * WORLD_PARTIES; }

void world_name(unsigned a, char *buf, size_t n)
{
    static const char *const ops[] = {
        "read",      "write",       "open r",     "open rwd deny w", "open attr", "overwrite", "lock sh A",
        "lock ex B", "wait sh A",   "wait ex B",  "wait ex A",       "test A",    "resize",    "remove",
        "rename",    "disposition", "child",      "lease RWH",       "lease RH",  "batch",     "II",
        "ack RWH",   "ack RH",      "ack R",      "ack 0",           "unlock A",  "unlock B",  "close",
        "next",      "give up",     "disconnect", "reconnect",       "tick",      "told"};
    snprintf(buf, n, "%u:%s", a / A_PER_PARTY, ops[a % A_PER_PARTY]);
}

static void on_wake(struct co_ticket *t) { container_of(t, struct world_ticket, t)->wakes++; }

bool world_init(struct world *w, const struct co_policy *pol)
{
    *w = (struct world){.key = {1, 1, 1}, .now = 1000 * NSEC_PER_SEC};
    for (unsigned i = 0; i < WORLD_PARTIES; i++) {
        struct co_party *p = &w->party[i];
        p->flavour = i < 2 ? CO_WINDOWS : CO_POSIX;
        if (i == 3)
            break;
        p->client = i + 1;
        p->open = i + 1;
        if (i < 2)
            memset(p->lease, (int)i + 1, sizeof p->lease);
    }
    return co_create(pol, &w->co) == ST_OK;
}

void world_done(struct world *w) { co_free(w->co); }

struct file *world_file(const struct world *w)
{
    uint64_t hash = file_hash(w->co, &w->key);
    return file_find(file_shard(w->co, hash), &w->key, hash);
}

/* What each client believes to hold, from what it was told: it is lowered by a notification that needs no answer, by
 * its own acknowledgement, and by closing. */
static void told(struct world *w, unsigned party)
{
    uint64_t lease = w->untold[party][0].lease;
    w->n_untold[party]--;
    memmove(&w->untold[party][0], &w->untold[party][1], w->n_untold[party] * sizeof w->untold[party][0]);
    co_told(w->co, &w->key, lease, w->now);
}

uint8_t world_thinks(const struct world *w, const struct lease *l)
{
    uint8_t bits = l->stored ? l->granted : l->to; /* of more it knows that it must give it up */
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < w->n_untold[i]; k++)
            bits |= w->untold[i][k].lease == l->seq ? w->untold[i][k].from : 0;
    return bits;
}

static void hear_events(struct world *w, struct co_out *out)
{
    for (size_t i = 0; i < out->n; i++) {
        const struct co_event *ev = &out->ev[i];
        if (ev->kind == CO_EV_VOID)
            w->belief[ev->party.client - 1] = 0;
        if (ev->kind != CO_EV_BREAK)
            continue;
        w->breaks++;
        unsigned party = (unsigned)ev->party.client - 1;
        if (w->n_untold[party] == ARRAY_LEN(w->untold[party]))
            told(w, party);
        w->untold[party][w->n_untold[party]].lease = ev->lease;
        w->untold[party][w->n_untold[party]++].from = ev->from;
        if (w->belief[ev->party.client - 1] != ev->from)
            w->broken = "a notification from a state that the holder is not in";
        if (!ev->ack)
            w->belief[ev->party.client - 1] = ev->to;
        else
            w->asked[ev->party.client - 1] = true;
    }
    co_out_done(out);
}

/* The engine and each connected client agree on what is held, but for what was revoked. */
static void check_beliefs(struct world *w, bool revoking)
{
    const struct file *f = world_file(w);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t granted = 0;
        bool disconnected = false;
        const struct lease *l;
        const struct share *s;
        list_each(l, &f->leases, link)
            if (l->party.client == i + 1)
                granted = l->granted;
        list_each(s, &f->shares, link)
            disconnected |= s->party.client == i + 1 && s->disconnected;
        if (!revoking && !disconnected && granted != w->belief[i])
            w->broken = "a right was changed and its holder was not told";
        w->belief[i] = granted;
    }
}

bool world_reset(struct world *w)
{
    struct co_out out = {0};
    for (unsigned i = 0; i < WORLD_TICKETS; i++) {
        struct world_ticket *t = &w->ticket[i];
        if (t->state == SLOT_ENTERED)
            co_leave(w->co, &t->t, w->now, &out);
        else if (t->state == SLOT_WAITING)
            co_cancel(w->co, &t->t, w->now, &out);
        memset(t, 0, sizeof *t);
    }
    for (unsigned i = 0; i < WORLD_PARTIES; i++) {
        co_close(w->co, &w->key, &w->party[i], 0, w->now, &out);
        co_unlock(w->co, &w->key, &w->party[i], 0, UINT64_MAX, 0, w->now, &out);
    }
    w->now += 1000 * NSEC_PER_SEC; /* hold-offs and penalties are over */
    co_tick(w->co, w->now, &out);
    co_out_done(&out);
    bool empty = !world_file(w);
    uint64_t hash = file_hash(w->co, &w->key);
    const struct shard *sh = file_shard(w->co, hash);
    const struct co_stats *s = &sh->stats;
    empty &= s->files + s->ranges + s->shares + s->leases + s->waiters + s->entered == 0 && sh->timers.n == 0 &&
             sh->timers.reserved == 0 && w->co->wanting.count == 0 && sh->rowners.count == 0;
    empty &= atomic_load(&file_bucket(file_shard(w->co, hash), hash)->under_way) == 0;
    w->key.ino++;
    w->co->penalties = 0;
    memset(w->belief, 0, sizeof w->belief);
    memset(w->n_untold, 0, sizeof w->n_untold);
    return empty;
}

/* ---- invariants -------------------------------------------------------------------------------------------- */

#define HOLDS(cond, text)                                                                                              \
    do {                                                                                                               \
        if (!(cond)) {                                                                                                 \
            w->broken = text;                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

struct all_ranges {
    const struct range *r[1024];
    size_t n;
};
static bool collect(void *arg, const struct range *r)
{
    struct all_ranges *a = arg;
    if (a->n < ARRAY_LEN(a->r))
        a->r[a->n++] = r;
    return false;
}

static bool overlap(uint64_t af, uint64_t al, uint64_t bf, uint64_t bl) { return af <= bl && bf <= al; }

static void check_ranges(struct world *w, const struct file *f)
{
    struct all_ranges a = {.n = 0};
    ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, collect, &a);
    HOLDS(a.n == f->ranges.n, "the tree loses ranges");
    for (size_t i = 0; i < a.n; i++) {
        for (size_t k = 0; k < i; k++) {
            bool same = a.r[i]->owner == a.r[k]->owner;
            bool touch = overlap(a.r[i]->first, a.r[i]->last, a.r[k]->first, a.r[k]->last);
            HOLDS(!touch || same || (!a.r[i]->exclusive && !a.r[k]->exclusive), "two ranges conflict");
            HOLDS(!touch || !same || a.r[i]->owner->party.flavour == CO_WINDOWS, "one POSIX owner's ranges overlap");
        }
        const struct part *p;
        list_each(p, &f->entered, link) {
            bool write = p->ask.op == CO_WRITE || p->ask.op == CO_RESIZE;
            bool advisory = p->ask.flags & CO_ADVISORY && a.r[i]->owner->party.flavour == CO_POSIX;
            HOLDS((!write && p->ask.op != CO_READ) || advisory || party_same(&p->op->party, &a.r[i]->owner->party) ||
                      !overlap(p->ask.first, p->ask.last, a.r[i]->first, a.r[i]->last) ||
                      (!write && !a.r[i]->exclusive),
                  "I/O under way beside a range that binds it");
        }
    }
}

static void check_shares(struct world *w, const struct file *f)
{
    const struct share *a, *b;
    list_each(a, &f->shares, link)
        list_each(b, &f->shares, link)
            HOLDS(a == b || !((a->access & b->deny) | (a->deny & b->access)), "two share modes conflict");
}

/* What an operation under way may meet of a lease: nothing that it takes, unless the break has begun and it need not
 * wait for the answer. A writing right never stands beside a foreign reader or writer. */
static void check_lease(struct world *w, const struct file *f, const struct lease *l)
{
    const struct part *p;
    const struct share *s;
    const struct lease *o;
    HOLDS(!l->breaking || l->timer.pos, "a break without a deadline");
    HOLDS(!l->breaking || !(l->floor & ~l->to), "a break that leaves less than its floor");
    HOLDS(rule_valid(l->kind, l->granted) == l->granted, "an invalid combination is granted");
    HOLDS(!list_empty(&l->shares), "a lease without opens");
    list_each(p, &f->entered, link) {
        if (lease_own(l, &p->op->party) || p->ask.op == CO_GETATTR)
            continue;
        bool io = p->ask.op == CO_READ || p->ask.op == CO_WRITE || p->ask.op == CO_RESIZE;
        HOLDS(!(l->granted & CO_W) || !io, "W beside a foreign reader or writer");
        const struct rule *r = rule_of(&w->co->policy, &p->op->party, &p->ask);
        uint8_t lost = l->granted & ~rule_keep(r, l->kind, l->granted);
        HOLDS(!lost || (l->breaking && !(l->to & lost & CO_R)) || (l->breaking && !(l->floor & lost)),
              "an operation under way beside a right that it takes");
        HOLDS(!lost || !rule_waits(&w->co->policy, &p->ask, r, lost), "an operation under way that had to wait");
        uint8_t thinks = world_thinks(w, l);
        bool tells =
            p->op->ticket->tell_first == CO_TELL_ALL || (p->op->ticket->tell_first == CO_TELL_FILES && !r->child);
        HOLDS(!tells || rule_keep(r, l->kind, thinks) == thinks ||
                  container_of(p->op->ticket, struct world_ticket, t)->expired,
              "an operation under way of which a holder has not been told");
    }
    list_each(s, &f->shares, link)
        HOLDS(!(l->granted & CO_W) || s->attr_only || s->voided || lease_own(l, &s->party) || s->lease == l,
              "W beside a foreign open");
    list_each(o, &f->leases, link)
        HOLDS(o == l || !(l->granted & CO_W) || !o->granted, "W beside another right");
    struct all_ranges a = {.n = 0};
    ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, collect, &a);
    for (size_t i = 0; i < a.n; i++)
        HOLDS(!(l->granted & CO_W) || lease_own(l, &a.r[i]->owner->party), "W beside a foreign range");
}

/* Nobody who could go is left waiting, and nobody waits without end but for a blocking lock. */
static void describe(const struct file *f)
{
    const struct lease *l;
    const struct part *p;
    const struct share *s;
    if (!getenv("CO_EXPLORE_VERBOSE"))
        return;
    list_each(s, &f->shares, link)
        fprintf(stderr, "  share of %d: access %d deny %d lease %d\n", (int)s->party.client, s->access, s->deny,
                !!s->lease);
    list_each(l, &f->leases, link)
        fprintf(stderr, "  lease of %d: granted %d to %d floor %d breaking %d cascade %d\n", (int)l->party.client,
                l->granted, l->to, l->floor, l->breaking, l->cascade);
    list_each(p, &f->queue, link)
        fprintf(stderr, "  queued %d: op %d flags %x why %x blocked %d\n", (int)p->op->party.client, p->ask.op,
                p->ask.flags, p->why, (int)atomic_load(&p->op->blocked));
    list_each(p, &f->entered, link)
        fprintf(stderr, "  under way %d: op %d flags %x\n", (int)p->op->party.client, p->ask.op, p->ask.flags);
}

static void check_queue(struct world *w, const struct file *f)
{
    struct part *p;
    list_each(p, &f->queue, link) {
        struct world_ticket *t = container_of(p->op->ticket, struct world_ticket, t);
        HOLDS(!p->op->entered, "queued and under way at once");
        if (!atomic_load(&p->op->blocked)) {
            HOLDS(t->wakes, "a ticket that can go and was not woken");
            continue;
        }
        struct eval e = {.co = w->co, .op = p->op, .now = w->now};
        enum st st = eval_modes(&e, p);
        if (st == ST_OK)
            st = eval_leases(&e, p);
        if (st == ST_OK)
            st = eval_ranges(&e, p);
        if (st == ST_OK)
            st = eval_directories(&e, p);
        /* A hold that came later may have made a denial of the wait; that is learned when the wait is over. */
        HOLDS(st != ST_OK, "a ticket that could go is left waiting");
        bool forever = p->op->ticket->deadline == UINT64_MAX;
        HOLDS(forever ? p->ask.op == CO_LOCK && p->ask.flags & CO_WAIT : p->op->ticket->deadline > w->now,
              "a wait beyond its deadline");
        HOLDS(forever || p->op->timer.pos, "a wait without a timer");
    }
}

static void check_all(struct world *w)
{
    struct file *f = world_file(w);
    const struct lease *l;
    if (!f || w->broken)
        return;
    check_ranges(w, f);
    if (!w->broken)
        check_shares(w, f);
    list_each(l, &f->leases, link)
        if (!w->broken)
            check_lease(w, f, l);
    if (!w->broken)
        check_queue(w, f);
}

/* ---- order ------------------------------------------------------------------------------------------------- */

static bool pushes_locks(const struct file *f, const struct co_party *p)
{
    const struct lease *l;
    list_each(l, &f->leases, link)
        if (l->breaking && lease_own(l, p))
            return true;
    return false;
}

/* Did it overtake? An earlier ticket wants what it got. */
static bool overtook(const struct world *w, const struct co_ask *ask, const struct co_party *p)
{
    const struct file *f = world_file(w);
    const struct part *q;
    list_each(q, &f->queue, link)
        if (q->ask.op == CO_LOCK && q->ask.flags & CO_WAIT && !party_same(&q->op->party, p) &&
            overlap(q->ask.first, q->ask.last, ask->first, ask->last) &&
            (q->ask.flags & CO_EXCLUSIVE || ask->flags & CO_EXCLUSIVE))
            return true;
    return false;
}

/* ---- actions ----------------------------------------------------------------------------------------------- */

static void enter(struct world *w, unsigned party, struct co_out *out)
{
    struct world_ticket *t = &w->ticket[party];
    struct co_party *p = &w->party[party];
    bool again = t->state == SLOT_WAITING;
    enum st expect = again ? ST_MAX : reference_answer(w, party, &t->ask);
    const struct file *f = world_file(w);
    bool may_pass = (f && pushes_locks(f, p)) || again;
    const struct op *op = t->t.eng;
    t->expired =
        again && op->lease_since && w->now >= op->lease_since + w->co->policy.lease_break_timeout + CO_NSEC_SLACK;
    bool passed = f && t->ask.op == CO_LOCK && t->ask.flags & CO_WAIT && !may_pass && overtook(w, &t->ask, p);
    t->wakes = 0;
    t->t.wake = on_wake;
    t->t.tell_first = p->flavour == CO_WINDOWS ? CO_TELL_FILES : CO_TELL_ALL;
    enum st st = co_enter(w->co, &t->t, p, &t->ask, 1, w->now, out);
    if (expect != ST_MAX && st != expect && st != ST_DEADLOCK)
        w->broken = "the reference reading answers otherwise";
    if (passed && st == ST_OK)
        w->broken = "an earlier ticket was overtaken";
    if (st != ST_AGAIN && st != ST_OK && t->t.eng)
        w->broken = "a denied ticket is still queued";
    w->grants += st == ST_OK;
    w->waits += st == ST_AGAIN;
    w->denials += st != ST_OK && st != ST_AGAIN;
    t->state = st == ST_OK ? SLOT_ENTERED : st == ST_AGAIN ? SLOT_WAITING : SLOT_FREE;
    if (t->state == SLOT_FREE)
        memset(t, 0, sizeof *t);
}

static bool act_enter(struct world *w, unsigned party, const struct co_ask *ask, struct co_out *out)
{
    struct world_ticket *t = &w->ticket[party];
    const struct co_party *p = &w->party[party];
    const struct file *f = world_file(w);
    if (t->state != SLOT_FREE)
        return false;
    if (!p->client && (ask->op == CO_LOCK || (ask->op == CO_OPEN && !(ask->flags & CO_OVERWRITE))))
        return false;
    if (p->flavour == CO_WINDOWS && ask->op != CO_OPEN && (!f || !share_find(f, p)))
        return false; /* everything else is done through an open */
    if (p->flavour == CO_WINDOWS && ask->op == CO_OPEN && f && share_find(f, p))
        return false;
    t->ask = *ask;
    t->ask.key = w->key;
    if (!p->client && ask->op == CO_OPEN)
        t->ask.flags |= CO_NO_HOLD;
    if (ask->op == CO_READ || ask->op == CO_WRITE || ask->op == CO_RESIZE)
        t->ask.flags |= !p->client ? CO_ADVISORY : p->flavour == CO_WINDOWS ? CO_DENY_NOWAIT : 0;
    enter(w, party, out);
    return true;
}

static bool wanted_by_ticket(const struct world *w, unsigned party, enum co_lease_kind kind, uint8_t bits)
{
    const struct part *p;
    list_each(p, &world_file(w)->queue, link)
        if (p->op->party.client != w->party[party].client &&
            (p->ask.op == CO_LOCK ||
             rule_keep(rule_of(&w->co->policy, &p->op->party, &p->ask), kind, bits) != bits))
            return true;
    return false;
}

static bool act_lease(struct world *w, unsigned party, size_t i)
{
    const struct file *f = world_file(w);
    uint16_t epoch;
    bool breaking;
    if (party > 1 || !f || !share_find(f, &w->party[party]))
        return false;
    uint8_t bits = co_lease(w->co, &w->key, &w->party[party], wants[i].kind, wants[i].want, 0, 0, w->now, &epoch,
                            &breaking);
    if (bits & ~w->belief[party] && wanted_by_ticket(w, party, wants[i].kind, bits))
        w->broken = "a right is given that a ticket waits to have gone";
    if (w->belief[party] & ~bits && bits)
        w->broken = "asking for more took something away";
    if (bits)
        w->belief[party] = bits;
    return true;
}

static bool act_ack(struct world *w, unsigned party, uint8_t keep, struct co_out *out)
{
    const struct file *f = world_file(w);
    const struct lease *l;
    if (party > 1 || !f || w->n_untold[party])
        return false;
    list_each(l, &f->leases, link)
        if (lease_own(l, &w->party[party]) && l->breaking) {
            w->last_oplock = l->kind == CO_OPLOCK;
            w->last_ack = co_ack(w->co, &w->key, &w->party[party], l->kind, keep, w->now, out);
            return true;
        }
    return false;
}

static bool act_next(struct world *w, unsigned party, bool give_up, struct co_out *out)
{
    struct world_ticket *t = &w->ticket[party];
    if (t->state == SLOT_FREE || (give_up && t->state == SLOT_ENTERED) ||
        (!give_up && t->state == SLOT_WAITING && !t->wakes))
        return false;
    if (t->state == SLOT_ENTERED) {
        co_leave(w->co, &t->t, w->now, out);
        memset(t, 0, sizeof *t);
    } else if (give_up) {
        co_cancel(w->co, &t->t, w->now, out);
        memset(t, 0, sizeof *t);
    } else {
        enter(w, party, out);
    }
    return true;
}

static bool act_tick(struct world *w, unsigned party, struct co_out *out)
{
    uint64_t at = co_next_deadline(w->co);
    if (party || at == UINT64_MAX)
        return false;
    w->now = MAX(at, w->now);
    co_tick(w->co, w->now, out);
    return true;
}

static bool act_disconnect(struct world *w, unsigned party, bool gone, struct co_out *out)
{
    const struct file *f = world_file(w);
    const struct share *s = f && party < 2 ? share_find(f, &w->party[party]) : NULL;
    if (!s || s->disconnected == gone || w->ticket[party].state != SLOT_FREE)
        return false;
    co_disconnected(w->co, &w->key, &w->party[party], gone, party == 1, w->now, out);
    return true;
}

static bool act_other(struct world *w, unsigned party, unsigned what, struct co_out *out)
{
    const struct file *f = world_file(w);
    switch (what) {
    case A_CLOSE:
        if (!f || !share_find(f, &w->party[party]) || w->ticket[party].state != SLOT_FREE)
            return false;
        co_close(w->co, &w->key, &w->party[party], 0, w->now, out);
        return true;
    case A_NEXT:
    case A_GIVE_UP: return act_next(w, party, what == A_GIVE_UP, out);
    case A_DISCONNECT:
    case A_RECONNECT: return act_disconnect(w, party, what == A_DISCONNECT, out);
    case A_TICK: return act_tick(w, party, out);
    case A_TOLD:
        if (party > 1 || !w->n_untold[party])
            return false;
        told(w, party);
        return true;
    default:
        if (!w->party[party].client || !f || !f->ranges.root)
            return false;
        return co_unlock(w->co, &w->key, &w->party[party], what == A_UNLOCK ? 0 : 5, what == A_UNLOCK ? 9 : 14, 0,
                         w->now, out) == ST_OK;
    }
}

/* Acknowledging what was asked for, or (an oplock) something impossible, which ends with nothing. */
static void hear_ack(struct world *w, unsigned party, uint8_t keep)
{
    w->asked[party] = false;
    if (w->last_ack == ST_OK)
        w->belief[party] = keep & CO_R ? keep & w->belief[party] : 0;
    else if (w->last_oplock)
        w->belief[party] = 0;
}

bool world_act(struct world *w, unsigned a)
{
    unsigned party = a / A_PER_PARTY, what = a % A_PER_PARTY;
    struct co_out out = {0};
    bool did;
    if (what < A_LEASE)
        did = act_enter(w, party, &asks[what], &out);
    else if (what < A_ACK)
        did = act_lease(w, party, what - A_LEASE);
    else if (what < A_UNLOCK)
        did = act_ack(w, party, keeps[what - A_ACK], &out);
    else
        did = act_other(w, party, what, &out);
    if (did && what == A_CLOSE && party < 2)
        w->belief[party] = 0;
    if (did && what >= A_ACK && what < A_UNLOCK)
        hear_ack(w, party, keeps[what - A_ACK]);
    hear_events(w, &out);
    if (did && !w->broken && world_file(w))
        check_beliefs(w, what == A_TICK || what == A_DISCONNECT || what == A_NEXT);
    if (!world_file(w)) {
        memset(w->belief, 0, sizeof w->belief);
        memset(w->n_untold, 0, sizeof w->n_untold);
    }
    if (did && !w->broken)
        check_all(w);
    if (w->broken && world_file(w))
        describe(world_file(w));
    return did;
}

/* ---- the state as a number --------------------------------------------------------------------------------- */

static void mix(uint64_t *h, uint64_t v)
{
    *h = (*h ^ v) * 0x9e3779b97f4a7c15ull;
    *h ^= *h >> 29;
}

static uint64_t ahead(const struct world *w, uint64_t t) { return t == UINT64_MAX ? t : t > w->now ? t - w->now : 0; }

uint64_t world_state(const struct world *w)
{
    const struct file *f = world_file(w);
    const struct share *s;
    const struct lease *l;
    const struct part *p;
    uint64_t h = 1;
    for (unsigned i = 0; i < WORLD_TICKETS; i++) {
        const struct world_ticket *t = &w->ticket[i];
        mix(&h, t->state * 2 + !!t->wakes);
        mix(&h, t->state ? (uint64_t)t->ask.op << 16 | t->ask.flags << 4 | t->ask.access : 0);
        mix(&h, t->state == SLOT_WAITING ? ahead(w, t->t.deadline) : 0);
    }
    if (!f)
        return h;
    list_each(s, &f->shares, link) {
        mix(&h, s->party.client << 20 | (uint64_t)s->access << 8 | s->deny);
        mix(&h, s->attr_only | s->voided << 1 | s->disconnected << 2 | s->persistent << 3 | !!s->lease << 4);
    }
    list_each(l, &f->leases, link) {
        mix(&h, l->party.client << 32 | l->kind << 24 | l->granted << 16 | l->to << 8 | l->floor);
        mix(&h, l->breaking | l->cascade << 1 | l->believed << 2 | l->stored << 5 | l->untold << 6);
        mix(&h, l->breaking ? ahead(w, l->timer.at) : 0);
    }
    struct all_ranges a = {.n = 0};
    ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, collect, &a);
    for (size_t i = 0; i < a.n; i++)
        mix(&h, a.r[i]->owner->party.client << 32 | a.r[i]->first << 16 | a.r[i]->last << 1 | a.r[i]->exclusive);
    list_each(p, &f->queue, link)
        mix(&h, p->op->party.client << 8 | p->why);
    mix(&h, ahead(w, f->hold_w) ^ ahead(w, f->hold_r) << 1);
    return h;
}
