/* fsx.c - random reads, writes, truncations and memory-mapped access to one file, checked against a copy in memory.
 *
 *     fsx FILE SEED OPERATIONS
 *
 * Ends at the first byte that is not what was written last, naming operation, offset and both bytes. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1 << 19)
#define IO_MAX (1 << 16)

static unsigned char model[FILE_MAX], buf[FILE_MAX];
static size_t size;
static uint64_t state;
static unsigned long op;
static int fd;
static const char *path;

static uint64_t draw(uint64_t below)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % below;
}

static void fail(const char *what, size_t off)
{
    fprintf(stderr, "operation %lu: %s at %zu\n", op, what, off);
    perror("last error");
    exit(1);
}

static void compare(const unsigned char *got, size_t off, size_t n, const char *how)
{
    for (size_t i = 0; i < n; i++) {
        if (got[i] == model[off + i])
            continue;
        fprintf(stderr, "operation %lu: %s: byte %zu is %02x, written was %02x\n", op, how, off + i, got[i],
                model[off + i]);
        exit(1);
    }
}

static size_t piece(size_t limit, size_t *off) /* a random range within [0, limit) */
{
    *off = draw(limit);
    size_t n = 1 + draw(IO_MAX);
    return n < limit - *off ? n : limit - *off;
}

static void do_read(void)
{
    size_t off, n;
    if (!size)
        return;
    n = piece(size, &off);
    if (pread(fd, buf, n, (off_t)off) != (ssize_t)n)
        fail("short read", off);
    compare(buf, off, n, "read");
}

static void fill(unsigned char *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)(op + i * 7);
}

static void grow(size_t end)
{
    if (end <= size)
        return;
    size = end; /* the model beyond the old end is zeroes already */
}

static void do_write(void)
{
    size_t off, n = piece(FILE_MAX, &off);
    fill(model + off, n);
    if (pwrite(fd, model + off, n, (off_t)off) != (ssize_t)n)
        fail("short write", off);
    grow(off + n);
}

static void do_truncate(void)
{
    size_t to = draw(FILE_MAX);
    if (ftruncate(fd, (off_t)to) < 0)
        fail("truncate", to);
    if (to < size)
        memset(model + to, 0, size - to);
    size = to;
}

static void do_map(bool write)
{
    size_t off, n;
    if (!size)
        return;
    n = piece(size, &off);
    unsigned char *m = mmap(NULL, size, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    if (m == MAP_FAILED)
        fail("mmap", off);
    if (write) {
        fill(model + off, n);
        memcpy(m + off, model + off, n);
        if (msync(m, size, MS_SYNC) < 0)
            fail("msync", off);
    } else {
        compare(m + off, off, n, "mapped read");
    }
    munmap(m, size);
}

static void do_reopen(void)
{
    struct stat st;
    if (close(fd) < 0 || (fd = open(path, O_RDWR)) < 0 || fstat(fd, &st) < 0)
        fail("reopen", 0);
    if ((size_t)st.st_size != size)
        fail("size after reopen", (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fputs("usage: fsx FILE SEED OPERATIONS\n", stderr), 2;
    path = argv[1];
    state = strtoull(argv[2], NULL, 10) * 2654435761u + 1;
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        fail("open", 0);
    unsigned long n = strtoul(argv[3], NULL, 10);
    for (op = 1; op <= n; op++) {
        switch (draw(16)) {
        case 0: do_truncate(); break;
        case 1: do_reopen(); break;
        case 2: fsync(fd) < 0 ? fail("fsync", 0) : (void)0; break;
        case 3: case 4: do_map(false); break;
        case 5: case 6: do_map(true); break;
        case 7: case 8: case 9: case 10: do_write(); break;
        default: do_read();
        }
    }
    do_reopen();
    if (pread(fd, buf, size, 0) != (ssize_t)size)
        fail("last read", 0);
    compare(buf, 0, size, "last read");
    close(fd);
    unlink(path);
    printf("%lu operations\n", n);
    return 0;
}
