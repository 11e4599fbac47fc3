/* fs.h - the file service: shares, identities, requests, attributes, handles.
 *
 * src/fs has one function per operation that any protocol can ask for (ops.h, open.h, meta.h), one operation a file,
 * each with the same steps: *resolve* names and handles, *permit* (one access check for both worlds), *gate* (the
 * coherence engine), *act* (the store), *tell* (change notification, directory leases, metrics). src/fs is the only
 * caller of src/store and src/coherence; it knows no wire format and no protocol status.
 *
 * Every operation returns an `enum st`. ST_AGAIN: parked, nothing was done, q->job is woken when it is worth calling
 * again; ST_OFFLOAD: nothing was done, call again with q->may_block set (on a pool thread). A front end gives a request
 * up with fs_cancel(). Outputs (ret_*) are written only on success unless said otherwise; returned nodes are new
 * references, dropped with fs_node_unref(). */
#pragma once
#include "base/arena.h"
#include "base/st.h"
#include "coherence/coherence.h"
#include "net/job.h"
#include "store/store.h"
#include <sys/socket.h>

struct fs;
struct fs_open;
struct kv;

/* --- Identities. Users of the database and AUTH_SYS callers become the same thing: numeric ids. */
#define FS_GROUPS_MAX 64
struct fs_cred {
    uint32_t uid, gid;
    uint32_t ngroups;
    uint32_t groups[FS_GROUPS_MAX];
    bool superuser;  /* uid 0 that is not squashed: no permission check, may chown */
    bool guest;
    char name[64];   /* for people; "" when only numbers are known */
};

/* --- Shares. */
enum fs_squash { FS_SQUASH_ROOT, FS_SQUASH_ALL, FS_SQUASH_NONE };
enum fs_tristate { FS_OFF, FS_OFFERED, FS_REQUIRED };
enum fs_jukebox { FS_JUKEBOX, FS_JUKEBOX_HOLD, FS_JUKEBOX_DROP };
struct fs_export_rule { /* who may mount over NFS: first match wins */
    uint8_t addr[16];   /* v4 as v4-mapped */
    uint8_t prefix;     /* bits of 128 */
    bool read_only;
    enum fs_squash squash;
};
struct fs_share_config {
    char name[80];      /* SMB share name; NFS export "/NAME" */
    char path[4096];    /* for the dir store */
    char store[16];     /* "dir" or "mem" */
    char comment[128];
    bool read_only, guest_ok, nfs, smb, hidden;
    bool continuous_availability; /* SMB opens may be persistent: they outlive the server */
    bool follow_symlinks; /* SMB opens follow links inside the share; else they are reparse points only */
    enum fs_tristate signing, encryption;
    enum fs_jukebox jukebox; /* what an NFS client gets whose request has to wait for long */
    uint32_t anon_uid, anon_gid;
    uint32_t file_mode_mask, dir_mode_mask; /* of objects made over SMB without a security descriptor: 0644, 0755 */
    struct fs_export_rule *rules; /* none: everybody, root squashed */
    size_t nrules;
    char valid_users[512]; /* blank-separated; empty: all */
};
struct fs_share {
    struct fs_share_config cfg;
    uint32_t id;        /* stable over restarts: stands in file handles and coherence keys */
    struct store *store;
    struct st_node *root;
    struct fs *fs;
    struct fs_volume *vol; /* share.c: store and root, which outlive a change of the share's configuration */
    _Atomic uint32_t refs;
    struct fs_share *next;
    struct fs_share *older; /* share.c */
};

struct fs_config {
    struct kv *kv;          /* users, handle key, share ids; owned by the caller, outlives fs */
    struct loop *loop;      /* where engine deadlines are timed */
    struct co_policy lock;
    unsigned again_percent; /* test builds: chance of an injected ST_AGAIN at each gate */
    bool unprivileged;      /* the process is not root: everybody is the process's user */
};
enum st fs_create(const struct fs_config *cfg, struct fs **ret);
/* All requests, opens and references to shares must be gone; cfg.loop is stopped, or the caller's own thread. */
void fs_free(struct fs *fs);
/* Adds, changes or (cfg = NULL) removes a share. Clients on a changed share keep what they have. */
enum st fs_share_set(struct fs *fs, const char *name, const struct fs_share_config *cfg);
struct fs_share *fs_share_get(struct fs *fs, const char *name, size_t n); /* case-insensitive; reference or NULL */
struct fs_share *fs_share_by_id(struct fs *fs, uint32_t id);
void fs_share_put(struct fs_share *s);
void fs_share_each(struct fs *fs, bool (*fn)(void *arg, struct fs_share *s), void *arg);
void fs_set_policy(struct fs *fs, const struct co_policy *p);
struct co *fs_engine(struct fs *fs); /* for the administrator's listing only */
/* Export rule for an NFS client; false: may not mount. Applies squashing to *cred (in: as the client said). */
bool fs_export_admit(const struct fs_share *s, const struct sockaddr_storage *peer, struct fs_cred *cred, bool *ret_ro);
uint64_t fs_boot_verifier(const struct fs *fs); /* differs after each restart: NFS write verifier */

/* --- What front ends register to be told (called without locks, on any thread; must only queue). */
struct fs_told; /* a break: those who cause it, or meet it, go on when its notification is on its way to the holder */
struct fs_told *fs_told_later(struct fs_told *t); /* in event(): told when fs_told_done() is called. NULL is fine */
void fs_told_done(struct fs_told *t);             /* once, any thread */
/* In event(): the operation that causes the break waits, so it may not be answered first. */
bool fs_told_is_waited_for(const struct fs_told *t);
struct fs_sink {
    /* CO_EV_BREAK, VOID, DROP for parties of this label */
    void (*event)(void *arg, const struct co_event *ev, struct fs_told *told);
    void *arg;
};
void fs_set_sink(struct fs *fs, enum co_label label, const struct fs_sink *sink);

/* --- A request, embedded in the front end's own. */
struct fs_req {
    struct fs *fs;
    struct fs_share *share;
    const struct fs_cred *cred;
    const struct co_party *party; /* NFSv3: anonymous party of the client */
    struct arena *arena;
    struct job *job;   /* woken after ST_AGAIN; NULL: operations that would wait say ST_DELAY instead */
    bool may_block;    /* on a pool thread */
    bool read_only;    /* export rule or share */
    bool posix;        /* the caller knows UNIX semantics (NFS): owner override, no DOS read-only deny */
    struct co_ticket ticket; /* fs's */
    bool injected;           /* fs's: gate.c */
    uint64_t seen_mutations, seen_gates; /* fs's: gate.c */
    struct fs_open *notify;  /* fs's: waits for changes below this open (notify.c) */
    struct list notify_link;
};
void fs_req_init(struct fs_req *q, struct fs *fs, struct job *job, struct arena *arena);
void fs_cancel(struct fs_req *q); /* not while a step runs; harmless when nothing waits */
/* The client is told to come back (JUKEBOX): cancels, but keeps its claim for a while. */
void fs_cancel_reserve(struct fs_req *q);

/* --- Attributes. `st` is what the store says; the rest is Windows' view, filled in only when asked for. */
/* MS-FSCC 2.6 */
enum {
    FS_DOS_READONLY = 0x1, FS_DOS_HIDDEN = 0x2, FS_DOS_SYSTEM = 0x4, FS_DOS_DIRECTORY = 0x10, FS_DOS_ARCHIVE = 0x20,
    FS_DOS_NORMAL = 0x80, FS_DOS_TEMPORARY = 0x100, FS_DOS_SPARSE = 0x200, FS_DOS_REPARSE_POINT = 0x400,
    FS_DOS_OFFLINE = 0x1000, FS_DOS_NOT_INDEXED = 0x2000,
};
struct fs_attr {
    struct st_attr st;
    uint32_t dos;             /* FS_DOS_*, never 0 */
    uint32_t ea_size, reparse_tag;
    struct timespec create;   /* creation time as set by Windows, else btime */
    struct timespec change;   /* ChangeTime as set by Windows, until the object changes again; else ctime */
};
struct fs_wcc { /* RFC 1813 2.6: weak cache consistency; valid also when the operation failed */
    bool has_pre, has_post;
    uint64_t pre_size;
    struct timespec pre_mtime, pre_ctime;
    struct st_attr post;
};

/* --- Nodes and handles. */
static inline struct st_node *fs_node_ref(struct st_node *n) { return st_ref(n); }
void fs_node_unref(struct st_node *n);
struct fs_share *fs_node_share(const struct st_node *n); /* as it is configured now; borrowed from the node */
struct co_key fs_node_key(const struct st_node *n);
uint64_t fs_node_id(const struct st_node *n); /* fileid */
#define FS_HANDLE_MAX 64
/* An authenticated handle, at most FS_HANDLE_MAX bytes (version, share id, store handle, SipHash). */
enum st fs_handle(const struct fs_req *q, struct st_node *n, uint8_t out[FS_HANDLE_MAX], size_t *ret_n);
/* ST_BADHANDLE: not made by this server. ST_STALE: object or share is gone. *ret_share: a reference. */
enum st fs_from_handle(struct fs *fs, const uint8_t *h, size_t n, struct fs_share **ret_share, struct st_node **ret);
