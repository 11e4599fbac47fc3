/* engine.h - the engine's own nouns: file, operation, share, range, lease, timer; private to src/coherence.
 *
 * Lock context: every function below that takes a file, an op, a share or a lease wants the mutex of that file's
 * shard held. An op may stand on several files; what other shards read of it (`blocked`, `revoked`, `voided`) is
 * atomic, the rest is touched with all its shards held. Only queue.c calls ticket->wake, only out.c writes events,
 * only rules.c decides what conflicts. */
#pragma once
#include "base/budget.h"
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
#define WHY_BITS 6

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
    struct range *root;
    struct rowner *drop; /* ranges_drop_client(): the next one */
};

/* What tells ranges apart for those who look for some only: by flavour, shared or exclusive. */
enum { RANGE_POSIX_SHARED = 1, RANGE_POSIX_EXCL = 2, RANGE_WIN_SHARED = 4, RANGE_WIN_EXCL = 8 };
#define RANGE_KINDS 4
#define RANGE_EXCL ((unsigned)(RANGE_POSIX_EXCL | RANGE_WIN_EXCL))
#define RANGE_WIN ((unsigned)(RANGE_WIN_SHARED | RANGE_WIN_EXCL))
#define RANGE_ANY 15u

/* A range is in two trees: of its file and of its owner. */
enum range_tree { OF_FILE, OF_OWNER };
struct range {
    struct {
        struct range *left, *right;
    } in[2];
    uint64_t first, last;   /* inclusive; a zero-length range has first = last and covers nothing */
    uint64_t max[RANGE_KINDS]; /* the greatest `last` of each kind in this subtree of the file's */
    uint64_t seq, since;
    struct rowner *owner;
    uint32_t prio;
    uint8_t kind, below;    /* its own, an index; which there are in this subtree, bits */
    bool exclusive, zero;
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
    uint64_t since, seq;
    uint8_t access, deny;
    bool attr_only, disconnected, persistent;
    bool voided;            /* no longer binds anybody; waits for the caller's co_close() */
};

/* A caching right, separate from its opens. `granted` is what the holder may do at this moment. While `breaking` it
 * has been asked to go down to `to`; `floor` (within `to`) is what those who wait need, reached by further breaks. What
 * `untold` notifications, or a stored one, have not said yet the holder still believes to have: `believed`. */
struct lease {
    struct list link;       /* file->leases */
    struct file *file;
    struct list shares;     /* opens that stand under it */
    struct co_party party;
    enum co_lease_kind kind;
    uint8_t granted, to, floor, believed;
    uint32_t untold;
    bool breaking;
    bool stored;            /* the break under way is told when the holder is back: it is persistent, and away */
    bool cascade;           /* in a second or later step of one break: whoever needs the floor waits for it */
    uint16_t epoch;
    uint64_t since, break_at, seq;
    struct timer timer;
};

struct pending {            /* a link that is to be deleted with its last open */
    struct list link;
    struct co_party by;     /* who has said so */
    uint64_t name, since;
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
    uint32_t waits[WHY_BITS];      /* parts in the queue with this reason: most changes concern none of them */
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
    uint64_t behind;        /* id of the hold it waits for */
};

/* An operation that waits or is under way. */
struct op {
    struct hash_link wanting; /* co->wanting while it waits for ranges */
    bool is_wanting;
    struct shard *home;            /* of part[0]: its timer, its memory */
    struct co_ticket *ticket;
    struct co_party party;
    bool entered;
    enum co_tell tell;             /* the ticket's, as it asked last */
    _Atomic uint64_t blocked;      /* bit per part that cannot go yet; 0 in the queue = has been woken */
    _Atomic bool revoked;          /* a lease that it waited for was revoked at the deadline */
    _Atomic bool voided;           /* its client is gone */
    uint64_t lease_since, range_since; /* when these waits began, 0 = never */
    struct met *met;               /* whom it met (met.c) */
    uint64_t woken;                /* when it was last found that it can go, 0 = not since it last waited */
    uint64_t handover;             /* a lock that waited: how long it was free for it (coherence.h) */
    bool deferred;                 /* whoever asked was told to come back */
    uint64_t visited;              /* deadlock.c */
    uint64_t seq;                  /* of its home */
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
    struct co *co;
    struct timers timers;
    struct pool files, ops, shares, leases, ranges, rowners_pool, pendings, reservations, mets;
    struct hash rowners;
    uint64_t rand, seq;            /* seq: numbers holds and operations */
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
    struct budget locks, waits; /* of the accounts */
    struct shard shards[CO_SHARDS];
};

#include "coherence/rules.h"
#include "coherence/calls.h"
