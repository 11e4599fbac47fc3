/* nfs3_write.c - WRITE and COMMIT (RFC 1813 §3.3.7, §3.3.21). The data goes from the receive buffer to the store. */
#include "nfs3.h"

struct args {
    struct nfs_fh fh;
    uint64_t offset;
    uint32_t count, stable;
    const uint8_t *data;
};
struct res {
    struct fs_wcc wcc;
    uint32_t count;
};

static void decode_write(struct cursor *in, void *args)
{
    struct args *a = args;
    uint32_t n;
    nfs3_get_fh(in, &a->fh);
    a->offset = xdr_u64(in);
    a->count = xdr_u32(in);
    a->stable = xdr_enum(in, FS_FILE_SYNC); /* UNSTABLE, DATA_SYNC, FILE_SYNC: the same numbers */
    a->data = xdr_opaque(in, UINT32_MAX, &n);
    if (n != a->count)
        in->bad = true;
}

static enum st run_write(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct args *a = rc->args;
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nfs_node(c, &a->fh, &n);
    if (st != ST_OK)
        return st;
    r->count = MIN(a->count, nfs_of(c)->io_max);
    if (a->offset > (uint64_t)INT64_MAX - r->count)
        st = ST_FBIG;
    else
        st = fs_write(&c->q, n, NULL, a->offset, a->data, r->count, (enum fs_stable)a->stable, &r->wcc);
    nfs3_wcc_complete(c, n, &r->wcc);
    return st;
}

static void encode_write(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct args *a = rc->args;
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_wcc(w, &r->wcc);
    if (st != ST_OK)
        return;
    xdr_put_u32(w, r->count);
    xdr_put_u32(w, a->stable);
    xdr_put_u64(w, nfs_of(nfs_call(rc))->verifier);
}

const struct rpc_proc nfs3_proc_write = {
    .name = "WRITE",
    .decode = decode_write,
    .run = run_write,
    .encode = encode_write,
    .args = sizeof(struct args),
    .res = sizeof(struct res),
    .flags = RPC_CACHED | RPC_DELAY,
};

static void decode_commit(struct cursor *in, void *args)
{
    struct args *a = args;
    nfs3_get_fh(in, &a->fh);
    a->offset = xdr_u64(in);
    a->count = xdr_u32(in);
}

/* All of the file, whatever the range: what is durable beyond it does no harm. */
static enum st run_commit(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct args *a = rc->args;
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nfs_node(c, &a->fh, &n);
    if (st != ST_OK)
        return st;
    st = fs_commit(&c->q, n, NULL, &r->wcc);
    nfs3_wcc_complete(c, n, &r->wcc);
    return st;
}

static void encode_commit(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_wcc(w, &r->wcc);
    if (st == ST_OK)
        xdr_put_u64(w, nfs_of(nfs_call(rc))->verifier);
}

const struct rpc_proc nfs3_proc_commit = {
    .name = "COMMIT",
    .decode = decode_commit,
    .run = run_commit,
    .encode = encode_commit,
    .args = sizeof(struct args),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
