/* opens_below.c - is anything in a directory tree open? Looks through the table of opens, not through the tree: there
 * are fewer opens than files. Only moves of directories through an open ask, and
 * those by name when dir_rename = strict. */
#include "internal.h"

struct dirs {
    struct st_node **dir; /* references */
    size_t n, cap;
    bool failed;
};

static void dirs_add(struct dirs *d, struct st_node *dir)
{
    if (d->n && d->dir[d->n - 1] == dir)
        return;
    if (d->n == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 64;
        struct st_node **more = realloc(d->dir, cap * sizeof *more);
        if (!more) {
            d->failed = true;
            return;
        }
        d->dir = more;
        d->cap = cap;
    }
    d->dir[d->n++] = st_ref(dir);
}

/* The directories that hold an open name, of one store. */
static void collect(struct fs *fs, const struct store *store, const struct fs_open *except, struct dirs *d)
{
    pthread_mutex_lock(&fs->opens_lock);
    for (size_t i = 0; i <= fs->opens.mask; i++) {
        for (struct hash_link *l = fs->opens.slots[i]; l; l = l->next) {
            struct fs_open_priv *p = container_of(l, struct fs_open_priv, link);
            if (p->open == except || p->open->node->store != store)
                continue;
            pthread_mutex_lock(&p->lock);
            if (p->dir && !p->closed)
                dirs_add(d, p->dir);
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

bool fs_opens_below(struct fs *fs, struct st_node *dir, const struct fs_open *except)
{
    struct dirs d = {0};
    collect(fs, dir->store, except, &d);
    bool found = d.failed;
    for (size_t i = 0; i < d.n; i++) {
        found = found || is_below(dir, d.dir[i]);
        st_unref(d.dir[i]);
    }
    free(d.dir);
    return found;
}
