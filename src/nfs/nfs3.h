/* nfs3.h - NFS version 3 (RFC 1813): constants, the types that procedures share, and their XDR. Names are the RFC's. */
#pragma once
#include "nfs_int.h"

#define NFS3_PROGRAM 100003u
#define NFS3_FHSIZE 64u
#define NFS3_VERFSIZE 8u
#define NFS3_NAME_MAX 65536u /* on the wire; longer than a name may be is NFS3ERR_NAMETOOLONG, not garbage */
#define NFS3_PATH_MAX 4096u

enum nfsstat3 { /* §2.6 */
    NFS3_OK = 0, NFS3ERR_PERM = 1, NFS3ERR_NOENT = 2, NFS3ERR_IO = 5, NFS3ERR_NXIO = 6, NFS3ERR_ACCES = 13,
    NFS3ERR_EXIST = 17, NFS3ERR_XDEV = 18, NFS3ERR_NODEV = 19, NFS3ERR_NOTDIR = 20, NFS3ERR_ISDIR = 21,
    NFS3ERR_INVAL = 22, NFS3ERR_FBIG = 27, NFS3ERR_NOSPC = 28, NFS3ERR_ROFS = 30, NFS3ERR_MLINK = 31,
    NFS3ERR_NAMETOOLONG = 63, NFS3ERR_NOTEMPTY = 66, NFS3ERR_DQUOT = 69, NFS3ERR_STALE = 70, NFS3ERR_REMOTE = 71,
    NFS3ERR_BADHANDLE = 10001, NFS3ERR_NOT_SYNC = 10002, NFS3ERR_BAD_COOKIE = 10003, NFS3ERR_NOTSUPP = 10004,
    NFS3ERR_TOOSMALL = 10005, NFS3ERR_SERVERFAULT = 10006, NFS3ERR_BADTYPE = 10007, NFS3ERR_JUKEBOX = 10008,
};
enum ftype3 { NF3REG = 1, NF3DIR, NF3BLK, NF3CHR, NF3LNK, NF3SOCK, NF3FIFO }; /* §2.5 */
enum { ACCESS3_READ = 1, ACCESS3_LOOKUP = 2, ACCESS3_MODIFY = 4, ACCESS3_EXTEND = 8, ACCESS3_DELETE = 16,
       ACCESS3_EXECUTE = 32 }; /* §3.3.4 */
enum { FSF3_LINK = 1, FSF3_SYMLINK = 2, FSF3_HOMOGENEOUS = 8, FSF3_CANSETTIME = 16 }; /* §3.3.19 */
enum { NFS3_NULL, NFS3_GETATTR, NFS3_SETATTR, NFS3_LOOKUP, NFS3_ACCESS, NFS3_READLINK, NFS3_READ, NFS3_WRITE, NFS3_CREATE,
       NFS3_MKDIR, NFS3_SYMLINK, NFS3_MKNOD, NFS3_REMOVE, NFS3_RMDIR, NFS3_RENAME, NFS3_LINK, NFS3_READDIR,
       NFS3_READDIRPLUS, NFS3_FSSTAT, NFS3_FSINFO, NFS3_PATHCONF, NFS3_COMMIT, NFS3_PROCS };

/* The only map from the server's status to the protocol's. (nfs3_status.c) */
enum nfsstat3 nfs3_status(enum st st);

/* --- Types (nfs3_xdr.c). */
#define NFS3_FATTR_SIZE 84u
struct nfs3_post { /* post_op_attr */
    bool has;
    struct st_attr a;
};
struct nfs3_sattr {
    uint32_t set;
    struct st_attr a;
    bool invalid; /* a time with 10^9 nanoseconds or more */
};
struct nfs3_diropargs {
    struct nfs_fh dir;
    struct nfs_name name;
};
struct nfs3_made { /* what CREATE, MKDIR, SYMLINK and MKNOD answer */
    uint8_t fh[FS_HANDLE_MAX];
    size_t nfh; /* 0: none */
    struct nfs3_post attr;
    struct fs_wcc dir;
};
void nfs3_get_fh(struct cursor *in, struct nfs_fh *ret);
void nfs3_get_name(struct cursor *in, struct nfs_name *ret);
void nfs3_get_diropargs(struct cursor *in, struct nfs3_diropargs *ret);
void nfs3_get_sattr(struct cursor *in, struct nfs3_sattr *ret);
void nfs3_decode_fh(struct cursor *in, void *args);         /* args: struct nfs_fh */
void nfs3_decode_diropargs(struct cursor *in, void *args);  /* args: struct nfs3_diropargs */

void nfs3_put_status(struct wbuf *w, enum st st);
void nfs3_put_fattr(struct wbuf *w, const struct st_attr *a);
void nfs3_put_post(struct wbuf *w, const struct nfs3_post *p);
void nfs3_put_post_fh(struct wbuf *w, const uint8_t *fh, size_t n);
void nfs3_put_wcc(struct wbuf *w, const struct fs_wcc *wcc);
void nfs3_encode_made(struct rpc_call *c, struct wbuf *w, enum st st); /* c->res: struct nfs3_made */

/* Attributes of n after the operation, for the reply; none when they cannot be had. n may be NULL. */
void nfs3_post(struct nfs_call *c, struct st_node *n, struct nfs3_post *ret);
/* The same where an operation failed before it looked. */
void nfs3_wcc_complete(struct nfs_call *c, struct st_node *n, struct fs_wcc *wcc);
/* Makes an object and fills in the reply. `args`: what is wrong with the arguments, told once the directory is
 * known. */
enum st nfs3_make(struct nfs_call *c, const struct nfs3_diropargs *where, const struct fs_make *m, enum st args,
                  struct nfs3_made *res);

/* --- Procedures. */
extern const struct rpc_proc nfs3_proc_getattr, nfs3_proc_setattr, nfs3_proc_lookup, nfs3_proc_access, nfs3_proc_readlink,
    nfs3_proc_read, nfs3_proc_write, nfs3_proc_create, nfs3_proc_mkdir, nfs3_proc_symlink, nfs3_proc_mknod,
    nfs3_proc_remove, nfs3_proc_rmdir, nfs3_proc_rename, nfs3_proc_link, nfs3_proc_readdir, nfs3_proc_readdirplus,
    nfs3_proc_fsstat, nfs3_proc_fsinfo, nfs3_proc_pathconf, nfs3_proc_commit;
