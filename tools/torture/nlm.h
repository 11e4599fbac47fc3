/* nlm.h - an NLM version 4 client of one simulated host (X/Open XNFS, RFC 1813 appendix II), and what a lock server
 * calls back: GRANTED, and SM_NOTIFY of the status monitor. Servers find a host's lock manager through the port
 * mapper at the host's address; the host is its own where port 111 of its address is free, else it registers with
 * the one that is there. */
#pragma once
#include "nfs.h"

enum { NLM4_GRANTED, NLM4_DENIED, NLM4_DENIED_NOLOCKS, NLM4_BLOCKED, NLM4_DENIED_GRACE_PERIOD, NLM4_DEADLCK, NLM4_ROFS,
       NLM4_STALE_FH, NLM4_FBIG, NLM4_FAILED };
enum { FSM_DN, FSM_DR, FSM_DW, FSM_DRW }; /* deny of SHARE */
enum { FSA_NONE, FSA_R, FSA_W, FSA_RW };  /* access of SHARE */

struct nlm_grant {
    struct list link;
    uint32_t svid;
    bool exclusive;
    uint64_t offset, len;
    uint64_t at, arrival;
};
struct nlm {
    struct rpc rpc, udp;
    struct list messages;           /* calls that were sent as _MSG */
    struct wire_conn *listeners[4]; /* callbacks and port mapper, TCP and UDP */
    uint16_t port;                  /* of the callbacks */
    bool reachable;                 /* a port mapper knows that port */
    struct list grants;             /* of nlm_grant: received, in order */
    uint32_t answer;                /* what GRANTED is answered with; ~0u: not at all */
    unsigned notified;              /* SM_NOTIFYs received */
    uint32_t notified_state;        /* of the last one */
};
/* NULL, or what went wrong. `callbacks`: be there for GRANTED and SM_NOTIFY. */
const char *nlm_open(struct nlm *n, struct host *h, bool callbacks);
void nlm_close(struct nlm *n); /* the host falls silent: nothing is unlocked */
bool nlm_reconnect(struct nlm *n); /* after the server was away; what was called back stays */

struct nlm_lock {
    struct nfs_fh fh;
    uint32_t svid;
    bool exclusive;
    bool block, reclaim, nonmonitored; /* LOCK; the last: NM_LOCK */
    bool udp, message;                 /* over UDP; as _MSG, to be answered by _RES */
    uint64_t offset, len;              /* len 0: to the end */
};
struct call *nlm_lock(struct nlm *n, const struct nlm_lock *l);
struct call *nlm_test(struct nlm *n, const struct nlm_lock *l); /* DENIED: the holder is in call->r */
struct call *nlm_unlock(struct nlm *n, const struct nlm_lock *l);
struct call *nlm_cancel(struct nlm *n, const struct nlm_lock *l);
struct call *nlm_share(struct nlm *n, const struct nfs_fh *fh, uint32_t owner, uint32_t access, uint32_t deny,
                       bool reclaim);
struct call *nlm_unshare(struct nlm *n, const struct nfs_fh *fh, uint32_t owner, uint32_t access, uint32_t deny);
struct call *nlm_free_all(struct nlm *n, uint32_t state);

/* Status monitor of the host to the server's: "I have restarted", with this state number; or "NAME has". */
struct call *nsm_notify(struct nlm *n, uint32_t state);
struct call *nsm_notify_of(struct nlm *n, const char *name, uint32_t state);
