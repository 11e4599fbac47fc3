/* nfs3_rename.c - RENAME and LINK (RFC 1813 §3.3.14, §3.3.15). */
#include "nfs3.h"

struct rename_args {
    struct nfs3_diropargs from, to;
};
struct rename_res {
    struct fs_wcc from, to;
};

static void decode_rename(struct cursor *in, void *args)
{
    struct rename_args *a = args;
    nfs3_get_diropargs(in, &a->from);
    nfs3_get_diropargs(in, &a->to);
}

static enum st run_rename(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct rename_args *a = rc->args;
    struct rename_res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *from = NULL;
    _cleanup_nfs_node_ struct st_node *to = NULL;
    enum st st = nfs_node(c, &a->from.dir, &from);
    if (st != ST_OK)
        return st;
    st = nfs_node2(c, &a->to.dir, &to);
    if (st == ST_OK) {
        const struct fs_rename rn = {.sdir = from, .sname = a->from.name.p, .sn = a->from.name.n,
                                     .ddir = to, .dname = a->to.name.p, .dn = a->to.name.n,
                                     .replace = true, .swcc = &r->from, .dwcc = &r->to};
        st = fs_rename(&c->q, &rn);
    }
    nfs3_wcc_complete(c, from, &r->from);
    nfs3_wcc_complete(c, to, &r->to);
    return st;
}

static void encode_rename(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct rename_res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_wcc(w, &r->from);
    nfs3_put_wcc(w, &r->to);
}

const struct rpc_proc nfs3_proc_rename = {
    .name = "RENAME",
    .decode = decode_rename,
    .run = run_rename,
    .encode = encode_rename,
    .args = sizeof(struct rename_args),
    .res = sizeof(struct rename_res),
    .expect = 256,
    .flags = RPC_CACHED | RPC_DELAY,
};

struct link_args {
    struct nfs_fh file;
    struct nfs3_diropargs link;
};
struct link_res {
    struct nfs3_post attr;
    struct fs_wcc dir;
};

static void decode_link(struct cursor *in, void *args)
{
    struct link_args *a = args;
    nfs3_get_fh(in, &a->file);
    nfs3_get_diropargs(in, &a->link);
}

static enum st run_link(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct link_args *a = rc->args;
    struct link_res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    _cleanup_nfs_node_ struct st_node *dir = NULL;
    enum st st = nfs_node(c, &a->file, &n);
    if (st != ST_OK)
        return st;
    st = nfs_node2(c, &a->link.dir, &dir);
    if (st == ST_OK)
        st = fs_link(&c->q, n, NULL, dir, a->link.name.p, a->link.name.n, false, &r->dir, &r->attr.a);
    r->attr.has = st == ST_OK;
    if (st != ST_OK)
        nfs3_post(c, n, &r->attr);
    nfs3_wcc_complete(c, dir, &r->dir);
    return st;
}

static void encode_link(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct link_res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_post(w, &r->attr);
    nfs3_put_wcc(w, &r->dir);
}

const struct rpc_proc nfs3_proc_link = {
    .name = "LINK",
    .decode = decode_link,
    .run = run_link,
    .encode = encode_link,
    .args = sizeof(struct link_args),
    .res = sizeof(struct link_res),
    .expect = 256,
    .flags = RPC_CACHED | RPC_DELAY,
};
