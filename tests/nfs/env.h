/* env.h - a whole NFS server in this process over an in-memory share, and a raw client for it. */
#pragma once
#include "../rpc/peer.h"
#include "base/log.h"
#include "nfs/nfs.h"

#define NFS 100003u
#define MOUNT 100005u
#define NLM 100021u
#define NSM 100024u

struct env {
    struct loop *loops[2];
    struct pool *pool;
    struct fs *fs;
    struct kv *kv;
    struct nfs_server *srv;
    uint16_t port;
    int fd;
    uint32_t xid, uid;
};
struct fh {
    uint8_t b[64];
    uint32_t n;
};

/* kv may be NULL. `again`: percent of injected ST_AGAIN. */
void env_start(struct env *e, struct kv *kv, unsigned again);
void env_stop(struct env *e);
/* A call's header for the program; arguments are put behind it. */
struct bytes env_args(struct env *e, uint32_t prog, uint32_t vers, uint32_t proc);
/* Sends it, returns the results. */
struct bytes env_call(struct env *e, struct bytes call);
struct fh env_mount(struct env *e, const char *path); /* n = 0: refused */

/* --- NFSv3. */
struct attr {
    uint32_t type, mode, nlink, uid, gid;
    uint64_t size, used, fsid, fileid;
    uint32_t rdev[2], atime[2], mtime[2], ctime[2];
};
struct wcc {
    bool has_pre, has_post;
    uint64_t size;
    uint32_t mtime[2], ctime[2];
    struct attr post;
};
void put_fh(struct bytes *b, const struct fh *fh);
void put_sattr_mode(struct bytes *b, uint32_t mode); /* only the mode */
void put_sattr_none(struct bytes *b);
struct fh get_fh(struct bytes *b);
struct attr get_attr(struct bytes *b);
bool get_post(struct bytes *b, struct attr *ret);
struct wcc get_wcc(struct bytes *b);
/* Whole procedures; they return the status. */
uint32_t nfs_getattr(struct env *e, const struct fh *fh, struct attr *ret);
uint32_t nfs_lookup(struct env *e, const struct fh *dir, const char *name, struct fh *ret);
uint32_t nfs_create(struct env *e, const struct fh *dir, const char *name, struct fh *ret); /* UNCHECKED, 0666 */
uint32_t nfs_mkdir(struct env *e, const struct fh *dir, const char *name, struct fh *ret);
uint32_t nfs_write(struct env *e, const struct fh *fh, uint64_t off, const void *p, uint32_t n, uint32_t stable);
uint32_t nfs_remove(struct env *e, const struct fh *dir, const char *name);
