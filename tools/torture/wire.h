/* wire.h - one thread that plays many clients: connections, calls under way, and waiting for what the other side
 * says.
 *
 * Nothing here blocks except wire_wait() and what is written with it, and that always has a deadline. Every message
 * that arrives gets a place in one order (`wire->arrivals`): when several sockets have something, SMB's are read
 * before RPC's, so that a notification that was queued before an NFS answer also arrives before it. Knows framing
 * (SMB's length and RPC's record marks), no protocol. Running out of memory or of sockets ends the program. */
#pragma once
#include "base/cursor.h"
#include "base/list.h"
#include "base/wbuf.h"
#include <netinet/in.h>

#define WIRE_MESSAGE_MAX (2u << 20)

struct pcap;
struct wire {
    int epoll;
    uint64_t arrivals;      /* messages received so far */
    unsigned patience;      /* ms that call_end() waits */
    struct pcap *pcap;      /* or NULL */
    struct list conns;      /* of wire_conn */
    struct list dead;       /* connections closed while their own message was handled */
    bool reading;
};
void wire_init(struct wire *w);
void wire_done(struct wire *w);

enum wire_kind { WIRE_RPC, WIRE_SMB, WIRE_LISTENER, WIRE_UDP };
struct wire_conn {
    struct wire *wire;
    struct list link;
    int fd;
    enum wire_kind kind;
    bool ready;                   /* has something to read: seen, not yet read */
    bool closed;
    struct sockaddr_in local, peer;
    uint16_t known_port;          /* what a packet capture calls the other side's port, so that it is decoded */
    bool accepted;                /* the other side connected: the known port is ours */
    uint32_t sent, received;      /* sequence numbers for the capture */
    uint8_t *in, *out;            /* received: not yet a whole message; to be sent */
    size_t nin, cap, nout, out_cap;
    /* One whole message, without its length; UDP: `peer` is who sent it. */
    void (*on_message)(struct wire_conn *c, const uint8_t *p, size_t n);
    void (*on_close)(struct wire_conn *c);    /* the other side is gone; or NULL */
    void (*on_accept)(struct wire_conn *listener, struct wire_conn *c); /* sets the other two */
    void *arg;
};
/* A connection from `from` (its port 0: any; address 0: any) to `to`; NULL when it cannot be made. */
struct wire_conn *wire_connect(struct wire *w, enum wire_kind kind, const struct sockaddr_in *from,
                               const struct sockaddr_in *to);
/* A listener (accepting WIRE_RPC) or a UDP socket at `at` (it sends to `peer`); NULL when the address is not free. */
struct wire_conn *wire_listen(struct wire *w, enum wire_kind kind, const struct sockaddr_in *at);
/* `message` starts with 4 bytes for the length, which this fills in; UDP: without them, to `peer`. */
void wire_send(struct wire_conn *c, uint8_t *message, size_t n);
/* Closed, with a reset if `abort`. The handlers are not called any more. NULL is fine. */
void wire_close(struct wire_conn *c, bool abort);

uint64_t wire_now(void); /* ns */
/* Runs until done(arg), or `ms` are over. True: done. */
bool wire_wait(struct wire *w, unsigned ms, bool (*done)(void *arg), void *arg);
void wire_idle(struct wire *w, unsigned ms); /* listens for so long */
void wire_drain(struct wire_conn *c);        /* takes what has arrived on this one; between turns only. NULL is fine */

/* --- Calls: one request of either protocol, from being sent to its answer. */

#define CALL_LOST 0xFFFFFFFFu    /* status: the connection is gone */
#define CALL_TIMEOUT 0xFFFFFFFEu /* no answer in time */
#define CALL_GARBLED 0xFFFFFFFDu /* an answer that could not be decoded */
#define CALL_REFUSED 0xFFFFFFFCu /* RPC: not accepted at all (program, version, procedure, authentication) */

struct smb_file { /* an open of SMB2 */
    uint8_t id[16];
};
struct nfs_fh {
    uint32_t n;
    uint8_t bytes[64];
};
/* What answers carry, as far as one does. */
struct call_result {
    struct nfs_fh fh;            /* LOOKUP, CREATE, MKDIR, MNT ... */
    bool has_attr;
    uint32_t type, mode, nlink;  /* NFS */
    uint64_t size, fileid;
    uint32_t count;              /* READ, WRITE: bytes */
    bool eof;
    uint32_t holder_svid;        /* NLM TEST: who is in the way */
    bool holder_exclusive;
    uint64_t holder_offset, holder_len;
    struct smb_file file;        /* SMB CREATE */
    uint8_t oplock;              /* granted; SMB2_OPLOCK_LEVEL_LEASE: see lease */
    uint32_t lease;              /* SMB2_LEASE_* granted */
    uint32_t lease_flags;
    uint16_t epoch;
    uint32_t action;             /* FILE_CREATED ... */
    bool durable, persistent;    /* granted durability */
    char changes[200];           /* CHANGE_NOTIFY: "added NAME;removed NAME;" ... */
    const uint8_t *data;         /* READ: within the reply; READDIR, QUERY_DIRECTORY: the entries as they came */
    size_t ndata;
};
struct call {
    struct list link;            /* of the client that sent it */
    struct wire *wire;
    const char *what;            /* for people: "READ" */
    bool done;
    bool pending;                /* SMB: STATUS_PENDING was received */
    bool nlm;                    /* its status is an nlm4_stats */
    uint32_t status;             /* nfsstat3, nlm4_stats, NTSTATUS, or one of CALL_*; valid when done */
    uint64_t sent, answered;     /* when */
    uint64_t arrival;            /* place of the answer among all that arrived */
    uint64_t id, async_id;       /* xid, or message id */
    void (*decode)(struct call *c, struct cursor *in); /* reads the answer into r; or NULL */
    uint8_t *reply;              /* the body: owned */
    size_t nreply;
    uint8_t *request;            /* RPC, when wanted: what was sent; owned */
    size_t nrequest;
    struct call_result r;
};
struct call *call_new(struct wire *w, struct list *pending, const char *what, uint64_t id);
void call_answer(struct call *c, uint32_t status, const uint8_t *body, size_t n); /* keeps a copy of the body */
void call_lose(struct list *pending);  /* all of them: their connection is gone */
void call_free(struct call *c);        /* also while under way: its answer is ignored then */
bool call_wait(struct call *c, unsigned ms);        /* true: answered, or lost */
uint32_t call_end(struct call *c);     /* waits with patience, frees, gives the status */
/* The same, and what the answer carried (r->data is not valid any more). */
uint32_t call_result(struct call *c, struct call_result *ret);

void torture_fail(const char *format, ...) _printf_(1, 2)
    __attribute__((noreturn)); /* ends the program with status 2 */
