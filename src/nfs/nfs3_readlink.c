/* nfs3_readlink.c - READLINK (RFC 1813 §3.3.5). */
#include "nfs3.h"

struct res {
    struct nfs3_post attr;
    char *path;
    size_t n;
};

static enum st run(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nfs_node(c, rc->args, &n);
    if (st != ST_OK)
        return st;
    st = n->type == ST_LNK ? fs_readlink(&c->q, n, &r->path, &r->n) : ST_INVAL;
    nfs3_post(c, n, &r->attr);
    return st;
}

static void encode(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_post(w, &r->attr);
    if (st == ST_OK)
        xdr_put_opaque(w, r->path, r->n);
}

const struct rpc_proc nfs3_proc_readlink = {
    .name = "READLINK",
    .decode = nfs3_decode_fh,
    .run = run,
    .encode = encode,
    .args = sizeof(struct nfs_fh),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
