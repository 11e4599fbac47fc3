/* rpc_client.c - see rpc_client.h. A call is one or two exchanges: GETPORT when the port is not known, then the call
 * itself; each over a transport that is closed behind it, but for calls over a line that is kept (rpc_line.c). */
#include "rpc_out.h"
#include "base/clock.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/random.h>

#define OUT_REPLY_MAX 65536u
#define OUT_RESEND NSEC_PER_SEC          /* over UDP, doubling */
#define OUT_REQUEST_HEAD 128u
#define OUT_RESERVED_TRIES 16
#define OUT_RESERVED_FIRST 600
#define OUT_RESERVED_LAST 1023

uint16_t rpc_out_pmap_port = 111;
const struct conn_limits rpc_out_limits = {.max_message = OUT_REPLY_MAX};

static uint32_t next_xid(void)
{
    static _Atomic uint32_t xid;
    uint32_t seed;
    if (atomic_load(&xid) == 0 && getrandom(&seed, sizeof seed, GRND_NONBLOCK) == sizeof seed)
        atomic_store(&xid, seed | 1);
    return atomic_fetch_add(&xid, 1);
}

static void close_transport(struct rpc_out *o)
{
    if (o->conn) {
        struct conn *c = TAKE_PTR(o->conn);
        c->owner = NULL;
        conn_close(c); /* closed() drops the reference */
    }
    if (o->line)
        rpc_line_leave(o, false);
    udp_close(TAKE_PTR(o->udp));
    loop_timer(o->loop, &o->timer, 0);
    blk_put(TAKE_PTR(o->request));
}

static void out_free(struct rpc_out *o)
{
    close_transport(o);
    free(o->args);
    free(o);
}

void rpc_out_cancel(struct rpc_out *o)
{
    if (o)
        out_free(o);
}

static void finish(struct rpc_out *o, enum st st, struct cursor *results)
{
    struct cursor none = cursor_of("", 0);
    o->call.done(o->call.arg, st, results ? results : &none); /* before the bytes go */
    out_free(o);
}

/* --- Requests and replies. */

static struct blk *request_of(struct rpc_out *o, uint32_t prog, uint32_t vers, uint32_t proc, const void *args,
                              size_t n)
{
    struct wbuf w;
    wbuf_init(&w, OUT_REQUEST_HEAD + n, OUT_REQUEST_HEAD + n);
    xdr_put_u32(&w, 0);
    xdr_put_u32(&w, o->xid);
    xdr_put_u32(&w, RPC_CALL);
    xdr_put_u32(&w, 2);
    xdr_put_u32(&w, prog);
    xdr_put_u32(&w, vers);
    xdr_put_u32(&w, proc);
    xdr_put_u32(&w, RPC_AUTH_SYS); /* as root of a machine without name: what lock managers send each other */
    xdr_put_u32(&w, 20);
    wbuf_zero(&w, 20);
    xdr_put_u32(&w, RPC_AUTH_NONE);
    xdr_put_u32(&w, 0);
    wbuf_put(&w, args, n);
    wbuf_patch_be32(&w, 0, RPC_LAST_FRAGMENT | (uint32_t)(wbuf_len(&w) - RPC_MARK));
    struct blk *b = wbuf_take(&w);
    wbuf_done(&w);
    return b;
}

/* ST_AGAIN: not the reply that is waited for. */
static enum st read_reply(const struct rpc_out *o, struct cursor *in)
{
    uint32_t n;
    uint32_t xid = xdr_u32(in), type = xdr_u32(in), stat = xdr_u32(in);
    if (in->bad || xid != o->xid || type != RPC_REPLY)
        return ST_AGAIN;
    if (stat != RPC_MSG_ACCEPTED)
        return ST_ACCESS;
    xdr_u32(in);
    xdr_opaque(in, RPC_AUTH_BODY_MAX, &n);
    stat = xdr_u32(in);
    if (in->bad)
        return ST_BADMSG;
    switch (stat) {
    case RPC_SUCCESS:
        return ST_OK;
    case RPC_PROG_UNAVAIL:
    case RPC_PROG_MISMATCH:
    case RPC_PROC_UNAVAIL:
        return ST_NOTSUP;
    default:
        return ST_BADMSG;
    }
}

static int begin_call(struct rpc_out *o);

static void port_known(struct rpc_out *o, struct cursor *in)
{
    uint32_t port = xdr_u32(in);
    if (in->bad || port == 0 || port > UINT16_MAX) {
        finish(o, in->bad ? ST_BADMSG : ST_NOTSUP, NULL);
        return;
    }
    close_transport(o);
    o->asking_port = false;
    rpc_addr_set_port(&o->call.to, (uint16_t)port);
    if (begin_call(o) < 0)
        finish(o, ST_CLOSED, NULL);
}

void rpc_out_received(struct rpc_out *o, const uint8_t *p, size_t n)
{
    struct cursor in = cursor_of(p, n);
    enum st st = read_reply(o, &in);
    if (st == ST_AGAIN)
        return;
    if (st == ST_OK && o->asking_port)
        port_known(o, &in);
    else
        finish(o, st, &in);
}

/* --- TCP. */

ssize_t rpc_out_frame(struct conn *c, const uint8_t *p, size_t n)
{
    size_t pos = 0;
    return rpc_frame(p, n, OUT_REPLY_MAX, &pos);
}
static void out_message(struct conn *c, struct msg *m)
{
    struct msg own = *m;
    size_t n;
    const uint8_t *p = rpc_defragment((uint8_t *)(uintptr_t)own.data, own.len, &n);
    conn_finish(c);
    if (c->owner)
        rpc_out_received(c->owner, p, n);
    msg_done(&own);
}
static void out_closed(struct conn *c)
{
    struct rpc_out *o = c->owner;
    conn_unref(c);
    if (o) {
        o->conn = NULL;
        finish(o, ST_CLOSED, NULL);
    }
}
static const struct conn_ops out_ops = {.frame = rpc_out_frame, .message = out_message, .closed = out_closed};

/* --- UDP. */

static void out_datagram(void *arg, struct udp *u, const uint8_t *p, size_t n, const struct sockaddr_storage *from)
{
    struct rpc_out *o = arg;
    uint8_t a[16], b[16];
    rpc_addr_bytes(from, a);
    rpc_addr_bytes(&o->call.to, b);
    if (memcmp(a, b, sizeof a) == 0)
        rpc_out_received(o, p, n);
}

static int open_udp(struct rpc_out *o)
{
    const char *any = o->call.to.ss_family == AF_INET6 ? "[::]" : "0.0.0.0";
    char addr[32];
    int r = -EADDRINUSE;
    for (unsigned i = 0; o->call.reserved_port && !o->asking_port && i < OUT_RESERVED_TRIES && r == -EADDRINUSE; i++) {
        unsigned port = OUT_RESERVED_FIRST + (o->xid + i) % (OUT_RESERVED_LAST - OUT_RESERVED_FIRST + 1);
        snprintf(addr, sizeof addr, "%s:%u", any, port);
        r = udp_open(o->loop, addr, out_datagram, o, &o->udp);
    }
    if (r < 0) {
        snprintf(addr, sizeof addr, "%s:0", any);
        r = udp_open(o->loop, addr, out_datagram, o, &o->udp);
    }
    return r;
}

static void send_datagram(struct rpc_out *o)
{
    struct sockaddr_storage to = o->call.to;
    if (o->asking_port)
        rpc_addr_set_port(&to, rpc_out_pmap_port);
    udp_send(o->udp, &to, o->request->data + RPC_MARK, o->request->len - RPC_MARK);
}

/* --- Time. */

static void tick(struct timer *t)
{
    struct rpc_out *o = container_of(t, struct rpc_out, timer);
    uint64_t now = loop_now(o->loop);
    if (now >= o->deadline || !o->udp) {
        if (o->line)
            rpc_line_leave(o, true);
        finish(o, ST_TIMEOUT, NULL);
        return;
    }
    send_datagram(o);
    o->resend *= 2;
    loop_timer(o->loop, &o->timer, MIN(o->deadline, now + o->resend));
}

/* --- The exchanges. The port mapper is asked over the transport of the call: who serves one serves both. */

static int begin_exchange(struct rpc_out *o)
{
    if (!o->request)
        return -ENOMEM;
    if (o->call.udp) {
        int r = open_udp(o);
        if (r < 0)
            return r;
        send_datagram(o);
        o->resend = OUT_RESEND;
        loop_timer(o->loop, &o->timer, MIN(o->deadline, loop_now(o->loop) + o->resend));
        return 0;
    }
    loop_timer(o->loop, &o->timer, o->deadline);
    if (o->call.lines && !o->asking_port && rpc_line_send(o))
        return 0;
    struct sockaddr_storage to = o->call.to;
    if (o->asking_port)
        rpc_addr_set_port(&to, rpc_out_pmap_port);
    bool reserved = o->call.reserved_port && !o->asking_port;
    int r = conn_connect(o->loop, &to, rpc_addr_len(&to), reserved, &out_ops, &rpc_out_limits, o, &o->conn);
    if (r < 0)
        return r;
    conn_send(o->conn, blk_ref(o->request));
    return 0;
}

static int begin_call(struct rpc_out *o)
{
    o->xid = next_xid();
    o->request = request_of(o, o->call.prog, o->call.vers, o->call.proc, o->args, o->call.nargs);
    return begin_exchange(o);
}

static int begin_getport(struct rpc_out *o)
{
    uint8_t args[16];
    put_be32(args, o->call.prog);
    put_be32(args + 4, o->call.vers);
    put_be32(args + 8, o->call.udp ? IPPROTO_UDP : IPPROTO_TCP);
    put_be32(args + 12, 0);
    o->asking_port = true;
    o->xid = next_xid();
    o->request = request_of(o, PMAP_PROGRAM, 2, PMAPPROC_GETPORT, args, sizeof args);
    return begin_exchange(o);
}

void rpc_out_lost(struct rpc_out *o, bool was_good)
{
    blk_put(TAKE_PTR(o->request));
    if (was_good && !o->again) {
        o->again = true;
        rpc_addr_set_port(&o->call.to, 0);
        if (begin_getport(o) == 0)
            return;
    }
    finish(o, ST_CLOSED, NULL);
}

int rpc_out_start(struct loop *l, const struct rpc_out_call *call, struct rpc_out **ret)
{
    struct rpc_out *o = calloc(1, sizeof *o);
    if (!o)
        return -ENOMEM;
    o->loop = l;
    o->call = *call;
    o->timer.fn = tick;
    list_init(&o->on_line);
    if (call->udp || rpc_addr_port(&call->to))
        o->call.lines = NULL;
    o->deadline = loop_now(l) + call->timeout;
    o->args = malloc(call->nargs + 1);
    if (!o->args) {
        free(o);
        return -ENOMEM;
    }
    if (call->nargs)
        memcpy(o->args, call->args, call->nargs);
    bool known = rpc_addr_port(&call->to) || (o->call.lines && rpc_line_known(&o->call));
    int r = known ? begin_call(o) : begin_getport(o);
    if (r < 0) {
        out_free(o);
        return r;
    }
    *ret = o;
    return 0;
}
