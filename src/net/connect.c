/* connect.c - connections made by this side. Knows nothing of whom it calls and why. */
#include "internal.h"
#include <errno.h>
#include <netinet/in.h>
#include <sys/random.h>

#define PORT_FIRST 600 /* below are the well-known services */
#define PORT_LAST 1023
#define PORT_TRIES 64

/* Binds to any address and a free port of the reserved range, beginning at a random one. 0 or -errno; without the
 * privilege the socket stays unbound. */
static int connect_bind_reserved(int fd, sa_family_t family)
{
    uint16_t start = 0;
    (void)!getrandom(&start, sizeof start, GRND_NONBLOCK);
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        uint16_t port = htons((uint16_t)(PORT_FIRST + (start + i) % (PORT_LAST - PORT_FIRST + 1)));
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = port};
        const void *a = family == AF_INET ? (const void *)&in : (const void *)&in6;
        if (bind(fd, a, family == AF_INET ? sizeof in : sizeof in6) == 0 || errno == EACCES)
            return 0;
        if (errno != EADDRINUSE)
            return -errno;
    }
    return -EADDRINUSE;
}

int conn_connect(struct loop *l, const struct sockaddr_storage *to, socklen_t to_len, bool reserved_port,
                 const struct conn_ops *ops, const struct conn_limits *limits, void *owner, struct conn **ret)
{
    int fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (reserved_port && (to->ss_family == AF_INET || to->ss_family == AF_INET6)) {
        int r = connect_bind_reserved(fd, to->ss_family);
        if (r < 0) {
            close(fd);
            return r;
        }
    }
    int err = connect(fd, (const struct sockaddr *)to, to_len) < 0 ? errno : 0;
    struct conn *c;
    int r = conn_make(l, fd, true, ops, limits, owner, &c);
    if (r < 0)
        return r;
    memcpy(&c->peer, to, MIN((size_t)to_len, sizeof c->peer));
    addr_unmap(&c->peer);
    addr_format(&c->peer, c->peer_name, sizeof c->peer_name);
    *ret = c;
    if (err && err != EINPROGRESS && err != EINTR)
        conn_fail(c, "connect", err); /* closed() follows, as for a failure that takes longer */
    return 0;
}
