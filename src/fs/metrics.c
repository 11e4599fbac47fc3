/* metrics.c - counting: conflicts by protocol, kind and outcome, and how long people waited. Knows the engine's events,
 * decides nothing. */
#include "base/clock.h"
#include "internal.h"

#define MS NSEC_PER_MSEC
const uint64_t fs_histogram_bounds[FS_BUCKETS] = {
    100000,   250000,   500000,   1 * MS,    2 * MS,    5 * MS,     10 * MS,    25 * MS,
    50 * MS,  100 * MS, 250 * MS, 1000 * MS, 5000 * MS, 15000 * MS, 35000 * MS, UINT64_MAX,
};

static const char *const label_names[CO_LABEL_MAX] = {"none", "nfs3", "nlm", "nfs4", "smb", "local"};
static const char *const kind_names[FS_CONFLICT_KINDS] = {"lease", "range", "share", "other"};
static const char *const outcome_names[FS_OUTCOMES] = {"granted", "revoked", "denied", "other"};

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

void fs_count_conflict(struct fs *fs, const struct co_event *ev)
{
    unsigned from = (unsigned)ev->by.label < CO_LABEL_MAX ? ev->by.label : CO_LABEL_NONE;
    unsigned to = (unsigned)ev->party.label < CO_LABEL_MAX ? ev->party.label : CO_LABEL_NONE;
    unsigned kind = index_of(kind_names, FS_CONFLICT_KINDS, ev->what);
    unsigned outcome = index_of(outcome_names, FS_OUTCOMES, ev->outcome);
    atomic_fetch_add_explicit(&fs->metrics.conflicts[from][to][kind][outcome], 1, memory_order_relaxed);
    if (kind == FS_CONFLICT_LEASE && outcome != FS_DENIED)
        observe(&fs->metrics.break_to_grant, ev->waited);
    if (kind == FS_CONFLICT_RANGE && outcome == FS_GRANTED)
        observe(&fs->metrics.lock_handover, ev->waited);
}

/* A lease is known by its file, client and key; an oplock by its open. */
static uint64_t break_hash(const struct co_key *key, const struct co_party *p, uint32_t *ret_slot)
{
    struct {
        struct co_key key;
        uint64_t client;
        uint8_t lease[16];
    } who = {.key = *key, .client = p->client};
    memcpy(who.lease, p->lease, sizeof who.lease);
    uint64_t h = hash_bytes(&who, sizeof who) | 1;
    *ret_slot = (uint32_t)(h >> 32) % FS_BREAK_TIMES;
    return h;
}

void fs_count_break(struct fs *fs, const struct co_event *ev)
{
    uint32_t slot;
    uint64_t h = break_hash(&ev->key, &ev->party, &slot);
    atomic_store_explicit(&fs->breaks[slot].at, clock_now(), memory_order_relaxed);
    atomic_store_explicit(&fs->breaks[slot].who, h, memory_order_release);
}

void fs_break_acked(struct fs *fs, const struct co_key *key, const struct co_party *party)
{
    uint32_t slot;
    uint64_t h = break_hash(key, party, &slot);
    if (atomic_load_explicit(&fs->breaks[slot].who, memory_order_acquire) != h)
        return;
    uint64_t at = atomic_load_explicit(&fs->breaks[slot].at, memory_order_relaxed);
    if (atomic_compare_exchange_strong(&fs->breaks[slot].who, &h, 0))
        observe(&fs->metrics.break_to_ack, clock_now() - at);
}
