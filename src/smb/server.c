/* server.c - the listener, the life of connections, and an orderly end.
 *
 * A connection is referenced by its socket (until closed()), by its requests and by events on their way to it.
 * smb_server_stop() closes all connections and waits until each of them, and every session, has ended. Durable opens
 * are kept until then, as after any lost connection: while one client can still be answered, no other's lock may
 * look free that is there again after the next start. */
#include "internal.h"
#include <errno.h>

#define LOGON_TIME (60 * NSEC_PER_SEC) /* a connection without a session after so long is closed */

void smb_alive(struct smb_server *srv, uint32_t *count, int change)
{
    pthread_mutex_lock(&srv->alive_lock);
    *count += (uint32_t)change;
    if (!*count)
        pthread_cond_broadcast(&srv->alive_cond);
    pthread_mutex_unlock(&srv->alive_lock);
}

void smb_run_blocking(struct smb_server *srv, struct task *t)
{
    if (srv->pool)
        pool_run(srv->pool, t);
    else
        loop_post(srv->homes[0].loop, t);
}

struct smb_conn *smb_conn_ref(struct smb_conn *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void smb_conn_unref(struct smb_conn *c)
{
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct smb_server *srv = c->srv;
    conn_unref(c->net);
    smb_credits_free(c->credits);
    free(c);
    smb_alive(srv, &srv->alive, -1);
}

static void logon_due(struct timer *t)
{
    struct smb_conn *c = container_of(t, struct smb_conn, logon_timer);
    if (!c->authenticated)
        conn_close(c->net);
}

void smb_conn_unlist(struct smb_conn *c)
{
    if (!list_empty(&c->requests))
        return;
    pthread_rwlock_wrlock(&c->srv->lock);
    list_remove(&c->in_server);
    if (c->authenticated)
        hash_remove(&c->srv->clients, &c->by_client);
    pthread_rwlock_unlock(&c->srv->lock);
}

void smb_conn_authenticated(struct smb_conn *c)
{
    if (c->authenticated)
        return;
    pthread_rwlock_wrlock(&c->srv->lock);
    hash_insert(&c->srv->clients, &c->by_client, hash_u64(c->client_id));
    c->authenticated = true;
    pthread_rwlock_unlock(&c->srv->lock);
}

struct smb_conn *smb_conn_of_client(struct smb_server *srv, uint64_t client, const struct smb_conn *not)
{
    struct smb_conn *c, *oldest = NULL;
    pthread_rwlock_rdlock(&srv->lock);
    for (struct hash_link *l = hash_first(&srv->clients, hash_u64(client)); l; l = hash_next(l)) {
        c = container_of(l, struct smb_conn, by_client);
        if (c->client_id == client && !c->gone && c != not && (!oldest || c->since < oldest->since))
            oldest = c;
    }
    if (oldest)
        smb_conn_ref(oldest);
    pthread_rwlock_unlock(&srv->lock);
    return oldest;
}

static bool has_other_channel(struct smb_session *s, const struct smb_conn *c)
{
    bool other = false;
    struct smb_channel *ch;
    pthread_mutex_lock(&s->lock);
    list_each(ch, &s->channels, in_session)
        other |= ch->conn != c && !ch->binding;
    pthread_mutex_unlock(&s->lock);
    return other;
}

bool smb_conn_is_spare(const struct smb_conn *c)
{
    const struct smb_channel *ch;
    list_each(ch, &c->sessions, in_conn)
        if (!has_other_channel(ch->session, c))
            return false;
    return !list_empty(&c->sessions);
}

/* A CREATE that waits goes on while its session has another channel: its client will ask for the result there. */
static bool outlives(const struct smb_req *r)
{
    return r->replayable && r->waited && r->phase == SMB_RUN && r->session && has_other_channel(r->session, r->conn);
}

void smb_conn_closed(struct smb_conn *c)
{
    struct smb_channel *ch;
    struct smb_req *r;
    c->gone = true;
    loop_timer(c->home->loop, &c->logon_timer, 0);
    smb_list_each(r, &c->requests, in_conn)
        if (!outlives(r))
            smb_req_abort(r, STATUS_CANCELLED);
    smb_conn_unlist(c);
    smb_auths_free(c);
    while ((ch = list_first(&c->sessions, struct smb_channel, in_conn))) {
        struct smb_session *s = smb_session_ref(ch->session);
        smb_channel_drop(ch);
        pthread_mutex_lock(&s->lock);
        bool last = list_empty(&s->channels);
        pthread_mutex_unlock(&s->lock);
        if (last)
            smb_session_end(s);
        smb_session_unref(s);
    }
    log_debug("smb", "event=disconnect peer=%s", c->net->peer_name);
    smb_conn_unref(c);
}

static struct smb_home *home_of(struct smb_server *srv, const struct loop *l)
{
    for (size_t i = 0; i < srv->nhomes; i++)
        if (srv->homes[i].loop == l)
            return &srv->homes[i];
    return NULL;
}

static void conn_free_unborn(struct smb_conn *c, int fd)
{
    if (c)
        smb_credits_free(c->credits);
    free(c);
    close(fd);
}

void smb_accept(void *arg, struct loop *l, int fd, const struct sockaddr_storage *peer)
{
    struct smb_server *srv = arg;
    struct smb_conn *c = calloc(1, sizeof *c);
    if (c)
        c->credits = smb_credits_new(srv->cfg.max_credits);
    if (!c || !c->credits) {
        conn_free_unborn(c, fd);
        return;
    }
    c->srv = srv;
    c->home = home_of(srv, l);
    c->since = loop_now(l);
    atomic_init(&c->refs, 1);
    list_init(&c->requests);
    list_init(&c->sessions);
    list_init(&c->auths);
    list_init(&c->in_server);
    c->logon_timer.fn = logon_due;
    if (conn_open(l, fd, &smb_conn_ops, &srv->cfg.limits, c, &c->net) < 0) {
        smb_credits_free(c->credits);
        free(c);
        return;
    }
    smb_alive(srv, &srv->alive, 1);
    loop_timer(l, &c->logon_timer, loop_now(l) + LOGON_TIME);
    pthread_rwlock_wrlock(&srv->lock);
    list_append(&srv->conns, &c->in_server);
    bool stopping = srv->stopping;
    pthread_rwlock_unlock(&srv->lock);
    if (stopping)
        conn_close(c->net);
}

static const struct fs_sink nobody;
static const struct listener_ops listening = {.accept = smb_accept};

static void config_defaults(struct smb_config *k)
{
    k->min_dialect = k->min_dialect ? k->min_dialect : SMB_2_0_2;
    k->max_dialect = k->max_dialect ? k->max_dialect : SMB_3_1_1;
    k->max_transact = k->max_transact ? k->max_transact : 8u << 20;
    k->max_read = k->max_read ? k->max_read : 8u << 20;
    k->max_write = k->max_write ? k->max_write : 8u << 20;
    k->max_sessions = k->max_sessions ? k->max_sessions : 20000;
    k->max_trees = k->max_trees ? k->max_trees : 1024;
    k->max_opens = k->max_opens ? k->max_opens : 65535;
    k->max_credits = k->max_credits ? k->max_credits : 8192;
    k->max_disconnected = k->max_disconnected ? k->max_disconnected : 4096;
    if (!k->limits.max_message)
        k->limits.max_message = MAX(k->max_write, k->max_transact) + 65536;
}

static int tables_init(struct smb_server *srv, struct loop **loops, size_t nloops)
{
    pthread_rwlock_init(&srv->lock, NULL);
    pthread_mutex_init(&srv->alive_lock, NULL);
    pthread_cond_init(&srv->alive_cond, NULL);
    list_init(&srv->conns);
    srv->alive = 0;
    srv->stopping = false;
    srv->homes = calloc(nloops, sizeof *srv->homes);
    srv->nhomes = srv->homes ? nloops : 0;
    if (!srv->homes || hash_init(&srv->sessions, 64) || hash_init(&srv->opens, 256) || hash_init(&srv->leases, 64) ||
        hash_init(&srv->create_guids, 64) || hash_init(&srv->clients, 64))
        return -ENOMEM;
    for (size_t i = 0; i < nloops; i++) {
        srv->homes[i].loop = loops[i];
        list_init(&srv->homes[i].free_requests);
    }
    smb_durable_init(srv);
    return 0;
}

static void tables_done(struct smb_server *srv)
{
    for (size_t i = 0; i < srv->nhomes; i++) {
        struct smb_req *r;
        while ((r = list_first(&srv->homes[i].free_requests, struct smb_req, in_conn))) {
            list_remove(&r->in_conn);
            free(r);
        }
    }
    free(srv->homes);
    srv->homes = NULL;
    srv->nhomes = 0;
    hash_done(&srv->clients);
    hash_done(&srv->sessions);
    hash_done(&srv->opens);
    hash_done(&srv->leases);
    hash_done(&srv->create_guids);
    pthread_rwlock_destroy(&srv->lock);
    pthread_mutex_destroy(&srv->alive_lock);
    pthread_cond_destroy(&srv->alive_cond);
}

int smb_server_start(struct smb_server *srv, struct loop **loops, size_t nloops, const char *listen)
{
    config_defaults(&srv->cfg);
    if (!srv->start_time.tv_sec)
        srv->start_time = clock_wall();
    int r = tables_init(srv, loops, nloops);
    uint64_t first;
    if (!r && !smb_random(&first, sizeof first))
        r = -EIO;
    if (!r) {
        atomic_store(&srv->next_id, first >> 1);
        srv->sink = (struct fs_sink){.event = smb_sink_event, .arg = srv};
        fs_set_sink(srv->fs, CO_LABEL_SMB, &srv->sink);
        smb_persist_restore(srv);
        r = listener_open(loops, nloops, listen, &listening, srv,
                          srv->cfg.max_connections ? srv->cfg.max_connections : 10000, &srv->listener);
    }
    if (r) {
        fs_set_sink(srv->fs, CO_LABEL_SMB, &nobody);
        tables_done(srv);
    }
    return r;
}

uint16_t smb_server_port(const struct smb_server *srv)
{
    return listener_port(srv->listener);
}

struct closing {
    struct task task;
    struct smb_conn *conn;
};

static void close_on_loop(struct task *t)
{
    struct closing *k = container_of(t, struct closing, task);
    struct smb_req *r;
    conn_close(k->conn->net);
    smb_list_each(r, &k->conn->requests, in_conn)
        smb_req_abort(r, STATUS_CANCELLED);
    smb_conn_unref(k->conn);
    free(k);
}

/* Asks every connection's loop to close it. */
static void close_connections(struct smb_server *srv)
{
    struct smb_conn *c;
    pthread_rwlock_wrlock(&srv->lock);
    srv->stopping = true;
    list_each(c, &srv->conns, in_server) {
        struct closing *k = calloc(1, sizeof *k);
        if (!k)
            continue;
        k->task.fn = close_on_loop;
        k->conn = smb_conn_ref(c);
        loop_post(c->home->loop, &k->task);
    }
    pthread_rwlock_unlock(&srv->lock);
}

static void wait_for_the_end(struct smb_server *srv, const uint32_t *count)
{
    pthread_mutex_lock(&srv->alive_lock);
    while (*count)
        pthread_cond_wait(&srv->alive_cond, &srv->alive_lock);
    pthread_mutex_unlock(&srv->alive_lock);
}

void smb_server_stop(struct smb_server *srv)
{
    listener_close(srv->listener);
    close_connections(srv);
    wait_for_the_end(srv, &srv->alive);
    smb_durable_stop(srv);
    wait_for_the_end(srv, &srv->loose);
    fs_set_sink(srv->fs, CO_LABEL_SMB, &nobody);
    tables_done(srv);
}
