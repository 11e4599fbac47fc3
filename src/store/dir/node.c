/* node.c - from a descriptor to a node: its identity, and upgrading what the descriptor can do.
 *
 * The identity of an object is its inode number and a generation drawn from the kernel's file handle, so that an inode
 * number that is used again is never the same object; where there are no file handles, from its birth time.
 * Knows one object at a time. Must not know names, directories or policies. */
#include "dir.h"
#include "base/bytes.h"
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

/* Generations are compared over restarts: the key is fixed, it is no secret. */
static const uint8_t gen_key[16] = "concord.file.gen";

enum st_type dir_type(mode_t mode)
{
    static const uint8_t types[16] = {[S_IFREG >> 12] = ST_REG,  [S_IFDIR >> 12] = ST_DIR, [S_IFLNK >> 12] = ST_LNK,
                                      [S_IFBLK >> 12] = ST_BLK,  [S_IFCHR >> 12] = ST_CHR, [S_IFIFO >> 12] = ST_FIFO,
                                      [S_IFSOCK >> 12] = ST_SOCK};
    return types[(mode & S_IFMT) >> 12];
}

void dir_proc(int fd, char out[DIR_PROC_MAX]) { snprintf(out, DIR_PROC_MAX, "/proc/self/fd/%d", fd); }

dev_t dir_dev(const struct statx *sx) { return makedev(sx->stx_dev_major, sx->stx_dev_minor); }

/* One component below `at`: not through a link (of any kind), not upwards, not into another mount. */
int dir_open_at(struct dstore *ds, int at, const char *name, uint64_t flags, mode_t mode)
{
    struct open_how how = {
        .flags = flags | O_NOFOLLOW | O_CLOEXEC,
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    long fd = syscall(SYS_openat2, at, name, &how, sizeof how);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        dir_cache_reclaim(ds, 64);
        fd = syscall(SYS_openat2, at, name, &how, sizeof how);
    }
    return (int)fd;
}

enum st dir_same_mount(const struct dstore *ds, const struct statx *sx)
{
    if (sx->stx_mask & STATX_MNT_ID)
        return sx->stx_mnt_id == ds->mnt_id ? ST_OK : ST_XDEV;
    return dir_dev(sx) == ds->dev ? ST_OK : ST_XDEV;
}

struct kernel_handle {
    struct file_handle h;
    uint8_t bytes[MAX_HANDLE_SZ];
};

enum st dir_identify(const struct dstore *ds, int fd, const struct statx *sx, struct didentity *ret)
{
    struct {
        uint64_t dev, sec, nsec;
        uint32_t type, len;
        uint8_t bytes[MAX_HANDLE_SZ];
    } id = {.dev = dir_dev(sx) == ds->dev ? 0 : dir_dev(sx)};
    size_t nid = offsetof(__typeof__(id), bytes);
    ret->nhandle = 0;
    if (ds->kernel_ids) {
        struct kernel_handle kh = {.h.handle_bytes = MAX_HANDLE_SZ};
        int mnt;
        if (name_to_handle_at(fd, "", &kh.h, &mnt, AT_EMPTY_PATH) < 0)
            return errno == ENOENT ? ST_STALE : st_from_errno(errno);
        id.type = (uint32_t)kh.h.handle_type;
        id.len = kh.h.handle_bytes;
        memcpy(id.bytes, kh.h.f_handle, id.len);
        nid += id.len;
        if (ds->kernel_handles && id.type <= 0xff && 10 + id.len <= ST_HANDLE_MAX) {
            ret->handle[0] = 0xc1;
            ret->handle[1] = (uint8_t)id.type;
            put_le64(ret->handle + 2, sx->stx_ino);
            memcpy(ret->handle + 10, id.bytes, id.len);
            ret->nhandle = (uint8_t)(10 + id.len);
        }
    } else if (sx->stx_mask & STATX_BTIME) {
        id.sec = (uint64_t)sx->stx_btime.tv_sec;
        id.nsec = sx->stx_btime.tv_nsec;
    }
    ret->gen = siphash(gen_key, &id, nid);
    return ST_OK;
}

void dir_node_destroy(struct dnode *n)
{
    if (n->n.fs && n->n.store->fs_fini)
        n->n.store->fs_fini(&n->n);
    util_closep(&n->fd);
    pthread_mutex_destroy(&n->mu);
    free(n->names);
    free(n);
}

/* dup3() replaces the description behind the number atomically: others may be using it in this moment. The raw call,
 * because thread checkers take the library's for a close. */
static enum st replace_locked(struct dnode *n, int fd, enum dir_access access)
{
    if (syscall(SYS_dup3, fd, n->fd, O_CLOEXEC) < 0)
        return st_from_errno(errno);
    atomic_store_explicit(&n->access, (uint8_t)access, memory_order_release);
    return ST_OK;
}

/* Somebody looked a new file up before its maker had its node: what the maker may do with it is not lost. */
static void adopt(struct dnode *n, int fd, enum dir_access access)
{
    pthread_mutex_lock(&n->mu);
    if (atomic_load(&n->access) < access)
        (void)replace_locked(n, fd, access);
    pthread_mutex_unlock(&n->mu);
}

enum st dir_node_of(struct dstore *ds, int *fd, enum dir_access access, struct dnode **ret)
{
    struct statx sx;
    if (statx(*fd, "", AT_EMPTY_PATH, DIR_STATX_MASK, &sx) < 0)
        return st_from_errno(errno);
    enum st st = dir_same_mount(ds, &sx);
    if (st != ST_OK)
        return st;
    struct dnode *n = dir_cache_find(ds, sx.stx_ino, dir_dev(&sx));
    if (n) {
        if (access > DIR_PATH)
            adopt(n, *fd, access);
        *ret = n;
        return ST_OK;
    }
    n = calloc(1, sizeof *n);
    if (!n)
        return ST_NOMEM;
    n->n.store = &ds->s;
    n->n.id.ino = sx.stx_ino;
    n->n.type = dir_type(sx.stx_mode);
    n->dev = dir_dev(&sx);
    if (sx.stx_mask & STATX_BTIME)
        n->btime = (struct timespec){sx.stx_btime.tv_sec, sx.stx_btime.tv_nsec};
    atomic_init(&n->n.refs, 1);
    atomic_init(&n->access, (uint8_t)access);
    list_init(&n->lru);
    pthread_mutex_init(&n->mu, NULL);
    n->fd = TAKE_FD(*fd);
    st = n->n.type ? dir_identify(ds, n->fd, &sx, &n->id) : ST_BADTYPE;
    n->n.id.gen = n->id.gen;
    if (st != ST_OK) {
        dir_node_destroy(n);
        return st;
    }
    *ret = dir_cache_enter(ds, n);
    return ST_OK;
}

static int reopen(struct dnode *n, int flags)
{
    char path[DIR_PROC_MAX];
    if (n->n.type == ST_DIR)
        return openat(n->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir_proc(n->fd, path);
    /* O_NONBLOCK: a lease that a local program holds answers EWOULDBLOCK instead of making us wait for it. */
    return open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static enum st upgrade_locked(struct dnode *n, enum dir_access need)
{
    int flags = need == DIR_RW ? O_RDWR : O_RDONLY;
    _cleanup_close_ int fd = reopen(n, flags);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        dir_cache_reclaim(dnode_store(n), 64);
        fd = reopen(n, flags);
    }
    return fd < 0 ? st_from_errno(errno) : replace_locked(n, fd, need);
}

enum st dir_upgrade(struct dnode *n, enum dir_access need)
{
    /* Pipes, devices and sockets are never opened: that could wait for ever, or do something. */
    if (n->n.type == ST_DIR && need == DIR_RW)
        return ST_ISDIR;
    if (n->n.type != ST_REG && n->n.type != ST_DIR)
        return ST_BADTYPE;
    pthread_mutex_lock(&n->mu);
    enum st st = atomic_load(&n->access) >= need ? ST_OK : upgrade_locked(n, need);
    pthread_mutex_unlock(&n->mu);
    return st;
}
