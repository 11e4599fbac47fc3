/* dir.h - the inside of the `dir` store: its node, its table of nodes, and what its files ask of each other.
 *
 * One descriptor per node. It begins as O_PATH and is upgraded in place (dup3 over the same number) to O_RDONLY or
 * O_RDWR when bytes are first wanted, so that it may be used without a lock. While it is open the kernel cannot
 * reuse the inode number: (dev, ino) of a node in the table is its identity, and one statx() by name answers a
 * lookup.
 *
 * Locks, in order: dstore.watch_mu, dnode.mu, dshard.mu or dstreams.mu, dstore.sweep_mu; dstore.root_mu stands
 * alone. No system call that can wait for a disk is made under a shard's lock. */
#pragma once
#include "../name.h"
#include "base/hash.h"
#include "base/list.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>

#define DIR_SHARDS 64
#define DIR_CHANGES 1024
#define DIR_PROC_MAX 32 /* "/proc/self/fd/N" */

enum dir_access { DIR_PATH, DIR_RD, DIR_RW }; /* what a node's descriptor can do */
enum dir_stored { DIR_UNKNOWN, DIR_STORED };  /* is it in the handle table */

/* What tells an object from every other that ever had its inode number, and the handle that finds it again: tag, type,
 * inode number, the kernel's bytes (handle.c reads it). */
struct didentity {
    uint64_t gen;
    uint8_t nhandle; /* 0: too large or unsupported; then by the handle table */
    uint8_t handle[ST_HANDLE_MAX];
};

struct dnode {
    struct st_node n;
    struct hash_link link; /* dshard.nodes */
    struct list lru;       /* dshard.idle or idle_rw while refs == 0 */
    uint64_t idle_tick;    /* dstore.tick when refs became 0 */
    dev_t dev;
    struct timespec btime;
    int fd;
    _Atomic uint8_t access;        /* enum dir_access; only grows */
    _Atomic bool check_dead;       /* a name was removed: when idle, look at the link count */
    _Atomic uint64_t inside_until; /* a directory's place was verified until then (monotonic ns) */
    struct didentity id;
    pthread_mutex_t mu; /* upgrade of fd, and the members below */
    enum dir_stored stored;
    uint8_t *names; /* known names, as table.c writes them; only where handles need the table */
    size_t nnames;
};

struct dshard {
    pthread_mutex_t mu;
    struct hash nodes;
    struct list idle, idle_rw; /* unreferenced, longest first; those open for writing apart */
} __attribute__((aligned(64)));

struct dseen;
struct dstreams;
struct dwatches;
struct dstore {
    struct store s;
    struct dnode *root;
    int root_fd; /* the root's own, O_RDONLY: open_by_handle_at() wants one */
    dev_t dev;
    uint64_t mnt_id, fsid, fs_type;
    bool kernel_ids;     /* name_to_handle_at() works */
    bool kernel_handles; /* and so does open_by_handle_at() */
    bool may_chown;
    bool in_memory;         /* tmpfs: a read never waits for a disk */
    _Atomic bool no_nowait; /* RWF_NOWAIT is not supported */
    struct kv *kv;
    char table[64]; /* of the handle table in kv */
    pthread_mutex_t root_mu;
    char *root_path; /* as /proc says; changes when somebody moves the root */
    _Atomic uint32_t root_paths; /* how many there have been */

    struct dshard shards[DIR_SHARDS];
    struct dseen *seen;
    _Atomic uint32_t changes[DIR_CHANGES]; /* by inode number: counts what we change, see seen.c */
    _Atomic long nodes, idle; /* idle: unreferenced nodes and kept directory streams */
    _Atomic uint64_t tick;    /* about a second each, while anything is idle */
    struct dstreams *streams;

    pthread_mutex_t watch_mu;
    struct dwatches *watches; /* watch.c's; NULL: nothing has been watched yet */

    pthread_t sweeper;
    bool sweeping;
    pthread_mutex_t sweep_mu;
    pthread_cond_t sweep_cond;
    _Atomic bool asleep;
    bool stop;
};

#define DNODE(st) container_of(st, struct dnode, n)
#define DSTORE(st) container_of(st, struct dstore, s)
static inline struct dstore *dnode_store(const struct dnode *n) { return DSTORE(n->n.store); }

static inline void dir_unrefp(struct dnode **n)
{
    if (*n)
        st_unref(&(*n)->n);
}
#define _cleanup_dnode_ _cleanup_(dir_unrefp)

/* cache.c: the table of nodes and the thread that lets go of idle ones */
enum st dir_cache_start(struct dstore *ds);
void dir_cache_stop(struct dstore *ds);                                   /* frees every node */
struct dnode *dir_cache_find(struct dstore *ds, uint64_t ino, dev_t dev); /* new reference or NULL */
enum st dir_known(struct store *s, const struct st_id *id, struct st_node **ret);
/* Enters `n` (one reference), unless the object is there already: then frees `n` and gives that one. */
struct dnode *dir_cache_enter(struct dstore *ds, struct dnode *n);
void dir_cache_release(struct st_node *n); /* ops->node_free */
/* An object lost a name: an idle node is let go at once, a referenced one is looked at when it becomes idle. */
void dir_cache_unlinked(struct dnode *n);
void dir_cache_reclaim(struct dstore *ds, unsigned want); /* descriptors ran out */
void dir_cache_idle(struct dstore *ds);                   /* something for the sweeper: counts it in dstore.idle */
long dir_fd_limit(void);                                  /* raises the soft limit first */

/* node.c: from a descriptor to a node, and what a node's descriptor can do */
#define DIR_STATX_MASK (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
enum st_type dir_type(mode_t mode);
uint64_t dir_now(void); /* CLOCK_MONOTONIC_COARSE in ns */
void dir_proc(int fd, char out[DIR_PROC_MAX]);
int dir_open_at(struct dstore *ds, int at, const char *name, uint64_t flags, mode_t mode); /* openat2; -1 and errno */
enum st dir_same_mount(const struct dstore *ds, const struct statx *sx);
dev_t dir_dev(const struct statx *sx);
enum st dir_identify(const struct dstore *ds, int fd, const struct statx *sx, struct didentity *ret);
/* The node of what *fd is open on, which it takes over. `access`: how it is open. */
enum st dir_node_of(struct dstore *ds, int *fd, enum dir_access access, struct dnode **ret);
void dir_node_destroy(struct dnode *n);
/* A descriptor that can do `need`; the node's own, not to be closed. ST_BADTYPE: not a file or directory. */
enum st dir_upgrade(struct dnode *n, enum dir_access need);
static inline enum st dir_fd(struct dnode *n, enum dir_access need)
{
    return likely(atomic_load_explicit(&n->access, memory_order_acquire) >= need) ? ST_OK : dir_upgrade(n, need);
}

/* place.c: where a directory is, and that it is still inside the root */
/* ST_NOTDIR; ST_STALE: somebody moved it out of the root. `strict`: look now, else a recent look will do. */
enum st dir_usable(struct dnode *d, bool strict);
enum st dir_path(struct st_node *n, char *out, size_t cap);
enum st dir_parent(struct st_node *n, struct st_node **ret);

/* handle.c, table.c */
enum st dir_handle(struct st_node *n, bool wait, uint8_t *out, size_t *ret_n);
enum st dir_from_handle(struct store *s, const uint8_t *h, size_t n, struct st_node **ret);
static inline bool dir_uses_table(const struct dnode *n) { return n->id.nhandle == 0; }
enum st dir_table_store(struct dnode *n); /* once per node; its ancestors too */
bool dir_table_has(struct dnode *n);
void dir_table_key(const struct dnode *n, uint8_t *out, size_t *ret_n); /* the handle by which it is found there */
/* Handles of many objects of one directory with one commit; those that the table has cost nothing. */
enum st dir_table_store_all(struct dnode *dir, struct dnode *const *nodes, size_t n);
enum st dir_table_find(struct dstore *ds, uint64_t ino, uint64_t gen, unsigned depth, struct dnode **ret);
void dir_names_note(struct dnode *n, const struct dnode *dir, const char *name,
                    bool only); /* has this name (`only` this) */
void dir_names_drop(struct dnode *n, const struct dnode *dir, const char *name);

/* seen.c: what the entries of directories were when they were last listed */
struct dseen_entry {
    uint64_t name;    /* of directory and name; 0: free */
    uint64_t time;    /* when attr was read (coarse monotonic ns) */
    uint32_t changes; /* of its inode number then */
    uint8_t nhandle, handle[ST_HANDLE_MAX];
    struct st_attr attr;
};
enum st dir_seen_open(struct dseen **ret);
void dir_seen_close(struct dseen *sn);
void dir_seen_sweep(struct dstore *ds, uint64_t tick);
uint64_t dir_seen_name(const struct dnode *dir, const char *name, size_t n);
bool dir_seen_fresh(const struct dstore *ds, const struct dseen_entry *e, uint64_t now);
bool dir_seen_get(struct dstore *ds, uint64_t name, uint64_t ino, struct dseen_entry *ret);
void dir_seen_put(struct dstore *ds, const struct dseen_entry *e);
static inline uint32_t dir_changes(const struct dstore *ds, uint64_t ino)
{
    return atomic_load_explicit(&ds->changes[ino % DIR_CHANGES], memory_order_acquire);
}
/* Whoever changed an object says so when it has, whatever came of it. */
static inline void dir_touched(struct dstore *ds, uint64_t ino)
{
    atomic_fetch_add_explicit(&ds->changes[ino % DIR_CHANGES], 1, memory_order_release);
}
static inline enum st dir_changed(struct dnode *n, enum st st)
{
    dir_touched(dnode_store(n), n->n.id.ino);
    return store_mutated(n->n.store, st);
}

/* watch.c */
enum st dir_watch(struct st_node *dir, bool on);
void dir_watch_stop(struct dstore *ds);

/* The rest: one file an operation or a noun. */
enum st dir_lookup(struct st_node *dir, const char *name, size_t n, struct st_node **ret);
enum st dir_lookup_name(struct dnode *dir, const char *name, struct dnode **ret); /* name checked */
enum st dir_stat(struct dnode *dir, const char *name, struct statx *ret); /* one system call; name checked */
/* What `name` is, without making a node where none is cached (*ret may be NULL; 0 and NULL: nothing). */
enum st dir_peek(struct dnode *dir, const char *name, struct dnode **ret, uint64_t *ret_ino);
enum st dir_link(struct st_node *n, struct st_node *dir, const char *name, size_t len);
enum st dir_unlink(struct st_node *dir, const char *name, size_t n, const struct st_node *expect, unsigned flags);
enum st dir_rename(struct st_node *sdir, const char *sname, size_t sn, struct st_node *ddir, const char *dname,
                   size_t dn, unsigned flags);
enum st dir_make(struct st_node *dir, const char *name, size_t n, const struct st_attr *a, const char *target,
                 struct st_node **ret);
void dir_attr_of(const struct dstore *ds, const struct statx *sx, struct st_attr *ret);
enum st dir_getattr(struct st_node *n, struct st_attr *ret);
enum st dir_setattr(struct st_node *n, uint32_t set, const struct st_attr *a);
enum st dir_chmod(struct dnode *n, uint32_t mode);
enum st dir_chown(struct dnode *n, uint32_t uid, uint32_t gid); /* -1: leave */
enum st dir_readlink(struct st_node *n, char *out, size_t cap, size_t *ret_n);
enum st dir_statfs(struct store *s, struct st_fsinfo *ret);
void dir_fs_probe(struct dstore *ds);
enum st dir_readdir(struct st_node *dir, uint64_t cookie, bool (*fn)(void *, const struct st_dirent *), void *arg);
enum st dir_list(struct st_node *dir, uint64_t cookie, bool (*fn)(void *, const struct st_dirent *), void *arg);
/* The name in `d` of the object (ino, gen), looking at no more than a bounded number of entries. */
enum st dir_search(struct dnode *d, uint64_t ino, uint64_t gen, struct dnode **ret);
enum st dir_streams_open(struct dstreams **ret);
void dir_streams_close(struct dstreams *ss);
void dir_streams_sweep(struct dstore *ds, uint64_t tick); /* closes those that nobody continued */
enum st dir_read(struct st_node *n, uint64_t off, void *buf, size_t len, unsigned flags, size_t *ret_n);
enum st dir_write(struct st_node *n, uint64_t off, const struct iovec *iov, int niov, unsigned flags, size_t *ret_n);
enum st dir_sync(struct st_node *n, bool data_only);
enum st dir_allocate(struct st_node *n, uint64_t off, uint64_t len, enum st_alloc how);
enum st dir_seek(struct st_node *n, uint64_t off, bool hole, uint64_t *ret);
enum st dir_copy(struct st_node *src, uint64_t soff, struct st_node *dst, uint64_t doff, uint64_t len, bool clone,
                 uint64_t *ret_n);
enum st dir_xattr_get(struct st_node *n, const char *name, void *buf, size_t cap, size_t *ret_n);
enum st dir_xattr_set(struct st_node *n, const char *name, const void *val, size_t len);
enum st dir_xattr_del(struct st_node *n, const char *name);
enum st dir_xattr_list(struct st_node *n, bool (*fn)(void *arg, const char *name), void *arg);
