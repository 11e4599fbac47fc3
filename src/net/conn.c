/* conn.c - the life of a connection: opening, limits, timeouts, closing, references. Receiving is in conn_recv.c,
 * sending in conn_send.c.
 *
 * References: one is the owner's, one is net's own, dropped after closed() was called; so whoever drops the last one
 * finds a connection that no loop knows any more, and may be any thread. A queued work task holds one too. The flush
 * and close tasks need none: both are deferred, and the close task is always the later one.
 * Knows nothing of what messages mean. */
#include "internal.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

void msg_detach(struct msg *m)
{
    if (!m->blk || m->blk->cap / 2 < m->len)
        return;
    struct blk *b = blk_get(m->len);
    if (!b || b->cap >= m->blk->cap) {
        blk_put(b);
        return;
    }
    memcpy(b->data, m->data, m->len);
    b->len = m->len;
    blk_put(m->blk);
    m->blk = b;
    m->data = b->data;
}

void msg_done(struct msg *m)
{
    blk_put(m->blk);
    *m = (struct msg){0};
}

/* A host that is gone without a word is noticed after stall_timeout: by keep-alive probes, from half of it on, when
 * nothing is under way to it; by TCP_USER_TIMEOUT when something is, for which there are no such probes and which
 * the kernel would otherwise send again for a quarter of an hour. The latter also ends the probing, whose count is
 * then not used. */
static void conn_set_tcp(int fd, uint64_t stall_timeout)
{
    int seconds = (int)MIN(stall_timeout / NSEC_PER_SEC, 3600ull);
    const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, stall_timeout != 0},
        {IPPROTO_TCP, TCP_KEEPIDLE, MAX(seconds / 2, 1)},
        {IPPROTO_TCP, TCP_KEEPINTVL, MAX(seconds / 8, 1)},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, (int)MIN(stall_timeout / NSEC_PER_MSEC, (uint64_t)INT32_MAX)},
    };
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value);
}

static void conn_learn_names(struct conn *c)
{
    socklen_t len = sizeof c->peer;
    if (c->peer.ss_family == AF_UNSPEC && getpeername(c->priv->fd, (struct sockaddr *)&c->peer, &len) < 0)
        c->peer.ss_family = AF_UNSPEC;
    len = sizeof c->local;
    if (getsockname(c->priv->fd, (struct sockaddr *)&c->local, &len) < 0)
        c->local.ss_family = AF_UNSPEC;
    addr_unmap(&c->peer);
    addr_unmap(&c->local);
    addr_format(&c->peer, c->peer_name, sizeof c->peer_name);
    if (c->local.ss_family == AF_INET || c->local.ss_family == AF_INET6)
        conn_set_tcp(c->priv->fd, c->limits->stall_timeout);
}

/* Edge-triggered for both directions, set once: no epoll_ctl() for the rest of its life. */
#define CONN_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static void conn_established(struct conn *c)
{
    struct conn_priv *p = c->priv;
    int err = 0;
    socklen_t len = sizeof err;
    if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err) {
        conn_fail(c, "connect", err);
        return;
    }
    p->connecting = false;
    p->last_message = loop_now(c->loop);
    conn_learn_names(c);
    conn_flush_later(c);
}

static void conn_event(struct watch *w, uint32_t events)
{
    struct conn_full *f = container_of(w, struct conn_full, priv.watch);
    struct conn_priv *p = &f->priv;
    if (p->connecting) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            conn_established(&f->pub);
        if (p->connecting || f->pub.is_closed)
            return;
    }
    if (events & (EPOLLERR | EPOLLHUP) && p->paused) {
        /* Nobody to answer: what is still to be read does not matter. */
        conn_fail(&f->pub, "peer is gone", 0);
        return;
    }
    if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP))
        p->hup = true;
    if (events & EPOLLOUT && !p->writable) {
        p->writable = true;
        conn_flush_later(&f->pub);
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) {
        p->readable = true;
        conn_read(&f->pub);
    }
}

/* The earliest instant at which something is overdue, and what; UINT64_MAX for never. */
static uint64_t conn_deadline(const struct conn *c, const char **ret_why)
{
    const struct conn_priv *p = c->priv;
    uint64_t stall = c->limits->stall_timeout, idle = c->limits->idle_timeout;
    struct {
        bool applies;
        uint64_t at;
        const char *why;
    } rules[] = {
        {p->connecting && stall, p->last_out + stall, "no connection"},
        {p->out_count && stall, p->last_out + stall, "peer does not take replies"},
        {p->in && !p->paused && stall, p->last_in + stall, "message does not get complete"},
        {p->out_count && stall, p->pace_out.since + stall, "peer takes replies too slowly"},
        {p->in && !p->paused && stall, p->pace_in.since + stall, "message comes too slowly"},
        {p->draining, p->drain_until, "done"},
        {p->unfinished == 0 && idle, p->last_message + idle, "idle"},
    };
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (rules[i].applies && rules[i].at < at) {
            at = rules[i].at;
            *ret_why = rules[i].why;
        }
    }
    return at;
}

/* Progress only moves deadlines back, so the timer is left alone and looks again when it fires. */
void conn_arm(struct conn *c)
{
    const char *why;
    uint64_t at = c->is_closed ? UINT64_MAX : conn_deadline(c, &why);
    struct timer *t = &c->priv->timer;
    if (at != UINT64_MAX && (t->at == 0 || at < t->at))
        loop_timer(c->loop, t, at);
}

/* The next window, if enough was moved in the one that is over. */
static void pace_renew(struct conn_pace *p, uint64_t now, uint64_t window)
{
    if (!window || now < p->since + window || (double)p->bytes < (double)CONN_PACE * (double)window / NSEC_PER_SEC)
        return;
    *p = (struct conn_pace){.since = now};
}

static void conn_timeout(struct timer *t)
{
    struct conn *c = &container_of(t, struct conn_full, priv.timer)->pub;
    const char *why = "";
    pace_renew(&c->priv->pace_in, loop_now(c->loop), c->limits->stall_timeout);
    pace_renew(&c->priv->pace_out, loop_now(c->loop), c->limits->stall_timeout);
    uint64_t at = conn_deadline(c, &why);
    if (at <= loop_now(c->loop))
        conn_fail(c, why, 0);
    else
        conn_arm(c);
}

static void conn_close_run(struct task *t)
{
    struct conn *c = &container_of(t, struct conn_full, priv.close_task)->pub;
    c->ops->closed(c);
    conn_unref(c);
}

static void conn_work_run(struct task *t)
{
    struct conn *c = &container_of(t, struct conn_full, priv.work_task)->pub;
    c->priv->work_set = false;
    if (!c->is_closed)
        conn_read(c);
    conn_unref(c);
}

static void conn_attach(struct conn *c)
{
    struct conn_priv *p = c->priv;
    struct loop *l = c->loop;
    list_append(&l->conns, &p->link);
    if (!p->connecting) {
        p->slot = l->accepting;
        l->accepting = NULL; /* counted once */
    }
    p->last_message = p->last_out = loop_now(l);
    conn_arm(c);
}

int conn_make(struct loop *l, int fd, bool connecting, const struct conn_ops *ops, const struct conn_limits *limits,
              void *owner, struct conn **ret)
{
    struct conn_full *f = calloc(1, sizeof *f);
    if (!f) {
        close(fd);
        return -ENOMEM;
    }
    struct conn_priv *p = &f->priv;
    f->pub = (struct conn){.ops = ops, .loop = l, .limits = limits, .owner = owner, .priv = p};
    p->fd = fd;
    p->watch = (struct watch){.fd = fd, .events = CONN_EVENTS, .fn = conn_event};
    p->timer.fn = conn_timeout;
    p->flush_task.fn = conn_flush_run;
    p->work_task.fn = conn_work_run;
    p->close_task.fn = conn_close_run;
    p->connecting = connecting;
    p->writable = true;
    atomic_init(&p->refs, 2);
    if (!connecting)
        conn_learn_names(&f->pub);
    int r = loop_watch(l, &p->watch);
    if (r < 0) {
        close(fd);
        free(f);
        return r;
    }
    conn_attach(&f->pub);
    *ret = &f->pub;
    return 0;
}

int conn_open(struct loop *l, int fd, const struct conn_ops *ops, const struct conn_limits *limits, void *owner,
              struct conn **ret)
{
    return conn_make(l, fd, false, ops, limits, owner, ret);
}

struct conn *conn_ref(struct conn *c)
{
    atomic_fetch_add_explicit(&c->priv->refs, 1, memory_order_relaxed);
    return c;
}

void conn_unref(struct conn *c)
{
    if (c && atomic_fetch_sub_explicit(&c->priv->refs, 1, memory_order_acq_rel) == 1)
        free(container_of(c, struct conn_full, pub));
}

bool conn_peer_ended(const struct conn *c)
{
    struct pollfd p = {.fd = c->priv->fd, .events = POLLRDHUP};
    return c->is_closed || c->priv->eof || (poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

void conn_close(struct conn *c)
{
    struct conn_priv *p = c->priv;
    if (c->is_closed)
        return;
    c->is_closed = true;
    loop_unwatch(c->loop, &p->watch);
    loop_timer(c->loop, &p->timer, 0);
    list_remove(&p->link);
    util_closep(&p->fd);
    p->fd = -1;
    conn_drop_input(c);
    conn_drop_output(c);
    if (p->slot)
        listener_conn_gone(TAKE_PTR(p->slot));
    loop_defer(c->loop, &p->close_task);
}

void conn_fail(struct conn *c, const char *why, int err)
{
    if (c->is_closed)
        return;
    if (err)
        log_info("net", "event=close peer=%s reason=\"%s\" error=\"%s\"", c->peer_name, why, strerror(err));
    else
        log_debug("net", "event=close peer=%s reason=\"%s\"", c->peer_name, why);
    conn_close(c);
}

void conn_close_after_flush(struct conn *c)
{
    struct conn_priv *p = c->priv;
    if (c->is_closed || p->closing)
        return;
    p->closing = true;
    conn_drop_input(c);
    conn_flush_later(c);
}

void conn_close_all(struct loop *l)
{
    struct conn_priv *p;
    while ((p = list_first(&l->conns, struct conn_priv, link)))
        conn_close(&container_of(p, struct conn_full, priv)->pub);
}

void conn_maybe_end(struct conn *c)
{
    struct conn_priv *p = c->priv;
    if (!c->is_closed && p->eof && !p->in && p->out_count == 0 && p->unfinished - p->held == 0)
        conn_fail(c, "peer ended", 0);
}

/* A held request may be finished without conn_unhold(); then the count of held ones is corrected as soon as it would
 * exceed that of the unfinished. */
void conn_finish(struct conn *c)
{
    struct conn_priv *p = c->priv;
    if (p->unfinished)
        p->unfinished--;
    p->held = MIN(p->held, p->unfinished);
    if (c->is_closed)
        return;
    if (p->unfinished == 0)
        p->last_message = loop_now(c->loop);
    if (p->paused && !conn_over_limit(c))
        conn_read_later(c);
    if (p->eof)
        conn_flush_later(c); /* its reply may be queued after this call */
    if (p->unfinished == 0 && p->timer.at == 0)
        conn_arm(c);
}

void conn_hold(struct conn *c)
{
    struct conn_priv *p = c->priv;
    if (p->held < p->unfinished)
        p->held++;
    if (c->is_closed)
        return;
    if (p->paused && !conn_over_limit(c))
        conn_read_later(c);
    if (p->eof)
        conn_flush_later(c);
}

void conn_unhold(struct conn *c)
{
    if (c->priv->held)
        c->priv->held--;
}
