/* nfs3_lookup.c - LOOKUP (RFC 1813 §3.3.3). */
#include "nfs3.h"

struct res {
    uint8_t fh[FS_HANDLE_MAX];
    size_t nfh;
    struct nfs3_post attr, dir;
};

static enum st look(struct nfs_call *c, struct st_node *dir, const struct nfs_name *name, struct res *r)
{
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = fs_lookup(&c->q, dir, name->p, name->n, &n, &r->attr.a);
    if (st != ST_OK)
        return st;
    r->attr.has = true;
    return fs_handle(&c->q, n, r->fh, &r->nfh);
}

static enum st run(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct nfs3_diropargs *a = rc->args;
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *dir = NULL;
    enum st st = nfs_node(c, &a->dir, &dir);
    if (st != ST_OK)
        return st;
    st = look(c, dir, &a->name, r);
    nfs3_post(c, dir, &r->dir);
    return st;
}

static void encode(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    if (st == ST_OK) {
        xdr_put_opaque(w, r->fh, r->nfh);
        nfs3_put_post(w, &r->attr);
    }
    nfs3_put_post(w, &r->dir);
}

const struct rpc_proc nfs3_proc_lookup = {
    .name = "LOOKUP",
    .decode = nfs3_decode_diropargs,
    .run = run,
    .encode = encode,
    .args = sizeof(struct nfs3_diropargs),
    .res = sizeof(struct res),
    .expect = 320,
    .flags = RPC_DELAY,
};
