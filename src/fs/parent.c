/* parent.c - the directory that shows an object's size and times to others. A directory lease covers the attributes of
 * the entries, so who changes those must say so to the engine; yet an NFS client comes with a file handle only.
 *
 * Where the object was last looked up is remembered with the node as plain data, without keeping the directory. Where
 * nobody knows, the store is asked for a path. All of it only once a directory lease has been granted. */
#include "internal.h"

void fs_parent_seen(struct fs *fs, const struct st_node *dir, struct st_node *n)
{
    if (!atomic_load_explicit(&fs->dir_leases, memory_order_relaxed))
        return;
    struct fsn *f = fsn(n);
    if (!f)
        return;
    pthread_mutex_lock(&f->meta_lock);
    f->parent = fs_node_key(dir);
    f->has_parent = true;
    pthread_mutex_unlock(&f->meta_lock);
}

/* Walks to the directory of the path that the store knows n by. */
static bool find_parent(struct fs *fs, struct st_node *n)
{
    char path[4096];
    if (n->store->ops->path(n, path, sizeof path) != ST_OK)
        return false;
    _cleanup_node_ struct st_node *dir = st_ref(fs_volume_of(n)->root);
    for (char *p = path, *slash; (slash = strchr(p, '/')); p = slash + 1) {
        struct st_node *next = NULL;
        if (slash == p)
            continue;
        if (n->store->ops->lookup(dir, p, (size_t)(slash - p), &next) != ST_OK)
            return false;
        st_unref(dir);
        dir = next;
    }
    fs_parent_seen(fs, dir, n);
    return true;
}

bool fs_parent_ask(struct fs_req *q, struct st_node *n, struct fs_open *o, struct co_ask *ret)
{
    if (!atomic_load_explicit(&q->fs->dir_leases, memory_order_relaxed) || n == fs_volume_of(n)->root)
        return false;
    *ret = (struct co_ask){.op = CO_CHILD_ATTR, .flags = CO_DIRECTORY, .last = UINT64_MAX};
    if (o) {
        pthread_mutex_lock(&o->priv->lock);
        bool known = o->priv->dir != NULL;
        if (known)
            ret->key = fs_node_key(o->priv->dir);
        pthread_mutex_unlock(&o->priv->lock);
        return known;
    }
    struct fsn *f = fsn(n);
    for (int tries = 0; f && tries < 2; tries++) {
        pthread_mutex_lock(&f->meta_lock);
        bool known = f->has_parent;
        ret->key = f->parent;
        pthread_mutex_unlock(&f->meta_lock);
        if (known)
            return true;
        if (!find_parent(q->fs, n))
            return false;
    }
    return false;
}
