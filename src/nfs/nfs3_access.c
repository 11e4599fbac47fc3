/* nfs3_access.c - ACCESS (RFC 1813 §3.3.4): the protocol's six rights in terms of the server's. */
#include "nfs3.h"

struct args {
    struct nfs_fh fh;
    uint32_t access;
};
struct res {
    struct nfs3_post attr;
    uint32_t access;
};

/* A right is granted when all of `file` or `dir` is; 0: it means nothing for that type. */
static const struct {
    uint32_t wire, file, dir;
} rights[] = {
    {ACCESS3_READ, FS_READ_DATA, FS_LIST},
    {ACCESS3_LOOKUP, 0, FS_TRAVERSE},
    {ACCESS3_MODIFY, FS_WRITE_DATA, FS_ADD_FILE | FS_DELETE_CHILD},
    {ACCESS3_EXTEND, FS_APPEND_DATA, FS_ADD_FILE | FS_ADD_SUBDIR},
    {ACCESS3_DELETE, 0, FS_DELETE_CHILD},
    {ACCESS3_EXECUTE, FS_EXECUTE, 0},
};

static void decode(struct cursor *in, void *args)
{
    struct args *a = args;
    nfs3_get_fh(in, &a->fh);
    a->access = xdr_u32(in);
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
    bool dir = n->type == ST_DIR;
    uint32_t want = 0, granted = 0;
    for (size_t i = 0; i < ARRAY_LEN(rights); i++)
        if (a->access & rights[i].wire)
            want |= dir ? rights[i].dir : rights[i].file;
    st = want ? fs_access(&c->q, n, want, &granted) : ST_OK;
    if (st == ST_ACCESS || st == ST_ROFS) /* none of it: that is an answer, not an error */
        st = ST_OK;
    for (size_t i = 0; i < ARRAY_LEN(rights) && st == ST_OK; i++) {
        uint32_t need = dir ? rights[i].dir : rights[i].file;
        if (need && (granted & need) == need)
            r->access |= rights[i].wire & a->access;
    }
    nfs3_post(c, n, &r->attr);
    return st;
}

static void encode(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_post(w, &r->attr);
    if (st == ST_OK)
        xdr_put_u32(w, r->access);
}

const struct rpc_proc nfs3_proc_access = {
    .name = "ACCESS",
    .decode = decode,
    .run = run,
    .encode = encode,
    .args = sizeof(struct args),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
