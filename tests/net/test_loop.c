/* test_loop.c - tasks from other threads, timers and their order, watches that go in the turn they were reported in,
 * the pool. */
#include "base/clock.h"
#include "net/loop.h"
#include "cm.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static struct loop *loop;

static int setup(void **state)
{
    return loop_create(&loop) < 0 || loop_start(loop, 0) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    loop_stop(loop);
    loop_free(loop);
    return 0;
}

/* Many threads post numbered tasks; each thread's arrive in order. */
enum { POSTERS = 4, POSTS = 5000 };
struct post {
    struct task task;
    int from, number;
};
static struct post posts[POSTERS][POSTS];
static int next_number[POSTERS];
static _Atomic int arrived;

static void post_run(struct task *t)
{
    struct post *p = container_of(t, struct post, task);
    assert_ptr_equal(loop_self(), loop);
    assert_int_equal(p->number, next_number[p->from]++);
    arrived++;
}

static void *poster(void *arg)
{
    int from = (int)(intptr_t)arg;
    assert_null(loop_self());
    for (int i = 0; i < POSTS; i++) {
        posts[from][i] = (struct post){.task.fn = post_run, .from = from, .number = i};
        loop_post(loop, &posts[from][i].task);
        if (i % 1000 == 0)
            usleep(1000); /* let it fall asleep */
    }
    return NULL;
}

static void test_post(void **state)
{
    pthread_t t[POSTERS];
    for (int i = 0; i < POSTERS; i++)
        pthread_create(&t[i], NULL, poster, (void *)(intptr_t)i);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(t[i], NULL);
    wait_for(arrived == POSTERS * POSTS);
}

/* Random timers, some moved, some cleared: never early, in order. */
enum { TIMERS = 500 };
static struct timer timers[TIMERS];
static uint64_t wanted[TIMERS], last_at;
static _Atomic int fired;

static void timer_run(struct timer *t)
{
    size_t i = (size_t)(t - timers);
    uint64_t now = clock_now();
    assert_true(wanted[i] != 0 && now >= wanted[i]);
    assert_true(now - wanted[i] < 5 * NSEC_PER_SEC);
    assert_true(wanted[i] >= last_at);
    assert_int_equal(t->at, 0);
    last_at = wanted[i];
    fired++;
}

static void timers_set(void *arg)
{
    unsigned seed = 1;
    for (size_t i = 0; i < TIMERS; i++) {
        timers[i].fn = timer_run;
        wanted[i] = loop_now(loop) + (uint64_t)(rand_r(&seed) % 60 + 5) * NSEC_PER_MSEC;
        loop_timer(loop, &timers[i], wanted[i]);
    }
    for (size_t i = 0; i < TIMERS; i += 3) {
        wanted[i] = i % 2 ? 0 : loop_now(loop) + (uint64_t)(rand_r(&seed) % 60 + 5) * NSEC_PER_MSEC;
        loop_timer(loop, &timers[i], wanted[i]);
    }
}

static void test_timers(void **state)
{
    int cleared = 0;
    loop_call(loop, timers_set, NULL);
    for (size_t i = 0; i < TIMERS; i += 3)
        cleared += i % 2;
    wait_for(fired == TIMERS - cleared);
    usleep(5000);
    assert_int_equal(fired, TIMERS - cleared);
}

/* Two descriptors readable in one turn; whichever comes first takes the other away. */
static int pair[2][2];
static struct watch watches[2];
static _Atomic int seen;

static void watch_run(struct watch *w, uint32_t events)
{
    assert_true(events & EPOLLIN);
    loop_unwatch(loop, &watches[0]);
    loop_unwatch(loop, &watches[1]);
    loop_unwatch(loop, &watches[1]);
    seen++;
}

static void watches_set(void *arg)
{
    for (int i = 0; i < 2; i++) {
        watches[i] = (struct watch){.fd = pair[i][0], .events = 0, .fn = watch_run};
        assert_int_equal(loop_watch(loop, &watches[i]), 0);
        watches[i].events = EPOLLIN;
        assert_int_equal(loop_watch(loop, &watches[i]), 0);
    }
}

static void test_unwatch(void **state)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair[i]), 0);
        assert_int_equal(write(pair[i][1], "x", 1), 1);
    }
    loop_call(loop, watches_set, NULL);
    wait_for(seen == 1);
    usleep(5000);
    assert_int_equal(seen, 1);
    for (int i = 0; i < 4; i++)
        close(pair[i / 2][i % 2]);
}

static struct task deferred[3];
static char order[8];

static void defer_run(struct task *t)
{
    order[strlen(order)] = (char)('0' + (t - deferred));
    if (t == &deferred[0]) {
        loop_defer(loop, &deferred[2]);
        strcat(order, "-");
    }
}

static void defer_set(void *arg)
{
    for (int i = 0; i < 3; i++)
        deferred[i].fn = defer_run;
    loop_defer(loop, &deferred[0]);
    loop_defer(loop, &deferred[1]);
    strcat(order, "+");
}

static void nothing(void *arg)
{
}

static void test_defer(void **state)
{
    loop_call(loop, defer_set, NULL);
    loop_call(loop, nothing, NULL);
    assert_string_equal(order, "+0-12");
}

static _Atomic int worked;

static void work_run(struct task *t)
{
    usleep(100);
    worked++;
}

static void test_pool(void **state)
{
    static struct task work[200];
    struct pool *p;
    assert_true(pool_create(0, &p) < 0);
    assert_int_equal(pool_create(3, &p), 0);
    for (size_t i = 0; i < ARRAY_LEN(work); i++) {
        work[i].fn = work_run;
        pool_run(p, &work[i]);
    }
    pool_free(p); /* finishes what is queued */
    assert_int_equal(worked, ARRAY_LEN(work));
}

static void test_stop_runs_posted(void **state)
{
    struct loop *l;
    struct task t[50];
    assert_int_equal(loop_create(&l), 0);
    assert_int_equal(loop_start(l, 1), 0);
    int before = worked;
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        t[i].fn = work_run;
        loop_post(l, &t[i]);
    }
    loop_stop(l);
    assert_int_equal(worked, before + (int)ARRAY_LEN(t));
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post),  cmocka_unit_test(test_timers), cmocka_unit_test(test_unwatch),
        cmocka_unit_test(test_defer), cmocka_unit_test(test_pool),   cmocka_unit_test(test_stop_runs_posted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
