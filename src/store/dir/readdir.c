/* readdir.c - the entries of a directory, page by page.
 *
 * A cookie is the kernel's own position behind the entry (d_off), so it is as stable as the file system makes it and
 * costs no memory. A client that pages through a directory comes back with the cookie it got last: the stream (an open
 * file description of its own and one buffer of entries) that stopped there is kept for it, so that a million entries
 * cost one getdents64() per buffer and no seek. Whoever comes with another cookie, or at the same time, gets a stream
 * of his own. What a kept buffer holds is thrown away when the directory has changed since.
 *
 * Must not know names' meanings. dstreams.mu guards the list of kept streams; one in use is on no list. */
#include "dir.h"
#include <dirent.h>
#include <errno.h>

#define BUF_SIZE (32u << 10)
#define STREAMS_MAX 32     /* kept; BUF_SIZE and one descriptor each */
#define STREAM_TICKS 5     /* how long */
#define SEARCH_MAX 200000u /* entries that dir_search() looks at */
#define COOKIE_LOW 2       /* cookies up to here are not given out, see cookie_of() */
#define COOKIE_LOW_BIT (1ull << 63)

struct stream {
    struct list link;
    struct st_id id;
    dev_t dev;
    int fd;
    uint64_t cookie; /* of the entry before `pos` */
    uint64_t tick;
    struct timespec ctime; /* of the directory when the buffer was filled */
    uint32_t pos, len;
    uint64_t buf[BUF_SIZE / 8]; /* struct dirent64 wants this alignment */
};

struct dstreams {
    pthread_mutex_t mu;
    struct list kept; /* oldest first */
    unsigned count;
};

/* Positions 0..2 of real entries exist on a few file systems only; moved out of the way, as no position is negative. */
static uint64_t cookie_of(uint64_t d_off) { return d_off > COOKIE_LOW ? d_off : d_off | COOKIE_LOW_BIT; }
static uint64_t cookie_off(uint64_t cookie) { return cookie & ~COOKIE_LOW_BIT; }

enum st dir_streams_open(struct dstreams **ret)
{
    struct dstreams *ss = calloc(1, sizeof *ss);
    if (!ss)
        return ST_NOMEM;
    pthread_mutex_init(&ss->mu, NULL);
    list_init(&ss->kept);
    *ret = ss;
    return ST_OK;
}

static void stream_free(struct stream *s)
{
    util_closep(&s->fd);
    free(s);
}

void dir_streams_sweep(struct dstore *ds, uint64_t tick)
{
    struct dstreams *ss = ds->streams;
    struct stream *s;
    pthread_mutex_lock(&ss->mu);
    while ((s = list_first(&ss->kept, struct stream, link)) && tick - s->tick >= STREAM_TICKS) {
        list_remove(&s->link);
        ss->count--;
        atomic_fetch_sub(&ds->idle, 1);
        stream_free(s);
    }
    pthread_mutex_unlock(&ss->mu);
}

void dir_streams_close(struct dstreams *ss)
{
    struct stream *s;
    if (!ss)
        return;
    while ((s = list_first(&ss->kept, struct stream, link))) {
        list_remove(&s->link);
        stream_free(s);
    }
    pthread_mutex_destroy(&ss->mu);
    free(ss);
}

static struct stream *stream_kept(const struct dnode *d, uint64_t cookie)
{
    struct dstore *ds = dnode_store(d);
    struct dstreams *ss = ds->streams;
    struct stream *s, *found = NULL;
    pthread_mutex_lock(&ss->mu);
    list_each (s, &ss->kept, link) {
        if (s->cookie == cookie && s->id.ino == d->n.id.ino && s->id.gen == d->n.id.gen && s->dev == d->dev) {
            list_remove(&s->link);
            ss->count--;
            atomic_fetch_sub(&ds->idle, 1);
            found = s;
            break;
        }
    }
    pthread_mutex_unlock(&ss->mu);
    return found;
}

static void stream_keep(struct dstore *ds, struct stream *s)
{
    struct dstreams *ss = ds->streams;
    struct stream *old = NULL;
    s->tick = atomic_load(&ds->tick);
    pthread_mutex_lock(&ss->mu);
    list_append(&ss->kept, &s->link);
    if (++ss->count > STREAMS_MAX) {
        old = list_first(&ss->kept, struct stream, link);
        list_remove(&old->link);
        ss->count--;
    } else {
        dir_cache_idle(ds);
    }
    pthread_mutex_unlock(&ss->mu);
    if (old)
        stream_free(old);
}

static int open_again(struct dnode *d)
{
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        dir_cache_reclaim(dnode_store(d), 64);
        fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return fd;
}

static enum st stream_new(struct dnode *d, struct stream **ret)
{
    struct stream *s = malloc(sizeof *s);
    if (!s)
        return ST_NOMEM;
    memset(s, 0, offsetof(struct stream, buf));
    list_init(&s->link);
    s->id = d->n.id;
    s->dev = d->dev;
    s->fd = open_again(d);
    if (s->fd < 0) {
        enum st st = st_from_errno(errno);
        free(s);
        return st;
    }
    *ret = s;
    return ST_OK;
}

static bool ctime_of(int fd, struct timespec *ret)
{
    struct stat sb;
    if (fstat(fd, &sb) < 0)
        return false;
    *ret = sb.st_ctim;
    return true;
}

static enum st stream_seek(struct stream *s, uint64_t cookie)
{
    s->pos = s->len = 0;
    s->cookie = cookie;
    if (lseek(s->fd, (off_t)cookie_off(cookie), SEEK_SET) < 0)
        return errno == EINVAL ? ST_BADCOOKIE : st_from_errno(errno);
    return ST_OK;
}

/* A stream that continues behind `cookie`. */
static enum st stream_at(struct dnode *d, uint64_t cookie, struct stream **ret)
{
    struct stream *s = cookie ? stream_kept(d, cookie) : NULL;
    struct timespec now;
    enum st st = ST_OK;
    if (!s) {
        st = stream_new(d, &s);
        if (st == ST_OK && cookie)
            st = stream_seek(s, cookie);
    } else if (s->pos < s->len &&
               (!ctime_of(s->fd, &now) || now.tv_sec != s->ctime.tv_sec || now.tv_nsec != s->ctime.tv_nsec)) {
        st = stream_seek(s, cookie);
    }
    if (st != ST_OK && s)
        stream_free(s);
    else
        *ret = s;
    return st;
}

/* ST_END: nothing more. */
static enum st stream_fill(struct stream *s)
{
    if (!ctime_of(s->fd, &s->ctime)) /* before: a change in between is then seen */
        return st_from_errno(errno);
    ssize_t n = getdents64(s->fd, s->buf, sizeof s->buf);
    if (n < 0)
        return errno == ENOENT ? ST_STALE : st_from_errno(errno);
    s->pos = 0;
    s->len = (uint32_t)n;
    return n == 0 ? ST_END : ST_OK;
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static void entry_of(const struct dirent64 *de, struct st_dirent *ret)
{
    *ret = (struct st_dirent){
        .name = de->d_name,
        .nname = strlen(de->d_name),
        .ino = de->d_ino,
        .type = de->d_type == DT_UNKNOWN ? 0 : dir_type(DTTOIF(de->d_type)),
        .cookie = cookie_of((uint64_t)de->d_off),
    };
}

/* ST_OK: fn had enough. */
static enum st stream_run(struct stream *s, bool (*fn)(void *, const struct st_dirent *), void *arg)
{
    for (;;) {
        if (s->pos >= s->len) {
            enum st st = stream_fill(s);
            if (st != ST_OK)
                return st;
        }
        const struct dirent64 *de = (const void *)((const uint8_t *)s->buf + s->pos);
        struct st_dirent e;
        entry_of(de, &e);
        if (!is_dots(de->d_name) && !fn(arg, &e))
            return ST_OK;
        s->pos += de->d_reclen;
        s->cookie = e.cookie;
    }
}

enum st dir_readdir(struct st_node *st_dir, uint64_t cookie, bool (*fn)(void *, const struct st_dirent *), void *arg)
{
    struct dnode *d = DNODE(st_dir);
    struct dstore *ds = dnode_store(d);
    struct stream *s = NULL;
    enum st st = dir_usable(d, false);
    if (st == ST_OK)
        st = stream_at(d, cookie, &s);
    if (st != ST_OK)
        return st;
    st = stream_run(s, fn, arg);
    if (st == ST_OK && s->cookie)
        stream_keep(ds, s);
    else
        stream_free(s);
    return st;
}

struct search {
    struct dnode *dir;
    uint64_t ino, gen;
    unsigned seen;
    struct dnode *found;
};

static bool search_entry(void *arg, const struct st_dirent *e)
{
    struct search *q = arg;
    if (++q->seen > SEARCH_MAX)
        return false;
    if (e->ino != q->ino || dir_lookup_name(q->dir, e->name, &q->found) != ST_OK)
        return true;
    if (q->found->n.id.ino == q->ino && q->found->n.id.gen == q->gen)
        return false;
    st_unref(&q->found->n);
    q->found = NULL;
    return true;
}

enum st dir_search(struct dnode *d, uint64_t ino, uint64_t gen, struct dnode **ret)
{
    struct search q = {.dir = d, .ino = ino, .gen = gen};
    struct stream *s;
    enum st st = stream_new(d, &s);
    if (st != ST_OK)
        return st;
    st = stream_run(s, search_entry, &q);
    stream_free(s);
    if (!q.found)
        return st == ST_OK || st == ST_END ? ST_NOENT : st;
    *ret = q.found;
    return ST_OK;
}
