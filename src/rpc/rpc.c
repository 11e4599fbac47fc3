/* rpc.c - the RPC server as a whole: its loops, listeners, start and end; and addresses. Knows no message. */
#include "rpc_int.h"
#include <errno.h>
#include <netinet/in.h>

void rpc_server_unref(struct rpc_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    pthread_mutex_lock(&s->lock);
    s->is_idle = true;
    pthread_cond_signal(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

/* On the loop: nothing new comes in, and what is parked runs once more, to be given up. */
static void stop_run(struct task *t)
{
    struct rpc_loop *home = container_of(t, struct rpc_loop, stop);
    struct rpc_call *c;
    home->stopping = true;
    rpc_conn_close_all(home);
    list_each(c, &home->live, live)
        if (c->started)
            job_wake(&c->job);
    rpc_server_unref(home->srv);
}

static void server_destroy(struct rpc_server *s)
{
    for (size_t i = 0; s->loops && i < s->cfg.nloops; i++)
        rpc_call_free_all(&s->loops[i]);
    drc_free(s->drc);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->idle);
    free(s->cfg.loops);
    free(s->loops);
    free(s);
}

int rpc_server_create(const struct rpc_config *cfg, struct rpc_server **ret)
{
    struct rpc_server *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->cfg = *cfg;
    s->refs = 1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    s->loops = calloc(cfg->nloops, sizeof *s->loops);
    s->cfg.loops = calloc(cfg->nloops, sizeof *s->cfg.loops);
    if (!s->loops || !s->cfg.loops || drc_create(cfg->drc_entries, cfg->drc_bytes, &s->drc) < 0) {
        server_destroy(s);
        return -ENOMEM;
    }
    for (size_t i = 0; i < cfg->nloops; i++) {
        struct rpc_loop *l = &s->loops[i];
        s->cfg.loops[i] = cfg->loops[i];
        l->srv = s;
        l->loop = cfg->loops[i];
        l->stop.fn = stop_run;
        list_init(&l->free);
        list_init(&l->live);
        list_init(&l->conns);
    }
    *ret = s;
    return 0;
}

void rpc_server_free(struct rpc_server *s)
{
    if (!s)
        return;
    for (struct rpc_listener *li = s->listeners; li; li = li->next)
        listener_close(li->net);
    atomic_fetch_add(&s->refs, (uint32_t)s->cfg.nloops);
    for (size_t i = 0; i < s->cfg.nloops; i++)
        loop_post(s->loops[i].loop, &s->loops[i].stop);
    rpc_server_unref(s);
    pthread_mutex_lock(&s->lock);
    while (!s->is_idle)
        pthread_cond_wait(&s->idle, &s->lock);
    pthread_mutex_unlock(&s->lock);
    rpc_udp_close_all(s); /* after the calls, which answer through them */
    while (s->listeners) {
        struct rpc_listener *li = s->listeners;
        s->listeners = li->next;
        free(li);
    }
    server_destroy(s);
}

int rpc_listen_tcp(struct rpc_server *s, const struct rpc_service *svc, const char *addr, uint16_t *ret_port)
{
    struct rpc_listener *li = calloc(1, sizeof *li);
    if (!li)
        return -ENOMEM;
    li->srv = s;
    li->svc = svc;
    int r = listener_open(s->cfg.loops, s->cfg.nloops, addr, &rpc_listener_ops, li, s->cfg.max_connections, &li->net);
    if (r < 0) {
        free(li);
        return r;
    }
    if (ret_port)
        *ret_port = listener_port(li->net);
    li->next = s->listeners;
    s->listeners = li;
    return 0;
}

void rpc_server_stats(struct rpc_server *s, struct rpc_stats *ret)
{
    *ret = (struct rpc_stats){0};
    for (size_t i = 0; i < s->cfg.nloops; i++) {
        struct rpc_loop *l = &s->loops[i];
        ret->calls += l->calls;
        ret->rejected += l->rejected;
        ret->garbage += l->garbage;
        ret->replayed += l->replayed;
        ret->absorbed += l->absorbed;
        ret->parked += l->parked;
        ret->delayed += l->delayed;
    }
}

/* --- Addresses. */

void rpc_addr_bytes(const struct sockaddr_storage *a, uint8_t out[16])
{
    memset(out, 0, 16);
    if (a->ss_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
    } else if (a->ss_family == AF_INET) {
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
    }
}

uint16_t rpc_addr_port(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
    return a->ss_family == AF_INET ? ntohs(((const struct sockaddr_in *)a)->sin_port) : 0;
}

void rpc_addr_set_port(struct sockaddr_storage *a, uint16_t port)
{
    if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)a)->sin6_port = htons(port);
    else if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)a)->sin_port = htons(port);
}

socklen_t rpc_addr_len(const struct sockaddr_storage *a)
{
    return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

bool rpc_is_local(const struct rpc_call *c)
{
    static const uint8_t v6_loopback[16] = {[15] = 1}, v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t peer[16], local[16];
    rpc_addr_bytes(c->peer, peer);
    if (memcmp(peer, v6_loopback, 16) == 0 || (memcmp(peer, v4_mapped, 12) == 0 && peer[12] == 127))
        return true;
    if (!c->local)
        return false;
    rpc_addr_bytes(c->local, local);
    return memcmp(peer, local, 16) == 0;
}
