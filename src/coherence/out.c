/* out.c - what the caller is told: plain data, no pointer into the engine. Knows nothing of when. */
#include "engine.h"

bool out_push(struct co_out *out, const struct co_event *ev)
{
    if (!out)
        return false;
    if (!out->ev) {
        out->ev = out->inl;
        out->cap = ARRAY_LEN(out->inl);
    }
    if (out->n == out->cap) {
        struct co_event *grown = out->ev == out->inl ? malloc(2 * out->cap * sizeof *grown)
                                                     : realloc(out->ev, 2 * out->cap * sizeof *grown);
        if (!grown)
            return false;
        if (out->ev == out->inl)
            memcpy(grown, out->inl, sizeof out->inl);
        out->ev = grown;
        out->cap *= 2;
    }
    out->ev[out->n++] = *ev;
    return true;
}

void co_out_done(struct co_out *out)
{
    if (out->ev != out->inl)
        free(out->ev);
    out->ev = NULL;
    out->n = out->cap = 0;
}

void out_conflict(struct co_out *out, const struct co_hold *h, const struct co_party *by, enum co_op op,
                  const char *outcome, uint64_t waited, uint64_t handover)
{
    static const char *const words[] = {
        [CO_KIND_NONE] = "operation", [CO_KIND_RANGE] = "range",   [CO_KIND_SHARE] = "share",
        [CO_KIND_LEASE] = "lease",    [CO_KIND_DELETE] = "delete", [CO_KIND_WAITER] = "waiter"};
    if (h->kind == CO_KIND_NONE || party_same(&h->party, by))
        return;
    struct co_event ev = {.kind = CO_EV_CONFLICT, .key = h->key, .party = h->party, .by = *by, .from = h->lease,
                          .to = h->breaking_to, .op = op, .what = words[h->kind], .outcome = outcome, .waited = waited,
                          .handover = handover};
    (void)out_push(out, &ev);
}

/* Numbers are a shard's own; with the shard's they are the engine's. */
static uint64_t id_of(uint64_t hash, uint64_t seq) { return seq << CO_SHARD_BITS | hash >> (64 - CO_SHARD_BITS); }

struct co_hold hold_of_range(const struct file *f, const struct range *r)
{
    return (struct co_hold){.kind = CO_KIND_RANGE, .key = f->key, .party = r->owner->party, .first = r->first,
                            .last = r->last, .exclusive = r->exclusive, .zero_len = r->zero, .since = r->since,
                            .id = id_of(f->hash, r->seq)};
}

struct co_hold hold_of_share(const struct file *f, const struct share *s)
{
    return (struct co_hold){.kind = CO_KIND_SHARE, .key = f->key, .party = s->party, .access = s->access,
                            .deny = s->deny, .disconnected = s->disconnected, .since = s->since,
                            .id = id_of(f->hash, s->seq)};
}

struct co_hold hold_of_lease(const struct lease *l)
{
    bool persistent;
    return (struct co_hold){.kind = CO_KIND_LEASE, .key = l->file->key, .party = l->party, .lease = l->granted,
                            .lease_kind = l->kind,
                            .breaking_to = l->breaking ? l->to : l->granted, .breaking = l->breaking,
                            .disconnected = lease_disconnected(l, &persistent), .since = l->since,
                            .id = id_of(l->file->hash, l->seq)};
}

struct co_hold hold_of_pending(const struct file *f, const struct pending *d)
{
    return (struct co_hold){.kind = CO_KIND_DELETE, .key = f->key, .party = d->by, .since = d->since};
}

/* A ticket in the queue, or (kind none) an operation under way. */
struct co_hold hold_of_part(const struct part *p)
{
    const struct op *op = p->op;
    return (struct co_hold){.kind = op->entered ? CO_KIND_NONE : CO_KIND_WAITER, .key = p->file->key,
                            .party = op->party, .op = p->ask.op, .first = p->ask.first, .last = p->ask.last,
                            .exclusive = p->ask.flags & CO_EXCLUSIVE, .zero_len = p->ask.flags & CO_ZERO_LEN,
                            .access = p->ask.access, .deny = p->ask.deny, .since = op->ticket->queued_at,
                            .id = id_of(op->part[0].file->hash, op->seq), .behind = p->behind};
}
