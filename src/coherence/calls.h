/* calls.h - what the engine's files call of each other, one paragraph per file. Private; locks as in engine.h. */
#pragma once
#include "coherence/engine.h"

/* ---- file.c: the table ------------------------------------------------------------------------------------- */
uint64_t file_hash(const struct co *co, const struct co_key *key);
static inline struct shard *file_shard(struct co *co, uint64_t hash)
{
    return &co->shards[hash >> (64 - CO_SHARD_BITS)];
}
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
/* The first one of these kinds (RANGE_*) that reaches into [first, last] and for which fn says true. */
struct range *ranges_find(const struct ranges *t, uint64_t first, uint64_t last, unsigned kinds, range_match fn,
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
struct pending *pending_of(const struct file *f, uint64_t name); /* that concerns the name; 0: any */
struct pending *pending_find(const struct file *f, uint64_t name); /* exactly that one */
void pending_clear(struct shard *sh, struct pending *d);
unsigned opens_of(const struct file *f, uint64_t name);

/* ---- leases.c, grant.c ------------------------------------------------------------------------------------- */
/* Begins, or extends, the break that leaves at most `keep`. False: the lease is gone (its opens were voided). */
bool lease_break(struct co *co, struct lease *l, uint8_t keep, const struct co_party *by, uint64_t now,
                 struct co_out *out);
/* What its holder still believes to have, because nobody has told it yet. */
static inline uint8_t lease_unsaid(const struct lease *l) { return l->untold || l->stored ? l->believed : 0; }
/* Appends the break `ev`, which says from, to, epoch and ack, of this lease. */
bool lease_tell(struct lease *l, struct co_event *ev, struct co_out *out);
void lease_revoke(struct co *co, struct lease *l, uint64_t now, struct co_out *out);
void lease_left(struct co *co, struct lease *l, uint64_t now); /* an open has left it: freed with the last */
void lease_timeout(struct co *co, struct lease *l, uint64_t now, struct co_out *out);
/* One of its opens is back: it hears of the break under way, whether it has before or not. */
void lease_back(struct co *co, struct lease *l, uint64_t now, struct co_out *out);
/* Settles a break that nobody is left to acknowledge: all opens of the lease are disconnected. */
/* Somebody has something to do first: such a wait has another deadline than one for a range, or for a turn. */
static inline bool waits_for_holder(uint8_t whys) { return whys & (WHY_LEASE | WHY_SHARE | WHY_ENTERED); }
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
/* Leases that an entry's change takes: answers are not waited for. */
enum st eval_directories(struct eval *e, struct part *p);
enum st eval_ranges(struct eval *e, struct part *p); /* byte ranges, queue, operations under way */
/* The first held range that excludes the lock, for which fn says true (fn = NULL: any). */
struct range *eval_lock_conflict(const struct file *f, const struct co_party *party, const struct co_ask *ask,
                                 range_match fn, void *arg);

/* ---- queue.c ----------------------------------------------------------------------------------------------- */
struct op *op_new(struct co *co, struct co_ticket *t, const struct co_party *party, const struct co_ask *asks, size_t n,
                  uint64_t now);
void op_free(struct co *co, struct op *op, uint64_t now);
void op_enqueue(struct co *co, struct op *op);
void op_dequeue(struct co *co, struct op *op, uint64_t now); /* and lets pass who waited for it */
uint64_t op_shards(const struct op *op);
bool op_wants(const struct op *op); /* it would queue behind other locks */
/* Looks again at those who wait for one of `what`, or for `gone`, in order, and wakes who can go. */
void queue_wake(struct co *co, struct file *f, uint8_t what, const struct op *gone, uint64_t now);
void part_waits_for(struct part *p, uint8_t why, struct op *why_op); /* 0: for nothing */
void op_wake(struct op *op);

/* ---- deadlock.c, grace.c ----------------------------------------------------------------------------------- */
bool deadlock_closes(struct co *co, struct op *op); /* all shards held */
static inline bool in_grace(struct co *co, uint64_t now)
{
    return now < atomic_load_explicit(&co->grace_until, memory_order_relaxed);
}

/* ---- out.c ------------------------------------------------------------------------------------------------- */
bool out_push(struct co_out *out, const struct co_event *ev);
void out_conflict(struct co_out *out, const struct co_hold *h, const struct co_party *by, enum co_op op,
                  const char *outcome, uint64_t waited, uint64_t handover);
struct co_hold hold_of_range(const struct file *f, const struct range *r);
struct co_hold hold_of_share(const struct file *f, const struct share *s);
struct co_hold hold_of_lease(const struct lease *l);
struct co_hold hold_of_part(const struct part *p);
struct co_hold hold_of_pending(const struct file *f, const struct pending *d);

/* ---- met.c ------------------------------------------------------------------------------------------------- */
extern const size_t met_size;
void met_add(struct op *op, const struct part *p, const struct co_hold *h); /* its part p waits for h */
void met_done(struct op *op);
void met_free(struct met *m); /* of no operation */
struct co_hold met_first(const struct op *op); /* kind none: nobody */
/* It is over: an event for each that it met; blocker: what refused it, or NULL. */
void met_tell(const struct op *op, const struct co_hold *blocker, const char *outcome, uint64_t now,
              struct co_out *out);
