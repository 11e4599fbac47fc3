/* nfs.h - an NFSv3 client ([RFC 1813]) of one simulated host: each function sends one call and gives it back.
 * Answers are decoded into call->r; call->status is the nfsstat3. */
#pragma once
#include "rpc.h"

enum { NFS3_OK = 0, NFS3ERR_PERM = 1, NFS3ERR_NOENT = 2, NFS3ERR_IO = 5, NFS3ERR_ACCES = 13, NFS3ERR_EXIST = 17,
       NFS3ERR_NOTDIR = 20, NFS3ERR_ISDIR = 21, NFS3ERR_INVAL = 22, NFS3ERR_NOTEMPTY = 66, NFS3ERR_STALE = 70,
       NFS3ERR_BADHANDLE = 10001, NFS3ERR_NOTSUPP = 10004, NFS3ERR_JUKEBOX = 10008 };
enum { NFS_PROGRAM = 100003 };
enum nfs_stable { UNSTABLE, DATA_SYNC, FILE_SYNC };
enum nfs_createmode { UNCHECKED, GUARDED, EXCLUSIVE };
#define NFS_NO_SIZE (~0ull)

struct nfs {
    struct rpc rpc;
    struct nfs_fh root; /* of the export */
};
/* Connects, and asks MOUNT for the root. NULL, or what went wrong (static). */
const char *nfs_open(struct nfs *n, struct host *h);
void nfs_close(struct nfs *n);
void nfs_reconnect(struct nfs *n); /* breaks the connection off and makes a new one */

struct call *nfs_getattr(struct nfs *n, const struct nfs_fh *fh);
/* What is NFS_NO_SIZE, or ~0u, is left as it is. touch: both times, the server's clock. */
struct call *nfs_setattr(struct nfs *n, const struct nfs_fh *fh, uint64_t size, uint32_t mode, uint32_t uid,
                         bool touch);
struct call *nfs_lookup(struct nfs *n, const struct nfs_fh *dir, const char *name);
struct call *nfs_access(struct nfs *n, const struct nfs_fh *fh);
struct call *nfs_readlink(struct nfs *n, const struct nfs_fh *fh);
struct call *nfs_read(struct nfs *n, const struct nfs_fh *fh, uint64_t offset, uint32_t count);
struct call *nfs_write(struct nfs *n, const struct nfs_fh *fh, uint64_t offset, const void *data, uint32_t count,
                       enum nfs_stable stable);
/* size, or NFS_NO_SIZE; verifier: for EXCLUSIVE. */
struct call *nfs_create(struct nfs *n, const struct nfs_fh *dir, const char *name, enum nfs_createmode how,
                        uint64_t size, uint64_t verifier);
struct call *nfs_mkdir(struct nfs *n, const struct nfs_fh *dir, const char *name);
struct call *nfs_symlink(struct nfs *n, const struct nfs_fh *dir, const char *name, const char *target);
struct call *nfs_mkfifo(struct nfs *n, const struct nfs_fh *dir, const char *name);
struct call *nfs_remove(struct nfs *n, const struct nfs_fh *dir, const char *name);
struct call *nfs_rmdir(struct nfs *n, const struct nfs_fh *dir, const char *name);
struct call *nfs_rename(struct nfs *n, const struct nfs_fh *from_dir, const char *from, const struct nfs_fh *to_dir,
                        const char *to);
struct call *nfs_link(struct nfs *n, const struct nfs_fh *fh, const struct nfs_fh *dir, const char *name);
struct call *nfs_readdir(struct nfs *n, const struct nfs_fh *dir);
struct call *nfs_readdirplus(struct nfs *n, const struct nfs_fh *dir);
struct call *nfs_fsstat(struct nfs *n, const struct nfs_fh *fh);
struct call *nfs_commit(struct nfs *n, const struct nfs_fh *fh);
