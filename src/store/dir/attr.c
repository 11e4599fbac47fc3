/* attr.c - attributes of one object, and where a symbolic link points. Knows one descriptor and the system calls that
 * work on it whatever it is open for (also O_PATH). Must not know names, permissions or who asks. */
#include "dir.h"
#include <errno.h>
#include <linux/limits.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static struct timespec time_of(const struct statx_timestamp *t)
{
    return (struct timespec){.tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec};
}

static uint64_t fsid_of(const struct dstore *ds, dev_t dev)
{
    return dev == ds->dev ? ds->fsid : ds->fsid ^ hash_u64(dev);
}

void dir_attr_of(const struct dstore *ds, const struct statx *sx, struct st_attr *ret)
{
    *ret = (struct st_attr){
        .type = dir_type(sx->stx_mode),
        .mode = sx->stx_mode & 07777,
        .nlink = sx->stx_nlink,
        .uid = sx->stx_uid,
        .gid = sx->stx_gid,
        .rdev_major = sx->stx_rdev_major,
        .rdev_minor = sx->stx_rdev_minor,
        .blksize = sx->stx_blksize,
        .size = sx->stx_size,
        .used = sx->stx_blocks * 512,
        .fsid = fsid_of(ds, dir_dev(sx)),
        .ino = sx->stx_ino,
        .atime = time_of(&sx->stx_atime),
        .mtime = time_of(&sx->stx_mtime),
        .ctime = time_of(&sx->stx_ctime),
    };
    if (sx->stx_mask & STATX_BTIME)
        ret->btime = time_of(&sx->stx_btime);
}

enum st dir_getattr(struct st_node *st_node, struct st_attr *ret)
{
    struct dnode *n = DNODE(st_node);
    struct dstore *ds = dnode_store(n);
    struct stat sb;
    if (unlikely(fstat(n->fd, &sb) < 0))
        return st_from_errno(errno);
    *ret = (struct st_attr){
        .type = n->n.type,
        .mode = sb.st_mode & 07777,
        .nlink = (uint32_t)sb.st_nlink,
        .uid = sb.st_uid,
        .gid = sb.st_gid,
        .rdev_major = major(sb.st_rdev),
        .rdev_minor = minor(sb.st_rdev),
        .blksize = (uint32_t)sb.st_blksize,
        .size = (uint64_t)sb.st_size,
        .used = (uint64_t)sb.st_blocks * 512,
        .fsid = fsid_of(ds, n->dev),
        .ino = n->n.id.ino,
        .atime = sb.st_atim,
        .mtime = sb.st_mtim,
        .ctime = sb.st_ctim,
        .btime = n->btime,
    };
    if (unlikely(sb.st_nlink == 0)) /* a local program removed it: do not keep its bytes once it is idle */
        dir_cache_unlinked(n);
    return ST_OK;
}

enum st dir_chmod(struct dnode *n, uint32_t mode)
{
    if (n->n.type == ST_LNK)
        return ST_OK; /* a link has no mode on Linux; clients that copy one are not told off */
    if (atomic_load_explicit(&n->access, memory_order_acquire) > DIR_PATH)
        return fchmod(n->fd, mode) < 0 ? st_from_errno(errno) : ST_OK;
    /* Since Linux 6.6; older kernels and their sandboxes say no in several ways, so /proc has the last word. */
    if (syscall(SYS_fchmodat2, n->fd, "", mode, AT_EMPTY_PATH) == 0)
        return ST_OK;
    char proc[DIR_PROC_MAX];
    dir_proc(n->fd, proc);
    return chmod(proc, mode) < 0 ? st_from_errno(errno) : ST_OK;
}

enum st dir_chown(struct dnode *n, uint32_t uid, uint32_t gid)
{
    return fchownat(n->fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? st_from_errno(errno) : ST_OK;
}

static enum st set_size(struct dnode *n, uint64_t size)
{
    if (size > INT64_MAX)
        return ST_FBIG;
    return ftruncate(n->fd, (off_t)size) < 0 ? st_from_errno(errno) : ST_OK;
}

static struct timespec set_time(uint32_t set, uint32_t given, uint32_t now, struct timespec t)
{
    if (set & now)
        return (struct timespec){.tv_nsec = UTIME_NOW};
    return set & given ? t : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static enum st set_times(struct dnode *n, uint32_t set, const struct st_attr *a)
{
    struct timespec ts[2] = {set_time(set, ST_SET_ATIME, ST_SET_ATIME_NOW, a->atime),
                             set_time(set, ST_SET_MTIME, ST_SET_MTIME_NOW, a->mtime)};
    return utimensat(n->fd, "", ts, AT_EMPTY_PATH) < 0 ? st_from_errno(errno) : ST_OK;
}

#define SET_OWNER (ST_SET_UID | ST_SET_GID)
#define SET_TIMES (ST_SET_ATIME | ST_SET_MTIME | ST_SET_ATIME_NOW | ST_SET_MTIME_NOW)

/* What may be refused comes first (the descriptor, the owner), what others disturb comes last: a new owner clears
 * set-id bits, a new size changes the times. */
enum st dir_setattr(struct st_node *st_node, uint32_t set, const struct st_attr *a)
{
    struct dnode *n = DNODE(st_node);
    enum st st = ST_OK;
    bool changed = false;
    if (set & ST_SET_SIZE)
        st = dir_fd(n, DIR_RW);
    if (st == ST_OK && (set & SET_OWNER)) {
        st = dir_chown(n, set & ST_SET_UID ? a->uid : UINT32_MAX, set & ST_SET_GID ? a->gid : UINT32_MAX);
        changed |= st == ST_OK;
    }
    if (st == ST_OK && (set & ST_SET_SIZE)) {
        st = set_size(n, a->size);
        changed |= st == ST_OK;
    }
    if (st == ST_OK && (set & ST_SET_MODE)) {
        st = dir_chmod(n, a->mode & 07777);
        changed |= st == ST_OK;
    }
    if (st == ST_OK && (set & SET_TIMES)) {
        st = set_times(n, set, a);
        changed |= st == ST_OK;
    }
    if (changed)
        (void)dir_changed(n, ST_OK);
    return st;
}

enum st dir_readlink(struct st_node *st_node, char *out, size_t cap, size_t *ret_n)
{
    struct dnode *n = DNODE(st_node);
    char target[PATH_MAX];
    if (n->n.type != ST_LNK)
        return ST_BADTYPE;
    ssize_t len = readlinkat(n->fd, "", target, sizeof target);
    if (len < 0)
        return st_from_errno(errno);
    *ret_n = (size_t)len;
    if ((size_t)len > cap)
        return ST_BUFSIZE;
    memcpy(out, target, (size_t)len);
    return ST_OK;
}
