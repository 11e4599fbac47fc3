/* nfs3_fsinfo.c - FSSTAT, FSINFO and PATHCONF (RFC 1813 §3.3.18 to §3.3.20): what a file system and this server can
 * do. */
#include "nfs3.h"

struct res {
    struct nfs3_post attr;
    struct st_fsinfo info;
};

#define FSINFO_PREFERRED_DIR 65536u
#define FSINFO_MULTIPLE 4096u
#define PATHCONF_LINK_MAX 32000u /* fewer than any file system here allows, but for those that allow none */

static enum st run(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    struct res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = nfs_node(c, rc->args, &n);
    if (st != ST_OK)
        return st;
    st = fs_statfs(&c->q, n, &r->info);
    nfs3_post(c, n, &r->attr);
    return st;
}

static void encode_fsstat(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_post(w, &r->attr);
    if (st != ST_OK)
        return;
    xdr_put_u64(w, r->info.total);
    xdr_put_u64(w, r->info.free);
    xdr_put_u64(w, r->info.avail);
    xdr_put_u64(w, r->info.files);
    xdr_put_u64(w, r->info.ffree);
    xdr_put_u64(w, r->info.ffree);
    xdr_put_u32(w, 0); /* invarsec: may change at any time */
}

static void encode_fsinfo(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    uint32_t io = nfs_of(nfs_call(rc))->io_max;
    nfs3_put_status(w, st);
    nfs3_put_post(w, &r->attr);
    if (st != ST_OK)
        return;
    for (unsigned i = 0; i < 2; i++) { /* read, then write: largest, preferred, multiple */
        xdr_put_u32(w, io);
        xdr_put_u32(w, io);
        xdr_put_u32(w, FSINFO_MULTIPLE);
    }
    xdr_put_u32(w, MIN(FSINFO_PREFERRED_DIR, io));
    xdr_put_u64(w, INT64_MAX);
    xdr_put_u32(w, (uint32_t)(r->info.time_delta_ns / NSEC_PER_SEC));
    xdr_put_u32(w, (uint32_t)(r->info.time_delta_ns % NSEC_PER_SEC));
    xdr_put_u32(w, FSF3_LINK | FSF3_SYMLINK | FSF3_HOMOGENEOUS | FSF3_CANSETTIME);
}

static void encode_pathconf(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    const struct res *r = rc->res;
    nfs3_put_status(w, st);
    nfs3_put_post(w, &r->attr);
    if (st != ST_OK)
        return;
    xdr_put_u32(w, PATHCONF_LINK_MAX);
    xdr_put_u32(w, ST_NAME_MAX);
    xdr_put_bool(w, true); /* no_trunc: longer names are refused */
    xdr_put_bool(w, true); /* chown_restricted */
    xdr_put_bool(w, r->info.case_insensitive);
    xdr_put_bool(w, true); /* case_preserving */
}

const struct rpc_proc nfs3_proc_fsstat = {
    .name = "FSSTAT",
    .decode = nfs3_decode_fh,
    .run = run,
    .encode = encode_fsstat,
    .args = sizeof(struct nfs_fh),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
const struct rpc_proc nfs3_proc_fsinfo = {
    .name = "FSINFO",
    .decode = nfs3_decode_fh,
    .run = run,
    .encode = encode_fsinfo,
    .args = sizeof(struct nfs_fh),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
const struct rpc_proc nfs3_proc_pathconf = {
    .name = "PATHCONF",
    .decode = nfs3_decode_fh,
    .run = run,
    .encode = encode_pathconf,
    .args = sizeof(struct nfs_fh),
    .res = sizeof(struct res),
    .flags = RPC_DELAY,
};
