/* resolve.c - from a path to an object: component by component, case-insensitively, with the right to go through every
 * directory. Symbolic links are followed here, and by nobody else, when the share says so; ".." in a link's target
 * stops at the share's root and an absolute target counts from the share's directory on, so no link leads out. Only
 * looks. */
#include "resolve.h"

#define LINKS_MAX 40
#define LINK_TARGET_MAX 4096

struct walk {
    struct fs_req *q;
    struct st_node *cur; /* directory that `rest` starts in */
    const char *rest;
    size_t n;
    unsigned links, flags;
};

void fs_path_done(struct fs_path *p)
{
    st_unref(p->dir);
    st_unref(p->node);
    p->dir = p->node = NULL;
}

/* The next component; slashes around it are skipped. False: there is none. */
static bool next_component(struct walk *w, const char **ret, size_t *ret_n)
{
    while (w->n && *w->rest == '/')
        w->rest++, w->n--;
    if (!w->n)
        return false;
    const char *slash = memchr(w->rest, '/', w->n);
    *ret = w->rest;
    *ret_n = slash ? (size_t)(slash - w->rest) : w->n;
    w->rest += *ret_n;
    w->n -= *ret_n;
    while (w->n && *w->rest == '/')
        w->rest++, w->n--;
    return true;
}

static void enter(struct walk *w, struct st_node *dir)
{
    st_unref(w->cur);
    w->cur = dir;
}

/* May the caller go through cur, and what are its attributes? */
static enum st pass(struct walk *w, struct st_attr *ret)
{
    if (w->cur->type != ST_DIR)
        return ST_NOPATH;
    if (!fsn(w->cur))
        return ST_NOMEM;
    enum st st = w->cur->store->ops->getattr(w->cur, ret);
    if (st == ST_OK && !fs_cred_of(w->q)->superuser)
        st = fs_permit(w->q, w->cur, ret, FS_TRAVERSE);
    return st == ST_STALE ? ST_NOPATH : st;
}

/* An absolute target is one of this share when it lies below the directory that is served. */
static bool absolute_target(struct walk *w, const char **target, size_t *n)
{
    const struct fs_share *s = fs_node_share(w->cur);
    size_t root = s ? strlen(s->cfg.path) : 0;
    while (root && s->cfg.path[root - 1] == '/')
        root--;
    if (!root || *n < root || memcmp(*target, s->cfg.path, root) != 0 || (*n > root && (*target)[root] != '/'))
        return false;
    *target += root;
    *n -= root;
    return true;
}

/* Puts a link's target before what is left of the path. */
static enum st follow(struct walk *w, struct st_node *link)
{
    if (++w->links > LINKS_MAX)
        return ST_LOOP;
    char *buf = arena_alloc(w->q->arena, LINK_TARGET_MAX);
    size_t n = 0;
    if (!buf)
        return ST_NOMEM;
    enum st st = link->store->ops->readlink(link, buf, LINK_TARGET_MAX, &n);
    if (st != ST_OK)
        return st;
    const char *target = buf;
    if (n && buf[0] == '/') {
        if (!absolute_target(w, &target, &n))
            return w->n ? ST_NOPATH : ST_NOENT;
        enter(w, st_ref(fs_volume_of(link)->root));
    }
    char *rest = arena_alloc(w->q->arena, n + 1 + w->n + 1);
    if (!rest)
        return ST_NOMEM;
    memcpy(rest, target, n);
    rest[n] = '/';
    memcpy(rest + n + 1, w->rest, w->n);
    w->rest = rest;
    w->n = n + 1 + w->n;
    return ST_OK;
}

static bool follows(const struct walk *w)
{
    const struct fs_share *s = w->q->share ? w->q->share : fs_node_share(w->cur);
    return s && s->cfg.follow_symlinks;
}

/* "." and ".." come only from targets of links: names of Windows never have them. */
static enum st dots(struct walk *w, size_t n)
{
    struct st_node *parent;
    if (n == 1)
        return ST_OK;
    enum st st = w->cur->store->ops->parent(w->cur, &parent);
    if (st == ST_OK)
        enter(w, parent);
    return st;
}

static bool is_dots(const char *name, size_t n)
{
    return name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.'));
}

/* Everything but the last name. *ret_done: the path ended with a directory of its own ("", or a link's ".."). */
static enum st walk(struct walk *w, struct fs_path *ret, bool *ret_done)
{
    const char *name;
    size_t n;
    *ret_done = false;
    while (next_component(w, &name, &n)) {
        enum st st = pass(w, &ret->dir_attr);
        if (st != ST_OK)
            return st;
        if (is_dots(name, n)) {
            if ((st = dots(w, n)) != ST_OK)
                return st;
            continue;
        }
        _cleanup_node_ struct st_node *node = NULL;
        ret->moves = atomic_load(&fsn(w->cur)->moves);
        st = fs_lookup_fold(w->q, w->cur, name, n, &node, ret->name, &ret->n);
        if (st == ST_OK && node->type == ST_LNK && (w->n || !(w->flags & FS_RESOLVE_LINK))) {
            if (!follows(w))
                return ST_SYMLINK;
            if ((st = follow(w, node)) != ST_OK)
                return st;
            continue;
        }
        if (w->n) {
            if (st != ST_OK)
                return st == ST_NOENT || st == ST_NOTDIR ? ST_NOPATH : st;
            enter(w, TAKE_PTR(node));
            continue;
        }
        if (st == ST_NOENT) {
            memcpy(ret->name, name, n);
            ret->name[n] = '\0';
            ret->n = n;
        } else if (st != ST_OK) {
            return st;
        }
        ret->node = TAKE_PTR(node);
        return ST_OK;
    }
    *ret_done = true;
    return ST_OK;
}

/* The path is a directory that was reached without a last name: find out what it is called. */
static enum st name_of(struct st_node *dir, struct fs_path *ret)
{
    char path[4096];
    if (dir == fs_volume_of(dir)->root)
        return ST_OK;
    enum st st = dir->store->ops->parent(dir, &ret->dir);
    if (st == ST_OK)
        st = dir->store->ops->path(dir, path, sizeof path);
    if (st == ST_OK)
        st = ret->dir->store->ops->getattr(ret->dir, &ret->dir_attr);
    if (st == ST_OK && !fsn(ret->dir))
        st = ST_NOMEM;
    if (st != ST_OK)
        return st;
    ret->moves = atomic_load(&fsn(ret->dir)->moves) - 1; /* to be looked at again */
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    ret->n = MIN(strlen(name), (size_t)ST_NAME_MAX);
    memcpy(ret->name, name, ret->n);
    ret->name[ret->n] = '\0';
    return ST_OK;
}

enum st fs_resolve(struct fs_req *q, struct st_node *base, const char *path, size_t n, unsigned flags,
                   struct fs_path *ret)
{
    struct walk w = {.q = q, .cur = st_ref(base), .rest = path, .n = n, .flags = flags};
    bool done;
    ret->dir = ret->node = NULL;
    ret->n = 0;
    ret->name[0] = '\0';
    enum st st = walk(&w, ret, &done);
    if (st == ST_OK && done) {
        ret->node = st_ref(w.cur);
        ret->n = 0;
        st = name_of(w.cur, ret);
    } else if (st == ST_OK) {
        ret->dir = TAKE_PTR(w.cur);
    }
    st_unref(w.cur);
    if (st != ST_OK)
        fs_path_done(ret);
    return st;
}

/* A rename through an open that only changes the spelling of its own name meets that name. */
static bool is_own_name(const struct fs_req *q, const struct fs_path *p)
{
    bool own = false;
    if (!p->node || !q->party || !q->party->client)
        return false;
    pthread_mutex_lock(&q->fs->opens_lock);
    uint64_t hash = hash_u64((uintptr_t)p->node);
    for (struct hash_link *l = hash_first(&q->fs->opens, hash); l && !own; l = hash_next(l)) {
        struct fs_open_priv *o = container_of(l, struct fs_open_priv, link);
        if (o->open->node != p->node || o->open->party.open != q->party->open)
            continue;
        pthread_mutex_lock(&o->lock);
        own = o->dir == p->dir && o->n == p->n && memcmp(o->name, p->name, p->n) == 0;
        pthread_mutex_unlock(&o->lock);
    }
    pthread_mutex_unlock(&q->fs->opens_lock);
    return own;
}

enum st fs_resolve_parent(struct fs_req *q, struct st_node *base, const char *path, size_t n, struct st_node **ret_dir,
                          char **ret_name, size_t *ret_n)
{
    _cleanup_path_ struct fs_path p = {0};
    enum st st = fs_resolve(q, base, path, n, FS_RESOLVE_LINK, &p);
    if (st != ST_OK)
        return st;
    if (!p.dir)
        return ST_BADNAME; /* the root has no name to give */
    const char *name = p.name;
    size_t len = p.n;
    if (is_own_name(q, &p)) {
        const char *slash = memrchr(path, '/', n);
        name = slash ? slash + 1 : path;
        len = n - (size_t)(name - path);
    }
    *ret_name = arena_strndup(q->arena, name, len);
    if (!*ret_name)
        return ST_NOMEM;
    *ret_dir = TAKE_PTR(p.dir);
    *ret_n = len;
    return ST_OK;
}
