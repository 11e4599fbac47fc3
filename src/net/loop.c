/* loop.c - the event loop: one turn is epoll_wait(), events, posted tasks, timers, deferred tasks.
 *
 * A turn costs one system call besides those of the handlers. The wake-up descriptor is edge-triggered and never read,
 * and is written only when the loop is asleep: `asleep` is set before the loop looks at `posted` for the last time, and
 * read after a task was pushed, both sequentially consistent, so one of the two sides sees the other.
 * Knows nothing of sockets. */
#include "internal.h"
#include "base/blk.h"
#include "base/clock.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>

#define LOOP_TIMERS_PER_TURN 1024
#define LOOP_LAST_TURNS 64 /* after loop_stop(): tasks may post tasks, but not for ever */

static _Thread_local struct loop *loop_current;

/* What is registered belongs to the loop's thread; before it starts and after it ended, to anybody. */
#define loop_assert_own(l) assert(loop_current == (l) || !atomic_load(&(l)->running))

int loop_create(struct loop **ret)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->deferred_end = &l->deferred;
    list_init(&l->conns);
    atomic_store(&l->now, clock_now());
    l->epfd = epoll_create1(EPOLL_CLOEXEC);
    l->wakefd = l->epfd < 0 ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (l->wakefd < 0 || epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->wakefd, &e) < 0) {
        int err = errno;
        loop_free(l);
        return -err;
    }
    *ret = l;
    return 0;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    loop_stop(l);
    util_closep(&l->epfd);
    util_closep(&l->wakefd);
    blk_put(l->rx);
    free(l);
}

struct loop *loop_self(void)
{
    return loop_current;
}

uint64_t loop_now(const struct loop *l)
{
    return atomic_load_explicit(&l->now, memory_order_relaxed);
}

static void loop_wake(struct loop *l)
{
    if (!atomic_load(&l->asleep) || !atomic_exchange(&l->asleep, false))
        return;
    uint64_t one = 1;
    while (write(l->wakefd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void loop_post(struct loop *l, struct task *t)
{
    struct task *head = atomic_load_explicit(&l->posted, memory_order_relaxed);
    do
        t->next = head;
    while (!atomic_compare_exchange_weak(&l->posted, &head, t));
    loop_wake(l);
}

void loop_defer(struct loop *l, struct task *t)
{
    loop_assert_own(l);
    t->next = NULL;
    *l->deferred_end = t;
    l->deferred_end = &t->next;
}

int loop_watch(struct loop *l, struct watch *w)
{
    loop_assert_own(l);
    struct epoll_event e = {.events = w->events, .data.ptr = w};
    if (epoll_ctl(l->epfd, w->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &e) < 0)
        return -errno;
    w->added = true;
    return 0;
}

void loop_unwatch(struct loop *l, struct watch *w)
{
    loop_assert_own(l);
    if (!w->added)
        return;
    w->added = false;
    (void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
    /* The kernel may have reported it in this turn already. */
    for (int i = l->event + 1; i < l->nevents; i++)
        if (l->events[i].data.ptr == w)
            l->events[i].data.ptr = NULL;
}

void loop_timer(struct loop *l, struct timer *t, uint64_t at)
{
    loop_assert_own(l);
    if (t->at)
        timers_remove(&l->timers, t);
    t->at = at;
    if (at)
        timers_insert(&l->timers, t);
}

static void loop_run_events(struct loop *l)
{
    for (l->event = 0; l->event < l->nevents; l->event++) {
        struct watch *w = l->events[l->event].data.ptr;
        if (w)
            w->fn(w, l->events[l->event].events);
    }
    l->nevents = l->event = 0;
}

static void loop_run_posted(struct loop *l)
{
    struct task *newest = atomic_exchange(&l->posted, NULL), *t = NULL;
    while (newest) { /* oldest first */
        struct task *next = newest->next;
        newest->next = t;
        t = newest;
        newest = next;
    }
    for (struct task *next; t; t = next) {
        next = t->next;
        t->fn(t);
    }
}

/* Timers of this instant that set themselves again for this instant wait for the next turn at the latest. */
static void loop_run_timers(struct loop *l)
{
    uint64_t now = loop_now(l);
    for (unsigned n = 0; l->timers && l->timers->at <= now && n < LOOP_TIMERS_PER_TURN; n++) {
        struct timer *t = l->timers;
        timers_remove(&l->timers, t);
        t->at = 0;
        t->fn(t);
    }
}

/* Also what deferred tasks defer. */
static void loop_run_deferred(struct loop *l)
{
    while (l->deferred) {
        struct task *t = l->deferred;
        l->deferred = t->next;
        if (!l->deferred)
            l->deferred_end = &l->deferred;
        t->fn(t);
    }
}

static int loop_timeout(const struct loop *l)
{
    if (!l->timers)
        return -1;
    uint64_t now = clock_now(), at = l->timers->at;
    if (at <= now)
        return 0;
    uint64_t ms = (at - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
    return (int)MIN(ms, (uint64_t)3600 * 1000);
}

static void loop_wait(struct loop *l)
{
    int timeout = l->deferred ? 0 : loop_timeout(l);
    if (timeout != 0) {
        atomic_store(&l->asleep, true);
        if (atomic_load(&l->posted) || atomic_load(&l->stopping))
            timeout = 0;
    }
    int n = epoll_wait(l->epfd, l->events, LOOP_EVENTS, timeout);
    atomic_store_explicit(&l->asleep, false, memory_order_relaxed);
    l->nevents = MAX(n, 0);
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    loop_current = l;
    for (unsigned last = 0; last < LOOP_LAST_TURNS;) {
        bool stop = atomic_load(&l->stopping);
        if (!stop)
            loop_wait(l);
        atomic_store_explicit(&l->now, clock_now(), memory_order_relaxed);
        loop_run_events(l);
        loop_run_posted(l);
        loop_run_timers(l);
        loop_run_deferred(l);
        if (stop && !atomic_load(&l->posted))
            break;
        last += stop;
    }
    loop_current = NULL;
    return NULL;
}

int loop_start(struct loop *l, int index)
{
    char name[16];
    snprintf(name, sizeof name, "loop-%d", index);
    atomic_store(&l->stopping, false);
    atomic_store(&l->running, true);
    int r = net_thread_start(&l->thread, name, loop_main, l);
    if (r < 0)
        atomic_store(&l->running, false);
    return r;
}

void loop_stop(struct loop *l)
{
    if (!atomic_load(&l->running))
        return;
    atomic_store(&l->stopping, true);
    loop_wake(l);
    if (loop_current == l)
        return; /* ends after this turn; loop_free() joins */
    if (atomic_exchange(&l->running, false))
        pthread_join(l->thread, NULL);
}

struct loop_call {
    struct task task;
    void (*fn)(void *);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};

static void loop_call_run(struct task *t)
{
    struct loop_call *call = container_of(t, struct loop_call, task);
    call->fn(call->arg);
    pthread_mutex_lock(&call->lock);
    call->done = true;
    pthread_cond_signal(&call->cond);
    pthread_mutex_unlock(&call->lock);
}

void loop_call(struct loop *l, void (*fn)(void *), void *arg)
{
    if (loop_current == l || !atomic_load(&l->running)) {
        fn(arg);
        return;
    }
    struct loop_call call = {.task.fn = loop_call_run, .fn = fn, .arg = arg};
    pthread_mutex_init(&call.lock, NULL);
    pthread_cond_init(&call.cond, NULL);
    loop_post(l, &call.task);
    pthread_mutex_lock(&call.lock);
    while (!call.done)
        pthread_cond_wait(&call.cond, &call.lock);
    pthread_mutex_unlock(&call.lock);
    pthread_cond_destroy(&call.cond);
    pthread_mutex_destroy(&call.lock);
}
