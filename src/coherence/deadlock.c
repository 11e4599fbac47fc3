/* deadlock.c - would waiting close a circle? The wait-for graph is not kept: it is what the tables say. A ticket that
 * wants ranges waits for the owners of the ranges in its way and of the earlier tickets that want the same; an owner
 * waits if it has such a ticket (co->wanting). Walked with all shards held, which blocking locks that have to wait can
 * afford and which is never out of date. */
#include "engine.h"

struct walk {
    struct co *co;
    const struct op *start;
    struct op *todo;
    bool closes;
};

/* Somebody in the walk waits for `owner`: back at the start, or on through its own tickets. */
static void walk_owner(struct walk *w, const struct co_party *owner, const struct op *from)
{
    if (party_same(owner, &w->start->party)) {
        w->closes |= !(from == w->start);
        return;
    }
    for (struct hash_link *l = hash_first(&w->co->wanting, party_hash(owner)); l; l = hash_next(l)) {
        struct op *op = container_of(l, struct op, wanting);
        if (!party_same(&op->party, owner) || op->visited == w->co->visit)
            continue;
        op->visited = w->co->visit;
        op->next = w->todo;
        w->todo = op;
    }
}

struct step {
    struct walk *w;
    const struct op *op;
};

static bool step_range(void *arg, const struct range *r)
{
    const struct step *s = arg;
    walk_owner(s->w, &r->owner->party, s->op);
    return s->w->closes; /* go on until found */
}

static void walk_part(struct walk *w, const struct op *op, const struct part *p)
{
    struct step s = {w, op};
    if (p->ask.op != CO_LOCK)
        return;
    eval_lock_conflict(p->file, &op->party, &p->ask, step_range, &s);
    const struct list *head = &p->file->queue;
    const struct list *at = list_empty(&p->link) ? head->prev : p->link.prev;
    for (; at != head && !w->closes; at = at->prev) {
        const struct part *q = list_entry(at, struct part, link);
        if (q->op != op && q->ask.op == CO_LOCK &&
            rule_lock(&op->party, &p->ask, &q->op->party, q->ask.first, q->ask.last, q->ask.flags & CO_ZERO_LEN,
                      q->ask.flags & CO_EXCLUSIVE))
            walk_owner(w, &q->op->party, op);
    }
}

bool deadlock_closes(struct co *co, struct op *start)
{
    struct walk w = {.co = co, .start = start, .todo = start};
    start->next = NULL;
    pthread_mutex_lock(&co->mu);
    start->visited = ++co->visit;
    while (w.todo && !w.closes) {
        struct op *op = w.todo;
        w.todo = op->next;
        for (unsigned i = 0; i < op->n && !w.closes; i++)
            walk_part(&w, op, &op->part[i]);
    }
    pthread_mutex_unlock(&co->mu);
    return w.closes;
}
