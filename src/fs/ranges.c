/* ranges.c - FSCTL_QUERY_ALLOCATED_RANGES ([MS-FSA] 2.1.5.10.22): where a sparse file has data. A file that is not
 * marked sparse is one range, holes or not: that is what Windows says of its own. Only looks, but what a client has
 * written and not sent yet must count: it asks as a flush does. */
#include "streams.h"

#define RANGES_FIRST 16
#define RANGES_MAX 65536 /* an answer that is longer than any client takes */

struct ranges {
    uint64_t (*r)[2];
    size_t n, cap;
};

static bool add(struct arena *a, struct ranges *rs, uint64_t off, uint64_t len)
{
    if (rs->n == rs->cap) {
        size_t cap = rs->cap ? 2 * rs->cap : RANGES_FIRST;
        uint64_t(*more)[2] = arena_alloc(a, cap * sizeof *more);
        if (!more)
            return false;
        if (rs->n)
            memcpy(more, rs->r, rs->n * sizeof *more);
        rs->r = more;
        rs->cap = cap;
    }
    rs->r[rs->n][0] = off;
    rs->r[rs->n++][1] = len;
    return true;
}

static enum st scan(struct arena *arena, struct st_node *n, uint64_t off, uint64_t end, struct ranges *rs)
{
    const struct store_ops *ops = n->store->ops;
    while (off < end && rs->n < RANGES_MAX) {
        uint64_t data, hole;
        enum st st = ops->seek(n, off, false, &data);
        if (st == ST_END || (st == ST_OK && data >= end))
            return ST_OK;
        if (st == ST_OK)
            st = ops->seek(n, data, true, &hole);
        if (st == ST_END) {
            hole = end;
            st = ST_OK;
        }
        if (st != ST_OK)
            return st;
        hole = MIN(hole, end);
        if (!add(arena, rs, data, hole - data))
            return ST_NOMEM;
        off = hole;
    }
    return ST_OK;
}

static enum st act(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t len, struct ranges *rs)
{
    struct fs_attr a;
    enum st st = fs_open_attr(q, o, &a);
    if (st != ST_OK || off >= a.st.size || !len)
        return st;
    uint64_t end = len > a.st.size - off ? a.st.size : off + len;
    if (!o->stream && a.dos & FS_DOS_SPARSE)
        return scan(q->arena, o->node, off, end, rs);
    return add(q->arena, rs, off, end - off) ? ST_OK : ST_NOMEM;
}

enum st fs_ranges(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t len, uint64_t (**ret)[2], size_t *ret_n)
{
    struct ranges rs = {0};
    enum st st = fs_permit_io(o, FS_READ_DATA | FS_EXECUTE);
    if (st != ST_OK)
        return st;
    if (o->node->type != ST_REG && !o->stream)
        return ST_BADTYPE;
    if (off > INT64_MAX || len > INT64_MAX - off)
        return ST_INVAL;
    FS_THROUGH(q, o);
    if (len) {
        struct co_ask ask = fs_ask(o->node, CO_FLUSH);
        ask.key = fs_open_key(o);
        st = fs_gate(q, &ask, 1);
        if (st != ST_OK)
            return st;
        fs_leave(q);
        st = act(q, o, off, len, &rs);
    }
    if (st != ST_OK)
        return st;
    *ret = rs.r;
    *ret_n = rs.n;
    return ST_OK;
}
