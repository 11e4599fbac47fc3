/* open.h - opens: what SMB's CREATE makes, and what is done through them. (NFSv4 opens will be the same thing.) */
#pragma once
#include "ops.h"

/* [MS-SMB2] 2.2.13 CreateDisposition and CreateOptions, by their names there. */
enum fs_disposition { FS_SUPERSEDE, FS_OPEN, FS_CREATE, FS_OPEN_IF, FS_OVERWRITE, FS_OVERWRITE_IF };
enum {
    FS_DIRECTORY_FILE = 0x1, FS_WRITE_THROUGH = 0x2, FS_SEQUENTIAL_ONLY = 0x4, FS_NO_INTERMEDIATE_BUFFERING = 0x8,
    FS_NON_DIRECTORY_FILE = 0x40, FS_NO_EA_KNOWLEDGE = 0x200, FS_RANDOM_ACCESS = 0x800, FS_DELETE_ON_CLOSE = 0x1000,
    FS_OPEN_BY_FILE_ID = 0x2000, FS_OPEN_FOR_BACKUP_INTENT = 0x4000, FS_OPEN_REPARSE_POINT = 0x200000,
};
enum fs_action { FS_SUPERSEDED, FS_OPENED, FS_CREATED, FS_OVERWRITTEN }; /* CreateAction */
enum { FS_SHARE_READ = 1, FS_SHARE_WRITE = 2, FS_SHARE_DELETE = 4 };

struct fs_open_args {
    struct st_node *base;    /* where the path starts: the share's root */
    const char *path;        /* server-side bytes, '/' between components, no leading '/'; "" = base itself */
    size_t npath;
    const char *stream;      /* alternate data stream name (without ":" and "$DATA"), or NULL */
    uint64_t file_id;        /* with FS_OPEN_BY_FILE_ID */
    uint32_t access, share, options, dos;
    enum fs_disposition disposition;
    uint64_t alloc;          /* AlSi, 0 = none */
    const uint8_t *sd;       /* SecD: self-relative security descriptor, or NULL */
    size_t nsd;
    const struct fs_ea *ea;  /* ExtA */
    size_t nea;
    bool has_mode;           /* POSIX create: exact mode */
    uint32_t mode;
    enum co_lease_kind lease_kind;
    uint8_t lease_want;      /* CO_R|CO_W|CO_H, 0 = none */
    uint16_t lease_epoch;
    bool lease_v2;
    bool reclaim;            /* was open before a restart: has its caching back, grace or not */
};

/* Shared, reference-counted; members are constant after fs_open() except where a lock is named. */
struct fs_open {
    struct fs *fs;
    struct fs_share *share;
    struct st_node *node;
    char *stream;             /* NULL: the file itself */
    uint32_t access;          /* granted */
    uint32_t share_access, options;
    struct co_party party;    /* party.open is unique per open */
    uint64_t created_at;      /* clock_now() */
    uint64_t position;        /* FilePositionInformation */
    uint32_t mode_info;       /* FileModeInformation */
    struct fs_cred cred;      /* who opened it */
    /* Its name, changing with renames: take with fs_open_name(). */
    struct fs_open_priv *priv;
    _Atomic uint32_t refs;
    void *owner;              /* the front end's */
};
/* path resolution is case-insensitive and case-preserving. ST_NOENT: the last component; ST_NOPATH: one before.
 * The caller (party, cred) is q's; q->party->open names the new open. On ST_SYMLINK: FS_OPEN_REPARSE_POINT not given
 * and the share does not follow. *ret_lease / *ret_epoch: granted caching (co_lease()). */
struct fs_open_result {
    struct fs_open *open;
    enum fs_action action;
    struct fs_attr attr;
    uint32_t maximal_access; /* MxAc; always filled in */
    uint8_t lease;
    uint16_t lease_epoch;
    bool lease_breaking;
};
enum st fs_open(struct fs_req *q, const struct fs_open_args *a, struct fs_open_result *ret);
/* The gate of a close that a client asks for: what FS_DELETE_ON_CLOSE wants of the name happens here; ST_AGAIN until
 * those who lose a right by it have been told. The open is not closed; the next one of the name is refused. */
enum st fs_close_begin(struct fs_req *q, struct fs_open *o);
/* Ends the open: its locks, share, lease, watches; unlinks when it was the last of a delete-pending link. Frees on the
 * last reference. `attr` (or NULL): attributes after the close. Never waits: an end that nobody asked for, and that was
 * not begun, tells others while it goes on. */
void fs_close(struct fs_req *q, struct fs_open *o, struct fs_attr *attr);
struct fs_open *fs_open_ref(struct fs_open *o);
void fs_open_unref(struct fs_open *o);
/* Path below the share's root with '/', NUL-terminated, in the arena (stream not included). */
enum st fs_open_path(struct fs_req *q, struct fs_open *o, char **ret);
enum st fs_set_delete(struct fs_req *q, struct fs_open *o, bool on, bool posix); /* FileDispositionInformation */
bool fs_is_delete_pending(struct fs_open *o);
/* Write and change time stand still, or move again, with what is done through this open. Setting one stops it too. */
enum { FS_TIME_WRITE = 1, FS_TIME_CHANGE = 2 };
void fs_open_freeze(struct fs_open *o, unsigned freeze, unsigned thaw);
enum st fs_open_attr(struct fs_req *q, struct fs_open *o, struct fs_attr *ret); /* of the stream when it is one */

/* Case-insensitive resolution of a directory path + last name, for rename and link targets: *ret_dir is a reference,
 * *ret_name in the arena, spelled as given (or as it exists when it does). */
enum st fs_resolve_parent(struct fs_req *q, struct st_node *base, const char *path, size_t n, struct st_node **ret_dir,
                          char **ret_name, size_t *ret_n);

/* One batch of a directory search. The open keeps the place between calls. `pattern`: server-side bytes with Windows'
 * wildcards (* ? and DOS_STAR < DOS_QM > DOS_DOT " of MS-FSA 2.1.4.4), case-insensitive; kept from the first call
 * unless reopen. fn returns false when the entry did not fit (it comes again). ST_END: nothing (more) matches;
 * ST_NOENT: the first call found nothing. */
struct fs_match {
    const char *name; /* server-side bytes; "." and ".." included */
    size_t n;
    uint64_t fileid;
    uint32_t index;
    struct fs_attr attr;
};
enum { FS_FIND_RESTART = 1, FS_FIND_SINGLE = 2, FS_FIND_INDEX = 4, FS_FIND_REOPEN = 0x10 };
enum st fs_find(struct fs_req *q, struct fs_open *o, const char *pattern, size_t n, unsigned flags, uint32_t index,
                bool (*fn)(void *arg, const struct fs_match *m), void *arg);

/* Change notification. ST_AGAIN until something happened; then the changes (in the arena). ST_TOOMANY: more than
 * `limit` bytes of names: the client must rescan (STATUS_NOTIFY_ENUM_DIR). ST_DELETE_PENDING, ST_CLOSED. */
struct fs_change {
    uint32_t action; /* FILE_ACTION_*, MS-FSCC 2.7.1 */
    const char *name; /* relative to the watched directory, '/' between components */
    size_t n;
};
enum st fs_notify(struct fs_req *q, struct fs_open *o, uint32_t filter, bool tree, size_t limit,
                  const struct fs_change **ret, size_t *ret_n);

/* Server-side copy between two opens; ST_OK with *ret_n < len only at the source's end (ST_EOF when nothing). */
enum st fs_copy(struct fs_req *q, struct fs_open *src, uint64_t soff, struct fs_open *dst, uint64_t doff, uint64_t len,
                bool clone, uint64_t *ret_n);
enum st fs_zero(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t end); /* FSCTL_SET_ZERO_DATA */
enum st fs_set_sparse(struct fs_req *q, struct fs_open *o, bool on);
/* Allocated ranges within [off, off+len): pairs {offset, length} in the arena. */
enum st fs_ranges(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t len, uint64_t (**ret)[2], size_t *ret_n);

/* Leases through opens. */
enum st fs_lease_ack(struct fs *fs, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
                     uint8_t keep);
/* Its client is gone but may come back, or is back. False: it is void and must be closed. */
bool fs_open_disconnected(struct fs_open *o, bool gone, bool persistent);
/* Has it byte ranges (CO_KIND_RANGE); does its share mode still bind others (CO_KIND_SHARE), or is it void? */
bool fs_open_holds(struct fs_open *o, enum co_kind kind);
/* What is held on what it has open, by anybody. */
void fs_open_each_hold(struct fs_open *o, bool (*fn)(void *arg, const struct co_hold *h), void *arg);
/* After a restart: caching that the open had before, as far as it goes together with what others have open. */
void fs_open_regrant(struct fs_open *o, enum co_lease_kind kind, uint8_t want, uint16_t epoch);
/* What the open, whose client is back, may go on caching: co_lease_kept(). */
uint8_t fs_open_kept(struct fs_open *o, enum co_lease_kind kind, uint16_t *ret_epoch);
/* What the open may cache at this moment. */
uint8_t fs_open_caching(struct fs_open *o, enum co_lease_kind kind, uint16_t *ret_epoch, bool *ret_breaking);
