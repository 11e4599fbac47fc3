/* streams.c - alternate data streams: their names, their bytes, and I/O on them through an open. Opening them is
 * open.c's, renaming stream_rename.c's. Whoever changes one holds its file's lock; whoever calls has been through the
 * gate. */
#include "streams.h"
#include "winmeta.h"

struct find {
    const char *want;
    size_t n;
    char *out;
    bool found;
};

static bool match_name(void *arg, const char *name)
{
    struct find *f = arg;
    size_t skip = strlen(FS_STREAM_PREFIX);
    if (strncmp(name, FS_STREAM_PREFIX, skip) != 0 || strlen(name) > ST_NAME_MAX)
        return true;
    const char *stream = name + skip;
    if (!name_fold_equal(stream, strlen(stream), f->want, f->n))
        return true;
    f->found = true;
    memcpy(f->out, name, strlen(name) + 1);
    return false;
}

enum st fs_stream_find(struct st_node *n, const char *stream, char out[ST_NAME_MAX + 1])
{
    struct find f = {.want = stream, .n = strlen(stream), .out = out};
    if (n->type != ST_REG && n->type != ST_DIR)
        return ST_NOTSUP;
    if (strlen(FS_STREAM_PREFIX) + f.n > ST_NAME_MAX)
        return ST_NAMETOOLONG;
    enum st st = n->store->ops->xattr_list(n, match_name, &f);
    if (st != ST_OK && st != ST_NOTSUP)
        return st;
    if (f.found)
        return ST_OK;
    memcpy(out, FS_STREAM_PREFIX, strlen(FS_STREAM_PREFIX));
    memcpy(out + strlen(FS_STREAM_PREFIX), stream, f.n + 1);
    return ST_NOATTR;
}

static enum st value_size(struct st_node *n, const char *attr, uint64_t *ret)
{
    size_t size = 0;
    enum st st = n->store->ops->xattr_get(n, attr, NULL, 0, &size);
    *ret = size;
    return st == ST_BUFSIZE ? ST_OK : st;
}

enum st fs_stream_size(struct st_node *n, const char *stream, uint64_t *ret)
{
    char attr[ST_NAME_MAX + 1];
    enum st st = fs_stream_find(n, stream, attr);
    return st == ST_OK ? value_size(n, attr, ret) : st;
}

enum st fs_stream_make(struct st_node *n, const char *stream)
{
    char attr[ST_NAME_MAX + 1];
    enum st st = fs_stream_find(n, stream, attr);
    if (st != ST_NOATTR)
        return st;
    st = n->store->ops->xattr_set(n, attr, "", 0);
    fs_meta_forget(n);
    return st;
}

enum st fs_stream_remove(struct st_node *n, const char *stream)
{
    char attr[ST_NAME_MAX + 1];
    enum st st = fs_stream_find(n, stream, attr);
    if (st != ST_OK)
        return st;
    st = n->store->ops->xattr_del(n, attr);
    fs_meta_forget(n);
    return st;
}

enum st fs_stream_empty(struct st_node *n, const char *stream)
{
    char attr[ST_NAME_MAX + 1];
    enum st st = fs_stream_find(n, stream, attr);
    if (st != ST_OK)
        return st == ST_NOATTR ? ST_NOENT : st;
    st = n->store->ops->xattr_set(n, attr, "", 0);
    fs_meta_forget(n);
    return st;
}

/* --- All of a file. */
struct drop {
    char name[ST_NAME_MAX + 1];
    bool found;
};

static bool droppable(void *arg, const char *name)
{
    struct drop *d = arg;
    bool stream = strncmp(name, FS_STREAM_PREFIX, strlen(FS_STREAM_PREFIX)) == 0;
    if ((!stream && !fs_ea_visible(name)) || strlen(name) > ST_NAME_MAX)
        return true;
    memcpy(d->name, name, strlen(name) + 1);
    d->found = true;
    return false;
}

enum st fs_streams_drop(struct st_node *n)
{
    for (;;) {
        struct drop d = {.found = false};
        enum st st = n->store->ops->xattr_list(n, droppable, &d);
        if (!d.found)
            return st == ST_NOTSUP ? ST_OK : st;
        st = n->store->ops->xattr_del(n, d.name);
        fs_meta_forget(n);
        if (st != ST_OK && st != ST_NOATTR)
            return st;
    }
}

struct list_streams {
    struct arena *arena;
    struct st_node *n;
    struct fs_stream *s;
    size_t count, cap;
    bool failed;
};

static struct fs_stream *list_add(struct list_streams *l)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 8;
        struct fs_stream *more = arena_alloc(l->arena, cap * sizeof *more);
        if (!more)
            return NULL;
        if (l->count)
            memcpy(more, l->s, l->count * sizeof *more);
        l->s = more;
        l->cap = cap;
    }
    return &l->s[l->count++];
}

static bool list_one(void *arg, const char *name)
{
    struct list_streams *l = arg;
    size_t skip = strlen(FS_STREAM_PREFIX);
    uint64_t size;
    if (strncmp(name, FS_STREAM_PREFIX, skip) != 0 || value_size(l->n, name, &size) != ST_OK)
        return true;
    struct fs_stream *s = list_add(l);
    char *copy = arena_strndup(l->arena, name + skip, strlen(name + skip));
    l->failed = !s || !copy;
    if (!l->failed)
        *s = (struct fs_stream){.name = copy, .n = strlen(copy), .size = size, .alloc = size};
    return !l->failed;
}

enum st fs_streams(struct fs_req *q, struct st_node *n, const struct fs_stream **ret, size_t *ret_n)
{
    struct list_streams l = {.arena = q->arena, .n = n};
    if (n->type == ST_REG) {
        struct st_attr a;
        enum st st = fs_getattr(q, n, &a);
        if (st != ST_OK)
            return st;
        struct fs_stream *s = list_add(&l);
        if (!s)
            return ST_NOMEM;
        *s = (struct fs_stream){.name = "", .size = a.size, .alloc = a.used};
    }
    if (n->type == ST_REG || n->type == ST_DIR) {
        enum st st = n->store->ops->xattr_list(n, list_one, &l);
        if (st != ST_OK && st != ST_NOTSUP)
            return st;
    }
    if (l.failed)
        return ST_NOMEM;
    *ret = l.s;
    *ret_n = l.count;
    return ST_OK;
}

struct co_key fs_stream_key(const struct st_node *n, const char *stream)
{
    struct co_key key = fs_node_key(n);
    key.gen ^= name_fold_hash(stream, strlen(stream)) | 1;
    return key;
}

const char *fs_open_stream(struct fs_open *o)
{
    pthread_mutex_lock(&o->priv->lock);
    const char *s = o->stream;
    pthread_mutex_unlock(&o->priv->lock);
    return s;
}

/* --- Bytes. */

/* The whole value, in a buffer of the arena with room for the largest. */
static enum st load(struct fs_req *q, struct fs_open *o, char attr[ST_NAME_MAX + 1], uint8_t **ret, size_t *ret_n)
{
    enum st st = fs_stream_find(o->node, fs_open_stream(o), attr);
    if (st == ST_NOATTR)
        return ST_STALE; /* removed under the open */
    if (st != ST_OK)
        return st;
    *ret = arena_alloc(q->arena, FS_STREAM_MAX);
    *ret_n = 0;
    return *ret ? o->node->store->ops->xattr_get(o->node, attr, *ret, FS_STREAM_MAX, ret_n) : ST_NOMEM;
}

enum st fs_stream_read(struct fs_req *q, struct fs_open *o, uint64_t off, void *buf, size_t len, size_t *ret_n,
                       bool *ret_eof)
{
    char attr[ST_NAME_MAX + 1];
    uint8_t *p;
    size_t size;
    enum st st = load(q, o, attr, &p, &size);
    if (st != ST_OK)
        return st;
    size_t n = off < size ? MIN(len, size - (size_t)off) : 0;
    memcpy(buf, p + (n ? off : 0), n);
    *ret_n = n;
    *ret_eof = off + n >= size || !n;
    return ST_OK;
}

static enum st store_value(struct fs_open *o, const char *attr, const uint8_t *p, size_t n)
{
    enum st st = o->node->store->ops->xattr_set(o->node, attr, p, n);
    fs_meta_forget(o->node);
    return st;
}

static enum st write_locked(struct fs_req *q, struct fs_open *o, uint64_t off, const void *buf, size_t len)
{
    char attr[ST_NAME_MAX + 1];
    uint8_t *p;
    size_t size;
    enum st st = load(q, o, attr, &p, &size);
    if (st != ST_OK)
        return st;
    if (off == UINT64_MAX)
        off = size;
    if (off > FS_STREAM_MAX || len > FS_STREAM_MAX - off)
        return ST_FBIG;
    if (off > size)
        memset(p + size, 0, (size_t)off - size);
    memcpy(p + off, buf, len);
    return store_value(o, attr, p, MAX(size, (size_t)off + len));
}

enum st fs_stream_write(struct fs_req *q, struct fs_open *o, uint64_t off, const void *buf, size_t len)
{
    fsn_lock_all(&o->node, 1);
    enum st st = write_locked(q, o, off, buf, len);
    fsn_unlock_all(&o->node, 1);
    return st;
}

/* The caller (setattr.c, open.c) holds the file's lock. */
enum st fs_stream_resize(struct fs_req *q, struct fs_open *o, uint64_t size)
{
    char attr[ST_NAME_MAX + 1];
    uint8_t *p;
    size_t old;
    enum st st = load(q, o, attr, &p, &old);
    if (st != ST_OK)
        return st;
    if (size > FS_STREAM_MAX)
        return ST_FBIG;
    if (size > old)
        memset(p + old, 0, (size_t)size - old);
    return size == old ? ST_OK : store_value(o, attr, p, (size_t)size);
}
