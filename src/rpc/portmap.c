/* portmap.c - the built-in port mapper. One small table under a mutex; three versions of the protocol over it. */
#include "portmap.h"
#include "rpc_client.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#define PORTMAP_MAX 256u
#define NETID_MAX 16u
#define UADDR_MAX 128u
/* RFC 1833 §2.1 */
enum { RPCBPROC_NULL, RPCBPROC_SET, RPCBPROC_UNSET, RPCBPROC_GETADDR, RPCBPROC_DUMP, RPCBPROC_GETTIME = 6,
       RPCBPROC_GETVERSADDR = 9 };

struct row {
    struct portmap_entry e;
    bool own;
};
struct portmap {
    pthread_mutex_t lock;
    struct row rows[PORTMAP_MAX];
    size_t n;
    struct rpc_service svc;
};

static const struct netid {
    const char *name;
    bool udp, v6;
} netids[] = {{"tcp", false, false}, {"udp", true, false}, {"tcp6", false, true}, {"udp6", true, true}};

/* --- The table. */

static bool set_locked(struct portmap *pm, const struct portmap_entry *e)
{
    for (size_t i = 0; i < pm->n; i++) {
        const struct portmap_entry *r = &pm->rows[i].e;
        if (r->prog == e->prog && r->vers == e->vers && r->udp == e->udp)
            return r->port == e->port;
    }
    if (pm->n == PORTMAP_MAX || e->port == 0)
        return false;
    pm->rows[pm->n++] = (struct row){.e = *e};
    return true;
}

/* All transports, as PMAP's UNSET does, or one. */
static bool unset_locked(struct portmap *pm, uint32_t prog, uint32_t vers, const struct netid *only)
{
    bool found = false;
    for (size_t i = 0; i < pm->n;) {
        const struct row *r = &pm->rows[i];
        bool match = r->e.prog == prog && r->e.vers == vers && (!only || only->udp == r->e.udp);
        if (match && r->own)
            return false;
        if (match)
            pm->rows[i] = pm->rows[--pm->n];
        else
            i++;
        found |= match;
    }
    return found;
}

/* Without that version the port of another: the program itself then says which ones it has. */
static uint16_t find(struct portmap *pm, uint32_t prog, uint32_t vers, bool udp, bool exact)
{
    uint16_t port = 0;
    pthread_mutex_lock(&pm->lock);
    for (size_t i = 0; i < pm->n; i++) {
        const struct portmap_entry *e = &pm->rows[i].e;
        if (e->prog != prog || e->udp != udp || (exact && e->vers != vers))
            continue;
        port = e->port;
        if (e->vers == vers)
            break;
    }
    pthread_mutex_unlock(&pm->lock);
    return port;
}

static struct portmap *portmap_of(const struct rpc_call *c) { return c->svc->ctx; }

/* What others find is for the machine's administrator to say. */
static bool may_change(const struct rpc_call *c)
{
    return rpc_is_local(c) && rpc_addr_port(c->peer) < IPPORT_RESERVED;
}

/* --- PMAP version 2, RFC 1833 §3. */

struct mapping {
    uint32_t prog, vers, prot, port;
};
struct bool_res {
    bool ok;
};
struct port_res {
    uint32_t port;
};

static void decode_mapping(struct cursor *in, void *args)
{
    struct mapping *m = args;
    m->prog = xdr_u32(in);
    m->vers = xdr_u32(in);
    m->prot = xdr_u32(in);
    m->port = xdr_u32(in);
}

static enum st run_pmap_set(struct rpc_call *c)
{
    const struct mapping *m = c->args;
    struct bool_res *r = c->res;
    struct portmap *pm = portmap_of(c);
    bool known = (m->prot == IPPROTO_TCP || m->prot == IPPROTO_UDP) && m->port <= UINT16_MAX;
    if (!may_change(c) || !known)
        return ST_OK;
    struct portmap_entry e = {.prog = m->prog, .vers = m->vers, .udp = m->prot == IPPROTO_UDP, .port = (uint16_t)m->port};
    pthread_mutex_lock(&pm->lock);
    r->ok = set_locked(pm, &e);
    pthread_mutex_unlock(&pm->lock);
    return ST_OK;
}

static enum st run_pmap_unset(struct rpc_call *c)
{
    const struct mapping *m = c->args;
    struct bool_res *r = c->res;
    struct portmap *pm = portmap_of(c);
    if (!may_change(c))
        return ST_OK;
    pthread_mutex_lock(&pm->lock);
    r->ok = unset_locked(pm, m->prog, m->vers, NULL);
    pthread_mutex_unlock(&pm->lock);
    return ST_OK;
}

static enum st run_getport(struct rpc_call *c)
{
    const struct mapping *m = c->args;
    struct port_res *r = c->res;
    if (m->prot == IPPROTO_TCP || m->prot == IPPROTO_UDP)
        r->port = find(portmap_of(c), m->prog, m->vers, m->prot == IPPROTO_UDP, false);
    return ST_OK;
}

static void encode_bool(struct rpc_call *c, struct wbuf *w, enum st st)
{
    const struct bool_res *r = c->res;
    xdr_put_bool(w, r->ok);
}
static void encode_port(struct rpc_call *c, struct wbuf *w, enum st st)
{
    const struct port_res *r = c->res;
    xdr_put_u32(w, r->port);
}
static void encode_pmap_dump(struct rpc_call *c, struct wbuf *w, enum st st)
{
    struct portmap *pm = portmap_of(c);
    pthread_mutex_lock(&pm->lock);
    for (size_t i = 0; i < pm->n; i++) {
        const struct portmap_entry *e = &pm->rows[i].e;
        xdr_put_bool(w, true);
        xdr_put_u32(w, e->prog);
        xdr_put_u32(w, e->vers);
        xdr_put_u32(w, e->udp ? IPPROTO_UDP : IPPROTO_TCP);
        xdr_put_u32(w, e->port);
    }
    pthread_mutex_unlock(&pm->lock);
    xdr_put_bool(w, false);
}

/* --- RPCBIND versions 3 and 4, RFC 1833 §2. */

struct rpcb {
    uint32_t prog, vers;
    const struct netid *netid; /* NULL: not one of ours */
    const char *addr;
    uint32_t naddr;
};
struct addr_res {
    char uaddr[UADDR_MAX]; /* "": not registered */
};

static void decode_rpcb(struct cursor *in, void *args)
{
    struct rpcb *b = args;
    uint32_t n, nowner;
    b->prog = xdr_u32(in);
    b->vers = xdr_u32(in);
    const char *id = xdr_string(in, NETID_MAX, &n);
    b->addr = xdr_string(in, UADDR_MAX, &b->naddr);
    xdr_string(in, RPC_MACHINE_MAX, &nowner);
    for (size_t i = 0; i < ARRAY_LEN(netids); i++)
        if (!in->bad && strlen(netids[i].name) == n && memcmp(netids[i].name, id, n) == 0)
            b->netid = &netids[i];
}

/* "HOST.P1.P2" (RFC 5665 §5.2.3): the host's length, and the port. */
static bool uaddr_split(const char *s, size_t n, size_t *ret_host, uint16_t *ret_port)
{
    char text[UADDR_MAX + 1];
    memcpy(text, s, n);
    text[n] = '\0';
    char *low = strrchr(text, '.');
    if (!low)
        return false;
    *low++ = '\0';
    char *high = strrchr(text, '.');
    if (!high)
        return false;
    *high++ = '\0';
    unsigned long p1 = strtoul(high, NULL, 10), p2 = strtoul(low, NULL, 10);
    if (p1 > UINT8_MAX || p2 > UINT8_MAX)
        return false;
    *ret_host = strlen(text);
    *ret_port = (uint16_t)(p1 << 8 | p2);
    return true;
}

/* An address at which the caller reaches us: what it called, as far as that is known. */
static void host_for(const struct rpc_call *c, const struct rpcb *b, char *out, size_t cap)
{
    const struct sockaddr_storage *l = c->local;
    uint8_t bytes[16];
    uint16_t port;
    size_t n;
    int family = b->netid->v6 ? AF_INET6 : AF_INET;
    char given[UADDR_MAX + 1];
    if (l && l->ss_family == family) {
        rpc_addr_bytes(l, bytes);
        inet_ntop(family, family == AF_INET6 ? bytes : bytes + 12, out, (socklen_t)cap);
        return;
    }
    if (uaddr_split(b->addr, b->naddr, &n, &port)) {
        memcpy(given, b->addr, n);
        given[n] = '\0';
        if (inet_pton(family, given, bytes) == 1) {
            inet_ntop(family, bytes, out, (socklen_t)cap);
            return;
        }
    }
    snprintf(out, cap, "%s", b->netid->v6 ? "::" : "0.0.0.0");
}

static void uaddr_make(char out[UADDR_MAX], const char *host, uint16_t port)
{
    snprintf(out, UADDR_MAX, "%s.%u.%u", host, port >> 8, port & 0xff);
}

static enum st getaddr(struct rpc_call *c, bool exact)
{
    const struct rpcb *b = c->args;
    struct addr_res *r = c->res;
    char host[INET6_ADDRSTRLEN];
    uint16_t port = b->netid ? find(portmap_of(c), b->prog, b->vers, b->netid->udp, exact) : 0;
    if (port) {
        host_for(c, b, host, sizeof host);
        uaddr_make(r->uaddr, host, port);
    }
    return ST_OK;
}
static enum st run_getaddr(struct rpc_call *c) { return getaddr(c, false); }
static enum st run_getversaddr(struct rpc_call *c) { return getaddr(c, true); }

static enum st run_rpcb_set(struct rpc_call *c)
{
    const struct rpcb *b = c->args;
    struct bool_res *r = c->res;
    struct portmap *pm = portmap_of(c);
    size_t n;
    struct portmap_entry e = {.prog = b->prog, .vers = b->vers};
    if (!may_change(c) || !b->netid || !uaddr_split(b->addr, b->naddr, &n, &e.port))
        return ST_OK;
    e.udp = b->netid->udp;
    pthread_mutex_lock(&pm->lock);
    r->ok = set_locked(pm, &e);
    pthread_mutex_unlock(&pm->lock);
    return ST_OK;
}

static enum st run_rpcb_unset(struct rpc_call *c)
{
    const struct rpcb *b = c->args;
    struct bool_res *r = c->res;
    struct portmap *pm = portmap_of(c);
    if (!may_change(c))
        return ST_OK;
    pthread_mutex_lock(&pm->lock);
    r->ok = unset_locked(pm, b->prog, b->vers, b->netid);
    pthread_mutex_unlock(&pm->lock);
    return ST_OK;
}

static void encode_uaddr(struct rpc_call *c, struct wbuf *w, enum st st)
{
    const struct addr_res *r = c->res;
    xdr_put_string(w, r->uaddr);
}

static void encode_rpcb_dump(struct rpc_call *c, struct wbuf *w, enum st st)
{
    struct portmap *pm = portmap_of(c);
    char uaddr[UADDR_MAX];
    pthread_mutex_lock(&pm->lock);
    for (size_t i = 0; i < pm->n * ARRAY_LEN(netids); i++) {
        const struct row *r = &pm->rows[i / ARRAY_LEN(netids)];
        const struct netid *id = &netids[i % ARRAY_LEN(netids)];
        if (id->udp != r->e.udp)
            continue;
        uaddr_make(uaddr, id->v6 ? "::" : "0.0.0.0", r->e.port);
        xdr_put_bool(w, true);
        xdr_put_u32(w, r->e.prog);
        xdr_put_u32(w, r->e.vers);
        xdr_put_string(w, id->name);
        xdr_put_string(w, uaddr);
        xdr_put_string(w, r->own ? "superuser" : "unknown");
    }
    pthread_mutex_unlock(&pm->lock);
    xdr_put_bool(w, false);
}

static void encode_time(struct rpc_call *c, struct wbuf *w, enum st st) { xdr_put_u32(w, (uint32_t)clock_wall().tv_sec); }

/* --- The programs. */

#define SIZES(a, r) .args = sizeof(struct a), .res = sizeof(struct r)
static const struct rpc_proc
    proc_null = {.name = "NULL"},
    pmap_set = {.name = "SET", .decode = decode_mapping, .run = run_pmap_set, .encode = encode_bool, SIZES(mapping, bool_res)},
    pmap_unset = {.name = "UNSET", .decode = decode_mapping, .run = run_pmap_unset, .encode = encode_bool, SIZES(mapping, bool_res)},
    pmap_getport = {.name = "GETPORT", .decode = decode_mapping, .run = run_getport, .encode = encode_port, SIZES(mapping, port_res)},
    pmap_dump = {.name = "DUMP", .encode = encode_pmap_dump},
    rpcb_set = {.name = "SET", .decode = decode_rpcb, .run = run_rpcb_set, .encode = encode_bool, SIZES(rpcb, bool_res)},
    rpcb_unset = {.name = "UNSET", .decode = decode_rpcb, .run = run_rpcb_unset, .encode = encode_bool, SIZES(rpcb, bool_res)},
    rpcb_getaddr = {.name = "GETADDR", .decode = decode_rpcb, .run = run_getaddr, .encode = encode_uaddr, SIZES(rpcb, addr_res)},
    rpcb_dump = {.name = "DUMP", .encode = encode_rpcb_dump},
    rpcb_gettime = {.name = "GETTIME", .encode = encode_time},
    rpcb_getversaddr = {.name = "GETVERSADDR", .decode = decode_rpcb, .run = run_getversaddr, .encode = encode_uaddr, SIZES(rpcb, addr_res)};

static const struct rpc_proc *const pmap_procs[] = {
    [PMAPPROC_NULL] = &proc_null,       [PMAPPROC_SET] = &pmap_set,   [PMAPPROC_UNSET] = &pmap_unset,
    [PMAPPROC_GETPORT] = &pmap_getport, [PMAPPROC_DUMP] = &pmap_dump,
};
static const struct rpc_proc *const rpcb_procs[] = {
    [RPCBPROC_NULL] = &proc_null,       [RPCBPROC_SET] = &rpcb_set,         [RPCBPROC_UNSET] = &rpcb_unset,
    [RPCBPROC_GETADDR] = &rpcb_getaddr, [RPCBPROC_DUMP] = &rpcb_dump,       [RPCBPROC_GETTIME] = &rpcb_gettime,
    [RPCBPROC_GETVERSADDR] = &rpcb_getversaddr, /* version 4 only */
};
static const struct rpc_program pmap2 = {.name = "portmapper", .prog = PMAP_PROGRAM, .vers = 2, .procs = pmap_procs,
                                         .nprocs = ARRAY_LEN(pmap_procs), .transports = RPC_TCP | RPC_UDP};
static const struct rpc_program rpcb3 = {.name = "rpcbind", .prog = PMAP_PROGRAM, .vers = 3, .procs = rpcb_procs,
                                         .nprocs = RPCBPROC_GETVERSADDR, .transports = RPC_TCP | RPC_UDP};
static const struct rpc_program rpcb4 = {.name = "rpcbind", .prog = PMAP_PROGRAM, .vers = 4, .procs = rpcb_procs,
                                         .nprocs = ARRAY_LEN(rpcb_procs), .transports = RPC_TCP | RPC_UDP};
const struct rpc_program *const portmap_programs[3] = {&pmap2, &rpcb3, &rpcb4};

int portmap_create(const struct portmap_entry *own, size_t n, struct portmap **ret)
{
    struct portmap *pm = calloc(1, sizeof *pm);
    if (!pm)
        return -ENOMEM;
    pthread_mutex_init(&pm->lock, NULL);
    for (size_t i = 0; i < n && pm->n < PORTMAP_MAX; i++)
        pm->rows[pm->n++] = (struct row){.e = own[i], .own = true};
    pm->svc = (struct rpc_service){.name = "portmap", .programs = portmap_programs, .nprograms = ARRAY_LEN(portmap_programs),
                                   .ctx = pm};
    *ret = pm;
    return 0;
}

void portmap_free(struct portmap *pm)
{
    if (!pm)
        return;
    pthread_mutex_destroy(&pm->lock);
    free(pm);
}

int portmap_listen(struct portmap *pm, struct rpc_server *s, const char *addr, uint16_t *ret_port)
{
    uint16_t port = 0;
    int r = rpc_listen_tcp(s, &pm->svc, addr, &port);
    if (r < 0)
        return r;
    for (uint32_t vers = 2; vers <= 4; vers++) /* itself */
        for (int udp = 0; udp <= 1 && pm->n < PORTMAP_MAX; udp++)
            pm->rows[pm->n++] = (struct row){.e = {PMAP_PROGRAM, vers, udp, port}, .own = true};
    if (ret_port)
        *ret_port = port;
    char same[160];
    const char *colon = strrchr(addr, ':');
    snprintf(same, sizeof same, "%.*s:%u", colon ? (int)(colon - addr) : 0, addr, port);
    return rpc_listen_udp(s, &pm->svc, same);
}
