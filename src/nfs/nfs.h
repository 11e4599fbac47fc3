/* nfs.h - the NFSv3 server: NFS, MOUNT, NLM and NSM on one TCP port, MOUNT, NLM and NSM on UDP, and the port mapper.
 *
 * The front end decodes, calls src/fs, encodes. It decides no conflict and touches no store. */
#pragma once
#include "fs/fs.h"
#include "net/conn.h"
#include "rpc/rpc.h"

enum nfs_portmap { NFS_PORTMAP_BUILTIN, NFS_PORTMAP_REGISTER, NFS_PORTMAP_OFF };
struct nfs_config {
    const char *listen;         /* "*:2049" */
    bool udp;                   /* also answer MOUNT, NLM and NSM over UDP */
    enum nfs_portmap portmap;
    const char *portmap_listen; /* builtin; NULL: "*:111" */
    struct conn_limits limits;  /* max_message is the largest RPC record; it bounds READ and WRITE (at most 1 MiB) */
    unsigned max_connections;
    uint32_t drc_entries;
    uint64_t park;              /* ns a request may wait before JUKEBOX over TCP; a tenth of it over UDP */
    uint64_t grace;             /* the [lock] grace period; 0: none. It is kept when hosts may have locks to reclaim */
    unsigned max_lock_hosts;    /* monitored for their locks, of one address; 0: no limit */
    const char *name;           /* what this server calls itself to NSM peers; NULL: the host's name */
};

struct nfs_server;
/* From here on it is known whose locks may be reclaimed, and the grace period keeps them; nobody is answered yet. 0 or
 * -errno (logged). All loops run; kv may be NULL (nothing survives a restart then). */
int nfs_server_create(const struct nfs_config *cfg, struct fs *fs, struct kv *kv, struct loop **loops, size_t nloops,
                      struct pool *pool, struct nfs_server **ret);
int nfs_server_listen(struct nfs_server *s); /* answers, and tells who held locks; 0 or -errno (logged) */
void nfs_server_stop(struct nfs_server *s); /* not on a loop's thread; frees */
uint16_t nfs_server_port(const struct nfs_server *s);
uint16_t nfs_server_portmap_port(const struct nfs_server *s); /* builtin; 0: none */
/* Who is there, for the administrator: one call per connection, and one per host that is monitored for its locks
 * (`name`, with since = 0). Valid during the call; not on a loop's thread. */
struct nfs_client_info {
    const struct sockaddr_storage *addr;
    const char *name; /* NULL: a connection */
    uint64_t since;   /* clock_now() */
    unsigned calls;
};
void nfs_clients_each(struct nfs_server *s, void (*fn)(void *arg, const struct nfs_client_info *c), void *arg);
void nfs_server_stats(struct nfs_server *s, struct rpc_stats *ret);
