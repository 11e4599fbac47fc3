/* test_job.c - a job's ways, and wakes that come at every moment from several threads. */
#include "net/job.h"
#include "cm.h"
#include <pthread.h>

static struct loop *loop;
static struct pool *pool;

struct probe {
    struct job job;
    enum st script[8]; /* what step() answers, in turn */
    unsigned steps, pool_steps, parks;
    bool wake_in_step, wake_in_park;
    unsigned goal;
    _Atomic unsigned progress;
    _Atomic int done; /* 1 + status */
};

static enum st step(struct job *j)
{
    struct probe *p = container_of(j, struct probe, job);
    enum st st = p->script[p->steps++];
    assert_true(!j->pool || j->on_pool == (loop_self() == NULL));
    p->pool_steps += j->on_pool;
    if (p->wake_in_step && st == ST_AGAIN) {
        job_wake(j);
        job_wake(j);
    }
    return st;
}

static void parked(struct job *j)
{
    struct probe *p = container_of(j, struct probe, job);
    assert_ptr_equal(loop_self(), loop);
    p->parks++;
    if (p->wake_in_park) {
        job_wake(j);
        job_wake(j);
    }
}

static void done(struct job *j, enum st st)
{
    struct probe *p = container_of(j, struct probe, job);
    assert_ptr_equal(loop_self(), loop);
    assert_int_equal(p->done, 0);
    p->done = 1 + (int)st;
}

static const struct job_ops ops = {step, parked, done};

static void start(void *arg)
{
    job_start(arg);
}

static void run(struct probe *p, struct pool *with, enum st want)
{
    job_init(&p->job, &ops, loop, with);
    loop_call(loop, start, &p->job);
    wait_for(p->done != 0);
    assert_int_equal(p->done, 1 + (int)want);
    assert_int_equal(p->job.runs, p->steps);
}

static void test_straight(void **state)
{
    struct probe a = {.script = {ST_OK}}, b = {.script = {ST_NOENT}}, c = {.script = {ST_OFFLOAD, ST_EXIST}};
    run(&a, pool, ST_OK);
    run(&b, pool, ST_NOENT);
    run(&c, pool, ST_EXIST);
    assert_int_equal(c.pool_steps, 1);
}

static void test_offload_without_pool(void **state)
{
    struct probe a = {.script = {ST_OFFLOAD, ST_OK}}, b = {.script = {ST_OFFLOAD, ST_OFFLOAD}};
    run(&a, NULL, ST_OK);
    assert_int_equal(a.pool_steps, 1);
    run(&b, NULL, ST_SERVERFAULT);
}

static void test_offload_twice_is_refused(void **state)
{
    struct probe a = {.script = {ST_OFFLOAD, ST_OFFLOAD}};
    run(&a, pool, ST_SERVERFAULT);
}

static void test_wake_before_park(void **state)
{
    struct probe a = {.script = {ST_AGAIN, ST_OFFLOAD, ST_AGAIN, ST_OFFLOAD, ST_OK}, .wake_in_step = true};
    run(&a, pool, ST_OK);
    assert_int_equal(a.parks, 0);
    assert_int_equal(a.pool_steps, 2);
}

static void test_wake_in_park(void **state)
{
    struct probe a = {.script = {ST_AGAIN, ST_AGAIN, ST_OFFLOAD, ST_AGAIN, ST_OK}, .wake_in_park = true};
    run(&a, pool, ST_OK);
    assert_int_equal(a.parks, 3);
}

/* Wakers move `progress` on and wake; the job waits for the goal. A lost wake would leave it parked for ever. */
static enum st race_step(struct job *j)
{
    struct probe *p = container_of(j, struct probe, job);
    p->steps++;
    if (p->progress >= p->goal)
        return ST_OK;
    if (!j->on_pool && p->steps % 3 == 0)
        return ST_OFFLOAD;
    return ST_AGAIN;
}

enum { JOBS = 40, WAKERS = 3, WAKES = 200 };
static struct probe race[JOBS];
static _Atomic int may_end;

static void *waker(void *arg)
{
    for (int n = 0; n < WAKES; n++) {
        for (int i = 0; i < JOBS; i++) {
            race[i].progress++; /* the job may be done from the last one on, and its memory stays */
            job_wake(&race[i].job);
        }
    }
    return NULL;
}

static void done_when_all_woke(struct job *j, enum st st)
{
    done(j, st);
    may_end++;
}

static void test_race(void **state)
{
    static const struct job_ops with_count = {race_step, parked, done_when_all_woke};
    pthread_t t[WAKERS];
    for (int i = 0; i < JOBS; i++) {
        race[i].goal = WAKERS * WAKES;
        job_init(&race[i].job, &with_count, loop, pool);
        loop_call(loop, start, &race[i].job);
    }
    for (int i = 0; i < WAKERS; i++)
        pthread_create(&t[i], NULL, waker, NULL);
    for (int i = 0; i < WAKERS; i++)
        pthread_join(t[i], NULL);
    wait_for(may_end == JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(race[i].done, 1 + ST_OK);
}

static int setup(void **state)
{
    return loop_create(&loop) < 0 || loop_start(loop, 0) < 0 || pool_create(3, &pool) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    pool_free(pool);
    loop_stop(loop);
    loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_straight),
        cmocka_unit_test(test_offload_without_pool),
        cmocka_unit_test(test_offload_twice_is_refused),
        cmocka_unit_test(test_wake_before_park),
        cmocka_unit_test(test_wake_in_park),
        cmocka_unit_test(test_race),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
