/* conn_send.c - sending: blocks queue up during a turn of the loop and leave in one sendmsg() at its end.
 *
 * The queue keeps its own note of what is left of each block, so that a block may be in several queues (a reply that is
 * also kept for retransmissions). Knows nothing of what is in the blocks. */
#include "internal.h"
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define OUT_IOVECS 64
#define OUT_DRAIN NSEC_PER_SEC /* how long a peer may take to end after the last byte was sent */

static inline struct conn_out *out_at(const struct conn_priv *p, uint32_t i)
{
    uint32_t at = p->out_first + i;
    return (struct conn_out *)(void *)p->ring->data + (at < p->out_cap ? at : at - p->out_cap);
}

static void tell_sent(struct conn_priv *p)
{
    for (struct conn_sent *s; (s = p->unsent) && s->at <= p->sent;) {
        p->unsent = s->next;
        s->fn(s);
    }
}

void conn_when_sent(struct conn *c, struct conn_sent *s)
{
    struct conn_priv *p = c->priv;
    s->next = NULL;
    s->at = p->sent + p->queued;
    if (p->unsent)
        p->unsent_last->next = s;
    else
        p->unsent = s;
    p->unsent_last = s;
    tell_sent(p);
}

bool conn_acked(const struct conn *c, const struct conn_sent *s)
{
    int unacked; /* bytes that the kernel still keeps */
    return !c->is_closed && ioctl(c->priv->fd, SIOCOUTQ, &unacked) == 0 &&
           c->priv->sent - (uint64_t)unacked >= s->at;
}

void conn_drop_output(struct conn *c)
{
    struct conn_priv *p = c->priv;
    for (uint32_t i = 0; i < p->out_count; i++)
        blk_put(out_at(p, i)->blk);
    blk_put(TAKE_PTR(p->ring));
    p->out_first = p->out_count = p->out_cap = 0;
    p->sent += p->queued;
    p->queued = 0;
    tell_sent(p);
}

static bool out_grow(struct conn_priv *p)
{
    struct blk *b = blk_get(2 * p->out_cap * sizeof(struct conn_out));
    if (!b)
        return false;
    for (uint32_t i = 0; i < p->out_count; i++)
        ((struct conn_out *)(void *)b->data)[i] = *out_at(p, i);
    blk_put(p->ring);
    p->ring = b;
    p->out_first = 0;
    p->out_cap = b->cap / sizeof(struct conn_out);
    return true;
}

void conn_flush_later(struct conn *c)
{
    struct conn_priv *p = c->priv;
    if (p->flush_set)
        return;
    p->flush_set = true;
    loop_defer(c->loop, &p->flush_task);
}

void conn_send(struct conn *c, struct blk *b)
{
    struct conn_priv *p = c->priv;
    if (!b || c->is_closed || p->closing || b->len == 0) {
        blk_put(b);
        return;
    }
    if (p->out_count == p->out_cap && !out_grow(p)) {
        blk_put(b);
        conn_fail(c, "out of memory", ENOMEM);
        return;
    }
    if (p->out_count == 0) {
        p->last_out = loop_now(c->loop);
        p->pace_out = (struct conn_pace){.since = p->last_out};
    }
    p->out_count++;
    *out_at(p, p->out_count - 1) = (struct conn_out){.blk = b, .head = b->head, .len = b->len};
    p->queued += b->len;
    if (p->writable && !p->connecting)
        conn_flush_later(c);
}

static void out_advance(struct conn_priv *p, size_t n)
{
    p->queued -= n;
    p->sent += n;
    p->pace_out.bytes += n;
    while (n) {
        struct conn_out *o = out_at(p, 0);
        if (n < o->len) {
            o->head += (uint32_t)n;
            o->len -= (uint32_t)n;
            return;
        }
        n -= o->len;
        blk_put(o->blk);
        p->out_count--;
        p->out_first = p->out_first + 1 == p->out_cap ? 0 : p->out_first + 1;
    }
}

/* One sendmsg(). False when the socket is full or the connection failed. */
static bool conn_transmit(struct conn *c)
{
    struct conn_priv *p = c->priv;
    struct iovec vec[OUT_IOVECS];
    struct msghdr h = {.msg_iov = vec};
    size_t total = 0;
    for (; h.msg_iovlen < MIN(p->out_count, (uint32_t)OUT_IOVECS); h.msg_iovlen++) {
        struct conn_out *o = out_at(p, (uint32_t)h.msg_iovlen);
        vec[h.msg_iovlen] = (struct iovec){o->blk->data + o->head, o->len};
        total += o->len;
    }
    ssize_t n;
    do
        n = sendmsg(p->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        conn_fail(c, "send", errno);
        return false;
    }
    if (n > 0) {
        p->last_out = loop_now(c->loop);
        out_advance(p, (size_t)n);
    }
    /* Edge-triggered: room again is a new event. */
    p->writable = n == (ssize_t)total;
    return p->writable;
}

/* All that was queued before conn_close_after_flush() is with the kernel. */
static void conn_flushed(struct conn *c)
{
    struct conn_priv *p = c->priv;
    if (p->draining)
        return;
    if (p->eof || shutdown(p->fd, SHUT_WR) < 0) {
        conn_close(c);
        return;
    }
    p->draining = true;
    p->drain_until = loop_now(c->loop) + OUT_DRAIN;
    conn_read(c);
}

void conn_flush_run(struct task *t)
{
    struct conn *c = &container_of(t, struct conn_full, priv.flush_task)->pub;
    struct conn_priv *p = c->priv;
    p->flush_set = false;
    if (c->is_closed || p->connecting)
        return;
    while (p->out_count && p->writable && conn_transmit(c))
        ;
    if (c->is_closed)
        return;
    tell_sent(p);
    if (p->out_count == 0) {
        conn_drop_output(c); /* the ring */
        if (p->closing)
            conn_flushed(c);
        else
            conn_maybe_end(c);
        if (c->is_closed)
            return;
    }
    if (p->paused && !p->closing && !conn_over_limit(c))
        conn_read_later(c);
    conn_arm(c);
}
