/* zero.c - FSCTL_SET_ZERO_DATA and FSCTL_SET_SPARSE ([MS-FSA] 2.1.5.10.36, 2.1.5.10.35). Zeroing a sparse file makes a
 * hole, any other keeps its blocks; neither moves the end of the file. */
#include "streams.h"
#include "winmeta.h"

#define ZERO_CHUNK 65536

static enum st write_zeroes(struct fs_req *q, struct st_node *n, uint64_t off, uint64_t len)
{
    size_t chunk = (size_t)MIN(len, (uint64_t)ZERO_CHUNK), wrote;
    void *zeroes = arena_zalloc(q->arena, chunk);
    enum st st = zeroes ? ST_OK : ST_NOMEM;
    while (st == ST_OK && len) {
        struct iovec iov = {zeroes, (size_t)MIN(len, (uint64_t)chunk)};
        st = n->store->ops->write(n, off, &iov, 1, 0, &wrote);
        off += iov.iov_len;
        len -= iov.iov_len;
    }
    return st;
}

/* With the node's lock. */
static enum st zero_file(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t end)
{
    struct st_node *n = o->node;
    const struct store_ops *ops = n->store->ops;
    struct st_attr before, after;
    struct fs_attr shown;
    enum st st = ops->getattr(n, &before);
    if (st != ST_OK || off >= before.size)
        return st;
    end = MIN(end, before.size);
    fs_attr_fill(n, &before, &shown);
    st = ops->allocate(n, off, end - off, shown.dos & FS_DOS_SPARSE ? ST_PUNCH : ST_ZERO);
    if (st == ST_NOTSUP)
        st = write_zeroes(q, n, off, end - off);
    if (ops->getattr(n, &after) == ST_OK) {
        fs_times_put_back(n, fs_times_kept(o), &before, &after);
        fsn_carry(n, &before.ctime, &after.ctime);
    }
    return st;
}

static enum st zero_stream(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t end)
{
    uint64_t size;
    enum st st = fs_stream_size(o->node, fs_open_stream(o), &size);
    if (st != ST_OK || off >= size)
        return st;
    size_t n = (size_t)(MIN(end, size) - off);
    void *zeroes = arena_zalloc(q->arena, n);
    return zeroes ? fs_stream_write(q, o, off, zeroes, n) : ST_NOMEM;
}

enum st fs_zero(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t end)
{
    struct st_node *n = o->node;
    if (fs_read_only(q))
        return ST_ROFS;
    enum st st = fs_permit_io(o, FS_WRITE_DATA);
    if (st != ST_OK)
        return st;
    if (n->type != ST_REG && !o->stream)
        return ST_BADTYPE;
    if (off > INT64_MAX || end > INT64_MAX || off > end)
        return ST_INVAL;
    if (off == end)
        return ST_OK;
    if (!fsn(n))
        return ST_NOMEM;
    FS_THROUGH(q, o);
    struct co_ask asks[2] = {fs_ask_io(n, o, CO_WRITE, off, end - 1)};
    st = fs_gate(q, asks, 1 + fs_parent_ask(q, n, o, &asks[1]));
    if (st != ST_OK)
        return st;
    if (o->stream) {
        st = zero_stream(q, o, off, end);
    } else {
        fsn_lock_all(&n, 1);
        st = zero_file(q, o, off, end);
        fsn_unlock_all(&n, 1);
    }
    if (st == ST_OK)
        fs_tell_node(q, n, o, o->stream ? FS_CHANGE_STREAM_WRITE : FS_CHANGE_LAST_WRITE);
    fs_leave(q);
    return st;
}

enum st fs_set_sparse(struct fs_req *q, struct fs_open *o, bool on)
{
    if (fs_read_only(q))
        return ST_ROFS;
    enum st st = fs_permit_open(o, FS_WRITE_DATA | FS_WRITE_ATTRIBUTES | FS_APPEND_DATA);
    if (st != ST_OK)
        return st;
    if (o->node->type != ST_REG)
        return ST_INVAL;
    if (!fsn(o->node))
        return ST_NOMEM;
    FS_THROUGH(q, o);
    struct co_ask asks[2] = {fs_ask(o->node, CO_SETATTR)};
    st = fs_gate(q, asks, 1 + fs_parent_ask(q, o->node, o, &asks[1]));
    if (st != ST_OK)
        return st;
    struct fs_times times;
    fsn_lock_all(&o->node, 1);
    fs_times_begin(&times, o);
    st = fs_meta_sparse(o->node, on);
    fs_times_end(&times);
    fsn_unlock_all(&o->node, 1);
    if (st == ST_OK)
        fs_tell_node(q, o->node, o, FS_CHANGE_ATTRIBUTES);
    fs_leave(q);
    return st;
}
