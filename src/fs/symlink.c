/* symlink.c - an empty file becomes a symbolic link (FSCTL_SET_REPARSE_POINT with IO_REPARSE_TAG_SYMLINK). Windows' clients
 * create the file first and then say what it is; a store cannot change an object's type, so the name is given to a new
 * object. The open keeps the empty file that it has, which is gone with it. */
#include "internal.h"

#define TARGET_MAX 4095

/* The name as it stands, and that the open's object still has it. */
struct place {
    struct st_node *dir;
    char name[ST_NAME_MAX + 1];
    size_t n;
    struct st_attr attr, dir_attr;
};

static enum st resolve(struct fs_open *o, struct place *p)
{
    enum st st = fs_open_name(o, &p->dir, p->name, &p->n);
    if (st == ST_OK)
        st = o->node->store->ops->getattr(o->node, &p->attr);
    if (st == ST_OK)
        st = fs_dir_resolve(p->dir, &p->dir_attr);
    if (st == ST_OK && !fs_still_named(p->dir, p->name, p->n, o->node))
        st = ST_NOENT;
    return st;
}

static enum st permit(struct fs_req *q, struct fs_open *o, const struct place *p)
{
    if (fs_read_only(q))
        return ST_ROFS;
    enum st st = fs_permit_open(o, FS_WRITE_DATA | FS_WRITE_ATTRIBUTES);
    if (st != ST_OK)
        return st;
    if (o->stream || p->attr.nlink != 1 || (p->attr.type == ST_REG && p->attr.size))
        return ST_NOTEMPTY;
    return fs_permit(q, p->dir, &p->dir_attr, FS_ADD_FILE);
}

static enum st act_locked(struct fs_open *o, const struct place *p, const char *target)
{
    const struct store_ops *ops = p->dir->store->ops;
    struct st_attr link = {.type = ST_LNK, .mode = 0777, .uid = p->attr.uid, .gid = p->attr.gid};
    struct st_node *made = NULL;
    enum st st = ops->unlink(p->dir, p->name, p->n, o->node, p->attr.type == ST_DIR ? ST_UNLINK_DIR : 0);
    if (st == ST_OK)
        st = ops->make(p->dir, p->name, p->n, &link, target, &made);
    st_unref(made);
    return st;
}

enum st fs_symlink_set(struct fs_req *q, struct fs_open *o, const char *target, size_t n)
{
    struct place p = {0};
    if (n == 0 || n > TARGET_MAX || memchr(target, 0, n))
        return ST_INVAL;
    char *text = arena_strndup(q->arena, target, n);
    fs_req_through(q, o);
    enum st st = text ? resolve(o, &p) : ST_NOMEM;
    _cleanup_node_ struct st_node *dir = p.dir;
    if (st == ST_OK)
        st = permit(q, o, &p);
    if (st != ST_OK)
        return st;
    struct co_ask asks[] = {fs_ask(o->node, CO_SETATTR), fs_ask(dir, CO_CHILD)};
    st = fs_gate(q, asks, 2);
    if (st != ST_OK)
        return st;
    fsn_lock_all(&dir, 1);
    st = act_locked(o, &p, text);
    fsn_unlock_all(&dir, 1);
    if (st == ST_OK)
        fs_tell(q, dir, p.name, p.n, FS_MODIFIED, FS_CHANGE_ATTRIBUTES);
    fs_leave(q);
    return st;
}
