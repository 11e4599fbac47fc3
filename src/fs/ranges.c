/* ranges.c - which parts of a file have blocks (FSCTL_QUERY_ALLOCATED_RANGES; [MS-FSCC] 2.3.48). */
#include "internal.h"

#define RANGES_MAX 65536 /* more than any reply can hold */

struct range_list {
    struct arena *arena;
    uint64_t (*at)[2];
    size_t n, cap;
};

static bool add(struct range_list *l, uint64_t off, uint64_t len)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        uint64_t(*more)[2] = cap <= RANGES_MAX ? arena_alloc(l->arena, cap * sizeof *more) : NULL;
        if (!more)
            return false;
        if (l->n)
            memcpy(more, l->at, l->n * sizeof *more);
        l->at = more;
        l->cap = cap;
    }
    l->at[l->n][0] = off;
    l->at[l->n++][1] = len;
    return true;
}

static enum st collect(struct st_node *n, uint64_t off, uint64_t end, struct range_list *l)
{
    const struct store_ops *ops = n->store->ops;
    while (off < end) {
        uint64_t data, hole;
        enum st st = ops->seek(n, off, false, &data);
        if (st == ST_END || (st == ST_OK && data >= end))
            return ST_OK;
        if (st == ST_OK)
            st = ops->seek(n, data, true, &hole);
        if (st != ST_OK && st != ST_END)
            return st;
        hole = st == ST_END ? end : MIN(hole, end);
        if (!add(l, data, hole - data))
            return ST_TOOMANY;
        off = hole;
    }
    return ST_OK;
}

enum st fs_ranges(struct fs_req *q, struct fs_open *o, uint64_t off, uint64_t len, uint64_t (**ret)[2], size_t *ret_n)
{
    if (o->node->type != ST_REG)
        return ST_INVAL;
    if (off > INT64_MAX || len > INT64_MAX - off)
        return ST_INVAL;
    fs_req_through(q, o);
    enum st st = fs_permit_open(o, FS_READ_DATA | FS_EXECUTE);
    struct fs_attr attr;
    if (st == ST_OK)
        st = fs_open_attr(q, o, &attr);
    if (st != ST_OK)
        return st;
    struct range_list l = {.arena = q->arena};
    uint64_t end = MIN(off + len, attr.st.size);
    if (off < end) {
        struct co_ask ask = fs_ask_io(o->node, o, CO_READ, off, end - 1);
        st = fs_gate(q, &ask, 1);
        if (st != ST_OK)
            return st;
        bool sparse = attr.dos & FS_DOS_SPARSE && !o->stream;
        st = sparse ? collect(o->node, off, end, &l) : add(&l, off, end - off) ? ST_OK : ST_NOMEM;
        fs_leave(q);
    }
    *ret = l.at;
    *ret_n = l.n;
    return st;
}
