/* write.c - writing data of a file or, through an open, of a stream (RFC 1813 §3.3.7, [MS-FSA] 2.1.5.4).
 *
 * All bytes or an error. Writing to the page cache is done right here; what is to be durable, or is big, on a pool
 * thread. The node's lock covers the write, so that attributes before and after are exact, but not the wait for the
 * disk: writers of one file share a flush. */
#include "internal.h"

#define INLINE_MAX (1u << 20) /* longer writes do not hold up a loop */

struct write {
    struct st_node *n;
    struct fs_open *o;
    uint64_t off;
    const void *buf;
    size_t len;
    bool append;
    struct fs_wcc *wcc;
    struct st_attr pre;
    uint32_t told; /* FS_CHANGE_* */
};

static enum st permit(struct fs_req *q, const struct write *w)
{
    if (!w->o)
        return fs_permit(q, w->n, &w->pre, FS_WRITE_DATA);
    if (fs_read_only(q))
        return ST_ROFS;
    /* [MS-SMB2] 3.3.5.13: either right will do, wherever the bytes go. */
    return fs_permit_io(w->o, FS_WRITE_DATA | FS_APPEND_DATA);
}

static enum st gate(struct fs_req *q, const struct write *w)
{
    struct co_ask asks[2];
    uint64_t first = w->append ? w->pre.size : w->off;
    asks[0] = fs_ask_io(w->n, w->o, CO_WRITE, first, w->append ? UINT64_MAX : w->off + w->len - 1);
    size_t n = 1 + (!w->o && fs_parent_ask(q, w->n, NULL, &asks[1])); /* an open's directory is told at its close */
    return fs_gate(q, asks, n);
}

/* A file that runs with its owner's rights must not be rewritten by others and keep them. */
static enum st drop_set_ids(const struct fs_req *q, const struct write *w)
{
    struct st_attr a = w->pre;
    if (!(a.mode & 06000) || fs_cred_of(q)->superuser)
        return ST_OK;
    a.mode &= a.mode & 010 ? ~06000u : ~04000u;
    return a.mode == w->pre.mode ? ST_OK : w->n->store->ops->setattr(w->n, ST_SET_MODE, &a);
}

/* With the node's lock. *ret_moved: an append found the end elsewhere than it asked for; nothing was done. */
static enum st act_locked(struct fs_req *q, struct write *w, bool *ret_moved)
{
    const struct store_ops *ops = w->n->store->ops;
    uint64_t asked = w->pre.size;
    enum st st = ops->getattr(w->n, &w->pre);
    if (st != ST_OK)
        return st;
    *ret_moved = w->append && w->pre.size < asked;
    if (*ret_moved)
        return ST_OK;
    fs_wcc_known(w->wcc, &w->pre);
    if (w->append)
        w->off = w->pre.size;
    if (w->off > INT64_MAX || w->len > INT64_MAX - w->off)
        return ST_FBIG;
    st = drop_set_ids(q, w);
    if (st != ST_OK)
        return st;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)w->buf, .iov_len = w->len};
    size_t wrote;
    st = ops->write(w->n, w->off, &iov, 1, 0, &wrote);
    struct st_attr post;
    if (ops->getattr(w->n, &post) == ST_OK) {
        fs_times_put_back(w->n, fs_times_kept(w->o), &w->pre, &post);
        fs_wcc_post(w->wcc, &post);
        fsn_carry(w->n, &w->pre.ctime, &post.ctime);
        w->told = FS_CHANGE_LAST_WRITE | (post.size != w->pre.size ? FS_CHANGE_SIZE : 0);
    } else if (w->wcc) {
        w->wcc->has_post = false;
    }
    return st;
}

static enum st act(struct fs_req *q, struct write *w, enum fs_stable stable, bool *ret_moved)
{
    if (w->o && w->o->stream) {
        w->told = FS_CHANGE_STREAM_WRITE | FS_CHANGE_STREAM_SIZE;
        return fs_stream_write(q, w->o, w->off, w->buf, w->len);
    }
    fsn_lock_all(&w->n, 1);
    enum st st = act_locked(q, w, ret_moved);
    fsn_unlock_all(&w->n, 1);
    if (st == ST_OK && !*ret_moved && stable != FS_UNSTABLE)
        st = w->n->store->ops->sync(w->n, stable == FS_DATA_SYNC);
    return st;
}

static void tell(struct fs_req *q, const struct write *w)
{
    fs_tell_node(q, w->n, w->o, w->told);
    if (w->o && !atomic_load_explicit(&w->o->priv->wrote, memory_order_relaxed))
        atomic_store(&w->o->priv->wrote, true);
}

static enum st run(struct fs_req *q, struct write *w, enum fs_stable stable)
{
    for (int tries = 0; tries < FS_RETRIES; tries++) {
        enum st st = w->n->store->ops->getattr(w->n, &w->pre);
        if (st != ST_OK)
            return st;
        fs_wcc_known(w->wcc, &w->pre);
        st = permit(q, w);
        if (st != ST_OK || !w->len)
            return st;
        st = gate(q, w);
        if (st != ST_OK)
            return st;
        bool moved = false;
        st = act(q, w, stable, &moved);
        if (st == ST_OK && !moved)
            tell(q, w);
        fs_leave(q);
        if (!moved)
            return st;
    }
    return ST_DELAY;
}

enum st fs_write(struct fs_req *q, struct st_node *n, struct fs_open *o, uint64_t off, const void *buf, size_t len,
                 enum fs_stable stable, struct fs_wcc *wcc)
{
    struct write w = {.n = n, .o = o, .off = off, .buf = buf, .len = len, .append = off == UINT64_MAX, .wcc = wcc};
    if (n->type != ST_REG && !(o && o->stream))
        return n->type == ST_DIR ? ST_ISDIR : ST_INVAL;
    if (!w.append && (off > INT64_MAX || len > INT64_MAX - off))
        return ST_FBIG;
    if ((stable != FS_UNSTABLE || len >= INLINE_MAX) && !q->may_block && q->job)
        return ST_OFFLOAD;
    if (!fsn(n))
        return ST_NOMEM;
    FS_THROUGH(q, o);
    return run(q, &w, stable);
}
