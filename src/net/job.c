/* job.c - the states of a job and their races.
 *
 *   JOB_RUNNING  step() runs, or the job is queued to run, on some thread
 *   JOB_WOKEN    the same, and a wake came: if that step says ST_AGAIN it is run again instead of parked
 *   JOB_PARKED   only the one wake that changes this to JOB_RUNNING queues the job
 *
 * A step starts by taking JOB_WOKEN back: it will see whatever the wake was about. Knows nothing of requests. */
#include "job.h"
#include "base/log.h"
#include <assert.h>

enum { JOB_NEW, JOB_RUNNING, JOB_WOKEN, JOB_PARKED, JOB_DONE };

#define JOB_RERUNS 16 /* at once, before others get their turn */

static void job_run_on_loop(struct task *t);
static void job_run_on_pool(struct task *t);
static void job_back_on_loop(struct task *t);

void job_init(struct job *j, const struct job_ops *ops, struct loop *loop, struct pool *pool)
{
    *j = (struct job){.ops = ops, .loop = loop, .pool = pool};
    atomic_init(&j->state, JOB_NEW);
}

static enum st job_step(struct job *j)
{
    atomic_exchange_explicit(&j->state, JOB_RUNNING, memory_order_acq_rel);
    j->runs++;
    return j->ops->step(j);
}

static void job_post(struct job *j, void (*fn)(struct task *))
{
    j->task.fn = fn;
    loop_post(j->loop, &j->task);
}

/* False: a wake came first. */
static bool job_park(struct job *j)
{
    unsigned running = JOB_RUNNING;
    if (!atomic_compare_exchange_strong_explicit(&j->state, &running, JOB_PARKED, memory_order_acq_rel,
                                                 memory_order_acquire))
        return false;
    /* A wake from now on only posts to this very thread. */
    j->ops->parked(j);
    return true;
}

static void job_offload(struct job *j)
{
    j->on_pool = true;
    j->task.fn = job_run_on_pool;
    pool_run(j->pool, &j->task);
}

static void job_done(struct job *j, enum st st)
{
    atomic_store_explicit(&j->state, JOB_DONE, memory_order_release);
    j->ops->done(j, st); /* may free j */
}

/* On the loop: what follows from the result of a step, running it again as often as it wants. */
static void job_settle(struct job *j, enum st st)
{
    for (unsigned n = 0;; n++) {
        if (st == ST_OFFLOAD && j->pool) {
            job_offload(j);
            return;
        }
        if (st == ST_OFFLOAD) { /* nobody to block for us */
            j->on_pool = true;
            st = job_step(j);
            j->on_pool = false;
            if (st == ST_OFFLOAD) {
                log_error("net", "event=job_loops reason=\"offload asked for while allowed to block\"");
                st = ST_SERVERFAULT;
            }
            continue;
        }
        if (st != ST_AGAIN) {
            job_done(j, st);
            return;
        }
        if (job_park(j))
            return;
        if (n >= JOB_RERUNS) {
            job_post(j, job_run_on_loop);
            return;
        }
        st = job_step(j);
    }
}

static void job_run_on_loop(struct task *t)
{
    struct job *j = container_of(t, struct job, task);
    job_settle(j, job_step(j));
}

static void job_run_on_pool(struct task *t)
{
    struct job *j = container_of(t, struct job, task);
    j->result = job_step(j);
    if (j->result == ST_OFFLOAD) {
        log_error("net", "event=job_loops reason=\"offload asked for while allowed to block\"");
        j->result = ST_SERVERFAULT;
    }
    job_post(j, job_back_on_loop); /* the job is the loop's again */
}

static void job_back_on_loop(struct task *t)
{
    struct job *j = container_of(t, struct job, task);
    j->on_pool = false;
    job_settle(j, j->result);
}

void job_start(struct job *j)
{
    assert(atomic_load(&j->state) == JOB_NEW);
    job_settle(j, job_step(j));
}

void job_wake(struct job *j)
{
    unsigned state = atomic_load_explicit(&j->state, memory_order_acquire);
    for (;;) {
        if (state != JOB_RUNNING && state != JOB_PARKED)
            return; /* a wake is on its way already */
        unsigned next = state == JOB_RUNNING ? JOB_WOKEN : JOB_RUNNING;
        if (!atomic_compare_exchange_weak_explicit(&j->state, &state, next, memory_order_acq_rel,
                                                   memory_order_acquire))
            continue;
        if (state == JOB_PARKED)
            job_post(j, job_run_on_loop);
        return;
    }
}
