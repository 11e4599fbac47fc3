/* rename.c - moves a name, by name (RFC 1813 §3.3.14) or through an open ([MS-FSA] 2.1.5.15.12).
 *
 * Up to four objects: both directories, what moves, and what it replaces. All four are asked for in one gate, so that
 * their breaks run side by side and nothing is held while waiting; only the act takes their locks together. Both names
 * are looked up again under the locks: what they meant before the gate is only a guess. */
#include "internal.h"

struct move {
    const struct fs_rename *r;
    struct fs_open *o;
    struct st_node *sdir, *ddir, *source, *victim;
    const char *sname, *dname;
    size_t sn, dn;
    struct st_attr sdir_attr, ddir_attr, source_attr, victim_attr;
    char name[ST_NAME_MAX + 1]; /* of the open */
};

/* Is `dir` in the tree under `top`, or `top` itself? */
static enum st below(struct st_node *top, struct st_node *dir, bool *ret)
{
    _cleanup_node_ struct st_node *at = st_ref(dir);
    for (;;) {
        *ret = at == top;
        if (*ret)
            return ST_OK;
        struct st_node *up = NULL;
        enum st st = at->store->ops->parent(at, &up);
        if (st != ST_OK)
            return st;
        bool root = up == at;
        st_unref(at);
        at = up;
        if (root)
            return ST_OK;
    }
}

/* --- resolve */
static enum st resolve_dirs(struct move *m)
{
    enum st st = fs_dir_resolve(m->sdir, &m->sdir_attr);
    if (st == ST_OK)
        fs_wcc_known(m->r->swcc, &m->sdir_attr);
    enum st dst = fs_dir_resolve(m->ddir, &m->ddir_attr);
    if (dst == ST_OK)
        fs_wcc_known(m->r->dwcc, &m->ddir_attr);
    if (st == ST_OK)
        st = dst;
    if (st == ST_OK && m->sdir->store != m->ddir->store)
        return ST_XDEV;
    return st;
}

/* What may stand in the way at the destination ([MS-FSA] for opens, rename(2) for names). */
static enum st resolve_victim(const struct fs_req *q, const struct move *m)
{
    bool moves_dir = m->source->type == ST_DIR, onto_dir = m->victim->type == ST_DIR;
    if (m->victim == m->source)
        return ST_OK;
    if (!m->r->replace)
        return ST_EXIST;
    if (!q->posix && onto_dir)
        return ST_ACCESS;
    return moves_dir == onto_dir ? ST_OK : moves_dir ? ST_NOTDIR : ST_ISDIR;
}

static enum st resolve_names(struct fs_req *q, struct move *m)
{
    enum st st = fs_name_check(m->sname, m->sn);
    if (st == ST_OK)
        st = fs_name_check(m->dname, m->dn);
    if (st == ST_OK)
        st = fs_permit(q, m->sdir, &m->sdir_attr, FS_TRAVERSE);
    if (st == ST_OK)
        st = fs_permit(q, m->ddir, &m->ddir_attr, FS_TRAVERSE);
    if (st == ST_OK)
        st = fs_name_resolve(m->sdir, m->sname, m->sn, &m->source, &m->source_attr);
    if (st == ST_OK && m->o && m->source != m->o->node)
        return ST_NOENT; /* the open's name was taken away and given to another object */
    if (st != ST_OK)
        return st;
    st = fs_name_resolve(m->ddir, m->dname, m->dn, &m->victim, &m->victim_attr);
    if (st == ST_NOENT)
        st = ST_OK;
    else if (st == ST_OK)
        st = resolve_victim(q, m);
    bool inside = false;
    if (st == ST_OK && m->source->type == ST_DIR)
        st = below(m->source, m->ddir, &inside);
    return st == ST_OK && inside ? ST_INVAL : st;
}

/* --- permit */
static enum st permit(struct fs_req *q, const struct move *m)
{
    bool moves_dir = m->source->type == ST_DIR;
    enum st st = ST_OK;
    if (m->o) /* the right was granted with the open */
        st = fs_read_only(q) ? ST_ROFS : fs_permit_open(m->o, FS_DELETE);
    else
        st = fs_permit_delete(q, m->sdir, &m->sdir_attr, m->source, &m->source_attr);
    if (st == ST_OK)
        st = fs_permit(q, m->ddir, &m->ddir_attr, moves_dir ? FS_ADD_SUBDIR : FS_ADD_FILE);
    if (st == ST_OK && m->victim)
        st = fs_permit_delete(q, m->ddir, &m->ddir_attr, m->victim, &m->victim_attr);
    if (st == ST_OK && moves_dir && m->sdir != m->ddir && q->posix) /* its ".." changes */
        st = fs_permit(q, m->source, &m->source_attr, FS_ADD_SUBDIR);
    return st;
}

/* --- gate */
/* [MS-FSA] 2.1.5.15.12: a directory with open files in it stays. By name it moves away under them, as on UNIX, unless
 * the policy is strict. */
static enum st vacate(struct fs_req *q, const struct move *m)
{
    bool asked = m->o || atomic_load_explicit(&q->fs->dir_rename_strict, memory_order_relaxed);
    return m->source->type == ST_DIR && asked ? fs_vacate(q, m->source, m->o) : ST_OK;
}

static enum st gate(struct fs_req *q, const struct move *m)
{
    struct co_ask asks[5] = {fs_ask(m->source, CO_RENAME), fs_ask(m->sdir, CO_CHILD)};
    asks[0].link = fs_link_id(m->sdir, m->sname, m->sn);
    size_t n = 2;
    if (m->ddir != m->sdir)
        asks[n++] = fs_ask(m->ddir, CO_CHILD);
    if (m->o) { /* [MS-FSA] 2.1.5.15.12: it opens the target's directory to add to it, not shared for deletion */
        asks[n] = fs_ask(m->ddir, CO_OPEN);
        asks[n].flags |= CO_NO_HOLD | CO_DIRECTORY;
        asks[n].access = CO_ACC_WRITE;
        asks[n++].deny = CO_ACC_DELETE;
    }
    if (m->victim) {
        asks[n] = fs_ask(m->victim, CO_REMOVE);
        asks[n++].link = fs_link_id(m->ddir, m->dname, m->dn);
    }
    return fs_gate(q, asks, n);
}

/* Onto itself, through an open: nothing is going to happen, but as with Windows whoever keeps a handle is asked. */
static enum st gate_nothing(struct fs_req *q, const struct move *m)
{
    struct co_ask ask = fs_ask(m->source, CO_RENAME);
    enum st st = m->o ? fs_permit_open(m->o, FS_DELETE) : ST_OK;
    if (st != ST_OK || !m->o)
        return st;
    ask.link = fs_link_id(m->sdir, m->sname, m->sn);
    st = fs_gate(q, &ask, 1);
    if (st == ST_OK)
        fs_leave(q);
    return st;
}

/* --- act */
/* [MS-FSA] 2.1.5.15.12: Windows replaces no file that is open. Asked behind the gate: by now whoever only kept a handle
 * cached has closed it. UNIX callers take the name away under the opens. */
static bool victim_in_use(const struct fs_req *q, const struct move *m)
{
    if (q->posix || !m->victim)
        return false;
    struct co_key key = fs_node_key(m->victim);
    return co_opens(q->fs->co, &key, fs_link_id(m->ddir, m->dname, m->dn)) != 0;
}

/* A directory moved below a sibling that is just being moved below it would close a cycle; one such move at a time, and
 * asked again. */
static enum st rename_checked(const struct move *m)
{
    const struct store_ops *ops = m->sdir->store->ops;
    unsigned flags = m->victim ? 0 : ST_RENAME_NOREPLACE;
    if (m->source->type != ST_DIR || m->sdir == m->ddir)
        return ops->rename(m->sdir, m->sname, m->sn, m->ddir, m->dname, m->dn, flags);
    struct fs_volume *v = fs_volume_of(m->sdir);
    bool inside = false;
    pthread_mutex_lock(&v->rename_lock);
    enum st st = below(m->source, m->ddir, &inside);
    if (st == ST_OK)
        st = inside ? ST_INVAL : ops->rename(m->sdir, m->sname, m->sn, m->ddir, m->dname, m->dn, flags);
    pthread_mutex_unlock(&v->rename_lock);
    return st;
}

static void after(struct st_node *dir, const struct st_attr *before, struct fs_wcc *wcc)
{
    struct st_attr a;
    if (dir->store->ops->getattr(dir, &a) == ST_OK) {
        fs_wcc_post(wcc, &a);
        fsn_carry(dir, &before->ctime, &a.ctime);
    } else if (wcc) {
        wcc->has_post = false;
    }
}

/* The index of folded names follows; in one directory both changes are one. */
static void names_changed(const struct move *m)
{
    if (m->sdir == m->ddir) {
        fsn_names_changed(m->sdir, &m->sdir_attr.ctime, m->sname, m->sn, m->dname, m->dn);
        return;
    }
    fsn_names_changed(m->sdir, &m->sdir_attr.ctime, m->sname, m->sn, NULL, 0);
    fsn_names_changed(m->ddir, &m->ddir_attr.ctime, m->victim ? m->dname : NULL, m->victim ? m->dn : 0, m->dname,
                       m->dn);
}

static enum st act_locked(struct fs_req *q, struct move *m, bool *ret_raced)
{
    const struct store_ops *ops = m->sdir->store->ops;
    enum st st = ops->getattr(m->sdir, &m->sdir_attr);
    if (st == ST_OK)
        st = ops->getattr(m->ddir, &m->ddir_attr);
    if (st != ST_OK)
        return st;
    fs_wcc_known(m->r->swcc, &m->sdir_attr);
    fs_wcc_known(m->r->dwcc, &m->ddir_attr);
    *ret_raced = !fs_still_named(m->sdir, m->sname, m->sn, m->source) ||
                 !fs_still_named(m->ddir, m->dname, m->dn, m->victim);
    if (*ret_raced)
        return ST_DELAY;
    struct st_attr moved = m->source_attr;
    bool moved_known = ops->getattr(m->source, &moved) == ST_OK;
    st = rename_checked(m);
    if (st == ST_OK) {
        names_changed(m);
        fs_opens_renamed(q->fs, m->source, m->sdir, m->sname, m->sn, m->ddir, m->dname, m->dn);
        if (moved_known)
            after(m->source, &moved, NULL);
    }
    *ret_raced = st == ST_EXIST && !m->victim;
    after(m->sdir, &m->sdir_attr, m->r->swcc);
    after(m->ddir, &m->ddir_attr, m->r->dwcc);
    return st;
}

/* --- tell */
static void tell(struct fs_req *q, const struct move *m)
{
    uint32_t filter = m->source->type == ST_DIR ? FS_CHANGE_DIR_NAME : FS_CHANGE_FILE_NAME;
    bool same = m->sdir == m->ddir;
    if (m->source->type != ST_DIR)
        fs_parent_seen(q->fs, m->ddir, m->source);
    if (m->victim)
        fs_tell(q, m->ddir, m->dname, m->dn, FS_REMOVED, filter);
    fs_tell(q, m->sdir, m->sname, m->sn, same ? FS_RENAMED_OLD : FS_REMOVED, filter);
    fs_tell(q, m->ddir, m->dname, m->dn, same ? FS_RENAMED_NEW : FS_ADDED, filter);
    if (m->o && m->source->type != ST_DIR) /* as Windows does for files, and only for them */
        fs_tell(q, m->ddir, m->dname, m->dn, FS_MODIFIED,
                FS_CHANGE_ATTRIBUTES | FS_CHANGE_CREATION | FS_CHANGE_UNNAMED);
}

static enum st attempt(struct fs_req *q, struct move *m, bool *ret_raced)
{
    *ret_raced = false;
    enum st st = resolve_dirs(m);
    if (st == ST_OK)
        st = resolve_names(q, m);
    if (st == ST_OK && m->victim == m->source)
        return gate_nothing(q, m); /* rename(2): two names of one object, or one name; nothing happens */
    if (st == ST_OK)
        st = permit(q, m);
    if (st == ST_OK)
        st = vacate(q, m);
    if (st == ST_OK)
        st = gate(q, m);
    if (st != ST_OK)
        return st;
    if (victim_in_use(q, m)) {
        fs_leave(q);
        return ST_ACCESS;
    }
    struct st_node *const all[] = {m->sdir, m->ddir, m->source, m->victim};
    fsn_lock_all(all, 4);
    st = act_locked(q, m, ret_raced);
    fsn_unlock_all(all, 4);
    if (st == ST_OK)
        tell(q, m);
    fs_leave(q);
    return st;
}

enum st fs_rename(struct fs_req *q, const struct fs_rename *r)
{
    struct move m = {.r = r, .o = r->o, .sdir = r->sdir, .sname = r->sname, .sn = r->sn,
                     .ddir = r->ddir, .dname = r->dname, .dn = r->dn};
    enum st st = ST_DELAY;
    bool raced = true;
    if (fs_names_move(q, r->ddir))
        return ST_OFFLOAD;
    FS_THROUGH(q, r->o);
    for (int tries = 0; tries < FS_RETRIES && raced; tries++) {
        _cleanup_node_ struct st_node *open_dir = NULL;
        if (r->o) { /* its name may have changed since the last look */
            st = fs_open_name(r->o, &open_dir, m.name, &m.sn);
            if (st != ST_OK)
                return st;
            m.sdir = open_dir;
            m.sname = m.name;
        }
        st = attempt(q, &m, &raced);
        st_unref(TAKE_PTR(m.source));
        st_unref(TAKE_PTR(m.victim));
    }
    return st;
}
