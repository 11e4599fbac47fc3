/* read.c - reading data of a file or, through an open, of a stream (RFC 1813 §3.3.6, [MS-FSA] 2.1.5.3).
 *
 * Reads straight into the caller's buffer. What is not in memory is read on a pool thread: the store says so before it
 * waits for a disk. */
#include "internal.h"

static enum st permit(struct fs_req *q, struct st_node *n, const struct fs_open *o)
{
    if (o)
        return fs_permit_io(o, FS_READ_DATA | FS_EXECUTE);
    struct st_attr a;
    enum st st = n->store->ops->getattr(n, &a);
    return st != ST_OK ? st : fs_permit(q, n, &a, FS_READ_DATA);
}

static enum st act(struct fs_req *q, struct st_node *n, struct fs_open *o, uint64_t off, void *buf, size_t len,
                   size_t *ret_n, bool *ret_eof, bool want_eof, struct st_attr *attr)
{
    if (o && o->stream)
        return fs_stream_read(q, o, off, buf, len, ret_n, ret_eof);
    unsigned flags = q->may_block || !q->job ? 0 : ST_READ_NOWAIT;
    struct st_attr a;
    enum st st = n->store->ops->read(n, off, buf, len, flags, ret_n);
    if (st != ST_OK)
        return st;
    *ret_eof = *ret_n < len;
    if (!attr && (*ret_eof || !want_eof))
        return ST_OK;
    st = n->store->ops->getattr(n, &a);
    if (st != ST_OK)
        return st;
    *ret_eof = *ret_eof || off + len >= a.size;
    if (attr)
        *attr = a;
    return ST_OK;
}

enum st fs_read(struct fs_req *q, struct st_node *n, struct fs_open *o, uint64_t off, void *buf, size_t len,
                size_t *ret_n, bool *ret_eof, struct st_attr *attr)
{
    if (n->type != ST_REG && !(o && o->stream))
        return n->type == ST_DIR ? ST_ISDIR : ST_INVAL;
    FS_THROUGH(q, o);
    enum st st = permit(q, n, o);
    if (st != ST_OK)
        return st;
    size_t got = 0;
    bool eof = false;
    if (!len) { /* no byte, no conflict */
        struct st_attr a;
        st = n->store->ops->getattr(n, &a);
        if (st != ST_OK)
            return st;
        eof = off >= a.size;
        if (attr)
            *attr = a;
    } else {
        struct co_ask ask = fs_ask_io(n, o, CO_READ, off, len - 1 > UINT64_MAX - off ? UINT64_MAX : off + len - 1);
        st = fs_gate(q, &ask, 1);
        if (st != ST_OK)
            return st;
        st = act(q, n, o, off, buf, len, &got, &eof, ret_eof != NULL, attr);
        fs_leave(q);
        if (st != ST_OK)
            return st;
    }
    *ret_n = got;
    if (ret_eof)
        *ret_eof = eof;
    return ST_OK;
}
