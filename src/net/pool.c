/* pool.c - threads for work that may block: one queue, first come first served, any idle thread takes the next. Knows
 * nothing of the work. */
#include "internal.h"
#include <errno.h>
#include <stdio.h>

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct task *first, **end;
    unsigned idle;
    bool stopping;
    unsigned nthreads;
    pthread_t threads[];
};

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->first && !p->stopping) {
            p->idle++;
            pthread_cond_wait(&p->some, &p->lock);
            p->idle--;
        }
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
    pthread_cond_init(&p->some, NULL);
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
    pthread_cond_broadcast(&p->some);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthreads; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->some);
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
        pthread_cond_signal(&p->some); /* under the lock: once it is dropped, pool_free() may be next */
    pthread_mutex_unlock(&p->lock);
}
