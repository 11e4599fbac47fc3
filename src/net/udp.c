/* udp.c - datagrams on one loop.
 *
 * A server with several addresses must answer from the one that was asked (RFC 1123 §2.3), so the destination of the
 * datagram being handled is kept and used for answers to its sender. What cannot be sent at once is dropped: its sender
 * asks again. Knows nothing of what is in a datagram. */
#include "internal.h"
#include <errno.h>
#include <netinet/in.h>

#define UDP_BATCH 32
#define UDP_LARGEST 65536

struct udp {
    struct loop *loop;
    struct watch watch;
    void (*fn)(void *arg, struct udp *u, const uint8_t *p, size_t n, const struct sockaddr_storage *from);
    void *arg;
    uint16_t port;
    sa_family_t family; /* the socket's */
    bool *gone;         /* set by udp_close() within fn */
    const struct sockaddr_storage *from;
    struct blk *buf;
    size_t control_len; /* of the datagram being handled: its IP_PKTINFO or IPV6_PKTINFO */
    uint8_t control[256] __attribute__((aligned(16)));
};

/* Keeps only where the datagram was sent to, with no interface: routing chooses that. */
static void udp_keep_local(struct udp *u, struct msghdr *h)
{
    u->control_len = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        size_t len;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *i = (void *)CMSG_DATA(c);
            i->ipi_spec_dst = i->ipi_addr;
            i->ipi_ifindex = 0;
            len = sizeof *i;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *i = (void *)CMSG_DATA(c);
            if (IN6_IS_ADDR_MULTICAST(&i->ipi6_addr))
                continue;
            if (!IN6_IS_ADDR_LINKLOCAL(&i->ipi6_addr))
                i->ipi6_ifindex = 0;
            len = sizeof *i;
        } else {
            continue;
        }
        memmove(u->control, c, CMSG_LEN(len));
        u->control_len = CMSG_SPACE(len);
        return;
    }
}

/* False: nothing more now, or closed. */
static bool udp_receive(struct udp *u)
{
    struct sockaddr_storage from = {0};
    struct iovec vec = {u->buf->data, UDP_LARGEST};
    struct msghdr h = {.msg_name = &from,
                       .msg_namelen = sizeof from,
                       .msg_iov = &vec,
                       .msg_iovlen = 1,
                       .msg_control = u->control,
                       .msg_controllen = sizeof u->control};
    ssize_t n = recvmsg(u->watch.fd, &h, MSG_DONTWAIT);
    if (n < 0)
        return errno != EAGAIN; /* others report an earlier datagram's fate */
    udp_keep_local(u, &h);
    addr_unmap(&from);
    bool gone = false;
    u->gone = &gone;
    u->from = &from;
    u->fn(u->arg, u, u->buf->data, (size_t)n, &from);
    if (gone)
        return false;
    u->gone = NULL;
    u->from = NULL;
    return true;
}

static void udp_event(struct watch *w, uint32_t events)
{
    struct udp *u = container_of(w, struct udp, watch);
    for (unsigned i = 0; i < UDP_BATCH && udp_receive(u); i++)
        ;
}

/* The form that the socket's family can send to. */
static socklen_t udp_map(const struct udp *u, const struct sockaddr_storage *to, struct sockaddr_storage *ret)
{
    *ret = *to;
    if (to->ss_family == AF_INET6)
        return sizeof(struct sockaddr_in6);
    if (u->family == AF_INET)
        return sizeof(struct sockaddr_in);
    const struct sockaddr_in *in = (const struct sockaddr_in *)to;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = in->sin_port};
    in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&in6.sin6_addr.s6_addr[12], &in->sin_addr, 4);
    memcpy(ret, &in6, sizeof in6);
    return sizeof in6;
}

void udp_send(struct udp *u, const struct sockaddr_storage *to, const void *p, size_t n)
{
    struct sockaddr_storage name;
    struct iovec vec = {(void *)(uintptr_t)p, n};
    struct msghdr h = {.msg_name = &name, .msg_namelen = udp_map(u, to, &name), .msg_iov = &vec, .msg_iovlen = 1};
    if (u->from && memcmp(u->from, to, sizeof *to) == 0 && u->control_len) {
        h.msg_control = u->control;
        h.msg_controllen = u->control_len;
    }
    if (sendmsg(u->watch.fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_debug("net", "event=udp_send_failed port=%u error=\"%m\"", u->port);
}

struct udp_start {
    struct udp *udp;
    int result;
};

static void udp_start(void *arg)
{
    struct udp_start *s = arg;
    s->result = loop_watch(s->udp->loop, &s->udp->watch);
}

static void udp_free(struct udp *u)
{
    util_closep(&u->watch.fd);
    blk_put(u->buf);
    free(u);
}

static int udp_setup(struct udp *u, const char *addr)
{
    int on = 1;
    socklen_t len = sizeof(int);
    int fd = addr_bind(addr, SOCK_DGRAM, &u->port), domain = AF_INET;
    if (fd < 0)
        return fd;
    u->watch.fd = fd;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
        return -errno;
    u->family = (sa_family_t)domain;
    if (domain == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    else
        (void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    u->buf = blk_get(UDP_LARGEST);
    return u->buf ? 0 : -ENOMEM;
}

int udp_open(struct loop *l, const char *addr, void (*fn)(void *arg, struct udp *u, const uint8_t *p, size_t n,
             const struct sockaddr_storage *from), void *arg, struct udp **ret)
{
    struct udp *u = calloc(1, sizeof *u);
    if (!u)
        return -ENOMEM;
    u->loop = l;
    u->fn = fn;
    u->arg = arg;
    u->watch = (struct watch){.fd = -1, .events = EPOLLIN, .fn = udp_event};
    struct udp_start start = {.udp = u, .result = udp_setup(u, addr)};
    if (start.result == 0) {
        *ret = u; /* fn may be called before loop_call() returns */
        loop_call(l, udp_start, &start);
    }
    if (start.result < 0)
        udp_free(u);
    return start.result;
}

uint16_t udp_port(const struct udp *u)
{
    return u->port;
}

static void udp_stop(void *arg)
{
    struct udp *u = arg;
    loop_unwatch(u->loop, &u->watch);
    if (u->gone)
        *u->gone = true;
    udp_free(u);
}

void udp_close(struct udp *u)
{
    if (u)
        loop_call(u->loop, udp_stop, u);
}
