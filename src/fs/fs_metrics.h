/* fs_metrics.h - what the file service counts, for the server's metrics endpoint. Read at any time without locks. */
#pragma once
#include "coherence/coherence.h"
#include <stdatomic.h>

struct fs;

enum fs_conflict_kind {
    FS_CONFLICT_LEASE,
    FS_CONFLICT_RANGE,
    FS_CONFLICT_SHARE,
    FS_CONFLICT_DELETE,
    FS_CONFLICT_WAITER,
    FS_CONFLICT_OTHER,
    FS_CONFLICT_KINDS
};
enum fs_conflict_outcome { FS_GRANTED, FS_REVOKED, FS_DENIED, FS_DEFERRED, FS_CANCELLED, FS_OUTCOME_OTHER, FS_OUTCOMES };

/* Times. Bucket i counts those of at most fs_histogram_bounds[i] ns, the last one everything. Not cumulative. */
#define FS_BUCKETS 16
extern const uint64_t fs_histogram_bounds[FS_BUCKETS]; /* the last: UINT64_MAX */
struct fs_histogram {
    _Atomic uint64_t bucket[FS_BUCKETS];
    _Atomic uint64_t count, sum; /* sum in ns */
};

struct fs_metrics {
    /* By protocol of the operation and of the holder that it met. */
    _Atomic uint64_t conflicts[CO_LABEL_MAX][CO_LABEL_MAX][FS_CONFLICT_KINDS][FS_OUTCOMES];
    struct fs_histogram break_to_ack;   /* a break was sent, the holder answered */
    struct fs_histogram break_to_grant; /* an operation waited for a lease, it went on */
    struct fs_histogram lock_handover;  /* a lock that was waited for became free, it was granted */
    _Atomic uint64_t parked;            /* answers ST_AGAIN of the gate */
    _Atomic uint64_t injected;          /* test builds: ST_AGAIN made up, and store changes seen before a gate */
    _Atomic uint64_t gate_violations;
};
const struct fs_metrics *fs_metrics(const struct fs *fs);
/* "/share/dir/file" for what a hold is on; false when no share knows it (a stream, or an object that is gone). */
bool fs_key_path(struct fs *fs, const struct co_key *key, char *out, size_t cap);
/* Takes a hold away by force (administrator), says so in the log, and lets those go on who waited. False: it was
 * gone. */
bool fs_revoke(struct fs *fs, const struct co_hold *h);
const char *fs_label_name(enum co_label label); /* "nfs3", "smb", ... */
const char *fs_op_name(enum co_op op);          /* "write", "lock", ... */
const char *fs_conflict_kind_name(enum fs_conflict_kind kind);
const char *fs_conflict_outcome_name(enum fs_conflict_outcome outcome);
