/* host.c - see target.h. */
#include "rpc.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

const char *target_address(const char *text, struct sockaddr_in *ret)
{
    char name[256];
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    if (n >= sizeof name)
        return "the name is too long";
    memcpy(name, text, n);
    name[n] = 0;
    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return "the name has no IPv4 address";
    memcpy(ret, found->ai_addr, sizeof *ret);
    freeaddrinfo(found);
    ret->sin_port = htons((uint16_t)(colon ? atoi(colon + 1) : 0));
    return NULL;
}

const char *target_local(struct target *t, const char *nfs, const char *smb, const char *export, const char *user,
                         const char *password, uint8_t first_host)
{
    const char *wrong;
    memset(t, 0, sizeof *t);
    if ((wrong = target_address(nfs, &t->nfs)) != NULL || (wrong = target_address(smb, &t->smb)) != NULL)
        return wrong;
    t->mount = t->nlm = t->nsm = t->nfs;
    t->export_path = export;
    t->share = export + 1;
    t->user = user;
    t->password = password;
    t->domain = "";
    t->dialect = 0x311;
    t->uid = getuid();
    t->gid = getgid();
    t->sources.s_addr = htonl(0x7f000000u + first_host);
    return NULL;
}

static void got_port(struct call *c, struct cursor *in) { c->r.count = cursor_be32(in); }

uint16_t target_portmap(struct wire *w, const struct sockaddr_in *at, uint32_t prog, uint32_t vers)
{
    struct target none = {0};
    struct host h = {.wire = w, .target = &none, .name = "concord-torture"};
    struct sockaddr_in to = *at;
    struct call_result result;
    struct wbuf args;
    struct rpc r;
    to.sin_port = htons(111);
    if (!rpc_open(&r, &h, &to, 111))
        return 0;
    rpc_begin(&r, &args, 100000, 2, 3); /* GETPORT */
    wbuf_be32(&args, prog);
    wbuf_be32(&args, vers);
    wbuf_be32(&args, IPPROTO_TCP);
    wbuf_be32(&args, 0);
    uint32_t status = call_result(rpc_send(&r, &args, "GETPORT", got_port), &result);
    rpc_close(&r);
    return status ? 0 : (uint16_t)result.count;
}

void host_init(struct host *h, struct wire *w, struct target *t)
{
    uint32_t number = t->one_source ? 0 : t->hosts;
    memset(h, 0, sizeof *h);
    t->hosts++;
    h->wire = w;
    h->target = t;
    h->source.sin_family = AF_INET;
    h->source.sin_addr.s_addr = htonl(ntohl(t->sources.s_addr) + number % 200);
    snprintf(h->name, sizeof h->name, t->one_source ? "%s-%u" : "%s", inet_ntoa(h->source.sin_addr), t->hosts);
    if (getrandom(h->guid, sizeof h->guid, 0) != sizeof h->guid)
        torture_fail("no randomness");
}
