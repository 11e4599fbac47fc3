/* watch.c - directories whose entries others may change behind our back, with what the kernel tells of it
 * (fanotify(7)). It names who did it, so what this process does itself is left out exactly; an ordinary user is told
 * that much, too.
 *
 * The kernel's group and the thread that reads it are made for the first directory that is watched; without any,
 * nothing costs anything. After each batch the thread lets events gather for a moment: a program that writes a file
 * in small pieces is one change then. Knows nothing of who wants to know. */
#include "base/hash.h"
#include "dir.h"
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>

#define GATHER_MS 10
#define EVENTS (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_MODIFY | FAN_ATTRIB)

struct dwatch {
    struct hash_link by_node, by_handle;
    struct dnode *n; /* a reference */
    unsigned count;
    int type;        /* how the kernel names the directory */
    unsigned len;
    uint8_t handle[MAX_HANDLE_SZ];
};
struct dwatches {
    struct dstore *ds;
    int fan, stop;
    pthread_t thread;
    struct hash by_node, by_handle; /* under ds->watch_mu */
};

static struct dwatch *find(const struct dwatches *ws, const struct dnode *n)
{
    for (struct hash_link *l = ws ? hash_first(&ws->by_node, hash_u64((uintptr_t)n)) : NULL; l; l = hash_next(l)) {
        struct dwatch *w = container_of(l, struct dwatch, by_node);
        if (w->n == n)
            return w;
    }
    return NULL;
}

static void forget(struct dwatches *ws, struct dwatch *w)
{
    hash_remove(&ws->by_node, &w->by_node);
    hash_remove(&ws->by_handle, &w->by_handle);
}

/* --- What the kernel tells. */

static struct dnode *node_of_handle(struct dstore *ds, const struct file_handle *h)
{
    struct dnode *n = NULL;
    pthread_mutex_lock(&ds->watch_mu);
    struct hash_link *l = hash_first(&ds->watches->by_handle, hash_bytes(h->f_handle, h->handle_bytes));
    for (; l && !n; l = hash_next(l)) {
        struct dwatch *w = container_of(l, struct dwatch, by_handle);
        if (w->type == h->handle_type && w->len == h->handle_bytes && !memcmp(w->handle, h->f_handle, w->len)) {
            n = w->n;
            st_ref(&n->n);
        }
    }
    pthread_mutex_unlock(&ds->watch_mu);
    return n;
}

static void tell_one(struct dnode *dir, enum st_change what, uint64_t mask, const char *name)
{
    dir->n.store->changed(&dir->n, what, mask & FAN_ONDIR, name, strlen(name));
}

/* Changes of one name that came together are told in an order that ends with how things are. */
static void tell_name(struct dnode *dir, uint64_t mask, const char *name)
{
    bool gone = mask & (FAN_DELETE | FAN_MOVED_FROM), made = mask & (FAN_CREATE | FAN_MOVED_TO);
    struct statx sx;
    bool there = gone && made ? dir_stat(dir, name, &sx) == ST_OK : made;
    if (gone && there)
        tell_one(dir, ST_REMOVED, mask, name);
    if (made)
        tell_one(dir, ST_ADDED, mask, name);
    if (mask & FAN_MODIFY)
        tell_one(dir, ST_MODIFIED, mask, name);
    if (mask & FAN_ATTRIB)
        tell_one(dir, ST_ATTRIBUTES, mask, name);
    if (gone && !there)
        tell_one(dir, ST_REMOVED, mask, name);
}

/* Told without the lock: all that are watched now are noted first. */
static void tell_lost(struct dstore *ds)
{
    struct hash *h = &ds->watches->by_node;
    pthread_mutex_lock(&ds->watch_mu);
    size_t n = 0, room = h->count;
    struct dnode **all = calloc(room + 1, sizeof *all);
    for (size_t i = 0; all && i <= h->mask; i++)
        for (struct hash_link *l = h->slots[i]; l; l = l->next) {
            all[n] = container_of(l, struct dwatch, by_node)->n;
            st_ref(&all[n++]->n);
        }
    pthread_mutex_unlock(&ds->watch_mu);
    for (size_t i = 0; i < n; i++) {
        ds->s.changed(&all[i]->n, ST_LOST, false, "", 0);
        st_unref(&all[i]->n);
    }
    free(all);
}

static void tell(struct dstore *ds, const struct fanotify_event_metadata *m, const struct fanotify_event_info_fid *info)
{
    if (m->mask & FAN_Q_OVERFLOW) {
        tell_lost(ds);
        return;
    }
    if (m->pid == getpid() || m->event_len <= sizeof *m || info->hdr.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME)
        return;
    const struct file_handle *h = (const void *)info->handle;
    const char *name = (const char *)h->f_handle + h->handle_bytes;
    struct dnode *dir = node_of_handle(ds, h);
    if (!dir)
        return;
    if (strcmp(name, ".") != 0) /* the directory's own attributes */
        tell_name(dir, m->mask, name);
    st_unref(&dir->n);
}

/* Events lie at multiples of 4 bytes, which is less than their first part wants. */
static void tell_all(struct dstore *ds, const uint8_t *p, size_t n)
{
    struct fanotify_event_metadata m;
    for (; n >= sizeof m; p += m.event_len, n -= m.event_len) {
        memcpy(&m, p, sizeof m);
        if (m.event_len < sizeof m || m.event_len > n)
            return;
        tell(ds, &m, (const void *)(p + sizeof m));
    }
}

static void *watch_thread(void *arg)
{
    struct dwatches *ws = arg;
    _Alignas(8) uint8_t buf[16384];
    struct pollfd p[2] = {{.fd = ws->stop, .events = POLLIN}, {.fd = ws->fan, .events = POLLIN}};
    pthread_setname_np(pthread_self(), "watch");
    while (poll(p, 2, -1) >= 0 || errno == EINTR) {
        if (p[0].revents)
            break;
        ssize_t n = read(ws->fan, buf, sizeof buf);
        if (n > 0)
            tell_all(ws->ds, buf, (size_t)n);
        if (poll(p, 1, GATHER_MS) > 0)
            break;
    }
    return NULL;
}

/* --- Beginning and ending. */

static void watches_free(struct dwatches *ws)
{
    util_closep(&ws->fan);
    util_closep(&ws->stop);
    hash_done(&ws->by_node);
    hash_done(&ws->by_handle);
    free(ws);
}

static enum st watches_start(struct dstore *ds)
{
    struct dwatches *ws = calloc(1, sizeof *ws);
    if (!ws)
        return ST_NOMEM;
    ws->ds = ds;
    ws->stop = eventfd(0, EFD_CLOEXEC);
    ws->fan = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
    int e = ws->fan < 0 || ws->stop < 0 ? errno : 0;
    if (!e && (hash_init(&ws->by_node, 64) || hash_init(&ws->by_handle, 64)))
        e = ENOMEM;
    if (!e)
        e = pthread_create(&ws->thread, NULL, watch_thread, ws);
    if (e) {
        watches_free(ws);
        return st_from_errno(e);
    }
    ds->watches = ws;
    return ST_OK;
}

void dir_watch_stop(struct dstore *ds)
{
    struct dwatches *ws = ds->watches;
    if (!ws)
        return;
    eventfd_write(ws->stop, 1);
    pthread_join(ws->thread, NULL);
    ds->watches = NULL;
    for (size_t i = 0; i <= ws->by_node.mask; i++)
        for (struct hash_link *l; (l = ws->by_node.slots[i]) != NULL;) {
            struct dwatch *w = container_of(l, struct dwatch, by_node);
            forget(ws, w);
            st_unref(&w->n->n);
            free(w);
        }
    watches_free(ws);
}

static int mark(struct dstore *ds, const struct dnode *n, unsigned how)
{
    char path[DIR_PROC_MAX];
    dir_proc(n->fd, path);
    return fanotify_mark(ds->watches->fan, how, EVENTS | FAN_EVENT_ON_CHILD | FAN_ONDIR, AT_FDCWD, path);
}

static enum st watch_new(struct dstore *ds, struct dnode *n)
{
    struct {
        struct file_handle h;
        uint8_t room[MAX_HANDLE_SZ];
    } kh = {.h.handle_bytes = MAX_HANDLE_SZ};
    int mnt;
    enum st st = ds->watches ? ST_OK : watches_start(ds);
    if (st != ST_OK)
        return st;
    struct dwatch *w = calloc(1, sizeof *w);
    if (!w)
        return ST_NOMEM;
    if (name_to_handle_at(n->fd, "", &kh.h, &mnt, AT_EMPTY_PATH) < 0 || mark(ds, n, FAN_MARK_ADD) < 0) {
        st = st_from_errno(errno);
        free(w);
        return st;
    }
    st_ref(&n->n);
    *w = (struct dwatch){.n = n, .count = 1, .type = kh.h.handle_type, .len = kh.h.handle_bytes};
    memcpy(w->handle, kh.h.f_handle, w->len);
    hash_insert(&ds->watches->by_node, &w->by_node, hash_u64((uintptr_t)n));
    hash_insert(&ds->watches->by_handle, &w->by_handle, hash_bytes(w->handle, w->len));
    return ST_OK;
}

enum st dir_watch(struct st_node *dir, bool on)
{
    struct dnode *n = DNODE(dir);
    struct dstore *ds = dnode_store(n);
    struct dwatch *gone = NULL;
    enum st st = ST_OK;
    pthread_mutex_lock(&ds->watch_mu);
    struct dwatch *w = find(ds->watches, n);
    if (on && w) {
        w->count++;
    } else if (on) {
        st = watch_new(ds, n);
    } else if (w && --w->count == 0) {
        (void)mark(ds, n, FAN_MARK_REMOVE);
        forget(ds->watches, w);
        gone = w;
    }
    pthread_mutex_unlock(&ds->watch_mu);
    if (gone)
        st_unref(&gone->n->n);
    free(gone);
    return st;
}
