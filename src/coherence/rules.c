/* rules.c - THE table: each operation against each kind of hold. Does it conflict; to which bits is a lease broken;
 * does the operation wait for the acknowledgement. Whoever knows this file knows what the product does; no other file
 * decides a conflict, and no predicate here asks which protocol somebody speaks. docs/coherence.md is printed from it.
 *
 * A lease is taken only the bits that the operation invalidates ([MS-FSA] 2.1.4.12): reading takes W, changing data or
 * size and locking take everything, changing the name takes H. Waiting is for W or H being lost, as the holder then has
 * something to write back or to close; R alone is gone the moment the break is sent. Knows no queue, file or event. */
#include "engine.h"

#define RWH CO_LEASE_ALL

/* clang-format off */
const struct rule co_rules[RULE_MAX] = {
    /*                        name                    lease excl  batch wait          access         range */
    [RULE_READ]            = {"read",                 CO_W, CO_W, CO_W, CO_W,         CO_ACC_READ,   RULE_READS},
    [RULE_WRITE]           = {"write",                RWH,  RWH,  RWH,  CO_W,         CO_ACC_WRITE,  RULE_WRITES},
    [RULE_RESIZE]          = {"resize",               RWH,  RWH,  RWH,  CO_W,         CO_ACC_WRITE,  RULE_WRITES,
                              .deny_at_once = true},
    [RULE_FLUSH]           = {"flush of an open",     CO_W, CO_W, CO_W, CO_W,         0,             RULE_NO_RANGE},
    [RULE_FLUSH_NOBODY]    = {"commit",               0,    0,    0,    0,            0,             RULE_NO_RANGE},
    [RULE_GETATTR]         = {"get attributes",       0,    0,    0,    0,            0,             RULE_NO_RANGE},
    [RULE_GETATTR_LAZY]    = {"get attributes, lazy", CO_W, CO_W, CO_W, 0,            0,             RULE_NO_RANGE,
                              .min_age = 5 * NSEC_PER_SEC},
    [RULE_SETATTR]         = {"set attributes",       0,    0,    0,    0,            0,             RULE_NO_RANGE},
    [RULE_OPEN_ATTR]       = {"open for attributes",  0,    0,    0,    0,            0,             RULE_NO_RANGE,
                              .pending_denies = true},
    [RULE_OPEN_CONTROL]    = {"open for security",    0,    CO_W, CO_W, CO_W,         0,             RULE_NO_RANGE,
                              .pending_denies = true},
    [RULE_OPEN]            = {"open",                 CO_W, CO_W, CO_W, CO_W,         0,             RULE_NO_RANGE,
                              .pending_denies = true, .whole = true, .ends_orphans = true},
    [RULE_OPEN_OVERWRITE]  = {"open, overwriting",    RWH,  RWH,  RWH,  CO_W,         CO_ACC_WRITE,  RULE_WRITES,
                              .deny_at_once = true, .pending_denies = true, .whole = true},
    /* Whoever an open's share mode refuses asks its holder first whether the open is still in use. */
    [RULE_SHARE_VIOLATION] = {"(share conflict)",     CO_H, 0,    CO_H, CO_H,         0,             RULE_NO_RANGE},
    [RULE_LOCK_SHARED]     = {"lock, shared",         CO_W, CO_W, CO_W, CO_W,         0,             RULE_LOCKS},
    [RULE_LOCK_EXCLUSIVE]  = {"lock, exclusive",      RWH,  RWH,  RWH,  CO_W,         0,             RULE_LOCKS},
    [RULE_TEST]            = {"test a lock",          CO_W, CO_W, CO_W, CO_W,         0,             RULE_LOCKS},
    [RULE_REMOVE_HANDLE]   = {"remove, handle",       CO_H, 0,    CO_H, CO_W | CO_H,  CO_ACC_DELETE, RULE_NO_RANGE},
    [RULE_REMOVE_ALL]      = {"remove, all",          RWH,  RWH,  RWH,  CO_W | CO_H,  CO_ACC_DELETE, RULE_NO_RANGE},
    [RULE_RENAME_HANDLE]   = {"rename, handle",       CO_H, 0,    RWH,  CO_W | CO_H,  CO_ACC_DELETE, RULE_NO_RANGE,
                              .pending_denies = true},
    [RULE_RENAME_ALL]      = {"rename, all",          RWH,  RWH,  RWH,  CO_W | CO_H,  CO_ACC_DELETE, RULE_NO_RANGE,
                              .pending_denies = true},
    /* Whoever keeps a handle below is asked to close it; what is open then refuses, in the file service. */
    [RULE_RENAME_ABOVE]    = {"rename above",         CO_H, 0,    RWH,  CO_W | CO_H,  0,             RULE_NO_RANGE},
    [RULE_LINK]            = {"link",                 0,    0,    0,    0,            0,             RULE_NO_RANGE,
                              .pending_denies = true},
    [RULE_DISPOSITION]     = {"delete on close",      CO_H, 0,    CO_H, CO_W | CO_H,  0,             RULE_NO_RANGE},
    [RULE_CHILD]           = {"entry changes",        RWH,  RWH,  RWH,  0,            0,             RULE_NO_RANGE,
                              .child = true},
    [RULE_CHILD_ATTR]      = {"entry's attributes",   RWH,  RWH,  RWH,  0,            0,             RULE_NO_RANGE,
                              .child = true},
};
/* clang-format on */

/* Nobody's operation: not through an open. */
static bool by_nobody(const struct co_party *p) { return p->open == 0; }

enum rule_id rule_id_of(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask)
{
    bool all = pol->delete_break_all && by_nobody(party);
    switch (ask->op) {
    case CO_READ: return RULE_READ;
    case CO_WRITE: return RULE_WRITE;
    case CO_RESIZE: return RULE_RESIZE;
    case CO_FLUSH: return by_nobody(party) ? RULE_FLUSH_NOBODY : RULE_FLUSH;
    case CO_GETATTR: return pol->attr_lazy ? RULE_GETATTR_LAZY : RULE_GETATTR;
    case CO_OPEN:
        if (ask->flags & CO_ATTR_ONLY)
            return ask->flags & CO_CONTROL ? RULE_OPEN_CONTROL : RULE_OPEN_ATTR;
        return ask->flags & CO_OVERWRITE ? RULE_OPEN_OVERWRITE : RULE_OPEN;
    case CO_LOCK:
        return ask->flags & CO_EXCLUSIVE || pol->lock_break_write ? RULE_LOCK_EXCLUSIVE : RULE_LOCK_SHARED;
    case CO_TEST: return pol->lock_break_write ? RULE_LOCK_EXCLUSIVE : RULE_TEST;
    case CO_REMOVE: return all ? RULE_REMOVE_ALL : RULE_REMOVE_HANDLE;
    case CO_RENAME:
        if (ask->flags & CO_ABOVE)
            return RULE_RENAME_ABOVE;
        return all ? RULE_RENAME_ALL : RULE_RENAME_HANDLE;
    case CO_LINK: return RULE_LINK;
    case CO_DISPOSITION: return RULE_DISPOSITION;
    case CO_CHILD: return RULE_CHILD;
    case CO_CHILD_ATTR: return RULE_CHILD_ATTR;
    default: return RULE_SETATTR;
    }
}

/* Leases and delegations know R, RH, RW, RWH; oplocks R (level II), RW (exclusive), RWH (batch). Nothing is worth
 * caching without R. */
uint8_t rule_valid(enum co_lease_kind kind, uint8_t bits)
{
    bits &= CO_LEASE_ALL;
    if (!(bits & CO_R))
        return 0;
    if (kind == CO_OPLOCK && !(bits & CO_W))
        return CO_R;
    return bits;
}

uint8_t rule_keep(const struct rule *r, enum co_lease_kind kind, uint8_t granted)
{
    if (kind != CO_OPLOCK)
        return rule_valid(kind, granted & ~r->lease);
    if (!(granted & CO_H))
        return rule_valid(kind, granted & ~r->exclusive);
    /* A batch oplock without H would be exclusive; what it falls to is level II ([MS-FSA] 2.1.4.12). */
    uint8_t keep = granted & ~r->batch;
    return rule_valid(kind, keep & CO_H ? keep : keep & ~CO_W);
}

/* Who opens a file that somebody out of reach caches writes of takes it over: what is unwritten never comes, as with
 * Windows. One who only looks at the data leaves the absent a chance to come back. */
uint8_t rule_keep_of(const struct rule *r, const struct lease *l)
{
    uint8_t keep = rule_keep(r, l->kind, l->granted);
    bool persistent;
    if (r->ends_orphans && keep != l->granted && lease_disconnected(l, &persistent) && !persistent)
        return 0;
    return keep;
}

/* A holder of R alone has nothing to give back and is told after the fact; a delegation is always returned. */
bool rule_needs_ack(enum co_lease_kind kind, uint8_t granted)
{
    return kind == CO_DELEGATION ? granted != 0 : (granted & (CO_W | CO_H)) != 0;
}

bool rule_waits(const struct co_policy *pol, const struct co_ask *ask, const struct rule *r, uint8_t lost)
{
    if (ask->flags & CO_FORCE || (!pol->delete_wait && (ask->op == CO_REMOVE || ask->op == CO_RENAME)))
        return false;
    return (lost & r->wait) != 0;
}

/* A zero-length range (at its `first`) touches another only when that one spans it strictly; two never touch. */
bool rule_touch(uint64_t af, uint64_t al, bool az, uint64_t bf, uint64_t bl, bool bz)
{
    if (az || bz)
        return az != bz && (az ? bf < af && af <= bl : af < bf && bf <= al);
    return af <= bl && bf <= al;
}

/* [MS-FSA] 2.1.4.10. Mandatory for every open; for the ADVISORY caller only ranges of the Windows flavour, and as far
 * as the policy says. A holder reads and writes under its own exclusive range, and only reads under its shared
 * one unless its ranges are POSIX', which never bind their owner. */
bool rule_range_io(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask, bool write,
                   const struct range *r)
{
    const struct co_party *owner = &r->owner->party;
    if (!rule_touch(ask->first, ask->last, false, r->first, r->last, r->zero))
        return false;
    if (ask->flags & CO_ADVISORY &&
        (owner->flavour == CO_POSIX || pol->range_vs_advisory == 0 || (pol->range_vs_advisory == 1 && !write)))
        return false;
    if (owner->flavour == CO_POSIX && party->flavour == CO_WINDOWS && !pol->posix_binds_windows)
        return false;
    /* Windows' opens that overwrite look at no ranges of Windows: their holders learn at their next read or write. */
    if (ask->op == CO_OPEN && party->flavour == CO_WINDOWS && owner->flavour == CO_WINDOWS)
        return false;
    if (party_same(party, owner))
        return owner->flavour == CO_WINDOWS && write && !r->exclusive;
    return write || r->exclusive;
}

/* What rule_range_io() says no to whatever the range, without looking at it: nobody reads past a hundred thousand locks
 * that do not bind him. */
unsigned rule_range_kinds(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask,
                          bool write)
{
    unsigned kinds = write ? RANGE_ANY : RANGE_EXCL;
    if (ask->flags & CO_ADVISORY)
        kinds &= pol->range_vs_advisory == 0 || (pol->range_vs_advisory == 1 && !write) ? 0u : RANGE_WIN;
    if (party->flavour == CO_WINDOWS && !pol->posix_binds_windows)
        kinds &= RANGE_WIN;
    if (ask->op == CO_OPEN && party->flavour == CO_WINDOWS)
        kinds &= ~RANGE_WIN;
    return kinds;
}

/* Ranges of one POSIX owner replace each other; those of one Windows open stack, except that an exclusive one may not
 * lie over another (the flavour of the new one decides). */
bool rule_lock(const struct co_party *party, const struct co_ask *ask, const struct co_party *other, uint64_t first,
               uint64_t last, bool zero, bool exclusive)
{
    bool ex = ask->flags & CO_EXCLUSIVE, az = ask->flags & CO_ZERO_LEN;
    if (!rule_touch(ask->first, az ? ask->first : ask->last, az, first, last, zero))
        return false;
    if (party_same(party, other))
        return party->flavour == CO_WINDOWS && ex;
    return ex || exclusive;
}

bool rule_share_binds(const struct co_policy *pol, const struct co_party *party, const struct co_ask *ask)
{
    switch (ask->op) {
    case CO_OPEN: return !(ask->flags & CO_NO_HOLD) || !by_nobody(party) || pol->share_vs_anonymous;
    case CO_READ:
    case CO_WRITE:
    case CO_RESIZE: return by_nobody(party) && pol->share_vs_anonymous; /* through an open it was settled then */
    case CO_REMOVE:
    case CO_RENAME: return !by_nobody(party) || pol->unlink_enforce;
    default: return false;
    }
}

static bool bytes_zero(const uint8_t key[16])
{
    static const uint8_t none[16];
    return memcmp(key, none, sizeof none) == 0;
}

bool rule_spares(const struct rule *r, const struct co_party *p, const struct lease *l)
{
    return r->child && !bytes_zero(p->parent_lease) &&
           memcmp(p->parent_lease, l->party.lease, sizeof p->parent_lease) == 0;
}

bool lease_own(const struct lease *l, const struct co_party *p)
{
    if (!p->client || p->client != l->party.client)
        return false;
    switch (l->kind) {
    case CO_OPLOCK: return p->open == l->party.open;
    case CO_DELEGATION: return true;
    default: return !bytes_zero(p->lease) && memcmp(p->lease, l->party.lease, sizeof p->lease) == 0;
    }
}
