/* nfs3_remove.c - REMOVE and RMDIR (RFC 1813 §3.3.12, §3.3.13). */
#include "nfs3.h"

struct res {
    struct fs_wcc dir;
};

static enum st run(struct rpc_call *rc, bool want_dir)
{
    struct nfs_call *c = nfs_call(rc);
    const struct nfs3_diropargs *a = rc->args;
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *dir = NULL;
    enum st st = nfs_node(c, &a->dir, &dir);
    if (st != ST_OK)
        return st;
    st = fs_remove(&c->q, dir, a->name.p, a->name.n, want_dir, &r->dir);
    nfs3_wcc_complete(c, dir, &r->dir);
    return st;
}

static enum st run_remove(struct rpc_call *rc) { return run(rc, false); }
static enum st run_rmdir(struct rpc_call *rc) { return run(rc, true); }

static void encode(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_wcc(w, &r->dir);
}

const struct rpc_proc nfs3_proc_remove = {
    .name = "REMOVE",
    .decode = nfs3_decode_diropargs,
    .run = run_remove,
    .encode = encode,
    .args = sizeof(struct nfs3_diropargs),
    .res = sizeof(struct res),
    .flags = RPC_CACHED | RPC_DELAY,
};
const struct rpc_proc nfs3_proc_rmdir = {
    .name = "RMDIR",
    .decode = nfs3_decode_diropargs,
    .run = run_rmdir,
    .encode = encode,
    .args = sizeof(struct nfs3_diropargs),
    .res = sizeof(struct res),
    .flags = RPC_CACHED | RPC_DELAY,
};
