/* grant.c - giving caching rights out. A grant never breaks anybody's: it gives what may stand beside everything that
 * is held, waits or is under way, and nothing while somebody is being kept from starving (hold-off, reservation) or
 * has shown that it does not answer (penalty box). Taking back is leases.c. */
#include "engine.h"

/* A penalty that finds the box full replaces the one that ends first. */
void penalty_add(struct co *co, uint64_t client, uint64_t now)
{
    if (!client || !co->policy.penalty)
        return;
    pthread_mutex_lock(&co->mu);
    unsigned at = 0;
    for (unsigned i = 0; i < co->penalties; i++) {
        if (co->penalty[i].client == client) {
            at = i;
            break;
        }
        if (co->penalty[i].until < co->penalty[at].until)
            at = i;
    }
    if (co->penalties < CO_PENALTIES && !(co->penalties && co->penalty[at].client == client))
        at = co->penalties++;
    co->penalty[at].client = client;
    co->penalty[at].until = now + co->policy.penalty;
    pthread_mutex_unlock(&co->mu);
}

bool penalty_has(struct co *co, uint64_t client, uint64_t now)
{
    bool has = false;
    pthread_mutex_lock(&co->mu);
    for (unsigned i = 0; i < co->penalties && !has; i++)
        has = co->penalty[i].client == client && now < co->penalty[i].until;
    pthread_mutex_unlock(&co->mu);
    return has;
}

struct grant {
    struct co *co;
    struct file *f;
    struct lease probe; /* whose rights: kind and party, for lease_own() */
    uint64_t now;
    bool reclaim;       /* it had them before the restart */
};

static bool range_foreign(void *arg, const struct range *r)
{
    const struct grant *g = arg;
    const struct share *s;
    if (party_same(&r->owner->party, &g->probe.party))
        return false;
    if (r->owner->party.client != g->probe.party.client)
        return true;
    s = share_find(g->f, &r->owner->party);
    return !s || !lease_own(&g->probe, &s->party);
}

/* Tickets and operations under way of others: what they would break is not given; beside a lock, nothing is. */
static uint8_t beside_operations(const struct grant *g, const struct list *parts, uint8_t bits)
{
    const struct part *p;
    list_each(p, parts, link) {
        const struct co_party *party = &p->op->party;
        if (lease_own(&g->probe, party))
            continue;
        if (p->ask.op == CO_LOCK)
            return 0;
        const struct rule *r = rule_of(&g->co->policy, party, &p->ask);
        if (!rule_spares(r, party, &g->probe))
            bits = rule_keep(r, g->probe.kind, bits);
    }
    return bits;
}

static uint8_t beside_opens(const struct grant *g, uint8_t bits)
{
    const struct share *s;
    list_each(s, &g->f->shares, link)
        if (!s->attr_only && !s->voided && !lease_own(&g->probe, &s->party) && !party_same(&s->party, &g->probe.party))
            bits &= ~CO_W;
    return rule_valid(g->probe.kind, bits);
}

/* Semantics 1.5. R and RH stand beside each other; level II beside R, not beside RH. */
static uint8_t beside_leases(const struct grant *g, const struct lease *own, uint8_t bits)
{
    const struct lease *l;
    list_each(l, &g->f->leases, link) {
        uint8_t held = l->granted | lease_unsaid(l);
        if (l == own || !held)
            continue;
        if (held & CO_W)
            return 0;
        bits &= ~CO_W;
        if (l->kind == CO_OPLOCK && g->probe.kind != CO_OPLOCK)
            bits &= ~CO_H;
        if (l->kind == CO_LEASE && held & CO_H && g->probe.kind == CO_OPLOCK)
            return 0;
    }
    return rule_valid(g->probe.kind, bits);
}

/* Operations that were counted in the bucket before the file had any state: we do not know whose. */
static uint8_t beside_counted(const struct grant *g, uint8_t bits)
{
    uint64_t n = atomic_load(&file_bucket(shard_of(g->co, g->f), g->f->hash)->under_way);
    if (n >> 32)
        return 0;
    return rule_valid(g->probe.kind, n ? bits & ~CO_W : bits);
}

static uint8_t after_others(const struct grant *g, uint8_t bits)
{
    const struct reservation *r;
    if (g->now < g->f->hold_w)
        bits &= ~CO_W;
    if (g->now < g->f->hold_r)
        bits &= ~CO_R;
    list_each(r, &g->f->reservations, link)
        if (g->now < r->until)
            bits &= ~r->bits;
    if (bits & (CO_W | CO_H) && penalty_has(g->co, g->probe.party.client, g->now))
        bits &= ~(CO_W | CO_H);
    return rule_valid(g->probe.kind, bits);
}

static uint8_t grantable(const struct grant *g, const struct lease *own, uint8_t want)
{
    if (!want || (in_grace(g->co, g->now) && !g->reclaim) ||
        ranges_find(&g->f->ranges, 0, UINT64_MAX, RANGE_ANY, range_foreign, (void *)g))
        return 0;
    uint8_t bits = beside_opens(g, want);
    bits = beside_leases(g, own, bits);
    if (bits && !list_empty(&g->f->queue))
        bits = beside_operations(g, &g->f->queue, bits);
    if (bits && !list_empty(&g->f->entered))
        bits = beside_operations(g, &g->f->entered, bits);
    bits = beside_counted(g, bits);
    if (!list_empty(&g->f->pendings))
        bits &= ~CO_H;
    return after_others(g, rule_valid(g->probe.kind, bits));
}

static struct lease *lease_new(struct co *co, struct file *f, const struct co_party *party, enum co_lease_kind kind,
                               uint16_t epoch, uint64_t now)
{
    struct shard *sh = shard_of(co, f);
    if (!timers_reserve(&sh->timers))
        return NULL;
    struct lease *l = pool_get(&sh->leases);
    if (!l) {
        timers_release(&sh->timers, NULL);
        return NULL;
    }
    l->file = f;
    l->party = *party;
    l->kind = kind;
    l->epoch = epoch;
    l->since = now;
    l->seq = ++sh->seq;
    l->timer.kind = TIMER_LEASE;
    list_init(&l->shares);
    list_append(&f->leases, &l->link);
    sh->stats.leases++;
    return l;
}

static void lease_join(struct lease *l, struct share *s)
{
    if (s->lease)
        return;
    s->lease = l;
    list_append(&l->shares, &s->of_lease);
}

/* Rights only grow here, and only when the new ones contain the old ([MS-SMB2] 3.3.5.9.8); who has some already gets
 * all that it asks for now or keeps what it has. */
static uint8_t lease_grant(struct co *co, struct file *f, struct share *s, const struct grant *g, uint8_t want,
                           uint16_t epoch, struct lease **ret)
{
    struct lease *own = NULL, *l;
    list_each(l, &f->leases, link)
        if (l->kind == g->probe.kind && lease_own(l, &g->probe.party))
            own = l;
    *ret = own;
    if (own && own->breaking) {
        lease_join(own, s);
        return own->granted;
    }
    uint8_t bits = grantable(g, own, want);
    if (!own) {
        if (!bits && g->probe.kind != CO_LEASE)
            return 0;
        *ret = own = lease_new(co, f, &g->probe.party, g->probe.kind, epoch, g->now);
        if (!own)
            return 0;
    }
    lease_join(own, s);
    if ((bits & own->granted) == own->granted && bits != own->granted && (!own->granted || bits == want)) {
        own->granted = own->to = own->floor = bits;
        own->since = g->now;
        own->epoch++;
    }
    return own->granted;
}

uint8_t co_lease(struct co *co, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
                 uint8_t want, uint32_t flags, uint16_t epoch, uint64_t now, uint16_t *ret_epoch, bool *ret_breaking)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    struct share *s = f ? share_find(f, party) : NULL;
    struct lease *l = NULL;
    uint8_t bits = 0;
    *ret_epoch = epoch;
    *ret_breaking = false;
    if (s && !s->voided && (!s->lease || s->lease->kind == kind)) {
        struct grant g = {.co = co, .f = f, .probe = {.kind = kind, .party = *party}, .now = now,
                          .reclaim = flags & CO_RECLAIM};
        if (flags & CO_DIRECTORY)
            want &= ~CO_W;
        want = co->policy.leases ? rule_valid(kind, want) : 0;
        bits = lease_grant(co, f, s, &g, want, epoch, &l);
    }
    if (l) {
        *ret_epoch = l->epoch;
        *ret_breaking = l->breaking;
    }
    pthread_mutex_unlock(&sh->mu);
    return bits;
}
