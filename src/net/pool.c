/* pool.c - threads for work that may block: one queue, first come first served. Of the idle threads the one that has
 * worked last takes the next: its stack and its caches are warm, and the others stay out of memory. Knows nothing of
 * the work. */
#include "internal.h"
#include <errno.h>
#include <stdio.h>

/* Lives on its thread's stack while it has nothing to do. */
struct idler {
    struct idler *below;
    pthread_cond_t wake;
    bool called;
};

struct pool {
    pthread_mutex_t lock;
    struct task *first, **end;
    struct idler *idle; /* the last one to have worked on top */
    bool stopping;
    unsigned nthreads;
    pthread_t threads[];
};

static void call_locked(struct pool *p)
{
    struct idler *top = p->idle;
    p->idle = top->below;
    top->called = true;
    pthread_cond_signal(&top->wake);
}

static void idle_locked(struct pool *p, struct idler *me)
{
    me->called = false;
    me->below = p->idle;
    p->idle = me;
    while (!me->called)
        pthread_cond_wait(&me->wake, &p->lock);
}

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    struct idler me = {.wake = PTHREAD_COND_INITIALIZER};
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->first && !p->stopping)
            idle_locked(p, &me);
        struct task *t = p->first;
        if (!t)
            break;
        p->first = t->next;
        if (!p->first)
            p->end = &p->first;
        pthread_mutex_unlock(&p->lock);
        t->fn(t);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    pthread_cond_destroy(&me.wake);
    return NULL;
}

int pool_create(unsigned threads, struct pool **ret)
{
    if (threads == 0)
        return -EINVAL;
    struct pool *p = calloc(1, sizeof *p + threads * sizeof p->threads[0]);
    if (!p)
        return -ENOMEM;
    pthread_mutex_init(&p->lock, NULL);
    p->end = &p->first;
    for (; p->nthreads < threads; p->nthreads++) {
        char name[16];
        snprintf(name, sizeof name, "pool-%u", p->nthreads);
        int r = net_thread_start(&p->threads[p->nthreads], name, pool_main, p);
        if (r < 0) {
            pool_free(p);
            return r;
        }
    }
    *ret = p;
    return 0;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    while (p->idle)
        call_locked(p);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthreads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void pool_run(struct pool *p, struct task *t)
{
    t->next = NULL;
    pthread_mutex_lock(&p->lock);
    *p->end = t;
    p->end = &t->next;
    if (p->idle)
        call_locked(p); /* under the lock: once it is dropped, pool_free() may be next */
    pthread_mutex_unlock(&p->lock);
}
