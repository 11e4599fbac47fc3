/* rpc_out.h - what the files of the RPC client share. Everything on one loop's thread. */
#pragma once
#include "rpc_client.h"

struct rpc_line;
struct rpc_out {
    struct loop *loop;
    struct rpc_out_call call;
    uint8_t *args;
    bool asking_port;
    bool again; /* has been begun anew: a kept connection was dead */
    uint32_t xid;
    struct blk *request; /* of the exchange under way, record mark first */
    struct conn *conn;   /* its own; or */
    struct udp *udp;     /* its own; or */
    struct rpc_line *line;
    struct list on_line;
    struct timer timer;
    uint64_t deadline, resend, sent;
};
extern const struct conn_limits rpc_out_limits;

/* rpc_client.c */
ssize_t rpc_out_frame(struct conn *c, const uint8_t *p, size_t n);
void rpc_out_received(struct rpc_out *o, const uint8_t *p, size_t n);
/* The line is gone. If it had worked before, its peer may have restarted: the call begins anew, once. */
void rpc_out_lost(struct rpc_out *o, bool was_good);

/* rpc_line.c */
bool rpc_line_known(const struct rpc_out_call *call);    /* one to its peer is there: no need to ask for the port */
bool rpc_line_send(struct rpc_out *o);                   /* false: there is none, and none can be made */
void rpc_line_leave(struct rpc_out *o, bool unanswered); /* it waits no more */
