/* nfs3_mkdir.c - MKDIR, SYMLINK and MKNOD (RFC 1813 §3.3.9 to §3.3.11). */
#include "nfs3.h"

struct args {
    struct nfs3_diropargs where;
    struct nfs3_sattr sattr;
    struct nfs_name target; /* SYMLINK */
    uint32_t type;          /* MKNOD: ftype3 */
};

static enum st make(struct rpc_call *rc, enum st_type type, const char *target, enum st wrong)
{
    const struct args *a = rc->args;
    struct fs_make m = {.a = a->sattr.a, .set = a->sattr.set & ~(uint32_t)ST_SET_SIZE, .target = target,
                        .how = FS_CREATE_GUARDED};
    m.a.type = type;
    if (wrong == ST_OK && a->sattr.invalid)
        wrong = ST_INVAL;
    return nfs3_make(nfs_call(rc), &a->where, &m, wrong, rc->res);
}

static void decode_mkdir(struct cursor *in, void *args)
{
    struct args *a = args;
    nfs3_get_diropargs(in, &a->where);
    nfs3_get_sattr(in, &a->sattr);
}

static enum st run_mkdir(struct rpc_call *rc) { return make(rc, ST_DIR, NULL, ST_OK); }

const struct rpc_proc nfs3_proc_mkdir = {
    .name = "MKDIR",
    .decode = decode_mkdir,
    .run = run_mkdir,
    .encode = nfs3_encode_made,
    .args = sizeof(struct args),
    .res = sizeof(struct nfs3_made),
    .expect = 320,
    .flags = RPC_CACHED | RPC_DELAY,
};

static void decode_symlink(struct cursor *in, void *args)
{
    struct args *a = args;
    decode_mkdir(in, args);
    a->target.p = xdr_string(in, NFS3_NAME_MAX, &a->target.n);
}

static enum st run_symlink(struct rpc_call *rc)
{
    const struct args *a = rc->args;
    if (a->target.n == 0 || memchr(a->target.p, 0, a->target.n))
        return make(rc, ST_LNK, NULL, ST_INVAL);
    if (a->target.n > NFS3_PATH_MAX)
        return make(rc, ST_LNK, NULL, ST_NAMETOOLONG);
    const char *target = arena_strndup(&rc->arena, a->target.p, a->target.n);
    return make(rc, ST_LNK, target, target ? ST_OK : ST_NOMEM);
}

const struct rpc_proc nfs3_proc_symlink = {
    .name = "SYMLINK",
    .decode = decode_symlink,
    .run = run_symlink,
    .encode = nfs3_encode_made,
    .args = sizeof(struct args),
    .res = sizeof(struct nfs3_made),
    .expect = 320,
    .flags = RPC_CACHED | RPC_DELAY,
};

static void decode_mknod(struct cursor *in, void *args)
{
    struct args *a = args;
    nfs3_get_diropargs(in, &a->where);
    a->type = xdr_enum(in, NF3FIFO);
    if (a->type == NF3CHR || a->type == NF3BLK || a->type == NF3SOCK || a->type == NF3FIFO)
        nfs3_get_sattr(in, &a->sattr);
    if (a->type == NF3CHR || a->type == NF3BLK) {
        a->sattr.a.rdev_major = xdr_u32(in);
        a->sattr.a.rdev_minor = xdr_u32(in);
    }
}

static enum st run_mknod(struct rpc_call *rc)
{
    static const uint8_t types[] = {[NF3BLK] = ST_BLK, [NF3CHR] = ST_CHR, [NF3SOCK] = ST_SOCK, [NF3FIFO] = ST_FIFO};
    const struct args *a = rc->args;
    enum st_type type = (enum st_type)types[a->type];
    return make(rc, type, NULL, type ? ST_OK : ST_BADTYPE);
}

const struct rpc_proc nfs3_proc_mknod = {
    .name = "MKNOD",
    .decode = decode_mknod,
    .run = run_mknod,
    .encode = nfs3_encode_made,
    .args = sizeof(struct args),
    .res = sizeof(struct nfs3_made),
    .expect = 320,
    .flags = RPC_CACHED | RPC_DELAY,
};
