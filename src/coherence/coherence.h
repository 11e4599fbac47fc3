/* coherence.h - who holds what on a file, who must yield, who waits, who is told.
 *
 * A pure state machine: no I/O, no threads of its own, no clock (time is an argument), no protocol types. It calls
 * nothing but src/base; its only caller is src/fs. Whether two things conflict is decided in one table, rules.c.
 *
 * The gate. An operation says what it is about to do (a list of `struct co_ask`) with co_enter(), which answers
 *   ST_OK      go: the operation is *entered*: it counts as under way until co_leave(), so that no lease or lock is
 *              granted beside it that it would violate. Asks that take a hold (open, lock) hold it from now on.
 *   ST_AGAIN   wait: the breaks that it needs have begun (beginning is idempotent), its ticket is queued on the files,
 *              nothing else has changed. ticket->wake() comes when it is worth asking again with the same ticket.
 *   a denial   ST_SHARE_CONFLICT, ST_LOCK_CONFLICT, ST_LOCK_DENIED, ST_DELETE_PENDING, ST_DEADLOCK, ST_GRACE,
 *              ST_NOGRACE, ST_TOOMANY (the account has its share of locks, or of waiters): final; the blocking hold
 *              is in ticket->blocker. The ticket is not queued.
 *
 * Events. What others must be told (break this lease, this open is void) is appended to the caller's `struct co_out` as
 * plain data, without pointers into the engine, and delivered by the caller after the call. The one thing that is
 * called from inside is ticket->wake(): it may only store and push to a queue, never lock, never call back. So a ticket
 * that has been left or cancelled is never touched again, and no event can outlive what it points to.
 *
 * Locks. One mutex per shard of the file table; a call takes the shards of its files in ascending order (a blocking
 * lock that has to wait: all of them, to look for a circle), the engine's own mutex inside them, and holds none when
 * it returns. Thread-safe throughout. */
#pragma once
#include "base/list.h"
#include "base/st.h"
#include "base/util.h"

struct co; /* the engine */

/* A file: the number of its store and its identity there. */
struct co_key {
    uint64_t store, ino, gen;
};

/* For people only (log, metrics, listing): no rule looks at it. */
enum co_label { CO_LABEL_NONE, CO_LABEL_NFS3, CO_LABEL_NLM, CO_LABEL_NFS4, CO_LABEL_SMB, CO_LABEL_LOCAL, CO_LABEL_MAX };

enum co_flavour { CO_POSIX, CO_WINDOWS }; /* of byte ranges: merge and split, or exact and stacking (semantics 1.3) */

/* Who asks or holds. Anonymous (client = 0) equals nobody, not even itself: NFSv3 I/O, local programs. Equality of
 * range and share owners: client and open. Equality of lease owners: client and lease key; an oplock's key is made of
 * its open (lease_is_oplock). */
#define CO_WHO 88
struct co_party {
    enum co_label label;
    enum co_flavour flavour;
    uint64_t client;          /* an SMB ClientGuid, an NLM host, ... as its front end numbers it; 0 = anonymous */
    uint64_t account;         /* whose budget its locks count in (base/budget.h): an address; 0: unlimited */
    uint64_t open;            /* the SMB open, NLM svid or share owner, NFSv4 state owner */
    uint8_t lease[16];        /* key of the lease the open stands under; all zero = none */
    uint8_t parent_lease[16]; /* key whose directory lease the change need not break; all zero = none */
    char who[CO_WHO];         /* for people: "MACHINE/USER@ADDRESS", of which MACHINE/ and USER@ may be missing */
};

enum co_op {
    CO_READ,        /* [first, last] of data */
    CO_WRITE,       /* [first, last] of data; also zeroing and server-side copy's target */
    CO_RESIZE,      /* set end of file or allocation; [first, last] = bytes that appear or vanish */
    CO_FLUSH,
    CO_GETATTR,     /* only for attr_freshness = lazy */
    CO_SETATTR,     /* mode, owner, times */
    CO_OPEN,        /* access, deny; takes a share hold for party.open */
    CO_LOCK,        /* [first, last] exclusive or shared; takes a range hold */
    CO_TEST,        /* would CO_LOCK be granted? takes nothing */
    CO_REMOVE,      /* a link of the file goes away: remove, rmdir, target of a rename */
    CO_RENAME,      /* source of a rename */
    CO_LINK,        /* source of a new link */
    CO_DISPOSITION, /* delete-on-close is set on an open's link */
    CO_CHILD,       /* (on the directory) an entry appears, disappears or changes its name */
    CO_CHILD_ATTR,  /* (on the directory) size, times or attributes of an entry change visibly */
    CO_OP_MAX
};

/* Access and deny bits of shares. An attribute-only open has neither. */
enum { CO_ACC_READ = 1, CO_ACC_WRITE = 2, CO_ACC_DELETE = 4 };

enum {
    CO_EXCLUSIVE = 1 << 0,  /* CO_LOCK, CO_TEST */
    CO_WAIT = 1 << 1,       /* CO_LOCK: may queue behind other locks; without it only lease breaks are waited for */
    CO_RECLAIM = 1 << 2,    /* CO_LOCK, CO_OPEN; co_lease(): held before the restart, so grace does not keep it back */
    CO_ADVISORY = 1 << 3,   /* CO_READ/WRITE/RESIZE: POSIX-flavour ranges and shares do not bind it (NFSv3 I/O) */
    CO_OVERWRITE = 1 << 4,  /* CO_OPEN that truncates: [first, last] vanishes */
    CO_ATTR_ONLY = 1 << 5,  /* CO_OPEN that looks at attributes at most: breaks nothing, nobody's rights shrink */
    CO_CONTROL = 1 << 11,   /* with CO_ATTR_ONLY: the security descriptor too, which oplocks (not leases) give way to */
    CO_ABOVE = 1 << 12,     /* CO_RENAME: of a directory above the file, which keeps its own name */
    CO_ZERO_LEN = 1 << 6,   /* CO_LOCK: Windows zero-length range at first (last is ignored) */
    CO_NO_HOLD = 1 << 7,    /* CO_OPEN: only check the share modes */
    CO_DIRECTORY = 1 << 8,  /* the file is a directory */
    CO_DENY_NOWAIT = 1 << 9, /* CO_READ/WRITE: deny at once instead of waiting io_lock_park for a range (SMB I/O) */
    CO_FORCE = 1 << 10,     /* what cannot be refused any more: breaks, waits for no answer, is never denied */
};

struct co_ask {
    struct co_key key;
    enum co_op op;
    uint32_t flags;
    uint64_t first, last;  /* inclusive; last = UINT64_MAX: to the end; first > last: no byte (not for locks) */
    uint8_t access, deny;  /* CO_OPEN: CO_ACC_* */
    uint64_t link;         /* CO_OPEN, CO_REMOVE, CO_RENAME, CO_DISPOSITION: which name of the file (0: any) */
    const void *tag;       /* the caller's own, valid during the call: the engine never looks at it */
};
#define CO_ASKS_MAX 6
#define CO_LOCKS_MAX 64 /* elements of one Windows lock request: that many CO_LOCK asks on one file are accepted */

enum co_lease_kind { CO_LEASE, CO_OPLOCK, CO_DELEGATION };

/* A hold, for denials, NLM TEST and listings. */
enum co_kind { CO_KIND_NONE, CO_KIND_RANGE, CO_KIND_SHARE, CO_KIND_LEASE, CO_KIND_DELETE, CO_KIND_WAITER };
struct co_hold {
    enum co_kind kind;
    struct co_key key;
    struct co_party party;
    uint64_t first, last; /* range */
    bool exclusive, zero_len;
    uint8_t access, deny; /* share */
    enum co_op op;        /* waiter: what it is about to do */
    uint8_t lease, breaking_to; /* CO_R|CO_W|CO_H */
    enum co_lease_kind lease_kind;
    bool breaking, disconnected;
    uint64_t since; /* ns, the caller's clock */
    uint64_t id;    /* tells it from every other one of this engine; 0: nothing that could be named */
    uint64_t behind; /* waiter: id of what it waits for, 0: of nothing that is held */
};

/* Whom an operation waits for who loses a right by it, acknowledged or not: until they have been told (co_told()),
 * so that nobody learns of a change before its holder. CO_TELL_FILES: directories' caches are told while it goes on. */
enum co_tell { CO_TELL_NOBODY, CO_TELL_FILES, CO_TELL_ALL };

/* A place in the queues. Embedded in the request; zero-initialise, set wake; keep until co_leave() or co_cancel(). */
struct co_ticket {
    void (*wake)(struct co_ticket *); /* see above: stores and pushes, nothing else */
    struct co_hold blocker;           /* why the last co_enter() did not say ST_OK */
    uint64_t queued_at;               /* time of the first ST_AGAIN; 0: has not waited, or is done */
    enum co_tell tell_first;          /* in */
    uint64_t deadline;                /* by when the wait is over, set by the engine (UINT64_MAX: a blocking lock) */
    void *eng;                        /* the engine's: entered and queued state */
};

/* Lease states: MS-SMB2 2.2.13.2.8's bits. */
enum { CO_R = 1, CO_H = 2, CO_W = 4 };

enum co_event_kind {
    CO_EV_BREAK,  /* tell party: its lease goes from `from` to `to`; ack says whether it must answer; then co_told() */
    CO_EV_VOID,   /* a disconnected or revoked open (party.open) must be closed by the caller */
    CO_EV_DROP,   /* policy on_break_timeout = disconnect: drop the connection of party */
    CO_EV_ACK,      /* for the histogram: party has answered a break, after `waited` */
    CO_EV_CONFLICT, /* for the log and the counter, when it is over: party (holder) met by `by`; outcome as text. One
                     * for each operation, client that it met, and kind of hold */
};
struct co_event {
    enum co_event_kind kind;
    struct co_key key;
    struct co_party party, by;
    enum co_lease_kind lease_kind;
    uint8_t from, to;
    uint16_t epoch;
    bool ack;
    uint64_t lease; /* CO_EV_BREAK: which one, for co_told() */
    /* CO_EV_CONFLICT */
    enum co_op op;       /* what `by` was about to do */
    const char *what;    /* static: "lease", "range", "share", "delete", "waiter" */
    const char *outcome; /* static: "granted", "revoked", "denied", "deferred" (told to come back), "cancelled" */
    uint64_t waited;     /* ns, from the first ST_AGAIN; 0: it did not wait */
    uint64_t handover;   /* ns, of a lock that was waited for: from being free to being taken; 0: nothing of the kind */
};
/* Zero-initialise; co_out_done() frees. A lost event is not possible: growth failure revokes instead. */
struct co_out {
    struct co_event *ev;
    size_t n, cap;
    struct co_event inl[4];
};
void co_out_done(struct co_out *out);

enum co_on_timeout { CO_REVOKE, CO_CLOSE, CO_DISCONNECT };
/* The knobs of the configuration's [lock] section; times in ns. co_policy_default() fills in the documented ones. */
struct co_policy {
    uint64_t lease_break_timeout, io_lock_park, grace_period, regrant_holdoff, penalty, starve;
    bool delete_break_all;       /* delete_break = all | handle */
    bool delete_wait;            /* yes | no */
    bool nlm_break_deny;         /* nlm_break_timeout = deny | revoke: a lock ask that waited out a break is denied */
    bool lock_break_write;       /* nlm_lock_break = write | class */
    uint8_t range_vs_advisory;   /* smb_brl_vs_nfs: 2 strict, 1 write, 0 advisory */
    bool share_vs_anonymous;     /* smb_share_vs_nfs = enforce | ignore */
    bool unlink_enforce;         /* unlink = enforce | unix */
    bool dir_rename_strict;
    bool orphan_error;           /* orphan_io = error | keep */
    bool attr_lazy;              /* attr_freshness = lazy | windows */
    bool posix_binds_windows;    /* nlm_enforce_on_smb */
    bool leases;                 /* leases and oplocks are granted at all */
    uint32_t max_locks, max_waits; /* of one account: byte ranges and POSIX shares; locks that wait. 0: no limit */
    enum co_on_timeout on_break_timeout;
};
void co_policy_default(struct co_policy *p);

/* Life. `p` is copied; co_set_policy() may change it while running. */
enum st co_create(const struct co_policy *p, struct co **ret);
void co_free(struct co *co);
void co_set_policy(struct co *co, const struct co_policy *p);
/* Acts on every deadline up to `now`; returns the next one (UINT64_MAX: none). The caller sets one timer with it, and
 * again whenever co_next_deadline() has moved earlier. */
uint64_t co_tick(struct co *co, uint64_t now, struct co_out *out);
uint64_t co_next_deadline(struct co *co);
/* Called from inside whenever the next deadline moves earlier, like ticket->wake: only stores and pushes. */
void co_on_deadline(struct co *co, void (*fn)(void *arg), void *arg);

/* The gate. asks: 1..CO_ASKS_MAX, of one party. `now` in ns of the caller's monotonic clock. */
enum st co_enter(struct co *co, struct co_ticket *t, const struct co_party *party, const struct co_ask *asks, size_t n,
                 uint64_t now, struct co_out *out);
void co_leave(struct co *co, struct co_ticket *t, uint64_t now, struct co_out *out);   /* after ST_OK, exactly once */
/* Gives up waiting; harmless otherwise. */
void co_cancel(struct co *co, struct co_ticket *t, uint64_t now, struct co_out *out);
/* The client was told to come back (JUKEBOX): what was broken for it stays stripped until it does (the same operation
 * of the same client and open), at most `hold`. To be followed by co_cancel(). */
void co_reserve(struct co *co, struct co_ticket *t, uint64_t now, uint64_t hold);

/* Holds. */
/* Releases party's range: POSIX any sub-range (ST_NOMEM, ST_TOOMANY: what is left would be one range more, and there
 * can be none), Windows the exact one (ST_NOLOCK). */
enum st co_unlock(struct co *co, const struct co_key *key, const struct co_party *party, uint64_t first, uint64_t last,
                  uint32_t flags, uint64_t now, struct co_out *out);
/* Releases the share of party.open. */
void co_unshare(struct co *co, const struct co_key *key, const struct co_party *party, uint64_t now,
                struct co_out *out);
/* The open is closed: its share, its ranges, and its part of the lease (the lease goes with its last open). Returns
 * true when its link is delete-pending and no other open of that link remains: the caller now unlinks it, and the link
 * is no longer pending. */
bool co_close(struct co *co, const struct co_key *key, const struct co_party *party, uint64_t link, uint64_t now,
              struct co_out *out);
/* Asks for caching rights for an open that is held; never breaks anybody (semantics 1.6). Returns the granted bits (for
 * an oplock: CO_R = level II, CO_R|CO_W = exclusive, CO_R|CO_W|CO_H = batch) and the lease's epoch. Also joins the open
 * to an existing lease of its key, upgrading it where allowed. `*ret_breaking`: the lease is being broken. */
uint8_t co_lease(struct co *co, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
                 uint8_t want, uint32_t flags, uint16_t epoch, uint64_t now, uint16_t *ret_epoch, bool *ret_breaking);
/* What a holder that was away may go on with, and the epoch of that; a break under way is told behind the answer
 * that says so. All that it had, when it caches writes: everybody waits for those. Else what the break leaves:
 * others may have acted on the rest when it was told first. 0 when there is no lease any more; the epoch is not
 * written then. */
uint8_t co_lease_kept(struct co *co, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
                      uint16_t *ret_epoch);
/* Acknowledgement: ST_OK, or ST_BAD_ACK (bits not allowed), ST_NO_BREAK (not breaking), ST_NOENT (no such lease). */
enum st co_ack(struct co *co, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
               uint8_t keep, uint64_t now, struct co_out *out);
/* The notification of this break cannot be overtaken any more, or there is nobody left to tell: once per
 * CO_EV_BREAK. */
void co_told(struct co *co, const struct co_key *key, uint64_t lease, uint64_t now);
/* Delete-pending of a link of the file, by party; set only between enter(CO_DISPOSITION) and leave. */
void co_set_delete(struct co *co, const struct co_key *key, const struct co_party *party, uint64_t link, bool on,
                   uint64_t now, struct co_out *out);
bool co_delete_pending(struct co *co, const struct co_key *key, uint64_t link);
/* A rename gave the opens of link `from` the name `to`. */
void co_relink(struct co *co, const struct co_key *key, uint64_t from, uint64_t to);
/* The open's connection is gone but it may come back (durable), or is back. False: the open is void, or not known. */
bool co_disconnected(struct co *co, const struct co_key *key, const struct co_party *party, bool gone, bool persistent,
                     uint64_t now, struct co_out *out);
/* Everything that a client holds or waits for is void (NSM notification, FREE_ALL). */
void co_client_gone(struct co *co, uint64_t client, uint64_t now, struct co_out *out);

/* Grace: while it lasts only reclaims get locks and shares of the POSIX flavour; leases are not granted. */
void co_grace_begin(struct co *co, uint64_t now);
void co_grace_end(struct co *co, uint64_t now, struct co_out *out);
bool co_in_grace(struct co *co, uint64_t now);

/* Looking. `fn` is called on copies, without locks held, until it returns false. key = NULL: all files. */
void co_each(struct co *co, const struct co_key *key, bool (*fn)(void *arg, const struct co_hold *h), void *arg);
/* Opens of the file whose share allows nothing less (SMB: is somebody else holding it?): number of share holds. */
unsigned co_opens(struct co *co, const struct co_key *key, uint64_t link);
/* Takes away by force (administrator) what h, once given by co_each(), still stands for: a lease is revoked and its
 * holder told; of the Windows flavour a range or share goes with the whole open, which is void; of the POSIX flavour
 * it goes by itself. Whoever waited for it looks again at once. False: it is gone already, or no hold. */
bool co_revoke(struct co *co, const struct co_hold *h, uint64_t now, struct co_out *out);

struct co_stats {
    uint64_t files, ranges, shares, leases, waiters, entered;
    uint64_t waiting[CO_OP_MAX]; /* the waiters, by what they want to do (first) */
};
void co_stats(struct co *co, struct co_stats *ret);
