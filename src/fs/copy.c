/* copy.c - server-side copy between two opens ([MS-SMB2] 3.3.5.15.6, [MS-FSCC] 2.3.7): the store moves the bytes, and
 * shares blocks when asked to clone. Streams, which are small, are copied through memory.
 *
 * Two opens are two parties, and a gate has one. So the source is asked for first and left again; then the target. */
#include "streams.h"

#define COPY_INLINE (256u << 10) /* more is a pool thread's */

struct copy {
    struct fs_open *src, *dst;
    uint64_t soff, doff, len, done;
    bool clone;
};

static enum st check(struct fs_req *q, const struct copy *c)
{
    if (fs_read_only(q))
        return ST_ROFS;
    enum st st = fs_permit_io(c->src, FS_READ_DATA | FS_EXECUTE);
    if (st == ST_OK)
        st = fs_permit_io(c->dst, FS_WRITE_DATA | FS_APPEND_DATA);
    if (st != ST_OK)
        return st;
    if ((!c->src->stream && c->src->node->type != ST_REG) || (!c->dst->stream && c->dst->node->type != ST_REG))
        return ST_BADTYPE;
    if (c->soff > INT64_MAX || c->len > INT64_MAX - c->soff || c->doff > INT64_MAX || c->len > INT64_MAX - c->doff)
        return ST_FBIG;
    if (c->clone && (c->src->stream || c->dst->stream))
        return ST_NOTSUP;
    return c->src->node->store == c->dst->node->store || c->src->stream || c->dst->stream ? ST_OK : ST_XDEV;
}

/* What there is to copy of what was asked for. */
static enum st settle_length(struct copy *c)
{
    struct st_attr a;
    uint64_t size;
    enum st st = c->src->stream ? fs_stream_size(c->src->node, fs_open_stream(c->src), &size)
                                : c->src->node->store->ops->getattr(c->src->node, &a);
    if (st != ST_OK)
        return st;
    if (!c->src->stream)
        size = a.size;
    if (c->soff >= size)
        return ST_EOF;
    c->len = MIN(c->len, size - c->soff);
    return ST_OK;
}

static enum st through_memory(struct fs_req *q, struct copy *c)
{
    size_t n = (size_t)MIN(c->len, (uint64_t)FS_STREAM_MAX), got = 0;
    uint8_t *buf = arena_alloc(q->arena, n);
    bool eof;
    if (!buf)
        return ST_NOMEM;
    enum st st = c->src->stream ? fs_stream_read(q, c->src, c->soff, buf, n, &got, &eof)
                                : c->src->node->store->ops->read(c->src->node, c->soff, buf, n, 0, &got);
    if (st != ST_OK)
        return st;
    c->done = got;
    if (c->dst->stream)
        return fs_stream_write(q, c->dst, c->doff, buf, got);
    struct iovec iov = {buf, got};
    struct fs_times times;
    size_t wrote;
    fsn_lock_all(&c->dst->node, 1);
    fs_times_begin(&times, c->dst);
    st = c->dst->node->store->ops->write(c->dst->node, c->doff, &iov, 1, 0, &wrote);
    fs_times_end(&times);
    fsn_unlock_all(&c->dst->node, 1);
    return st;
}

static enum st act(struct fs_req *q, struct copy *c)
{
    struct st_attr before, after;
    struct st_node *n = c->dst->node;
    const struct store_ops *ops = n->store->ops;
    if (c->src->stream || c->dst->stream)
        return through_memory(q, c);
    struct st_node *const both[] = {c->src->node, n};
    fsn_lock_all(both, 2);
    bool known = ops->getattr(n, &before) == ST_OK;
    enum st st = ops->copy(c->src->node, c->soff, n, c->doff, c->len, c->clone, &c->done);
    if (known && ops->getattr(n, &after) == ST_OK) {
        fs_times_put_back(n, fs_times_kept(c->dst), &before, &after);
        fsn_carry(n, &before.ctime, &after.ctime);
    }
    fsn_unlock_all(both, 2);
    return st;
}

static enum st gate_source(struct fs_req *q, const struct copy *c)
{
    FS_THROUGH(q, c->src);
    struct co_ask read = fs_ask_io(c->src->node, c->src, CO_READ, c->soff, c->soff + c->len - 1);
    enum st st = fs_gate(q, &read, 1);
    if (st == ST_OK)
        fs_leave(q);
    return st;
}

enum st fs_copy(struct fs_req *q, struct fs_open *src, uint64_t soff, struct fs_open *dst, uint64_t doff, uint64_t len,
                bool clone, uint64_t *ret_n)
{
    struct copy c = {.src = src, .dst = dst, .soff = soff, .doff = doff, .len = len, .clone = clone};
    enum st st = check(q, &c);
    if (st == ST_OK && len)
        st = settle_length(&c);
    if (st != ST_OK || !len) {
        *ret_n = 0;
        return st;
    }
    if (c.len > COPY_INLINE && q->job && !q->may_block)
        return ST_OFFLOAD;
    if (!fsn(src->node) || !fsn(dst->node))
        return ST_NOMEM;
    struct co_ask write[2];
    st = gate_source(q, &c);
    if (st != ST_OK)
        return st;
    FS_THROUGH(q, dst);
    write[0] = fs_ask_io(dst->node, dst, CO_WRITE, doff, doff + c.len - 1);
    st = fs_gate(q, write, 1 + fs_parent_ask(q, dst->node, dst, &write[1]));
    if (st != ST_OK)
        return st;
    st = act(q, &c);
    if (st == ST_OK)
        fs_tell_node(q, dst->node, dst, dst->stream ? FS_CHANGE_STREAM_WRITE | FS_CHANGE_STREAM_SIZE
                                                    : FS_CHANGE_LAST_WRITE | FS_CHANGE_SIZE);
    fs_leave(q);
    if (st == ST_OK)
        *ret_n = c.done;
    return st;
}
