/* handle.c - persistent handles of objects: bytes that find them again after a restart.
 *
 *     c1 TYPE INO(8) BYTES...   the kernel's file handle, where the process may open by it
 *     c2 INO(8) GEN(8)          a key of the handle table (table.c)
 *
 * The inode number is in both, so that a cached object costs one look into the node table. Handles reach this file
 * only after the file service has authenticated them. Must not know how names lead to objects (table.c does). */
#include "dir.h"
#include "base/bytes.h"
#include "base/cursor.h"
#include <errno.h>

#define TAG_KERNEL 0xc1
#define TAG_TABLE 0xc2
#define KERNEL_HEAD 10
#define TABLE_SIZE 17

void dir_table_key(const struct dnode *n, uint8_t *out, size_t *ret_n)
{
    out[0] = TAG_TABLE;
    put_le64(out + 1, n->n.id.ino);
    put_le64(out + 9, n->n.id.gen);
    *ret_n = TABLE_SIZE;
}

enum st dir_handle(struct st_node *st_node, bool wait, uint8_t *out, size_t *ret_n)
{
    struct dnode *n = DNODE(st_node);
    if (likely(!dir_uses_table(n))) {
        memcpy(out, n->id.handle, n->id.nhandle);
        *ret_n = n->id.nhandle;
        return ST_OK;
    }
    if (!wait && !dir_table_has(n))
        return ST_OFFLOAD;
    enum st st = dir_table_store(n);
    if (st != ST_OK)
        return st;
    dir_table_key(n, out, ret_n);
    return ST_OK;
}

static int open_by_kernel(struct dstore *ds, int type, const uint8_t *bytes, size_t n)
{
    struct {
        struct file_handle h;
        uint8_t room[ST_HANDLE_MAX];
    } kh = {.h = {.handle_bytes = (unsigned)n, .handle_type = type}};
    memcpy(kh.h.f_handle, bytes, n);
    int fd = open_by_handle_at(ds->root_fd, &kh.h, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        dir_cache_reclaim(ds, 64);
        fd = open_by_handle_at(ds->root_fd, &kh.h, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd;
}

static enum st open_errno(int err)
{
    switch (err) {
    case ESTALE:
    case ENOENT:
        return ST_STALE;
    case EINVAL:
    case EOVERFLOW:
        return ST_BADHANDLE;
    default:
        return st_from_errno(err);
    }
}

/* The node table first: while a node is there its inode is open, so that another handle with its number is of an
 * object that is gone (on another device of the same mount: the kernel decides). */
static enum st from_kernel(struct dstore *ds, const uint8_t *h, size_t n, struct dnode **ret)
{
    uint64_t ino = get_le64(h + 2);
    struct dnode *found = dir_cache_find(ds, ino, ds->dev);
    if (found && found->id.nhandle == n && memcmp(found->id.handle, h, n) == 0) {
        *ret = found;
        return ST_OK;
    }
    if (found)
        st_unref(&found->n);
    if (!ds->kernel_handles)
        return ST_STALE;
    _cleanup_close_ int fd = open_by_kernel(ds, h[1], h + KERNEL_HEAD, n - KERNEL_HEAD);
    if (fd < 0)
        return open_errno(errno);
    _cleanup_dnode_ struct dnode *node = NULL;
    enum st st = dir_node_of(ds, &fd, DIR_PATH, &node);
    if (st != ST_OK)
        return st == ST_XDEV ? ST_STALE : st;
    if (node->n.id.ino != ino)
        return ST_BADHANDLE;
    if (node->n.type == ST_DIR)
        st = dir_usable(node, true);
    if (st == ST_OK)
        *ret = TAKE_PTR(node);
    return st;
}

enum st dir_from_handle(struct store *s, const uint8_t *h, size_t n, struct st_node **ret)
{
    struct dstore *ds = DSTORE(s);
    struct dnode *node;
    enum st st = ST_BADHANDLE;
    if (n > KERNEL_HEAD && n <= ST_HANDLE_MAX && h[0] == TAG_KERNEL)
        st = from_kernel(ds, h, n, &node);
    else if (n == TABLE_SIZE && h[0] == TAG_TABLE)
        st = dir_table_find(ds, get_le64(h + 1), get_le64(h + 9), 0, &node);
    if (st == ST_OK)
        *ret = &node->n;
    return st;
}
