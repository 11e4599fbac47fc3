/* notify.c - change notification on directories ([MS-FSA] 2.1.5.11, [MS-SMB2] 3.3.5.19): the watch of an open, what
 * it remembers between requests, and who waits for it. What happened is told by tell.c.
 *
 * An open's watch begins with its first request and ends with the open; what happens while no request waits is kept,
 * up to what that first one takes at once. More than that, or than the request takes that comes for it, and the client
 * must list the directory again.
 *
 * Lock: watch_mu, innermost but for what job_wake() takes. A request that waits is on its watch's list, and leaves it
 * under the lock before it ends, so nobody is woken who is gone. */
#include "notify.h"

#define CHANGE_HEADER 12  /* [MS-FSCC] 2.7.1 FILE_NOTIFY_INFORMATION without its name */
#define BUFFER_MAX 65536  /* kept at most, whatever a client says it takes */
#define RECORD_HEADER 8

pthread_mutex_t watch_mu = PTHREAD_MUTEX_INITIALIZER;

/* --- The records of a watch. */

static void forget(struct fs_watch *w)
{
    w->used = w->cost = w->last = 0;
}

static void overflow(struct fs_watch *w)
{
    forget(w);
    w->overflow = true;
}

static bool buf_room(struct fs_watch *w, size_t n)
{
    if (n <= w->cap - w->used)
        return true;
    size_t cap = w->cap ? w->cap : 512;
    while (cap - w->used < n)
        cap *= 2;
    uint8_t *more = realloc(w->buf, cap);
    if (!more)
        return false;
    w->buf = more;
    w->cap = cap;
    return true;
}

/* Writing to a file again says nothing new. */
static bool same_as_last(const struct fs_watch *w, uint32_t action, const char *name, size_t n)
{
    if (!w->used || action != FS_MODIFIED)
        return false;
    const uint8_t *p = w->buf + w->last;
    return get_le32(p) == action && get_le32(p + 4) == n &&
           memcmp(p + RECORD_HEADER, name, n) == 0;
}

static void wake_first(struct fs_watch *w)
{
    struct fs_req *q = list_first(&w->waiters, struct fs_req, notify_link);
    if (q && q->job)
        job_wake(q->job);
}

void watch_add(struct fs_watch *w, uint32_t action, const char *name, size_t n, bool wake)
{
    size_t cost = ALIGN_UP(CHANGE_HEADER + 2 * n, (size_t)4), size = RECORD_HEADER + ALIGN_UP(n, (size_t)4);
    if (!w->overflow && !same_as_last(w, action, name, n)) {
        if (w->cost + cost > w->limit || w->used + size > BUFFER_MAX || !buf_room(w, size)) {
            overflow(w);
        } else {
            uint8_t *p = w->buf + w->used;
            put_le32(p, action);
            put_le32(p + 4, (uint32_t)n);
            memcpy(p + RECORD_HEADER, name, n);
            w->last = w->used;
            w->used += size;
            w->cost += cost;
        }
    }
    if (wake)
        wake_first(w);
}

/* --- Watches of a directory. */

static struct fs_watch *watch_of(struct fs_open *o, uint32_t filter, bool tree, size_t limit)
{
    struct fs_watch *w = o->priv->watch;
    struct fsn *f = fsn(o->node);
    if (w || !f || o->priv->closed)
        return w;
    if (!f->watchers) {
        f->watchers = calloc(1, sizeof *f->watchers);
        if (!f->watchers)
            return NULL;
        list_init(&f->watchers->watches);
    }
    w = calloc(1, sizeof *w);
    if (w) {
        *w = (struct fs_watch){.open = o, .filter = filter, .tree = tree, .limit = limit};
        list_init(&w->waiters);
        if (list_empty(&f->watchers->watches))
            fs_local_begin(o->node);
        list_append(&f->watchers->watches, &w->link);
        o->priv->watch = w;
        atomic_fetch_add(&o->fs->watching, 1);
    } else if (list_empty(&f->watchers->watches)) {
        free(TAKE_PTR(f->watchers));
    }
    return w;
}

static void stop_waiting(struct fs_req *q)
{
    if (!q->notify)
        return;
    list_remove(&q->notify_link);
    q->notify = NULL;
}

void fs_notify_cancel(struct fs_req *q)
{
    struct fs_open *o = q->notify;
    if (!o)
        return;
    pthread_mutex_lock(&watch_mu);
    struct fs_watch *w = o->priv->watch;
    stop_waiting(q);
    if (w && (w->used || w->overflow)) /* it may have been woken for these: the next one takes them */
        wake_first(w);
    pthread_mutex_unlock(&watch_mu);
    fs_open_unref(o);
}

void fs_watch_close(struct fs_open *o)
{
    pthread_mutex_lock(&watch_mu);
    struct fs_watch *w = TAKE_PTR(o->priv->watch);
    if (w) {
        struct fs_req *q;
        struct fsn *f = fsn(o->node);
        list_each(q, &w->waiters, notify_link) {
            list_remove(&q->notify_link); /* looks again, and finds the open closed */
            if (q->job)
                job_wake(q->job);
        }
        list_remove(&w->link);
        if (f && f->watchers && list_empty(&f->watchers->watches)) {
            free(TAKE_PTR(f->watchers));
            fs_local_end(o->node);
        }
        atomic_fetch_sub(&o->fs->watching, 1);
        free(w->buf);
        free(w);
    }
    pthread_mutex_unlock(&watch_mu);
}

void fs_watch_gone(struct st_node *dir)
{
    struct fsn *f = __atomic_load_n(&dir->fs, __ATOMIC_ACQUIRE);
    if (!f)
        return;
    pthread_mutex_lock(&watch_mu);
    struct fs_watch *w;
    if (f->watchers)
        list_each(w, &f->watchers->watches, link) {
            struct fs_req *q;
            list_each(q, &w->waiters, notify_link)
                if (q->job)
                    job_wake(q->job);
        }
    pthread_mutex_unlock(&watch_mu);
}

void fs_watch_lost(struct st_node *dir)
{
    struct fsn *f = __atomic_load_n(&dir->fs, __ATOMIC_ACQUIRE);
    struct fs_watch *w;
    if (!f)
        return;
    pthread_mutex_lock(&watch_mu);
    if (f->watchers)
        list_each(w, &f->watchers->watches, link) {
            overflow(w);
            wake_first(w);
        }
    pthread_mutex_unlock(&watch_mu);
}

/* --- The operation. */

static enum st take(struct fs_req *q, struct fs_watch *w, const struct fs_change **ret, size_t *ret_n)
{
    size_t count = 0, i = 0;
    for (size_t at = 0; at < w->used; at += RECORD_HEADER + ALIGN_UP((size_t)get_le32(w->buf + at + 4), (size_t)4))
        count++;
    struct fs_change *c = arena_alloc(q->arena, count * sizeof *c);
    uint8_t *copy = arena_dup(q->arena, w->buf, w->used);
    if (!c || !copy)
        return ST_NOMEM;
    for (size_t at = 0; at < w->used; i++) {
        size_t n = get_le32(copy + at + 4);
        c[i] = (struct fs_change){.action = get_le32(copy + at), .name = (char *)copy + at + RECORD_HEADER, .n = n};
        at += RECORD_HEADER + ALIGN_UP(n, (size_t)4);
    }
    forget(w);
    *ret = c;
    *ret_n = count;
    return ST_OK;
}

static bool is_gone(struct fs_open *o)
{
    struct st_attr a;
    return fs_is_delete_pending(o) || o->node->store->ops->getattr(o->node, &a) != ST_OK || !a.nlink;
}

/* Under watch_mu. */
static enum st look(struct fs_req *q, struct fs_open *o, uint32_t filter, bool tree, size_t limit, bool gone,
                    const struct fs_change **ret, size_t *ret_n)
{
    struct fs_watch *w = watch_of(o, filter, tree, limit);
    if (!w)
        return o->priv->closed ? ST_CLOSED : ST_NOMEM;
    if (w->overflow || (w->cost > limit && w->used)) {
        forget(w);
        w->overflow = false;
        return ST_TOOMANY;
    }
    if (w->used)
        return take(q, w, ret, ret_n);
    if (gone)
        return ST_DELETE_PENDING;
    if (!q->job)
        return ST_DELAY;
    if (!q->notify) {
        q->notify = fs_open_ref(o);
        list_append(&w->waiters, &q->notify_link);
    }
    return ST_AGAIN;
}

enum st fs_notify(struct fs_req *q, struct fs_open *o, uint32_t filter, bool tree, size_t limit,
                  const struct fs_change **ret, size_t *ret_n)
{
    if (o->node->type != ST_DIR || o->stream)
        return ST_INVAL;
    enum st st = fs_permit_open(o, FS_LIST);
    if (st != ST_OK)
        return st;
    bool gone = is_gone(o);
    pthread_mutex_lock(&watch_mu);
    st = look(q, o, filter, tree, limit, gone, ret, ret_n);
    bool waited = st != ST_AGAIN && q->notify;
    if (waited)
        stop_waiting(q);
    pthread_mutex_unlock(&watch_mu);
    if (waited)
        fs_open_unref(o);
    return st;
}
