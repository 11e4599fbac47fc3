/* nfs_int.h - what the files of src/nfs share. Nobody outside the folder includes it. */
#pragma once
#include "fs/ops.h"
#include "nfs.h"

struct mount_table;
struct nlm;
struct nsm;
struct pmap_register;
struct portmap;

#define NFS_IO_MAX (1u << 20)       /* rtmax and wtmax at most */
#define NFS_RECORD_OVERHEAD 4096u   /* headers and other arguments beside the data of a WRITE */

struct nfs_server {
    struct nfs_config cfg;
    struct fs *fs;
    struct kv *kv;
    struct pool *pool;
    struct loop *loop;      /* where what belongs to no connection lives */
    struct rpc_server *rpc;
    struct rpc_service svc;
    uint16_t port;
    uint32_t io_max;
    uint64_t verifier;
    struct mount_table *mounts;
    struct nsm *nsm;
    struct nlm *nlm;
    struct portmap *portmap;
    struct pmap_register *registered;
    uint16_t portmap_port;
};

/* A call of any of the programs: what rpc keeps, then ours. */
struct nfs_call {
    struct rpc_call rpc;
    struct fs_req q;        /* q.fs is NULL until nfs_node() or nfs_share() was called */
    struct fs_cred cred;
    struct co_party party;
    struct nlm_wait *wait;  /* NLM: a blocking lock that waits */
};
_Static_assert(offsetof(struct nfs_call, rpc) == 0, "rpc allocates and frees calls");
static inline struct nfs_call *nfs_call(struct rpc_call *c) { return container_of(c, struct nfs_call, rpc); }
static inline struct nfs_server *nfs_of(const struct nfs_call *c) { return c->rpc.svc->ctx; }

struct nfs_fh {
    const uint8_t *p;
    uint32_t n;
};
struct nfs_name { /* bytes from the wire: not NUL-terminated */
    const char *p;
    uint32_t n;
};

static inline void nfs_node_unrefp(struct st_node **n) { fs_node_unref(*n); }
#define _cleanup_nfs_node_ _cleanup_(nfs_node_unrefp)

/* Resolve, first step of every run(): the handle's node, and c->q with share, credentials and party for it. A second
 * handle must be of the same share (ST_XDEV). *ret is a reference. (nfs_call.c) */
enum st nfs_node(struct nfs_call *c, const struct nfs_fh *fh, struct st_node **ret);
enum st nfs_node2(struct nfs_call *c, const struct nfs_fh *fh, struct st_node **ret);
/* The same for a share that is known by name; takes the reference over. */
enum st nfs_share(struct nfs_call *c, struct fs_share *share);
extern const struct rpc_hooks nfs_hooks;

/* Programs (their tables). */
extern const struct rpc_program nfs3_program, mount1_program, mount3_program;
