/* rpc_client.h - ONC RPC calls that this server makes: callbacks to lock managers, notifications, the port mapper.
 *
 * One object is one call, on one loop, over a socket of its own: most such calls are rare, and their peers often
 * gone. When the port is 0 the peer's port mapper is asked first. Over UDP the call is repeated until the time is over.
 * Whoever calls the same peers often keeps lines to them. */
#pragma once
#include "rpc.h"

#define PMAP_PROGRAM 100000u
extern uint16_t rpc_out_pmap_port; /* 111; another in tests, before the first call */
enum { PMAPPROC_NULL, PMAPPROC_SET, PMAPPROC_UNSET, PMAPPROC_GETPORT, PMAPPROC_DUMP };

/* TCP connections that are kept: calls to the same address, program and version share one, and the port that was
 * found for it. One that nobody has used for a minute is closed. When one breaks off that had worked, the calls on
 * it are sent once more over a new one: only for procedures that may be called twice. */
struct rpc_lines;
struct rpc_lines *rpc_lines_new(struct loop *l); /* NULL: no memory */
void rpc_lines_free(struct rpc_lines *ls);       /* loop thread, when no call uses them; NULL is fine */

struct rpc_out_call {
    struct sockaddr_storage to; /* port 0: ask its port mapper */
    bool udp;
    bool reserved_port;         /* from below 1024, if we may */
    struct rpc_lines *lines;    /* TCP with port 0: the same loop's; NULL: a connection of its own */
    uint32_t prog, vers, proc;
    const void *args;           /* XDR; copied */
    size_t nargs;
    uint64_t timeout;           /* ns, for all of it */
    /* Exactly once, on the loop's thread, unless cancelled; *results are valid during the call only when st is ST_OK.
     * ST_TIMEOUT; ST_CLOSED: no connection; ST_NOTSUP: no such program, version, procedure or port; ST_ACCESS: denied;
     * ST_BADMSG. The handle is void from here on. */
    void (*done)(void *arg, enum st st, struct cursor *results);
    void *arg;
};
struct rpc_out;
/* Loop thread. 0 or -errno (done() does not come then). */
int rpc_out_start(struct loop *l, const struct rpc_out_call *call, struct rpc_out **ret);
void rpc_out_cancel(struct rpc_out *o); /* loop thread; NULL is fine */
