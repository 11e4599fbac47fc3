/* force.c - the gate for what comes after the gate: taking the hold on an object just made, unlinking at the last
 * close. Breaks caches, never waits and is never denied, so the operation that has begun can always be ended. */
#include "base/clock.h"
#include "open_impl.h"

static void wake_nobody(struct co_ticket *t)
{
    (void)t;
}

enum st fs_force(struct fs *fs, const struct co_party *party, struct co_ask *asks, size_t n, struct co_ticket *t)
{
    struct co_out out = fs_out();
    memset(t, 0, sizeof *t);
    t->wake = wake_nobody;
    for (size_t i = 0; i < n; i++)
        asks[i].flags |= CO_FORCE;
    enum st st = co_enter(fs->co, t, party, asks, n, clock_now(), &out);
    fs_deliver(fs, &out);
    if (st == ST_OK && fs->cfg.again_percent) { /* gate.c's proof: somebody was let through */
        atomic_fetch_add(&fs->acting, 1);
        atomic_fetch_add(&fs->gates, 1);
    }
    return st;
}

void fs_force_end(struct fs *fs, struct co_ticket *t)
{
    struct co_out out = fs_out();
    co_leave(fs->co, t, clock_now(), &out);
    if (fs->cfg.again_percent)
        atomic_fetch_sub(&fs->acting, 1);
    fs_deliver(fs, &out);
}
