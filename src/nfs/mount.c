/* mount.c - the procedures of MOUNT, versions 1 and 3 alike but for the handle.
 *
 * "/NAME" is the root of share NAME, "/NAME/a/b" a directory below it. The path is walked with the server's own rights,
 * as mount daemons do: whether the caller may use what it mounts is asked at every operation. */
#include "mount.h"
#include <arpa/inet.h>
#include <stdio.h>

struct path_args {
    struct nfs_name path;
};
struct mnt_res {
    uint8_t fh[FS_HANDLE_MAX];
    size_t nfh;
};

enum mountstat3 mount_status(enum st st)
{
    static const struct {
        enum st st;
        enum mountstat3 mnt;
    } map[] = {
        {ST_OK, MNT3_OK},           {ST_NOENT, MNT3ERR_NOENT},   {ST_NOPATH, MNT3ERR_NOENT},
        {ST_ACCESS, MNT3ERR_ACCES}, {ST_PERM, MNT3ERR_PERM},     {ST_NOTDIR, MNT3ERR_NOTDIR},
        {ST_INVAL, MNT3ERR_INVAL},  {ST_BADNAME, MNT3ERR_INVAL}, {ST_NAMETOOLONG, MNT3ERR_NAMETOOLONG},
        {ST_IO, MNT3ERR_IO},        {ST_STALE, MNT3ERR_NOENT},   {ST_NOTSUP, MNT3ERR_NOTSUPP},
        {ST_BUFSIZE, MNT3ERR_NOTSUPP},
    };
    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (map[i].st == st)
            return map[i].mnt;
    return MNT3ERR_SERVERFAULT;
}

static void decode_path(struct cursor *in, void *args)
{
    struct path_args *a = args;
    a->path.p = xdr_string(in, MNTPATHLEN, &a->path.n);
}

/* The next component of the path; false at its end. Several slashes are one. */
static bool next_component(struct nfs_name *path, struct nfs_name *ret)
{
    while (path->n > 0 && *path->p == '/') {
        path->p++;
        path->n--;
    }
    ret->p = path->p;
    while (path->n > 0 && *path->p != '/') {
        path->p++;
        path->n--;
    }
    ret->n = (uint32_t)(path->p - ret->p);
    return ret->n > 0;
}

/* The directory that the path names; c->q is set up for its share. */
static enum st walk(struct nfs_call *c, struct nfs_name path, struct st_node **ret)
{
    struct nfs_name name;
    if (path.n == 0 || path.p[0] != '/' || !next_component(&path, &name))
        return ST_NOENT;
    struct fs_share *share = fs_share_get(nfs_of(c)->fs, name.p, name.n);
    if (!share)
        return ST_NOENT;
    enum st st = nfs_share(c, share);
    if (st != ST_OK)
        return st;
    c->cred = (struct fs_cred){.superuser = true};
    struct st_node *n = fs_node_ref(share->root);
    while (st == ST_OK && next_component(&path, &name)) {
        struct st_node *dir = n;
        n = NULL;
        st = fs_lookup(&c->q, dir, name.p, name.n, &n, NULL);
        fs_node_unref(dir);
    }
    if (st == ST_OK && n->type != ST_DIR)
        st = ST_NOTDIR;
    if (st == ST_OK)
        *ret = n;
    else
        fs_node_unref(n);
    return st;
}

/* The client as it stands in the mount list: its address without the port. */
static void host_of(const struct rpc_call *rc, char out[64])
{
    struct sockaddr_storage a = *rc->peer;
    rpc_addr_set_port(&a, 0);
    addr_format(&a, out, 64);
    char *colon = strrchr(out, ':');
    if (colon && strcmp(colon, ":0") == 0)
        *colon = '\0';
}

static char *path_string(struct rpc_call *rc, const struct nfs_name *path)
{
    char *s = arena_strndup(&rc->arena, path->p, path->n);
    for (size_t n = s ? strlen(s) : 0; n > 1 && s[n - 1] == '/'; n--)
        s[n - 1] = '\0';
    return s;
}

static enum st run_mnt(struct rpc_call *rc)
{
    struct nfs_call *c = nfs_call(rc);
    const struct path_args *a = rc->args;
    struct mnt_res *r = rc->res;
    _cleanup_nfs_node_ struct st_node *n = NULL;
    enum st st = walk(c, a->path, &n);
    if (st == ST_OK)
        st = fs_handle(&c->q, n, r->fh, &r->nfh);
    if (st == ST_OK && rc->prog->vers == 1 && r->nfh > FHSIZE1)
        st = ST_BUFSIZE; /* version 1 has no room for it, nor this server an NFSv2 to use it with */
    if (st == ST_AGAIN || st == ST_OFFLOAD)
        return st;
    char host[64];
    host_of(rc, host);
    const char *path = path_string(rc, &a->path);
    log_info("mount", "event=mount peer=%s path=%s result=\"%s\"", rc->peer_name, log_quote(a->path.p, a->path.n),
             st_text(st));
    if (st == ST_OK && path)
        mount_table_add(nfs_of(c)->mounts, host, path);
    return st;
}

static void encode_mnt(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    static const uint32_t flavors[] = {RPC_AUTH_SYS, RPC_AUTH_NONE}; /* in the order of our preference */
    const struct mnt_res *r = rc->res;
    xdr_put_u32(w, mount_status(st));
    if (st != ST_OK)
        return;
    if (rc->prog->vers == 1) {
        wbuf_put(w, r->fh, r->nfh);
        wbuf_zero(w, FHSIZE1 - r->nfh);
        return;
    }
    xdr_put_opaque(w, r->fh, r->nfh);
    xdr_put_u32(w, ARRAY_LEN(flavors));
    for (size_t i = 0; i < ARRAY_LEN(flavors); i++)
        xdr_put_u32(w, flavors[i]);
}

static bool dump_row(void *arg, const struct mount_entry *e)
{
    struct wbuf *w = arg;
    xdr_put_bool(w, true);
    xdr_put_string(w, e->host);
    xdr_put_string(w, e->path);
    return !w->bad;
}

static void encode_dump(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    mount_table_each(nfs_of(nfs_call(rc))->mounts, dump_row, w);
    xdr_put_bool(w, false);
}

static enum st run_umnt(struct rpc_call *rc)
{
    const struct path_args *a = rc->args;
    char host[64];
    host_of(rc, host);
    const char *path = path_string(rc, &a->path);
    if (path)
        mount_table_remove(nfs_of(nfs_call(rc))->mounts, host, path);
    return ST_OK;
}

static enum st run_umntall(struct rpc_call *rc)
{
    char host[64];
    host_of(rc, host);
    mount_table_remove(nfs_of(nfs_call(rc))->mounts, host, NULL);
    return ST_OK;
}

static void put_address(struct wbuf *w, const struct fs_export_rule *rule)
{
    static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
    char host[INET6_ADDRSTRLEN], group[80];
    unsigned bits = rule->prefix;
    if (bits == 0) {
        xdr_put_string(w, "*");
        return;
    }
    bool v4 = memcmp(rule->addr, v4_mapped, sizeof v4_mapped) == 0 && bits >= 96;
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? rule->addr + 12 : rule->addr, host, sizeof host);
    snprintf(group, sizeof group, "%s/%u", host, v4 ? bits - 96 : bits);
    xdr_put_string(w, group);
}

static bool export_row(void *arg, struct fs_share *s)
{
    struct wbuf *w = arg;
    char path[sizeof s->cfg.name + 1];
    if (!s->cfg.nfs)
        return true;
    snprintf(path, sizeof path, "/%s", s->cfg.name);
    xdr_put_bool(w, true);
    xdr_put_string(w, path);
    for (size_t i = 0; i < s->cfg.nrules; i++) { /* groups; none: everybody */
        xdr_put_bool(w, true);
        put_address(w, &s->cfg.rules[i]);
    }
    xdr_put_bool(w, false);
    return !w->bad;
}

static void encode_export(struct rpc_call *rc, struct wbuf *w, enum st st)
{
    fs_share_each(nfs_of(nfs_call(rc))->fs, export_row, w);
    xdr_put_bool(w, false);
}

static const struct rpc_proc proc_null = {.name = "NULL"};
static const struct rpc_proc proc_mnt = {
    .name = "MNT",
    .decode = decode_path,
    .run = run_mnt,
    .encode = encode_mnt,
    .args = sizeof(struct path_args),
    .res = sizeof(struct mnt_res),
};
static const struct rpc_proc proc_dump = {.name = "DUMP", .encode = encode_dump};
static const struct rpc_proc proc_umnt = {
    .name = "UMNT",
    .decode = decode_path,
    .run = run_umnt,
    .args = sizeof(struct path_args),
};
static const struct rpc_proc proc_umntall = {.name = "UMNTALL", .run = run_umntall};
static const struct rpc_proc proc_export = {.name = "EXPORT", .encode = encode_export};

static const struct rpc_proc *const procs[] = {
    [MOUNTPROC_NULL] = &proc_null,       [MOUNTPROC_MNT] = &proc_mnt,       [MOUNTPROC_DUMP] = &proc_dump,
    [MOUNTPROC_UMNT] = &proc_umnt,       [MOUNTPROC_UMNTALL] = &proc_umntall, [MOUNTPROC_EXPORT] = &proc_export,
    [MOUNTPROC_EXPORTALL] = &proc_export, /* version 1 only */
};

const struct rpc_program mount1_program = {
    .name = "mountd",
    .prog = MOUNT_PROGRAM,
    .vers = 1,
    .procs = procs,
    .nprocs = MOUNTPROC_EXPORTALL + 1,
    .transports = RPC_TCP | RPC_UDP,
};
const struct rpc_program mount3_program = {
    .name = "mountd",
    .prog = MOUNT_PROGRAM,
    .vers = 3,
    .procs = procs,
    .nprocs = MOUNTPROC_EXPORT + 1,
    .transports = RPC_TCP | RPC_UDP,
};
