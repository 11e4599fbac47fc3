/* tell.c - something has changed in a directory: tell those who watch it, or a directory above it. With no watch
 * anywhere it costs one load. Who watches and what they remember is notify.c's. */
#include "notify.h"

#define PATH_BUF 4096

static bool interested(const struct fs_watch *w, uint32_t filter)
{
    bool named = filter & FS_CHANGE_UNNAMED && w->filter & FS_CHANGE_FILE_NAME;
    return w->filter & filter & FS_CHANGE_ALL && !named;
}

/* The last `levels` components of a path. */
static const char *tail_of(const char *path, unsigned levels)
{
    const char *p = path + strlen(path);
    while (levels && p > path) {
        p--;
        if (*p == '/' && !--levels)
            return p + 1;
    }
    return p;
}

static void tell_dir(struct st_node *dir, const char *name, size_t n, uint32_t action, uint32_t filter, bool trees_only)
{
    struct fsn *f = __atomic_load_n(&dir->fs, __ATOMIC_ACQUIRE);
    struct fs_watch *w;
    if (!f)
        return;
    pthread_mutex_lock(&watch_mu);
    if (f->watchers)
        list_each(w, &f->watchers->watches, link)
            if (interested(w, filter) && (w->tree || !trees_only))
                watch_add(w, action, name, n, action != FS_RENAMED_OLD);
    pthread_mutex_unlock(&watch_mu);
}

/* Directories above: the name grows by one component at each. */
static void tell_above(struct st_node *dir, const char *name, size_t n, uint32_t action, uint32_t filter)
{
    char path[PATH_BUF], full[PATH_BUF + ST_NAME_MAX + 2];
    const struct st_node *root = fs_volume_of(dir)->root;
    if (dir == root || dir->store->ops->path(dir, path, sizeof path) != ST_OK)
        return;
    _cleanup_node_ struct st_node *at = st_ref(dir);
    for (unsigned levels = 1; at != root; levels++) {
        struct st_node *up = NULL;
        if (at->store->ops->parent(at, &up) != ST_OK)
            return;
        st_unref(at);
        at = up;
        const char *tail = tail_of(path, levels);
        size_t nt = strlen(tail);
        memcpy(full, tail, nt);
        full[nt] = '/';
        memcpy(full + nt + 1, name, n);
        tell_dir(at, full, nt + 1 + n, action, filter, true);
    }
}

/* A directory's name was removed: those who watch the directory itself are to look. */
static void tell_removed(struct fs *fs, struct st_node *dir, const char *name, size_t n)
{
    struct st_node *gone[16];
    size_t count = 0;
    pthread_mutex_lock(&fs->opens_lock);
    for (size_t i = 0; i <= fs->opens.mask; i++)
        for (struct hash_link *l = fs->opens.slots[i]; l && count < ARRAY_LEN(gone); l = l->next) {
            struct fs_open_priv *p = container_of(l, struct fs_open_priv, link);
            if (p->open->node->type != ST_DIR)
                continue;
            pthread_mutex_lock(&p->lock);
            if (p->dir == dir && p->n == n && memcmp(p->name, name, n) == 0)
                gone[count++] = st_ref(p->open->node);
            pthread_mutex_unlock(&p->lock);
        }
    pthread_mutex_unlock(&fs->opens_lock);
    while (count) {
        fs_watch_gone(gone[--count]);
        st_unref(gone[count]);
    }
}

void fs_tell(struct fs_req *q, struct st_node *dir, const char *name, size_t n, uint32_t action, uint32_t filter)
{
    fs_tell_change(q->fs, dir, name, n, action, filter);
}

void fs_tell_change(struct fs *fs, struct st_node *dir, const char *name, size_t n, uint32_t action, uint32_t filter)
{
    if (likely(!atomic_load_explicit(&fs->watching, memory_order_relaxed)) || !dir || n > ST_NAME_MAX)
        return;
    tell_dir(dir, name, n, action, filter, false);
    tell_above(dir, name, n, action, filter);
    if (action == FS_REMOVED && filter & FS_CHANGE_DIR_NAME)
        tell_removed(fs, dir, name, n);
}

/* Where the store last saw it. */
static enum st find_dir(struct st_node *node, struct st_node **ret, char name[ST_NAME_MAX + 1], size_t *ret_n)
{
    char path[PATH_BUF];
    enum st st = node->store->ops->path(node, path, sizeof path);
    if (st != ST_OK || !path[0])
        return st != ST_OK ? st : ST_NOENT;
    struct st_node *dir = st_ref(fs_volume_of(node)->root);
    char *p = path;
    for (char *slash; (slash = strchr(p, '/')); p = slash + 1) {
        struct st_node *next = NULL;
        st = dir->store->ops->lookup(dir, p, (size_t)(slash - p), &next);
        st_unref(dir);
        if (st != ST_OK)
            return st;
        dir = next;
    }
    *ret_n = strnlen(p, ST_NAME_MAX);
    memcpy(name, p, *ret_n);
    name[*ret_n] = '\0';
    *ret = dir;
    return ST_OK;
}

void fs_tell_node(struct fs_req *q, struct st_node *node, struct fs_open *o, uint32_t filter)
{
    _cleanup_node_ struct st_node *dir = NULL;
    char name[ST_NAME_MAX + 1];
    size_t n = 0;
    if (likely(!atomic_load_explicit(&q->fs->watching, memory_order_relaxed)))
        return;
    enum st st = o ? fs_open_name(o, &dir, name, &n) : find_dir(node, &dir, name, &n);
    if (st == ST_OK)
        fs_tell(q, dir, name, n, o && o->stream ? FS_MODIFIED_STREAM : FS_MODIFIED, filter);
}
