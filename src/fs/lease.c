/* lease.c - what a holder of caching rights does with them through its opens. The rules are the engine's. */
#include "base/clock.h"
#include "internal.h"

enum st fs_lease_ack(struct fs *fs, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
                     uint8_t keep)
{
    struct co_out out = fs_out();
    enum st st = co_ack(fs->co, key, party, kind, keep, clock_now(), &out);
    fs_deliver(fs, &out);
    return st;
}

bool fs_open_disconnected(struct fs_open *o, bool gone, bool persistent)
{
    struct co_key key = fs_open_key(o), base = fs_node_key(o->node);
    struct co_out out = fs_out();
    bool alive = co_disconnected(o->fs->co, &key, &o->party, gone, persistent, clock_now(), &out);
    if (o->stream)
        alive &= co_disconnected(o->fs->co, &base, &o->party, gone, persistent, clock_now(), &out);
    fs_deliver(o->fs, &out);
    return alive;
}

struct search {
    const struct co_party *party;
    enum co_kind kind;
    bool found;
};

static bool is_found(void *arg, const struct co_hold *h)
{
    struct search *s = arg;
    s->found |= h->kind == s->kind && h->party.client == s->party->client && h->party.open == s->party->open;
    return !s->found;
}

bool fs_open_holds(struct fs_open *o, enum co_kind kind)
{
    struct search s = {.party = &o->party, .kind = kind};
    fs_open_each_hold(o, is_found, &s);
    return s.found;
}

void fs_open_each_hold(struct fs_open *o, bool (*fn)(void *arg, const struct co_hold *h), void *arg)
{
    struct co_key key = fs_open_key(o);
    co_each(o->fs->co, &key, fn, arg);
}

void fs_open_regrant(struct fs_open *o, enum co_lease_kind kind, uint8_t want, uint16_t epoch)
{
    struct co_key key = fs_open_key(o);
    bool breaking;
    co_lease(o->fs->co, &key, &o->party, kind, want, CO_RECLAIM, epoch, clock_now(), &epoch, &breaking);
}

uint8_t fs_open_caching(struct fs_open *o, enum co_lease_kind kind, uint16_t *ret_epoch, bool *ret_breaking)
{
    struct co_key key = fs_open_key(o);
    return co_lease(o->fs->co, &key, &o->party, kind, 0, 0, 0, clock_now(), ret_epoch, ret_breaking);
}

uint8_t fs_open_kept(struct fs_open *o, enum co_lease_kind kind, uint16_t *ret_epoch)
{
    struct co_key key = fs_open_key(o);
    return co_lease_kept(o->fs->co, &key, &o->party, kind, ret_epoch);
}
