/* place.c - where a directory is: its path, its parent, and that it is still inside the root.
 *
 * Names are only ever resolved one component at a time below an open directory, so nothing a client sends can lead
 * out of the root. What is left is a local program that moves a directory, which we hold open or find again by its
 * handle, out of the root: its place is looked at before every change of names in it, and at most PLACE_TRUST ago for
 * everything else. A file is the same file wherever somebody moves it.
 *
 * The kernel's answer (/proc/self/fd) is one consistent look at the path. Must not know what callers do with it. */
#include "dir.h"
#include <errno.h>
#include <limits.h>

#define PLACE_TRUST (100 * NSEC_PER_MSEC)
#define PLACE_DEPTH 4096 /* levels walked when a path is too long for the kernel to say */

uint64_t dir_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Length, or -1 and errno (ENAMETOOLONG: longer than the kernel can say). */
static ssize_t fd_path(int fd, char out[PATH_MAX + 1])
{
    char proc[DIR_PROC_MAX];
    dir_proc(fd, proc);
    ssize_t n = readlink(proc, out, PATH_MAX);
    if (n >= 0)
        out[n] = '\0';
    return n;
}

/* The part of `path` below the root ("" for the root itself), or NULL when it is elsewhere. */
static const char *below(const char *root, const char *path)
{
    size_t n = strlen(root);
    if (n == 1)
        return path[0] == '/' ? path + 1 : NULL;
    if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return NULL;
    return path[n] ? path + n + 1 : path + n;
}

/* Somebody may have moved the root itself: then its path is asked for again. Is it another one than number `seen`? */
static bool root_moved(struct dstore *ds, uint32_t seen)
{
    char now[PATH_MAX + 1];
    if (fd_path(ds->root_fd, now) < 0)
        return false;
    pthread_mutex_lock(&ds->root_mu);
    bool moved = !ds->root_path || strcmp(now, ds->root_path) != 0;
    char *copy = moved ? strdup(now) : NULL;
    if (copy) {
        free(ds->root_path);
        ds->root_path = copy;
        atomic_fetch_add(&ds->root_paths, 1);
    }
    pthread_mutex_unlock(&ds->root_mu);
    return atomic_load(&ds->root_paths) != seen;
}

/* Path below the root into out: ST_STALE when the object is elsewhere, ST_NAMETOOLONG. */
static enum st path_below(struct dstore *ds, int fd, char out[PATH_MAX + 1])
{
    char path[PATH_MAX + 1];
    uint32_t seen;
    do {
        seen = atomic_load(&ds->root_paths);
        if (fd_path(fd, path) < 0)
            return st_from_errno(errno);
        pthread_mutex_lock(&ds->root_mu);
        const char *rest = ds->root_path ? below(ds->root_path, path) : NULL;
        pthread_mutex_unlock(&ds->root_mu);
        if (rest) {
            memcpy(out, rest, strlen(rest) + 1);
            return ST_OK;
        }
    } while (root_moved(ds, seen));
    return ST_STALE;
}

/* Upwards until the root, or until there is no further up. */
static enum st walk_up(struct dstore *ds, int fd)
{
    _cleanup_close_ int at = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat prev = {0}, sb;
    for (unsigned i = 0; at >= 0 && i < PLACE_DEPTH; i++) {
        if (fstat(at, &sb) < 0)
            return st_from_errno(errno);
        if (sb.st_ino == ds->root->n.id.ino && sb.st_dev == ds->dev)
            return ST_OK;
        if (i > 0 && sb.st_ino == prev.st_ino && sb.st_dev == prev.st_dev)
            return ST_STALE;
        prev = sb;
        int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = up;
    }
    return at < 0 ? st_from_errno(errno) : ST_STALE;
}

static enum st verify(struct dstore *ds, int fd)
{
    char path[PATH_MAX + 1];
    enum st st = path_below(ds, fd, path);
    return st == ST_NAMETOOLONG ? walk_up(ds, fd) : st;
}

enum st dir_usable(struct dnode *d, bool strict)
{
    struct dstore *ds = dnode_store(d);
    if (d->n.type != ST_DIR)
        return ST_NOTDIR;
    if (d == ds->root)
        return ST_OK;
    uint64_t now = dir_now();
    if (!strict && now < atomic_load_explicit(&d->inside_until, memory_order_relaxed))
        return ST_OK;
    enum st st = verify(ds, d->fd);
    atomic_store_explicit(&d->inside_until, st == ST_OK ? now + PLACE_TRUST : 0, memory_order_relaxed);
    return st;
}

enum st dir_path(struct st_node *st_node, char *out, size_t cap)
{
    struct dnode *n = DNODE(st_node);
    struct dstore *ds = dnode_store(n);
    char path[PATH_MAX + 1];
    struct stat sb;
    if (cap == 0)
        return ST_BUFSIZE;
    path[0] = '\0';
    enum st st = n == ds->root ? ST_OK : path_below(ds, n->fd, path);
    if (st != ST_OK)
        return st == ST_STALE ? ST_NOENT : st;
    if (n != ds->root && !path[0])
        return ST_NOENT; /* found by its handle: the kernel knows no name of it */
    if (fstat(n->fd, &sb) == 0 && sb.st_nlink == 0)
        return ST_NOENT; /* the kernel would say "NAME (deleted)" */
    if (strlen(path) >= cap)
        return ST_BUFSIZE;
    memcpy(out, path, strlen(path) + 1);
    return ST_OK;
}

enum st dir_parent(struct st_node *st_node, struct st_node **ret)
{
    struct dnode *n = DNODE(st_node), *p;
    struct dstore *ds = dnode_store(n);
    if (n->n.type != ST_DIR)
        return ST_NOTDIR;
    if (n == ds->root) {
        *ret = st_ref(&n->n);
        return ST_OK;
    }
    struct stat sb; /* a removed directory keeps its "..", but nothing holds it */
    if (fstat(n->fd, &sb) == 0 && sb.st_nlink == 0)
        return ST_STALE;
    _cleanup_close_ int fd = openat(n->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ST_STALE : st_from_errno(errno);
    enum st st = verify(ds, fd);
    if (st == ST_OK)
        st = dir_node_of(ds, &fd, DIR_PATH, &p);
    if (st == ST_OK)
        *ret = &p->n;
    return st == ST_XDEV ? ST_STALE : st;
}
