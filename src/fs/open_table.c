/* open_table.c - opens as objects: their memory, their names, and the table of all of them by node, for renames and for
 * opening by file id. Knows nothing of share modes or rights.
 *
 * Locks: fs->opens_lock outside an open's own. */
#include "base/clock.h"
#include "open_impl.h"

uint64_t fs_link_id(const struct st_node *dir, const char *name, size_t n)
{
    if (!dir)
        return 1; /* the root's only one */
    uint64_t h = hash_bytes(name, n) ^ hash_u64(dir->id.ino * 31 + dir->id.gen);
    return h ? h : 1; /* 0 means any */
}

struct fs_open *open_new(struct opening *x)
{
    struct mem {
        struct fs_open o;
        struct fs_open_priv p;
    } *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    struct fs_open *o = &m->o;
    o->fs = x->q->fs;
    o->priv = &m->p;
    o->priv->open = o;
    o->refs = 1;
    o->party = *x->q->party;
    o->cred = *x->q->cred;
    o->share_access = x->a->share;
    o->options = x->a->options;
    o->created_at = clock_now();
    pthread_mutex_init(&o->priv->lock, NULL);
    o->stream = x->stream ? strdup(x->stream) : NULL;
    if (x->stream && !o->stream) {
        fs_open_unref(o);
        return NULL;
    }
    o->share = x->q->share;
    atomic_fetch_add(&o->share->refs, 1);
    return o;
}

void open_publish(struct opening *x)
{
    struct fs_open *o = x->open;
    struct fs_open_priv *p = o->priv;
    p->dir = st_ref(x->path.dir);
    memcpy(p->name, x->path.name, x->path.n + 1);
    p->n = x->path.n;
    p->link_id = x->link;
    o->access = x->granted;
    p->delete_on_close = x->a->options & FS_DELETE_ON_CLOSE;
    pthread_mutex_lock(&o->fs->opens_lock);
    hash_insert(&o->fs->opens, &p->link, hash_u64((uintptr_t)o->node));
    pthread_mutex_unlock(&o->fs->opens_lock);
}

void open_unpublish(struct fs_open *o)
{
    pthread_mutex_lock(&o->fs->opens_lock);
    hash_remove(&o->fs->opens, &o->priv->link);
    pthread_mutex_unlock(&o->fs->opens_lock);
}

struct fs_open *fs_open_ref(struct fs_open *o)
{
    if (o)
        atomic_fetch_add(&o->refs, 1);
    return o;
}

void fs_open_unref(struct fs_open *o)
{
    if (!o || atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    struct fs_open_priv *p = o->priv;
    st_unref(p->dir);
    st_unref(o->node);
    while (p->old_streams) {
        struct fs_old_stream *next = p->old_streams->next;
        free(p->old_streams->name);
        free(p->old_streams);
        p->old_streams = next;
    }
    free(o->stream);
    fs_search_free(p->search);
    pthread_mutex_destroy(&p->lock);
    if (o->share)
        fs_share_put(o->share);
    free(o);
}

enum st fs_open_name(struct fs_open *o, struct st_node **ret_dir, char ret_name[ST_NAME_MAX + 1], size_t *ret_n)
{
    struct fs_open_priv *p = o->priv;
    enum st st = ST_BADNAME;
    pthread_mutex_lock(&p->lock);
    if (p->dir) {
        *ret_dir = st_ref(p->dir);
        memcpy(ret_name, p->name, p->n + 1);
        *ret_n = p->n;
        st = ST_OK;
    }
    pthread_mutex_unlock(&p->lock);
    return st;
}

enum st fs_open_path(struct fs_req *q, struct fs_open *o, char **ret)
{
    char name[ST_NAME_MAX + 1], dir_path[4096];
    _cleanup_node_ struct st_node *dir = NULL;
    size_t n = 0;
    if (fs_open_name(o, &dir, name, &n) != ST_OK) {
        *ret = arena_strndup(q->arena, "", 0);
        return *ret ? ST_OK : ST_NOMEM;
    }
    enum st st = dir->store->ops->path(dir, dir_path, sizeof dir_path);
    if (st != ST_OK)
        return st;
    *ret = arena_printf(q->arena, "%s%s%s", dir_path, dir_path[0] ? "/" : "", name);
    return *ret ? ST_OK : ST_NOMEM;
}

static bool stands_at(const struct fs_open_priv *p, const struct st_node *dir, const char *name, size_t n)
{
    return p->dir == dir && p->n == n && memcmp(p->name, name, n) == 0;
}

void fs_opens_renamed(struct fs *fs, struct st_node *node, struct st_node *sdir, const char *sname, size_t sn,
                      struct st_node *ddir, const char *dname, size_t dn)
{
    uint64_t from = fs_link_id(sdir, sname, sn), to = fs_link_id(ddir, dname, dn);
    struct co_key key = fs_node_key(node);
    pthread_mutex_lock(&fs->opens_lock);
    for (struct hash_link *l = hash_first(&fs->opens, hash_u64((uintptr_t)node)); l; l = hash_next(l)) {
        struct fs_open_priv *p = container_of(l, struct fs_open_priv, link);
        if (p->open->node != node)
            continue;
        pthread_mutex_lock(&p->lock);
        if (stands_at(p, sdir, sname, sn)) {
            st_unref(p->dir); /* the caller holds another reference: nothing is freed under these locks */
            p->dir = st_ref(ddir);
            memcpy(p->name, dname, dn);
            p->name[dn] = '\0';
            p->n = dn;
            p->link_id = to;
        }
        pthread_mutex_unlock(&p->lock);
    }
    co_relink(fs->co, &key, from, to);
    pthread_mutex_unlock(&fs->opens_lock);
}

/* Only objects that somebody has open are found by number: a number alone leads to no object in a store. */
bool open_by_id(struct fs *fs, const struct st_node *root, uint64_t id, struct fs_path *ret)
{
    bool found = false;
    pthread_mutex_lock(&fs->opens_lock);
    for (size_t i = 0; i <= fs->opens.mask && !found; i++)
        for (struct hash_link *l = fs->opens.slots[i]; l && !found; l = l->next) {
            struct fs_open_priv *p = container_of(l, struct fs_open_priv, link);
            if (p->open->node->id.ino != id || p->open->node->store != root->store)
                continue;
            pthread_mutex_lock(&p->lock);
            ret->dir = st_ref(p->dir);
            memcpy(ret->name, p->name, p->n + 1);
            ret->n = p->n;
            pthread_mutex_unlock(&p->lock);
            ret->node = st_ref(p->open->node);
            found = true;
        }
    pthread_mutex_unlock(&fs->opens_lock);
    return found;
}
