/* conn.h - stream connections: receiving whole messages in place, sending queued blocks, limits and back-pressure.
 *
 * A connection belongs to one loop. Received bytes lie in a shared block (base/blk.h) and are decoded where they
 * lie; an idle connection holds no buffer. One sendmsg() per turn sends all replies queued in it.
 *
 * Back-pressure: reading pauses while more than `max_inflight` requests are unfinished or more than `max_queued`
 * bytes wait to be sent. A peer that makes no progress for `stall_timeout` with a partial message, or with bytes to
 * be sent, or whose host does not even answer TCP's own probes any more, is closed, and so is one that makes less
 * than CONN_PACE bytes a second for so long: a byte now and then must not keep a message, and the memory behind it,
 * for ever. One without a message for `idle_timeout` is closed (0 = never). */
#pragma once
#include "base/blk.h"
#include "base/log.h"
#include "loop.h"
#include <sys/socket.h>

struct conn;

/* One whole received message. Its bytes stay valid until msg_done(), which any thread may call. */
struct msg {
    const uint8_t *data;
    uint32_t len;
    struct blk *blk; /* holds the bytes */
};
/* Copies the bytes into a block of their own size when they share a bigger one: for messages that will wait long.
 * Pointers into the old bytes are void afterwards. */
void msg_detach(struct msg *m);
void msg_done(struct msg *m);

#define CONN_PACE 1024u /* bytes a second; no network that anybody works with is slower */
struct conn_limits {
    uint32_t max_message;   /* largest message, at most BLK_MAX; larger: closed */
    uint32_t max_inflight;  /* requests; 0 = no limit */
    uint32_t max_queued;    /* bytes; 0 = no limit */
    uint64_t stall_timeout; /* ns without a byte, or with fewer than CONN_PACE a second; 0 = never */
    uint64_t idle_timeout;  /* ns; 0 = never */
};

struct conn_ops {
    /* The length in bytes of the message at p, framing included, of which n >= 1 bytes are here: 0 when more bytes are
     * needed to know, -1 when this is no message (the connection is closed; log first). */
    ssize_t (*frame)(struct conn *c, const uint8_t *p, size_t n);
    /* A whole message, framing included; takes over *m. Counted as in flight until conn_finish(). */
    void (*message)(struct conn *c, struct msg *m);
    /* The peer is gone or conn_close() was called. No further calls of frame/message. The owner drops its
     * reference with conn_unref() when its last request is finished. */
    void (*closed)(struct conn *c);
};

struct conn {
    const struct conn_ops *ops;
    struct loop *loop;
    const struct conn_limits *limits;
    struct sockaddr_storage peer, local;
    char peer_name[64]; /* "10.0.0.1:1023", "[fe80::1]:700": for logs */
    void *owner;        /* the front end's */
    struct log_rate bad_input; /* log_allow() before logging what this peer sent */
    bool is_closed;
    struct conn_priv *priv;
};

/* Takes over the connected non-blocking socket. Called on the loop's thread; refs = 1. 0 or -errno (fd closed). */
int conn_open(struct loop *l, int fd, const struct conn_ops *ops, const struct conn_limits *limits, void *owner,
              struct conn **ret);
/* The same for a connection that is made here: messages may be queued at once and go out when it is established; a
 * connection that cannot be made is closed like any other, by closed(). `reserved_port`: from a port below 1024, as
 * callbacks to old RPC services need; without the privilege, from any. Loop thread. 0 or -errno (nothing was made). */
int conn_connect(struct loop *l, const struct sockaddr_storage *to, socklen_t to_len, bool reserved_port,
                 const struct conn_ops *ops, const struct conn_limits *limits, void *owner, struct conn **ret);
struct conn *conn_ref(struct conn *c);
void conn_unref(struct conn *c); /* any thread */
/* Queues a block's bytes [head, head+len) (takes the reference over) and arranges the flush. The block itself is not
 * changed and may be queued elsewhere too. Loop thread only. After close it only drops the block. */
void conn_send(struct conn *c, struct blk *b);
/* fn is called, on the loop's thread and perhaps at once, when all that has been queued so far is with the kernel,
 * or will never be because the connection is closed. The caller keeps *s until then. */
struct conn_sent {
    struct conn_sent *next;
    uint64_t at;
    void (*fn)(struct conn_sent *s);
};
void conn_when_sent(struct conn *c, struct conn_sent *s);
/* Loop thread, after s->fn was called: has the peer's host confirmed to have received all that? False when closed. */
bool conn_acked(const struct conn *c, const struct conn_sent *s);
void conn_finish(struct conn *c); /* loop thread; one message of this connection is answered or needs no answer */
/* A parked request stops counting as in flight (loop thread); pair with conn_finish as usual. conn_unhold() before that
 * conn_finish() keeps the count exact when held and other requests finish side by side; without it the connection is
 * for a while allowed more than max_inflight, never fewer. */
void conn_hold(struct conn *c);
void conn_unhold(struct conn *c);
/* Loop thread: closed, or the peer has ended whether that was noticed or not. */
bool conn_peer_ended(const struct conn *c);
void conn_close(struct conn *c);  /* loop thread; drops what is queued; closed() follows before the loop's turn ends */
/* Loop thread. Receives and queues nothing more, sends what is queued, then closes in a way that lets it arrive. */
void conn_close_after_flush(struct conn *c);
void conn_close_all(struct loop *l); /* loop thread: every connection of this loop, for shutting down */

/* Listening on one address. New connections are spread over the loops: accept() is called on the loop that got it. */
struct listener;
struct listener_ops {
    /* Takes fd over: conn_open() before returning (which is what max_conns counts), or close. */
    void (*accept)(void *arg, struct loop *l, int fd, const struct sockaddr_storage *peer);
};
/* `addr` is "host:port", "[v6]:port" or "*:port" (dual stack); port 0 takes any. All loops must be started, and stopped
 * only after listener_close(). max_conns (0 = no limit) counts over all loops: above it connections are accepted and
 * closed at once, logged at a bounded rate. 0 or -errno. */
int listener_open(struct loop **loops, size_t nloops, const char *addr, const struct listener_ops *ops, void *arg,
                  unsigned max_conns, struct listener **ret);
uint16_t listener_port(const struct listener *li);
void listener_close(struct listener *li); /* no accept() runs afterwards; not on a loop's thread */

/* Datagrams, on one loop. fn gets each datagram; the bytes are valid during the call. An answer sent from within fn
 * comes from the address that was asked. Open and close on any thread that is no other loop's. */
struct udp;
int udp_open(struct loop *l, const char *addr, void (*fn)(void *arg, struct udp *u, const uint8_t *p, size_t n,
             const struct sockaddr_storage *from), void *arg, struct udp **ret);
void udp_send(struct udp *u, const struct sockaddr_storage *to, const void *p, size_t n); /* loop thread */
uint16_t udp_port(const struct udp *u);
void udp_close(struct udp *u);

/* "host:port" forms as above to a sockaddr (names are looked up, which may block: configuration only); and the reverse
 * for logs. Addresses given out by this module are IPv4 ones for IPv4 peers, also on dual-stack sockets. */
int addr_parse(const char *s, struct sockaddr_storage *ret, socklen_t *ret_len); /* 0 or -EINVAL */
void addr_format(const struct sockaddr_storage *a, char *out, size_t cap);
/* A number for whoever is at the address, without its port; of IPv6 the network (64 bits), as a host there has as many
 * addresses as it likes. Never 0. */
uint64_t addr_account(const struct sockaddr_storage *a);
