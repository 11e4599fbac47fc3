/* remove.c - takes a name away: REMOVE and RMDIR (RFC 1813 §3.3.12, §3.3.13). Opens of the object keep it; a delete
 * that is pending on the same name then finds nothing left to do. */
#include "internal.h"

struct removal {
    struct st_node *dir;
    const char *name;
    size_t n;
    bool want_dir;
    struct fs_wcc *dir_wcc;
    struct st_attr dir_attr, attr;
    struct st_node *victim;
};

static enum st resolve(struct removal *r)
{
    enum st st = fs_dir_resolve(r->dir, &r->dir_attr);
    if (st != ST_OK)
        return st;
    fs_wcc_known(r->dir_wcc, &r->dir_attr);
    if (r->n == 2 && !memcmp(r->name, "..", 2))
        return ST_NOTEMPTY; /* RFC 1813 §3.3.13 would have EXIST or NOTEMPTY */
    return fs_name_check(r->name, r->n);
}

static enum st resolve_victim(struct fs_req *q, struct removal *r)
{
    enum st st = fs_permit(q, r->dir, &r->dir_attr, FS_TRAVERSE);
    if (st == ST_OK)
        st = fs_name_resolve(r->dir, r->name, r->n, &r->victim, &r->attr);
    if (st != ST_OK)
        return st;
    if (r->want_dir != (r->victim->type == ST_DIR))
        return r->want_dir ? ST_NOTDIR : ST_ISDIR;
    return ST_OK;
}

static enum st gate(struct fs_req *q, const struct removal *r)
{
    struct co_ask asks[2] = {fs_ask(r->victim, CO_REMOVE), fs_ask(r->dir, CO_CHILD)};
    asks[0].link = fs_link_id(r->dir, r->name, r->n);
    return fs_gate(q, asks, 2);
}

static enum st act_locked(struct removal *r)
{
    const struct store_ops *ops = r->dir->store->ops;
    struct st_attr before, after;
    enum st st = ops->getattr(r->dir, &before);
    if (st != ST_OK)
        return st;
    fs_wcc_known(r->dir_wcc, &before);
    st = ops->unlink(r->dir, r->name, r->n, r->victim, r->want_dir ? ST_UNLINK_DIR : 0);
    if (st == ST_OK)
        fsn_names_changed(r->dir, &before.ctime, r->name, r->n, NULL, 0);
    if (ops->getattr(r->dir, &after) == ST_OK) {
        fs_wcc_post(r->dir_wcc, &after);
        fsn_carry(r->dir, &before.ctime, &after.ctime);
    } else if (r->dir_wcc) {
        r->dir_wcc->has_post = false;
    }
    return st;
}

static enum st attempt(struct fs_req *q, struct removal *r, bool *ret_raced)
{
    *ret_raced = false;
    enum st st = resolve(r);
    if (st == ST_OK)
        st = resolve_victim(q, r);
    if (st == ST_OK)
        st = fs_permit_delete(q, r->dir, &r->dir_attr, r->victim, &r->attr);
    if (st == ST_OK)
        st = gate(q, r);
    if (st != ST_OK)
        return st;
    struct st_node *const both[] = {r->dir, r->victim};
    fsn_lock_all(both, 2);
    st = act_locked(r);
    fsn_unlock_all(both, 2);
    if (st == ST_OK)
        fs_tell(q, r->dir, r->name, r->n, FS_REMOVED, r->want_dir ? FS_CHANGE_DIR_NAME : FS_CHANGE_FILE_NAME);
    fs_leave(q);
    *ret_raced = st == ST_NOENT; /* it named the victim before the gate: look again what it names now */
    return st;
}

enum st fs_remove(struct fs_req *q, struct st_node *dir, const char *name, size_t n, bool want_dir,
                  struct fs_wcc *dir_wcc)
{
    struct removal r = {.dir = dir, .name = name, .n = n, .want_dir = want_dir, .dir_wcc = dir_wcc};
    enum st st = ST_DELAY;
    bool raced = true;
    if (fs_names_move(q, dir))
        return ST_OFFLOAD;
    for (int tries = 0; tries < FS_RETRIES && raced; tries++) {
        st = attempt(q, &r, &raced);
        st_unref(TAKE_PTR(r.victim));
    }
    return st;
}
