/* told.c - an operation that takes somebody's caching right without waiting for the answer: it acts when the notification
 * is on the holder's connection, so that nobody learns of the change before the holder is told of it. Knows nothing of
 * who tells, and how. */
#include "internal.h"

struct fs_told {
    pthread_mutex_t mu;
    unsigned refs, pending;
    struct co_ticket *ticket; /* NULL: it does not wait any more */
};

static void unref(struct fs_told *t) /* locked; unlocks */
{
    bool last = --t->refs == 0;
    pthread_mutex_unlock(&t->mu);
    if (!last)
        return;
    pthread_mutex_destroy(&t->mu);
    free(t);
}

struct fs_told *told_new(void)
{
    struct fs_told *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    pthread_mutex_init(&t->mu, NULL);
    t->refs = 1;
    return t;
}

void told_drop(struct fs_told *t)
{
    if (likely(!t))
        return;
    pthread_mutex_lock(&t->mu);
    unref(t);
}

bool told_wait(struct fs_req *q, struct fs_told *t)
{
    if (!t)
        return false;
    pthread_mutex_lock(&t->mu);
    if (!t->pending) {
        unref(t);
        return false;
    }
    t->ticket = &q->ticket;
    q->told = t;
    pthread_mutex_unlock(&t->mu);
    return true;
}

void told_forget(struct fs_req *q)
{
    struct fs_told *t = TAKE_PTR(q->told);
    if (likely(!t))
        return;
    pthread_mutex_lock(&t->mu);
    t->ticket = NULL;
    unref(t);
}

struct fs_told *fs_told_later(struct fs_told *t)
{
    if (!t)
        return NULL;
    pthread_mutex_lock(&t->mu);
    t->refs++;
    t->pending++;
    pthread_mutex_unlock(&t->mu);
    return t;
}

void fs_told_done(struct fs_told *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mu);
    if (--t->pending == 0 && t->ticket)
        t->ticket->wake(t->ticket);
    unref(t);
}
