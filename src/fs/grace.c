/* grace.c - the grace period after a restart, begun and ended by the front end that knows who may reclaim. */
#include "base/clock.h"
#include "internal.h"

void fs_grace_begin(struct fs *fs) { co_grace_begin(fs->co, clock_now()); }

void fs_grace_end(struct fs *fs)
{
    struct co_out out = fs_out();
    co_grace_end(fs->co, clock_now(), &out);
    fs_deliver(fs, &out);
}

bool fs_in_grace(struct fs *fs) { return co_in_grace(fs->co, clock_now()); }
