/* close.c - the end of an open ([MS-FSA] 2.1.5.5): its holds, its watch, and, with the last open of a name that is to be
 * deleted, the name or the stream. Never waits: what has to be broken for that is told, and goes on. */
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
    co_set_delete(fs->co, key, link, true, clock_now(), &out);
    fs_deliver(fs, &out);
    fs_force_end(fs, &t);
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

/* Only if the name still means this object: it may have been moved or removed, and made anew, by others. */
static void remove_name(struct fs_req *q, struct fs_open *o)
{
    _cleanup_node_ struct st_node *dir = NULL;
    char name[ST_NAME_MAX + 1];
    size_t n;
    struct st_attr before, after;
    struct co_ticket t;
    bool is_dir = o->node->type == ST_DIR;
    if (fs_open_name(o, &dir, name, &n) != ST_OK || !fsn(dir))
        return;
    struct co_ask ask = fs_ask(dir, CO_CHILD);
    if (fs_force(q->fs, &o->party, &ask, 1, &t) != ST_OK)
        return;
    const struct store_ops *ops = dir->store->ops;
    fsn_lock_all(&dir, 1);
    bool known = ops->getattr(dir, &before) == ST_OK;
    enum st st = ops->unlink(dir, name, n, o->node, is_dir ? ST_UNLINK_DIR : 0);
    if (st == ST_OK && known) {
        fs_casemap_changed(dir, &before.ctime, name, n, NULL, 0);
        if (ops->getattr(dir, &after) == ST_OK)
            fsn_carry(dir, &before.ctime, &after.ctime);
    }
    fsn_unlock_all(&dir, 1);
    fs_force_end(q->fs, &t);
    if (st == ST_OK)
        fs_tell(q, dir, name, n, FS_REMOVED, is_dir ? FS_CHANGE_DIR_NAME : FS_CHANGE_FILE_NAME);
}

static bool close_in_engine(struct fs *fs, const struct co_key *key, const struct co_party *party, uint64_t link)
{
    struct co_out out = fs_out();
    bool last = co_close(fs->co, key, party, link, clock_now(), &out);
    fs_deliver(fs, &out);
    return last;
}

static void close_holds(struct fs_req *q, struct fs_open *o)
{
    struct fs *fs = q->fs;
    struct co_key key = fs_open_key(o), base = fs_node_key(o->node);
    uint64_t link = fs_open_link(o);
    bool posix;
    pthread_mutex_lock(&o->priv->lock);
    posix = o->priv->posix_delete;
    pthread_mutex_unlock(&o->priv->lock);
    if (o->priv->delete_on_close)
        set_disposition(fs, o, &key, o->stream ? FS_STREAM_LINK : link);
    if (o->stream) {
        if (close_in_engine(fs, &key, &o->party, FS_STREAM_LINK) || posix)
            remove_stream(q, o);
        posix = false;
    }
    if (close_in_engine(fs, &base, &o->party, link) || posix)
        remove_name(q, o);
}

void fs_close(struct fs_req *q, struct fs_open *o, struct fs_attr *attr)
{
    pthread_mutex_lock(&o->priv->lock);
    bool closed = o->priv->closed;
    o->priv->closed = true;
    pthread_mutex_unlock(&o->priv->lock);
    if (attr) {
        struct st_attr st;
        memset(attr, 0, sizeof *attr);
        if (o->node->store->ops->getattr(o->node, &st) == ST_OK)
            open_attr_fill(o->node, &st, o->priv->name, o->priv->n, fs_open_stream(o), attr);
    }
    if (closed)
        return;
    fs_watch_close(o);
    open_unpublish(o);
    close_holds(q, o);
    fs_open_unref(o);
}
