/* nfs_clients.c - who is there: connections, and hosts that are monitored for their locks. For the administrator. */
#include "nfs_int.h"
#include "nsm.h"

struct walk {
    void (*fn)(void *arg, const struct nfs_client_info *c);
    void *arg;
};

static void on_conn(void *arg, const struct conn *c, uint64_t since, unsigned calls)
{
    const struct walk *w = arg;
    w->fn(w->arg, &(struct nfs_client_info){.addr = &c->peer, .since = since, .calls = calls});
}

static void on_host(void *arg, const char *name, const struct sockaddr_storage *addr)
{
    const struct walk *w = arg;
    w->fn(w->arg, &(struct nfs_client_info){.addr = addr, .name = name});
}

void nfs_clients_each(struct nfs_server *s, void (*fn)(void *arg, const struct nfs_client_info *c), void *arg)
{
    struct walk w = {fn, arg};
    rpc_conns_each(s->rpc, &s->svc, on_conn, &w);
    nsm_each(s->nsm, on_host, &w);
}
