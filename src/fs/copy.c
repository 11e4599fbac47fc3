/* copy.c - server-side copy between two opens (FSCTL_SRV_COPYCHUNK, FSCTL_DUPLICATE_EXTENTS_TO_FILE; [MS-SMB2]
 * 3.3.5.15.6). The bytes never leave the store. Always on a pool thread: how long it takes is the disk's business. */
#include "internal.h"

#define PIECE (1u << 16) /* of a copy from or to a stream, which goes through memory */

static enum st permit(const struct fs_req *q, const struct fs_open *src, const struct fs_open *dst)
{
    if (fs_read_only(q))
        return ST_ROFS;
    enum st st = fs_permit_open(src, FS_READ_DATA | FS_EXECUTE);
    return st == ST_OK ? fs_permit_open(dst, FS_WRITE_DATA | FS_APPEND_DATA) : st;
}

static enum st gate(struct fs_req *q, struct fs_open *src, uint64_t soff, struct fs_open *dst, uint64_t doff, uint64_t len)
{
    struct co_ask asks[3];
    asks[0] = fs_ask_io(src->node, src, CO_READ, soff, soff + len - 1);
    asks[1] = fs_ask_io(dst->node, dst, CO_WRITE, doff, doff + len - 1);
    size_t n = 2 + fs_parent_ask(q, dst->node, dst, &asks[2]);
    return fs_gate(q, asks, n);
}

static enum st copy_through_memory(struct fs_req *q, struct fs_open *src, uint64_t soff, struct fs_open *dst, uint64_t doff,
                                   uint64_t len, uint64_t *ret_n)
{
    uint8_t *buf = arena_alloc(q->arena, PIECE);
    enum st st = buf ? ST_OK : ST_NOMEM;
    bool eof = false;
    for (*ret_n = 0; st == ST_OK && !eof && *ret_n < len;) {
        size_t n = 0;
        st = fs_stream_read(q, src, soff + *ret_n, buf, MIN(len - *ret_n, (uint64_t)PIECE), &n, &eof);
        if (st == ST_OK && n)
            st = fs_stream_write(q, dst, doff + *ret_n, buf, n);
        *ret_n += n;
        eof = eof || !n;
    }
    return st;
}

static enum st act(struct fs_req *q, struct fs_open *src, uint64_t soff, struct fs_open *dst, uint64_t doff, uint64_t len,
                   bool clone, uint64_t *ret_n)
{
    if (src->stream || dst->stream)
        return clone ? ST_NOTSUP : copy_through_memory(q, src, soff, dst, doff, len, ret_n);
    struct st_attr pre, post;
    const struct store_ops *ops = dst->node->store->ops;
    enum st st = ops->getattr(dst->node, &pre);
    if (st == ST_OK)
        st = ops->copy(src->node, soff, dst->node, doff, len, clone, ret_n);
    if (st == ST_OK && ops->getattr(dst->node, &post) == ST_OK)
        fsn_carry(dst->node, &pre.ctime, &post.ctime);
    return st;
}

enum st fs_copy(struct fs_req *q, struct fs_open *src, uint64_t soff, struct fs_open *dst, uint64_t doff, uint64_t len,
                bool clone, uint64_t *ret_n)
{
    if (src->node->type != ST_REG || dst->node->type != ST_REG)
        return ST_BADTYPE;
    if (src->share->store != dst->share->store)
        return ST_XDEV;
    if (soff > INT64_MAX || doff > INT64_MAX || len > INT64_MAX - MAX(soff, doff))
        return ST_FBIG;
    if (!q->may_block && q->job)
        return ST_OFFLOAD;
    if (!fsn(src->node) || !fsn(dst->node))
        return ST_NOMEM;
    fs_req_through(q, dst);
    enum st st = permit(q, src, dst);
    *ret_n = 0;
    if (st != ST_OK || !len)
        return st;
    st = gate(q, src, soff, dst, doff, len);
    if (st != ST_OK)
        return st;
    struct st_node *nodes[] = {src->node, dst->node};
    fsn_lock_all(nodes, 2);
    st = act(q, src, soff, dst, doff, len, clone, ret_n);
    fsn_unlock_all(nodes, 2);
    if (st == ST_OK && !*ret_n)
        st = ST_EOF;
    if (st == ST_OK)
        fs_tell_node(q, dst->node, dst, FS_CHANGE_SIZE | FS_CHANGE_LAST_WRITE);
    fs_leave(q);
    return st;
}
