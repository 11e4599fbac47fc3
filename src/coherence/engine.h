/* engine.h - the engine's own nouns: file, operation, share, range, lease, timer; private to src/coherence.
 *
 * Lock context: every function below that takes a file, an op, a share or a lease wants the mutex of that file's
 * shard held. An op may stand on several files; what other shards read of it (`blocked`, `revoked`, `voided`) is
 * atomic, the rest is touched with all its shards held. Only queue.c calls ticket->wake, only out.c writes events,
 * only rules.c decides what conflicts. */
#pragma once
#include "base/hash.h"
#include "coherence/coherence.h"
#include <pthread.h>
#include <stdatomic.h>

#define CO_SHARD_BITS 5
#define CO_SHARDS (1u << CO_SHARD_BITS) /* well under the 64 mutexes that a thread sanitizer can see held at once */
#define CO_SHARDS_ALL ((1ull << CO_SHARDS) - 1)
#define CO_BUCKETS 1024
#define CO_LEASE_ALL (CO_R | CO_W | CO_H)

/* Why a part of an operation waits: which changes are worth another look. */
enum {
    WHY_LEASE = 1 << 0,   /* a break is not acknowledged */
    WHY_SHARE = 1 << 1,   /* a share that may go */
    WHY_RANGE = 1 << 2,   /* a byte range is held */
    WHY_ENTERED = 1 << 3, /* an operation under way would be violated */
    WHY_EARLIER = 1 << 4, /* an earlier ticket comes first */
    WHY_GRACE = 1 << 5,
};

enum timer_kind { TIMER_LEASE, TIMER_OP, TIMER_FILE };
struct timer {
    uint64_t at;
    size_t pos; /* index in the heap + 1; 0 = not set */
    enum timer_kind kind;
};
/* Binary heap. Room is reserved when a timer's owner is made, so that setting one cannot fail. */
struct timers {
    struct timer **heap;
    size_t n, cap, reserved;
};

/* Freed objects of one size, kept for the next: no malloc on the way through the gate. */
struct pool {
    void *free;
    size_t size, kept;
};
void *pool_get(struct pool *p); /* zeroed */
void pool_put(struct pool *p, void *obj);
bool pool_reserve(struct pool *p, size_t n); /* the next n cannot fail */
void pool_done(struct pool *p);

/* The owner of ranges on one file: {client, open}. Exists while it has ranges. */
struct rowner {
    struct hash_link link; /* shard->rowners */
    struct file *file;
    struct co_party party;
    struct list ranges;
};

struct range {
    struct range *left, *right;
    uint64_t first, last;   /* inclusive; a zero-length range has first = last and covers nothing */
    uint64_t max, xmax;     /* the greatest `last` in this subtree; of the exclusive ones (0: none) */
    uint64_t seq, since;
    struct rowner *owner;
    struct list own;        /* owner->ranges */
    uint32_t prio;
    bool exclusive, zero, has_x; /* has_x: an exclusive one in this subtree */
};
struct ranges {
    struct range *root;
    size_t n;
};

struct share {
    struct list link;       /* file->shares */
    struct list of_lease;   /* lease->shares */
    struct lease *lease;    /* that this open stands under, or NULL */
    struct co_party party;
    uint64_t name;          /* the link it was opened by */
    uint64_t since;
    uint8_t access, deny;
    bool attr_only, disconnected, persistent;
    bool voided;            /* no longer binds anybody; waits for the caller's co_close() */
};

/* A caching right, separate from its opens. `granted` is what the holder may do at this moment. While `breaking` it
 * has been asked to go down to `to`; `floor` (within `to`) is what those who wait need, reached by further breaks. */
struct lease {
    struct list link;       /* file->leases */
    struct file *file;
    struct list shares;     /* opens that stand under it */
    struct co_party party;
    enum co_lease_kind kind;
    uint8_t granted, to, floor;
    bool breaking;
    bool cascade;           /* in a second or later step of one break: whoever needs the floor waits for it */
    uint16_t epoch;
    uint64_t since, break_at;
    struct timer timer;
};

struct pending {            /* a link that is to be deleted with its last open */
    struct list link;
    uint64_t name;
};

struct reservation {        /* bits kept from everybody until whoever was told to come back has come */
    struct list link;
    uint64_t client, open, until;
    enum co_op op;
    uint8_t bits;
};

struct file {
    struct file *next;      /* bucket chain */
    struct co_key key;
    uint64_t hash;
    struct list shares, leases, queue, entered, pendings, reservations;
    struct ranges ranges;
    uint64_t hold_w, hold_r;       /* no W (R) is granted before */
    uint8_t backoff;
    struct timer timer;            /* when hold-offs and reservations end */
};

/* One ask of an operation on one file. */
struct part {
    struct list link;       /* file->queue or file->entered */
    struct op *op;
    struct file *file;
    struct co_ask ask;
    struct op *why_op;      /* WHY_EARLIER: the ticket before */
    uint8_t why;
};

/* An operation that waits or is under way. */
struct op {
    struct hash_link wanting; /* co->wanting while it waits for ranges */
    bool is_wanting;
    struct shard *home;            /* of part[0]: its timer, its memory */
    struct co_ticket *ticket;
    struct co_party party;
    bool entered;
    _Atomic uint64_t blocked;      /* bit per part that cannot go yet; 0 in the queue = has been woken */
    _Atomic bool revoked;          /* a lease that it waited for was revoked at the deadline */
    _Atomic bool voided;           /* its client is gone */
    uint64_t lease_since, range_since; /* when these waits began, 0 = never */
    struct co_hold met;            /* what it met first */
    uint64_t visited;              /* deadlock.c */
    struct op *next;
    struct timer timer;
    unsigned n, cap;
    struct part part[];
};

struct bucket {
    _Atomic(struct file *) head;
    _Atomic uint64_t under_way; /* operations that entered while the chain was empty: reads + (others << 32) */
};

struct shard {
    pthread_mutex_t mu;
    struct timers timers;
    struct pool files, ops, shares, leases, ranges, rowners_pool, pendings, reservations;
    struct hash rowners;
    uint64_t rand, seq;
    struct co_stats stats;
    struct bucket buckets[CO_BUCKETS];
} __attribute__((aligned(64)));

#define CO_NSEC_SLACK NSEC_PER_SEC /* a ticket outlives the breaks that it waits for by this much */
#define CO_PENALTIES 128
struct co {
    struct co_policy policy; /* written with all shards held */
    uint64_t seed;
    _Atomic uint64_t next_deadline, grace_until;
    void (*on_deadline)(void *arg);
    void *on_deadline_arg;
    pthread_mutex_t mu; /* innermost: the fields below */
    struct hash wanting;
    struct {
        uint64_t client, until;
    } penalty[CO_PENALTIES];
    unsigned penalties;
    uint64_t visit;
    struct shard shards[CO_SHARDS];
};

/* ---- rules.c: what conflicts with what -------------------------------------------------------------------- */
enum rule_range { RULE_NO_RANGE, RULE_READS, RULE_WRITES, RULE_LOCKS };
struct rule {
    const char *name;
    uint8_t lease, exclusive, batch; /* bits that it takes from a lease, a level II or exclusive oplock, a batch oplock */
    uint8_t wait;                    /* it waits when a holder must acknowledge the loss of one of these */
    uint8_t access;                  /* what it amounts to for other opens' share modes */
    enum rule_range range;
    bool deny_at_once;               /* a byte range refuses it without waiting */
    bool pending_denies;             /* a delete-pending link refuses it */
    bool child;                      /* a change of a directory's entry: parent_lease is exempt */
    uint64_t min_age;                /* it leaves rights alone that were granted less than so long ago (ns) */
    bool whole;                      /* once a break goes on in steps it waits for the last of them */
};
enum rule_id {
    RULE_READ, RULE_WRITE, RULE_RESIZE, RULE_FLUSH, RULE_FLUSH_NOBODY, RULE_GETATTR, RULE_GETATTR_LAZY, RULE_SETATTR,
    RULE_OPEN_ATTR, RULE_OPEN, RULE_OPEN_OVERWRITE, RULE_SHARE_VIOLATION, RULE_LOCK_SHARED, RULE_LOCK_EXCLUSIVE,
    RULE_TEST, RULE_REMOVE_HANDLE, RULE_REMOVE_ALL, RULE_RENAME_HANDLE, RULE_RENAME_ALL, RULE_LINK, RULE_DISPOSITION,
    RULE_CHILD, RULE_CHILD_ATTR, RULE_MAX
};
extern const struct rule co_rules[RULE_MAX];
enum rule_id rule_id_of(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask);
static inline const struct rule *rule_of(const struct co_policy *pol, const struct co_party *party,
                                         const struct co_ask *ask)
{
    return &co_rules[rule_id_of(pol, party, ask)];
}
/* What a holder of `granted` may keep beside the operation. */
uint8_t rule_keep(const struct rule *r, enum co_lease_kind kind, uint8_t granted);
/* Whether the operation waits for a holder that must still acknowledge the loss of `lost`. */
bool rule_waits(const struct co_policy *pol, const struct co_ask *ask, const struct rule *r, uint8_t lost);
bool rule_needs_ack(enum co_lease_kind kind, uint8_t granted);
uint8_t rule_valid(enum co_lease_kind kind, uint8_t bits); /* the greatest valid combination within bits */
bool rule_touch(uint64_t af, uint64_t al, bool az, uint64_t bf, uint64_t bl, bool bz);
/* Does a range that is held bind this I/O (write or read of [first, last])? */
bool rule_range_io(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask, bool write,
                   const struct range *r);
/* Does a held range, or a lock that is asked for, exclude this lock? */
bool rule_lock(const struct co_party *party, const struct co_ask *ask, const struct co_party *other, uint64_t first,
               uint64_t last, bool zero, bool exclusive);
/* Do these share modes exclude one another? */
static inline bool rule_share(uint8_t access, uint8_t deny, const struct share *s)
{
    return (access & s->deny) || (deny & s->access);
}
/* Is the ask bound by the share modes of others at all? */
bool rule_share_binds(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask);
static inline bool party_same(const struct co_party *a, const struct co_party *b)
{
    return a->client && a->client == b->client && a->open == b->open;
}
static inline uint64_t party_hash(const struct co_party *p)
{
    uint64_t h = (p->client * 0x9e3779b97f4a7c15ull) ^ ((p->open + 0x7f4a7c15ull) * 0xbf58476d1ce4e5b9ull);
    return h ^ (h >> 29);
}
bool lease_own(const struct lease *l, const struct co_party *p);

/* ---- file.c: the table ------------------------------------------------------------------------------------ */
uint64_t file_hash(const struct co *co, const struct co_key *key);
static inline struct shard *file_shard(struct co *co, uint64_t hash) { return &co->shards[hash >> (64 - CO_SHARD_BITS)]; }
static inline struct bucket *file_bucket(struct shard *sh, uint64_t hash)
{
    return &sh->buckets[(hash >> 32) % CO_BUCKETS];
}
static inline bool key_same(const struct co_key *a, const struct co_key *b)
{
    return a->ino == b->ino && a->store == b->store && a->gen == b->gen;
}
struct file *file_find(struct shard *sh, const struct co_key *key, uint64_t hash);
struct file *file_get(struct co *co, struct shard *sh, const struct co_key *key, uint64_t hash); /* NULL: no memory */
void file_put(struct co *co, struct file *f, uint64_t now); /* frees it when nothing is left of it */
void shards_lock(struct co *co, uint64_t mask);
void shards_unlock(struct co *co, uint64_t mask);
static inline uint64_t shard_bit(uint64_t hash) { return 1ull << (hash >> (64 - CO_SHARD_BITS)); }
static inline struct shard *shard_of(struct co *co, const struct file *f) { return file_shard(co, f->hash); }
/* Lock the shard of `key` and find its file; NULL (and still locked) when there is none. */
struct file *file_lock(struct co *co, const struct co_key *key, struct shard **ret_sh);

/* ---- tick.c ------------------------------------------------------------------------------------------------ */
bool timers_reserve(struct timers *ts);
void timers_release(struct timers *ts, struct timer *t);
void timer_set(struct co *co, struct timers *ts, struct timer *t, uint64_t at);
void timer_clear(struct timers *ts, struct timer *t);
void deadline_moved(struct co *co, uint64_t at);

/* ---- ranges.c ---------------------------------------------------------------------------------------------- */
typedef bool (*range_match)(void *arg, const struct range *r);
struct range *ranges_find(const struct ranges *t, uint64_t first, uint64_t last, bool exclusive_only, range_match fn,
                          void *arg);
bool ranges_reserve(struct shard *sh, size_t n); /* so many nodes and one owner can be had without failing */
/* The caller has checked for conflicts and reserved 3 nodes and an owner. */
void ranges_lock(struct shard *sh, struct file *f, const struct co_party *p, const struct co_ask *ask, uint64_t now);
enum st ranges_unlock(struct shard *sh, struct file *f, const struct co_party *p, uint64_t first, uint64_t last,
                      bool zero);
bool ranges_drop_owner(struct shard *sh, struct file *f, const struct co_party *p); /* true: there were some */
bool ranges_drop_client(struct shard *sh, struct file *f, uint64_t client);
void ranges_drop_all(struct shard *sh, struct file *f);

/* ---- shares.c ---------------------------------------------------------------------------------------------- */
struct share *share_find(const struct file *f, const struct co_party *p);
/* The caller has reserved one. An open that has a share already gets the new modes instead. */
void share_add(struct co *co, struct file *f, const struct co_party *p, const struct co_ask *ask, uint64_t now);
void share_free(struct co *co, struct file *f, struct share *s, uint64_t now);
/* The open no longer binds anybody; the caller is told to close it. False: could not be told, nothing was done. */
bool share_void(struct co *co, struct file *f, struct share *s, uint64_t now, struct co_out *out);
bool file_is_pending(const struct file *f, uint64_t name);
struct pending *pending_find(const struct file *f, uint64_t name);
void pending_clear(struct shard *sh, struct pending *d);
unsigned opens_of(const struct file *f, uint64_t name);

/* ---- leases.c, grant.c ------------------------------------------------------------------------------------- */
/* Begins, or extends, the break that leaves at most `keep`. False: the lease is gone (its opens were voided). */
bool lease_break(struct co *co, struct lease *l, uint8_t keep, const struct co_party *by, uint64_t now,
                 struct co_out *out);
void lease_revoke(struct co *co, struct lease *l, uint64_t now, struct co_out *out);
void lease_left(struct co *co, struct lease *l, uint64_t now); /* an open has left it: freed with the last */
void lease_timeout(struct co *co, struct lease *l, uint64_t now, struct co_out *out);
/* Settles a break that nobody is left to acknowledge: all opens of the lease are disconnected. */
void lease_orphaned(struct co *co, struct lease *l, uint64_t now, struct co_out *out);
bool lease_disconnected(const struct lease *l, bool *ret_persistent);
void penalty_add(struct co *co, uint64_t client, uint64_t now);
bool penalty_has(struct co *co, uint64_t client, uint64_t now);

/* ---- eval.c: one part against everything held -------------------------------------------------------------- */
struct eval {
    struct co *co;
    struct op *op;
    uint64_t now;
    struct co_out *out; /* NULL: only looking; nothing is begun */
    bool expired;       /* its deadline has passed: revoke, deny, do not wait */
    bool begun;         /* only looking: a break would have to be begun, so it is worth asking again */
    struct co_hold blocker;
    uint8_t why;
    struct op *why_op;
};
enum st eval_modes(struct eval *e, struct part *p);  /* grace, delete-pending, share modes */
enum st eval_leases(struct eval *e, struct part *p);
enum st eval_ranges(struct eval *e, struct part *p); /* byte ranges, queue, operations under way */
/* The first held range that excludes the lock, for which fn says true (fn = NULL: any). */
struct range *eval_lock_conflict(const struct file *f, const struct co_party *party, const struct co_ask *ask,
                                 range_match fn, void *arg);

/* ---- queue.c ------------------------------------------------------------------------------------------------ */
struct op *op_new(struct co *co, struct co_ticket *t, const struct co_party *party, const struct co_ask *asks, size_t n,
                  uint64_t now);
void op_free(struct co *co, struct op *op, uint64_t now);
void op_enqueue(struct co *co, struct op *op);
void op_dequeue(struct co *co, struct op *op, uint64_t now); /* and lets pass who waited for it */
uint64_t op_shards(const struct op *op);
/* Looks again at those who wait for one of `what`, or for `gone`, in order, and wakes who can go. */
void queue_wake(struct co *co, struct file *f, uint8_t what, const struct op *gone, uint64_t now);
void op_wake(struct op *op);

/* ---- deadlock.c, grace.c ------------------------------------------------------------------------------------ */
bool deadlock_closes(struct co *co, struct op *op); /* all shards held */
static inline bool in_grace(struct co *co, uint64_t now)
{
    return now < atomic_load_explicit(&co->grace_until, memory_order_relaxed);
}

/* ---- out.c --------------------------------------------------------------------------------------------------- */
bool out_push(struct co_out *out, const struct co_event *ev);
void out_conflict(struct co_out *out, const struct co_key *key, const struct co_hold *h, const struct co_party *by,
                  const char *outcome, uint64_t waited);
struct co_hold hold_of_range(const struct file *f, const struct range *r);
struct co_hold hold_of_share(const struct file *f, const struct share *s);
struct co_hold hold_of_lease(const struct lease *l);
struct co_hold hold_of_part(const struct part *p);
