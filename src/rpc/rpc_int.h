/* rpc_int.h - what the files of the RPC server share. Nobody outside src/rpc includes it. */
#pragma once
#include "rpc.h"
#include <pthread.h>

/* Per loop; touched on its thread only, except the counters. */
struct rpc_loop {
    struct rpc_server *srv;
    struct loop *loop;
    struct list free, live, conns; /* rpc_call.live, rpc_call.live, rpc_conn.in_loop */
    uint32_t nfree;
    _Atomic bool stopping;
    struct task stop;
    _Atomic uint64_t calls, rejected, garbage, replayed, absorbed, parked, delayed;
};
struct rpc_listener {
    struct rpc_listener *next;
    struct rpc_server *srv;
    const struct rpc_service *svc;
    struct listener *net;
};
struct rpc_udp {
    struct rpc_udp *next;
    struct rpc_loop *home;
    const struct rpc_service *svc;
    struct udp *net;
};
struct rpc_server {
    struct rpc_config cfg;
    struct drc *drc;
    struct rpc_loop *loops;
    struct rpc_listener *listeners;
    struct rpc_udp *udps;
    pthread_mutex_t lock;    /* of is_idle */
    pthread_cond_t idle;
    bool is_idle;            /* refs has reached zero */
    _Atomic uint32_t refs;   /* live calls and connections, and 1 until rpc_server_free() */
};
struct rpc_conn {
    struct list in_loop;
    struct conn *net;
    struct rpc_loop *home;
    const struct rpc_service *svc;
    size_t frame_pos; /* rpc_frame()'s, of the record that is arriving */
    uint64_t serial;  /* DRC origin */
    uint64_t since;   /* clock_now() */
    uint32_t refs;    /* calls, and 1 while open; loop thread only */
};

static inline void rpc_count(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}
void rpc_server_unref(struct rpc_server *s);

/* rpc_call.c: a call object, zeroed where it must be; NULL when out of memory. The transport sets conn or udp, peer,
 * peer_name, local and msg (without record marks), then calls rpc_call_receive(), which takes it over. All on the
 * loop's thread. */
struct rpc_call *rpc_call_get(struct rpc_loop *home, const struct rpc_service *svc);
void rpc_call_receive(struct rpc_call *c);
void rpc_call_free_all(struct rpc_loop *home);

/* rpc_tcp.c */
extern const struct listener_ops rpc_listener_ops;
void rpc_conn_unref(struct rpc_conn *rc);
void rpc_conn_close_all(struct rpc_loop *home);
/* rpc_udp.c */
void rpc_udp_close_all(struct rpc_server *s);

/* rpc_msg.c: replies without results. `w` is initialised by the caller. */
void rpc_put_accepted(struct wbuf *w, uint32_t xid, enum rpc_accept stat);
void rpc_put_prog_mismatch(struct wbuf *w, uint32_t xid, uint32_t low, uint32_t high);
void rpc_put_rpc_mismatch(struct wbuf *w, uint32_t xid);
void rpc_put_auth_error(struct wbuf *w, uint32_t xid, enum rpc_auth_stat why);
