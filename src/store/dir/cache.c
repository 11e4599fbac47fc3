/* cache.c - the table of nodes of a `dir` store, and the thread that lets go of idle ones.
 *
 * A node whose last reference is dropped stays in the table with its descriptor, for a while and within a share of
 * the process's descriptors. Not for long: an open descriptor keeps the bytes of a file that a local program removed,
 * and one open for writing keeps a program from being run (ETXTBSY). The sweeper therefore closes what has been idle
 * for some seconds; it sleeps when nothing is idle.
 *
 * Knows references, idleness and limits. Must not know names, handles or what a descriptor can do. */
#include "dir.h"
#include <sys/resource.h>

#define IDLE_TICKS 10   /* seconds that an unreferenced node is kept */
#define IDLE_TICKS_RW 2 /* when open for writing */
#define FD_SHARE 2      /* nodes take at most 1/2 of the process's descriptors while they are idle */
#define FD_FALLBACK 1024

/* Open descriptors of all `dir` stores of the process together. */
static _Atomic long dir_fds;
static _Atomic long dir_fds_max = FD_FALLBACK / FD_SHARE;

long dir_fd_limit(void)
{
    struct rlimit rl;
    if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
        return FD_FALLBACK;
    if (rl.rlim_cur < rl.rlim_max) {
        struct rlimit up = {rl.rlim_max, rl.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &up) == 0)
            rl = up;
    }
    return rl.rlim_cur > (1l << 22) ? (1l << 22) : (long)rl.rlim_cur;
}

static struct dshard *shard_of(struct dstore *ds, uint64_t hash)
{
    return &ds->shards[hash >> 58]; /* the low bits choose the slot within */
}
_Static_assert(DIR_SHARDS == 64, "shard_of takes six bits");

static struct dnode *find_locked(struct dshard *sh, uint64_t hash, uint64_t ino, dev_t dev)
{
    for (struct hash_link *e = hash_first(&sh->nodes, hash); e; e = hash_next(e)) {
        struct dnode *n = container_of(e, struct dnode, link);
        if (n->n.id.ino == ino && n->dev == dev)
            return n;
    }
    return NULL;
}

static struct dnode *ref_locked(struct dstore *ds, struct dnode *n)
{
    if (atomic_fetch_add_explicit(&n->n.refs, 1, memory_order_relaxed) == 0) {
        list_remove(&n->lru);
        atomic_fetch_sub_explicit(&ds->idle, 1, memory_order_relaxed);
    }
    return n;
}

/* Out of the table; the caller destroys it after unlocking. */
static void leave_locked(struct dstore *ds, struct dshard *sh, struct dnode *n)
{
    list_remove(&n->lru);
    hash_remove(&sh->nodes, &n->link);
    atomic_fetch_sub(&ds->nodes, 1);
    atomic_fetch_sub(&dir_fds, 1);
}

struct dnode *dir_cache_find(struct dstore *ds, uint64_t ino, dev_t dev)
{
    uint64_t hash = hash_u64(ino);
    struct dshard *sh = shard_of(ds, hash);
    pthread_mutex_lock(&sh->mu);
    struct dnode *n = find_locked(sh, hash, ino, dev);
    if (n)
        ref_locked(ds, n);
    pthread_mutex_unlock(&sh->mu);
    return n;
}

enum st dir_known(struct store *s, const struct st_id *id, struct st_node **ret)
{
    struct dstore *ds = DSTORE(s);
    uint64_t hash = hash_u64(id->ino);
    struct dshard *sh = shard_of(ds, hash);
    struct dnode *found = NULL;
    pthread_mutex_lock(&sh->mu);
    for (struct hash_link *e = hash_first(&sh->nodes, hash); e && !found; e = hash_next(e)) {
        struct dnode *n = container_of(e, struct dnode, link);
        if (n->n.id.ino == id->ino && n->n.id.gen == id->gen)
            found = ref_locked(ds, n);
    }
    pthread_mutex_unlock(&sh->mu);
    *ret = found ? &found->n : NULL;
    return found ? ST_OK : ST_NOENT;
}

/* Up to `want` idle nodes of one shard into `out`, longest idle first; `min_ticks` idle at least. */
static unsigned take_idle_locked(struct dstore *ds, struct dshard *sh, unsigned want, uint64_t min_ticks,
                                 uint64_t min_ticks_rw, struct list *out)
{
    uint64_t now = atomic_load(&ds->tick);
    struct {
        struct list *l;
        uint64_t min;
    } from[] = {{&sh->idle_rw, min_ticks_rw}, {&sh->idle, min_ticks}};
    unsigned got = 0;
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        while (got < want) {
            struct dnode *n = list_first(from[i].l, struct dnode, lru);
            if (!n || now - n->idle_tick < from[i].min)
                break;
            leave_locked(ds, sh, n);
            atomic_fetch_sub(&ds->idle, 1);
            list_append(out, &n->lru);
            got++;
        }
    }
    return got;
}

static void destroy_all(struct list *l)
{
    for (struct dnode *n; (n = list_first(l, struct dnode, lru));) {
        list_remove(&n->lru);
        dir_node_destroy(n);
    }
}

void dir_cache_reclaim(struct dstore *ds, unsigned want)
{
    static _Atomic unsigned turn;
    unsigned first = atomic_fetch_add(&turn, 1);
    struct list out;
    list_init(&out);
    for (unsigned i = 0; i < DIR_SHARDS && want > 0; i++) {
        struct dshard *sh = &ds->shards[(first + i) % DIR_SHARDS];
        pthread_mutex_lock(&sh->mu);
        want -= take_idle_locked(ds, sh, MIN(want, 4u), 0, 0, &out);
        pthread_mutex_unlock(&sh->mu);
    }
    destroy_all(&out);
}

struct dnode *dir_cache_enter(struct dstore *ds, struct dnode *n)
{
    uint64_t hash = hash_u64(n->n.id.ino);
    struct dshard *sh = shard_of(ds, hash);
    pthread_mutex_lock(&sh->mu);
    struct dnode *had = find_locked(sh, hash, n->n.id.ino, n->dev);
    if (had) {
        ref_locked(ds, had);
    } else {
        hash_insert(&sh->nodes, &n->link, hash);
        atomic_fetch_add(&ds->nodes, 1);
        atomic_fetch_add(&dir_fds, 1);
    }
    pthread_mutex_unlock(&sh->mu);
    if (had) {
        dir_node_destroy(n);
        return had;
    }
    if (atomic_load_explicit(&dir_fds, memory_order_relaxed) > atomic_load_explicit(&dir_fds_max, memory_order_relaxed))
        dir_cache_reclaim(ds, 2);
    return n;
}

static bool is_dead(const struct dnode *n)
{
    struct stat sb;
    return fstat(n->fd, &sb) == 0 && sb.st_nlink == 0;
}

void dir_cache_idle(struct dstore *ds)
{
    atomic_fetch_add(&ds->idle, 1);
    if (likely(!atomic_load(&ds->asleep)))
        return;
    pthread_mutex_lock(&ds->sweep_mu);
    pthread_cond_signal(&ds->sweep_cond);
    pthread_mutex_unlock(&ds->sweep_mu);
}

void dir_cache_release(struct st_node *st)
{
    struct dnode *n = DNODE(st);
    struct dstore *ds = dnode_store(n);
    struct dshard *sh = shard_of(ds, n->link.hash);
    bool freed = false;
    pthread_mutex_lock(&sh->mu);
    if (atomic_fetch_sub_explicit(&n->n.refs, 1, memory_order_acq_rel) > 1) {
        pthread_mutex_unlock(&sh->mu);
        return;
    }
    if (unlikely(atomic_load_explicit(&n->check_dead, memory_order_relaxed))) {
        freed = is_dead(n);
        atomic_store_explicit(&n->check_dead, false, memory_order_relaxed);
    }
    if (freed) {
        leave_locked(ds, sh, n);
    } else {
        bool rw = atomic_load_explicit(&n->access, memory_order_relaxed) == DIR_RW;
        n->idle_tick = atomic_load_explicit(&ds->tick, memory_order_relaxed);
        list_append(rw ? &sh->idle_rw : &sh->idle, &n->lru);
        dir_cache_idle(ds);
    }
    pthread_mutex_unlock(&sh->mu);
    if (freed)
        dir_node_destroy(n);
}

void dir_cache_unlinked(struct dnode *n) { atomic_store_explicit(&n->check_dead, true, memory_order_relaxed); }

static void sweep(struct dstore *ds)
{
    uint64_t tick = atomic_fetch_add(&ds->tick, 1) + 1;
    /* An ordinary user may not be able to open a file again that it made without write permission. */
    uint64_t rw = ds->may_chown ? IDLE_TICKS_RW : IDLE_TICKS;
    for (unsigned i = 0; i < DIR_SHARDS; i++) {
        struct list out;
        list_init(&out);
        pthread_mutex_lock(&ds->shards[i].mu);
        take_idle_locked(ds, &ds->shards[i], ~0u, IDLE_TICKS, rw, &out);
        pthread_mutex_unlock(&ds->shards[i].mu);
        destroy_all(&out);
    }
    dir_streams_sweep(ds, tick);
    dir_seen_sweep(ds, tick);
}

static void *sweeper_run(void *arg)
{
    struct dstore *ds = arg;
    pthread_mutex_lock(&ds->sweep_mu);
    while (!ds->stop) {
        atomic_store(&ds->asleep, true);
        if (atomic_load(&ds->idle) == 0) {
            pthread_cond_wait(&ds->sweep_cond, &ds->sweep_mu);
            continue;
        }
        atomic_store(&ds->asleep, false);
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_sec++;
        /* Only a stop ends this wait early: whoever makes a node idle signals only a sleeper. */
        while (!ds->stop && pthread_cond_timedwait(&ds->sweep_cond, &ds->sweep_mu, &at) == 0)
            ;
        if (ds->stop)
            break;
        pthread_mutex_unlock(&ds->sweep_mu);
        sweep(ds);
        pthread_mutex_lock(&ds->sweep_mu);
    }
    pthread_mutex_unlock(&ds->sweep_mu);
    return NULL;
}

enum st dir_cache_start(struct dstore *ds)
{
    atomic_store(&dir_fds_max, MAX(dir_fd_limit() / FD_SHARE, 64l));
    pthread_condattr_t ca;
    pthread_condattr_init(&ca);
    pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
    pthread_cond_init(&ds->sweep_cond, &ca);
    pthread_condattr_destroy(&ca);
    pthread_mutex_init(&ds->sweep_mu, NULL);
    for (unsigned i = 0; i < DIR_SHARDS; i++) {
        struct dshard *sh = &ds->shards[i];
        pthread_mutex_init(&sh->mu, NULL);
        list_init(&sh->idle);
        list_init(&sh->idle_rw);
        if (hash_init(&sh->nodes, 16) < 0)
            return ST_NOMEM;
    }
    ds->sweeping = pthread_create(&ds->sweeper, NULL, sweeper_run, ds) == 0;
    return ds->sweeping ? ST_OK : ST_NOMEM;
}

void dir_cache_stop(struct dstore *ds)
{
    if (ds->sweeping) {
        pthread_mutex_lock(&ds->sweep_mu);
        ds->stop = true;
        pthread_cond_signal(&ds->sweep_cond);
        pthread_mutex_unlock(&ds->sweep_mu);
        pthread_join(ds->sweeper, NULL);
    }
    for (unsigned i = 0; i < DIR_SHARDS; i++) {
        struct dshard *sh = &ds->shards[i];
        if (!sh->nodes.slots)
            continue;
        struct list out;
        list_init(&out);
        pthread_mutex_lock(&sh->mu);
        take_idle_locked(ds, sh, ~0u, 0, 0, &out);
        pthread_mutex_unlock(&sh->mu);
        destroy_all(&out);
        hash_done(&sh->nodes);
        pthread_mutex_destroy(&sh->mu);
    }
    pthread_cond_destroy(&ds->sweep_cond);
    pthread_mutex_destroy(&ds->sweep_mu);
}
