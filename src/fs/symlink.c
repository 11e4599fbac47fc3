/* symlink.c - FSCTL_SET_REPARSE_POINT with a symbolic link ([MS-FSA] 2.1.5.10.33): the empty file that an open has made
 * becomes a link. For a store that is another object: it takes the file's place under its name, at once, and the open
 * is left with the nameless file. A target may say anything; following links is resolve.c's business. */
#include "internal.h"
#include <stdio.h>

static enum st check(struct fs_req *q, struct fs_open *o, size_t n)
{
    struct st_attr a;
    if (fs_read_only(q))
        return ST_ROFS;
    enum st st = fs_permit_open(o, FS_WRITE_DATA | FS_WRITE_ATTRIBUTES);
    if (st != ST_OK)
        return st;
    if (!n || o->stream || (o->node->type != ST_REG && o->node->type != ST_DIR))
        return ST_INVAL;
    if (n >= 4096)
        return ST_NAMETOOLONG;
    st = o->node->store->ops->getattr(o->node, &a);
    if (st != ST_OK)
        return st;
    if (o->node->type == ST_REG && a.size)
        return ST_NOTEMPTY;
    return o->node->type == ST_DIR && !fs_dir_empty(o->node) ? ST_NOTEMPTY : ST_OK;
}

/* A file is replaced in one step; a directory cannot be, so for a moment its name is nobody's. */
static enum st replace(struct st_node *dir, const char *name, size_t n, struct st_node *old, const struct st_attr *a,
                       const char *target)
{
    const struct store_ops *ops = dir->store->ops;
    _cleanup_node_ struct st_node *link = NULL;
    char tmp[64];
    if (!fs_still_named(dir, name, n, old))
        return ST_NOENT;
    if (old->type == ST_DIR) {
        enum st st = ops->unlink(dir, name, n, old, ST_UNLINK_DIR);
        return st != ST_OK ? st : ops->make(dir, name, n, a, target, &link);
    }
    int len = snprintf(tmp, sizeof tmp, ".concord-link-%llx", (unsigned long long)hash_u64((uintptr_t)old));
    enum st st = ops->make(dir, tmp, (size_t)len, a, target, &link);
    if (st != ST_OK)
        return st;
    st = ops->rename(dir, tmp, (size_t)len, dir, name, n, 0);
    if (st != ST_OK)
        ops->unlink(dir, tmp, (size_t)len, link, 0);
    return st;
}

static enum st act(struct fs_req *q, struct fs_open *o, struct st_node *dir, const char *name, size_t n,
                   const char *target)
{
    struct st_attr a, before, after;
    const struct store_ops *ops = dir->store->ops;
    struct st_node *const both[] = {dir, o->node};
    fsn_lock_all(both, 2);
    enum st st = ops->getattr(o->node, &a);
    if (st == ST_OK)
        st = ops->getattr(dir, &before);
    if (st == ST_OK) {
        a.type = ST_LNK;
        a.mode = 0777;
        st = replace(dir, name, n, o->node, &a, target);
        if (ops->getattr(dir, &after) == ST_OK)
            fsn_carry(dir, &before.ctime, &after.ctime);
        fsn_names_changed(dir, &before.ctime, name, n, st == ST_OK ? name : NULL, n);
    }
    fsn_unlock_all(both, 2);
    return st;
}

enum st fs_symlink_set(struct fs_req *q, struct fs_open *o, const char *target, size_t n)
{
    _cleanup_node_ struct st_node *dir = NULL;
    char name[ST_NAME_MAX + 1], *copy;
    size_t nname;
    enum st st = check(q, o, n);
    if (st == ST_OK)
        st = fs_open_name(o, &dir, name, &nname);
    if (st != ST_OK)
        return st;
    copy = arena_strndup(q->arena, target, n);
    if (!copy || !fsn(dir) || !fsn(o->node))
        return ST_NOMEM;
    FS_THROUGH(q, o);
    struct co_ask ask = fs_ask(dir, CO_CHILD);
    st = fs_gate(q, &ask, 1);
    if (st != ST_OK)
        return st;
    st = act(q, o, dir, name, nname, copy);
    if (st == ST_OK)
        fs_tell(q, dir, name, nname, FS_MODIFIED, FS_CHANGE_ATTRIBUTES);
    fs_leave(q);
    return st;
}
