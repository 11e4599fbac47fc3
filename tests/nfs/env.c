/* env.c - see env.h. */
#include "env.h"

static void add_share(struct env *e, const char *name, bool read_only, const struct fs_export_rule *rules, size_t n)
{
    struct fs_share_config cfg = {.store = "mem", .nfs = true, .smb = true, .read_only = read_only,
                                  .anon_uid = 65534, .anon_gid = 65534, .file_mode_mask = 0644, .dir_mode_mask = 0755};
    snprintf(cfg.name, sizeof cfg.name, "%s", name);
    cfg.rules = (struct fs_export_rule *)(uintptr_t)rules;
    cfg.nrules = n;
    assert(fs_share_set(e->fs, name, &cfg) == ST_OK);
}

void env_start(struct env *e, struct kv *kv, unsigned again)
{
    static const struct fs_export_rule all[] = {{.squash = FS_SQUASH_NONE}};
    static const struct fs_export_rule elsewhere[] = {
        {.addr = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 0}, .prefix = 120, .squash = FS_SQUASH_ROOT}};
    static const struct fs_export_rule squashed[] = {{.squash = FS_SQUASH_ALL}};
    log_init(2, getenv("TEST_VERBOSE") ? LOG_DEBUG : LOG_ERROR);
    *e = (struct env){.xid = 1000, .kv = kv};
    for (int i = 0; i < 2; i++)
        assert(loop_create(&e->loops[i]) == 0 && loop_start(e->loops[i], i) == 0);
    assert(pool_create(2, &e->pool) == 0);
    struct fs_config fc = {.kv = kv, .loop = e->loops[0], .again_percent = again};
    co_policy_default(&fc.lock);
    assert(fs_create(&fc, &e->fs) == ST_OK);
    add_share(e, "share", false, all, 1);
    add_share(e, "ro", true, all, 1);
    add_share(e, "elsewhere", false, elsewhere, 1);
    add_share(e, "squashed", false, squashed, 1);
    struct nfs_config nc = {.listen = "127.0.0.1:0", .udp = true, .portmap = NFS_PORTMAP_BUILTIN,
                            .portmap_listen = "127.0.0.1:0", .park = 300 * NSEC_PER_MSEC, .drc_entries = 4096,
                            .limits = {.max_message = 2 << 20, .max_inflight = 128, .max_queued = 32 << 20},
                            .max_connections = 100, .grace = 20 * NSEC_PER_SEC, .name = "testserver"};
    assert(nfs_server_create(&nc, e->fs, kv, e->loops, 2, e->pool, &e->srv) == 0);
    assert(nfs_server_listen(e->srv) == 0);
    e->port = nfs_server_port(e->srv);
    e->fd = peer_connect(e->port);
}

void env_stop(struct env *e)
{
    close(e->fd);
    nfs_server_stop(e->srv);
    pool_free(e->pool);
    for (int i = 0; i < 2; i++)
        loop_stop(e->loops[i]);
    fs_free(e->fs);
    for (int i = 0; i < 2; i++)
        loop_free(e->loops[i]);
}

struct bytes env_args(struct env *e, uint32_t prog, uint32_t vers, uint32_t proc)
{
    return call_of(e->xid++, prog, vers, proc, e->uid);
}

struct bytes env_call(struct env *e, struct bytes call)
{
    return peer_call(e->fd, call);
}

struct fh env_mount(struct env *e, const char *path)
{
    struct bytes b = env_args(e, MOUNT, 3, 1);
    put_str(&b, path);
    b = env_call(e, b);
    struct fh fh = {.n = 0};
    if (get32(&b) == 0) {
        fh = get_fh(&b);
        assert(get32(&b) == 2 && get32(&b) == 1 && get32(&b) == 0); /* AUTH_SYS, AUTH_NONE */
    }
    assert(b.at == b.n);
    drop(&b);
    return fh;
}

void put_fh(struct bytes *b, const struct fh *fh) { put_opaque(b, fh->b, fh->n); }
void put_sattr_mode(struct bytes *b, uint32_t mode)
{
    put32(b, 1);
    put32(b, mode);
    for (int i = 0; i < 5; i++)
        put32(b, 0);
}
void put_sattr_none(struct bytes *b)
{
    for (int i = 0; i < 6; i++)
        put32(b, 0);
}
struct fh get_fh(struct bytes *b)
{
    struct fh fh = {.n = 0};
    const uint8_t *p = get_opaque(b, &fh.n);
    assert(fh.n <= 64);
    memcpy(fh.b, p, fh.n);
    return fh;
}
static void get_time(struct bytes *b, uint32_t t[2])
{
    t[0] = get32(b);
    t[1] = get32(b);
}
struct attr get_attr(struct bytes *b)
{
    struct attr a;
    a.type = get32(b);
    a.mode = get32(b);
    a.nlink = get32(b);
    a.uid = get32(b);
    a.gid = get32(b);
    a.size = get64(b);
    a.used = get64(b);
    get_time(b, a.rdev);
    a.fsid = get64(b);
    a.fileid = get64(b);
    get_time(b, a.atime);
    get_time(b, a.mtime);
    get_time(b, a.ctime);
    return a;
}
bool get_post(struct bytes *b, struct attr *ret)
{
    if (get32(b) == 0)
        return false;
    struct attr a = get_attr(b);
    if (ret)
        *ret = a;
    return true;
}
struct wcc get_wcc(struct bytes *b)
{
    struct wcc w = {.has_pre = get32(b)};
    if (w.has_pre) {
        w.size = get64(b);
        get_time(b, w.mtime);
        get_time(b, w.ctime);
    }
    w.has_post = get_post(b, &w.post);
    return w;
}

/* Reads to the very end of the reply. */
static uint32_t end(struct bytes b, uint32_t status)
{
    assert(b.at == b.n);
    drop(&b);
    return status;
}

uint32_t nfs_getattr(struct env *e, const struct fh *fh, struct attr *ret)
{
    struct bytes b = env_args(e, NFS, 3, 1);
    put_fh(&b, fh);
    b = env_call(e, b);
    uint32_t st = get32(&b);
    if (st == 0)
        *ret = get_attr(&b);
    return end(b, st);
}

uint32_t nfs_lookup(struct env *e, const struct fh *dir, const char *name, struct fh *ret)
{
    struct bytes b = env_args(e, NFS, 3, 3);
    put_fh(&b, dir);
    put_str(&b, name);
    b = env_call(e, b);
    uint32_t st = get32(&b);
    if (st == 0) {
        *ret = get_fh(&b);
        assert(get_post(&b, NULL));
    }
    get_post(&b, NULL);
    return end(b, st);
}

static uint32_t made(struct env *e, struct bytes b, struct fh *ret)
{
    b = env_call(e, b);
    uint32_t st = get32(&b);
    if (st == 0) {
        assert(get32(&b) == 1);
        struct fh fh = get_fh(&b);
        if (ret)
            *ret = fh;
        assert(get_post(&b, NULL));
    }
    get_wcc(&b);
    return end(b, st);
}

uint32_t nfs_create(struct env *e, const struct fh *dir, const char *name, struct fh *ret)
{
    struct bytes b = env_args(e, NFS, 3, 8);
    put_fh(&b, dir);
    put_str(&b, name);
    put32(&b, 0);
    put_sattr_mode(&b, 0666);
    return made(e, b, ret);
}

uint32_t nfs_mkdir(struct env *e, const struct fh *dir, const char *name, struct fh *ret)
{
    struct bytes b = env_args(e, NFS, 3, 9);
    put_fh(&b, dir);
    put_str(&b, name);
    put_sattr_mode(&b, 0777);
    return made(e, b, ret);
}

uint32_t nfs_write(struct env *e, const struct fh *fh, uint64_t off, const void *p, uint32_t n, uint32_t stable)
{
    struct bytes b = env_args(e, NFS, 3, 7);
    put_fh(&b, fh);
    put64(&b, off);
    put32(&b, n);
    put32(&b, stable);
    put_opaque(&b, p, n);
    b = env_call(e, b);
    uint32_t st = get32(&b);
    get_wcc(&b);
    if (st == 0) {
        assert(get32(&b) == n && get32(&b) >= stable);
        get64(&b);
    }
    return end(b, st);
}

uint32_t nfs_remove(struct env *e, const struct fh *dir, const char *name)
{
    struct bytes b = env_args(e, NFS, 3, 12);
    put_fh(&b, dir);
    put_str(&b, name);
    b = env_call(e, b);
    uint32_t st = get32(&b);
    get_wcc(&b);
    return end(b, st);
}
