/* close.c - the end of an open ([MS-FSA] 2.1.5.5): its holds, its watch, and, with the last open of a name that is to
 * be deleted, the name or the stream. Never waits: what has to be broken for that is told, and goes on. A client's own
 * close has been through delete.c before, where it waits for that. */
#include "base/clock.h"
#include "open_impl.h"

static bool not_empty(void *arg, const struct st_dirent *e)
{
    (void)e;
    *(bool *)arg = true;
    return false;
}

bool fs_dir_empty(struct st_node *n)
{
    bool found = false;
    enum st st = n->store->ops->readdir(n, 0, not_empty, &found);
    return !found && (st == ST_OK || st == ST_END);
}

/* FS_DELETE_ON_CLOSE takes effect when its own open is closed: then the name goes with the last one. */
static void set_disposition(struct fs *fs, struct fs_open *o, const struct co_key *key, uint64_t link)
{
    struct co_ticket t;
    struct co_out out = fs_out();
    struct co_ask ask = fs_ask(o->node, CO_DISPOSITION);
    if (!o->stream && o->node->type == ST_DIR && !fs_dir_empty(o->node))
        return;
    ask.key = *key;
    ask.link = link;
    if (fs_force(fs, &o->party, &ask, 1, &t) != ST_OK)
        return;
    if (!o->stream)
        memcpy(fsn(o->node)->deleter, o->party.parent_lease, sizeof o->party.parent_lease);
    co_set_delete(fs->co, key, &o->party, link, true, clock_now(), &out);
    fs_deliver(fs, &out);
    fs_force_end(fs, &t);
    if (!o->stream && o->node->type == ST_DIR)
        fs_watch_gone(o->node);
}

static void remove_stream(struct fs_req *q, struct fs_open *o)
{
    struct st_node *dir = NULL;
    char name[ST_NAME_MAX + 1];
    size_t n = 0;
    struct co_ticket t;
    struct co_ask ask = fs_ask(o->node, CO_SETATTR);
    if (fs_force(q->fs, &o->party, &ask, 1, &t) != ST_OK)
        return;
    fsn_lock_all(&o->node, 1);
    fs_stream_remove(o->node, fs_open_stream(o));
    fsn_unlock_all(&o->node, 1);
    fs_force_end(q->fs, &t);
    if (fs_open_name(o, &dir, name, &n) == ST_OK)
        fs_tell(q, dir, name, n, FS_REMOVED_STREAM, FS_CHANGE_STREAM_NAME);
    st_unref(dir);
}

static bool close_in_engine(struct fs *fs, const struct co_key *key, const struct co_party *party, uint64_t link)
{
    struct co_out out = fs_out();
    bool last = co_close(fs->co, key, party, link, clock_now(), &out);
    fs_deliver(fs, &out);
    return last;
}

/* Who asked for the deletion and who brings it about may spare different directory leases: then none is spared. */
static struct co_party unlinker(struct fs_open *o)
{
    struct co_party p = o->party;
    if (memcmp(fsn(o->node)->deleter, p.parent_lease, sizeof p.parent_lease) != 0)
        memset(p.parent_lease, 0, sizeof p.parent_lease);
    return p;
}

/* With the locks of the directory and the object. Only if the name still means this object: it may have been removed,
 * and made anew, by others. */
static bool unlink_locked(struct fs_req *q, struct fs_open *o, struct st_node *dir, const char *name, size_t n)
{
    const struct store_ops *ops = dir->store->ops;
    struct st_attr before = {0}, after;
    struct co_ticket t;
    struct co_ask ask = fs_ask(dir, CO_CHILD);
    struct co_party party = unlinker(o);
    if (fs_force(q->fs, &party, &ask, 1, &t) != ST_OK)
        return false;
    bool known = ops->getattr(dir, &before) == ST_OK;
    enum st st = ops->unlink(dir, name, n, o->node, o->node->type == ST_DIR ? ST_UNLINK_DIR : 0);
    if (st == ST_OK) {
        fsn_names_changed(dir, &before.ctime, name, n, NULL, 0);
        if (known && ops->getattr(dir, &after) == ST_OK)
            fsn_carry(dir, &before.ctime, &after.ctime);
    }
    fs_force_end(q->fs, &t);
    return st == ST_OK;
}

/* Locks the object, and with `with_dir` the directory that its name is in, which a move of it would lock too. */
static struct st_node *lock_name(struct fs_open *o, bool with_dir, char name[ST_NAME_MAX + 1], size_t *ret_n)
{
    for (;;) {
        struct st_node *dir = NULL, *again = NULL;
        if (with_dir)
            fs_open_name(o, &dir, name, ret_n);
        struct st_node *const both[] = {dir, o->node};
        fsn_lock_all(both, 2);
        if (!dir)
            return NULL;
        fs_open_name(o, &again, name, ret_n);
        st_unref(again); /* not the last reference: the open has one */
        if (again == dir)
            return dir;
        fsn_unlock_all(both, 2);
        st_unref(dir);
    }
}

/* Its end in the engine; with the last open of a name that is to go, the name's end too, in one step: nobody can move
 * the object in between. */
static void close_file(struct fs_req *q, struct fs_open *o, bool dispose, bool posix)
{
    struct fs *fs = q->fs;
    struct co_key base = fs_node_key(o->node);
    char name[ST_NAME_MAX + 1];
    size_t n = 0;
    bool removed = false, is_dir = o->node->type == ST_DIR;
    bool maybe = dispose || posix || co_delete_pending(fs->co, &base, 0);
    struct st_node *dir = lock_name(o, maybe, name, &n);
    if (!maybe && co_delete_pending(fs->co, &base, 0)) { /* since; with the lock nobody else can */
        fsn_unlock_all(&o->node, 1);
        dir = lock_name(o, true, name, &n);
    }
    struct st_node *const both[] = {dir, o->node};
    uint64_t link = fs_open_link(o);
    if (dispose)
        set_disposition(fs, o, &base, link);
    bool last = close_in_engine(fs, &base, &o->party, link);
    if (dir && (last || posix))
        removed = unlink_locked(q, o, dir, name, n);
    open_unpublish(o);
    fsn_unlock_all(both, 2);
    if (removed)
        fs_tell(q, dir, name, n, FS_REMOVED, is_dir ? FS_CHANGE_DIR_NAME : FS_CHANGE_FILE_NAME);
    st_unref(dir);
}

/* Whoever caches the directory sees what was written once its writer is done, as with Windows. */
static void tell_directory(struct fs_req *q, struct fs_open *o)
{
    struct co_ask ask;
    struct co_ticket t;
    if (!atomic_load(&o->priv->wrote) || !fs_parent_ask(q, o->node, o, &ask))
        return;
    if (fs_force(q->fs, &o->party, &ask, 1, &t) == ST_OK)
        fs_force_end(q->fs, &t);
}

static void close_stream(struct fs_req *q, struct fs_open *o, bool dispose, bool posix)
{
    struct co_key key = fs_open_key(o);
    if (dispose)
        set_disposition(q->fs, o, &key, FS_STREAM_LINK);
    if (close_in_engine(q->fs, &key, &o->party, FS_STREAM_LINK) || posix)
        remove_stream(q, o);
}

void fs_close(struct fs_req *q, struct fs_open *o, struct fs_attr *attr)
{
    struct fs_open_priv *p = o->priv;
    pthread_mutex_lock(&p->lock);
    bool closed = p->closed, dispose = p->delete_on_close, posix = p->posix_delete;
    p->closed = true;
    pthread_mutex_unlock(&p->lock);
    if (attr && fs_open_attr(q, o, attr) != ST_OK)
        memset(attr, 0, sizeof *attr);
    if (closed)
        return;
    fs_watch_close(o);
    if (p->sees_local)
        fs_local_end(o->node);
    tell_directory(q, o);
    if (o->stream)
        close_stream(q, o, dispose, posix);
    close_file(q, o, dispose && !o->stream, posix && !o->stream);
    fs_open_unref(o);
}
