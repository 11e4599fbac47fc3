/* callback.c - see callback.h. */
#include "callback.h"
#include <stdio.h>
#include <arpa/inet.h>

enum { PMAP_PROGRAM = 100000, NLM_PROGRAM = 100021, NSM_PROGRAM = 100024, PMAP_PORT = 111 };
enum { PMAPPROC_SET = 1, PMAPPROC_GETPORT = 3, RPCBPROC_GETADDR = 3 };
enum { NLM_GRANTED = 5, NLM_GRANTED_MSG = 10, NLM_TEST_RES = 11, NLM_UNLOCK_RES = 14, NLM_GRANTED_RES = 15 };
enum { SM_NOTIFY = 6 };
enum { PROG_UNAVAIL = 1, PROC_UNAVAIL = 3 };

/* --- The port mapper: versions 2 (GETPORT), 3 and 4 (GETADDR). */

static void answer_portmap(struct wire_conn *c, struct rpc_request *q, struct nlm *n)
{
    struct wbuf w;
    uint32_t prog = cursor_be32(&q->args);
    bool ours = prog == NLM_PROGRAM || prog == NSM_PROGRAM;
    if (q->proc == 0) {
        rpc_reply(c, &w, q, 0);
    } else if (q->proc != PMAPPROC_GETPORT) {
        rpc_reply(c, &w, q, PROC_UNAVAIL);
    } else if (q->vers == 2) {
        rpc_reply(c, &w, q, 0);
        wbuf_be32(&w, ours ? n->port : 0);
    } else {
        char address[64];
        snprintf(address, sizeof address, "%s.%u.%u", inet_ntoa(n->rpc.host->source.sin_addr), n->port >> 8,
                 n->port & 255);
        rpc_reply(c, &w, q, 0);
        xdr_string(&w, ours ? address : "");
    }
    rpc_reply_send(c, &w);
}

/* --- GRANTED. */

static void keep_grant(struct nlm *n, struct cursor *in, const uint8_t **cookie, uint32_t *ncookie)
{
    struct nlm_grant *g = calloc(1, sizeof *g);
    uint32_t len;
    if (!g)
        torture_fail("out of memory");
    *cookie = xdr_get_opaque(in, ncookie);
    g->exclusive = cursor_be32(in);
    for (int i = 0; i < 3; i++) /* caller, file handle, owner */
        xdr_get_opaque(in, &len);
    g->svid = cursor_be32(in);
    g->offset = cursor_be64(in);
    g->len = cursor_be64(in);
    g->at = wire_now();
    g->arrival = n->rpc.host->wire->arrivals;
    list_append(&n->grants, &g->link);
}

/* What a _MSG is answered with: the cookie tells which. */
static void keep_res(struct nlm *n, const struct cursor *args)
{
    struct cursor in = *args;
    struct call *c;
    uint32_t len;
    const uint8_t *cookie = xdr_get_opaque(&in, &len);
    list_each(c, &n->messages, link) {
        if (!cookie || len != 4 || c->id != get_be32(cookie))
            continue;
        call_answer(c, 0, args->p, cursor_left(args));
        struct cursor results = cursor_of(c->reply, c->nreply);
        c->decode(c, &results);
        return;
    }
}

static void answer_nlm(struct wire_conn *c, struct rpc_request *q, struct nlm *n)
{
    struct wbuf w;
    bool result = q->proc >= NLM_TEST_RES && q->proc <= NLM_UNLOCK_RES;
    const uint8_t *cookie = NULL;
    uint32_t ncookie = 0;
    if (q->proc == NLM_GRANTED || q->proc == NLM_GRANTED_MSG)
        keep_grant(n, &q->args, &cookie, &ncookie);
    if (result)
        keep_res(n, &q->args);
    if (n->answer == ~0u)
        return;
    bool known = q->proc == NLM_GRANTED || q->proc == NLM_GRANTED_MSG || q->proc == 0 || result;
    rpc_reply(c, &w, q, known ? 0 : PROC_UNAVAIL);
    if (q->proc == NLM_GRANTED) {
        xdr_opaque(&w, cookie, cookie ? ncookie : 0);
        wbuf_be32(&w, n->answer);
    }
    rpc_reply_send(c, &w);
    if (q->proc == NLM_GRANTED_MSG) {
        rpc_begin(&n->rpc, &w, NLM_PROGRAM, 4, NLM_GRANTED_RES);
        xdr_opaque(&w, cookie, cookie ? ncookie : 0);
        wbuf_be32(&w, n->answer);
        call_free(rpc_send(&n->rpc, &w, "GRANTED_RES", NULL));
    }
}

static void answer_nsm(struct wire_conn *c, struct rpc_request *q, struct nlm *n)
{
    struct wbuf w;
    uint32_t len;
    if (q->proc == SM_NOTIFY) {
        xdr_get_opaque(&q->args, &len);
        n->notified_state = cursor_be32(&q->args);
        n->notified++;
    }
    rpc_reply(c, &w, q, 0);
    rpc_reply_send(c, &w);
}

/* --- The sockets. */

static void on_message(struct wire_conn *c, const uint8_t *p, size_t n)
{
    struct rpc_request q;
    struct wbuf w;
    if (!rpc_request(c, p, n, &q))
        return;
    switch (q.prog) {
    case PMAP_PROGRAM: answer_portmap(c, &q, c->arg); return;
    case NLM_PROGRAM: answer_nlm(c, &q, c->arg); return;
    case NSM_PROGRAM: answer_nsm(c, &q, c->arg); return;
    }
    rpc_reply(c, &w, &q, PROG_UNAVAIL);
    rpc_reply_send(c, &w);
}

static void on_accept(struct wire_conn *listener, struct wire_conn *c)
{
    c->on_message = on_message;
    c->arg = listener->arg;
}

static struct wire_conn *serve(struct nlm *n, enum wire_kind kind, uint16_t port)
{
    struct sockaddr_in at = n->rpc.host->source;
    at.sin_port = htons(port);
    struct wire_conn *c = wire_listen(n->rpc.host->wire, kind, &at);
    if (c) {
        c->on_message = on_message;
        c->on_accept = on_accept;
        c->arg = n;
    }
    return c;
}

/* One port for all hosts, so that one registration stands for them all. */
static void serve_callbacks(struct nlm *n)
{
    static uint16_t port;
    for (int tries = 0; tries < 100; tries++) {
        if (!port)
            port = (uint16_t)(20000 + wire_now() / 1000 % 12000);
        n->listeners[0] = serve(n, WIRE_LISTENER, port);
        n->listeners[1] = n->listeners[0] ? serve(n, WIRE_UDP, port) : NULL;
        if (n->listeners[1]) {
            n->port = port;
            return;
        }
        wire_close(TAKE_PTR(n->listeners[0]), true);
        port = 0;
    }
}

static void got_bool(struct call *c, struct cursor *in) { c->status = cursor_be32(in); }

static bool pmap_set(struct nlm *n, uint32_t prog, uint32_t vers, uint32_t protocol)
{
    struct rpc r;
    struct wbuf w;
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PMAP_PORT),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct host local = *n->rpc.host;
    local.source.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!rpc_open(&r, &local, &to, PMAP_PORT))
        return false;
    for (uint32_t proc = 2; proc >= PMAPPROC_SET; proc--) { /* UNSET, SET */
        rpc_begin(&r, &w, PMAP_PROGRAM, 2, proc);
        wbuf_be32(&w, prog);
        wbuf_be32(&w, vers);
        wbuf_be32(&w, protocol);
        wbuf_be32(&w, n->port);
        struct call *c = rpc_send(&r, &w, "SET", got_bool);
        if (proc == PMAPPROC_SET) {
            bool set = call_end(c) == 1;
            rpc_close(&r);
            return set;
        }
        call_end(c);
    }
    return false;
}

static bool register_with_system(struct nlm *n)
{
    static uint16_t registered;
    if (registered == n->port)
        return true;
    if (!pmap_set(n, NLM_PROGRAM, 4, IPPROTO_TCP) || !pmap_set(n, NLM_PROGRAM, 4, IPPROTO_UDP))
        return false;
    pmap_set(n, NSM_PROGRAM, 1, IPPROTO_UDP); /* somebody else's status monitor may be there: no harm to GRANTED */
    registered = n->port;
    return true;
}

void callback_open(struct nlm *n)
{
    serve_callbacks(n);
    if (!n->port)
        return;
    n->listeners[2] = serve(n, WIRE_LISTENER, PMAP_PORT);
    n->listeners[3] = serve(n, WIRE_UDP, PMAP_PORT);
    n->reachable = (n->listeners[2] && n->listeners[3]) || register_with_system(n);
}

void callback_close(struct nlm *n)
{
    struct wire_conn *c;
    for (size_t i = 0; i < ARRAY_LEN(n->listeners); i++)
        wire_close(TAKE_PTR(n->listeners[i]), true);
    list_each(c, &n->rpc.host->wire->conns, link) /* what was accepted */
        if (c->accepted && c->arg == n)
            wire_close(c, true);
}
