/* rpc.h - ONC RPC version 2 (RFC 5531): calls in, replies out, over TCP (record marking) and UDP.
 *
 * A program is const data: its procedures with decode, run and encode. A call moves through them like this, on the
 * machinery of net/job.h:
 *
 *     header, credentials, program, procedure -> [duplicate request cache] -> decode -> run -> encode -> send
 *
 * decode() is a pure function of the argument bytes: when a call parks, its message is detached from the receive buffer
 * and decoded again, so that pointers into it stay right. run() is called from its start as often as it says ST_AGAIN or
 * ST_OFFLOAD. A call that stays parked beyond its procedure's time is given up (or answered early, RPC_EARLY) from
 * inside its own step, so that nothing else ever touches a call that may be running.
 *
 * Knows nothing of files, NFS or locks. What a service keeps with each call stands behind the rpc_call in the same
 * memory (rpc_config.call_size). Calls come from a free list per loop: no malloc per request. */
#pragma once
#include "base/arena.h"
#include "drc.h"
#include "net/conn.h"
#include "net/job.h"
#include "xdr.h"

/* RFC 5531 §9 and §8.2 */
enum { RPC_CALL, RPC_REPLY };
enum { RPC_MSG_ACCEPTED, RPC_MSG_DENIED };
enum rpc_accept { RPC_SUCCESS, RPC_PROG_UNAVAIL, RPC_PROG_MISMATCH, RPC_PROC_UNAVAIL, RPC_GARBAGE_ARGS, RPC_SYSTEM_ERR };
enum { RPC_REJECT_MISMATCH, RPC_REJECT_AUTH };
enum rpc_auth_stat { RPC_AUTH_OK, RPC_AUTH_BADCRED, RPC_AUTH_REJECTEDCRED, RPC_AUTH_BADVERF, RPC_AUTH_REJECTEDVERF,
                     RPC_AUTH_TOOWEAK };
enum { RPC_AUTH_NONE = 0, RPC_AUTH_SYS = 1, RPC_AUTH_SHORT = 2 };
#define RPC_AUTH_BODY_MAX 400u /* §8.2 */
#define RPC_GIDS_MAX 16u       /* §14, appendix A */
#define RPC_MACHINE_MAX 255u

struct rpc_call;

/* --- What a service offers. */
enum {
    RPC_CACHED = 1 << 0, /* not idempotent: through the duplicate request cache */
    RPC_DELAY = 1 << 1,  /* parked for too long: hooks.give_up(), then encode(ST_DELAY) or nothing, not cached */
    RPC_EARLY = 1 << 2,  /* parked for too long: encode(ST_AGAIN) is sent, the call lives on without its client, its end
                            is told to hooks.late() */
    RPC_LOCAL = 1 << 3,  /* only for callers on this machine; others: AUTH_TOOWEAK */
};
struct rpc_proc {
    const char *name;
    /* NULL: no arguments. Returns nothing: the cursor says whether they were good. */
    void (*decode)(struct cursor *in, void *args);
    enum st (*run)(struct rpc_call *c); /* NULL: nothing to do */
    /* After rpc_reply(): writes the results. NULL: void. */
    void (*encode)(struct rpc_call *c, struct wbuf *out, enum st st);
    uint16_t args, res; /* bytes of c->args (zeroed before the first decode) and c->res (zeroed before each run) */
    uint16_t expect;    /* bytes of results usually; 0: few */
    uint16_t flags;
};
enum { RPC_TCP = 1, RPC_UDP = 2 };
struct rpc_program {
    const char *name;
    uint32_t prog, vers;
    const struct rpc_proc *const *procs; /* by number; NULL: PROC_UNAVAIL */
    uint32_t nprocs;
    unsigned transports;
};
struct rpc_hooks { /* each may be NULL */
    void (*begin)(struct rpc_call *c);            /* the procedure is known, arguments are decoded */
    uint64_t (*park)(const struct rpc_call *c);   /* ns until RPC_DELAY or RPC_EARLY; 0: it waits */
    /* In step, after run() said ST_AGAIN for the last time. False: the client gets no answer, and may ask again. */
    bool (*give_up)(struct rpc_call *c);
    void (*late)(struct rpc_call *c, enum st st); /* end of a call that was answered early; loop thread */
    void (*release)(struct rpc_call *c);          /* the last thing, loop thread; only after begin() */
};
struct rpc_service {
    const char *name; /* for logs */
    const struct rpc_program *const *programs; /* versions of one program ascending */
    size_t nprograms;
    const struct rpc_hooks *hooks;
    void *ctx;
};

/* --- The server: what all services of the process share. */
struct rpc_config {
    struct loop **loops;
    size_t nloops;
    struct pool *pool;
    size_t call_size;      /* >= sizeof(struct rpc_call) */
    uint32_t max_free;     /* calls kept per loop for reuse */
    uint32_t drc_entries;
    size_t drc_bytes;
    struct conn_limits limits;
    unsigned max_connections;
};
struct rpc_server;
int rpc_server_create(const struct rpc_config *cfg, struct rpc_server **ret); /* 0 or -errno */
/* Closes listeners and connections, gives parked calls up and waits for the last call to end. Not on a loop's thread;
 * all loops run. */
void rpc_server_free(struct rpc_server *s);
/* Listens; `svc` must outlive the server. 0 or -errno. Port 0: any, see *ret_port. */
int rpc_listen_tcp(struct rpc_server *s, const struct rpc_service *svc, const char *addr, uint16_t *ret_port);
int rpc_listen_udp(struct rpc_server *s, const struct rpc_service *svc, const char *addr);

struct rpc_stats {
    uint64_t calls, rejected, garbage, replayed, absorbed, parked, delayed;
};
void rpc_server_stats(struct rpc_server *s, struct rpc_stats *ret);

/* The connections of a service, for the administrator: not on a loop's thread. `calls`: under way or parked. */
void rpc_conns_each(struct rpc_server *s, const struct rpc_service *svc,
                    void (*fn)(void *arg, const struct conn *c, uint64_t since, unsigned calls), void *arg);

/* --- A call. */
struct rpc_auth {
    uint32_t flavor; /* RPC_AUTH_NONE, RPC_AUTH_SYS */
    uint32_t uid, gid;
    uint32_t ngids, gids[RPC_GIDS_MAX];
};
struct rpc_loop;
struct rpc_conn;
struct rpc_call {
    struct job job;
    struct rpc_loop *home;
    struct list live;           /* in home->live; free: home->free */
    const struct rpc_service *svc;
    const struct rpc_program *prog;
    const struct rpc_proc *proc;
    struct rpc_conn *conn;      /* TCP; NULL on UDP and after an early answer */
    struct udp *udp;            /* UDP; NULL on TCP and after an early answer */
    const struct sockaddr_storage *peer, *local; /* local: NULL on UDP */
    const char *peer_name;      /* for logs */
    struct sockaddr_storage udp_peer;
    char udp_name[64];
    uint32_t xid, proc_number;
    struct rpc_auth auth;
    struct msg msg;
    uint32_t args_pos;          /* of the arguments in msg */
    void *args, *res;           /* the procedure's */
    struct wbuf out;            /* the reply, record mark included */
    size_t body;                /* where the results start in it */
    struct drc_entry *drc;
    struct drc_waiter waiter;   /* of a duplicate on a new connection, for the running original's reply */
    struct blk *replay;
    struct task task;
    struct timer timer;
    _Atomic bool expired;       /* the time to park is over */
    bool started, begun, detached, held, answered, early_ready;
    bool silent;                /* given up without an answer */
    enum st st;                 /* how run() ended */
    struct arena arena;
    /* the service's part follows */
};
/* Begins the reply (accepted, SUCCESS) with room for `expect` bytes of results, and positions c->out behind the header.
 * Called by dispatch before encode() unless run() has done so to have bytes read straight into the reply; run() then
 * writes at c->out and encode() finds what it wrote. */
void rpc_reply(struct rpc_call *c, size_t expect);
/* Bytes of results written so far. */
static inline size_t rpc_reply_len(const struct rpc_call *c) { return wbuf_len(&c->out) - c->body; }
/* True when the caller sits on this machine (loopback, or the address it called). */
bool rpc_is_local(const struct rpc_call *c);
/* The 16 bytes of an address without port: IPv4 as v4-mapped. */
void rpc_addr_bytes(const struct sockaddr_storage *a, uint8_t out[16]);
uint16_t rpc_addr_port(const struct sockaddr_storage *a);
void rpc_addr_set_port(struct sockaddr_storage *a, uint16_t port);
socklen_t rpc_addr_len(const struct sockaddr_storage *a);

/* --- For rpc_*.c and tests. */
#define RPC_MARK 4u             /* bytes of the record mark, RFC 5531 §11; present in UDP replies too, and not sent */
#define RPC_LAST_FRAGMENT 0x80000000u
struct rpc_header {
    uint32_t xid, prog, vers, proc;
    struct rpc_auth auth;
};
enum rpc_parse { RPC_PARSE_OK, RPC_PARSE_DROP, RPC_PARSE_MISMATCH, RPC_PARSE_AUTH };
/* Reads a call's header; *in then stands at the arguments. DROP: no call, nobody to answer. */
enum rpc_parse rpc_parse_call(struct cursor *in, struct rpc_header *ret, enum rpc_auth_stat *ret_why);
/* Compacts the fragments of a whole record in place: start and length of what they carry. */
uint8_t *rpc_defragment(uint8_t *p, size_t n, size_t *ret_n);
/* Length of the record at p as far as its n bytes tell; 0: more needed; -1: longer than max. *pos is where the walk
 * stands, 0 at first. */
ssize_t rpc_frame(const uint8_t *p, size_t n, size_t max, size_t *pos);
