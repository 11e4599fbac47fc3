/* make.c - new objects: files, directories, symbolic links, special files, with exact owner and mode.
 *
 * A file is made and opened in one exclusive system call. Everything else has no such call: it is made, then opened by
 * name, and before owner or mode are given to it, it is checked to be what this process has just made, because a local
 * program may have put another object under the name in between. Must not know permissions or names' meanings. */
#include "dir.h"
#include <errno.h>
#include <sys/sysmacros.h>

static const mode_t make_types[] = {[ST_REG] = S_IFREG, [ST_DIR] = S_IFDIR,  [ST_LNK] = S_IFLNK,  [ST_BLK] = S_IFBLK,
                                    [ST_CHR] = S_IFCHR, [ST_FIFO] = S_IFIFO, [ST_SOCK] = S_IFSOCK};

/* Until it is complete, nobody but its owner may use it: no set-id bit while the owner is still ours. */
static mode_t first_mode(const struct dstore *ds, const struct st_attr *a)
{
    return a->mode & (ds->may_chown ? 0700 : 0777);
}

static int make_name(struct dstore *ds, struct dnode *dir, const char *name, const struct st_attr *a,
                     const char *target)
{
    switch (a->type) {
    case ST_DIR:
        return mkdirat(dir->fd, name, first_mode(ds, a));
    case ST_LNK:
        return symlinkat(target, dir->fd, name);
    default:
        return mknodat(dir->fd, name, make_types[a->type] | first_mode(ds, a), makedev(a->rdev_major, a->rdev_minor));
    }
}

#define FRESH_SLACK 2 /* seconds: how coarse the birth times of a file system may be */

/* Is what the name leads to the object that was just made? Ours, of the right type, born since, and nothing in it. */
static bool is_fresh(int fd, const struct st_attr *a, time_t since)
{
    struct statx sx;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &sx) < 0)
        return false;
    bool old = (sx.stx_mask & STATX_BTIME) && sx.stx_btime.tv_sec + FRESH_SLACK < since;
    return dir_type(sx.stx_mode) == a->type && sx.stx_uid == geteuid() && !old &&
           (a->type == ST_DIR ? sx.stx_nlink <= 2 : sx.stx_nlink == 1);
}

static enum st make_special(struct dstore *ds, struct dnode *dir, const char *name, const struct st_attr *a,
                            const char *target, struct dnode **ret)
{
    time_t since = time(NULL);
    if (make_name(ds, dir, name, a, target) < 0)
        return st_from_errno(errno);
    _cleanup_close_ int fd = dir_open_at(ds, dir->fd, name, O_PATH, 0);
    if (fd < 0)
        return st_from_errno(errno);
    if (ds->may_chown && !is_fresh(fd, a, since))
        return ST_STALE;
    return dir_node_of(ds, &fd, DIR_PATH, ret);
}

static enum st make_file(struct dstore *ds, struct dnode *dir, const char *name, const struct st_attr *a,
                         struct dnode **ret)
{
    _cleanup_close_ int fd = dir_open_at(ds, dir->fd, name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, first_mode(ds, a));
    if (fd < 0)
        return errno == ELOOP ? ST_EXIST : st_from_errno(errno);
    return dir_node_of(ds, &fd, DIR_RW, ret);
}

/* Owner first: changing it clears the set-id bits. */
static enum st make_attr(struct dstore *ds, struct dnode *n, const struct st_attr *a)
{
    struct stat sb;
    if (fstat(n->fd, &sb) < 0)
        return st_from_errno(errno);
    enum st st = ST_OK;
    bool owned = sb.st_uid == a->uid && sb.st_gid == a->gid;
    if (ds->may_chown && !owned)
        st = dir_chown(n, a->uid, a->gid);
    if (st == ST_OK && n->n.type != ST_LNK && (sb.st_mode & 07777) != (a->mode & 07777))
        st = dir_chmod(n, a->mode & 07777);
    return st;
}

enum st dir_make(struct st_node *st_dir, const char *name, size_t len, const struct st_attr *a, const char *target,
                 struct st_node **ret)
{
    struct dnode *dir = DNODE(st_dir);
    struct dstore *ds = dnode_store(dir);
    _cleanup_dnode_ struct dnode *n = NULL;
    char z[ST_NAME_MAX + 1];
    enum st st = store_name(name, len, z);
    if (st == ST_OK && (a->type < ST_REG || a->type > ST_SOCK))
        st = ST_BADTYPE;
    if (st == ST_OK && a->type == ST_LNK && (!target || !*target))
        st = ST_INVAL;
    if (st == ST_OK)
        st = dir_usable(dir, true);
    if (st != ST_OK)
        return st;
    st = a->type == ST_REG ? make_file(ds, dir, z, a, &n) : make_special(ds, dir, z, a, target, &n);
    if (!n)
        return st == ST_NOENT ? ST_STALE : st; /* the directory itself is gone */
    st = make_attr(ds, n, a);
    dir_touched(ds, dir->n.id.ino);
    if (st != ST_OK) {
        (void)dir_unlink(st_dir, name, len, &n->n, a->type == ST_DIR ? ST_UNLINK_DIR : 0);
        return st;
    }
    if (dir_uses_table(n))
        dir_names_note(n, dir, z, true);
    st = dir_changed(n, ST_OK);
    *ret = &TAKE_PTR(n)->n;
    return st;
}
