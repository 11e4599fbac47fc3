/* nfs3_getattr.c - GETATTR (RFC 1813 §3.3.1). */
#include "nfs3.h"

struct res {
    struct st_attr a;
};

static enum st run(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nfs_node(c, rc->args, &n);
    return st == ST_OK ? fs_getattr(&c->q, n, &r->a) : st;
}

static void encode(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    if (st == ST_OK)
        nfs3_put_fattr(w, &r->a);
}

const struct rpc_proc nfs3_proc_getattr = {
    .name = "GETATTR",
    .decode = nfs3_decode_fh,
    .run = run,
    .encode = encode,
    .args = sizeof(struct nfs_fh),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
