/* ops.h - operations on nodes and names: what NFSv3 asks for, and what SMB asks for through an open.
 *
 * Names are server-side byte strings (names.h maps Windows' names). Where an operation takes an `fs_open *o`, NULL is a
 * caller without an open (NFSv3): permission is then checked per call, else the open's granted access counts. */
#pragma once
#include "fs.h"

/* --- Access: one vocabulary for both worlds, MS-DTYP 2.4.3's access mask. */
enum {
    FS_READ_DATA = 0x1, FS_WRITE_DATA = 0x2, FS_APPEND_DATA = 0x4, FS_READ_EA = 0x8, FS_WRITE_EA = 0x10,
    FS_EXECUTE = 0x20, FS_DELETE_CHILD = 0x40, FS_READ_ATTRIBUTES = 0x80, FS_WRITE_ATTRIBUTES = 0x100,
    FS_LIST = FS_READ_DATA, FS_ADD_FILE = FS_WRITE_DATA, FS_ADD_SUBDIR = FS_APPEND_DATA, FS_TRAVERSE = FS_EXECUTE,
    FS_DELETE = 0x10000, FS_READ_CONTROL = 0x20000, FS_WRITE_DAC = 0x40000, FS_WRITE_OWNER = 0x80000,
    FS_SYNCHRONIZE = 0x100000, FS_ACCESS_SYSTEM_SECURITY = 0x1000000, FS_MAXIMUM_ALLOWED = 0x2000000,
    FS_GENERIC_ALL = 0x10000000, FS_GENERIC_EXECUTE = 0x20000000, FS_GENERIC_WRITE = 0x40000000,
    FS_GENERIC_READ = (int)0x80000000u, FS_ALL_ACCESS = 0x1f01ff,
};
/* The bits of `want` that the caller has on n (MAXIMUM_ALLOWED and generic bits already mapped away). */
enum st fs_access(struct fs_req *q, struct st_node *n, uint32_t want, uint32_t *ret_granted);

enum st fs_getattr(struct fs_req *q, struct st_node *n, struct st_attr *ret);
enum st fs_getattr_windows(struct fs_req *q, struct st_node *n, struct fs_attr *ret);

struct fs_setattr {
    uint32_t set; /* ST_SET_* and FS_SET_* */
    struct st_attr a;
    uint32_t dos;
    struct timespec create, change;
    uint64_t alloc; /* FS_SET_ALLOC: allocation size, bytes */
    bool guard;     /* RFC 1813 3.3.2: only if ctime is still ... */
    struct timespec guard_ctime;
};
enum { FS_SET_DOS = 1 << 16, FS_SET_CREATE = 1 << 17, FS_SET_ALLOC = 1 << 18, FS_SET_CHANGE = 1 << 19 };
enum st fs_setattr(struct fs_req *q, struct st_node *n, struct fs_open *o, const struct fs_setattr *sa,
                   struct fs_wcc *wcc);

/* "." and ".." are understood (".." of the share's root is the root). Needs FS_TRAVERSE on dir. */
enum st fs_lookup(struct fs_req *q, struct st_node *dir, const char *name, size_t n, struct st_node **ret,
                  struct st_attr *ret_attr /* or NULL */);
enum st fs_readlink(struct fs_req *q, struct st_node *n, char **ret, size_t *ret_n); /* in the request's arena */

/* Reads up to len bytes at off into buf. *ret_eof: the last byte returned is the last of the file.
 * `ret_eof` and `attr` may be NULL, which is cheaper. */
enum st fs_read(struct fs_req *q, struct st_node *n, struct fs_open *o, uint64_t off, void *buf, size_t len,
                size_t *ret_n, bool *ret_eof, struct st_attr *attr);
enum fs_stable { FS_UNSTABLE, FS_DATA_SYNC, FS_FILE_SYNC };
/* All bytes or an error. wcc may be NULL (SMB). off = UINT64_MAX: at the end (append). */
enum st fs_write(struct fs_req *q, struct st_node *n, struct fs_open *o, uint64_t off, const void *buf, size_t len,
                 enum fs_stable stable, struct fs_wcc *wcc);
/* Everything written so far is durable on ST_OK. */
enum st fs_commit(struct fs_req *q, struct st_node *n, struct fs_open *o, struct fs_wcc *wcc);

enum fs_create_mode { FS_CREATE_UNCHECKED, FS_CREATE_GUARDED, FS_CREATE_EXCLUSIVE };
struct fs_make {
    struct st_attr a;   /* type, mode, rdev; uid/gid when set says so, else the caller's */
    uint32_t set;       /* ST_SET_*: which of a were given */
    const char *target; /* symlink */
    enum fs_create_mode how; /* regular files */
    uint64_t verifier;  /* EXCLUSIVE: stored with the file, survives a restart */
};
/* CREATE, MKDIR, SYMLINK, MKNOD of NFSv3. Needs FS_ADD_FILE or FS_ADD_SUBDIR. New objects in a set-gid directory
 * inherit its group. */
enum st fs_make(struct fs_req *q, struct st_node *dir, const char *name, size_t n, const struct fs_make *m,
                struct st_node **ret, struct st_attr *ret_attr, struct fs_wcc *dir_wcc);
/* want_dir: RMDIR, else REMOVE. Sticky directories are honoured. */
enum st fs_remove(struct fs_req *q, struct st_node *dir, const char *name, size_t n, bool want_dir,
                  struct fs_wcc *dir_wcc);
enum st fs_link(struct fs_req *q, struct st_node *n, struct fs_open *o, struct st_node *dir, const char *name,
                size_t len, bool replace, struct fs_wcc *dir_wcc, struct st_attr *ret_attr);
struct fs_rename {
    struct st_node *sdir; /* source by name (NFS) ... */
    const char *sname;
    size_t sn;
    struct fs_open *o;    /* ... or by open (SMB), then sdir/sname come from it */
    struct st_node *ddir;
    const char *dname;
    size_t dn;
    bool replace;
    struct fs_wcc *swcc, *dwcc; /* or NULL */
};
enum st fs_rename(struct fs_req *q, const struct fs_rename *r);

/* Entries after cookie (0: start), "." and ".." first with cookies 1 and 2, until fn returns false. *ret_end: nothing
 * follows. With `attrs` every entry comes with its handle and attributes, as READDIRPLUS wants. */
struct fs_dirent {
    const char *name;
    size_t n;
    uint64_t fileid, cookie;
    const struct st_attr *attr; /* NULL without attrs, or when it vanished */
    const uint8_t *fh;          /* its handle (fs_handle) */
    size_t nfh;                 /* 0: it has none */
};
enum st fs_readdir(struct fs_req *q, struct st_node *dir, uint64_t cookie, bool attrs,
                   bool (*fn)(void *arg, const struct fs_dirent *e), void *arg, bool *ret_end);
enum st fs_statfs(struct fs_req *q, struct st_node *n, struct st_fsinfo *ret);

/* --- Byte ranges and NLM shares; also see co_enter() for what waits. `blocker` of q->ticket says who. */
struct fs_range {
    uint64_t first, last; /* inclusive, UINT64_MAX = to the end */
    bool exclusive, zero_len, unlock;
};
/* All or nothing, as one request. wait: queue behind other locks (ST_AGAIN until granted); reclaim: in grace. */
enum st fs_lock(struct fs_req *q, struct st_node *n, struct fs_open *o, const struct fs_range *r, size_t nr, bool wait,
                bool reclaim);
enum st fs_unlock(struct fs_req *q, struct st_node *n, struct fs_open *o, const struct fs_range *r, size_t nr);
/* ST_OK: would be granted; ST_LOCK_DENIED: *ret_holder. */
enum st fs_test_lock(struct fs_req *q, struct st_node *n, const struct fs_range *r, struct co_hold *ret_holder);
enum st fs_share_reserve(struct fs_req *q, struct st_node *n, uint8_t access, uint8_t deny, bool reclaim);
void fs_share_release(struct fs_req *q, struct st_node *n);
void fs_client_gone(struct fs *fs, uint64_t client);
/* For policy's grace_period only reclaims get locks and shares; ended early when nobody is left to wait for. */
void fs_grace_begin(struct fs *fs);
void fs_grace_end(struct fs *fs);
bool fs_in_grace(struct fs *fs);
