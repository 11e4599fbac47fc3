/* rules.h - what rules.c decides: the shape of the table and the questions that may be put to it. Private. */
#pragma once
#include "coherence/engine.h"

enum rule_range { RULE_NO_RANGE, RULE_READS, RULE_WRITES, RULE_LOCKS };
struct rule {
    const char *name;
    uint8_t lease, exclusive, batch; /* bits it takes from a lease; a level II or exclusive, a batch oplock */
    uint8_t wait;                    /* it waits when a holder must acknowledge the loss of one of these */
    uint8_t access;                  /* what it amounts to for other opens' share modes */
    enum rule_range range;
    bool deny_at_once;               /* a byte range refuses it without waiting */
    bool pending_denies;             /* a delete-pending link refuses it */
    bool child;                      /* a change of a directory's entry: parent_lease is exempt */
    uint64_t min_age;                /* it leaves rights alone that were granted less than so long ago (ns) */
    bool whole;                      /* once a break goes on in steps it waits for the last of them */
    bool ends_orphans;               /* a lease that it would break goes altogether when its opens are disconnected */
};
enum rule_id {
    RULE_READ, RULE_WRITE, RULE_RESIZE, RULE_FLUSH, RULE_FLUSH_NOBODY, RULE_GETATTR, RULE_GETATTR_LAZY, RULE_SETATTR,
    RULE_OPEN_ATTR, RULE_OPEN_CONTROL, RULE_OPEN, RULE_OPEN_OVERWRITE, RULE_SHARE_VIOLATION, RULE_LOCK_SHARED,
    RULE_LOCK_EXCLUSIVE, RULE_TEST, RULE_REMOVE_HANDLE, RULE_REMOVE_ALL, RULE_RENAME_HANDLE, RULE_RENAME_ALL,
    RULE_RENAME_ABOVE, RULE_LINK, RULE_DISPOSITION, RULE_CHILD, RULE_CHILD_ATTR, RULE_MAX
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
/* The same for a lease as it stands: also who is there to answer for it matters. */
uint8_t rule_keep_of(const struct rule *r, const struct lease *l);
/* Whether the operation waits for a holder that must still acknowledge the loss of `lost`. */
bool rule_waits(const struct co_policy *pol, const struct co_ask *ask, const struct rule *r, uint8_t lost);
bool rule_needs_ack(enum co_lease_kind kind, uint8_t granted);
uint8_t rule_valid(enum co_lease_kind kind, uint8_t bits); /* the greatest valid combination within bits */
bool rule_touch(uint64_t af, uint64_t al, bool az, uint64_t bf, uint64_t bl, bool bz);
/* Does a range that is held bind this I/O (write or read of [first, last])? */
bool rule_range_io(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask, bool write,
                   const struct range *r);
/* Of which kinds (RANGE_*) are ranges that could bind it? The others need not be looked at. */
unsigned rule_range_kinds(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask,
                          bool write);
/* Does a held range, or a lock that is asked for, exclude this lock? */
bool rule_lock(const struct co_party *party, const struct co_ask *ask, const struct co_party *other, uint64_t first,
               uint64_t last, bool zero, bool exclusive);
/* Do these share modes exclude one another? */
static inline bool rule_share(uint8_t access, uint8_t deny, const struct share *s)
{
    return (access & s->deny) || (deny & s->access);
}
/* Does a change of an entry spare this directory lease? It does through an open that names the lease's key as its
 * parent's ([MS-FSA] 2.1.4.12.2, which compares keys and no clients). */
bool rule_spares(const struct rule *r, const struct co_party *p, const struct lease *l);
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
