/* st.h - the one status type of the server.
 *
 * Protocol-neutral results of every operation below the front ends. A front end owns the only map from these
 * to its protocol's codes (nfs/nfs3_status.c, smb/smb_status.c, ...); a test checks that every value has an
 * entry in every map. Nothing here knows a protocol.
 *
 * ST_AGAIN and ST_OFFLOAD are not results but control: the request was not finished and nothing was done yet.
 */
#pragma once

/*  X(name, text) */
#define ST_LIST(X)                                                                                                     \
    X(ST_OK, "ok")                                                                                                     \
    /* control: never reaches a client */                                                                              \
    X(ST_AGAIN, "parked: run again when woken")                                                                        \
    X(ST_OFFLOAD, "would block: run again on a pool thread")                                                           \
    X(ST_END, "no more entries")                                                                                       \
    /* objects and names */                                                                                            \
    X(ST_NOENT, "no such name")                                                                                        \
    X(ST_NOPATH, "a directory on the way does not exist")                                                              \
    X(ST_EXIST, "name exists")                                                                                         \
    X(ST_NOTDIR, "not a directory")                                                                                    \
    X(ST_ISDIR, "is a directory")                                                                                      \
    X(ST_NOTEMPTY, "directory not empty")                                                                              \
    X(ST_SYMLINK, "is a symbolic link")                                                                                \
    X(ST_BADTYPE, "wrong or unsupported object type")                                                                  \
    X(ST_NAMETOOLONG, "name too long")                                                                                 \
    X(ST_BADNAME, "name not allowed")                                                                                  \
    X(ST_XDEV, "crosses a share or file system")                                                                       \
    X(ST_LOOP, "too many symbolic links")                                                                              \
    X(ST_MLINK, "too many links")                                                                                      \
    X(ST_STALE, "object is gone")                                                                                      \
    X(ST_BADHANDLE, "handle was not made by this server")                                                              \
    X(ST_BADCOOKIE, "directory cookie not valid")                                                                      \
    X(ST_NOTSYNC, "object changed since the client's guard")                                                           \
    X(ST_NOATTR, "no such extended attribute or stream")                                                               \
    /* permission */                                                                                                   \
    X(ST_PERM, "operation not permitted, whatever the mode bits")                                                      \
    X(ST_ACCESS, "access denied")                                                                                      \
    X(ST_ROFS, "share is read-only")                                                                                   \
    X(ST_NOSUCHUSER, "no such user")                                                                                   \
    X(ST_BADPASSWORD, "wrong password")                                                                                \
    /* coherence: final denials by the gate */                                                                         \
    X(ST_SHARE_CONFLICT, "share mode of another open")                                                                 \
    X(ST_LOCK_CONFLICT, "I/O refused by a byte-range lock")                                                            \
    X(ST_LOCK_DENIED, "lock not granted")                                                                              \
    X(ST_NOLOCK, "range is not locked by this owner")                                                                  \
    X(ST_DEADLOCK, "lock would close a cycle of waiters")                                                              \
    X(ST_GRACE, "in the grace period")                                                                                 \
    X(ST_NOGRACE, "reclaim outside the grace period")                                                                  \
    X(ST_DELETE_PENDING, "delete pending")                                                                             \
    X(ST_CANNOT_DELETE, "read-only or busy: cannot be deleted")                                                        \
    X(ST_CANCELLED, "cancelled")                                                                                       \
    X(ST_TIMEOUT, "deadline passed")                                                                                   \
    X(ST_BAD_ACK, "break acknowledgement not accepted")                                                                \
    X(ST_NO_BREAK, "no break outstanding")                                                                             \
    /* arguments and resources */                                                                                      \
    X(ST_INVAL, "invalid argument")                                                                                    \
    X(ST_BADRANGE, "range overflows")                                                                                  \
    X(ST_NOTSUP, "not supported")                                                                                      \
    X(ST_BUFSIZE, "answer does not fit the caller's buffer")                                                           \
    X(ST_EOF, "end of file")                                                                                           \
    X(ST_FBIG, "file too large")                                                                                       \
    X(ST_NOSPC, "no space left")                                                                                       \
    X(ST_DQUOT, "quota exceeded")                                                                                      \
    X(ST_NXIO, "no such device")                                                                                       \
    X(ST_IO, "I/O error")                                                                                              \
    X(ST_NOMEM, "out of memory")                                                                                       \
    X(ST_TOOMANY, "a limit of the server is reached")                                                                  \
    X(ST_DELAY, "try again later")                                                                                     \
    X(ST_CLOSED, "handle, session or connection is gone")                                                              \
    X(ST_BADMSG, "malformed message")                                                                                  \
    X(ST_SERVERFAULT, "internal error")

enum st {
#define ST_ENUM(name, text) name,
    ST_LIST(ST_ENUM)
#undef ST_ENUM
    ST_MAX
};

/* The enumerator's name ("ST_NOENT") and its text; never NULL, also for values out of range. */
const char *st_name(enum st st);
const char *st_text(enum st st);

/* The status for an errno value of the C library (positive). Unknown values are ST_IO. */
enum st st_from_errno(int err);
