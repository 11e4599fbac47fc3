/* revoke.c - the administrator's way to free a file: what is held is taken away by its number, and nobody is asked.
 * Decides nothing: the holder loses exactly what it is named for, or, where a client could not know of a part that is
 * gone (locks of a Windows open), the whole open. */
#include "engine.h"

static bool revoke_lease(struct co *co, struct file *f, uint64_t id, uint64_t now, struct co_out *out)
{
    struct lease *l;
    list_each(l, &f->leases, link) {
        if (!l->granted || hold_of_lease(l).id != id)
            continue;
        struct co_event ev = {.from = l->granted, .epoch = (uint16_t)(l->epoch + 1)};
        (void)lease_tell(l, &ev, out);
        lease_revoke(co, l, now, out);
        return true;
    }
    return false;
}

static bool revoke_share(struct co *co, struct file *f, struct share *s, uint64_t now, struct co_out *out)
{
    if (s->party.flavour == CO_WINDOWS)
        return share_void(co, f, s, now, out);
    share_free(co, f, s, now);
    queue_wake(co, f, WHY_SHARE, NULL, now);
    return true;
}

static bool revoke_share_id(struct co *co, struct file *f, uint64_t id, uint64_t now, struct co_out *out)
{
    struct share *s;
    list_each(s, &f->shares, link)
        if (!s->voided && hold_of_share(f, s).id == id)
            return revoke_share(co, f, s, now, out);
    return false;
}

struct range_id {
    const struct file *f;
    uint64_t id;
};

static bool range_is(void *arg, const struct range *r)
{
    const struct range_id *want = arg;
    return hold_of_range(want->f, r).id == want->id;
}

static bool revoke_range(struct co *co, struct file *f, uint64_t id, uint64_t now, struct co_out *out)
{
    struct range_id want = {f, id};
    struct range *r = ranges_find(&f->ranges, 0, UINT64_MAX, RANGE_ANY, range_is, &want);
    if (!r)
        return false;
    struct co_party owner = r->owner->party;
    struct share *s = owner.flavour == CO_WINDOWS ? share_find(f, &owner) : NULL;
    if (s)
        return share_void(co, f, s, now, out);
    if (ranges_unlock(shard_of(co, f), f, &owner, r->first, r->last, r->zero) != ST_OK)
        return false;
    queue_wake(co, f, WHY_RANGE, NULL, now);
    return true;
}

bool co_revoke(struct co *co, const struct co_hold *h, uint64_t now, struct co_out *out)
{
    static bool (*const by_kind[])(struct co *, struct file *, uint64_t, uint64_t, struct co_out *) = {
        [CO_KIND_RANGE] = revoke_range, [CO_KIND_SHARE] = revoke_share_id, [CO_KIND_LEASE] = revoke_lease};
    if ((unsigned)h->kind >= ARRAY_LEN(by_kind) || !by_kind[h->kind])
        return false;
    struct shard *sh;
    struct file *f = file_lock(co, &h->key, &sh);
    bool done = f && by_kind[h->kind](co, f, h->id, now, out);
    if (f)
        file_put(co, f, now);
    pthread_mutex_unlock(&sh->mu);
    return done;
}
