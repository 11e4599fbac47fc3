/* nfs.c - see nfs.h. */
#include "nfs.h"
#include <errno.h>

enum { MOUNT_PROGRAM = 100005, MOUNTPROC3_MNT = 1 };
enum { GETATTR = 1, SETATTR, LOOKUP, ACCESS, READLINK, READ, WRITE, CREATE, MKDIR, SYMLINK, MKNOD, REMOVE, RMDIR, RENAME,
       LINK, READDIR, READDIRPLUS, FSSTAT, FSINFO, PATHCONF, COMMIT };
enum { NF3FIFO = 7, SET_TO_SERVER_TIME = 1, LIST_BYTES = 32768 };

/* --- Decoding what calls have in common. */

static void get_fattr(struct cursor *in, struct call_result *r)
{
    r->has_attr = true;
    r->type = cursor_be32(in);
    r->mode = cursor_be32(in);
    r->nlink = cursor_be32(in);
    cursor_skip(in, 8);
    r->size = cursor_be64(in);
    cursor_skip(in, 24);
    r->fileid = cursor_be64(in);
    cursor_skip(in, 24);
}
static void get_post(struct cursor *in, struct call_result *r)
{
    if (cursor_be32(in))
        get_fattr(in, r);
}
static void get_wcc(struct cursor *in, struct call_result *r)
{
    if (cursor_be32(in))
        cursor_skip(in, 24);
    get_post(in, r);
}
static void get_fh(struct cursor *in, struct nfs_fh *fh)
{
    const uint8_t *p = xdr_get_opaque(in, &fh->n);
    if (!p || fh->n > sizeof fh->bytes)
        in->bad = true;
    else
        memcpy(fh->bytes, p, fh->n);
}

static bool begin(struct call *c, struct cursor *in)
{
    c->status = cursor_be32(in);
    return c->status == NFS3_OK;
}
static void end(struct call *c, struct cursor *in)
{
    if (in->bad)
        c->status = CALL_GARBLED;
}

static void got_status(struct call *c, struct cursor *in)
{
    begin(c, in);
    end(c, in);
}
static void got_attr(struct call *c, struct cursor *in)
{
    if (begin(c, in))
        get_fattr(in, &c->r);
    end(c, in);
}
static void got_wcc(struct call *c, struct cursor *in)
{
    begin(c, in);
    get_wcc(in, &c->r);
    end(c, in);
}
static void got_post(struct call *c, struct cursor *in)
{
    begin(c, in);
    get_post(in, &c->r);
    end(c, in);
}
static void got_lookup(struct call *c, struct cursor *in)
{
    if (begin(c, in)) {
        get_fh(in, &c->r.fh);
        get_post(in, &c->r);
    }
    end(c, in);
}
static void got_created(struct call *c, struct cursor *in)
{
    if (begin(c, in)) {
        if (cursor_be32(in))
            get_fh(in, &c->r.fh);
        get_post(in, &c->r);
    }
    end(c, in);
}
static void got_read(struct call *c, struct cursor *in)
{
    bool ok = begin(c, in);
    get_post(in, &c->r);
    if (ok) {
        c->r.count = cursor_be32(in);
        c->r.eof = cursor_be32(in);
        uint32_t n;
        c->r.data = xdr_get_opaque(in, &n);
        c->r.ndata = n;
    }
    end(c, in);
}
static void got_write(struct call *c, struct cursor *in)
{
    bool ok = begin(c, in);
    get_wcc(in, &c->r);
    if (ok)
        c->r.count = cursor_be32(in);
    end(c, in);
}
static void got_list(struct call *c, struct cursor *in)
{
    bool ok = begin(c, in);
    get_post(in, &c->r);
    if (ok) {
        cursor_skip(in, 8);
        c->r.data = in->p;
        c->r.ndata = cursor_left(in);
    }
    end(c, in);
}
static void got_mount(struct call *c, struct cursor *in)
{
    if (begin(c, in))
        get_fh(in, &c->r.fh);
    end(c, in);
}

/* --- Encoding. */

static struct wbuf nfs_begin(struct nfs *n, uint32_t proc, const struct nfs_fh *fh)
{
    struct wbuf w;
    rpc_begin(&n->rpc, &w, NFS_PROGRAM, 3, proc);
    xdr_opaque(&w, fh->bytes, fh->n);
    return w;
}

/* sattr3 */
static void put_sattr(struct wbuf *w, uint64_t size, uint32_t mode, uint32_t uid, bool touch)
{
    const uint32_t ids[] = {mode, uid, ~0u};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        wbuf_be32(w, ids[i] != ~0u);
        if (ids[i] != ~0u)
            wbuf_be32(w, ids[i]);
    }
    wbuf_be32(w, size != NFS_NO_SIZE);
    if (size != NFS_NO_SIZE)
        wbuf_be64(w, size);
    wbuf_be32(w, touch ? SET_TO_SERVER_TIME : 0);
    wbuf_be32(w, touch ? SET_TO_SERVER_TIME : 0);
}

const char *nfs_open(struct nfs *n, struct host *h)
{
    struct rpc mount;
    struct wbuf w;
    struct call_result r;
    memset(n, 0, sizeof *n);
    list_init(&n->rpc.calls);
    n->rpc.host = h; /* without a connection its calls are lost */
    if (!rpc_open(&mount, h, &h->target->mount, 2049))
        return "no connection to MOUNT";
    rpc_begin(&mount, &w, MOUNT_PROGRAM, 3, MOUNTPROC3_MNT);
    xdr_string(&w, h->target->export_path);
    uint32_t status = call_result(rpc_send(&mount, &w, "MNT", got_mount), &r);
    rpc_close(&mount);
    if (status != NFS3_OK)
        return "the export is refused";
    n->root = r.fh;
    bool ok = rpc_open(&n->rpc, h, &h->target->nfs, 2049);
    n->rpc.keep = h->keep;
    return ok ? NULL : "no connection to NFS";
}

void nfs_close(struct nfs *n) { rpc_close(&n->rpc); }

void nfs_reconnect(struct nfs *n)
{
    struct host *h = n->rpc.host;
    uint32_t xid = n->rpc.xid;
    wire_close(n->rpc.conn, true);
    n->rpc.conn = NULL;
    call_lose(&n->rpc.calls);
    rpc_open(&n->rpc, h, &h->target->nfs, 2049);
    n->rpc.xid = xid;
    n->rpc.keep = h->keep;
}

struct call *nfs_getattr(struct nfs *n, const struct nfs_fh *fh)
{
    struct wbuf w = nfs_begin(n, GETATTR, fh);
    return rpc_send(&n->rpc, &w, "GETATTR", got_attr);
}

struct call *nfs_setattr(struct nfs *n, const struct nfs_fh *fh, uint64_t size, uint32_t mode, uint32_t uid, bool touch)
{
    struct wbuf w = nfs_begin(n, SETATTR, fh);
    put_sattr(&w, size, mode, uid, touch);
    wbuf_be32(&w, 0); /* no guard */
    return rpc_send(&n->rpc, &w, "SETATTR", got_wcc);
}

static struct call *by_name(struct nfs *n, uint32_t proc, const char *what, const struct nfs_fh *dir, const char *name,
                            void (*decode)(struct call *c, struct cursor *in))
{
    struct wbuf w = nfs_begin(n, proc, dir);
    xdr_string(&w, name);
    return rpc_send(&n->rpc, &w, what, decode);
}
struct call *nfs_lookup(struct nfs *n, const struct nfs_fh *dir, const char *name)
{
    return by_name(n, LOOKUP, "LOOKUP", dir, name, got_lookup);
}
struct call *nfs_remove(struct nfs *n, const struct nfs_fh *dir, const char *name)
{
    return by_name(n, REMOVE, "REMOVE", dir, name, got_wcc);
}
struct call *nfs_rmdir(struct nfs *n, const struct nfs_fh *dir, const char *name)
{
    return by_name(n, RMDIR, "RMDIR", dir, name, got_wcc);
}

struct call *nfs_access(struct nfs *n, const struct nfs_fh *fh)
{
    struct wbuf w = nfs_begin(n, ACCESS, fh);
    wbuf_be32(&w, 0x3f);
    return rpc_send(&n->rpc, &w, "ACCESS", got_post);
}

struct call *nfs_readlink(struct nfs *n, const struct nfs_fh *fh)
{
    struct wbuf w = nfs_begin(n, READLINK, fh);
    return rpc_send(&n->rpc, &w, "READLINK", got_post);
}

struct call *nfs_read(struct nfs *n, const struct nfs_fh *fh, uint64_t offset, uint32_t count)
{
    struct wbuf w = nfs_begin(n, READ, fh);
    wbuf_be64(&w, offset);
    wbuf_be32(&w, count);
    return rpc_send(&n->rpc, &w, "READ", got_read);
}

struct call *nfs_write(struct nfs *n, const struct nfs_fh *fh, uint64_t offset, const void *data, uint32_t count,
                       enum nfs_stable stable)
{
    struct wbuf w = nfs_begin(n, WRITE, fh);
    wbuf_be64(&w, offset);
    wbuf_be32(&w, count);
    wbuf_be32(&w, stable);
    xdr_opaque(&w, data, count);
    return rpc_send(&n->rpc, &w, "WRITE", got_write);
}

struct call *nfs_create(struct nfs *n, const struct nfs_fh *dir, const char *name, enum nfs_createmode how, uint64_t size,
                        uint64_t verifier)
{
    struct wbuf w = nfs_begin(n, CREATE, dir);
    xdr_string(&w, name);
    wbuf_be32(&w, how);
    if (how == EXCLUSIVE)
        wbuf_be64(&w, verifier);
    else
        put_sattr(&w, size, 0666, ~0u, false);
    return rpc_send(&n->rpc, &w, "CREATE", got_created);
}

struct call *nfs_mkdir(struct nfs *n, const struct nfs_fh *dir, const char *name)
{
    struct wbuf w = nfs_begin(n, MKDIR, dir);
    xdr_string(&w, name);
    put_sattr(&w, NFS_NO_SIZE, 0777, ~0u, false);
    return rpc_send(&n->rpc, &w, "MKDIR", got_created);
}

struct call *nfs_symlink(struct nfs *n, const struct nfs_fh *dir, const char *name, const char *target)
{
    struct wbuf w = nfs_begin(n, SYMLINK, dir);
    xdr_string(&w, name);
    put_sattr(&w, NFS_NO_SIZE, 0777, ~0u, false);
    xdr_string(&w, target);
    return rpc_send(&n->rpc, &w, "SYMLINK", got_created);
}

struct call *nfs_mkfifo(struct nfs *n, const struct nfs_fh *dir, const char *name)
{
    struct wbuf w = nfs_begin(n, MKNOD, dir);
    xdr_string(&w, name);
    wbuf_be32(&w, NF3FIFO);
    put_sattr(&w, NFS_NO_SIZE, 0666, ~0u, false);
    return rpc_send(&n->rpc, &w, "MKNOD", got_created);
}

struct call *nfs_rename(struct nfs *n, const struct nfs_fh *from_dir, const char *from, const struct nfs_fh *to_dir,
                        const char *to)
{
    struct wbuf w = nfs_begin(n, RENAME, from_dir);
    xdr_string(&w, from);
    xdr_opaque(&w, to_dir->bytes, to_dir->n);
    xdr_string(&w, to);
    return rpc_send(&n->rpc, &w, "RENAME", got_status);
}

struct call *nfs_link(struct nfs *n, const struct nfs_fh *fh, const struct nfs_fh *dir, const char *name)
{
    struct wbuf w = nfs_begin(n, LINK, fh);
    xdr_opaque(&w, dir->bytes, dir->n);
    xdr_string(&w, name);
    return rpc_send(&n->rpc, &w, "LINK", got_status);
}

struct call *nfs_readdir(struct nfs *n, const struct nfs_fh *dir)
{
    struct wbuf w = nfs_begin(n, READDIR, dir);
    wbuf_zero(&w, 16); /* cookie, verifier */
    wbuf_be32(&w, LIST_BYTES);
    return rpc_send(&n->rpc, &w, "READDIR", got_list);
}

struct call *nfs_readdirplus(struct nfs *n, const struct nfs_fh *dir)
{
    struct wbuf w = nfs_begin(n, READDIRPLUS, dir);
    wbuf_zero(&w, 16);
    wbuf_be32(&w, LIST_BYTES);
    wbuf_be32(&w, LIST_BYTES);
    return rpc_send(&n->rpc, &w, "READDIRPLUS", got_list);
}

struct call *nfs_fsstat(struct nfs *n, const struct nfs_fh *fh)
{
    struct wbuf w = nfs_begin(n, FSSTAT, fh);
    return rpc_send(&n->rpc, &w, "FSSTAT", got_post);
}

struct call *nfs_commit(struct nfs *n, const struct nfs_fh *fh)
{
    struct wbuf w = nfs_begin(n, COMMIT, fh);
    wbuf_be64(&w, 0);
    wbuf_be32(&w, 0);
    return rpc_send(&n->rpc, &w, "COMMIT", got_wcc);
}
