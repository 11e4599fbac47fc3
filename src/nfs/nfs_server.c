/* nfs_server.c - the NFS server as a whole: its programs on their ports, start and end. Knows no procedure. */
#include "nfs_int.h"
#include "base/log.h"
#include "mount.h"
#include "nlm_int.h"
#include "nsm.h"
#include "rpc/portmap.h"
#include <errno.h>
#include <stdio.h>

#define NFS_FREE_CALLS 1024u
#define NFS_DRC_BYTES (16u << 20)

static const struct rpc_program *const programs[] = {
    &nfs3_program,
    &mount1_program,
    &mount3_program,
    &nlm1_program,
    &nlm3_program,
    &nlm4_program,
    &nsm_program,
};

static int fail(struct nfs_server *s, const char *what, int r)
{
    log_error("nfs", "event=start_failed part=%s error=\"%s\"", what, strerror(-r));
    nfs_server_stop(s);
    return r;
}

static int listen_all(struct nfs_server *s)
{
    struct rpc_service svc = {
        .name = "nfs", .programs = programs, .nprograms = ARRAY_LEN(programs), .hooks = &nfs_hooks, .ctx = s};
    s->svc = svc;
    int r = rpc_listen_tcp(s->rpc, &s->svc, s->cfg.listen, &s->port);
    if (r < 0)
        return r;
    if (!s->cfg.udp)
        return 0;
    /* The same address with the port that TCP got. */
    char addr[160];
    const char *colon = strrchr(s->cfg.listen, ':');
    snprintf(addr, sizeof addr, "%.*s:%u", colon ? (int)(colon - s->cfg.listen) : 0, s->cfg.listen, s->port);
    return rpc_listen_udp(s->rpc, &s->svc, addr);
}

/* What is served here, for the port mapper. Returns how many. */
static size_t mappings(const struct nfs_server *s, struct portmap_entry *out)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
        const struct rpc_program *p = programs[i];
        if (p->transports & RPC_TCP)
            out[n++] = (struct portmap_entry){p->prog, p->vers, false, s->port};
        if ((p->transports & RPC_UDP) && s->cfg.udp)
            out[n++] = (struct portmap_entry){p->prog, p->vers, true, s->port};
    }
    return n;
}

/* A port mapper that cannot be had is no reason not to serve: clients that know the port need none. */
static int announce(struct nfs_server *s)
{
    struct portmap_entry own[2 * ARRAY_LEN(programs)];
    size_t n = mappings(s, own);
    if (s->cfg.portmap == NFS_PORTMAP_REGISTER)
        return pmap_register_start(s->loop, own, n, &s->registered);
    if (s->cfg.portmap == NFS_PORTMAP_OFF)
        return 0;
    const char *addr = s->cfg.portmap_listen ? s->cfg.portmap_listen : "*:111";
    int r = portmap_create(own, n, &s->portmap);
    if (r < 0)
        return r;
    r = portmap_listen(s->portmap, s->rpc, addr, &s->portmap_port);
    if (r < 0)
        log_warn("nfs", "event=portmap_failed addr=%s error=\"%s\" hint=\"nfs.portmap=register or off\"", addr,
                 strerror(-r));
    return 0;
}

int nfs_server_create(const struct nfs_config *cfg, struct fs *fs, struct kv *kv, struct loop **loops, size_t nloops,
                      struct pool *pool, struct nfs_server **ret)
{
    struct nfs_server *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->cfg = *cfg;
    s->fs = fs;
    s->kv = kv;
    s->pool = pool;
    s->loop = loops[0];
    s->verifier = fs_boot_verifier(fs);
    s->io_max = MIN(NFS_IO_MAX, cfg->limits.max_message - MIN(cfg->limits.max_message, NFS_RECORD_OVERHEAD)) & ~4095u;
    const struct rpc_config rc = {.loops = loops,
                                  .nloops = nloops,
                                  .pool = pool,
                                  .call_size = sizeof(struct nfs_call),
                                  .max_free = NFS_FREE_CALLS,
                                  .drc_entries = cfg->drc_entries,
                                  .drc_bytes = NFS_DRC_BYTES,
                                  .limits = cfg->limits,
                                  .max_connections = cfg->max_connections};
    int r = rpc_server_create(&rc, &s->rpc);
    if (r < 0)
        return fail(s, "rpc", r);
    if ((r = mount_table_create(&s->mounts)) < 0)
        return fail(s, "mount", r);
    if ((r = nsm_create(s, &s->nsm)) < 0)
        return fail(s, "nsm", r);
    if ((r = nlm_create(s, &s->nlm)) < 0)
        return fail(s, "nlm", r);
    nsm_begin_grace(s->nsm);
    *ret = s;
    return 0;
}

int nfs_server_listen(struct nfs_server *s)
{
    const char *part = "listen";
    int r = listen_all(s);
    if (r == 0) {
        part = "portmap";
        r = announce(s);
    }
    if (r < 0) {
        log_error("nfs", "event=start_failed part=%s error=\"%s\"", part, strerror(-r));
        return r;
    }
    log_info("nfs", "event=listen addr=%s port=%u udp=%s", s->cfg.listen, s->port, s->cfg.udp ? "yes" : "no");
    nsm_start(s->nsm);
    return 0;
}

void nfs_server_stop(struct nfs_server *s)
{
    if (!s)
        return;
    pmap_register_stop(s->registered);
    rpc_server_free(s->rpc);
    portmap_free(s->portmap);
    nlm_free(s->nlm);
    nsm_free(s->nsm);
    mount_table_free(s->mounts);
    free(s);
}

uint16_t nfs_server_port(const struct nfs_server *s) { return s->port; }
uint16_t nfs_server_portmap_port(const struct nfs_server *s) { return s->portmap_port; }
void nfs_server_stats(struct nfs_server *s, struct rpc_stats *ret) { rpc_server_stats(s->rpc, ret); }
