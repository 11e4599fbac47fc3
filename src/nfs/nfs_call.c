/* nfs_call.c - from a caller's credentials and a file handle to a request of the file service.
 *
 * The only place that says who an NFS caller is. Knows no procedure. */
#include "nlm_int.h"

/* Who the caller says to be; export rules squash it. */
static void cred_of(struct nfs_call *c)
{
    const struct rpc_auth *a = &c->rpc.auth;
    struct fs_cred *cred = &c->cred;
    cred->uid = a->uid;
    cred->gid = a->gid;
    cred->ngroups = a->ngids;
    memcpy(cred->groups, a->gids, a->ngids * sizeof a->gids[0]);
    cred->superuser = a->flavor == RPC_AUTH_SYS && a->uid == 0;
    cred->guest = false;
    cred->name[0] = '\0';
}

/* "1000@10.0.0.5:843", for people. Every call of every client comes by here, so without printf. */
static void name_caller(const struct nfs_call *c, char who[CO_WHO])
{
    char digits[12], *d = digits + sizeof digits;
    if (c->rpc.auth.flavor == RPC_AUTH_SYS) {
        uint32_t uid = c->rpc.auth.uid;
        *--d = '@';
        do
            *--d = (char)('0' + uid % 10);
        while (uid /= 10);
    }
    size_t n = (size_t)(digits + sizeof digits - d);
    memcpy(who, d, n);
    memccpy(who + n, c->rpc.peer_name, 0, CO_WHO - 1 - n);
}

static void request_init(struct nfs_call *c)
{
    fs_req_init(&c->q, nfs_of(c)->fs, &c->rpc.job, &c->rpc.arena);
    c->party = (struct co_party){.label = CO_LABEL_NFS3, .flavour = CO_POSIX};
    name_caller(c, c->party.who);
    c->q.cred = &c->cred;
    c->q.party = &c->party;
    c->q.posix = true;
}

enum st nfs_share(struct nfs_call *c, struct fs_share *share)
{
    if (!c->q.fs)
        request_init(c);
    c->q.may_block = c->rpc.job.on_pool;
    if (c->q.share)
        fs_share_put(c->q.share);
    c->q.share = share;
    cred_of(c);
    if (!fs_export_admit(share, c->rpc.peer, &c->cred, &c->q.read_only))
        return ST_ACCESS;
    if (c->rpc.auth.flavor == RPC_AUTH_NONE) { /* nobody in particular */
        c->cred.uid = share->cfg.anon_uid;
        c->cred.gid = share->cfg.anon_gid;
    }
    return ST_OK;
}

enum st nfs_node(struct nfs_call *c, const struct nfs_fh *fh, struct st_node **ret)
{
    struct fs_share *share;
    struct st_node *n;
    enum st st = fs_from_handle(nfs_of(c)->fs, fh->p, fh->n, &share, &n);
    if (st != ST_OK)
        return st;
    st = nfs_share(c, share);
    if (st != ST_OK) {
        fs_node_unref(n);
        return st;
    }
    *ret = n;
    return ST_OK;
}

enum st nfs_node2(struct nfs_call *c, const struct nfs_fh *fh, struct st_node **ret)
{
    struct fs_share *share;
    struct st_node *n;
    enum st st = fs_from_handle(nfs_of(c)->fs, fh->p, fh->n, &share, &n);
    if (st != ST_OK)
        return st;
    bool same = share->id == c->q.share->id;
    fs_share_put(share);
    if (!same) {
        fs_node_unref(n);
        return ST_XDEV;
    }
    *ret = n;
    return ST_OK;
}

/* --- Hooks of the RPC server. */

static void call_begin(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    c->q.fs = NULL;
    c->q.share = NULL;
    c->wait = NULL;
}

static enum fs_jukebox jukebox_of(const struct nfs_call *c)
{
    return c->q.fs && c->q.share ? c->q.share->cfg.jukebox : FS_JUKEBOX;
}

static bool call_give_up(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    if (c->q.fs)
        fs_cancel_reserve(&c->q);
    return jukebox_of(c) != FS_JUKEBOX_DROP;
}

static void call_release(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    nlm_wait_drop(c);
    /* A run after a wait may have ended before the gate: its place in the queues is still there. */
    if (c->q.fs && rc->job.runs > 1)
        fs_cancel(&c->q);
    if (c->q.fs && c->q.share)
        fs_share_put(c->q.share);
}

/* Semantics of waiting: an NFS client over UDP sends again after a second; one that asked for a lock is told BLOCKED;
 * one that cannot be told to come back waits until the engine's own deadline. */
#define NLM_BLOCKED_AFTER (200 * NSEC_PER_MSEC)
static uint64_t call_park(const struct rpc_call *rc)
{
    if (rc->proc->flags & RPC_EARLY)
        return ((const struct nlm_args *)rc->args)->block ? NLM_BLOCKED_AFTER : 0;
    const struct nfs_server *s = rc->svc->ctx;
    if (jukebox_of((const struct nfs_call *)rc) == FS_JUKEBOX_HOLD)
        return 0;
    return rc->udp ? s->cfg.park / 10 : s->cfg.park;
}

const struct rpc_hooks nfs_hooks = {
    .begin = call_begin,
    .park = call_park,
    .give_up = call_give_up,
    .late = nlm_late,
    .release = call_release,
};
