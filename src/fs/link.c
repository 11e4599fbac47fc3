/* link.c - one more name for a file (RFC 1813 §3.3.15, [MS-FSA] 2.1.5.15.6), in place of another when `replace`. */
#include "internal.h"
#include <stdio.h>

struct link {
    struct st_node *node, *dir, *victim;
    const char *name;
    size_t n;
    bool replace;
    struct fs_wcc *dir_wcc;
    struct st_attr attr, dir_attr, victim_attr;
};

static enum st resolve(struct fs_req *q, struct link *l)
{
    enum st st = fs_dir_resolve(l->dir, &l->dir_attr);
    if (st == ST_OK) {
        fs_wcc_known(l->dir_wcc, &l->dir_attr);
        st = l->node->store->ops->getattr(l->node, &l->attr);
    }
    if (st != ST_OK)
        return st;
    if (l->node->type == ST_DIR)
        return ST_ISDIR;
    if (l->node->store != l->dir->store)
        return ST_XDEV;
    st = l->n && l->n <= 2 && !memcmp(l->name, "..", l->n) ? ST_EXIST : fs_name_check(l->name, l->n);
    if (st == ST_OK)
        st = fs_permit(q, l->dir, &l->dir_attr, FS_TRAVERSE);
    if (st == ST_OK)
        st = fs_name_resolve(l->dir, l->name, l->n, &l->victim, &l->victim_attr);
    if (st == ST_NOENT)
        return ST_OK;
    if (st == ST_OK && !l->replace)
        return ST_EXIST;
    if (st == ST_OK && l->victim->type == ST_DIR)
        return ST_ISDIR;
    return st;
}

static enum st permit(struct fs_req *q, const struct link *l)
{
    enum st st = fs_permit(q, l->dir, &l->dir_attr, FS_ADD_FILE);
    if (st == ST_OK && l->victim)
        st = fs_permit_delete(q, l->dir, &l->dir_attr, l->victim, &l->victim_attr);
    return st;
}

static enum st gate(struct fs_req *q, struct fs_open *o, const struct link *l)
{
    struct co_ask asks[4] = {fs_ask(l->node, CO_LINK), fs_ask(l->dir, CO_CHILD)};
    size_t n = 2;
    if (l->victim) {
        asks[n] = fs_ask(l->victim, CO_REMOVE);
        asks[n++].link = fs_link_id(l->dir, l->name, l->n);
    }
    if (!o) /* NFS shows the number of links where the file is now, SMB's listings do not */
        n += fs_parent_ask(q, l->node, NULL, &asks[n]);
    return fs_gate(q, asks, n);
}

/* As for a rename: Windows replaces no file that is open. */
static bool victim_in_use(const struct fs_req *q, const struct link *l)
{
    if (q->posix || !l->victim)
        return false;
    struct co_key key = fs_node_key(l->victim);
    return co_opens(q->fs->co, &key, fs_link_id(l->dir, l->name, l->n)) != 0;
}

/* The name changes hands in one step, or not at all: link under a name of ours, then rename over the victim. */
static enum st link_over(const struct link *l)
{
    const struct store_ops *ops = l->dir->store->ops;
    static _Atomic uint32_t count;
    char tmp[64];
    int n = snprintf(tmp, sizeof tmp, ".concord-link-%llx-%x", (unsigned long long)l->node->id.ino,
                     (unsigned)atomic_fetch_add(&count, 1));
    enum st st = ops->link(l->node, l->dir, tmp, (size_t)n);
    if (st != ST_OK)
        return st;
    st = fs_still_named(l->dir, l->name, l->n, l->victim)
             ? ops->rename(l->dir, tmp, (size_t)n, l->dir, l->name, l->n, 0)
             : ST_NOENT;
    if (st != ST_OK)
        ops->unlink(l->dir, tmp, (size_t)n, l->node, 0);
    return st;
}

static enum st act_locked(struct link *l)
{
    const struct store_ops *ops = l->dir->store->ops;
    struct st_attr before, after;
    enum st st = ops->getattr(l->dir, &before);
    if (st != ST_OK)
        return st;
    fs_wcc_known(l->dir_wcc, &before);
    st = l->victim ? link_over(l) : ops->link(l->node, l->dir, l->name, l->n);
    if (st == ST_OK)
        fsn_names_changed(l->dir, &before.ctime, l->victim ? l->name : NULL, l->victim ? l->n : 0, l->name, l->n);
    if (ops->getattr(l->dir, &after) == ST_OK) {
        fs_wcc_post(l->dir_wcc, &after);
        fsn_carry(l->dir, &before.ctime, &after.ctime);
    } else if (l->dir_wcc) {
        l->dir_wcc->has_post = false;
    }
    before = l->attr;
    if (ops->getattr(l->node, &l->attr) == ST_OK && st == ST_OK)
        fsn_carry(l->node, &before.ctime, &l->attr.ctime);
    return st;
}

static enum st attempt(struct fs_req *q, struct fs_open *o, struct link *l, bool *ret_raced)
{
    *ret_raced = false;
    enum st st = resolve(q, l);
    if (st == ST_OK && l->victim == l->node)
        return ST_OK; /* it has that name already */
    if (st == ST_OK)
        st = permit(q, l);
    if (st == ST_OK)
        st = gate(q, o, l);
    if (st != ST_OK)
        return st;
    if (victim_in_use(q, l)) {
        fs_leave(q);
        return ST_ACCESS;
    }
    struct st_node *const all[] = {l->dir, l->node, l->victim};
    fsn_lock_all(all, 3);
    st = act_locked(l);
    fsn_unlock_all(all, 3);
    if (st == ST_OK && l->victim)
        fs_tell(q, l->dir, l->name, l->n, FS_REMOVED, FS_CHANGE_FILE_NAME);
    if (st == ST_OK)
        fs_tell(q, l->dir, l->name, l->n, FS_ADDED, FS_CHANGE_FILE_NAME);
    fs_leave(q);
    *ret_raced = st == (l->victim ? ST_NOENT : ST_EXIST);
    return st;
}

enum st fs_link(struct fs_req *q, struct st_node *n, struct fs_open *o, struct st_node *dir, const char *name,
                size_t len, bool replace, struct fs_wcc *dir_wcc, struct st_attr *ret_attr)
{
    struct link l = {.node = n, .dir = dir, .name = name, .n = len, .replace = replace, .dir_wcc = dir_wcc};
    if (!fsn(n))
        return ST_NOMEM;
    if (fs_names_move(q, dir))
        return ST_OFFLOAD;
    FS_THROUGH(q, o);
    enum st st = ST_DELAY;
    bool raced = true;
    for (int tries = 0; tries < FS_RETRIES && raced; tries++) {
        st = attempt(q, o, &l, &raced);
        st_unref(TAKE_PTR(l.victim));
    }
    if (st == ST_OK && ret_attr)
        *ret_attr = l.attr;
    return st;
}
