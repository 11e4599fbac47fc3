/* listener.c - listening: one socket, watched by the first loop, each new connection given to the loop that has fewest.
 *
 * One socket rather than one per loop with SO_REUSEPORT: a file server has few, long connections, which a hash spreads
 * badly; and a second server on the same port must fail to start. Accepting is rare, so a hand-over may cost a malloc.
 * Knows nothing of what is spoken. */
#include "internal.h"
#include <errno.h>

#define LISTENER_BACKLOG 4096
#define LISTENER_BATCH 64
#define LISTENER_PAUSE (100 * NSEC_PER_MSEC) /* when descriptors or memory ran out: clients wait in the backlog */
#define LISTENER_LOG_PERIOD (10 * NSEC_PER_SEC)

struct listener {
    const struct listener_ops *ops;
    void *arg;
    struct loop **loops;
    size_t nloops;
    unsigned max_conns;
    uint16_t port;
    /* the first loop's */
    struct watch watch;
    struct timer retry;
    struct log_rate full, failing;
    size_t next;
    _Atomic unsigned refs; /* one is the listener's own, one for each connection */
    /* connections on their way to another loop */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned handing;
    bool closed;
    struct listener_slot slots[]; /* one for each loop */
};

struct handover {
    struct task task;
    struct listener_slot *slot;
    struct loop *loop;
    int fd;
    struct sockaddr_storage peer;
};

static void listener_unref(struct listener *li)
{
    if (atomic_fetch_sub(&li->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&li->lock);
    pthread_cond_destroy(&li->idle);
    free(li->loops);
    free(li);
}

void listener_conn_gone(struct listener_slot *s)
{
    atomic_fetch_sub(&s->count, 1);
    listener_unref(s->li);
}

/* On the receiving loop. The connection was counted when it was accepted; conn_open() takes that over, and when
 * accept() did not call it the connection is gone. */
static void listener_give(struct listener_slot *s, struct loop *l, int fd, const struct sockaddr_storage *peer)
{
    l->accepting = s;
    s->li->ops->accept(s->li->arg, l, fd, peer);
    if (TAKE_PTR(l->accepting))
        listener_conn_gone(s);
}

static void listener_handover(struct task *t)
{
    struct handover *h = container_of(t, struct handover, task);
    struct listener_slot *slot = h->slot;
    struct listener *li = slot->li;
    pthread_mutex_lock(&li->lock);
    bool closed = li->closed;
    pthread_mutex_unlock(&li->lock);
    atomic_fetch_add(&li->refs, 1); /* listener_give() may drop the connection's */
    if (closed) {
        close(h->fd);
        listener_conn_gone(slot);
    } else {
        listener_give(slot, h->loop, h->fd, &h->peer);
    }
    free(h);
    pthread_mutex_lock(&li->lock);
    if (--li->handing == 0)
        pthread_cond_broadcast(&li->idle);
    pthread_mutex_unlock(&li->lock);
    listener_unref(li);
}

/* The loop with the fewest connections, in turn among equals. */
static size_t listener_pick(struct listener *li)
{
    size_t best = li->next++ % li->nloops;
    for (size_t i = 1; i < li->nloops; i++) {
        size_t at = (best + i) % li->nloops;
        if (atomic_load_explicit(&li->slots[at].count, memory_order_relaxed) <
            atomic_load_explicit(&li->slots[best].count, memory_order_relaxed))
            best = at;
    }
    return best;
}

/* Not `refs`: a handover holds one of its own for a moment. */
static unsigned listener_conns(const struct listener *li)
{
    unsigned n = 0;
    for (size_t i = 0; i < li->nloops; i++)
        n += (unsigned)atomic_load(&li->slots[i].count);
    return n;
}

static void listener_spread(struct listener *li, int fd, const struct sockaddr_storage *peer)
{
    if (li->max_conns && listener_conns(li) >= li->max_conns) {
        if (log_allow(&li->full, 1, LISTENER_LOG_PERIOD))
            log_warn("net", "event=too_many_connections port=%u limit=%u", li->port, li->max_conns);
        close(fd);
        return;
    }
    size_t at = listener_pick(li);
    struct listener_slot *slot = &li->slots[at];
    struct handover *h = at ? malloc(sizeof *h) : NULL;
    if (at && !h) { /* no memory to hand it over: keep it */
        at = 0;
        slot = &li->slots[0];
    }
    atomic_fetch_add(&slot->count, 1);
    atomic_fetch_add(&li->refs, 1);
    if (!h) {
        listener_give(slot, li->loops[0], fd, peer);
        return;
    }
    *h = (struct handover){.task.fn = listener_handover, .slot = slot, .loop = li->loops[at], .fd = fd, .peer = *peer};
    pthread_mutex_lock(&li->lock);
    li->handing++;
    pthread_mutex_unlock(&li->lock);
    loop_post(li->loops[at], &h->task);
}

static void listener_retry(struct timer *t)
{
    struct listener *li = container_of(t, struct listener, retry);
    if (loop_watch(li->loops[0], &li->watch) < 0)
        loop_timer(li->loops[0], &li->retry, loop_now(li->loops[0]) + LISTENER_PAUSE);
}

static void listener_event(struct watch *w, uint32_t events)
{
    struct listener *li = container_of(w, struct listener, watch);
    for (unsigned i = 0; i < LISTENER_BATCH; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof peer;
        int fd = accept4(w->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            addr_unmap(&peer);
            listener_spread(li, fd, &peer);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            if (log_allow(&li->failing, 1, LISTENER_LOG_PERIOD))
                log_error("net", "event=accept_failed port=%u error=\"%m\"", li->port);
            loop_unwatch(li->loops[0], w);
            loop_timer(li->loops[0], &li->retry, loop_now(li->loops[0]) + LISTENER_PAUSE);
            return;
        }
        /* Anything else is about that one connection (accept(2), "Error handling"). */
    }
}

struct listener_start {
    struct listener *li;
    int result;
};

static void listener_start(void *arg)
{
    struct listener_start *s = arg;
    s->result = loop_watch(s->li->loops[0], &s->li->watch);
}

static struct listener *listener_alloc(struct loop **loops, size_t nloops)
{
    struct listener *li = calloc(1, sizeof *li + nloops * sizeof li->slots[0]);
    if (!li)
        return NULL;
    li->loops = calloc(nloops, sizeof *loops);
    if (!li->loops) {
        free(li);
        return NULL;
    }
    memcpy(li->loops, loops, nloops * sizeof *loops);
    li->nloops = nloops;
    for (size_t i = 0; i < nloops; i++)
        li->slots[i].li = li;
    pthread_mutex_init(&li->lock, NULL);
    pthread_cond_init(&li->idle, NULL);
    atomic_init(&li->refs, 1);
    return li;
}

int listener_open(struct loop **loops, size_t nloops, const char *addr, const struct listener_ops *ops, void *arg,
                  unsigned max_conns, struct listener **ret)
{
    uint16_t port = 0;
    if (nloops == 0)
        return -EINVAL;
    _cleanup_close_ int fd = addr_bind(addr, SOCK_STREAM, &port);
    if (fd < 0)
        return fd;
    if (listen(fd, LISTENER_BACKLOG) < 0)
        return -errno;
    struct listener *li = listener_alloc(loops, nloops);
    if (!li)
        return -ENOMEM;
    li->ops = ops;
    li->arg = arg;
    li->max_conns = max_conns;
    li->port = port;
    li->watch = (struct watch){.fd = fd, .events = EPOLLIN, .fn = listener_event};
    li->retry.fn = listener_retry;
    *ret = li; /* accept() may come before loop_call() returns */
    struct listener_start start = {.li = li};
    loop_call(loops[0], listener_start, &start);
    if (start.result < 0) {
        *ret = NULL;
        listener_unref(li);
        return start.result;
    }
    (void)TAKE_FD(fd);
    return 0;
}

uint16_t listener_port(const struct listener *li)
{
    return li->port;
}

static void listener_stop(void *arg)
{
    struct listener *li = arg;
    loop_unwatch(li->loops[0], &li->watch);
    loop_timer(li->loops[0], &li->retry, 0);
    close(li->watch.fd);
}

void listener_close(struct listener *li)
{
    if (!li)
        return;
    loop_call(li->loops[0], listener_stop, li);
    pthread_mutex_lock(&li->lock);
    li->closed = true;
    while (li->handing)
        pthread_cond_wait(&li->idle, &li->lock);
    pthread_mutex_unlock(&li->lock);
    listener_unref(li);
}
