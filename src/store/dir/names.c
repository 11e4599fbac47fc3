/* names.c - lookup, link, unlink and rename: one name in one directory, each a system call on the directory's own
 * descriptor.
 *
 * A lookup of a cached child costs one statx(): while its node holds the inode open, the number it reports cannot be
 * anybody else's. The birth time is compared too, because the node could have been let go and replaced between the
 * two; where it differs (an overlay that copied a file up) the slow way decides. Must not know permissions. */
#include "dir.h"
#include <errno.h>
#include <stdio.h>

static bool same_btime(const struct dnode *n, const struct statx *sx)
{
    return !(sx->stx_mask & STATX_BTIME) ||
           (n->btime.tv_sec == sx->stx_btime.tv_sec && n->btime.tv_nsec == sx->stx_btime.tv_nsec);
}

enum st dir_stat(struct dnode *dir, const char *name, struct statx *ret)
{
    if (statx(dir->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, DIR_STATX_MASK, ret) < 0)
        return st_from_errno(errno);
    return dir_same_mount(dnode_store(dir), ret);
}

/* *ret is NULL when nothing is cached for the name; *sx says what it is all the same. */
static enum st lookup_cached(struct dnode *dir, const char *name, struct statx *sx, struct dnode **ret)
{
    struct dstore *ds = dnode_store(dir);
    *ret = NULL;
    enum st st = dir_stat(dir, name, sx);
    if (st != ST_OK)
        return st;
    _cleanup_dnode_ struct dnode *n = dir_cache_find(ds, sx->stx_ino, dir_dev(sx));
    if (!n || n->n.type != dir_type(sx->stx_mode) || !same_btime(n, sx))
        return ST_OK;
    if (unlikely(dir_uses_table(n)))
        dir_names_note(n, dir, name, sx->stx_nlink == 1 || n->n.type == ST_DIR);
    *ret = TAKE_PTR(n);
    return ST_OK;
}

enum st dir_lookup_name(struct dnode *dir, const char *name, struct dnode **ret)
{
    struct dstore *ds = dnode_store(dir);
    struct statx sx;
    enum st st = lookup_cached(dir, name, &sx, ret);
    if (st != ST_OK || *ret)
        return st;
    _cleanup_close_ int fd = dir_open_at(ds, dir->fd, name, O_PATH, 0);
    if (fd < 0)
        return st_from_errno(errno);
    st = dir_node_of(ds, &fd, DIR_PATH, ret);
    if (st == ST_OK && unlikely(dir_uses_table(*ret)))
        dir_names_note(*ret, dir, name, (*ret)->n.type == ST_DIR);
    return st;
}

enum st dir_peek(struct dnode *dir, const char *name, struct dnode **ret, uint64_t *ret_ino)
{
    struct statx sx = {0};
    enum st st = lookup_cached(dir, name, &sx, ret);
    *ret_ino = sx.stx_ino;
    /* Where handles are in the table, names that go away must go there too. */
    if (st == ST_OK && !*ret && !dnode_store(dir)->kernel_handles)
        st = dir_lookup_name(dir, name, ret);
    return st;
}

enum st dir_lookup(struct st_node *st_dir, const char *name, size_t n, struct st_node **ret)
{
    struct dnode *dir = DNODE(st_dir), *found;
    char z[ST_NAME_MAX + 1];
    enum st st = store_name(name, n, z);
    if (st == ST_OK)
        st = dir_usable(dir, false);
    if (st == ST_OK)
        st = dir_lookup_name(dir, z, &found);
    if (st == ST_OK)
        *ret = &found->n;
    return st;
}

static enum st names_begin(struct dnode *dir, const char *name, size_t n, char z[ST_NAME_MAX + 1])
{
    enum st st = store_name(name, n, z);
    return st == ST_OK ? dir_usable(dir, true) : st;
}

enum st dir_link(struct st_node *st_node, struct st_node *st_dir, const char *name, size_t len)
{
    struct dnode *n = DNODE(st_node), *dir = DNODE(st_dir);
    char z[ST_NAME_MAX + 1], proc[DIR_PROC_MAX];
    if (n->n.type == ST_DIR)
        return ST_ISDIR;
    enum st st = names_begin(dir, name, len, z);
    if (st != ST_OK)
        return st;
    int r = linkat(n->fd, "", dir->fd, z, AT_EMPTY_PATH);
    if (r < 0 && (errno == ENOENT || errno == EPERM)) { /* needs a privilege; the other way says so, too */
        dir_proc(n->fd, proc);
        r = linkat(AT_FDCWD, proc, dir->fd, z, AT_SYMLINK_FOLLOW);
    }
    if (r < 0)
        return errno == ENOENT ? ST_STALE : st_from_errno(errno);
    if (dir_uses_table(n))
        dir_names_note(n, dir, z, false);
    dir_touched(dnode_store(dir), dir->n.id.ino);
    return dir_changed(n, ST_OK);
}

/* The object lost this name of its names. */
static void name_lost(struct dnode *n, uint64_t ino, const struct dnode *dir, const char *name)
{
    dir_touched(dnode_store(dir), ino);
    if (!n)
        return;
    dir_cache_unlinked(n);
    if (dir_uses_table(n))
        dir_names_drop(n, dir, name);
}

enum st dir_unlink(struct st_node *st_dir, const char *name, size_t len, const struct st_node *expect, unsigned flags)
{
    struct dnode *dir = DNODE(st_dir);
    _cleanup_dnode_ struct dnode *n = NULL;
    char z[ST_NAME_MAX + 1];
    uint64_t ino;
    enum st st = names_begin(dir, name, len, z);
    if (st == ST_OK)
        st = dir_peek(dir, z, &n, &ino);
    if (st == ST_OK && expect && !n) /* it is cached, so this is another object, unless its birth time changed */
        st = dir_lookup_name(dir, z, &n);
    if (st != ST_OK)
        return st;
    if (expect && (!n || &n->n != expect))
        return ST_NOENT;
    if (unlinkat(dir->fd, z, flags & ST_UNLINK_DIR ? AT_REMOVEDIR : 0) < 0)
        return errno == EEXIST ? ST_NOTEMPTY : st_from_errno(errno);
    name_lost(n, ino, dir, z);
    return dir_changed(dir, ST_OK);
}

static enum st rename_exec(struct dnode *sdir, const char *sname, struct dnode *ddir, const char *dname, unsigned flags)
{
    bool exclusive = flags & ST_RENAME_NOREPLACE;
    int r = renameat2(sdir->fd, sname, ddir->fd, dname, exclusive ? RENAME_NOREPLACE : 0);
    if (r < 0 && errno == EINVAL && exclusive) {
        /* Either the file system cannot, or a directory would go into itself: the plain call tells. */
        struct stat sb;
        if (fstatat(ddir->fd, dname, &sb, AT_SYMLINK_NOFOLLOW) == 0)
            return ST_EXIST;
        r = renameat(sdir->fd, sname, ddir->fd, dname);
    }
    if (r < 0)
        return errno == EEXIST && !exclusive ? ST_NOTEMPTY : st_from_errno(errno);
    return ST_OK;
}

enum st dir_rename(struct st_node *st_sdir, const char *sname, size_t sn, struct st_node *st_ddir, const char *dname,
                   size_t dn, unsigned flags)
{
    struct dnode *sdir = DNODE(st_sdir), *ddir = DNODE(st_ddir);
    _cleanup_dnode_ struct dnode *n = NULL, *over = NULL;
    char sz[ST_NAME_MAX + 1], dz[ST_NAME_MAX + 1];
    uint64_t ino, over_ino;
    enum st st = names_begin(sdir, sname, sn, sz);
    if (st == ST_OK)
        st = names_begin(ddir, dname, dn, dz);
    if (st == ST_OK)
        st = dir_peek(sdir, sz, &n, &ino);
    if (st != ST_OK)
        return st;
    st = dir_peek(ddir, dz, &over, &over_ino);
    if (st != ST_OK && st != ST_NOENT)
        return st;
    st = rename_exec(sdir, sz, ddir, dz, flags);
    if (st != ST_OK)
        return st;
    if (n && n == over) /* two names of one file: rename(2) leaves both */
        return store_mutated(st_sdir->store, ST_OK);
    dir_touched(dnode_store(sdir), ino);
    dir_touched(dnode_store(sdir), ddir->n.id.ino);
    name_lost(over, over_ino, ddir, dz);
    if (n)
        atomic_store_explicit(&n->inside_until, 0, memory_order_relaxed);
    if (n && dir_uses_table(n)) {
        dir_names_note(n, ddir, dz, n->n.type == ST_DIR);
        if (n->n.type != ST_DIR)
            dir_names_drop(n, sdir, sz);
    }
    return dir_changed(sdir, ST_OK);
}
