/* zero.c - zeroes in the middle of a file, and the promise to keep it sparse (FSCTL_SET_ZERO_DATA, FSCTL_SET_SPARSE;
 * [MS-FSCC] 2.3.67, 2.3.65). Zeroing a sparse file gives its blocks back, as NTFS does. */
#include "internal.h"

static enum st permit(const struct fs_req *q, const struct fs_open *o, uint32_t any)
{
    return fs_read_only(q) ? ST_ROFS : fs_permit_open(o, any);
}

static enum st zero_locked(struct fs_open *o, uint64_t off, uint64_t end)
{
    const struct store_ops *ops = o->node->store->ops;
    struct st_attr pre, post;
    struct fs_attr attr;
    enum st st = ops->getattr(o->node, &pre);
    if (st != ST_OK)
        return st;
    end = MIN(end, pre.size); /* never grows the file */
    if (off >= end)
        return ST_OK;
    fs_attr_fill(o->node, &pre, &attr);
    st = ops->allocate(o->node, off, end - off, attr.dos & FS_DOS_SPARSE ? ST_PUNCH : ST_ZERO);
    if (st == ST_OK && ops->getattr(o->node, &post) == ST_OK)
        fsn_carry(o->node, &pre.ctime, &post.ctime);
    return st;
}

static enum st zero_stream(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t end)
{
    struct fs_attr attr;
    enum st st = fs_open_attr(q, o, &attr);
    if (st != ST_OK || off >= (end = MIN(end, attr.st.size)))
        return st;
    uint8_t *zeroes = arena_zalloc(q->arena, end - off);
    return zeroes ? fs_stream_write(q, o, off, zeroes, end - off) : ST_NOMEM;
}

enum st fs_zero(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t end)
{
    if (o->node->type != ST_REG)
        return ST_BADTYPE;
    if (off > end || end > INT64_MAX)
        return ST_INVAL;
    if (!q->may_block && q->job)
        return ST_OFFLOAD;
    if (!fsn(o->node))
        return ST_NOMEM;
    fs_req_through(q, o);
    enum st st = permit(q, o, FS_WRITE_DATA);
    if (st != ST_OK || off == end)
        return st;
    struct co_ask asks[2] = {fs_ask_io(o->node, o, CO_WRITE, off, end - 1)};
    st = fs_gate(q, asks, 1 + fs_parent_ask(q, o->node, o, &asks[1]));
    if (st != ST_OK)
        return st;
    fsn_lock_all(&o->node, 1);
    st = o->stream ? zero_stream(q, o, off, end) : zero_locked(o, off, end);
    fsn_unlock_all(&o->node, 1);
    if (st == ST_OK)
        fs_tell_node(q, o->node, o, FS_CHANGE_LAST_WRITE);
    fs_leave(q);
    return st;
}

enum st fs_set_sparse(struct fs_req *q, struct fs_open *o, bool on)
{
    if (o->node->type != ST_REG)
        return ST_INVAL;
    fs_req_through(q, o);
    enum st st = permit(q, o, FS_WRITE_DATA | FS_WRITE_ATTRIBUTES | FS_APPEND_DATA);
    struct fs_attr attr;
    if (st == ST_OK)
        st = fs_getattr_windows(q, o->node, &attr);
    if (st != ST_OK)
        return st;
    uint32_t dos = on ? attr.dos | FS_DOS_SPARSE : attr.dos & ~(uint32_t)FS_DOS_SPARSE;
    struct co_ask ask = fs_ask(o->node, CO_SETATTR);
    if (dos == attr.dos || (st = fs_gate(q, &ask, 1)) != ST_OK)
        return st;
    fsn_lock_all(&o->node, 1);
    st = fs_meta_store(o->node, &dos, NULL);
    fsn_unlock_all(&o->node, 1);
    if (st == ST_OK)
        fs_tell_node(q, o->node, o, FS_CHANGE_ATTRIBUTES);
    fs_leave(q);
    return st;
}
