/* peer.h - a server of one connection over a socketpair, for the tests of connections. A message is a 32-bit big-endian
 * length and that many bytes. What the server does with messages is chosen by `mode`. */
#pragma once
#include "base/bytes.h"
#include "net/conn.h"
#include "cm.h"
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>

enum peer_mode { PEER_ECHO, PEER_KEEP, PEER_HOLD };

struct peer {
    struct loop *loop;
    struct conn *conn;
    struct conn_limits limits;
    enum peer_mode mode;
    int fd; /* the client's end, blocking */
    struct msg kept[512];
    unsigned nkept; /* loop thread */
    _Atomic unsigned messages, closed, frames;
};

static inline struct blk *peer_blk(const void *data, uint32_t n)
{
    struct blk *b = blk_get(n);
    assert_non_null(b);
    memcpy(b->data, data, n);
    b->len = n;
    return b;
}

static inline ssize_t peer_frame(struct conn *c, const uint8_t *p, size_t n)
{
    struct peer *s = c->owner;
    s->frames++;
    assert_true(n >= 1 && !c->is_closed);
    if (p[0] == 0xff)
        return -1;
    return n < 4 ? 0 : 4 + (ssize_t)get_be32(p);
}

static inline void peer_answer(struct peer *s, struct msg *m)
{
    conn_send(s->conn, peer_blk(m->data, m->len));
    msg_done(m);
    conn_finish(s->conn);
}

static inline void peer_message(struct conn *c, struct msg *m)
{
    struct peer *s = c->owner;
    assert_int_equal(m->len, 4 + get_be32(m->data));
    s->messages++;
    if (s->mode == PEER_ECHO) {
        peer_answer(s, m);
        return;
    }
    assert_true(s->nkept < ARRAY_LEN(s->kept));
    s->kept[s->nkept++] = *m;
    if (s->mode == PEER_HOLD)
        conn_hold(c);
}

static inline void peer_closed(struct conn *c)
{
    struct peer *s = c->owner;
    assert_true(c->is_closed);
    for (unsigned i = 0; i < s->nkept; i++) {
        msg_done(&s->kept[i]);
        conn_finish(c);
    }
    s->nkept = 0;
    s->closed++;
    conn_unref(c);
}

static const struct conn_ops peer_ops = {peer_frame, peer_message, peer_closed};

struct peer_start {
    struct peer *s;
    int fd;
};

static inline void peer_begin(void *arg)
{
    struct peer_start *p = arg;
    assert_int_equal(conn_open(p->s->loop, p->fd, &peer_ops, &p->s->limits, p->s, &p->s->conn), 0);
}

static inline void peer_open(struct peer *s, enum peer_mode mode, struct conn_limits limits)
{
    int fds[2];
    *s = (struct peer){.limits = limits, .mode = mode};
    if (!s->limits.max_message)
        s->limits.max_message = BLK_MAX;
    assert_int_equal(loop_create(&s->loop), 0);
    assert_int_equal(loop_start(s->loop, 0), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    s->fd = fds[0];
    struct timeval patience = {.tv_sec = 10};
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct peer_start start = {s, fds[1]};
    loop_call(s->loop, peer_begin, &start);
}

static inline void peer_close_conn(void *arg)
{
    struct peer *s = arg;
    if (!s->closed)
        conn_close(s->conn);
}

static inline void peer_end(struct peer *s)
{
    loop_call(s->loop, peer_close_conn, s);
    wait_for(s->closed == 1);
    loop_stop(s->loop);
    loop_free(s->loop);
    close(s->fd);
}

/* Answers and forgets the first n kept messages. */
struct peer_release {
    struct peer *s;
    unsigned n;
};

static inline void peer_release_run(void *arg)
{
    struct peer_release *r = arg;
    struct peer *s = r->s;
    for (unsigned i = 0; i < r->n; i++) {
        if (s->mode == PEER_HOLD)
            conn_unhold(s->conn);
        peer_answer(s, &s->kept[i]);
    }
    memmove(s->kept, s->kept + r->n, (s->nkept - r->n) * sizeof s->kept[0]);
    s->nkept -= r->n;
}

static inline void peer_release(struct peer *s, unsigned n)
{
    loop_call(s->loop, peer_release_run, &(struct peer_release){s, n});
}

/* The client's side. */
static inline void put_all(int fd, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n) {
        ssize_t m = send(fd, p, n, MSG_NOSIGNAL);
        assert_true(m > 0);
        p += m;
        n -= (size_t)m;
    }
}

static inline void get_all(int fd, void *data, size_t n)
{
    uint8_t *p = data;
    while (n) {
        ssize_t m = recv(fd, p, n, 0);
        assert_true(m > 0);
        p += m;
        n -= (size_t)m;
    }
}

/* The bytes of message `number` with n bytes of payload; out holds 4 + n. */
static inline void fill(uint8_t *out, uint32_t number, uint32_t n)
{
    put_be32(out, n);
    for (uint32_t i = 0; i < n; i++)
        out[4 + i] = (uint8_t)(number * 31 + i * 7);
}

static inline void expect_echo(int fd, uint32_t number, uint32_t n)
{
    uint8_t *want = malloc(4 + n), *got = malloc(4 + n);
    fill(want, number, n);
    get_all(fd, got, 4 + n);
    assert_memory_equal(got, want, 4 + n);
    free(want);
    free(got);
}

static inline void ask(int fd, uint32_t number, uint32_t n)
{
    uint8_t *out = malloc(4 + n);
    fill(out, number, n);
    put_all(fd, out, 4 + n);
    free(out);
}

static inline bool quiet(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 0;
}
