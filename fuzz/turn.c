/* turn.c - see turn.h. */
#include "turn.h"
#include "net/internal.h"

static uint64_t now = 1000 * NSEC_PER_SEC;

uint64_t __wrap_clock_now(void);
uint64_t __wrap_clock_now(void)
{
    return now;
}

static bool run_posted(struct loop *l)
{
    struct task *newest = atomic_exchange(&l->posted, NULL), *t = NULL;
    while (newest) { /* oldest first */
        struct task *next = newest->next;
        newest->next = t;
        t = newest;
        newest = next;
    }
    bool any = t != NULL;
    for (struct task *next; t; t = next) {
        next = t->next;
        t->fn(t);
    }
    return any;
}

static bool run_events(struct loop *l)
{
    int n = epoll_wait(l->epfd, l->events, LOOP_EVENTS, 0);
    l->nevents = MAX(n, 0);
    for (l->event = 0; l->event < l->nevents; l->event++) {
        struct watch *w = l->events[l->event].data.ptr;
        if (w)
            w->fn(w, l->events[l->event].events);
    }
    l->nevents = l->event = 0;
    return n > 0;
}

static bool run_timers(struct loop *l)
{
    bool any = false;
    for (unsigned i = 0; l->timers && l->timers->at <= loop_now(l) && i < 1000; i++) {
        struct timer *t = l->timers;
        timers_remove(&l->timers, t);
        t->at = 0;
        t->fn(t);
        any = true;
    }
    return any;
}

static bool run_deferred(struct loop *l)
{
    bool any = l->deferred != NULL;
    while (l->deferred) {
        struct task *t = l->deferred;
        l->deferred = t->next;
        if (!l->deferred)
            l->deferred_end = &l->deferred;
        t->fn(t);
    }
    return any;
}

struct loop *turn_loop(void)
{
    struct loop *l;
    if (loop_create(&l) < 0)
        abort();
    atomic_store(&l->now, now);
    return l;
}

void turn(struct loop *l, uint64_t ns)
{
    now += ns + 1;
    atomic_store(&l->now, now);
    for (int i = 0; i < 200; i++) {
        bool any = run_events(l);
        any |= run_posted(l);
        any |= run_timers(l);
        any |= run_deferred(l);
        if (!any)
            break;
    }
}
