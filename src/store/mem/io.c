/* io.c - bytes of files in memory. Behind the end of a file every chunk holds zeroes, so that growing it is only a
 * number. Must not know names. */
#include "mem.h"

#define OFF_MAX ((uint64_t)INT64_MAX)

static uint64_t chunk_of(uint64_t off) { return off >> MEM_CHUNK_SHIFT; }
static uint32_t within(uint64_t off) { return (uint32_t)(off & (MEM_CHUNK - 1)); }

/* A chunk of at least `need` bytes. */
static enum st chunk_for(struct mnode *n, uint64_t i, uint32_t need, struct mchunk **ret)
{
    struct mchunk **slot = mtree_slot(&n->data, i, true);
    if (!slot)
        return ST_NOMEM;
    uint32_t had = *slot ? (*slot)->cap : 0, cap = MAX(had, 256u);
    while (cap < need)
        cap *= 2;
    if (cap > had) {
        if (!mem_charge(mnode_store(n), cap - had))
            return ST_NOSPC;
        struct mchunk *c = realloc(*slot, sizeof *c + cap);
        if (!c) {
            mem_refund(mnode_store(n), cap - had);
            return ST_NOMEM;
        }
        memset(c->data + had, 0, cap - had);
        c->cap = cap;
        n->used += cap - had;
        *slot = c;
    }
    *ret = *slot;
    return ST_OK;
}

static void zero_part(struct mnode *n, uint64_t off, uint32_t len)
{
    struct mchunk **slot = mtree_slot(&n->data, chunk_of(off), false);
    uint32_t at = within(off);
    if (slot && *slot && at < (*slot)->cap)
        memset((*slot)->data + at, 0, MIN(len, (*slot)->cap - at));
}

static void cut(struct mnode *n, uint64_t from)
{
    uint64_t freed = mtree_cut(&n->data, from);
    n->used -= freed;
    mem_refund(mnode_store(n), freed);
}

enum st mem_resize_locked(struct mnode *n, uint64_t size)
{
    if (size > OFF_MAX)
        return ST_FBIG;
    if (size < n->attr.size) {
        if (within(size))
            zero_part(n, size, MEM_CHUNK - within(size));
        cut(n, chunk_of(size) + (within(size) != 0));
    }
    n->attr.size = size;
    return ST_OK;
}

enum st mem_read(struct st_node *st, uint64_t off, void *buf, size_t len, unsigned flags, size_t *ret_n)
{
    struct mnode *n = MNODE(st);
    *ret_n = 0;
    if (st->type != ST_REG)
        return st->type == ST_DIR ? ST_ISDIR : ST_BADTYPE;
    pthread_rwlock_rdlock(&n->lock);
    uint64_t left = off < n->attr.size ? MIN(n->attr.size - off, (uint64_t)len) : 0;
    for (uint8_t *p = buf; left > 0;) {
        uint32_t at = within(off), part = (uint32_t)MIN((uint64_t)(MEM_CHUNK - at), left);
        struct mchunk **slot = mtree_slot(&n->data, chunk_of(off), false);
        uint32_t have = slot && *slot && (*slot)->cap > at ? MIN((*slot)->cap - at, part) : 0;
        if (have)
            memcpy(p, (*slot)->data + at, have);
        memset(p + have, 0, part - have);
        p += part;
        off += part;
        left -= part;
        *ret_n += part;
    }
    pthread_rwlock_unlock(&n->lock);
    return ST_OK;
}

static enum st write_part(struct mnode *n, uint64_t off, const uint8_t *p, size_t len)
{
    while (len > 0) {
        uint32_t at = within(off), part = (uint32_t)MIN((size_t)(MEM_CHUNK - at), len);
        struct mchunk *c;
        enum st st = chunk_for(n, chunk_of(off), at + part, &c);
        if (st != ST_OK)
            return st;
        memcpy(c->data + at, p, part);
        p += part;
        off += part;
        len -= part;
    }
    return ST_OK;
}

enum st mem_write(struct st_node *st_node, uint64_t off, const struct iovec *iov, int niov, unsigned flags,
                  size_t *ret_n)
{
    struct mnode *n = MNODE(st_node);
    size_t total = 0;
    *ret_n = 0;
    if (n->n.type != ST_REG)
        return n->n.type == ST_DIR ? ST_ISDIR : ST_BADTYPE;
    for (int i = 0; i < niov; i++)
        if (__builtin_add_overflow(total, iov[i].iov_len, &total))
            return ST_FBIG;
    if (off > OFF_MAX || total > OFF_MAX - off)
        return ST_FBIG;
    pthread_rwlock_wrlock(&n->lock);
    enum st st = ST_OK;
    uint64_t at = off, old = n->attr.size;
    for (int i = 0; i < niov && st == ST_OK; at += iov[i].iov_len, i++)
        st = write_part(n, at, iov[i].iov_base, iov[i].iov_len);
    if (total > 0)
        n->attr.size = MAX(old, off + total);
    if (st != ST_OK)
        (void)mem_resize_locked(n, old); /* what got behind the old end goes again */
    else
        *ret_n = total;
    mem_touch_locked(n, true);
    pthread_rwlock_unlock(&n->lock);
    return store_mutated(st_node->store, st);
}

enum st mem_sync(struct st_node *n, bool data_only)
{
    return n->type == ST_REG || n->type == ST_DIR ? ST_OK : ST_NOTSUP;
}

static void punch_locked(struct mnode *n, uint64_t off, uint64_t len)
{
    uint64_t end = off + MIN(len, n->attr.size > off ? n->attr.size - off : 0);
    while (off < end) {
        uint32_t part = (uint32_t)MIN((uint64_t)(MEM_CHUNK - within(off)), end - off);
        struct mchunk **slot = mtree_slot(&n->data, chunk_of(off), false);
        if (!slot || !*slot) { /* skip the hole */
            uint64_t i;
            if (!mtree_next(&n->data, chunk_of(off), &i))
                return;
            off = i << MEM_CHUNK_SHIFT;
            continue;
        }
        if (part == MEM_CHUNK || (within(off) == 0 && off + part == n->attr.size)) {
            n->used -= (*slot)->cap;
            mem_refund(mnode_store(n), (*slot)->cap);
            free(*slot);
            *slot = NULL;
        } else {
            zero_part(n, off, part);
        }
        off += part;
    }
}

enum st mem_allocate(struct st_node *st_node, uint64_t off, uint64_t len, enum st_alloc how)
{
    struct mnode *n = MNODE(st_node);
    struct mstore *ms = mnode_store(n);
    if (n->n.type != ST_REG)
        return n->n.type == ST_DIR ? ST_ISDIR : ST_BADTYPE;
    if ((unsigned)how > ST_PUNCH)
        return ST_INVAL;
    if (off > OFF_MAX || len > OFF_MAX - off)
        return ST_FBIG;
    if (len == 0)
        return ST_OK;
    enum st st = ST_OK;
    pthread_rwlock_wrlock(&n->lock);
    if (how == ST_ZERO || how == ST_PUNCH) {
        punch_locked(n, off, len);
    } else if (!mem_charge(ms, len)) {
        st = ST_NOSPC;
    } else {
        mem_refund(ms, len); /* memory is not reserved, only the answer is honest now */
        if (how == ST_ALLOC)
            n->attr.size = MAX(n->attr.size, off + len);
    }
    if (st == ST_OK)
        mem_touch_locked(n, true);
    pthread_rwlock_unlock(&n->lock);
    return store_mutated(st_node->store, st);
}

static enum st seek_locked(const struct mnode *n, uint64_t off, bool hole, uint64_t *ret)
{
    uint64_t i = chunk_of(off), next;
    if (off >= n->attr.size)
        return ST_END;
    if (!hole) {
        if (!mtree_next(&n->data, i, &next) || next << MEM_CHUNK_SHIFT >= n->attr.size)
            return ST_END;
        *ret = MAX(off, next << MEM_CHUNK_SHIFT);
        return ST_OK;
    }
    while (mtree_next(&n->data, i, &next) && next == i)
        i++;
    *ret = MIN(MAX(off, i << MEM_CHUNK_SHIFT), n->attr.size);
    return ST_OK;
}

enum st mem_seek(struct st_node *st_node, uint64_t off, bool hole, uint64_t *ret)
{
    struct mnode *n = MNODE(st_node);
    if (n->n.type != ST_REG)
        return n->n.type == ST_DIR ? ST_ISDIR : ST_BADTYPE;
    pthread_rwlock_rdlock(&n->lock);
    enum st st = seek_locked(n, off, hole, ret);
    pthread_rwlock_unlock(&n->lock);
    return st;
}

/* Piece by piece; a range that moves towards the end of its own file is copied from its end. */
enum st mem_copy(struct st_node *src, uint64_t soff, struct st_node *dst, uint64_t doff, uint64_t len, bool clone,
                 uint64_t *ret_n)
{
    struct st_attr a;
    *ret_n = 0;
    if (clone)
        return ST_NOTSUP;
    if (src->store->ops != dst->store->ops)
        return ST_XDEV;
    if (src->type == ST_DIR || dst->type == ST_DIR)
        return ST_ISDIR;
    enum st st = mem_getattr(src, &a);
    len = st == ST_OK && soff < a.size ? MIN(len, a.size - soff) : 0;
    if (doff > OFF_MAX || len > OFF_MAX - doff)
        return ST_FBIG;
    bool backwards = src == dst && doff > soff && doff - soff < len;
    _cleanup_free_ uint8_t *buf = malloc(MEM_CHUNK);
    if (!buf)
        return ST_NOMEM;
    for (uint64_t done = 0; st == ST_OK && done < len;) {
        size_t n = (size_t)MIN(len - done, (uint64_t)MEM_CHUNK), got = 0;
        uint64_t at = backwards ? len - done - n : done;
        st = mem_read(src, soff + at, buf, n, 0, &got);
        if (st == ST_OK)
            st = mem_write(dst, doff + at, &(struct iovec){buf, got}, 1, 0, &got);
        done += n;
    }
    if (st == ST_OK)
        *ret_n = len;
    return st;
}
