/* revoke.c - taking away what a client holds, because the administrator says so. The engine knows what goes with it;
 * this file tells whom it concerns. */
#include "base/clock.h"
#include "base/log.h"
#include "internal.h"
#include <stdio.h>

static const char *const kind_names[] = {
    [CO_KIND_RANGE] = "range", [CO_KIND_SHARE] = "share", [CO_KIND_LEASE] = "lease"};

static void log_revoked(struct fs *fs, const struct co_hold *h, uint64_t now)
{
    char path[1024];
    if (!fs_key_path(fs, &h->key, path, sizeof path))
        snprintf(path, sizeof path, "#%llu", (unsigned long long)h->key.ino);
    log_info("fs", "event=revoked kind=%s protocol=%s file=%s holder=%s held_ms=%llu", kind_names[h->kind],
             fs_label_name(h->party.label), log_quote(path, strlen(path)),
             log_quote(h->party.who, strnlen(h->party.who, sizeof h->party.who)),
             (unsigned long long)((now - h->since) / NSEC_PER_MSEC));
}

bool fs_revoke(struct fs *fs, const struct co_hold *h)
{
    uint64_t now = clock_now();
    struct co_out out = fs_out();
    bool done = co_revoke(fs->co, h, now, &out);
    fs_deliver(fs, &out);
    if (done)
        log_revoked(fs, h, now);
    return done;
}
