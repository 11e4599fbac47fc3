/* io.c - bytes of one file: read, write, and making them durable. One system call each where nothing goes wrong.
 * Must not know locks, caches or clients. */
#include "dir.h"
#include <errno.h>
#include <limits.h>

#define IO_CHUNK_MAX 0x7ffff000 /* what one read or write may be on Linux */

/* Fewer bytes than asked for, and nobody waited: is that the end of the file, or only of what is cached? */
static enum st short_read(struct dnode *n, uint64_t off, size_t len, size_t got)
{
    struct stat sb;
    if (got == len)
        return ST_OK;
    if (fstat(n->fd, &sb) < 0)
        return st_from_errno(errno);
    return off + got >= (uint64_t)sb.st_size ? ST_OK : ST_OFFLOAD;
}

static enum st read_nowait(struct dnode *n, uint64_t off, void *buf, size_t len, size_t *ret_n)
{
    struct dstore *ds = dnode_store(n);
    struct iovec iov = {buf, len};
    if (unlikely(atomic_load_explicit(&ds->no_nowait, memory_order_relaxed)))
        return ST_OFFLOAD;
    ssize_t r = preadv2(n->fd, &iov, 1, (off_t)off, RWF_NOWAIT);
    if (r < 0 && errno == EOPNOTSUPP)
        atomic_store(&ds->no_nowait, true);
    if (r < 0)
        return errno == EAGAIN || errno == EOPNOTSUPP || errno == EINTR ? ST_OFFLOAD : st_from_errno(errno);
    *ret_n = (size_t)r;
    return short_read(n, off, len, (size_t)r);
}

enum st dir_read(struct st_node *st_node, uint64_t off, void *buf, size_t len, unsigned flags, size_t *ret_n)
{
    struct dnode *n = DNODE(st_node);
    enum st st = dir_fd(n, DIR_RD);
    *ret_n = 0;
    if (unlikely(st != ST_OK))
        return st;
    if (off >= INT64_MAX)
        return ST_OK;
    len = MIN(len, (size_t)(INT64_MAX - off));
    len = MIN(len, (size_t)IO_CHUNK_MAX);
    if ((flags & ST_READ_NOWAIT) && !dnode_store(n)->in_memory)
        return read_nowait(n, off, buf, len, ret_n);
    while (*ret_n < len) {
        ssize_t r = pread(n->fd, (uint8_t *)buf + *ret_n, len - *ret_n, (off_t)(off + *ret_n));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return *ret_n ? ST_OK : st_from_errno(errno);
        if (r == 0)
            break;
        *ret_n += (size_t)r;
    }
    return ST_OK;
}

static enum st write_flush(struct dnode *n, unsigned flags)
{
    int r = flags & ST_WRITE_SYNC ? fsync(n->fd) : flags & ST_WRITE_DSYNC ? fdatasync(n->fd) : 0;
    return r < 0 ? st_from_errno(errno) : ST_OK;
}

/* The rest of a write that was cut short, vector by vector. */
static enum st write_rest(struct dnode *n, uint64_t off, const struct iovec *iov, int niov, size_t done)
{
    for (int i = 0; i < niov; off += iov[i].iov_len, i++) {
        if (done >= iov[i].iov_len) {
            done -= iov[i].iov_len;
            continue;
        }
        for (size_t at = done; at < iov[i].iov_len;) {
            ssize_t r = pwrite(n->fd, (const uint8_t *)iov[i].iov_base + at, iov[i].iov_len - at, (off_t)(off + at));
            if (r < 0 && errno == EINTR)
                continue;
            if (r <= 0)
                return r < 0 ? st_from_errno(errno) : ST_IO;
            at += (size_t)r;
        }
        done = 0;
    }
    return ST_OK;
}

enum st dir_write(struct st_node *st_node, uint64_t off, const struct iovec *iov, int niov, unsigned flags,
                  size_t *ret_n)
{
    struct dnode *n = DNODE(st_node);
    size_t total = 0;
    *ret_n = 0;
    for (int i = 0; i < niov; i++)
        if (__builtin_add_overflow(total, iov[i].iov_len, &total))
            return ST_FBIG;
    if (off > INT64_MAX || total > INT64_MAX - off)
        return ST_FBIG;
    enum st st = dir_fd(n, DIR_RW);
    if (unlikely(st != ST_OK))
        return st;
    int rwf = flags & ST_WRITE_SYNC ? RWF_SYNC : flags & ST_WRITE_DSYNC ? RWF_DSYNC : 0;
    bool flush = false;
    ssize_t r = pwritev2(n->fd, iov, MIN(niov, IOV_MAX), (off_t)off, rwf);
    if (r < 0 && (errno == EOPNOTSUPP || errno == EINTR)) {
        flush = true;
        r = 0;
    }
    if (r < 0)
        return st_from_errno(errno);
    if (unlikely((size_t)r < total)) {
        st = write_rest(n, off, iov, niov, (size_t)r);
        flush = true;
    }
    if (st == ST_OK && unlikely(flush))
        st = write_flush(n, flags);
    (void)dir_changed(n, ST_OK);
    if (st == ST_OK)
        *ret_n = total;
    return st;
}

enum st dir_sync(struct st_node *st_node, bool data_only)
{
    struct dnode *n = DNODE(st_node);
    enum st st = dir_fd(n, DIR_RD);
    if (st == ST_BADTYPE)
        return ST_NOTSUP; /* the kernel syncs only what can be opened */
    if (st != ST_OK)
        return st;
    return (data_only ? fdatasync(n->fd) : fsync(n->fd)) < 0 ? st_from_errno(errno) : ST_OK;
}
