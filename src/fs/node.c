/* node.c - what src/fs keeps with a node: its lock and its caches. Knows no operation and no permission.
 *
 * fsn() makes it on first use; whoever comes second takes the first one's. The store calls fsn_free() when it frees the
 * node, when nobody can refer to it any more. */
#include "internal.h"

struct fsn *fsn(struct st_node *n)
{
    struct fsn *f = __atomic_load_n(&n->fs, __ATOMIC_ACQUIRE);
    if (likely(f != NULL))
        return f;
    f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    pthread_mutex_init(&f->lock, NULL);
    pthread_mutex_init(&f->meta_lock, NULL);
    void *first = NULL;
    if (__atomic_compare_exchange_n(&n->fs, &first, (void *)f, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return f;
    pthread_mutex_destroy(&f->lock);
    pthread_mutex_destroy(&f->meta_lock);
    free(f);
    return first;
}

void fsn_free(struct st_node *n)
{
    struct fsn *f = n->fs;
    if (!f)
        return;
    n->fs = NULL;
    fs_casemap_free(f);
    pthread_mutex_destroy(&f->lock);
    pthread_mutex_destroy(&f->meta_lock);
    free(f->sd);
    free(f);
}

/* The distinct ones of at most four nodes in ascending order of address. */
static size_t lock_order(struct st_node *const *nodes, size_t n, struct st_node *out[5])
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!nodes[i])
            continue;
        size_t at = 0;
        while (at < count && (uintptr_t)out[at] < (uintptr_t)nodes[i])
            at++;
        if (at < count && out[at] == nodes[i])
            continue;
        memmove(&out[at + 1], &out[at], (count - at) * sizeof out[0]);
        out[at] = nodes[i];
        count++;
    }
    return count;
}

/* Operations have called fsn() before their gate and so found out whether there is memory; here there is always one. */
static struct fsn *fsn_there(struct st_node *n)
{
    struct fsn *f;
    while (!(f = fsn(n)))
        usleep(1000);
    return f;
}

void fsn_lock_all(struct st_node *const *nodes, size_t n)
{
    struct st_node *sorted[5];
    size_t count = lock_order(nodes, n, sorted);
    for (size_t i = 0; i < count; i++)
        pthread_mutex_lock(&fsn_there(sorted[i])->lock);
}

void fsn_unlock_all(struct st_node *const *nodes, size_t n)
{
    struct st_node *sorted[5];
    size_t count = lock_order(nodes, n, sorted);
    while (count--)
        pthread_mutex_unlock(&fsn_there(sorted[count])->lock);
}

void fsn_making_begin(struct st_node *dir)
{
    atomic_store(&fsn_there(dir)->making, true);
}

void fsn_making_end(struct st_node *dir)
{
    atomic_store(&fsn_there(dir)->making, false);
}

void fsn_carry(struct st_node *n, const struct timespec *before, const struct timespec *after)
{
    struct fsn *f = __atomic_load_n(&n->fs, __ATOMIC_ACQUIRE);
    if (!f)
        return;
    pthread_mutex_lock(&f->meta_lock);
    if (f->meta_valid && timespec_same(&f->meta_ctime, before))
        f->meta_ctime = *after;
    pthread_mutex_unlock(&f->meta_lock);
}

void fsn_names_changed(struct st_node *dir, const struct timespec *before, const char *removed, size_t nr,
                       const char *added, size_t na)
{
    if (removed)
        atomic_fetch_add(&fsn_there(dir)->moves, 1);
    fs_casemap_changed(dir, before, removed, nr, added, na);
}

void fs_node_unref(struct st_node *n)
{
    st_unref(n);
}

struct fs_share *fs_node_share(const struct st_node *n)
{
    return atomic_load_explicit(&fs_volume_of(n)->share, memory_order_acquire);
}

struct co_key fs_node_key(const struct st_node *n)
{
    return (struct co_key){.store = fs_volume_of(n)->key_store, .ino = n->id.ino, .gen = n->id.gen};
}

uint64_t fs_node_id(const struct st_node *n)
{
    return n->id.ino;
}
