/* node.h - what src/fs knows of an object by itself, whatever the operation: its lock and caches, the volume it is on,
 * and small things that operations on it share. Nobody outside the folder includes it. */
#pragma once
#include "fs.h"
#include "open.h"
#include <pthread.h>

/* --- Per node (st_node.fs): made on first use by fsn(), freed with the node. `lock` serialises the act step of
 * operations that change the object (for a directory: its names), so that pre- and post-operation attributes are
 * exact. Several are taken in ascending address order (fsn_lock_all). */
struct fs_casemap;
struct fs_watchers;
struct fsn {
    pthread_mutex_t lock;
    /* Cache of what lies in extended attributes; valid while ctime equals the one seen by the caller's getattr. Under
     * `meta_lock`. */
    pthread_mutex_t meta_lock;
    struct timespec meta_ctime;
    bool meta_valid;
    bool has_dos, has_create;
    uint32_t dos; /* 0 when !has_dos */
    struct timespec create;
    uint32_t ea_size;
    /* ChangeTime as a client set it: shown while ctime is what it was then, kept while the server knows the node. */
    struct timespec change, change_ctime;
    bool has_change;
    uint8_t *sd; /* self-relative, malloc; NULL: none stored */
    size_t nsd;
    /* The directory that an entry of this object was last seen in, for CO_CHILD_ATTR (parent.c); under `meta_lock`. */
    bool has_parent;
    struct co_key parent;
    uint8_t deleter[16]; /* the parent lease key of who last marked a name of it for deletion; under `lock` */
    /* Directories. */
    _Atomic bool making;          /* an entry is on its way that is not yet what it will be */
    _Atomic uint32_t moves;       /* names that left their objects: opening looks whether its own was one */
    struct fs_casemap *casemap;   /* casemap.c */
    struct fs_watchers *watchers; /* notify.c */
};
struct fsn *fsn(struct st_node *n); /* NULL only when out of memory */
void fsn_free(struct st_node *n);   /* store->fs_fini */
void fsn_lock_all(struct st_node *const *nodes, size_t n);   /* duplicates and NULLs are fine; n <= 4 */
void fsn_unlock_all(struct st_node *const *nodes, size_t n);
/* With the lock of a directory that an entry is made in. A store makes an object in steps (it exists, it has its owner,
 * it has its descriptor); whoever looks its name up between the two calls (fs_entry) waits for the lock. */
void fsn_making_begin(struct st_node *dir);
void fsn_making_end(struct st_node *dir);
/* We changed the object under its lock, and no extended attribute: what was cached as of ctime `before` stays valid. */
void fsn_carry(struct st_node *n, const struct timespec *before, const struct timespec *after);
/* We changed names in `dir`, whose ctime was `before`: `removed` no longer leads to its object (`added` may be the same
 * name), `added` leads to another one; NULL: none. With the locks of `dir` and of the object that a name has left: who
 * opens that and has looked the name up before waits for the lock, and then looks again. */
void fsn_names_changed(struct st_node *dir, const struct timespec *before, const char *removed, size_t nr,
                       const char *added, size_t na);
static inline bool timespec_same(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* --- A volume: one store as one share serves it. Lives as long as any fs_share made over it, so that what the name's
 * configuration was changed to never pulls the store from under a client. (share.c) */
struct fs_volume {
    struct fs *fs;
    struct store *store;
    struct st_node *root;
    uint64_t key_store;               /* co_key.store: the same for two shares over one file system */
    uint32_t id;                      /* of the share */
    _Atomic(struct fs_share *) share; /* the newest */
    struct fs_share *all;             /* linked by `older`; freed with the volume */
    _Atomic uint32_t live;            /* shares of it that are referenced */
    pthread_mutex_t rename_lock;      /* serialises moves of directories to other directories: no cycles */
};
static inline struct fs_volume *fs_volume_of(const struct st_node *n) { return n->store->fs; }
void fs_shares_free(struct fs *fs);
/* The file handle made of a store's (n <= ST_HANDLE_MAX); returns its length. (handle.c) */
size_t fs_handle_of(const struct fs_volume *v, const uint8_t *h, size_t n, uint8_t out[FS_HANDLE_MAX]);

/* --- Weak cache consistency data; w may be NULL. (wcc.c) */
void fs_wcc_known(struct fs_wcc *w, const struct st_attr *a); /* nothing was changed: `a` is before and after */
void fs_wcc_pre(struct fs_wcc *w, const struct st_attr *a);
void fs_wcc_post(struct fs_wcc *w, const struct st_attr *a);

/* --- What operations on names share. (dirop.c) */
/* Where the store may wait for the state database, operations that change names are not for a loop's thread: asked
 * before the gate, answered with ST_OFFLOAD. */
static inline bool fs_must_move(const struct fs_req *q) { return q->job && !q->may_block; }
static inline bool fs_names_move(const struct fs_req *q, const struct st_node *dir)
{
    return dir->store->waits && fs_must_move(q);
}
enum st fs_name_check(const char *name, size_t n);  /* for new names and victims: "." and ".." are ST_INVAL */
/* n is a directory, with its attributes; fsn(n) is there. */
enum st fs_dir_resolve(struct st_node *dir, struct st_attr *ret);
/* The object that an entry names, complete; before the gate only, as it may wait for who makes it. New reference. */
enum st fs_entry(struct st_node *dir, const char *name, size_t n, struct st_node **ret);
/* The name in dir with its attributes; ST_NOENT. */
enum st fs_name_resolve(struct st_node *dir, const char *name, size_t n, struct st_node **ret,
                        struct st_attr *ret_attr);
bool fs_still_named(struct st_node *dir, const char *name, size_t n, const struct st_node *expect); /* NULL: nothing */
#define FS_RETRIES 8 /* a name changes hands that often between look-up and act before the client is sent away */

/* --- Directory leases show the attributes of their entries: whoever changes those adds this ask when it returns true.
 * (parent.c) `dir_leases` of struct fs is set by whoever grants the first one. */
bool fs_parent_ask(struct fs_req *q, struct st_node *n, struct fs_open *o, struct co_ask *ret);
void fs_parent_seen(struct fs *fs, const struct st_node *dir, struct st_node *n);
