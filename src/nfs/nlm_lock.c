/* nlm_lock.c - TEST, LOCK, NM_LOCK, CANCEL, UNLOCK: from arguments to the file service. */
#include "nlm_int.h"
#include "nsm.h"
#include <stdio.h>

uint64_t nlm_client(const struct nfs_name *caller, const struct sockaddr_storage *peer)
{
    uint8_t buf[16 + NLM_NAME_MAX];
    rpc_addr_bytes(peer, buf);
    memcpy(buf + 16, caller->p, caller->n);
    uint64_t h = hash_bytes(buf, 16 + caller->n);
    return h ? h : 1;
}

enum st nlm_node(struct nfs_call *c, const struct nlm_lock *l, uint64_t owner, struct st_node **ret)
{
    if (l->fh.n > FS_HANDLE_MAX)
        return ST_BADHANDLE;
    enum st st = nfs_node(c, &l->fh, ret);
    if (st != ST_OK)
        return st;
    c->party.label = CO_LABEL_NLM;
    c->party.client = nlm_client(&l->caller, c->rpc.peer);
    c->party.account = addr_account(c->rpc.peer);
    c->party.open = owner;
    snprintf(c->party.who, sizeof c->party.who, "%.*s/%u@%s", (int)MIN(l->caller.n, 26u), l->caller.p, c->rpc.auth.uid,
             c->rpc.peer_name);
    return ST_OK;
}

enum st nlm_range(const struct nlm_args *a, uint32_t vers, struct fs_range *ret)
{
    const struct nlm_lock *l = &a->lock;
    uint64_t most = vers >= 4 ? UINT64_MAX : UINT32_MAX;
    *ret = (struct fs_range){.first = l->offset, .last = UINT64_MAX, .exclusive = a->exclusive};
    if (l->len == 0)
        return ST_OK;
    if (l->len - 1 > most - l->offset)
        return ST_BADRANGE;
    ret->last = l->offset + l->len - 1;
    return ST_OK;
}

static struct nlm_id id_of(const struct nfs_call *c, const struct nlm_args *a, const struct fs_range *range)
{
    struct nlm_id id = {.client = c->party.client, .svid = a->lock.svid, .exclusive = a->exclusive,
                        .first = range->first, .last = range->last, .nfh = a->lock.fh.n};
    memcpy(id.fh, a->lock.fh.p, id.nfh); /* nlm_node() has checked the length */
    return id;
}

/* What every procedure here begins with. */
static enum st resolve(struct nfs_call *c, struct fs_range *range, struct st_node **ret)
{
    const struct nlm_args *a = c->rpc.args;
    enum st st = nlm_range(a, c->rpc.prog->vers, range);
    return st == ST_OK ? nlm_node(c, &a->lock, a->lock.svid, ret) : st;
}

enum st nlm_run_test(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    struct nlm_res *r = rc->res;
    struct fs_range range;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = resolve(c, &range, &n);
    if (st != ST_OK)
        return st;
    if (fs_in_grace(c->q.fs)) {
        fs_cancel(&c->q);
        return ST_GRACE;
    }
    return fs_test_lock(&c->q, n, &range, &r->holder);
}

static enum st lock_once(struct nfs_call *c, bool monitored, struct st_node **ret_node)
{
    const struct nlm_args *a = c->rpc.args;
    struct nlm_res *r = c->rpc.res;
    struct fs_range range;
    enum st st = resolve(c, &range, ret_node);
    if (st != ST_OK)
        return st;
    struct nlm_id id = id_of(c, a, &range);
    struct nfs_server *s = nfs_of(c);
    if (!c->wait && nlm_wait_known(s->nlm, &id)) {
        r->blocked = true;
        return ST_OK;
    }
    if (monitored && (st = nsm_monitor(s->nsm, &c->rpc, &a->lock.caller, c->party.client, a->reclaim)) != ST_OK)
        return st;
    st = fs_lock(&c->q, *ret_node, NULL, &range, 1, a->block, a->reclaim);
    return st == ST_AGAIN && a->block ? nlm_wait_begin(c, &id) : st;
}

static enum st lock(struct rpc_call *rc, bool monitored)
{
    struct nfs_call *c = nfs_call(rc);
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = c->wait && nlm_wait_cancelled(c) ? ST_CANCELLED : lock_once(c, monitored, &n);
    return st == ST_AGAIN || st == ST_OFFLOAD ? st : nlm_wait_end(c, n, st);
}

enum st nlm_run_lock(struct rpc_call *rc) { return lock(rc, true); }
enum st nlm_run_nm_lock(struct rpc_call *rc) { return lock(rc, false); }

enum st nlm_run_cancel(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    struct fs_range range;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = resolve(c, &range, &n);
    if (st != ST_OK)
        return st;
    if (fs_in_grace(c->q.fs))
        return ST_GRACE;
    struct nlm_id id = id_of(c, rc->args, &range);
    /* Granted already, but the client does not know: it does not want it any more. Nothing to cancel is as good. */
    return nlm_wait_cancel(nfs_of(c)->nlm, &id) ? fs_unlock(&c->q, n, NULL, &range, 1) : ST_OK;
}

enum st nlm_run_unlock(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    struct fs_range range;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = resolve(c, &range, &n);
    if (st != ST_OK)
        return st;
    struct nlm_id id = id_of(c, rc->args, &range);
    nlm_wait_unlock(nfs_of(c)->nlm, &id);
    return fs_unlock(&c->q, n, NULL, &range, 1);
}

enum st nlm_run_granted_res(struct rpc_call *rc)
{
    const struct nlm_args *a = rc->args;
    nlm_grant_confirm(nfs_of(nfs_call(rc))->nlm, &a->cookie, a->stat);
    return ST_OK;
}
