/* notify.h - watches of directories, for tell.c; and what opens do to them. */
#pragma once
#include "base/bytes.h"
#include "internal.h"

/* Everything about watches is under this one lock: with nobody watching, nobody takes it. */
extern pthread_mutex_t watch_mu;
struct fs_watchers {
    struct list watches; /* of one directory */
};
struct fs_watch {
    struct list link;    /* in its directory's fs_watchers */
    struct fs_open *open; /* borrowed: the watch goes before the open does */
    uint32_t filter;
    bool tree, overflow;
    size_t limit;        /* bytes that are kept: what its first request took, as on Windows */
    struct list waiters; /* fs_req.notify_link, in order */
    uint8_t *buf;        /* records: u32 action, u32 n, name, up to a multiple of 4 */
    size_t used, cap, cost, last; /* cost: as the client's protocol counts; last: place of the last record */
};
/* Under watch_mu: one change for one watch. Wakes unless more of the same is about to follow. */
void watch_add(struct fs_watch *w, uint32_t action, const char *name, size_t n, bool wake);
