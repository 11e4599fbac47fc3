/* smb.h - an SMB 2.0.2, 2.1 or 3.1.1 client ([MS-SMB2]) of one simulated host: one connection, one session, one
 * tree. Each function sends one request and gives it back; call->status is the NTSTATUS. Break notifications are
 * kept in the order in which they came, and answered only when told to. */
#pragma once
#include "target.h"
#include "tools/bench/smbauth.h"

#define STATUS_OK 0u
#define STATUS_PENDING 0x00000103u
#define STATUS_NOTIFY_CLEANUP 0x0000010Bu
#define STATUS_NOTIFY_ENUM_DIR 0x0000010Cu
#define STATUS_INVALID_PARAMETER 0xC000000Du
#define STATUS_END_OF_FILE 0xC0000011u
#define STATUS_MORE_PROCESSING 0xC0000016u
#define STATUS_ACCESS_DENIED 0xC0000022u
#define STATUS_OBJECT_NAME_NOT_FOUND 0xC0000034u
#define STATUS_OBJECT_NAME_COLLISION 0xC0000035u
#define STATUS_SHARING_VIOLATION 0xC0000043u
#define STATUS_FILE_LOCK_CONFLICT 0xC0000054u
#define STATUS_LOCK_NOT_GRANTED 0xC0000055u
#define STATUS_DELETE_PENDING 0xC0000056u
#define STATUS_UNSUCCESSFUL 0xC0000001u
#define STATUS_RANGE_NOT_LOCKED 0xC000007Eu
#define STATUS_REQUEST_NOT_ACCEPTED 0xC00000D0u
#define STATUS_INVALID_OPLOCK_PROTOCOL 0xC00000E3u
#define STATUS_CANCELLED 0xC0000120u
#define STATUS_FILE_DELETED 0xC0000123u
#define STATUS_FILE_CLOSED 0xC0000128u
#define STATUS_INVALID_DEVICE_STATE 0xC0000184u
#define STATUS_INVALID_LOCK_RANGE 0xC00001A1u

enum { LEASE_R = 1, LEASE_H = 2, LEASE_W = 4, LEASE_RH = 3, LEASE_RW = 5, LEASE_RWH = 7 }; /* 2.2.13.2.8 */
enum { OPLOCK_NONE = 0, OPLOCK_II = 1, OPLOCK_EX = 8, OPLOCK_BATCH = 9, OPLOCK_LEASE = 0xFF };
enum { ACCESS_READ = 0x120089, ACCESS_WRITE = 0x120116, ACCESS_RW = 0x12019F, ACCESS_DELETE = 0x110080,
       ACCESS_ALL = 0x1F01FF, ACCESS_ATTRIBUTES = 0x100180, ACCESS_CONTROL = 0x160000 };
enum { SHARE_READ = 1, SHARE_WRITE = 2, SHARE_DELETE = 4, SHARE_ALL = 7 };
enum { FILE_SUPERSEDE, FILE_OPEN, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE, FILE_OVERWRITE_IF };
enum { OPTION_DIRECTORY = 1, OPTION_FILE = 0x40, OPTION_DELETE_ON_CLOSE = 0x1000 };
enum { LOCK_SHARED = 1, LOCK_EXCLUSIVE = 2, LOCK_UNLOCK = 4, LOCK_FAIL_IMMEDIATELY = 16 };

struct smb_break { /* 2.2.23: what arrived */
    struct list link;
    bool lease;            /* or an oplock */
    uint8_t key[16];       /* the lease's; the oplock's file id */
    uint8_t from, to;      /* LEASE_*, or OPLOCK_* (then `from` is not told) */
    bool ack;              /* an acknowledgement is required (an oplock's is, unless it goes to NONE from II) */
    uint16_t epoch;
    bool lawful;           /* message id ~0, tree 0, sizes as they must be */
    uint64_t at, arrival;
};
struct smb {
    struct host *host;
    struct wire_conn *conn; /* NULL: lost */
    struct list calls;
    struct list breaks;     /* of smb_break */
    struct smbauth auth;
    uint64_t message, session;
    uint32_t tree;
    int credits;
    bool sign;
};
/* Connects, logs on and opens the share. NULL, or what went wrong (static). */
const char *smb_open(struct smb *s, struct host *h);
void smb_close(struct smb *s); /* the connection breaks off */
/* The first break of this lease or oplock that came after `after` (NULL: at all); NULL: none. */
const struct smb_break *smb_break_of(const struct smb *s, const uint8_t key[16], const struct smb_break *after);

struct smb_how { /* CREATE; what is 0 is left out */
    const char *name;      /* from the share's root, with backslashes */
    uint32_t access, share, disposition, options;
    uint8_t oplock;        /* OPLOCK_*; OPLOCK_LEASE: the next three */
    uint32_t lease;
    const uint8_t *key;
    const uint8_t *parent; /* lease version 2: 16 bytes; also a version 2 without a parent: `v2` */
    bool v2;
    uint8_t durable;       /* 1, 2: ask for a durable handle of that version; 3: persistent */
    uint32_t durable_ms;   /* how long it is to wait for us; 0: as long as the server likes (version 1: always) */
    const uint8_t *create_guid;
    const struct smb_file *reconnect;
};
struct call *smb_create(struct smb *s, const struct smb_how *how);
struct call *smb_close_file(struct smb *s, const struct smb_file *f);
struct call *smb_read(struct smb *s, const struct smb_file *f, uint64_t offset, uint32_t n);
struct call *smb_write(struct smb *s, const struct smb_file *f, uint64_t offset, const void *data, uint32_t n);
struct call *smb_flush(struct smb *s, const struct smb_file *f);
struct call *smb_lock(struct smb *s, const struct smb_file *f, uint64_t offset, uint64_t len, uint32_t flags);
struct call *smb_set_size(struct smb *s, const struct smb_file *f, uint64_t size);   /* FileEndOfFileInformation */
struct call *smb_set_allocation(struct smb *s, const struct smb_file *f, uint64_t size);
struct call *smb_touch(struct smb *s, const struct smb_file *f, uint64_t mtime);     /* FileBasicInformation */
struct call *smb_rename(struct smb *s, const struct smb_file *f, const char *to, bool replace);
struct call *smb_link(struct smb *s, const struct smb_file *f, const char *to);
struct call *smb_open_to_all(struct smb *s, const struct smb_file *f);               /* security: to everybody */
struct call *smb_set_delete(struct smb *s, const struct smb_file *f, bool remove);   /* FileDispositionInformation */
struct call *smb_list(struct smb *s, const struct smb_file *f);                      /* names and ids */
struct call *smb_notify(struct smb *s, const struct smb_file *f);                    /* CHANGE_NOTIFY: into r.changes */
struct call *smb_echo(struct smb *s);
struct call *smb_logoff(struct smb *s);
struct call *smb_tree_disconnect(struct smb *s);
void smb_cancel(struct smb *s, const struct call *c);
struct call *smb_ack_lease(struct smb *s, const uint8_t key[16], uint32_t state);
struct call *smb_ack_oplock(struct smb *s, const struct smb_file *f, uint8_t level);
