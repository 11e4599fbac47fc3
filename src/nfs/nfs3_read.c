/* nfs3_read.c - READ (RFC 1813 §3.3.6). The data goes from the store into the reply, where it is to be sent from: run()
 * leaves room for what stands before it, encode() fills that in. */
#include "nfs3.h"

struct args {
    struct nfs_fh fh;
    uint64_t offset;
    uint32_t count;
};
struct res {
    struct nfs3_post attr;
    size_t n;
    bool eof;
};
/* status, attributes_follow, attributes, count, eof, length of data */
#define READ_HEAD (4u + 4u + NFS3_FATTR_SIZE + 4u + 4u + 4u)

static void decode(struct cursor *in, void *args)
{
    struct args *a = args;
    nfs3_get_fh(in, &a->fh);
    a->offset = xdr_u64(in);
    a->count = xdr_u32(in);
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
    /* Beyond the largest offset there is nothing, which is the end of the file and no error. */
    uint64_t room = a->offset < INT64_MAX ? INT64_MAX - a->offset : 0;
    size_t len = (size_t)MIN(MIN((uint64_t)a->count, (uint64_t)nfs_of(c)->io_max), room);
    rpc_reply(rc, READ_HEAD + XDR_PAD(len));
    uint8_t *p = wbuf_room(&rc->out, READ_HEAD + XDR_PAD(len));
    if (!p)
        return ST_NOMEM;
    st = fs_read(&c->q, n, NULL, a->offset, p + READ_HEAD, len, &r->n, &r->eof, &r->attr.a);
    r->attr.has = st == ST_OK;
    if (st != ST_OK)
        nfs3_post(c, n, &r->attr);
    return st;
}

static void encode(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    wbuf_cut(w, rc->body);
    nfs3_put_status(w, st);
    nfs3_put_post(w, &r->attr);
    if (st != ST_OK)
        return;
    xdr_put_u32(w, (uint32_t)r->n);
    xdr_put_bool(w, r->eof);
    xdr_put_u32(w, (uint32_t)r->n);
    wbuf_room(w, r->n); /* there already */
    wbuf_zero(w, XDR_PAD(r->n) - r->n);
}

const struct rpc_proc nfs3_proc_read = {
    .name = "READ",
    .decode = decode,
    .run = run,
    .encode = encode,
    .args = sizeof(struct args),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
