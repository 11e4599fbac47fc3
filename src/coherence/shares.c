/* shares.c - opens and their share modes, and links that are to be deleted with their last open. Decides nothing:
 * rules.c and eval.c do. Delete-pending belongs to a link of this file, never to a name, so that a file made anew under
 * the name is not hit. */
#include "engine.h"

struct share *share_find(const struct file *f, const struct co_party *p)
{
    struct share *s;
    list_each(s, &f->shares, link)
        if (party_same(&s->party, p))
            return s;
    return NULL;
}

/* Windows' opens are counted, and limited, by their front end. */
static void share_account(struct shard *sh, const struct share *s, void (*fn)(struct budget *b, uint64_t account))
{
    if (s->party.flavour == CO_POSIX)
        fn(&sh->co->locks, s->party.account);
}

void share_add(struct co *co, struct file *f, const struct co_party *p, const struct co_ask *ask, uint64_t now)
{
    struct shard *sh = shard_of(co, f);
    struct share *s = share_find(f, p);
    if (!s) {
        s = pool_get(&sh->shares);
        list_init(&s->of_lease);
        s->seq = ++sh->seq;
        list_append(&f->shares, &s->link);
        sh->stats.shares++;
    } else {
        share_account(sh, s, budget_give);
    }
    s->party = *p;
    share_account(sh, s, budget_take);
    s->name = ask->link;
    s->since = now;
    s->access = ask->access;
    s->deny = ask->deny;
    s->attr_only = (ask->flags & (CO_ATTR_ONLY | CO_CONTROL)) == CO_ATTR_ONLY;
    s->voided = false;
}

static void share_leave_lease(struct co *co, struct share *s, uint64_t now)
{
    struct lease *l = s->lease;
    if (!l)
        return;
    list_remove(&s->of_lease);
    s->lease = NULL;
    lease_left(co, l, now);
}

void share_free(struct co *co, struct file *f, struct share *s, uint64_t now)
{
    struct shard *sh = shard_of(co, f);
    share_leave_lease(co, s, now);
    list_remove(&s->link);
    sh->stats.shares--;
    share_account(sh, s, budget_give);
    pool_put(&sh->shares, s);
}

bool share_void(struct co *co, struct file *f, struct share *s, uint64_t now, struct co_out *out)
{
    if (s->voided)
        return true;
    struct co_event ev = {.kind = CO_EV_VOID, .key = f->key, .party = s->party};
    if (!out_push(out, &ev))
        return false;
    s->voided = true;
    s->access = s->deny = 0;
    ranges_drop_owner(shard_of(co, f), f, &s->party);
    share_leave_lease(co, s, now);
    queue_wake(co, f, WHY_SHARE | WHY_RANGE, NULL, now);
    return true;
}

struct pending *pending_of(const struct file *f, uint64_t name)
{
    struct pending *d;
    list_each(d, &f->pendings, link)
        if (!name || !d->name || d->name == name)
            return d;
    return NULL;
}

struct pending *pending_find(const struct file *f, uint64_t name)
{
    struct pending *d;
    list_each(d, &f->pendings, link)
        if (d->name == name)
            return d;
    return NULL;
}

void pending_clear(struct shard *sh, struct pending *d)
{
    list_remove(&d->link);
    pool_put(&sh->pendings, d);
}

void co_set_delete(struct co *co, const struct co_key *key, const struct co_party *party, uint64_t link, bool on,
                   uint64_t now, struct co_out *out)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    if (!f && on)
        f = file_get(co, sh, key, file_hash(co, key));
    struct pending *d = f ? pending_find(f, link) : NULL;
    if (on && f && !d && (d = pool_get(&sh->pendings))) {
        d->by = *party;
        d->name = link;
        d->since = now;
        list_append(&f->pendings, &d->link);
    } else if (!on && d) {
        pending_clear(sh, d);
    }
    if (f)
        file_put(co, f, now);
    pthread_mutex_unlock(&sh->mu);
}

bool co_delete_pending(struct co *co, const struct co_key *key, uint64_t link)
{
    struct shard *sh;
    const struct file *f = file_lock(co, key, &sh);
    bool pending = f && pending_of(f, link);
    pthread_mutex_unlock(&sh->mu);
    return pending;
}

void co_relink(struct co *co, const struct co_key *key, uint64_t from, uint64_t to)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    if (f && from != to) {
        struct share *s;
        list_each(s, &f->shares, link)
            if (s->name == from)
                s->name = to;
        struct pending *d = pending_find(f, from);
        if (d && pending_find(f, to))
            pending_clear(sh, d);
        else if (d)
            d->name = to;
    }
    pthread_mutex_unlock(&sh->mu);
}

/* What is reserved of the file without a link (NLM SHARE) keeps no name alive. */
unsigned opens_of(const struct file *f, uint64_t name)
{
    unsigned n = 0;
    const struct share *s;
    list_each(s, &f->shares, link)
        n += !name || s->name == name;
    return n;
}

unsigned co_opens(struct co *co, const struct co_key *key, uint64_t link)
{
    struct shard *sh;
    const struct file *f = file_lock(co, key, &sh);
    unsigned n = f ? opens_of(f, link) : 0;
    pthread_mutex_unlock(&sh->mu);
    return n;
}
