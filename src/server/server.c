/* server.c - bringing the parts up in order, and down in the reverse one. */
#include "server.h"
#include "base/clock.h"
#include "base/kv.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/random.h>

static bool failed(const char *what, int r)
{
    log_error("server", "event=start_failed part=%s error=\"%s\"", what, strerror(-r));
    return false;
}

static bool open_log(const struct config *c)
{
    int fd = STDERR_FILENO;
    if (c->log.file[0] && (fd = open(c->log.file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640)) < 0)
        return failed(c->log.file, -errno);
    log_init(fd, (enum log_level)c->log.level);
    return true;
}

static bool open_state(struct server *s)
{
    int r = kv_open(s->cfg.server.state_dir, &s->kv);
    if (r == -EBUSY)
        log_error("server", "event=start_failed part=state_dir path=%s error=\"another server uses it\"",
                  s->cfg.server.state_dir);
    return r == 0 || (r != -EBUSY && failed(s->cfg.server.state_dir, r));
}

static bool start_threads(struct server *s)
{
    cpu_set_t cpus;
    size_t usable = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? (size_t)CPU_COUNT(&cpus) : 1;
    size_t n = s->cfg.server.loops ? s->cfg.server.loops : usable;
    int r = pool_create(s->cfg.server.pool_threads, &s->pool);
    if (r < 0)
        return failed("pool", r);
    s->loops = calloc(n, sizeof(struct loop *));
    if (!s->loops)
        return failed("loops", -ENOMEM);
    for (; s->nloops < n; s->nloops++) {
        r = loop_create(&s->loops[s->nloops]);
        if (r == 0 && (r = loop_start(s->loops[s->nloops], (int)s->nloops)) < 0)
            loop_free(s->loops[s->nloops]);
        if (r < 0)
            return failed("loop", r);
    }
    return true;
}

static bool start_fs(struct server *s)
{
    const char *again = getenv("CONCORD_TEST_AGAIN_PERCENT"); /* exercise of the gate, see CONTRIBUTING.md */
    struct fs_config cfg = {.kv = s->kv,
                            .loop = s->loops[0],
                            .lock = s->cfg.lock.policy,
                            .again_percent = again ? (unsigned)strtoul(again, NULL, 10) : 0,
                            .unprivileged = geteuid() != 0};
    enum st st = fs_create(&cfg, &s->fs);
    if (st != ST_OK) {
        log_error("server", "event=start_failed part=fs error=\"%s\"", st_text(st));
        return false;
    }
    for (size_t i = 0; i < s->cfg.nshares; i++) {
        const struct fs_share_config *k = &s->cfg.shares[i];
        st = fs_share_set(s->fs, k->name, k);
        if (st != ST_OK) {
            log_error("server", "event=share_failed share=%s path=%s error=\"%s\"", k->name, k->path, st_text(st));
            return false;
        }
        log_info("server", "event=share share=%s path=%s store=%s", k->name, k->path, k->store);
    }
    return true;
}

static struct conn_limits limits_of(const struct config_peer_limits *p, uint32_t max_message)
{
    return (struct conn_limits){.max_message = max_message,
                                .max_inflight = p->max_inflight,
                                .max_queued = p->max_queued,
                                .stall_timeout = p->stall_timeout,
                                .idle_timeout = p->idle_timeout};
}

static bool start_nfs(struct server *s)
{
    const struct config *c = &s->cfg;
    if (!c->nfs.enabled)
        return true;
    struct nfs_config cfg = {.listen = c->nfs.listen,
                             .udp = c->nfs.udp,
                             .portmap = (enum nfs_portmap)c->nfs.portmap,
                             .limits = limits_of(&c->nfs.peers, c->nfs.max_record),
                             .max_connections = c->nfs.peers.max_connections,
                             .drc_entries = c->nfs.drc_entries,
                             .max_lock_hosts = c->nfs.max_lock_hosts,
                             .park = c->lock.nfs_park,
                             .grace = c->lock.policy.grace_period,
                             .name = c->server.name[0] ? c->server.name : NULL};
    int r = nfs_server_create(&cfg, s->fs, s->kv, s->loops, s->nloops, s->pool, &s->nfs);
    return r == 0 || failed("nfs", r);
}

static bool listen_nfs(struct server *s)
{
    return !s->nfs || nfs_server_listen(s->nfs) == 0;
}

/* The server's GUID is drawn once and kept: clients recognise the server by it. */
static bool server_guid(struct server *s, uint8_t out[16])
{
    _cleanup_free_ void *v = NULL;
    size_t n = 0;
    if (kv_get(s->kv, "server", "guid", 4, &v, &n) == 0 && n == 16) {
        memcpy(out, v, 16);
        return true;
    }
    return getrandom(out, 16, 0) == 16 && kv_put(s->kv, "server", "guid", 4, out, 16) == 0;
}

static void server_name(const struct config *c, char out[16])
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    host[strcspn(host, ".")] = 0;
    snprintf(out, 16, "%.15s", c->server.name[0] ? c->server.name : host);
    for (char *p = out; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p -= 'a' - 'A';
}

static const uint16_t dialect_numbers[] = {SMB_2_0_2, SMB_2_1_0, SMB_3_0_0, SMB_3_0_2, SMB_3_1_1};

static bool start_smb(struct server *s)
{
    const struct config *c = &s->cfg;
    if (!c->smb.enabled)
        return true;
    s->smb = calloc(1, sizeof *s->smb);
    if (!s->smb)
        return failed("smb", -ENOMEM);
    s->smb->fs = s->fs;
    s->smb->kv = s->kv;
    s->smb->pool = s->pool;
    s->smb->start_time = s->started;
    s->smb->cfg = (struct smb_config){.min_dialect = dialect_numbers[c->smb.min_protocol],
                                      .max_dialect = dialect_numbers[c->smb.max_protocol],
                                      .signing = (enum fs_tristate)c->smb.signing,
                                      .encryption = (enum fs_tristate)c->smb.encryption,
                                      .max_transact = c->smb.max_io,
                                      .max_read = c->smb.max_io,
                                      .max_write = c->smb.max_io,
                                      .max_sessions = c->smb.max_sessions,
                                      .max_trees = c->smb.max_trees,
                                      .max_opens = c->smb.max_opens,
                                      .max_credits = c->smb.max_credits,
                                      .max_disconnected = c->smb.max_disconnected,
                                      .durable_timeout = c->smb.durable_timeout,
                                      .guest = c->smb.guest,
                                      .anonymous = c->smb.anonymous,
                                      .limits = limits_of(&c->smb.peers, c->smb.max_io + 65536),
                                      .max_connections = c->smb.peers.max_connections};
    snprintf(s->smb->cfg.domain, sizeof s->smb->cfg.domain, "%s", c->smb.workgroup);
    server_name(c, s->smb->cfg.server_name);
    if (!server_guid(s, s->smb->cfg.server_guid))
        return failed("guid", -EIO);
    int r = smb_server_start(s->smb, s->loops, s->nloops, c->smb.listen);
    if (r == 0)
        return true;
    free(s->smb);
    s->smb = NULL;
    return failed("smb", r);
}

static bool start_admin(struct server *s)
{
    int r = admin_start(s, &s->admin);
    if (r < 0)
        return failed("admin_socket", r);
    if (s->cfg.server.metrics_listen[0] && (r = metrics_start(s, s->cfg.server.metrics_listen, &s->metrics)) < 0)
        return failed("metrics_listen", r);
    return true;
}

/* What clients had before, over either protocol, is known or kept for them before the first of them is answered: NFS'
 * grace period has begun when SMB's persistent opens are opened again, and they are when NFS listens. */
bool server_start(struct server *s)
{
    s->started = clock_wall();
    return open_log(&s->cfg) && open_state(s) && start_threads(s) && start_fs(s) && start_nfs(s) && start_smb(s) &&
           listen_nfs(s) && start_admin(s);
}

void server_stop(struct server *s)
{
    metrics_stop(s->metrics);
    admin_stop(s->admin);
    /* NFS first: what SMB clients lose by the end of their sessions, or have again after the next start, must not be
     * there for anybody to take meanwhile. What NFS clients have stays where it is: they reclaim it. */
    if (s->nfs)
        nfs_server_stop(s->nfs);
    if (s->smb)
        smb_server_stop(s->smb);
    if (s->pool)
        pool_free(s->pool);
    for (size_t i = 0; i < s->nloops; i++)
        loop_stop(s->loops[i]);
    if (s->fs)
        fs_free(s->fs);
    for (size_t i = 0; i < s->nloops; i++)
        loop_free(s->loops[i]);
    free(s->loops);
    free(s->smb);
    if (s->kv)
        kv_close(s->kv);
    s->nloops = 0;
}

/* Shares that are no longer configured go; the others are made or changed. */
struct gone {
    const struct config *cfg;
    char names[256][80];
    size_t n;
};

static bool gone_add(void *arg, struct fs_share *share)
{
    struct gone *g = arg;
    for (size_t i = 0; i < g->cfg->nshares; i++)
        if (strcasecmp(g->cfg->shares[i].name, share->cfg.name) == 0)
            return true;
    strcpy(g->names[g->n], share->cfg.name);
    return ++g->n < ARRAY_LEN(g->names);
}

bool server_reload(struct server *s)
{
    static char mistakes[16384];
    struct config fresh;
    if (config_load(&s->input, &fresh, mistakes, sizeof mistakes) < 0) {
        for (char *save = NULL, *line = strtok_r(mistakes, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
            log_error("server", "event=reload_refused mistake=%s", log_quote(line, strlen(line)));
        return false;
    }
    static struct gone gone;
    gone = (struct gone){.cfg = &fresh};
    fs_share_each(s->fs, gone_add, &gone);
    for (size_t i = 0; i < gone.n; i++)
        fs_share_set(s->fs, gone.names[i], NULL);
    for (size_t i = 0; i < fresh.nshares; i++) {
        enum st st = fs_share_set(s->fs, fresh.shares[i].name, &fresh.shares[i]);
        if (st != ST_OK)
            log_error("server", "event=share_failed share=%s error=\"%s\"", fresh.shares[i].name, st_text(st));
    }
    fs_set_policy(s->fs, &fresh.lock.policy);
    log_threshold = (enum log_level)fresh.log.level;
    config_done(&fresh);
    log_info("server", "event=reloaded");
    return true;
}
