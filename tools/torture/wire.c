/* wire.c - see wire.h: sockets and the one loop. */
#include "wire.h"
#include "pcap.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { EVENTS = 64, CHUNK = 65536, DATAGRAM_MAX = 65536 };

void torture_fail(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    fputs("concord-torture: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(2);
}

uint64_t wire_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

void wire_init(struct wire *w)
{
    memset(w, 0, sizeof *w);
    w->patience = 60000;
    list_init(&w->conns);
    list_init(&w->dead);
    if ((w->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        torture_fail("epoll: %s", strerror(errno));
}

static void conn_free(struct wire_conn *c)
{
    list_remove(&c->link);
    free(c->in);
    free(c->out);
    free(c);
}

void wire_done(struct wire *w)
{
    struct wire_conn *c;
    while ((c = list_first(&w->conns, struct wire_conn, link)) != NULL)
        wire_close(c, true);
    close(w->epoll);
    pcap_close(w->pcap);
}

/* --- Making connections. */

static void *need(void *p)
{
    if (!p)
        torture_fail("out of memory");
    return p;
}

static struct wire_conn *conn_new(struct wire *w, enum wire_kind kind, int fd)
{
    struct wire_conn *c = need(calloc(1, sizeof *c));
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    socklen_t n = sizeof c->local;
    c->wire = w;
    c->kind = kind;
    c->fd = fd;
    getsockname(fd, (struct sockaddr *)&c->local, &n);
    list_append(&w->conns, &c->link);
    if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        torture_fail("epoll: %s", strerror(errno));
    return c;
}

static int socket_new(int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        torture_fail("socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

struct wire_conn *wire_connect(struct wire *w, enum wire_kind kind, const struct sockaddr_in *from,
                               const struct sockaddr_in *to)
{
    int fd = socket_new(SOCK_STREAM), no_port = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &no_port, sizeof no_port);
    if ((from->sin_addr.s_addr && bind(fd, (const struct sockaddr *)from, sizeof *from) < 0) ||
        connect(fd, (const struct sockaddr *)to, sizeof *to) < 0) {
        int e = errno;
        close(fd);
        errno = e;
        return NULL;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct wire_conn *c = conn_new(w, kind, fd);
    c->peer = *to;
    return c;
}

struct wire_conn *wire_listen(struct wire *w, enum wire_kind kind, const struct sockaddr_in *at)
{
    int fd = socket_new(kind == WIRE_UDP ? SOCK_DGRAM : SOCK_STREAM);
    if (bind(fd, (const struct sockaddr *)at, sizeof *at) < 0 || (kind != WIRE_UDP && listen(fd, 16) < 0)) {
        int e = errno;
        close(fd);
        errno = e;
        return NULL;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return conn_new(w, kind, fd);
}

void wire_close(struct wire_conn *c, bool abort)
{
    if (!c || c->closed)
        return;
    if (abort && c->kind <= WIRE_SMB)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(c->fd);
    c->closed = true;
    if (c->wire->reading) { /* perhaps from within its own message: freed when nobody looks at it */
        list_remove(&c->link);
        list_append(&c->wire->dead, &c->link);
    } else {
        conn_free(c);
    }
}

/* --- Sending. */

static void capture(struct wire_conn *c, bool out, const uint8_t *p, size_t n)
{
    if (!c->wire->pcap)
        return;
    struct sockaddr_in us = c->local, them = c->peer;
    if (c->known_port)
        *(c->accepted ? &us.sin_port : &them.sin_port) = htons(c->known_port);
    struct sockaddr_in *from = out ? &us : &them, *to = out ? &them : &us;
    if (c->kind == WIRE_UDP)
        pcap_udp(c->wire->pcap, from, to, p, n);
    else
        pcap_tcp(c->wire->pcap, from, to, out ? &c->sent : &c->received, out ? c->received : c->sent, p, n);
}

static void watch(struct wire_conn *c)
{
    struct epoll_event e = {.events = EPOLLIN | (c->nout ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(c->wire->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void reserve(uint8_t **p, size_t *cap, size_t n)
{
    if (n <= *cap)
        return;
    *cap = MAX(2 * *cap, n);
    *p = need(realloc(*p, *cap));
}

static void flush(struct wire_conn *c)
{
    ssize_t n = send(c->fd, c->out, c->nout, MSG_NOSIGNAL);
    if (n < 0)
        n = errno == EAGAIN ? 0 : (ssize_t)c->nout; /* a dead connection says so when it is read */
    memmove(c->out, c->out + n, c->nout - (size_t)n);
    c->nout -= (size_t)n;
    watch(c);
}

void wire_send(struct wire_conn *c, uint8_t *message, size_t n)
{
    if (!c || c->closed)
        return;
    if (c->kind == WIRE_UDP) {
        capture(c, true, message, n);
        (void)!sendto(c->fd, message, n, 0, (struct sockaddr *)&c->peer, sizeof c->peer);
        return;
    }
    put_be32(message, (uint32_t)(n - 4) | (c->kind == WIRE_RPC ? 0x80000000u : 0));
    capture(c, true, message, n);
    reserve(&c->out, &c->out_cap, c->nout + n);
    memcpy(c->out + c->nout, message, n);
    c->nout += n;
    flush(c);
}

/* --- Receiving. */

static void gone(struct wire_conn *c)
{
    if (c->on_close)
        c->on_close(c);
    wire_close(c, false);
}

/* Joins the fragments of a record ([RFC 5531] 11) that begins at p: gives its end, 0 when it is not all there. */
static size_t join(uint8_t *p, size_t n, size_t *ret_len)
{
    size_t at = 0, len = 0;
    for (bool last = false; !last;) {
        if (n - at < 4)
            return 0;
        uint32_t mark = get_be32(p + at), size = mark & 0x7fffffff;
        if (n - at - 4 < size)
            return 0;
        last = mark >> 31;
        at += 4 + size;
    }
    for (size_t from = 0; from < at;) {
        uint32_t size = get_be32(p + from) & 0x7fffffff;
        memmove(p + 4 + len, p + from + 4, size);
        len += size;
        from += 4 + size;
    }
    *ret_len = len;
    return at;
}

static size_t whole(const struct wire_conn *c, uint8_t *p, size_t n, size_t *ret_len)
{
    if (c->kind == WIRE_RPC)
        return join(p, n, ret_len);
    if (n < 4 || n - 4 < get_be32(p))
        return 0;
    *ret_len = get_be32(p);
    return *ret_len + 4;
}

static void messages(struct wire_conn *c)
{
    size_t at = 0, used, len;
    while (!c->closed && (used = whole(c, c->in + at, c->nin - at, &len)) != 0) {
        c->wire->arrivals++;
        c->on_message(c, c->in + at + 4, len);
        at += used;
    }
    memmove(c->in, c->in + at, c->nin - at);
    c->nin -= at;
}

static bool read_stream(struct wire_conn *c) /* false: nothing there */
{
    reserve(&c->in, &c->cap, c->nin + CHUNK);
    ssize_t n = recv(c->fd, c->in + c->nin, CHUNK, 0);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0 || c->nin + (size_t)n > 2 * WIRE_MESSAGE_MAX) {
        gone(c);
        return false;
    }
    capture(c, false, c->in + c->nin, (size_t)n);
    c->nin += (size_t)n;
    messages(c);
    return true;
}

void wire_drain(struct wire_conn *c)
{
    if (!c || c->closed)
        return;
    c->wire->reading = true; /* freed in the next turn, if it ends */
    while (!c->closed && read_stream(c))
        ;
    c->wire->reading = false;
}

static void read_datagram(struct wire_conn *c)
{
    socklen_t peer = sizeof c->peer;
    reserve(&c->in, &c->cap, DATAGRAM_MAX);
    ssize_t n = recvfrom(c->fd, c->in, DATAGRAM_MAX, 0, (struct sockaddr *)&c->peer, &peer);
    if (n <= 0)
        return;
    capture(c, false, c->in, (size_t)n);
    c->wire->arrivals++;
    c->on_message(c, c->in, (size_t)n);
}

static void read_listener(struct wire_conn *l)
{
    struct sockaddr_in peer;
    socklen_t n = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct wire_conn *c = conn_new(l->wire, WIRE_RPC, fd);
    c->peer = peer;
    c->accepted = true;
    c->known_port = l->known_port;
    l->on_accept(l, c);
}

static void read_conn(struct wire_conn *c)
{
    c->ready = false;
    if (c->closed)
        return;
    switch (c->kind) {
    case WIRE_LISTENER: read_listener(c); break;
    case WIRE_UDP: read_datagram(c); break;
    default: read_stream(c);
    }
}

static void turn(struct wire *w, int ms)
{
    struct epoll_event e[EVENTS];
    int n = epoll_wait(w->epoll, e, EVENTS, ms);
    struct wire_conn *c;
    bool rpc = false;
    w->reading = true;
    for (int i = 0; i < n; i++) {
        c = e[i].data.ptr;
        if (e[i].events & EPOLLOUT)
            flush(c);
        c->ready = (e[i].events & ~(uint32_t)EPOLLOUT) != 0;
        rpc |= c->ready && c->kind != WIRE_SMB;
    }
    /* What SMB servers had queued before an RPC peer answered is there by now, whether epoll named it or not. */
    list_each(c, &w->conns, link)
        if (c->kind == WIRE_SMB && (c->ready || rpc))
            read_conn(c);
    for (int i = 0; i < n; i++) {
        c = e[i].data.ptr;
        if (c->ready && c->kind != WIRE_SMB)
            read_conn(c);
    }
    w->reading = false;
    while ((c = list_first(&w->dead, struct wire_conn, link)) != NULL)
        conn_free(c);
}

bool wire_wait(struct wire *w, unsigned ms, bool (*done)(void *arg), void *arg)
{
    uint64_t end = wire_now() + ms * NSEC_PER_MSEC, now;
    while (!done(arg)) {
        if ((now = wire_now()) >= end)
            return false;
        turn(w, (int)((end - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC));
    }
    return true;
}

static bool never(void *arg) { return false; }
void wire_idle(struct wire *w, unsigned ms)
{
    turn(w, 0);
    wire_wait(w, ms, never, NULL);
}
