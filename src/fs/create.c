/* create.c - the part of an open that makes a new object ([MS-FSA] 2.1.5.1.1). The gate is the directory's: an entry
 * appears. The hold on the new object itself is taken while its directory is still locked, and cannot be refused. */
#include "open_impl.h"
#include "sd.h"

struct making {
    struct st_attr a;
    struct fs_new_sd sd;
    bool is_dir;
    uint32_t dos;
};

/* Owner, group and mode; the descriptor that is given or inherited. */
static enum st prepare(struct opening *x, struct making *m)
{
    const struct fs_open_args *a = x->a;
    const struct fs_cred *cred = fs_cred_of(x->q);
    const struct fs_share_config *cfg = &x->q->share->cfg;
    const struct st_attr *dir = &x->path.dir_attr;
    uint32_t mode = m->is_dir ? cfg->dir_mode_mask : cfg->file_mode_mask;
    if (!mode)
        mode = m->is_dir ? 0755 : 0644;
    m->a = (struct st_attr){.type = m->is_dir ? ST_DIR : ST_REG, .mode = mode & 0777};
    m->a.uid = cred->uid;
    m->a.gid = cred->gid;
    if (dir->mode & 02000)
        m->a.gid = dir->gid;
    m->dos = m->is_dir ? a->dos : a->dos | FS_DOS_ARCHIVE;
    enum st st = ST_OK;
    if (a->has_mode)
        m->a.mode = a->mode & 07777;
    else
        st = fs_sd_for_new(x->q, x->path.dir, dir, m->is_dir, a->sd, a->nsd, &m->a, &m->sd);
    if (m->is_dir && dir->mode & 02000)
        m->a.mode |= 02000;
    return st;
}

/* Everything that hangs on the new object. */
static enum st furnish(struct opening *x, const struct making *m, struct st_node *n)
{
    const struct fs_open_args *a = x->a;
    uint32_t usual = m->is_dir ? 0 : FS_DOS_ARCHIVE, plain = FS_DOS_NORMAL | FS_DOS_DIRECTORY;
    enum st st = ST_OK;
    if ((m->dos & ~plain) != usual)
        st = fs_meta_store(n, &m->dos, NULL);
    if (st == ST_OK && a->nea)
        st = fs_eas_write(n, a->ea, a->nea);
    if (st == ST_OK && x->stream)
        st = fs_stream_make(n, x->stream);
    if (st == ST_OK && a->alloc && !m->is_dir && !x->stream) {
        st = n->store->ops->allocate(n, 0, a->alloc, ST_ALLOC_KEEP_SIZE);
        if (st == ST_NOTSUP)
            st = ST_OK;
    }
    if (st == ST_OK && m->sd.p) /* last: it is stamped with the mode and owner that there are now */
        st = sd_save(n, m->sd.p, m->sd.n);
    return st;
}

static enum st hold(struct opening *x, struct st_node *n)
{
    struct co_ticket t;
    struct co_ask asks[2];
    size_t nasks = 0;
    if (x->stream)
        asks[nasks++] = open_ask_base(x, n);
    asks[nasks++] = open_ask(x, n);
    x->open->priv->key = asks[nasks - 1].key;
    enum st st = fs_force(x->q->fs, &x->open->party, asks, nasks, &t);
    if (st == ST_OK)
        fs_force_end(x->q->fs, &t);
    return st;
}

/* Rights of the maker: what was asked for, whatever the descriptor says ([MS-FSA] 2.1.5.1.1). */
static void settle_rights(struct opening *x)
{
    x->maximal = open_maximal(x);
    x->granted = x->want | (x->want_max ? x->maximal : 0);
}

static enum st make(struct opening *x, const struct making *m)
{
    struct st_node *dir = x->path.dir, *n = NULL;
    const struct store_ops *ops = dir->store->ops;
    enum st st = ops->make(dir, x->path.name, x->path.n, &m->a, NULL, &n);
    if (st != ST_OK)
        return st;
    x->path.node = n;
    x->open->node = st_ref(n);
    st = fsn(n) ? furnish(x, m, n) : ST_NOMEM;
    if (st == ST_OK)
        st = ops->getattr(n, &x->attr);
    if (st == ST_OK) {
        settle_rights(x);
        st = hold(x, n);
    }
    if (st != ST_OK)
        ops->unlink(dir, x->path.name, x->path.n, n, m->is_dir ? ST_UNLINK_DIR : 0);
    return st;
}

/* With the directory's lock. Something that is the same name without case may have come since the name was looked
 * up. */
static enum st make_locked(struct opening *x, const struct making *m, bool *ret_raced)
{
    struct st_node *dir = x->path.dir;
    struct st_attr before, after;
    enum st st = dir->store->ops->getattr(dir, &before);
    if (st != ST_OK)
        return st;
    if (!timespec_same(&before.ctime, &x->path.dir_attr.ctime)) {
        _cleanup_node_ struct st_node *other = NULL;
        char name[ST_NAME_MAX + 1];
        size_t n;
        st = fs_lookup_fold(x->q, dir, x->path.name, x->path.n, &other, name, &n);
        *ret_raced = st == ST_OK;
        if (st != ST_NOENT)
            return st;
    }
    fsn_making_begin(dir);
    st = make(x, m);
    fsn_making_end(dir);
    if (st == ST_EXIST) {
        *ret_raced = true;
        return ST_OK;
    }
    if (dir->store->ops->getattr(dir, &after) == ST_OK)
        fsn_carry(dir, &before.ctime, &after.ctime);
    if (st == ST_OK)
        fsn_names_changed(dir, &before.ctime, NULL, 0, x->path.name, x->path.n);
    return st;
}

enum st open_create(struct opening *x, bool *ret_raced)
{
    struct making m = {.sd = {NULL, 0}};
    struct st_node *dir = x->path.dir;
    enum st st = open_check_new(x, &m.is_dir);
    if (st == ST_OK)
        st = prepare(x, &m);
    if (st != ST_OK)
        return st;
    x->action = FS_CREATED;
    x->open = open_new(x);
    if (!x->open)
        return ST_NOMEM;
    struct co_ask ask = fs_ask(dir, CO_CHILD);
    st = fs_gate(x->q, &ask, 1);
    if (st != ST_OK)
        return st;
    fsn_lock_all(&dir, 1);
    st = make_locked(x, &m, ret_raced);
    if (st == ST_OK && !*ret_raced) { /* before anybody can move it */
        open_publish(x);
        open_grant(x);
    }
    fsn_unlock_all(&dir, 1);
    if (st == ST_OK && !*ret_raced)
        fs_tell(x->q, dir, x->path.name, x->path.n, FS_ADDED, m.is_dir ? FS_CHANGE_DIR_NAME : FS_CHANGE_FILE_NAME);
    fs_leave(x->q);
    return st;
}
