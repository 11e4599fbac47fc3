/* rpc_tcp.c - RPC over TCP: connections, records, and their life beside the calls that came over them.
 *
 * A connection stays until it is closed and its last call has ended; a parked call whose client has gone is still run.
 * Everything on the connection's loop. */
#include "rpc_int.h"
#include "base/clock.h"

static ssize_t tcp_frame(struct conn *c, const uint8_t *p, size_t n)
{
    struct rpc_conn *rc = c->owner;
    ssize_t len = rpc_frame(p, n, rc->home->srv->cfg.limits.max_message, &rc->frame_pos);
    if (len < 0 && log_allow(&c->bad_input, 5, 60 * NSEC_PER_SEC))
        log_info("rpc", "event=rpc_garbage service=%s peer=%s reason=\"record too long\"", rc->svc->name, c->peer_name);
    return len;
}

static void tcp_message(struct conn *c, struct msg *m)
{
    struct rpc_conn *rc = c->owner;
    rc->frame_pos = 0;
    struct rpc_call *call = rpc_call_get(rc->home, rc->svc);
    if (!call) {
        msg_done(m);
        conn_finish(c);
        conn_close(c);
        return;
    }
    size_t len;
    call->msg = *m;
    /* The bytes of this record are nobody else's, also when others lie in the same block. */
    call->msg.data = rpc_defragment((uint8_t *)(uintptr_t)m->data, m->len, &len);
    call->msg.len = (uint32_t)len;
    call->conn = rc;
    call->peer = &c->peer;
    call->local = &c->local;
    call->peer_name = c->peer_name;
    rc->refs++;
    rpc_call_receive(call);
}

void rpc_conn_unref(struct rpc_conn *rc)
{
    if (--rc->refs > 0)
        return;
    struct rpc_server *srv = rc->home->srv;
    conn_unref(rc->net);
    free(rc);
    rpc_server_unref(srv);
}

static void tcp_closed(struct conn *c)
{
    struct rpc_conn *rc = c->owner;
    list_remove(&rc->in_loop);
    rpc_conn_unref(rc);
}

static const struct conn_ops tcp_ops = {.frame = tcp_frame, .message = tcp_message, .closed = tcp_closed};

static struct rpc_loop *home_of(struct rpc_server *srv, const struct loop *l)
{
    for (size_t i = 0; i < srv->cfg.nloops; i++)
        if (srv->loops[i].loop == l)
            return &srv->loops[i];
    return NULL;
}

static void tcp_accept(void *arg, struct loop *l, int fd, const struct sockaddr_storage *peer)
{
    static _Atomic uint64_t serial = 1; /* 0 is UDP */
    struct rpc_listener *li = arg;
    struct rpc_loop *home = home_of(li->srv, l);
    struct rpc_conn *rc = home && !home->stopping ? calloc(1, sizeof *rc) : NULL;
    if (!rc) {
        close(fd);
        return;
    }
    *rc = (struct rpc_conn){.home = home, .svc = li->svc, .serial = serial++, .since = loop_now(l), .refs = 1};
    atomic_fetch_add(&li->srv->refs, 1);
    list_append(&home->conns, &rc->in_loop);
    if (conn_open(l, fd, &tcp_ops, &li->srv->cfg.limits, rc, &rc->net) < 0) {
        list_remove(&rc->in_loop);
        free(rc);
        rpc_server_unref(li->srv);
    }
}

struct conns_walk {
    struct rpc_loop *home;
    const struct rpc_service *svc;
    void (*fn)(void *arg, const struct conn *c, uint64_t since, unsigned calls);
    void *arg;
};

static void conns_look(void *arg)
{
    const struct conns_walk *w = arg;
    const struct rpc_conn *rc;
    list_each(rc, &w->home->conns, in_loop)
        if (rc->svc == w->svc && !rc->net->is_closed)
            w->fn(w->arg, rc->net, rc->since, rc->refs - 1);
}

void rpc_conns_each(struct rpc_server *s, const struct rpc_service *svc,
                    void (*fn)(void *arg, const struct conn *c, uint64_t since, unsigned calls), void *arg)
{
    for (size_t i = 0; i < s->cfg.nloops; i++) {
        struct conns_walk w = {&s->loops[i], svc, fn, arg};
        loop_call(s->loops[i].loop, conns_look, &w);
    }
}

const struct listener_ops rpc_listener_ops = {.accept = tcp_accept};

void rpc_conn_close_all(struct rpc_loop *home)
{
    struct rpc_conn *rc;
    while ((rc = list_first(&home->conns, struct rpc_conn, in_loop)) != NULL) {
        list_remove(&rc->in_loop); /* closed() may come later */
        conn_close(rc->net);
    }
}
