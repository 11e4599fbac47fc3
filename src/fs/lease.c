/* lease.c - what a holder of caching rights does with them through its opens. The rules are the engine's. */
#include "base/clock.h"
#include "internal.h"

enum st fs_lease_ack(struct fs *fs, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
                     uint8_t keep)
{
    struct co_out out = fs_out();
    enum st st = co_ack(fs->co, key, party, kind, keep, clock_now(), &out);
    fs_deliver(fs, &out);
    if (st == ST_OK)
        fs_break_acked(fs, key, party);
    return st;
}

void fs_open_disconnected(struct fs_open *o, bool gone, bool persistent)
{
    struct co_key key = fs_open_key(o), base = fs_node_key(o->node);
    struct co_out out = fs_out();
    co_disconnected(o->fs->co, &key, &o->party, gone, persistent, clock_now(), &out);
    if (o->stream)
        co_disconnected(o->fs->co, &base, &o->party, gone, persistent, clock_now(), &out);
    fs_deliver(o->fs, &out);
}
