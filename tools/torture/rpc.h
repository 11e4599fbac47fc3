/* rpc.h - ONC RPC ([RFC 5531]), both ways: calls with AUTH_SYS over a connection, and answering the calls of others. */
#pragma once
#include "target.h"

struct rpc {
    struct host *host;
    struct wire_conn *conn;    /* NULL: the connection was lost */
    struct list calls;
    uint32_t xid;
    uint32_t uid, gid;
    bool keep;                 /* what is sent, for rpc_again() */
};
bool rpc_open(struct rpc *r, struct host *h, const struct sockaddr_in *to, uint16_t known_port); /* false: errno */
bool rpc_open_udp(struct rpc *r, struct host *h, const struct sockaddr_in *to, uint16_t known_port);
void rpc_close(struct rpc *r); /* calls under way are lost */
/* Begins a call; the arguments follow, then rpc_send(). */
void rpc_begin(struct rpc *r, struct wbuf *w, uint32_t prog, uint32_t vers, uint32_t proc);
/* decode gets the results; it sets c->status. NULL: they are void, status 0. */
struct call *rpc_send(struct rpc *r, struct wbuf *w, const char *what,
                      void (*decode)(struct call *c, struct cursor *in));

/* A retransmission: the same bytes, over the connection as it is now. Frees `old`. */
struct call *rpc_again(struct rpc *r, struct call *old);

/* XDR. */
static inline void xdr_opaque(struct wbuf *w, const void *p, size_t n)
{
    wbuf_be32(w, (uint32_t)n);
    wbuf_put(w, p, n);
    wbuf_zero(w, ALIGN_UP(n, 4) - n);
}
static inline void xdr_string(struct wbuf *w, const char *s) { xdr_opaque(w, s, strlen(s)); }
static inline const uint8_t *xdr_get_opaque(struct cursor *c, uint32_t *ret_n)
{
    uint32_t n = *ret_n = cursor_be32(c);
    const uint8_t *p = cursor_take(c, n);
    cursor_skip(c, ALIGN_UP((size_t)n, 4) - n);
    return p;
}

/* A call of somebody else. */
struct rpc_request {
    uint32_t xid, prog, vers, proc;
    struct sockaddr_in from;
    struct cursor args;
};
/* Decodes one; false: it is none. */
bool rpc_request(const struct wire_conn *c, const uint8_t *p, size_t n, struct rpc_request *ret);
/* Begins an answer (accept_stat, 0: success), to be followed by results and rpc_reply_send(). */
void rpc_reply(const struct wire_conn *c, struct wbuf *w, const struct rpc_request *q, uint32_t accept_stat);
void rpc_reply_send(struct wire_conn *c, struct wbuf *w);
