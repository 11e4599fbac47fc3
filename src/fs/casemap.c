/* casemap.c - looking a name up in a directory as Windows spells it. Exact bytes first; if that fails, in an index of
 * the directory's names by their upper-cased form. Knows nothing of paths, permissions or opens.
 *
 * The index is made by one scan and is good as long as the directory's ctime is the one it was made for. Changes of our
 * own carry it along (fsn_names_changed), so creating 100,000 files scans nothing 100,000 times. Indexes of all
 * directories together are bounded: the least recently used ones go first.
 *
 * A change by a local program within the same tick of the clock as one of ours leaves no trace in ctime. So an index
 * whose ctime was recent when it was taken is made anew once, when the directory has been quiet for a while.
 *
 * Locks: a map's own, outside; `maps.mu` (the list of all maps and every fsn's pointer to its map) inside; neither is
 * held over a call of the caller's. */
#include "base/clock.h"
#include "base/list.h"
#include "internal.h"

#define CASEMAP_BYTES (128u << 20) /* all indexes together */
#define ENTRY_OVERHEAD 48          /* what malloc and the table add to a name */
#define SETTLE_NS (2 * NSEC_PER_SEC)
#define RACY_NS (20 * NSEC_PER_MSEC) /* coarser than any tick */
#define BIG_DIRECTORY 65536        /* bytes of a directory that is not scanned on a loop's thread */

struct entry {
    struct hash_link link;
    uint16_t n;
    char name[];
};
struct fs_casemap {
    struct list lru;       /* under maps.mu, like owner and listed */
    struct fsn *owner;
    bool listed;
    _Atomic uint32_t refs;
    pthread_mutex_t lock;  /* of what follows */
    bool valid, settled;
    struct timespec ctime;
    struct hash names;
    size_t bytes;          /* also read under maps.mu */
};

static struct {
    pthread_mutex_t mu;
    struct list lru; /* most recently used first */
    size_t bytes;
} maps = {.mu = PTHREAD_MUTEX_INITIALIZER, .lru = {&maps.lru, &maps.lru}};

static uint64_t wall_ns(void)
{
    struct timespec t = clock_wall();
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static bool older_than(const struct timespec *t, uint64_t ns)
{
    return (uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_nsec + ns < wall_ns();
}

/* --- Life of maps. */

static void account(struct fs_casemap *m, size_t bytes)
{
    pthread_mutex_lock(&maps.mu);
    if (m->listed)
        maps.bytes += bytes - m->bytes;
    m->bytes = bytes;
    pthread_mutex_unlock(&maps.mu);
}

static void drop_names(struct fs_casemap *m)
{
    for (size_t i = 0; m->names.slots && i <= m->names.mask; i++)
        for (struct hash_link *l = m->names.slots[i], *next; l; l = next) {
            next = l->next;
            free(container_of(l, struct entry, link));
        }
    hash_done(&m->names);
    memset(&m->names, 0, sizeof m->names);
    m->valid = false;
}

static void map_put(struct fs_casemap *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    drop_names(m);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* maps.mu is held; the reference of its owner remains to be put. */
static void detach(struct fs_casemap *m)
{
    __atomic_store_n(&m->owner->casemap, NULL, __ATOMIC_RELAXED); /* map_get() looks before it locks */
    m->owner = NULL;
    m->listed = false;
    maps.bytes -= m->bytes;
    list_remove(&m->lru);
}

/* The directory's map, made when there is none, with a reference; moved to the front. */
static struct fs_casemap *map_get(struct fsn *f, bool make)
{
    bool none = !__atomic_load_n(&f->casemap, __ATOMIC_RELAXED);
    struct fs_casemap *fresh = make && none ? calloc(1, sizeof *fresh) : NULL;
    pthread_mutex_lock(&maps.mu);
    struct fs_casemap *m = f->casemap;
    if (!m && fresh) {
        m = TAKE_PTR(fresh);
        pthread_mutex_init(&m->lock, NULL);
        list_init(&m->lru);
        m->refs = 1;
        m->owner = f;
        m->listed = true;
        __atomic_store_n(&f->casemap, m, __ATOMIC_RELAXED);
    }
    if (m) {
        atomic_fetch_add(&m->refs, 1);
        list_remove(&m->lru);
        list_prepend(&maps.lru, &m->lru);
    }
    pthread_mutex_unlock(&maps.mu);
    free(fresh);
    return m;
}

/* Makes room by giving up the indexes that were not used for longest, never `keep`. */
static void shrink(const struct fs_casemap *keep)
{
    for (;;) {
        struct fs_casemap *victim = NULL;
        pthread_mutex_lock(&maps.mu);
        if (maps.bytes > CASEMAP_BYTES && !list_empty(&maps.lru)) {
            victim = list_entry(maps.lru.prev, struct fs_casemap, lru);
            if (victim == keep)
                victim = NULL;
            else
                detach(victim);
        }
        pthread_mutex_unlock(&maps.mu);
        if (!victim)
            return;
        map_put(victim);
    }
}

void fs_casemap_free(struct fsn *f)
{
    pthread_mutex_lock(&maps.mu);
    struct fs_casemap *m = f->casemap;
    if (m)
        detach(m);
    pthread_mutex_unlock(&maps.mu);
    map_put(m);
}

/* --- Names in a map; its lock is held. */

static bool add_name(struct fs_casemap *m, const char *name, size_t n, size_t *bytes)
{
    struct entry *e = malloc(sizeof *e + n);
    if (!e)
        return false;
    e->n = (uint16_t)n;
    memcpy(e->name, name, n);
    hash_insert(&m->names, &e->link, name_fold_hash(name, n));
    *bytes += ENTRY_OVERHEAD + n;
    return true;
}

static void remove_name(struct fs_casemap *m, const char *name, size_t n, size_t *bytes)
{
    for (struct hash_link *l = hash_first(&m->names, name_fold_hash(name, n)); l; l = hash_next(l)) {
        struct entry *e = container_of(l, struct entry, link);
        if (e->n == n && memcmp(e->name, name, n) == 0) {
            hash_remove(&m->names, l);
            *bytes -= ENTRY_OVERHEAD + n;
            free(e);
            return;
        }
    }
}

/* Of several names that differ in case only, always the same one: the least. */
static const struct entry *find_name(const struct fs_casemap *m, const char *name, size_t n)
{
    const struct entry *best = NULL;
    for (struct hash_link *l = hash_first(&m->names, name_fold_hash(name, n)); l; l = hash_next(l)) {
        const struct entry *e = container_of(l, struct entry, link);
        if (!name_fold_equal(e->name, e->n, name, n))
            continue;
        int order = best ? memcmp(e->name, best->name, MIN(e->n, best->n)) : -1;
        if (order < 0 || (order == 0 && e->n < best->n))
            best = e;
    }
    return best;
}

struct scan {
    struct fs_casemap *m;
    size_t bytes;
    bool failed;
};

static bool scan_entry(void *arg, const struct st_dirent *e)
{
    struct scan *s = arg;
    s->failed = !add_name(s->m, e->name, e->nname, &s->bytes);
    return !s->failed;
}

static enum st scan(struct fs_casemap *m, struct st_node *dir, const struct st_attr *a)
{
    struct scan s = {.m = m};
    drop_names(m);
    if (hash_init(&m->names, 64))
        return ST_NOMEM;
    enum st st = dir->store->ops->readdir(dir, 0, scan_entry, &s);
    if (s.failed)
        st = ST_NOMEM;
    if (st != ST_OK && st != ST_END) {
        drop_names(m);
        account(m, 0);
        return st;
    }
    m->ctime = a->ctime; /* of before the scan: a change during it makes the index stale, not wrong */
    m->settled = older_than(&a->ctime, RACY_NS);
    m->valid = true;
    account(m, s.bytes);
    return ST_OK;
}

static bool usable(const struct fs_casemap *m, const struct st_attr *a)
{
    if (!m->valid || !timespec_same(&m->ctime, &a->ctime))
        return false;
    return m->settled || !older_than(&a->ctime, SETTLE_NS);
}

/* The spelling on disk; ST_NOENT. */
static enum st find_spelling(struct fs_req *q, struct st_node *dir, const char *name, size_t n,
                             char ret_name[ST_NAME_MAX + 1], size_t *ret_n)
{
    struct st_attr a;
    struct fsn *f = fsn(dir);
    enum st st = dir->store->ops->getattr(dir, &a);
    if (st != ST_OK)
        return st;
    struct fs_casemap *m = f ? map_get(f, true) : NULL;
    if (!m)
        return ST_NOMEM;
    pthread_mutex_lock(&m->lock);
    if (!usable(m, &a)) {
        if (a.size > BIG_DIRECTORY && q->job && !q->may_block)
            st = ST_OFFLOAD;
        else
            st = scan(m, dir, &a);
    }
    const struct entry *e = st == ST_OK ? find_name(m, name, n) : NULL;
    if (e) {
        memcpy(ret_name, e->name, e->n);
        ret_name[e->n] = '\0';
        *ret_n = e->n;
    } else if (st == ST_OK) {
        st = ST_NOENT;
    }
    pthread_mutex_unlock(&m->lock);
    shrink(m);
    map_put(m);
    return st;
}

enum st fs_lookup_fold(struct fs_req *q, struct st_node *dir, const char *name, size_t n, struct st_node **ret,
                       char *ret_name, size_t *ret_n)
{
    if (!n || n > ST_NAME_MAX)
        return n ? ST_NAMETOOLONG : ST_BADNAME;
    enum st st = fs_entry(dir, name, n, ret);
    if (st == ST_OK) {
        memcpy(ret_name, name, n);
        ret_name[n] = '\0';
        *ret_n = n;
        return ST_OK;
    }
    if (st != ST_NOENT)
        return st;
    st = find_spelling(q, dir, name, n, ret_name, ret_n);
    return st == ST_OK ? fs_entry(dir, ret_name, *ret_n, ret) : st;
}

void fs_casemap_changed(struct st_node *dir, const struct timespec *before, const char *removed, size_t nr,
                        const char *added, size_t na)
{
    struct st_attr a;
    struct fsn *f = fsn(dir);
    struct fs_casemap *m = f && __atomic_load_n(&f->casemap, __ATOMIC_RELAXED) ? map_get(f, false) : NULL;
    if (!m)
        return;
    pthread_mutex_lock(&m->lock);
    size_t bytes = m->bytes;
    bool ok = m->valid && timespec_same(&m->ctime, before) && dir->store->ops->getattr(dir, &a) == ST_OK;
    if (ok && removed)
        remove_name(m, removed, nr, &bytes);
    if (ok && added) {
        remove_name(m, added, na, &bytes); /* the target of a rename */
        ok = add_name(m, added, na, &bytes);
    }
    if (ok) {
        m->ctime = a.ctime;
        m->settled = false;
        account(m, bytes);
    } else if (m->valid) {
        drop_names(m);
        account(m, 0);
    }
    pthread_mutex_unlock(&m->lock);
    shrink(m);
    map_put(m);
}
