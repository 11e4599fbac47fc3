/* find.c - directory search ([MS-FSA] 2.1.5.6.3, [MS-SMB2] 3.3.5.18): the entries of a directory that match a pattern,
 * a batch at a time, with attributes. The place between calls is the store's cookie, so entries that stay are given
 * once whatever else comes and goes. A pattern without wildcards is looked up, not searched for. */
#include "open_impl.h"

#define BIG_DIRECTORY 65536 /* bytes of a directory that is not searched on a loop's thread */

struct fs_search {
    pthread_mutex_t lock;
    char *pattern;
    size_t n;
    uint32_t index;    /* of the last entry given, counting from 1 */
    unsigned dots;     /* of "." and ".." have been considered */
    uint64_t cookie;
    bool found, ended; /* ended: the store has no more */
};

struct find {
    struct fs_req *q;
    struct fs_open *o;
    struct fs_search *s;
    uint32_t skip; /* entries up to this index are passed over */
    bool single, stop, follows;
    uint32_t given;
    bool (*fn)(void *arg, const struct fs_match *m);
    void *arg;
};

void fs_search_free(struct fs_search *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s->pattern);
    free(s);
}

static struct fs_search *search_of(struct fs_open *o)
{
    struct fs_open_priv *p = o->priv;
    pthread_mutex_lock(&p->lock);
    if (!p->search && (p->search = calloc(1, sizeof *p->search)))
        pthread_mutex_init(&p->search->lock, NULL);
    struct fs_search *s = p->search;
    pthread_mutex_unlock(&p->lock);
    return s;
}

/* Hands one entry out. False: it did not fit, or the caller has enough; its place is kept. */
static bool give(struct find *f, struct st_node *node, const char *name, size_t n)
{
    struct fs_match m = {.name = name, .n = n, .index = f->s->index + 1};
    struct st_attr a;
    if (f->skip > f->s->index) {
        f->s->index++;
        return true;
    }
    if (node->store->ops->getattr(node, &a) != ST_OK)
        return true; /* vanished */
    open_attr_fill(node, &a, name, n, NULL, &m.attr);
    m.fileid = a.ino;
    if ((f->single && f->given) || !f->fn(f->arg, &m)) {
        f->stop = true;
        return false;
    }
    f->s->index++;
    f->s->found = true;
    f->given++;
    return true;
}

/* Where links are followed, an entry shows what it leads to; one that leads nowhere, itself. */
static bool give_entry(struct find *f, struct st_node *dir, struct st_node *node, const char *name, size_t n)
{
    _cleanup_path_ struct fs_path p = {0};
    if (node->type == ST_LNK && f->follows && fs_resolve(f->q, dir, name, n, 0, &p) == ST_OK && p.node)
        node = p.node;
    return give(f, node, name, n);
}

static bool matches(const struct find *f, const char *name, size_t n)
{
    return name_match(f->s->pattern, f->s->n, name, n);
}

static void give_dots(struct find *f)
{
    static const char *const names[] = {".", ".."};
    for (; f->s->dots < 2 && !f->stop; f->s->dots++) {
        _cleanup_node_ struct st_node *node = NULL;
        size_t n = f->s->dots + 1;
        if (!matches(f, names[n - 1], n))
            continue;
        if (n == 1)
            node = st_ref(f->o->node);
        else if (f->o->node->store->ops->parent(f->o->node, &node) != ST_OK)
            continue;
        if (!give(f, node, names[n - 1], n))
            return;
    }
}

static bool see_entry(void *arg, const struct st_dirent *e)
{
    struct find *f = arg;
    struct st_node *dir = f->o->node;
    if (matches(f, e->name, e->nname)) {
        _cleanup_node_ struct st_node *node = NULL;
        if (fs_entry(dir, e->name, e->nname, &node) == ST_OK &&
            !give_entry(f, dir, node, e->name, e->nname))
            return false;
    }
    f->s->cookie = e->cookie;
    return true;
}

static enum st search(struct find *f)
{
    give_dots(f);
    if (f->stop || f->s->ended)
        return ST_OK;
    enum st st = f->o->node->store->ops->readdir(f->o->node, f->s->cookie, see_entry, f);
    if (st == ST_END && !f->stop)
        f->s->ended = true;
    return st == ST_END ? ST_OK : st;
}

static bool has_wildcard(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strchr("*?<>\"", p[i]))
            return true;
    return false;
}

static enum st look_up(struct find *f)
{
    struct fs_search *s = f->s;
    _cleanup_node_ struct st_node *node = NULL;
    char name[ST_NAME_MAX + 1];
    size_t n;
    if (s->ended)
        return ST_OK;
    if (s->pattern[0] == '.' && (s->n == 1 || (s->n == 2 && s->pattern[1] == '.'))) {
        s->dots = s->n == 2;
        give_dots(f);
        s->ended = !f->stop;
        return ST_OK;
    }
    enum st st = fs_lookup_fold(f->q, f->o->node, s->pattern, s->n, &node, name, &n);
    if (st != ST_OK && st != ST_NOENT && st != ST_NAMETOOLONG && st != ST_BADNAME)
        return st;
    if (st == ST_OK)
        give_entry(f, f->o->node, node, name, n);
    s->ended = !f->stop;
    return ST_OK;
}

/* The pattern and the place of a first call, a restart or a new pattern. */
static enum st begin(struct fs_search *s, const char *pattern, size_t n, unsigned flags)
{
    if (!s->pattern || flags & FS_FIND_REOPEN) {
        char *copy = malloc(n + 2);
        if (!copy)
            return ST_NOMEM;
        memcpy(copy, n ? pattern : "*", n ? n : 1);
        free(s->pattern);
        s->pattern = copy;
        s->n = n ? n : 1;
        flags |= FS_FIND_RESTART;
    }
    if (flags & (FS_FIND_RESTART | FS_FIND_INDEX)) {
        s->index = s->dots = 0;
        s->cookie = 0;
        s->ended = false;
        if (flags & FS_FIND_REOPEN)
            s->found = false;
    }
    return ST_OK;
}

enum st fs_find(struct fs_req *q, struct fs_open *o, const char *pattern, size_t n, unsigned flags, uint32_t index,
                bool (*fn)(void *arg, const struct fs_match *m), void *arg)
{
    struct st_attr a;
    if (o->node->type != ST_DIR || o->stream)
        return ST_NOTDIR;
    enum st st = fs_permit_open(o, FS_LIST);
    if (st == ST_OK)
        st = o->node->store->ops->getattr(o->node, &a);
    if (st != ST_OK)
        return st;
    bool wild = !n || has_wildcard(pattern, n);
    if (wild && a.size > BIG_DIRECTORY && q->job && !q->may_block)
        return ST_OFFLOAD;
    struct fs_search *s = search_of(o);
    if (!s)
        return ST_NOMEM;
    pthread_mutex_lock(&s->lock);
    struct find f = {.q = q, .o = o, .s = s, .skip = flags & FS_FIND_INDEX ? index : 0,
                     .single = flags & FS_FIND_SINGLE, .follows = o->share->cfg.follow_symlinks, .fn = fn, .arg = arg};
    st = begin(s, pattern, n, flags);
    if (st == ST_OK)
        st = has_wildcard(s->pattern, s->n) ? search(&f) : look_up(&f);
    if (st == ST_OK && !f.given && !f.stop)
        st = s->found ? ST_END : ST_NOENT;
    pthread_mutex_unlock(&s->lock);
    return st;
}
