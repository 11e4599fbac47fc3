/* space.c - where the bytes of a file are: reserving, zeroing, holes, and copying ranges without a client in between.
 * What a file system cannot do is emulated with plain reads and writes in bounded pieces. Must not know locks. */
#include "dir.h"
#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define PIECE (256u << 10)

static enum st range_ok(uint64_t off, uint64_t len)
{
    return off > INT64_MAX || len > INT64_MAX - off ? ST_FBIG : ST_OK;
}

static enum st zero_by_writing(struct dnode *n, uint64_t off, uint64_t len)
{
    static const uint8_t zeroes[64 << 10];
    struct stat sb;
    if (fstat(n->fd, &sb) < 0)
        return st_from_errno(errno);
    uint64_t end = MIN(off + len, (uint64_t)sb.st_size);
    while (off < end) {
        ssize_t r = pwrite(n->fd, zeroes, MIN(end - off, sizeof zeroes), (off_t)off);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return r < 0 ? st_from_errno(errno) : ST_IO;
        off += (uint64_t)r;
    }
    return ST_OK;
}

static const int alloc_modes[] = {
    [ST_ALLOC] = 0,
    [ST_ALLOC_KEEP_SIZE] = FALLOC_FL_KEEP_SIZE,
    [ST_ZERO] = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
    [ST_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
};

/* Zeroing must not reserve blocks behind the end of the file, so the range ends there. */
static enum st cut_at_end(struct dnode *n, uint64_t off, uint64_t *len)
{
    struct stat sb;
    if (fstat(n->fd, &sb) < 0)
        return st_from_errno(errno);
    *len = off >= (uint64_t)sb.st_size ? 0 : MIN(*len, (uint64_t)sb.st_size - off);
    return ST_OK;
}

enum st dir_allocate(struct st_node *st_node, uint64_t off, uint64_t len, enum st_alloc how)
{
    struct dnode *n = DNODE(st_node);
    if ((size_t)how >= ARRAY_LEN(alloc_modes))
        return ST_INVAL;
    enum st st = range_ok(off, len);
    if (st == ST_OK)
        st = dir_fd(n, DIR_RW);
    if (st == ST_OK && how == ST_ZERO)
        st = cut_at_end(n, off, &len);
    if (st != ST_OK || len == 0)
        return st;
    int r;
    do
        r = fallocate(n->fd, alloc_modes[how], (off_t)off, (off_t)len);
    while (r < 0 && errno == EINTR);
    bool cannot = r < 0 && (errno == EOPNOTSUPP || errno == ENOSYS);
    if (cannot && (how == ST_ZERO || how == ST_PUNCH))
        st = zero_by_writing(n, off, len);
    else if (r < 0)
        st = st_from_errno(errno);
    return dir_changed(n, st);
}

enum st dir_seek(struct st_node *st_node, uint64_t off, bool hole, uint64_t *ret)
{
    struct dnode *n = DNODE(st_node);
    enum st st = dir_fd(n, DIR_RD);
    if (st != ST_OK)
        return st;
    if (off > INT64_MAX)
        return ST_END;
    off_t at = lseek(n->fd, (off_t)off, hole ? SEEK_HOLE : SEEK_DATA);
    if (at < 0)
        return errno == ENXIO ? ST_END : st_from_errno(errno);
    *ret = (uint64_t)at;
    return ST_OK;
}

static enum st clone_range(struct dnode *src, uint64_t soff, struct dnode *dst, uint64_t doff, uint64_t len)
{
    struct file_clone_range r = {.src_fd = src->fd, .src_offset = soff, .src_length = len, .dest_offset = doff};
    if (len == 0) /* would mean "to the end" */
        return ST_OK;
    if (ioctl(dst->fd, FICLONERANGE, &r) == 0)
        return ST_OK;
    return errno == EXDEV || errno == EBADF || errno == ETXTBSY ? ST_NOTSUP : st_from_errno(errno);
}

static enum st copy_piece(struct dnode *src, uint64_t soff, struct dnode *dst, uint64_t doff, size_t len, void *buf)
{
    size_t got;
    enum st st = dir_read(&src->n, soff, buf, len, 0, &got);
    for (size_t done = 0; st == ST_OK && done < got;) {
        ssize_t w = pwrite(dst->fd, (uint8_t *)buf + done, got - done, (off_t)(doff + done));
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            st = w < 0 ? st_from_errno(errno) : ST_IO;
        else
            done += (size_t)w;
    }
    return st;
}

/* By hand. A range that moves towards the end of its own file is copied from its end. */
static enum st copy_by_writing(struct dnode *src, uint64_t soff, struct dnode *dst, uint64_t doff, uint64_t len)
{
    bool backwards = src == dst && doff > soff && doff - soff < len;
    _cleanup_free_ void *buf = malloc(PIECE);
    enum st st = buf ? ST_OK : ST_NOMEM;
    for (uint64_t done = 0; st == ST_OK && done < len;) {
        size_t n = (size_t)MIN(len - done, (uint64_t)PIECE);
        uint64_t at = backwards ? len - done - n : done;
        st = copy_piece(src, soff + at, dst, doff + at, n, buf);
        done += n;
    }
    return st;
}

static enum st copy_range(struct dnode *src, uint64_t soff, struct dnode *dst, uint64_t doff, uint64_t len)
{
    while (len > 0) {
        off_t from = (off_t)soff, to = (off_t)doff;
        ssize_t r = copy_file_range(src->fd, &from, dst->fd, &to, (size_t)MIN(len, 1ull << 30), 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG))
            return st_from_errno(errno);
        if (r <= 0) /* other file systems, overlapping ranges, or a file system that cannot */
            return copy_by_writing(src, soff, dst, doff, len);
        soff += (uint64_t)r;
        doff += (uint64_t)r;
        len -= (uint64_t)r;
    }
    return ST_OK;
}

enum st dir_copy(struct st_node *st_src, uint64_t soff, struct st_node *st_dst, uint64_t doff, uint64_t len, bool clone,
                 uint64_t *ret_n)
{
    struct dnode *src = DNODE(st_src), *dst = DNODE(st_dst);
    *ret_n = 0;
    if (st_src->store != st_dst->store && st_src->store->ops != st_dst->store->ops)
        return ST_XDEV;
    enum st st = dir_fd(src, DIR_RD);
    if (st == ST_OK)
        st = dir_fd(dst, DIR_RW);
    if (st == ST_OK)
        st = cut_at_end(src, soff, &len);
    if (st == ST_OK)
        st = range_ok(doff, len);
    if (st != ST_OK || len == 0)
        return st;
    st = clone ? clone_range(src, soff, dst, doff, len) : copy_range(src, soff, dst, doff, len);
    if (st == ST_OK)
        *ret_n = len;
    return dir_changed(dst, st);
}
