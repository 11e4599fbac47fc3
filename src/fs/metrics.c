/* metrics.c - counting: conflicts by protocol, kind and outcome, and how long people waited. Knows the engine's events,
 * decides nothing. */
#include "internal.h"

#define MS NSEC_PER_MSEC
const uint64_t fs_histogram_bounds[FS_BUCKETS] = {
    100000,   250000,   500000,   1 * MS,    2 * MS,    5 * MS,     10 * MS,    25 * MS,
    50 * MS,  100 * MS, 250 * MS, 1000 * MS, 5000 * MS, 15000 * MS, 35000 * MS, UINT64_MAX,
};

static const char *const label_names[CO_LABEL_MAX] = {"none", "nfs3", "nlm", "nfs4", "smb", "local"};
static const char *const kind_names[FS_CONFLICT_KINDS] = {"lease", "range", "share", "delete", "waiter", "other"};
static const char *const outcome_names[FS_OUTCOMES] = {"granted",  "revoked",   "denied",
                                                       "deferred", "cancelled", "other"};
static const char *const op_names[CO_OP_MAX] = {
    [CO_READ] = "read",
    [CO_WRITE] = "write",
    [CO_RESIZE] = "resize",
    [CO_FLUSH] = "flush",
    [CO_GETATTR] = "getattr",
    [CO_SETATTR] = "setattr",
    [CO_OPEN] = "open",
    [CO_LOCK] = "lock",
    [CO_TEST] = "test",
    [CO_REMOVE] = "remove",
    [CO_RENAME] = "rename",
    [CO_LINK] = "link",
    [CO_DISPOSITION] = "disposition",
    [CO_CHILD] = "child",
    [CO_CHILD_ATTR] = "child-attr",
};

const char *fs_label_name(enum co_label label)
{
    return (unsigned)label < CO_LABEL_MAX ? label_names[label] : "none";
}

const char *fs_conflict_kind_name(enum fs_conflict_kind kind)
{
    return kind_names[(unsigned)kind < FS_CONFLICT_KINDS ? kind : FS_CONFLICT_OTHER];
}

const char *fs_conflict_outcome_name(enum fs_conflict_outcome outcome)
{
    return outcome_names[(unsigned)outcome < FS_OUTCOMES ? outcome : FS_OUTCOME_OTHER];
}

const char *fs_op_name(enum co_op op)
{
    return (unsigned)op < CO_OP_MAX && op_names[op] ? op_names[op] : "other";
}

const struct fs_metrics *fs_metrics(const struct fs *fs)
{
    return &fs->metrics;
}

/* The last name of a table stands for all others. */
static unsigned index_of(const char *const *names, unsigned n, const char *text)
{
    unsigned i = 0;
    while (i < n - 1 && (!text || strcmp(names[i], text) != 0))
        i++;
    return i;
}

static void observe(struct fs_histogram *h, uint64_t ns)
{
    unsigned i = 0;
    while (ns > fs_histogram_bounds[i])
        i++;
    atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum, ns, memory_order_relaxed);
}

static void count_conflict(struct fs *fs, const struct co_event *ev)
{
    struct fs_metrics *m = &fs->metrics;
    unsigned from = (unsigned)ev->by.label < CO_LABEL_MAX ? ev->by.label : CO_LABEL_NONE;
    unsigned to = (unsigned)ev->party.label < CO_LABEL_MAX ? ev->party.label : CO_LABEL_NONE;
    unsigned kind = index_of(kind_names, FS_CONFLICT_KINDS, ev->what);
    unsigned outcome = index_of(outcome_names, FS_OUTCOMES, ev->outcome);
    atomic_fetch_add_explicit(&m->conflicts[from][to][kind][outcome], 1, memory_order_relaxed);
    if (kind == FS_CONFLICT_LEASE && ev->waited && (outcome == FS_GRANTED || outcome == FS_REVOKED))
        observe(&m->break_to_grant, ev->waited);
    if (ev->handover)
        observe(&m->lock_handover, ev->handover);
}

void fs_count(struct fs *fs, const struct co_event *ev)
{
    if (ev->kind == CO_EV_ACK)
        observe(&fs->metrics.break_to_ack, ev->waited);
    else
        count_conflict(fs, ev);
}
