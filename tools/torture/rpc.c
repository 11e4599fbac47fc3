/* rpc.c - see rpc.h. */
#include "rpc.h"
#include <errno.h>

enum { CALL, REPLY };
enum { AUTH_SYS = 1, RPC_VERSION = 2 };

static void on_message(struct wire_conn *conn, const uint8_t *p, size_t n)
{
    struct rpc *r = conn->arg;
    struct cursor in = cursor_of(p, n);
    struct call *c;
    uint32_t xid = cursor_be32(&in), type = cursor_be32(&in), denied = cursor_be32(&in);
    if (in.bad || type != REPLY)
        return;
    list_each(c, &r->calls, link) {
        if (c->id != xid)
            continue;
        uint32_t len;
        cursor_skip(&in, 4);
        xdr_get_opaque(&in, &len);
        uint32_t refused = cursor_be32(&in);
        call_answer(c, denied || refused ? CALL_REFUSED : 0, in.p, cursor_left(&in));
        struct cursor results = cursor_of(c->reply, c->nreply);
        if (in.bad)
            c->status = denied ? CALL_REFUSED : CALL_GARBLED;
        else if (!c->status && c->decode)
            c->decode(c, &results);
        return;
    }
}

static void on_close(struct wire_conn *conn)
{
    struct rpc *r = conn->arg;
    r->conn = NULL;
    call_lose(&r->calls);
}

static bool rpc_init(struct rpc *r, struct host *h, struct wire_conn *conn, uint16_t known_port)
{
    memset(r, 0, sizeof *r);
    list_init(&r->calls);
    r->host = h;
    r->uid = h->target->uid;
    r->gid = h->target->gid;
    if (!(r->conn = conn))
        return false;
    r->xid = (uint32_t)wire_now();
    r->conn->known_port = known_port;
    r->conn->on_message = on_message;
    r->conn->on_close = on_close;
    r->conn->arg = r;
    return true;
}

bool rpc_open(struct rpc *r, struct host *h, const struct sockaddr_in *to, uint16_t known_port)
{
    return rpc_init(r, h, wire_connect(h->wire, WIRE_RPC, &h->source, to), known_port);
}

bool rpc_open_udp(struct rpc *r, struct host *h, const struct sockaddr_in *to, uint16_t known_port)
{
    struct wire_conn *c = wire_listen(h->wire, WIRE_UDP, &h->source);
    if (c)
        c->peer = *to;
    return rpc_init(r, h, c, known_port);
}

void rpc_close(struct rpc *r)
{
    wire_close(r->conn, false);
    r->conn = NULL;
    call_lose(&r->calls);
}

void rpc_begin(struct rpc *r, struct wbuf *w, uint32_t prog, uint32_t vers, uint32_t proc)
{
    const uint32_t head[] = {++r->xid, CALL, RPC_VERSION, prog, vers, proc, AUTH_SYS};
    wbuf_init(w, 512, WIRE_MESSAGE_MAX);
    wbuf_zero(w, 4);
    for (size_t i = 0; i < ARRAY_LEN(head); i++)
        wbuf_be32(w, head[i]);
    wbuf_be32(w, (uint32_t)(20 + ALIGN_UP(strlen(r->host->name), 4)));
    wbuf_be32(w, 0);
    xdr_string(w, r->host->name);
    wbuf_be32(w, r->uid);
    wbuf_be32(w, r->gid);
    wbuf_be32(w, 0); /* no further groups */
    wbuf_be32(w, 0); /* no verifier */
    wbuf_be32(w, 0);
}

/* `message` starts with room for its length, which UDP has not. */
static void put_on_wire(struct rpc *r, struct call *c, uint8_t *message, size_t n)
{
    size_t skip = r->conn && r->conn->kind == WIRE_UDP ? 4 : 0;
    if (r->conn && message)
        wire_send(r->conn, message + skip, n - skip);
    else
        call_answer(c, CALL_LOST, NULL, 0);
}

struct call *rpc_send(struct rpc *r, struct wbuf *w, const char *what,
                      void (*decode)(struct call *c, struct cursor *in))
{
    struct call *c = call_new(r->host->wire, &r->calls, what, r->xid);
    c->decode = decode;
    if (w->bad)
        torture_fail("%s: too long", what);
    if (r->keep && (c->request = malloc(wbuf_len(w))) != NULL) {
        c->nrequest = wbuf_len(w);
        memcpy(c->request, wbuf_at(w, 0), c->nrequest);
    }
    put_on_wire(r, c, wbuf_at(w, 0), wbuf_len(w));
    wbuf_done(w);
    return c;
}

struct call *rpc_again(struct rpc *r, struct call *old)
{
    struct call *c = call_new(r->host->wire, &r->calls, old->what, old->id);
    c->decode = old->decode;
    c->nlm = old->nlm;
    c->request = TAKE_PTR(old->request);
    c->nrequest = old->nrequest;
    call_free(old);
    put_on_wire(r, c, c->request, c->nrequest);
    return c;
}

/* --- Answering. */

bool rpc_request(const struct wire_conn *c, const uint8_t *p, size_t n, struct rpc_request *ret)
{
    struct cursor in = cursor_of(p, n);
    uint32_t len;
    ret->xid = cursor_be32(&in);
    uint32_t type = cursor_be32(&in), version = cursor_be32(&in);
    ret->prog = cursor_be32(&in);
    ret->vers = cursor_be32(&in);
    ret->proc = cursor_be32(&in);
    for (int i = 0; i < 2; i++) { /* credentials, verifier */
        cursor_skip(&in, 4);
        xdr_get_opaque(&in, &len);
    }
    ret->from = c->peer;
    ret->args = in;
    return !in.bad && type == CALL && version == RPC_VERSION;
}

void rpc_reply(const struct wire_conn *c, struct wbuf *w, const struct rpc_request *q, uint32_t accept_stat)
{
    wbuf_init(w, 256, 65536);
    if (c->kind != WIRE_UDP)
        wbuf_zero(w, 4);
    wbuf_be32(w, q->xid);
    wbuf_be32(w, REPLY);
    wbuf_zero(w, 12); /* accepted; no verifier */
    wbuf_be32(w, accept_stat);
}

void rpc_reply_send(struct wire_conn *c, struct wbuf *w)
{
    if (!w->bad)
        wire_send(c, wbuf_at(w, 0), wbuf_len(w));
    wbuf_done(w);
}
