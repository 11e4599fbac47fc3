/* nfs3_setattr.c - SETATTR (RFC 1813 §3.3.2). */
#include "nfs3.h"

struct args {
    struct nfs_fh fh;
    struct nfs3_sattr sattr;
    bool guard;
    struct timespec ctime;
};
struct res {
    struct fs_wcc wcc;
};

static void decode(struct cursor *in, void *args)
{
    struct args *a = args;
    nfs3_get_fh(in, &a->fh);
    nfs3_get_sattr(in, &a->sattr);
    a->guard = xdr_bool(in);
    if (a->guard) {
        a->ctime.tv_sec = xdr_u32(in);
        a->ctime.tv_nsec = xdr_u32(in);
    }
}

static enum st run(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct args *a = rc->args;
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nfs_node(c, &a->fh, &n);
    if (st != ST_OK)
        return st;
    const struct fs_setattr sa = {.set = a->sattr.set, .a = a->sattr.a, .guard = a->guard, .guard_ctime = a->ctime};
    st = a->sattr.invalid ? ST_INVAL : fs_setattr(&c->q, n, NULL, &sa, &r->wcc);
    nfs3_wcc_complete(c, n, &r->wcc);
    return st;
}

static void encode(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_wcc(w, &r->wcc);
}

const struct rpc_proc nfs3_proc_setattr = {
    .name = "SETATTR",
    .decode = decode,
    .run = run,
    .encode = encode,
    .args = sizeof(struct args),
    .res = sizeof(struct res),
    .flags = RPC_CACHED | RPC_DELAY,
};
