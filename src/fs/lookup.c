/* lookup.c - a name in a directory (RFC 1813 §3.3.3), exact bytes. Case-insensitive look-up is casemap.c's. Breaks
 * nobody's cache, so it has no gate. */
#include "internal.h"

static enum st find(struct st_node *dir, const char *name, size_t n, struct st_node **ret)
{
    if (n == 1 && name[0] == '.') {
        *ret = st_ref(dir);
        return ST_OK;
    }
    if (n == 2 && name[0] == '.' && name[1] == '.')
        return dir->store->ops->parent(dir, ret);
    enum st st = fs_name_check(name, n);
    return st != ST_OK ? st : fs_entry(dir, name, n, ret);
}

enum st fs_lookup(struct fs_req *q, struct st_node *dir, const char *name, size_t n, struct st_node **ret,
                  struct st_attr *ret_attr)
{
    _cleanup_node_ struct st_node *node = NULL;
    if (dir->type != ST_DIR)
        return ST_NOTDIR;
    if (!fs_cred_of(q)->superuser) {
        struct st_attr a;
        enum st st = dir->store->ops->getattr(dir, &a);
        if (st == ST_OK)
            st = fs_permit(q, dir, &a, FS_TRAVERSE);
        if (st != ST_OK)
            return st;
    }
    enum st st = find(dir, name, n, &node);
    if (st == ST_OK && ret_attr)
        st = node->store->ops->getattr(node, ret_attr);
    if (st != ST_OK)
        return st == ST_STALE && node ? ST_NOENT : st;
    if (node != dir && node->type != ST_DIR)
        fs_parent_seen(q->fs, dir, node);
    *ret = TAKE_PTR(node);
    return ST_OK;
}
