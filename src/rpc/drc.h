/* drc.h - the duplicate request cache: a procedure that is not idempotent is run once, however often its call comes.
 *
 * A retransmission is known by xid, client address (without the port, so that it survives a reconnect), procedure
 * and a checksum of the first argument bytes. While the first call runs, duplicates are absorbed; one that comes
 * over another connection waits for the reply, because the first one's connection may be gone. Afterwards the reply
 * is replayed for a while. Bounded by entries and bytes, oldest first. Thread-safe. Knows nothing of messages'
 * meaning. */
#pragma once
#include "base/blk.h"

struct drc;
struct drc_entry;

#define DRC_CHECKSUMMED 256 /* bytes of arguments that count */
#define DRC_AGE (120 * NSEC_PER_SEC)

struct drc_key {
    uint8_t addr[16];
    uint32_t xid, prog, vers, proc;
    uint64_t sum;    /* drc_sum() */
    uint64_t origin; /* the connection; not compared, see below */
};
/* Who wants the reply of a running call. ready() is called once, on any thread, without locks: with a copy of the
 * reply, or NULL when there is none or a later duplicate took the place. */
struct drc_waiter {
    void (*ready)(struct drc_waiter *w, struct blk *reply);
};
enum drc_verdict {
    DRC_NEW,      /* run it; *ret (may be NULL: no room) goes to drc_end() */
    DRC_ABSORBED, /* runs already for the same origin: drop this one */
    DRC_WAITING,  /* runs already for another origin: w->ready() will come */
    DRC_REPLAY,   /* done: *ret_reply is a copy of the reply */
};

int drc_create(uint32_t max_entries, size_t max_bytes, struct drc **ret); /* 0 or -ENOMEM */
void drc_free(struct drc *d);                                           /* nothing runs */
uint64_t drc_sum(const uint8_t *args, size_t n);
enum drc_verdict drc_begin(struct drc *d, const struct drc_key *k, uint64_t now, struct drc_waiter *w,
                           struct drc_entry **ret, struct blk **ret_reply);
/* The call ended with this reply (n = 0: none). keep: replay it from now on; else the next duplicate runs again. */
void drc_end(struct drc *d, struct drc_entry *e, uint64_t now, const uint8_t *reply, size_t n, bool keep);
struct drc_usage {
    uint32_t entries, running;
    size_t bytes;
};
void drc_usage(struct drc *d, struct drc_usage *ret);
