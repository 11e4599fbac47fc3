/* internal.h - what the files of src/fs share: the steps of an operation. Nobody outside the folder includes it. */
#pragma once
#include "base/hash.h"
#include "fs.h"
#include "fs_metrics.h"
#include "meta.h"
#include "names.h"
#include "node.h"
#include "open.h"
#include <pthread.h>

/* --- permit (access.c). One check for both worlds: DACL when the node has a valid one, else mode bits; the owner's
 * rights; POSIX owner override for I/O when q->posix; read-only shares. ST_OK, ST_ACCESS, ST_PERM, ST_ROFS. */
enum st fs_permit(struct fs_req *q, struct st_node *n, const struct st_attr *a, uint32_t want);
uint32_t fs_granted(struct fs_req *q, struct st_node *n, const struct st_attr *a); /* all rights: maximal access */
uint32_t fs_map_generic(uint32_t access);
/* May the caller remove or rename n, whose attributes are a, from dir? (FS_DELETE or FS_DELETE_CHILD, sticky bit.) */
enum st fs_permit_delete(struct fs_req *q, struct st_node *dir, const struct st_attr *dir_attr, struct st_node *n,
                         const struct st_attr *a);
bool fs_in_group(const struct fs_cred *c, uint32_t gid);
/* Who is checked: q->cred, or the process's user where the process is nobody else. FS_DELETE is never granted by mode
 * bits: fs_permit_delete() asks the directory. */
const struct fs_cred *fs_cred_of(const struct fs_req *q);
bool fs_read_only(const struct fs_req *q);
/* With an open its granted access counts: ST_OK when one bit of `any` is among it. */
static inline enum st fs_permit_open(const struct fs_open *o, uint32_t any)
{
    return o->access & any ? ST_OK : ST_ACCESS;
}
/* The same for what is done with data. ST_STALE: its last name is gone, and orphan_io = error. (orphan.c) */
enum st fs_permit_io(const struct fs_open *o, uint32_t any);
/* Operations through an open are done by the party that opened it, to the end of the scope; not longer, since the
 * request may outlive the open. */
struct fs_through {
    struct fs_req *q;
    const struct co_party *party;
};
static inline struct fs_through fs_through_begin(struct fs_req *q, const struct fs_open *o)
{
    struct fs_through t = {q, q->party};
    if (o)
        q->party = &o->party;
    return t;
}
static inline void fs_through_end(struct fs_through *t) { t->q->party = t->party; }
#define FS_THROUGH(q, o) _cleanup_(fs_through_end) _unused_ struct fs_through through_ = fs_through_begin(q, o)

/* --- gate (gate.c). Fills in key and flags that follow from q (CO_ADVISORY ...), calls co_enter(), delivers events.
 * After ST_OK the operation acts and then calls fs_leave(), which delivers events too. In test builds it injects
 * ST_AGAIN and checks that the store's mutation counter did not move before the gate. */
enum st fs_gate(struct fs_req *q, struct co_ask *asks, size_t n);
void fs_leave(struct fs_req *q);
void fs_hint(struct fs_req *q, struct co_ask ask); /* only tells the engine; for asks that never wait */
struct co_ask fs_ask(struct st_node *n, enum co_op op);
struct co_ask fs_ask_io(struct st_node *n, const struct fs_open *o, enum co_op op, uint64_t first, uint64_t last);
void fs_ask_bytes(struct co_ask *ask, uint64_t from, uint64_t to); /* is about the bytes [from, to): may be none */
static inline struct co_out fs_out(void) /* zeroing the events inside would cost more than most calls */
{
    struct co_out out;
    out.ev = NULL;
    out.n = out.cap = 0;
    return out;
}
enum st fs_gate_start(struct fs *fs); /* the engine and its timer */
void fs_gate_stop(struct fs *fs);
void fs_tick(struct fs *fs); /* acts on the engine's deadlines that have passed; by the timer, and by tests */
void fs_count(struct fs *fs, const struct co_event *ev); /* conflicts and acknowledgements (metrics.c) */
/* told.c: of a CO_EV_BREAK; the caller's reference ends with fs_told_done(). NULL: no memory, and nobody waits. */
struct fs_told *told_new(struct fs *fs, const struct co_event *ev, bool waited_for);
void fs_deliver(struct fs *fs, struct co_out *out); /* events to sinks, log and counters; frees out */

/* --- tell (tell.c): change notification and directory leases' watchers. dir may be NULL. */
/* MS-FSCC 2.7.1 */
enum { FS_ADDED = 1, FS_REMOVED, FS_MODIFIED, FS_RENAMED_OLD, FS_RENAMED_NEW, FS_ADDED_STREAM, FS_REMOVED_STREAM,
       FS_MODIFIED_STREAM };
/* MS-SMB2 2.2.35 completion filter */
enum { FS_CHANGE_FILE_NAME = 1, FS_CHANGE_DIR_NAME = 2, FS_CHANGE_ATTRIBUTES = 4, FS_CHANGE_SIZE = 8,
       FS_CHANGE_LAST_WRITE = 0x10, FS_CHANGE_LAST_ACCESS = 0x20, FS_CHANGE_CREATION = 0x40, FS_CHANGE_EA = 0x80,
       FS_CHANGE_SECURITY = 0x100, FS_CHANGE_STREAM_NAME = 0x200, FS_CHANGE_STREAM_SIZE = 0x400,
       FS_CHANGE_STREAM_WRITE = 0x800, FS_CHANGE_ALL = 0xfff };
#define FS_CHANGE_UNNAMED 0x80000000u /* with others: not for those who watch files' names, and have been told so */
void fs_tell(struct fs_req *q, struct st_node *dir, const char *name, size_t n, uint32_t action, uint32_t filter);
void fs_tell_change(struct fs *fs, struct st_node *dir, const char *name, size_t n, uint32_t action, uint32_t filter);
/* A rename within one directory tells FS_RENAMED_OLD, then FS_RENAMED_NEW, in the same directory: only the second wakes
 * those who wait, so that they get both at once. A move to another directory is FS_REMOVED there, FS_ADDED here. */
void fs_notify_cancel(struct fs_req *q); /* q no longer waits for changes (notify.c) */
void fs_watch_close(struct fs_open *o);        /* its watch ends: those who wait get ST_CLOSED */
void fs_watch_gone(struct st_node *dir);       /* is deleted, or about to be: those who wait look again */
void fs_watch_lost(struct st_node *dir);       /* something has changed, nobody knows what: list it again */
/* What local programs do to a directory is told between these; as often ended as begun. (local.c) */
void fs_local_begin(struct st_node *dir);
void fs_local_end(struct st_node *dir);
void fs_local_change(struct st_node *dir, enum st_change what, bool is_dir, const char *name, size_t n); /* store's */
bool fs_dir_empty(struct st_node *n);          /* close.c */
/* The same for a change to a node whose name is only known through an open, or not at all (NFSv3 WRITE): finds the
 * directory cheaply (only when somebody watches anything at all). */
void fs_tell_node(struct fs_req *q, struct st_node *node, struct fs_open *o, uint32_t filter);

/* --- names of a directory, case-insensitively (casemap.c): exact first, then folded. Does not scan a directory per
 * call: keeps an index validated by the directory's ctime, updated by our own changes. */
enum st fs_lookup_fold(struct fs_req *q, struct st_node *dir, const char *name, size_t n, struct st_node **ret,
                       char *ret_name /* ST_NAME_MAX + 1: spelled as on disk */, size_t *ret_n);
/* The index' part of fsn_names_changed(). */
void fs_casemap_changed(struct st_node *dir, const struct timespec *before, const char *removed, size_t nr,
                        const char *added, size_t na);
void fs_casemap_free(struct fsn *f); /* of a directory whose node goes away */

/* --- metadata in extended attributes (winmeta.c): loads fsn's cache for the node as seen in `a`. */
enum st fs_meta_load(struct st_node *n, const struct st_attr *a);
enum st fs_meta_store(struct st_node *n, const uint32_t *dos, const struct timespec *create); /* NULL: unchanged */
/* ChangeTime as a client set it, seen with the ctime that the object has now; as it was shown before a change. */
void fs_meta_change_kept(struct st_node *n, const struct timespec *before, const struct timespec *after);
void fs_meta_change_time(struct st_node *n, const struct timespec *ctime, const struct timespec *change);
void fs_attr_fill(struct st_node *n, const struct st_attr *st, struct fs_attr *ret);
/* DACL: rights of the caller by the stored descriptor; false when none is stored or it is void. (sd.c) */
bool fs_sd_rights(struct fs_req *q, struct st_node *n, const struct st_attr *a, uint32_t *ret_granted);
/* The descriptor to be stored with an object that is going to be made under dir over SMB, in the arena: the given
 * one, or what dir's hands down; NULL when there is neither. a: its owner, group and mode; the mode is changed to fit.
 * (sd.c) */
struct fs_new_sd {
    uint8_t *p;
    size_t n;
};
enum st fs_sd_for_new(struct fs_req *q, struct st_node *dir, const struct st_attr *dir_attr, bool is_dir,
                      const uint8_t *given, size_t ngiven, struct st_attr *a, struct fs_new_sd *ret);

/* --- opens (open.c and close.c): the table of opens by link for renames, and per share counts. */
uint64_t fs_link_id(const struct st_node *dir, const char *name, size_t n); /* hash of directory id and name bytes */
struct fs_search; /* find.c */
void fs_search_free(struct fs_search *s);
struct fs_watch;  /* notify.c */
struct fs_old_stream { /* names that a stream's open had: others may still be looking at them */
    struct fs_old_stream *next;
    char *name;
};
struct fs_open_priv {
    struct hash_link link; /* in fs->opens, by the node's address; under fs->opens_lock */
    struct fs_open *open;
    pthread_mutex_t lock;     /* of what follows */
    struct co_key key;        /* what the engine knows it by: the node's, or its stream's, which a rename changes */
    struct fs_old_stream *old_streams;
    struct st_node *dir;      /* where its name is; NULL: the share's root */
    char name[ST_NAME_MAX + 1];
    size_t n;
    uint64_t link_id;         /* fs_link_id(dir, name) */
    bool delete_on_close;     /* FS_DELETE_ON_CLOSE: becomes the link's disposition when this open is closed */
    bool closed, posix_delete;  /* posix_delete: the name goes with this open, whoever else has one */
    _Atomic bool wrote;       /* its directory is told when it is closed */
    _Atomic uint8_t keeps;    /* FS_TIME_*: what it does leaves these times alone (times.c) */
    struct fs_search *search;
    struct fs_watch *watch;
    bool sees_local;          /* has a directory lease, or had: fs_local_end() when it closes */
};
/* Times that stand still (times.c): what o, which may be NULL, keeps; and, with the node's lock and after a change,
 * putting that back as it was in `before`. `after` is brought up to date. fs_times_begin() and fs_times_end() are
 * for changes that look at no attributes themselves. */
static inline unsigned fs_times_kept(const struct fs_open *o)
{
    return o ? atomic_load_explicit(&o->priv->keeps, memory_order_relaxed) : 0;
}
void fs_times_put_back(struct st_node *n, unsigned keep, const struct st_attr *before, struct st_attr *after);
struct fs_times {
    struct st_node *node;
    unsigned keep;
    struct st_attr before;
};
void fs_times_begin(struct fs_times *t, struct fs_open *o);
void fs_times_end(struct fs_times *t);
/* Key of data I/O, locks and leases through the open: the file's own, or the stream's. */
static inline struct co_key fs_open_key(const struct fs_open *o)
{
    if (likely(!o->stream))
        return o->priv->key;
    pthread_mutex_lock(&o->priv->lock);
    struct co_key key = o->priv->key;
    pthread_mutex_unlock(&o->priv->lock);
    return key;
}
static inline uint64_t fs_open_link(struct fs_open *o)
{
    pthread_mutex_lock(&o->priv->lock);
    uint64_t id = o->priv->link_id;
    pthread_mutex_unlock(&o->priv->lock);
    return id;
}
/* The open's name at this moment: a reference to its directory and a copy. ST_BADNAME: the share's root has none. */
enum st fs_open_name(struct fs_open *o, struct st_node **ret_dir, char ret_name[ST_NAME_MAX + 1], size_t *ret_n);
/* After a rename by anybody: opens of the moved node under the old link now stand under the new one. */
void fs_opens_renamed(struct fs *fs, struct st_node *node, struct st_node *sdir, const char *sname, size_t sn,
                      struct st_node *ddir, const char *dname, size_t dn);
/* A gate of its own, for whoever moves the directory: ST_OK when nothing below it is open, other than through `except`;
 * ST_AGAIN while somebody is asked to close what he only caches; ST_ACCESS. (opens_below.c) */
enum st fs_vacate(struct fs_req *q, struct st_node *dir, const struct fs_open *except);
/* I/O on a stream: the file's own data when o has no stream. (streams.c) */
enum st fs_stream_read(struct fs_req *q, struct fs_open *o, uint64_t off, void *buf, size_t len, size_t *ret_n,
                       bool *ret_eof);
enum st fs_stream_write(struct fs_req *q, struct fs_open *o, uint64_t off, const void *buf, size_t len);
enum st fs_stream_resize(struct fs_req *q, struct fs_open *o, uint64_t size);
/* Sets mode bits from NFS or SMB: voids a stored descriptor that no longer fits. (sd.c) */
void fs_sd_mode_changed(struct st_node *n);

struct fs {
    struct fs_config cfg;
    struct co *co;
    pthread_rwlock_t shares_lock;
    struct fs_share *shares;
    uint8_t handle_key[16];
    uint64_t boot_verifier;
    struct fs_sink sinks[CO_LABEL_MAX];
    struct timer co_timer;      /* engine deadlines, on cfg.loop */
    struct task co_task;        /* moves the timer from other threads */
    _Atomic bool co_task_posted;
    _Atomic uint32_t watching;  /* directories with watchers anywhere: fs_tell's fast exit */
    _Atomic bool dir_leases;    /* a directory lease has been granted: parent.c is worth its cost */
    _Atomic bool attr_lazy;     /* policy: fs_getattr() goes through the gate */
    _Atomic bool orphan_error;  /* policy: no I/O through opens of what has no name any more */
    _Atomic bool dir_rename_strict; /* policy: a directory with open files in it keeps its name, whoever asks */
    struct fs_cred self;        /* the process's user, for cfg.unprivileged */
    uint32_t next_share;        /* id, when cfg.kv is NULL; under shares_lock */
    _Atomic uint64_t gates;     /* operations that went through the gate */
    _Atomic uint64_t acting;    /* and have not left it yet */
    struct fs_metrics metrics;
    pthread_mutex_t opens_lock; /* the table below */
    struct hash opens;          /* fs_open_priv by node */
    _Atomic uint64_t next_open;
};
