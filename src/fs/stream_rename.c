/* stream_rename.c - a stream gets another name ([MS-FSA] 2.1.5.15.12 for streams). The engine knows a stream by its
 * name, so the open moves from one key to another: it must be the only one. Its locks and caching rights end with the
 * old name. */
#include "base/clock.h"
#include "open_impl.h"

static enum st check(struct fs_req *q, struct fs_open *o, const char *from, const char *to, bool replace)
{
    char attr[ST_NAME_MAX + 1];
    if (fs_read_only(q))
        return ST_ROFS;
    enum st st = fs_permit_open(o, FS_DELETE);
    if (st != ST_OK)
        return st;
    if (!from || !*to || strchr(to, ':') || strchr(to, '/'))
        return ST_INVAL; /* the unnamed stream is the file itself: it neither comes nor goes */
    struct co_key key = fs_open_key(o);
    if (co_opens(q->fs->co, &key, 0) > 1)
        return ST_SHARE_CONFLICT;
    st = fs_stream_find(o->node, to, attr);
    if (st == ST_NOATTR || (st == ST_OK && name_fold_equal(from, strlen(from), to, strlen(to))))
        return ST_OK;
    if (st != ST_OK)
        return st;
    if (!replace)
        return ST_EXIST;
    key = fs_stream_key(o->node, to);
    return co_opens(q->fs->co, &key, 0) ? ST_ACCESS : ST_OK;
}

/* With the node's lock. */
static enum st move_value(struct fs_req *q, struct st_node *n, const char *from, const char *to)
{
    char old[ST_NAME_MAX + 1], target[ST_NAME_MAX + 1], made[ST_NAME_MAX + 1];
    const struct store_ops *ops = n->store->ops;
    size_t size = 0;
    enum st st = fs_stream_find(n, from, old);
    if (st != ST_OK)
        return st == ST_NOATTR ? ST_STALE : st;
    bool there = fs_stream_find(n, to, target) == ST_OK;
    memcpy(made, FS_STREAM_PREFIX, strlen(FS_STREAM_PREFIX));
    memcpy(made + strlen(FS_STREAM_PREFIX), to, strlen(to) + 1);
    if (strcmp(old, made) == 0)
        return ST_OK;
    void *value = arena_alloc(q->arena, FS_STREAM_MAX);
    st = value ? ops->xattr_get(n, old, value, FS_STREAM_MAX, &size) : ST_NOMEM;
    if (st == ST_OK && there && strcmp(target, old) != 0 && strcmp(target, made) != 0)
        st = ops->xattr_del(n, target);
    /* The old one goes first: a file system may have no room for both. */
    if (st == ST_OK)
        st = ops->xattr_del(n, old);
    if (st == ST_OK && (st = ops->xattr_set(n, made, value, size)) != ST_OK)
        ops->xattr_set(n, old, value, size);
    fs_meta_forget(n);
    return st;
}

static void move_open(struct fs_open *o, const struct co_ask *ask, char *name, struct fs_old_stream *keep)
{
    struct co_ticket t;
    struct co_out out = fs_out();
    struct co_ask taken = *ask;
    struct co_key old = fs_open_key(o);
    if (fs_force(o->fs, &o->party, &taken, 1, &t) == ST_OK)
        fs_force_end(o->fs, &t);
    pthread_mutex_lock(&o->priv->lock);
    o->priv->key = ask->key;
    keep->name = o->stream;
    keep->next = o->priv->old_streams;
    o->priv->old_streams = keep;
    o->stream = name;
    pthread_mutex_unlock(&o->priv->lock);
    co_close(o->fs->co, &old, &o->party, FS_STREAM_LINK, clock_now(), &out);
    fs_deliver(o->fs, &out);
}

static struct co_ask new_hold(const struct fs_open *o, const char *name)
{
    struct opening x = {.granted = o->access, .stream = name};
    struct fs_open_args a = {.share = o->share_access, .disposition = FS_OPEN};
    x.a = &a;
    return open_ask(&x, o->node);
}

enum st fs_stream_rename(struct fs_req *q, struct fs_open *o, const char *name, size_t n, bool replace)
{
    struct st_node *node = o->node, *dir = NULL;
    const char *from = o->stream ? fs_open_stream(o) : NULL;
    char *to = arena_strndup(q->arena, name, n), dname[ST_NAME_MAX + 1];
    size_t dn;
    if (!to || !fsn(node))
        return ST_NOMEM;
    enum st st = check(q, o, from, to, replace);
    if (st != ST_OK)
        return st;
    char *own = strdup(to);
    struct fs_old_stream *keep = calloc(1, sizeof *keep);
    FS_THROUGH(q, o);
    struct co_ask ask = fs_ask(node, CO_RENAME);
    ask.key = fs_open_key(o);
    ask.link = FS_STREAM_LINK;
    st = own && keep ? fs_gate(q, &ask, 1) : ST_NOMEM;
    if (st == ST_OK) {
        fsn_lock_all(&node, 1);
        st = move_value(q, node, from, to);
        fsn_unlock_all(&node, 1);
        if (st == ST_OK) {
            struct co_ask hold = new_hold(o, to);
            bool same = name_fold_equal(from, strlen(from), to, n);
            if (!same)
                move_open(o, &hold, TAKE_PTR(own), TAKE_PTR(keep));
            if (fs_open_name(o, &dir, dname, &dn) == ST_OK)
                fs_tell(q, dir, dname, dn, FS_MODIFIED, FS_CHANGE_STREAM_NAME);
            st_unref(dir);
        }
        fs_leave(q);
    }
    free(own);
    free(keep);
    return st;
}
