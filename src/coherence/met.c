/* met.c - what an operation that waits has met: each client's holds of one kind are told of once, when it is over,
 * with how long it took and how it ended. For people only: nothing here decides, and an operation that there is no
 * memory for is told of less. */
#include "engine.h"

struct met {
    struct met *next; /* later */
    struct co_hold hold;
    enum co_op op;
};

const size_t met_size = sizeof(struct met);

static bool same(const struct co_hold *a, const struct co_hold *b)
{
    return a->kind == b->kind && a->party.label == b->party.label && a->party.client == b->party.client;
}

void met_add(struct op *op, const struct part *p, const struct co_hold *h)
{
    struct met **at = &op->met;
    if (h->kind == CO_KIND_NONE || party_same(&h->party, &op->party))
        return;
    for (; *at; at = &(*at)->next)
        if (same(&(*at)->hold, h))
            return;
    if ((*at = pool_get(&op->home->mets)) != NULL)
        **at = (struct met){.hold = *h, .op = p->ask.op};
}

void met_done(struct op *op)
{
    for (struct met *m; (m = op->met) != NULL;) {
        op->met = m->next;
        pool_put(&op->home->mets, m);
    }
}

void met_free(struct met *m)
{
    for (struct met *next; m; m = next) {
        next = m->next;
        free(m);
    }
}

struct co_hold met_first(const struct op *op)
{
    return op->met ? op->met->hold : (struct co_hold){0};
}

static enum co_op op_at(const struct op *op, const struct co_key *key)
{
    for (unsigned i = 0; i < op->n; i++)
        if (key_same(&op->part[i].ask.key, key))
            return op->part[i].ask.op;
    return op->part[0].ask.op;
}

/* Byte ranges are looked at when the caches are gone: what was waited for from then on was not a lease. */
static uint64_t waited_for(const struct op *op, const struct co_hold *h, uint64_t now)
{
    uint64_t since = op->ticket->queued_at, until = h->kind == CO_KIND_LEASE && op->range_since ? op->range_since : now;
    return since ? until - since : 0;
}

void met_tell(const struct op *op, const struct co_hold *blocker, const char *outcome, uint64_t now,
              struct co_out *out)
{
    bool blocked = blocker && blocker->kind != CO_KIND_NONE;
    uint64_t handover = op->handover;
    if (blocked)
        out_conflict(out, blocker, &op->party, op_at(op, &blocker->key), outcome, waited_for(op, blocker, now), 0);
    for (const struct met *m = op->met; m; m = m->next) {
        bool lock = m->hold.kind == CO_KIND_RANGE || m->hold.kind == CO_KIND_WAITER;
        if (!blocked || !same(&m->hold, blocker))
            out_conflict(out, &m->hold, &op->party, m->op, outcome, waited_for(op, &m->hold, now), lock ? handover : 0);
        if (lock)
            handover = 0;
    }
}
