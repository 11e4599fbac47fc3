/* nfs3_create.c - CREATE (RFC 1813 §3.3.8), and what all procedures that make objects share. */
#include "nfs3.h"

struct args {
    struct nfs3_diropargs where;
    uint32_t how; /* UNCHECKED, GUARDED, EXCLUSIVE: the numbers of enum fs_create_mode */
    struct nfs3_sattr sattr;
    uint64_t verf;
};
#define EXCLUSIVE_MODE 0600u /* until the SETATTR that follows */

enum st nfs3_make(struct nfs_call *c, const struct nfs3_diropargs *where, const struct fs_make *m, enum st args,
                  struct nfs3_made *res)
{
    _cleanup_nfs_node_ struct st_node *dir = NULL;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nfs_node(c, &where->dir, &dir);
    if (st != ST_OK)
        return st;
    st = args != ST_OK ? args : fs_make(&c->q, dir, where->name.p, where->name.n, m, &n, &res->attr.a, &res->dir);
    if (st == ST_OK) {
        res->attr.has = true;
        if (fs_handle(&c->q, n, res->fh, &res->nfh) != ST_OK)
            res->nfh = 0; /* made it is; the client looks it up */
    }
    nfs3_wcc_complete(c, dir, &res->dir);
    return st;
}

static void decode(struct cursor *in, void *args)
{
    struct args *a = args;
    nfs3_get_diropargs(in, &a->where);
    a->how = xdr_enum(in, FS_CREATE_EXCLUSIVE);
    if (a->how == FS_CREATE_EXCLUSIVE)
        a->verf = xdr_u64(in);
    else
        nfs3_get_sattr(in, &a->sattr);
}

static enum st run(struct rpc_call *rc)
{
    const struct args *a = rc->args;
    struct fs_make m = {.a = a->sattr.a, .set = a->sattr.set, .how = (enum fs_create_mode)a->how, .verifier = a->verf};
    m.a.type = ST_REG;
    if (a->how == FS_CREATE_EXCLUSIVE) {
        m.set = ST_SET_MODE;
        m.a.mode = EXCLUSIVE_MODE;
    }
    return nfs3_make(nfs_call(rc), &a->where, &m, a->sattr.invalid ? ST_INVAL : ST_OK, rc->res);
}

const struct rpc_proc nfs3_proc_create = {
    .name = "CREATE",
    .decode = decode,
    .run = run,
    .encode = nfs3_encode_made,
    .args = sizeof(struct args),
    .res = sizeof(struct nfs3_made),
    .expect = 320,
    .flags = RPC_CACHED | RPC_DELAY,
};
