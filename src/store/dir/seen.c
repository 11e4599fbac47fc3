/* seen.c - what the entries of directories were when they were last listed with their attributes and handles.
 *
 * Who lists a directory again finds each entry here by its directory and name, if its inode number is still the one
 * the directory now says. What was read less than SEEN_TRUST ago is given out again unless the server has changed
 * the object since (`changes`, counted by inode number), so that many clients who list one directory at the same
 * moment cost one look at its objects; a local program's change shows when that time is over. What is older still
 * spares finding out who the object is: one statx() by name says that it is the same, and what its attributes are
 * now.
 *
 * That (inode number, birth time) mean one object is true only once the clock has moved on from its birth; so
 * nothing younger than SEEN_YOUNG gets in. Constant in size, there only while directories are listed. Each lock
 * guards every SEEN_LOCKS'th set; memory comes and goes with all of them held. Must not know how to look at objects
 * (list.c does). */
#include "dir.h"
#include "base/clock.h"

#define SEEN_TRUST (100 * NSEC_PER_MSEC)
#define SEEN_YOUNG (100 * NSEC_PER_MSEC)
#define SEEN_SETS 8192u
#define SEEN_WAYS 4u
#define SEEN_LOCKS 64u
#define SEEN_TICKS 15u /* seconds without a listing until the memory is given back */

struct dseen {
    pthread_mutex_t mu[SEEN_LOCKS];
    struct dseen_entry *slots; /* SEEN_WAYS to a set; NULL: nobody lists */
    _Atomic uint64_t tick;     /* of the last use */
};

enum st dir_seen_open(struct dseen **ret)
{
    struct dseen *sn = calloc(1, sizeof *sn);
    if (!sn)
        return ST_NOMEM;
    for (unsigned i = 0; i < SEEN_LOCKS; i++)
        pthread_mutex_init(&sn->mu[i], NULL);
    *ret = sn;
    return ST_OK;
}

void dir_seen_close(struct dseen *sn)
{
    if (!sn)
        return;
    for (unsigned i = 0; i < SEEN_LOCKS; i++)
        pthread_mutex_destroy(&sn->mu[i]);
    free(sn->slots);
    free(sn);
}

static void lock_all(struct dseen *sn)
{
    for (unsigned i = 0; i < SEEN_LOCKS; i++)
        pthread_mutex_lock(&sn->mu[i]);
}

static void unlock_all(struct dseen *sn)
{
    for (unsigned i = 0; i < SEEN_LOCKS; i++)
        pthread_mutex_unlock(&sn->mu[i]);
}

/* Pages that are never touched cost nothing: a small directory takes what it needs. */
static void begin(struct dstore *ds)
{
    struct dseen *sn = ds->seen;
    lock_all(sn);
    bool made = !sn->slots && (sn->slots = calloc((size_t)SEEN_SETS * SEEN_WAYS, sizeof sn->slots[0]));
    unlock_all(sn);
    if (made)
        dir_cache_idle(ds);
}

void dir_seen_sweep(struct dstore *ds, uint64_t tick)
{
    struct dseen *sn = ds->seen;
    if (tick - atomic_load(&sn->tick) < SEEN_TICKS)
        return;
    lock_all(sn);
    struct dseen_entry *slots = TAKE_PTR(sn->slots);
    unlock_all(sn);
    if (slots)
        atomic_fetch_sub(&ds->idle, 1);
    free(slots);
}

uint64_t dir_seen_name(const struct dnode *dir, const char *name, size_t n)
{
    struct {
        uint64_t ino, gen;
        char name[ST_NAME_MAX];
    } key = {.ino = dir->n.id.ino, .gen = dir->n.id.gen};
    n = MIN(n, sizeof key.name);
    memcpy(key.name, name, n);
    return hash_bytes(&key, offsetof(__typeof__(key), name) + n) | 1;
}

static pthread_mutex_t *lock_of(struct dseen *sn, uint64_t name) { return &sn->mu[(name >> 8) % SEEN_LOCKS]; }
static struct dseen_entry *set_locked(struct dseen *sn, uint64_t name)
{
    return &sn->slots[(name >> 8) % SEEN_SETS * SEEN_WAYS];
}
_Static_assert(SEEN_SETS % SEEN_LOCKS == 0, "one lock guards the whole of a set");

bool dir_seen_get(struct dstore *ds, uint64_t name, uint64_t ino, struct dseen_entry *ret)
{
    struct dseen *sn = ds->seen;
    bool found = false;
    pthread_mutex_lock(lock_of(sn, name));
    for (unsigned i = 0; sn->slots && i < SEEN_WAYS && !found; i++) {
        const struct dseen_entry *e = &set_locked(sn, name)[i];
        found = e->name == name && e->attr.ino == ino;
        if (found)
            *ret = *e;
    }
    pthread_mutex_unlock(lock_of(sn, name));
    return found;
}

bool dir_seen_fresh(const struct dstore *ds, const struct dseen_entry *e, uint64_t now)
{
    return now - e->time < SEEN_TRUST && e->changes == dir_changes(ds, e->attr.ino);
}

static bool is_young(const struct timespec *born)
{
    struct timespec now = clock_wall();
    return !born->tv_sec || (now.tv_sec - born->tv_sec) * (int64_t)NSEC_PER_SEC + now.tv_nsec - born->tv_nsec <
                                (int64_t)SEEN_YOUNG;
}

void dir_seen_put(struct dstore *ds, const struct dseen_entry *e)
{
    struct dseen *sn = ds->seen;
    if (is_young(&e->attr.btime))
        return;
    atomic_store_explicit(&sn->tick, atomic_load_explicit(&ds->tick, memory_order_relaxed), memory_order_relaxed);
    pthread_mutex_lock(lock_of(sn, e->name));
    bool there = sn->slots;
    if (there) {
        struct dseen_entry *set = set_locked(sn, e->name), *to = set;
        for (unsigned i = 0; i < SEEN_WAYS && to->name != e->name; i++)
            if (set[i].name == e->name || set[i].time < to->time)
                to = &set[i];
        *to = *e;
    }
    pthread_mutex_unlock(lock_of(sn, e->name));
    if (unlikely(!there))
        begin(ds); /* the next one finds room */
}
