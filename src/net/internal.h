/* internal.h - what the files of net share and nobody else sees: the inside of loops and connections. */
#pragma once
#include "conn.h"
#include "loop.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

/* A thread with a name and without asynchronous signals, which are the main thread's. 0 or -errno. */
int net_thread_start(pthread_t *ret, const char *name, void *(*fn)(void *), void *arg);

/* timers.c: an intrusive pairing heap: setting never fails, because nothing is allocated. */
void timers_insert(struct timer **root, struct timer *t);
void timers_remove(struct timer **root, struct timer *t);

#define LOOP_EVENTS 256 /* taken from the kernel at once */

struct loop {
    int epfd, wakefd;
    pthread_t thread;
    _Atomic bool running;  /* has a thread */
    _Atomic bool stopping;
    _Atomic bool asleep;   /* about to wait in epoll_wait(): whoever posts must write to wakefd */
    _Atomic(struct task *) posted; /* newest first */
    _Atomic uint64_t now;
    struct task *deferred, **deferred_end;
    struct timer *timers;
    struct epoll_event events[LOOP_EVENTS];
    int nevents, event; /* of this turn; the one being handled */
    /* conn.c's */
    struct blk *rx;     /* shared receive block: bytes [0, rx_tail) belong to messages */
    uint32_t rx_tail;
    struct list conns;
    struct listener_slot *accepting; /* the listener whose accept() is being called; conn_open() takes it over */
};

/* Connections that one listener gave to one loop. */
struct listener_slot {
    struct listener *li;
    _Atomic unsigned count;
};
void listener_conn_gone(struct listener_slot *s);

/* One queued block; `head` moves on as bytes are sent. */
struct conn_out {
    struct blk *blk;
    uint32_t head, len;
};

/* How much a peer has moved since when, of a message or of the replies that wait for it; one window after another. */
struct conn_pace {
    uint64_t since, bytes;
};

struct conn_priv {
    int fd;
    _Atomic uint32_t refs;
    struct list link; /* loop->conns */
    struct watch watch;
    struct timer timer;
    struct task flush_task, work_task, close_task;
    struct listener_slot *slot;

    /* Received and not yet taken: bytes [head, tail) of `in`, NULL when there are none. `in_own`: nobody else fills
     * that block, so more may be received behind tail. `need`: length of the message at head, 0 = not known. */
    struct blk *in;
    uint32_t in_head, in_tail, need;
    bool in_own;

    /* To be sent: a ring in a block of its own, which exists only while something is queued. */
    struct blk *ring;
    uint32_t out_first, out_count, out_cap;
    uint64_t queued; /* bytes */
    uint64_t sent;   /* bytes that are queued no more */
    struct conn_sent *unsent, *unsent_last; /* conn_when_sent(), by `at` */

    uint32_t unfinished, held;
    uint64_t last_message, last_in, last_out; /* loop_now() of the last progress */
    struct conn_pace pace_in, pace_out;

    bool readable;  /* the kernel may have bytes; cleared by a short read */
    bool hup;       /* it also has an end of file or error behind them: a short read proves nothing */
    bool eof;       /* that end was read */
    bool paused;    /* over a limit: `in` may hold whole messages */
    bool writable;  /* cleared by a short write */
    bool connecting;
    bool flush_set, work_set; /* the task is queued */
    bool closing;   /* conn_close_after_flush() */
    bool draining;  /* ... and all was sent: waiting for the peer's end */
    uint64_t drain_until;
};

struct conn_full {
    struct conn pub;
    struct conn_priv priv;
};

/* conn.c */
int conn_make(struct loop *l, int fd, bool connecting, const struct conn_ops *ops, const struct conn_limits *limits,
              void *owner, struct conn **ret);
void conn_fail(struct conn *c, const char *why, int err); /* logs and closes */
void conn_arm(struct conn *c);                            /* the timer, if the next deadline is before it */
void conn_maybe_end(struct conn *c); /* closes when the peer has ended and everything asked for is answered */
static inline bool conn_over_limit(const struct conn *c)
{
    const struct conn_priv *p = c->priv;
    return (c->limits->max_inflight && p->unfinished - p->held >= c->limits->max_inflight) ||
           (c->limits->max_queued && p->queued > c->limits->max_queued);
}
/* conn_recv.c */
void conn_read(struct conn *c);
void conn_read_later(struct conn *c);
void conn_drop_input(struct conn *c);
/* conn_send.c */
void conn_flush_later(struct conn *c);
void conn_flush_run(struct task *t);
void conn_drop_output(struct conn *c);

/* addr.c */
void addr_unmap(struct sockaddr_storage *a); /* ::ffff:a.b.c.d to a.b.c.d */
/* A bound non-blocking socket for a listening or datagram address; fd or -errno. */
int addr_bind(const char *addr, int type, uint16_t *ret_port);
