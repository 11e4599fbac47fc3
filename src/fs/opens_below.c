/* opens_below.c - a directory is to move, and stays as long as anything in it is open ([MS-FSA] 2.1.4.2). Whoever may
 * only be keeping a handle for later is asked first to close it: one after the other, the oldest open first. Who opens
 * something while the move waits is not asked: it could go on for ever. Looks through the table of opens, not through
 * the tree: there are fewer opens than files. */
#include "internal.h"

struct found {
    struct below {
        struct fs_open *open; /* references */
        struct st_node *dir;
    } *at;
    size_t n, cap;
    bool failed;
};

static void found_add(struct found *f, struct fs_open *o, struct st_node *dir)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 64;
        struct below *more = realloc(f->at, cap * sizeof *more);
        if (!more) {
            f->failed = true;
            return;
        }
        f->at = more;
        f->cap = cap;
    }
    f->at[f->n++] = (struct below){fs_open_ref(o), st_ref(dir)};
}

static void found_done(struct found *f)
{
    for (size_t i = 0; i < f->n; i++) {
        fs_open_unref(f->at[i].open);
        st_unref(f->at[i].dir);
    }
    free(f->at);
}

/* Everything of one store that is open and has a name. */
static void collect(struct fs *fs, const struct store *store, const struct fs_open *except, struct found *f)
{
    pthread_mutex_lock(&fs->opens_lock);
    for (size_t i = 0; i <= fs->opens.mask; i++) {
        for (struct hash_link *l = fs->opens.slots[i]; l; l = l->next) {
            struct fs_open_priv *p = container_of(l, struct fs_open_priv, link);
            if (p->open == except || p->open->node->store != store)
                continue;
            pthread_mutex_lock(&p->lock);
            if (p->dir && !p->closed)
                found_add(f, p->open, p->dir);
            pthread_mutex_unlock(&p->lock);
        }
    }
    pthread_mutex_unlock(&fs->opens_lock);
}

static bool is_below(struct st_node *top, struct st_node *dir)
{
    _cleanup_node_ struct st_node *at = st_ref(dir);
    while (at != top) {
        struct st_node *up = NULL;
        if (at->store->ops->parent(at, &up) != ST_OK)
            return false; /* removed: it is in no tree */
        bool root = up == at;
        st_unref(at);
        at = up;
        if (root)
            return at == top;
    }
    return true;
}

/* The oldest one that still counts, as a reference; NULL: none. False: no memory to tell. */
static bool oldest_below(struct fs *fs, struct st_node *dir, const struct fs_open *except, struct fs_open **ret)
{
    struct found f = {0};
    struct fs_open *oldest = NULL;
    collect(fs, dir->store, except, &f);
    for (size_t i = 0; i < f.n; i++) {
        struct fs_open *o = f.at[i].open;
        if ((!oldest || o->created_at < oldest->created_at) && is_below(dir, f.at[i].dir) &&
            fs_open_holds(o, CO_KIND_SHARE))
            oldest = o;
    }
    *ret = fs_open_ref(oldest);
    found_done(&f);
    return !f.failed;
}

/* ST_OK: it is not in the way any more. */
static enum st ask_to_close(struct fs_req *q, struct fs_open *o)
{
    if (q->ticket.queued_at && o->created_at > q->ticket.queued_at)
        return ST_ACCESS;
    struct co_ask ask = fs_ask(o->node, CO_RENAME);
    ask.key = fs_open_key(o);
    ask.flags |= CO_ABOVE;
    enum st st = fs_gate(q, &ask, 1);
    if (st != ST_OK)
        return st;
    fs_leave(q);
    return fs_open_holds(o, CO_KIND_SHARE) ? ST_ACCESS : ST_OK;
}

enum st fs_vacate(struct fs_req *q, struct st_node *dir, const struct fs_open *except)
{
    enum st st = ST_OK;
    while (st == ST_OK) {
        struct fs_open *o;
        if (!oldest_below(q->fs, dir, except, &o))
            return ST_NOMEM;
        if (!o)
            break;
        st = ask_to_close(q, o);
        fs_open_unref(o);
    }
    return st;
}
