/* store.h - where bytes and names live: the vtable that every store implements, and its contract.
 *
 * A store knows nothing of clients, locks, permissions or protocols: it does what it is told with the process's own
 * rights. Only src/fs calls it. All operations are synchronous and may be called from any thread at once; where the
 * order matters (names of one directory), the caller serialises.
 *
 * An object is a `struct st_node`, reference-counted, at most one per object at a time: two lookups of hard links
 * to one file give the same pointer. A node outlives its last name while referenced (an orphan still has its bytes).
 *
 * Names are byte strings without '/' and NUL, 1..255 bytes, never "." or "..". No operation follows a symbolic link,
 * and none leaves the store's root, whatever names, links or renames anybody tries at the same time. */
#pragma once
#include "base/st.h"
#include "base/util.h"
#include <stdatomic.h>
#include <sys/uio.h>
#include <time.h>

#define ST_NAME_MAX 255
#define ST_HANDLE_MAX 44 /* what fits into an NFSv3 handle beside fs's own parts */

enum st_type { ST_REG = 1, ST_DIR, ST_LNK, ST_BLK, ST_CHR, ST_FIFO, ST_SOCK };

/* Identity of an object within its store, never reused while the store's data exists: the coherence engine's key. */
struct st_id {
    uint64_t ino; /* the fileid that clients see */
    uint64_t gen;
};

struct st_attr {
    enum st_type type;
    uint32_t mode; /* 07777 */
    uint32_t nlink, uid, gid;
    uint32_t rdev_major, rdev_minor;
    uint32_t blksize;
    uint64_t size, used; /* bytes */
    uint64_t fsid, ino;
    struct timespec atime, mtime, ctime, btime;
};

struct st_node {
    struct store *store;
    struct st_id id;
    enum st_type type;
    _Atomic uint32_t refs;
    /* For src/fs: the store zero-initialises it and never looks at it; `fs_fini` of the store is called before free. */
    void *fs;
};

/* Which members of st_attr setattr() sets. Times: *_NOW is the server's time. */
enum {
    ST_SET_MODE = 1 << 0,
    ST_SET_UID = 1 << 1,
    ST_SET_GID = 1 << 2,
    ST_SET_SIZE = 1 << 3,
    ST_SET_ATIME = 1 << 4,
    ST_SET_MTIME = 1 << 5,
    ST_SET_ATIME_NOW = 1 << 6,
    ST_SET_MTIME_NOW = 1 << 7,
};

enum { ST_READ_NOWAIT = 1 << 0 };                         /* ST_OFFLOAD instead of waiting for a disk */
enum { ST_WRITE_DSYNC = 1 << 0, ST_WRITE_SYNC = 1 << 1 }; /* durable (data; data and attributes) on return */
enum { ST_RENAME_NOREPLACE = 1 << 0 };
enum { ST_UNLINK_DIR = 1 << 0 }; /* rmdir, else ST_ISDIR/ST_NOTDIR as unlink(2)/rmdir(2) */
enum st_alloc { ST_ALLOC, ST_ALLOC_KEEP_SIZE, ST_ZERO, ST_PUNCH };

struct st_fsinfo {
    uint64_t total, free, avail; /* bytes */
    uint64_t files, ffree;
    uint32_t block;
    bool case_insensitive, can_clone, can_sparse;
    uint64_t time_delta_ns;
    char fstype[16];
};

/* One entry of a directory. `cookie` continues behind it: > 2, stable while the entry exists, also over a restart
 * where the file system can, and over changes of other entries. */
struct st_dirent {
    const char *name;
    size_t nname;
    uint64_t ino;
    enum st_type type; /* 0 when not known without a lookup */
    uint64_t cookie;
    /* list() only; without when the object vanished meanwhile */
    const struct st_attr *attr;
    const uint8_t *handle;
    size_t nhandle; /* 0: it has none */
};

/* What others than the store's callers did to an entry of a directory; ST_LOST: too much to tell, look for yourself. */
enum st_change { ST_ADDED, ST_REMOVED, ST_MODIFIED, ST_ATTRIBUTES, ST_LOST };

struct store_ops {
    const char *kind; /* "dir", "mem" */

    void (*free)(struct store *s);            /* all nodes are unreferenced */
    struct st_node *(*root)(struct store *s); /* a new reference */
    /* The holder of the last reference gives it back: the store drops it under its own table lock (so that a lookup
     * that wins the race simply takes it over) and keeps the node cached or frees it. */
    void (*node_free)(struct st_node *n);
    enum st (*statfs)(struct store *s, struct st_fsinfo *ret);

    /* Handles: at most ST_HANDLE_MAX bytes that find the object again, also after a restart, also unprivileged.
     * ST_STALE: was an object of this store and is gone; ST_BADHANDLE: cannot be one. handle() may wait for the
     * state database where handles come from it (an ordinary user's `dir`), and is ST_NOTSUP there without one;
     * unless `wait`, it says ST_OFFLOAD instead. */
    enum st (*handle)(struct st_node *n, bool wait, uint8_t *out, size_t *ret_n);
    enum st (*from_handle)(struct store *s, const uint8_t *h, size_t n, struct st_node **ret);
    /* The object of that identity when it is in memory, as one is on which a client holds anything; ST_NOENT. */
    enum st (*known)(struct store *s, const struct st_id *id, struct st_node **ret);
    /* A current path of the object below the root ("a/b"), for logs and the administrator. */
    enum st (*path)(struct st_node *n, char *out, size_t cap);
    /* The directory that holds n (a directory); of the root: the root. New reference. */
    enum st (*parent)(struct st_node *n, struct st_node **ret);

    /* New reference. Exact bytes; case folding is fs's business. */
    enum st (*lookup)(struct st_node *dir, const char *name, size_t n, struct st_node **ret);
    enum st (*getattr)(struct st_node *n, struct st_attr *ret);
    enum st (*setattr)(struct st_node *n, uint32_t set, const struct st_attr *a);

    /* Makes an object: regular file, directory, symlink (target), or special (rdev). a->type, mode (exact: no umask, no
     * set-group-id from the parent), uid, gid as given; ST_EXIST when the name exists. New reference. */
    enum st (*make)(struct st_node *dir, const char *name, size_t n, const struct st_attr *a, const char *target,
                    struct st_node **ret);
    enum st (*link)(struct st_node *n, struct st_node *dir, const char *name, size_t len);
    /* Removes the name only if it names `expect` (NULL: whatever it names); else ST_NOENT. */
    enum st (*unlink)(struct st_node *dir, const char *name, size_t n, const struct st_node *expect, unsigned flags);
    enum st (*rename)(struct st_node *sdir, const char *sname, size_t sn, struct st_node *ddir, const char *dname,
                      size_t dn, unsigned flags);
    enum st (*readlink)(struct st_node *n, char *out, size_t cap, size_t *ret_n); /* not NUL-terminated */
    /* Entries after `cookie` (0: from the start), without "." and "..", until fn returns false (that entry is not
     * consumed). ST_OK: stopped by fn; ST_END: no more. Memory is constant in the size of the directory. */
    enum st (*readdir)(struct st_node *dir, uint64_t cookie, bool (*fn)(void *arg, const struct st_dirent *e),
                       void *arg);
    /* The same with the attributes and handles of the entries, as they are now or as they were when somebody listed
     * them a moment ago; but never as they were before something that has been done through this store. Makes no
     * nodes. May wait for the state database as handle() may, at most once: when it returns, handles are good. */
    enum st (*list)(struct st_node *dir, uint64_t cookie, bool (*fn)(void *arg, const struct st_dirent *e), void *arg);

    /* Regular files. Reads give the bytes that are there: *ret_n < n only at the end of the file. */
    enum st (*read)(struct st_node *n, uint64_t off, void *buf, size_t len, unsigned flags, size_t *ret_n);
    enum st (*write)(struct st_node *n, uint64_t off, const struct iovec *iov, int niov, unsigned flags,
                     size_t *ret_n);                    /* all, or an error */
    enum st (*sync)(struct st_node *n, bool data_only); /* files and directories */
    /* ST_ALLOC grows the file to off + len; the others never change its size. ST_NOTSUP: cannot reserve. */
    enum st (*allocate)(struct st_node *n, uint64_t off, uint64_t len, enum st_alloc how);
    /* Start of the next data (hole = false) or hole at or after off; ST_END when none. */
    enum st (*seek)(struct st_node *n, uint64_t off, bool hole, uint64_t *ret);
    /* Server-side copy, short only at the end of the source; ranges of one file may overlap. Shares blocks when
     * `clone` (ST_NOTSUP when it cannot, ST_INVAL when the ranges are not aligned to blocks). */
    enum st (*copy)(struct st_node *src, uint64_t soff, struct st_node *dst, uint64_t doff, uint64_t len, bool clone,
                    uint64_t *ret_n);

    /* Extended attributes of regular files and directories (others: ST_NOTSUP), any bytes as value. Names are free of
     * NUL; the store keeps NAME apart from everybody else's attributes (`dir`: "user.concord.NAME"), except that
     * "user:NAME" is the attribute that local programs know as "user.NAME"; of those, "user:concord.*" does not exist
     * and cannot be set (ST_PERM). ST_NOATTR; ST_NAMETOOLONG; ST_FBIG: value above 64 KiB; ST_NOSPC: above what the
     * file system can hold. xattr_list gives names in both forms until fn returns false; always ST_OK. */
    enum st (*xattr_get)(struct st_node *n, const char *name, void *buf, size_t cap,
                         size_t *ret_n); /* ST_BUFSIZE: *ret_n needed */
    enum st (*xattr_set)(struct st_node *n, const char *name, const void *val, size_t len);
    enum st (*xattr_del)(struct st_node *n, const char *name);
    enum st (*xattr_list)(struct st_node *n, bool (*fn)(void *arg, const char *name), void *arg);

    /* From now on, until it has been ended as often as begun, `changed` is called for what local programs do to the
     * directory's entries: exactly that, and nothing that is done through a store of this process. ST_NOTSUP and
     * others: it cannot be seen here. NULL: there are no others. */
    enum st (*watch)(struct st_node *dir, bool on);
};

struct kv;
struct store {
    const struct store_ops *ops;
    void (*fs_fini)(struct st_node *n); /* set by src/fs: frees n->fs */
    void *fs;                           /* src/fs's own: the store never looks at it */
    /* Set by src/fs: see watch. On a thread of the store's own, without its locks; a moment after the change. */
    void (*changed)(struct st_node *dir, enum st_change what, bool is_dir, const char *name, size_t n);
    bool waits; /* making, moving and removing names, handle() and list() may wait for the state database */
    _Atomic uint64_t mutations;         /* counted by every operation that changes something: the gate's proof */
};

/* An existing directory, served in place; raises the soft limit of open files to the hard one. Ids and handles come
 * from kernel file handles where the process may use them (CAP_DAC_READ_SEARCH), else from a handle table in `kv`,
 * under `name`. `uid_map`-free: as an ordinary user, uid and gid of new objects are ignored and chown is ST_PERM. */
enum st store_dir_open(const char *path, const char *name, struct kv *kv, struct store **ret);
/* In memory; all is lost on close. `capacity` in bytes, 0 = unlimited. */
enum st store_mem_open(uint64_t capacity, struct store **ret);

static inline struct st_node *st_ref(struct st_node *n)
{
    if (n)
        atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
    return n;
}
/* NULL is fine. */
void st_unref(struct st_node *n);
static inline void st_unrefp(struct st_node **n) { st_unref(*n); }
#define _cleanup_node_ _cleanup_(st_unrefp)
