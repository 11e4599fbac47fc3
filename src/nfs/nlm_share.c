/* nlm_share.c - SHARE, UNSHARE and FREE_ALL of NLM versions 3 and 4 (XNFS §10.1): what PC clients hold instead of
 * opens. */
#include "nlm_int.h"
#include "nsm.h"

/* A share has no svid: within the host its owner is the owner handle. Kept apart from the svids of locks. */
static uint64_t owner_of(const struct nlm_args *a)
{
    return hash_bytes(a->lock.oh.p, a->lock.oh.n) | 1ull << 63;
}

/* fsh4_mode and fsh4_access are bits: 1 read, 2 write; so are the engine's. */
_Static_assert(CO_ACC_READ == 1 && CO_ACC_WRITE == 2, "the wire's values are used as they are");

enum st nlm_run_share(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct nlm_args *a = rc->args;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nlm_node(c, &a->lock, owner_of(a), &n);
    if (st == ST_OK)
        st = nsm_monitor(nfs_of(c)->nsm, rc, &a->lock.caller, c->party.client, a->reclaim);
    return st == ST_OK ? fs_share_reserve(&c->q, n, (uint8_t)a->access, (uint8_t)a->mode, a->reclaim) : st;
}

enum st nlm_run_unshare(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct nlm_args *a = rc->args;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nlm_node(c, &a->lock, owner_of(a), &n);
    if (st == ST_OK)
        fs_share_release(&c->q, n);
    return st;
}

/* The host has crashed or gives everything up, and says so itself: its name counts only from its own address. */
enum st nlm_run_free_all(struct rpc_call *rc)
{
    const struct nlm_args *a = rc->args;
    struct nfs_server *s = nfs_of(nfs_call(rc));
    uint64_t client = nlm_client(&a->lock.caller, rc->peer);
    nlm_wait_host_gone(s->nlm, client);
    fs_client_gone(s->fs, client);
    log_info("nlm", "event=free_all host=%s peer=%s", log_quote(a->lock.caller.p, a->lock.caller.n), rc->peer_name);
    return ST_OK;
}
