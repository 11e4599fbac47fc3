/* rpc_msg.c - RPC message headers and record marking (RFC 5531 §8, §9, §11): bytes to fields and back.
 *
 * Pure functions: knows no connection, no program and no procedure. */
#include "rpc_int.h"

#define RPC_VERSION 2u

/* RFC 5531 appendix A. The stamp and the machine's name say nothing that can be trusted; they are only checked. */
static enum rpc_auth_stat auth_sys_read(struct cursor *body, struct rpc_auth *ret)
{
    uint32_t n;
    xdr_u32(body);
    xdr_string(body, RPC_MACHINE_MAX, &n);
    ret->uid = xdr_u32(body);
    ret->gid = xdr_u32(body);
    ret->ngids = xdr_u32(body);
    if (body->bad || ret->ngids > RPC_GIDS_MAX)
        return RPC_AUTH_BADCRED;
    for (uint32_t i = 0; i < ret->ngids; i++)
        ret->gids[i] = xdr_u32(body);
    return body->bad ? RPC_AUTH_BADCRED : RPC_AUTH_OK;
}

/* The credential and the verifier that follow the procedure number. */
static enum rpc_auth_stat auth_read(struct cursor *in, struct rpc_auth *ret)
{
    uint32_t n, nverf;
    ret->flavor = xdr_u32(in);
    ret->ngids = 0;
    ret->uid = ret->gid = UINT32_MAX;
    const uint8_t *body = xdr_opaque(in, RPC_AUTH_BODY_MAX, &n);
    if (in->bad)
        return RPC_AUTH_BADCRED;
    uint32_t verf_flavor = xdr_u32(in);
    xdr_opaque(in, RPC_AUTH_BODY_MAX, &nverf);
    if (in->bad || verf_flavor != RPC_AUTH_NONE)
        return RPC_AUTH_BADVERF;
    struct cursor c = cursor_of(body, n);
    switch (ret->flavor) {
    case RPC_AUTH_NONE:
        return RPC_AUTH_OK;
    case RPC_AUTH_SYS:
        return auth_sys_read(&c, ret);
    case RPC_AUTH_SHORT:
        return RPC_AUTH_REJECTEDCRED; /* none is ever given out */
    default:
        return RPC_AUTH_TOOWEAK;
    }
}

enum rpc_parse rpc_parse_call(struct cursor *in, struct rpc_header *ret, enum rpc_auth_stat *ret_why)
{
    *ret_why = RPC_AUTH_OK;
    ret->xid = xdr_u32(in);
    uint32_t type = xdr_u32(in);
    uint32_t version = xdr_u32(in);
    if (in->bad || type != RPC_CALL)
        return RPC_PARSE_DROP;
    if (version != RPC_VERSION)
        return RPC_PARSE_MISMATCH;
    ret->prog = xdr_u32(in);
    ret->vers = xdr_u32(in);
    ret->proc = xdr_u32(in);
    if (in->bad)
        return RPC_PARSE_DROP;
    *ret_why = auth_read(in, &ret->auth);
    return *ret_why == RPC_AUTH_OK ? RPC_PARSE_OK : RPC_PARSE_AUTH;
}

static void put_reply(struct wbuf *w, uint32_t xid, uint32_t reply_stat)
{
    xdr_put_u32(w, 0); /* record mark, known at the end */
    xdr_put_u32(w, xid);
    xdr_put_u32(w, RPC_REPLY);
    xdr_put_u32(w, reply_stat);
}

void rpc_put_accepted(struct wbuf *w, uint32_t xid, enum rpc_accept stat)
{
    put_reply(w, xid, RPC_MSG_ACCEPTED);
    xdr_put_u32(w, RPC_AUTH_NONE); /* verifier */
    xdr_put_u32(w, 0);
    xdr_put_u32(w, stat);
}

void rpc_put_prog_mismatch(struct wbuf *w, uint32_t xid, uint32_t low, uint32_t high)
{
    rpc_put_accepted(w, xid, RPC_PROG_MISMATCH);
    xdr_put_u32(w, low);
    xdr_put_u32(w, high);
}

void rpc_put_rpc_mismatch(struct wbuf *w, uint32_t xid)
{
    put_reply(w, xid, RPC_MSG_DENIED);
    xdr_put_u32(w, RPC_REJECT_MISMATCH);
    xdr_put_u32(w, RPC_VERSION);
    xdr_put_u32(w, RPC_VERSION);
}

void rpc_put_auth_error(struct wbuf *w, uint32_t xid, enum rpc_auth_stat why)
{
    put_reply(w, xid, RPC_MSG_DENIED);
    xdr_put_u32(w, RPC_REJECT_AUTH);
    xdr_put_u32(w, why);
}

ssize_t rpc_frame(const uint8_t *p, size_t n, size_t max, size_t *pos)
{
    for (;;) {
        if (*pos > max)
            return -1;
        struct cursor mark = cursor_slice(&(struct cursor){.base = p, .p = p, .end = p + n}, *pos, RPC_MARK);
        if (mark.bad)
            return 0;
        uint32_t v = cursor_be32(&mark);
        size_t next = *pos + RPC_MARK + (v & ~RPC_LAST_FRAGMENT);
        if (v & RPC_LAST_FRAGMENT)
            return next > max ? -1 : (ssize_t)next;
        *pos = next;
    }
}

uint8_t *rpc_defragment(uint8_t *p, size_t n, size_t *ret_n)
{
    uint8_t *out = p + RPC_MARK;
    struct cursor c = cursor_of(p, n);
    *ret_n = 0;
    for (bool last = false; !last && !c.bad;) {
        uint32_t mark = cursor_be32(&c);
        size_t len = mark & ~RPC_LAST_FRAGMENT;
        const uint8_t *from = cursor_take(&c, len);
        if (!from)
            break;
        if (from != out + *ret_n) /* the usual record has one fragment */
            memmove(out + *ret_n, from, len);
        *ret_n += len;
        last = mark & RPC_LAST_FRAGMENT;
    }
    return out;
}
