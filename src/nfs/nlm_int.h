/* nlm_int.h - the Network Lock Manager, versions 1, 3 and 4 (X/Open XNFS chapters 9 and 10, RFC 1813 appendix II).
 *
 * Who locks: a *host* is a caller name together with the address it calls from, so that nobody can touch another's
 * locks by giving its name; within a host the svid says which process. Locks themselves are the file service's. What
 * this folder keeps is: blocking locks that wait (their call lives on after NLM4_BLOCKED), and grants that the
 * client has not confirmed yet. */
#pragma once
#include "base/hash.h"
#include "nfs_int.h"
#include "rpc/rpc_client.h"
#include <pthread.h>

#define NLM_PROGRAM 100021u
#define NLM_NETOBJ_MAX 1024u /* MAXNETOBJ_SZ */
#define NLM_NAME_MAX 1024u   /* LM_MAXSTRLEN */

enum nlm4_stats { NLM4_GRANTED, NLM4_DENIED, NLM4_DENIED_NOLOCKS, NLM4_BLOCKED, NLM4_DENIED_GRACE_PERIOD, NLM4_DEADLCK,
                  NLM4_ROFS, NLM4_STALE_FH, NLM4_FBIG, NLM4_FAILED };
enum { NLM_NULL, NLM_TEST, NLM_LOCK, NLM_CANCEL, NLM_UNLOCK, NLM_GRANTED, NLM_TEST_MSG, NLM_LOCK_MSG, NLM_CANCEL_MSG,
       NLM_UNLOCK_MSG, NLM_GRANTED_MSG, NLM_TEST_RES, NLM_LOCK_RES, NLM_CANCEL_RES, NLM_UNLOCK_RES, NLM_GRANTED_RES,
       NLM_SHARE = 20, NLM_UNSHARE, NLM_NM_LOCK, NLM_FREE_ALL, NLM_PROCS };

/* The only map to the protocol's status; versions 1 and 3 know fewer. (nlm_xdr.c) */
enum nlm4_stats nlm_status(enum st st, uint32_t vers);

struct nlm_lock {
    struct nfs_name caller;
    struct nfs_fh fh;   /* up to NLM_NETOBJ_MAX bytes on the wire */
    struct nfs_name oh;
    uint32_t svid;
    uint64_t offset, len; /* len 0: to the end */
};
struct nlm_args { /* of every procedure; each fills in what it has */
    struct nfs_name cookie;
    bool block, exclusive, reclaim;
    uint32_t state, stat;
    struct nlm_lock lock;   /* SHARE: without svid and range */
    uint32_t mode, access;  /* SHARE: fsh4_mode, fsh4_access */
};
struct nlm_res {
    bool blocked;           /* the answer is BLOCKED: a waiter exists already */
    bool denied_grace;
    struct co_hold holder;  /* TEST */
};

/* --- XDR (nlm_xdr.c); 32: versions 1 and 3, 64: version 4. */
#define NLM_DECODERS(bits)                                                                                             \
    void nlm_decode_test##bits(struct cursor *in, void *args);                                                         \
    void nlm_decode_lock##bits(struct cursor *in, void *args);                                                         \
    void nlm_decode_cancel##bits(struct cursor *in, void *args);                                                       \
    void nlm_decode_unlock##bits(struct cursor *in, void *args);
NLM_DECODERS(32)
NLM_DECODERS(64)
#undef NLM_DECODERS
void nlm_decode_share(struct cursor *in, void *args);
void nlm_decode_res(struct cursor *in, void *args);    /* cookie, stat */
void nlm_decode_notify(struct cursor *in, void *args); /* caller name, state */
void nlm_encode_test(struct rpc_call *c, struct wbuf *w, enum st st);
void nlm_encode_res(struct rpc_call *c, struct wbuf *w, enum st st);
void nlm_encode_share(struct rpc_call *c, struct wbuf *w, enum st st);
void nlm_put_lock(struct wbuf *w, uint32_t vers, const struct nlm_lock *l);

/* --- Procedures (nlm_lock.c, nlm_share.c). */
enum st nlm_run_test(struct rpc_call *c);
enum st nlm_run_lock(struct rpc_call *c);
enum st nlm_run_nm_lock(struct rpc_call *c);
enum st nlm_run_cancel(struct rpc_call *c);
enum st nlm_run_unlock(struct rpc_call *c);
enum st nlm_run_share(struct rpc_call *c);
enum st nlm_run_unshare(struct rpc_call *c);
enum st nlm_run_free_all(struct rpc_call *c);
enum st nlm_run_granted_res(struct rpc_call *c);
/* The number under which the engine knows a host; never 0. */
uint64_t nlm_client(const struct nfs_name *caller, const struct sockaddr_storage *peer);
/* Handle, share, credentials, and the party of the host for `owner`. *ret is a reference. */
enum st nlm_node(struct nfs_call *c, const struct nlm_lock *l, uint64_t owner, struct st_node **ret);
/* ST_BADRANGE: beyond what the version can say. */
enum st nlm_range(const struct nlm_args *a, uint32_t vers, struct fs_range *ret);

/* --- Blocking locks that wait, and grants not yet confirmed (nlm_wait.c). */
struct nlm_id { /* what makes two LOCKs one: retransmissions and polls */
    uint64_t client;
    uint32_t svid;
    bool exclusive;
    uint64_t first, last;
    uint32_t nfh;
    uint8_t fh[FS_HANDLE_MAX];
};
enum nlm_wait_state {
    NLM_WAITING, /* `call` runs or is parked */
    NLM_GRANTING, /* the lock is held, the client is being told */
    NLM_OVER,    /* confirmed, released or cancelled: whoever tells the client only frees it */
};
struct nlm_wait {
    struct hash_link link; /* by client, svid and handle; under nlm->lock, as are state and cancelled */
    enum nlm_wait_state state;
    bool linked, cancelled;
    struct nfs_call *call;
    struct nlm_id id;
    struct nlm *nlm;
    struct co_party party;
    /* For the callback: as the client gave it. */
    struct sockaddr_storage peer;
    bool udp, msg;
    uint32_t vers;
    struct nlm_lock lock; /* its bytes are behind this structure */
    /* nlm_grant.c, on the server's own loop. */
    struct list in_grants; /* under nlm->lock */
    uint64_t cookie, deadline;
    unsigned tries;
    struct rpc_out *out;
    struct timer timer;
    struct task task;
};
struct nlm {
    struct nfs_server *srv;
    pthread_mutex_t lock;
    struct hash waits;
    struct list grants;
    uint64_t next_cookie;
    _Atomic unsigned sending; /* _RES calls under way */
    struct list sends;        /* the same, on the server's own loop */
    struct rpc_lines *lines;  /* to clients' lock managers; on that loop too */
};
int nlm_create(struct nfs_server *s, struct nlm **ret);
void nlm_free(struct nlm *nlm); /* after the rpc server */
/* fs_lock() said ST_AGAIN for a blocking lock: ST_AGAIN (it waits from now on), or ST_TOOMANY. */
enum st nlm_wait_begin(struct nfs_call *c, const struct nlm_id *id);
/* The call has ended with st: what it has come to, seen together with a CANCEL at the same time. */
enum st nlm_wait_end(struct nfs_call *c, struct st_node *n, enum st st);
bool nlm_wait_cancelled(struct nfs_call *c);
void nlm_wait_drop(struct nfs_call *c); /* the call goes away */
/* Another LOCK like a waiting one (true: BLOCKED), or like one being granted: that confirms it. */
bool nlm_wait_known(struct nlm *nlm, const struct nlm_id *id);
/* CANCEL: the waiter with this id ends; a grant that is not confirmed: true, the caller unlocks it. */
bool nlm_wait_cancel(struct nlm *nlm, const struct nlm_id *id);
/* UNLOCK: waiters and grants of this owner within the range end. */
void nlm_wait_unlock(struct nlm *nlm, const struct nlm_id *id);
void nlm_wait_host_gone(struct nlm *nlm, uint64_t client);
void nlm_wait_free(struct nlm_wait *w);

/* --- Telling clients (nlm_grant.c). */
void nlm_late(struct rpc_call *c, enum st st); /* hook: a blocked call has ended */
void nlm_grant_confirm(struct nlm *nlm, const struct nfs_name *cookie, uint32_t stat); /* GRANTED_RES */
void nlm_grant_stop(struct nlm *nlm); /* the server's loop thread */
void nlm_release(const struct nlm_wait *w); /* unlocks what was granted */
/* Sends the answer of a _MSG procedure: results as `encode` writes them, as procedure `proc`. Any thread. */
void nlm_send_res(struct rpc_call *c, uint32_t proc, enum st st,
                  void (*encode)(struct rpc_call *c, struct wbuf *w, enum st st));

extern const struct rpc_program nlm1_program, nlm3_program, nlm4_program;
