/* rpc_udp.c - RPC over UDP: one datagram is one call. All sockets are on the first loop. */
#include "rpc_int.h"
#include <errno.h>

static void udp_datagram(void *arg, struct udp *net, const uint8_t *p, size_t n, const struct sockaddr_storage *from)
{
    struct rpc_udp *u = arg;
    if (n == 0 || u->home->stopping)
        return;
    struct blk *b = blk_get(n);
    struct rpc_call *c = b ? rpc_call_get(u->home, u->svc) : NULL;
    if (!c) {
        blk_put(b);
        return; /* the client sends it again */
    }
    memcpy(b->data, p, n);
    b->len = (uint32_t)n;
    c->msg = (struct msg){.data = b->data, .len = (uint32_t)n, .blk = b};
    c->udp = net;
    c->udp_peer = *from;
    c->peer = &c->udp_peer;
    addr_format(from, c->udp_name, sizeof c->udp_name);
    c->peer_name = c->udp_name;
    rpc_call_receive(c);
}

int rpc_listen_udp(struct rpc_server *s, const struct rpc_service *svc, const char *addr)
{
    struct rpc_udp *u = calloc(1, sizeof *u);
    if (!u)
        return -ENOMEM;
    u->home = &s->loops[0];
    u->svc = svc;
    int r = udp_open(u->home->loop, addr, udp_datagram, u, &u->net);
    if (r < 0) {
        free(u);
        return r;
    }
    u->next = s->udps;
    s->udps = u;
    return 0;
}

void rpc_udp_close_all(struct rpc_server *s)
{
    while (s->udps) {
        struct rpc_udp *u = s->udps;
        s->udps = u->next;
        udp_close(u->net);
        free(u);
    }
}
