/* req.c - a request's place in the engine's queues: how it is woken, and how it is given up. */
#include "base/clock.h"
#include "internal.h"

#define RESERVE_NS (15 * NSEC_PER_SEC) /* how long a client that was told to come back may take (semantics 1.1 #15) */

/* From inside the engine: stores and pushes only. */
static void wake(struct co_ticket *t)
{
    struct fs_req *q = container_of(t, struct fs_req, ticket);
    if (q->job)
        job_wake(q->job);
}

void fs_req_init(struct fs_req *q, struct fs *fs, struct job *job, struct arena *arena)
{
    memset(q, 0, sizeof *q);
    q->fs = fs;
    q->job = job;
    q->arena = arena;
    q->ticket.wake = wake;
}

void fs_cancel(struct fs_req *q)
{
    fs_notify_cancel(q);
    struct co_out out = fs_out();
    co_cancel(q->fs->co, &q->ticket, clock_now(), &out);
    fs_deliver(q->fs, &out);
    q->injected = false;
}

void fs_cancel_reserve(struct fs_req *q)
{
    co_reserve(q->fs->co, &q->ticket, clock_now(), RESERVE_NS);
    fs_cancel(q);
}
