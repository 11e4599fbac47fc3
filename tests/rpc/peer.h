/* peer.h - a blocking RPC client over a socket, for tests: writes raw bytes, reads whole records. Its own few lines of
 * XDR, so that the server's are judged by others. */
#pragma once
#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct bytes { /* what is written or was received; `at` reads */
    uint8_t *p;
    size_t n, cap, at;
};
__attribute__((noinline, unused)) static void put(struct bytes *b, const void *p, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2 + 256;
        b->p = realloc(b->p, b->cap);
        assert(b->p);
    }
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
}
static inline void put32(struct bytes *b, uint32_t v)
{
    v = htobe32(v);
    put(b, &v, 4);
}
static inline void put64(struct bytes *b, uint64_t v)
{
    v = htobe64(v);
    put(b, &v, 8);
}
static inline void put_opaque(struct bytes *b, const void *p, size_t n)
{
    put32(b, (uint32_t)n);
    put(b, p, n);
    put(b, "\0\0\0", (4 - n % 4) % 4);
}
static inline void put_str(struct bytes *b, const char *s) { put_opaque(b, s, strlen(s)); }
static inline const uint8_t *get(struct bytes *b, size_t n)
{
    assert(b->at + n <= b->n);
    const uint8_t *p = b->p + b->at;
    b->at += n;
    return p;
}
static inline uint32_t get32(struct bytes *b)
{
    uint32_t v;
    memcpy(&v, get(b, 4), 4);
    return be32toh(v);
}
static inline uint64_t get64(struct bytes *b)
{
    uint64_t v;
    memcpy(&v, get(b, 8), 8);
    return be64toh(v);
}
static inline const uint8_t *get_opaque(struct bytes *b, uint32_t *n)
{
    *n = get32(b);
    const uint8_t *p = get(b, *n);
    get(b, (4 - *n % 4) % 4);
    return p;
}
static inline void drop(struct bytes *b)
{
    free(b->p);
    *b = (struct bytes){0};
}

/* A call's header with AUTH_SYS for uid and gid; UINT32_MAX: AUTH_NONE. */
static inline struct bytes call_of(uint32_t xid, uint32_t prog, uint32_t vers, uint32_t proc, uint32_t uid)
{
    struct bytes b = {0};
    put32(&b, xid);
    put32(&b, 0);
    put32(&b, 2);
    put32(&b, prog);
    put32(&b, vers);
    put32(&b, proc);
    if (uid == UINT32_MAX) {
        put64(&b, 0);
    } else {
        put32(&b, 1);
        put32(&b, 20);
        put32(&b, 0); /* stamp */
        put32(&b, 0); /* machine name "" */
        put32(&b, uid);
        put32(&b, uid);
        put32(&b, 0); /* no more groups */
    }
    put64(&b, 0);
    return b;
}

static inline int peer_connect(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}
static inline void peer_write(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t w = send(fd, (const char *)p + at, n - at, MSG_NOSIGNAL);
        if (w <= 0)
            return; /* closed by the server: reading will tell */
        at += (size_t)w;
    }
}
static inline void peer_send(int fd, const struct bytes *b)
{
    struct bytes m = {0};
    put32(&m, 0x80000000u | (uint32_t)b->n);
    put(&m, b->p, b->n);
    peer_write(fd, m.p, m.n);
    drop(&m);
}
static inline bool peer_read(int fd, void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = recv(fd, (char *)p + at, n - at, 0);
        if (r <= 0)
            return false;
        at += (size_t)r;
    }
    return true;
}
static inline bool peer_ready(int fd, int ms)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, ms) == 1;
}
/* The next record; n = 0 and p = NULL when the connection was closed. */
static inline struct bytes peer_recv(int fd)
{
    uint32_t mark;
    struct bytes b = {0};
    if (!peer_read(fd, &mark, 4))
        return b;
    mark = be32toh(mark);
    assert(mark & 0x80000000u);
    b.n = b.cap = mark & 0x7fffffffu;
    b.p = malloc(b.n + 1);
    if (!peer_read(fd, b.p, b.n))
        drop(&b);
    return b;
}
/* Sends the call (and drops it), returns the reply positioned behind an accepted SUCCESS. */
static inline struct bytes peer_call(int fd, struct bytes call)
{
    uint32_t xid;
    memcpy(&xid, call.p, 4);
    peer_send(fd, &call);
    drop(&call);
    struct bytes r = peer_recv(fd);
    assert(r.p);
    assert(get32(&r) == be32toh(xid));
    assert(get32(&r) == 1 && get32(&r) == 0 && get64(&r) == 0 && get32(&r) == 0);
    return r;
}
