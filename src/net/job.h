/* job.h - one request on its way: run on its loop, parked, run again, moved to the pool, finished on its loop.
 *
 * This file is the whole of the "park and run again" machinery; every front end's request embeds a job.
 *
 *     job_start --> step() -- ST_AGAIN ----> parked() ... job_wake() --> step() again, on the loop
 *                     |  \--- ST_OFFLOAD --> step() again, on a pool thread (job->on_pool is true)
 *                     \------ any other ---> done(status), on the loop
 *
 * step() runs on the loop's thread or on a pool thread, never on both; until done() the request belongs to whichever
 * thread runs it, and to its loop while parked. A step that returns ST_AGAIN or ST_OFFLOAD has changed nothing that
 * its next run would see twice. A step run with on_pool set must not return ST_OFFLOAD.
 *
 * A wake that comes before the job is parked is not lost: the step is run again at once. */
#pragma once
#include "base/st.h"
#include "loop.h"
#include <stdatomic.h>

struct job {
    const struct job_ops *ops;
    struct loop *loop;
    struct pool *pool;
    struct task task; /* job.c's */
    _Atomic unsigned state; /* job.c's */
    bool on_pool;   /* true while step() may block */
    enum st result; /* between pool and loop */
    unsigned runs;  /* times step() was called */
};

struct job_ops {
    enum st (*step)(struct job *);
    void (*parked)(struct job *); /* loop thread, after a step that said ST_AGAIN (may be called several times) */
    void (*done)(struct job *, enum st);  /* loop thread, exactly once; the job may be freed in it */
};

void job_init(struct job *j, const struct job_ops *ops, struct loop *loop, struct pool *pool);
void job_start(struct job *j); /* on the loop's thread */
void job_wake(struct job *j);  /* any thread, any number of times, only between job_start() and done() */

/* Test builds: a probability (0..100) with which fs injects ST_AGAIN at a gate. See fs/gate.h. */
