/* conn_recv.c - receiving: whole messages in place.
 *
 * A connection without a partial message receives into the loop's shared block, and its messages are references into
 * that block. A partial message at the end moves to a block of the connection's own, of the message's size when that is
 * known, and the next recvmsg() fills first the rest of that and then the shared block. So a burst of small requests
 * costs one system call, a large one is received where it will be decoded, and an idle connection holds nothing.
 * Knows nothing of framing but what conn_ops.frame says. */
#include "internal.h"
#include <errno.h>
#include <sys/uio.h>

#define RX_BLOCK (64u << 10)       /* the shared block */
#define RX_ROOM (16u << 10)        /* least room for receiving into it */
#define RX_PARTIAL 512u            /* first block of a message of unknown length */
#define RX_TRUSTED (1100u << 10)   /* a larger message gets its block in steps, as its bytes come */
#define RX_STEP 16                 /* ... the last one when this part of it is here */
#define RX_TURN_BYTES (1u << 20)   /* from one connection before others get their turn */
#define RX_TURN_CALLS 8
#define RX_LOG_PERIOD (60 * NSEC_PER_SEC)

void conn_drop_input(struct conn *c)
{
    blk_put(TAKE_PTR(c->priv->in));
    c->priv->need = 0;
}

void conn_read_later(struct conn *c)
{
    struct conn_priv *p = c->priv;
    if (p->work_set)
        return;
    p->work_set = true;
    conn_ref(c);
    loop_post(c->loop, &p->work_task);
}

_Static_assert(BLK_MAX / RX_STEP < RX_TRUSTED, "a step always makes room");

/* The loop's block with at least RX_ROOM free. When nobody refers to its bytes any more it starts afresh, still warm in
 * the cache. Where addresses are checked it is used once, so that bytes read after msg_done() are found out. */
static struct blk *rx_block(struct loop *l)
{
    if (l->rx && !UTIL_ASAN && atomic_load_explicit(&l->rx->refs, memory_order_acquire) == 1)
        l->rx_tail = 0;
    if (!l->rx || l->rx->cap - l->rx_tail < RX_ROOM || (UTIL_ASAN && l->rx_tail)) {
        blk_put(l->rx);
        l->rx = blk_get(RX_BLOCK);
        l->rx_tail = 0;
    }
    return l->rx;
}

/* The message of n bytes at in_head. The last one of a block takes the connection's reference over. */
static struct msg conn_take_message(struct conn_priv *p, uint32_t n)
{
    struct msg m = {.data = p->in->data + p->in_head, .len = n, .blk = p->in};
    p->in_head += n;
    p->need = 0;
    p->pace_in = (struct conn_pace){.since = p->last_in}; /* the next one begins */
    if (p->in_head == p->in_tail)
        p->in = NULL;
    else
        blk_ref(m.blk);
    return m;
}

/* True: there is a whole message of *ret_len bytes. Else `need` says what is known, or the connection is closed. */
static bool conn_frame(struct conn *c, uint32_t *ret_len)
{
    struct conn_priv *p = c->priv;
    uint32_t have = p->in_tail - p->in_head, max = MIN(c->limits->max_message, BLK_MAX);
    ssize_t n = p->need ? (ssize_t)p->need : c->ops->frame(c, p->in->data + p->in_head, have);
    if (c->is_closed || p->closing)
        return false;
    if (n < 0) {
        conn_fail(c, "not a message", 0);
        return false;
    }
    if ((size_t)n > max || (n == 0 && have >= max)) {
        if (log_allow(&c->bad_input, 3, RX_LOG_PERIOD))
            log_warn("net", "event=message_too_large peer=%s bytes=%zd limit=%u", c->peer_name, n, max);
        conn_fail(c, "message too large", 0);
        return false;
    }
    p->need = (uint32_t)n;
    *ret_len = (uint32_t)n;
    return n > 0 && have >= (uint32_t)n;
}

/* Hands out what is whole. Leaves `in` NULL, or a partial message, or (paused) anything. */
static void conn_parse(struct conn *c)
{
    struct conn_priv *p = c->priv;
    while (p->in) {
        uint32_t n;
        if (conn_over_limit(c)) {
            p->paused = true;
            return;
        }
        if (!conn_frame(c, &n))
            return;
        struct msg m = conn_take_message(p, n);
        p->unfinished++;
        p->last_message = loop_now(c->loop);
        c->ops->message(c, &m);
    }
}

/* Makes room behind a partial message in a block that is ours alone. False: closed for lack of memory. */
static bool conn_carry(struct conn *c)
{
    struct conn_priv *p = c->priv;
    uint32_t have = p->in_tail - p->in_head, want = p->need ? p->need : MAX(2 * have, RX_PARTIAL);
    if (p->in_own && p->in_tail < p->in->cap && (p->need == 0 || p->in->cap - p->in_head >= p->need))
        return true;
    /* Announcing much costs a peer nothing, so it does not cost us much either. */
    if (want > RX_TRUSTED && have < want / RX_STEP) {
        want = RX_TRUSTED;
        if (p->in_own && p->in_tail < p->in->cap && p->in->cap - p->in_head >= want)
            return true;
    }
    struct blk *b = blk_get(MIN(want, BLK_MAX));
    if (!b) {
        conn_fail(c, "out of memory", ENOMEM);
        return false;
    }
    memcpy(b->data, p->in->data + p->in_head, have);
    blk_put(p->in);
    p->in = b;
    p->in_head = 0;
    p->in_tail = have;
    p->in_own = true;
    return true;
}

/* Where the next bytes go: *ret_own of them behind the partial message, the rest into the shared block. */
static int conn_vec(struct conn *c, struct iovec vec[2], size_t *ret_own)
{
    struct conn_priv *p = c->priv;
    int n = 0;
    *ret_own = 0;
    if (p->in) {
        size_t cap = p->in->cap;
        bool all = p->need && cap - p->in_head >= p->need;
        *ret_own = (all ? p->in_head + p->need : cap) - p->in_tail;
        vec[n++] = (struct iovec){p->in->data + p->in_tail, *ret_own};
        if (!all)
            return n;
    }
    struct blk *rx = rx_block(c->loop);
    if (rx)
        vec[n++] = (struct iovec){rx->data + c->loop->rx_tail, rx->cap - c->loop->rx_tail};
    return n;
}

static bool conn_alive(const struct conn *c)
{
    return !c->is_closed && !c->priv->closing;
}

/* n bytes were received as conn_vec() laid them out. */
static void conn_received(struct conn *c, size_t n, size_t own)
{
    struct conn_priv *p = c->priv;
    size_t mine = MIN(n, own);
    struct loop *l = c->loop;
    uint32_t at = l->rx_tail;
    struct blk *shared = NULL;
    if (n > mine) {
        shared = blk_ref(l->rx);
        l->rx_tail += (uint32_t)(n - mine);
    }
    p->last_in = loop_now(l);
    if (!p->in)
        p->pace_in = (struct conn_pace){.since = p->last_in};
    p->pace_in.bytes += n;
    if (mine) {
        p->in_tail += (uint32_t)mine;
        conn_parse(c);
    }
    if (!shared)
        return;
    if (!conn_alive(c)) {
        blk_put(shared);
        return;
    }
    p->in = shared;
    p->in_head = at;
    p->in_tail = at + (uint32_t)(n - mine);
    p->in_own = false;
    p->need = 0;
    conn_parse(c);
}

/* One recvmsg(). Bytes received, 0 when there is no more to be had now. */
static size_t conn_receive(struct conn *c)
{
    struct conn_priv *p = c->priv;
    struct iovec vec[2];
    size_t own;
    int nvec = conn_vec(c, vec, &own);
    if (nvec == 0) {
        conn_fail(c, "out of memory", ENOMEM);
        return 0;
    }
    struct msghdr h = {.msg_iov = vec, .msg_iovlen = (size_t)nvec};
    ssize_t n;
    do
        n = recvmsg(p->fd, &h, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        size_t room = vec[0].iov_len + (nvec > 1 ? vec[1].iov_len : 0);
        if ((size_t)n < room && !p->hup)
            p->readable = false; /* edge-triggered: more bytes are a new event */
        conn_received(c, (size_t)n, own);
        return (size_t)n;
    }
    p->readable = false;
    if (n < 0 && errno != EAGAIN)
        conn_fail(c, "receive", errno);
    if (n == 0) {
        p->eof = true;
        conn_drop_input(c);
    }
    return 0;
}

/* After conn_close_after_flush(): unread bytes would turn the close into a reset, and that would overtake the reply. */
static void conn_drain(struct conn *c)
{
    struct conn_priv *p = c->priv;
    uint8_t scrap[8192];
    for (unsigned i = 0; i < RX_TURN_CALLS; i++) {
        ssize_t n = recv(p->fd, scrap, sizeof scrap, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            p->eof = true;
            if (p->draining)
                conn_close(c);
            return;
        }
    }
    conn_read_later(c);
}

void conn_read(struct conn *c)
{
    struct conn_priv *p = c->priv;
    size_t got = 0;
    if (p->connecting)
        return;
    if (p->closing) {
        conn_drain(c);
        return;
    }
    if (p->paused) {
        if (conn_over_limit(c))
            return;
        p->paused = false;
        p->last_in = p->pace_in.since = loop_now(c->loop); /* that it was silent meanwhile was our doing */
        conn_parse(c);
    }
    for (unsigned i = 0; p->readable && !p->paused && conn_alive(c); i++) {
        if (i == RX_TURN_CALLS || got >= RX_TURN_BYTES) {
            conn_read_later(c);
            break;
        }
        if (conn_over_limit(c)) {
            p->paused = true;
            break;
        }
        if (p->in && !conn_carry(c))
            return;
        got += conn_receive(c);
    }
    if (!conn_alive(c))
        return;
    if (p->in && !p->paused && !conn_carry(c))
        return; /* nothing partial stays in the shared block */
    conn_maybe_end(c);
    conn_arm(c);
}
