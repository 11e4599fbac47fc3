/* loop.h - event loops: one thread each, epoll, timers, and work posted from other threads.
 *
 * What is registered with a loop belongs to that loop's thread; only loop_post() may be called from anywhere.
 * Knows nothing of protocols. */
#pragma once
#include "base/list.h"
#include "base/util.h"

struct loop;

/* Work to run once on a thread that is not the caller's (a loop's, or a pool's). Owned by the caller; must stay valid
 * and must not be posted again until fn has been called. */
struct task {
    struct task *next;
    void (*fn)(struct task *);
};

/* A file descriptor of interest, zero-initialised but for fd, events and fn. fn gets the EPOLL* events. */
struct watch {
    int fd;
    uint32_t events;
    void (*fn)(struct watch *, uint32_t events);
    bool added; /* the loop's */
};

/* One shot. Accuracy 1 ms; never early. Zero-initialised = not set. */
struct timer {
    uint64_t at; /* clock_now() ns; 0 = not set */
    void (*fn)(struct timer *);
    struct timer *child, *next, *prev; /* the loop's */
};

int loop_create(struct loop **ret);         /* 0 or -errno */
void loop_free(struct loop *l);
int loop_start(struct loop *l, int index);  /* its thread, named "loop-INDEX" */
void loop_stop(struct loop *l);             /* any thread: makes it end; joins it. Tasks posted so far still run. */
struct loop *loop_self(void);               /* the loop whose thread this is, or NULL */
uint64_t loop_now(const struct loop *l);    /* time of this turn of the loop: no system call */

void loop_post(struct loop *l, struct task *t); /* any thread; wakes the loop at most once per turn */
/* Runs t on the loop's thread after the current turn's events (for flushing many replies at once). Loop thread only. */
void loop_defer(struct loop *l, struct task *t);

/* Runs fn on the loop's thread and waits for it: for setting up and taking down. Not between two loops. Runs it right
 * here when this is that thread or the loop has none (any more). */
void loop_call(struct loop *l, void (*fn)(void *), void *arg);

int loop_watch(struct loop *l, struct watch *w);   /* adds, or changes events of an added one; 0 or -errno */
void loop_unwatch(struct loop *l, struct watch *w);
void loop_timer(struct loop *l, struct timer *t, uint64_t at); /* sets or moves; at = 0 clears */

/* Threads for what may really block. Any idle thread takes the oldest task. */
struct pool;
int pool_create(unsigned threads, struct pool **ret);
void pool_free(struct pool *p); /* finishes what is queued */
void pool_run(struct pool *p, struct task *t); /* any thread */
