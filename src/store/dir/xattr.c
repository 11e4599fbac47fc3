/* xattr.c - extended attributes of files and directories, in the "user." name space. A file that may not be opened is
 * reached through /proc. Must not know what callers keep in them. */
#include "dir.h"
#include <errno.h>
#include <sys/xattr.h>

#define LIST_INLINE 2048
#define LIST_MAX 65536 /* XATTR_LIST_MAX */

/* Ready for f*xattr() (true) or only by the path in `proc`. */
static enum st xattr_begin(struct dnode *n, char proc[DIR_PROC_MAX], bool *ret_fd)
{
    if (n->n.type != ST_REG && n->n.type != ST_DIR)
        return ST_NOTSUP;
    *ret_fd = dir_fd(n, DIR_RD) == ST_OK;
    dir_proc(n->fd, proc);
    return ST_OK;
}

enum st dir_xattr_get(struct st_node *st_node, const char *name, void *buf, size_t cap, size_t *ret_n)
{
    struct dnode *n = DNODE(st_node);
    char full[STORE_XATTR_NAME_MAX + 1], proc[DIR_PROC_MAX];
    bool fd;
    enum st st = xattr_begin(n, proc, &fd);
    if (st == ST_OK)
        st = store_xattr_name(name, full);
    if (st != ST_OK)
        return st == ST_PERM ? ST_NOATTR : st;
    for (;;) {
        ssize_t r = fd ? fgetxattr(n->fd, full, buf, cap) : getxattr(proc, full, buf, cap);
        if (r >= 0) {
            *ret_n = (size_t)r;
            return (size_t)r > cap ? ST_BUFSIZE : ST_OK;
        }
        if (errno != ERANGE)
            return st_from_errno(errno);
        r = fd ? fgetxattr(n->fd, full, NULL, 0) : getxattr(proc, full, NULL, 0);
        if (r < 0)
            return st_from_errno(errno);
        *ret_n = (size_t)r;
        if ((size_t)r > cap) /* else it has just become smaller */
            return ST_BUFSIZE;
    }
}

enum st dir_xattr_set(struct st_node *st_node, const char *name, const void *val, size_t len)
{
    struct dnode *n = DNODE(st_node);
    char full[STORE_XATTR_NAME_MAX + 1], proc[DIR_PROC_MAX];
    bool fd;
    enum st st = xattr_begin(n, proc, &fd);
    if (st == ST_OK)
        st = store_xattr_name(name, full);
    if (st == ST_OK && len > STORE_XATTR_VALUE_MAX)
        st = ST_FBIG;
    if (st != ST_OK)
        return st;
    int r = fd ? fsetxattr(n->fd, full, val, len, 0) : setxattr(proc, full, val, len, 0);
    return dir_changed(n, r < 0 ? (errno == E2BIG ? ST_FBIG : st_from_errno(errno)) : ST_OK);
}

enum st dir_xattr_del(struct st_node *st_node, const char *name)
{
    struct dnode *n = DNODE(st_node);
    char full[STORE_XATTR_NAME_MAX + 1], proc[DIR_PROC_MAX];
    bool fd;
    enum st st = xattr_begin(n, proc, &fd);
    if (st == ST_OK)
        st = store_xattr_name(name, full);
    if (st != ST_OK)
        return st;
    int r = fd ? fremovexattr(n->fd, full) : removexattr(proc, full);
    return dir_changed(n, r < 0 ? st_from_errno(errno) : ST_OK);
}

static void list_names(const char *names, size_t len, bool (*fn)(void *arg, const char *name), void *arg)
{
    char name[STORE_XATTR_NAME_MAX + 1];
    for (const char *p = names, *end = names + len; p < end; p += strlen(p) + 1)
        if (store_xattr_unname(p, name) && !fn(arg, name))
            return;
}

enum st dir_xattr_list(struct st_node *st_node, bool (*fn)(void *arg, const char *name), void *arg)
{
    struct dnode *n = DNODE(st_node);
    char proc[DIR_PROC_MAX], small[LIST_INLINE];
    _cleanup_free_ char *large = NULL;
    char *buf = small;
    size_t cap = sizeof small;
    bool fd;
    enum st st = xattr_begin(n, proc, &fd);
    if (st != ST_OK)
        return st;
    ssize_t r = fd ? flistxattr(n->fd, buf, cap) : listxattr(proc, buf, cap);
    if (r < 0 && errno == ERANGE) {
        large = malloc(LIST_MAX);
        if (!large)
            return ST_NOMEM;
        buf = large;
        cap = LIST_MAX;
        r = fd ? flistxattr(n->fd, buf, cap) : listxattr(proc, buf, cap);
    }
    if (r < 0)
        return st_from_errno(errno);
    list_names(buf, (size_t)r, fn, arg);
    return ST_OK;
}
