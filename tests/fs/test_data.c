/* test_data.c - server-side copy, zeroing, sparse files and their ranges, symbolic links made through opens. */
#include "opens.h"

static struct world w;
static struct smb a, b;

static int setup(void **state)
{
    if (world_open(&w, *state, false))
        return -1;
    smb_init(&a, &w, 0, 1);
    smb_init(&b, &w, 0, 2);
    return 0;
}

static int teardown(void **state)
{
    smb_done(&a);
    smb_done(&b);
    world_close(&w);
    return 0;
}

static void wr(struct fs_open *o, uint64_t off, const void *p, size_t n)
{
    assert_st(RUN(&a.c, fs_write(&a.c.q, o->node, o, off, p, n, FS_UNSTABLE, NULL)), ST_OK);
}

static size_t rd(struct fs_open *o, uint64_t off, void *p, size_t n)
{
    size_t got = 0;
    assert_st(RUN(&a.c, fs_read(&a.c.q, o->node, o, off, p, n, &got, NULL, NULL)), ST_OK);
    return got;
}

static void copying(void **state)
{
    struct fs_open *s = must_open(&a, "src", RW, FS_CREATE), *d = must_open(&a, "dst", RW, FS_CREATE);
    char big[20000], got[20000];
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7);
    wr(s, 0, big, sizeof big);
    assert_st(RUN(&a.c, fs_copy(&a.c.q, s, 100, d, 50, 10000, false, &n)), ST_OK);
    assert_int_equal(n, 10000);
    assert_int_equal(rd(d, 50, got, sizeof got), 10000);
    assert_memory_equal(got, big + 100, 10000);
    assert_st(RUN(&a.c, fs_copy(&a.c.q, s, 19000, d, 0, 10000, false, &n)), ST_OK);
    assert_int_equal(n, 1000);
    assert_st(RUN(&a.c, fs_copy(&a.c.q, s, 20000, d, 0, 10, false, &n)), ST_EOF);
    struct fs_open *r = must_open(&a, "dst", FS_READ_DATA, FS_OPEN);
    assert_st(RUN(&a.c, fs_copy(&a.c.q, s, 0, r, 0, 10, false, &n)), ST_ACCESS);
    close_open(&a, r);
    /* A lock of somebody else is respected on both sides. */
    struct fs_open *o = must_open(&b, "src", RW, FS_OPEN);
    struct fs_range lock = {.first = 0, .last = 99, .exclusive = true};
    assert_st(RUN(&b.c, fs_lock(&b.c.q, o->node, o, &lock, 1, false, false)), ST_OK);
    assert_st(RUN(&a.c, fs_copy(&a.c.q, s, 50, d, 0, 100, false, &n)), ST_LOCK_CONFLICT);
    assert_st(RUN(&a.c, fs_copy(&a.c.q, s, 100, d, 0, 100, false, &n)), ST_OK);
    close_open(&b, o);
    struct fs_open *t = must_open(&a, "dst:s", RW, FS_CREATE);
    assert_st(RUN(&a.c, fs_copy(&a.c.q, s, 0, t, 0, 500, false, &n)), ST_OK);
    assert_int_equal(rd(t, 0, got, sizeof got), 500);
    assert_memory_equal(got, big, 500);
    close_open(&a, t);
    close_open(&a, s);
    close_open(&a, d);
}

static void sparse(void **state)
{
    struct fs_open *o = must_open(&a, "sp", RW, FS_CREATE);
    static char data[1 << 20], got[4096];
    uint64_t(*r)[2] = NULL;
    size_t n = 0;
    struct fs_attr at_;
    memset(data, 'x', sizeof data);
    wr(o, 0, data, sizeof data);
    assert_st(RUN(&a.c, fs_zero(&a.c.q, o, 4096, 8192)), ST_OK);
    assert_int_equal(rd(o, 4096, got, sizeof got), 4096);
    assert_int_equal(got[0] | got[4095], 0);
    assert_st(RUN(&a.c, fs_ranges(&a.c.q, o, 0, 1 << 20, &r, &n)), ST_OK);
    assert_int_equal(n, 1); /* not marked */
    assert_st(RUN(&a.c, fs_set_sparse(&a.c.q, o, true)), ST_OK);
    assert_st(fs_open_attr(&a.c.q, o, &at_), ST_OK);
    assert_int_equal(at_.dos, FS_DOS_SPARSE | FS_DOS_ARCHIVE);
    assert_st(RUN(&a.c, fs_zero(&a.c.q, o, 256 << 10, 512 << 10)), ST_OK);
    assert_st(RUN(&a.c, fs_zero(&a.c.q, o, 768 << 10, 4 << 20)), ST_OK);
    assert_st(fs_open_attr(&a.c.q, o, &at_), ST_OK);
    assert_int_equal(at_.st.size, 1 << 20);
    assert_st(RUN(&a.c, fs_ranges(&a.c.q, o, 0, 1 << 30, &r, &n)), ST_OK);
    assert_true(n >= 2); /* some file systems take the zeroed blocks for holes, too */
    for (size_t i = 0; i < n; i++) {
        bool hole = (r[i][0] < 512 << 10 && r[i][0] + r[i][1] > 256 << 10) || r[i][0] + r[i][1] > 768 << 10;
        assert_false(hole);
    }
    assert_st(RUN(&a.c, fs_set_sparse(&a.c.q, o, false)), ST_OK);
    assert_st(fs_open_attr(&a.c.q, o, &at_), ST_OK);
    assert_int_equal(at_.dos, FS_DOS_ARCHIVE);
    close_open(&a, o);
}

static struct fs_attr seen(struct fs_open *o)
{
    struct fs_attr at_;
    assert_st(fs_open_attr(&a.c.q, o, &at_), ST_OK);
    return at_;
}

static void times_stand_still(void **state)
{
    static const struct fs_setattr set = {.set = ST_SET_MTIME | FS_SET_CHANGE, .a.mtime.tv_sec = 2000000000,
                                          .change.tv_sec = 1900000000};
    struct fs_setattr grow = {.set = ST_SET_SIZE, .a.size = 90}, reserve = {.set = FS_SET_ALLOC, .alloc = 1 << 20};
    struct fs_open *mine = must_open(&a, "t", RW, FS_CREATE), *other = must_open(&b, "t", RW, FS_OPEN);
    struct fs_open *src = must_open(&a, "t2", RW, FS_CREATE);
    struct fs_ea ea = {.name = "E", .nname = 1, .value = (const uint8_t *)"v", .nvalue = 1};
    uint64_t n;
    wr(src, 0, "source", 6);
    wr(mine, 0, "1", 1);
    assert_st(RUN(&a.c, fs_setattr(&a.c.q, mine->node, mine, &set, NULL)), ST_OK);
    wr(mine, 0, "written behind it", 17);
    assert_st(RUN(&a.c, fs_setattr(&a.c.q, mine->node, mine, &grow, NULL)), ST_OK);
    assert_st(RUN(&a.c, fs_setattr(&a.c.q, mine->node, mine, &reserve, NULL)), ST_OK);
    assert_st(RUN(&a.c, fs_zero(&a.c.q, mine, 0, 5)), ST_OK);
    assert_st(RUN(&a.c, fs_copy(&a.c.q, src, 0, mine, 20, 6, false, &n)), ST_OK);
    assert_st(RUN(&a.c, fs_ea_set(&a.c.q, mine, &ea, 1)), ST_OK);
    assert_st(RUN(&a.c, fs_set_sparse(&a.c.q, mine, true)), ST_OK);
    struct fs_attr at_ = seen(mine), later;
    assert_int_equal(at_.st.mtime.tv_sec, 2000000000);
    assert_int_equal(at_.change.tv_sec, 1900000000);
    assert_true(at_.st.ctime.tv_sec != 1900000000); /* what NFS clients go by */
    /* Space reserved by anybody is nothing written; a byte is. */
    reserve.alloc = 2 << 20;
    assert_st(RUN(&b.c, fs_setattr(&b.c.q, other->node, other, &reserve, NULL)), ST_OK);
    assert_int_equal(seen(mine).st.mtime.tv_sec, 2000000000);
    assert_st(RUN(&b.c, fs_write(&b.c.q, other->node, other, 0, "b", 1, FS_UNSTABLE, NULL)), ST_OK);
    at_ = seen(mine);
    assert_true(at_.st.mtime.tv_sec != 2000000000 && at_.change.tv_sec != 1900000000);
    wr(mine, 0, "a", 1); /* still keeps it, as the other left it */
    later = seen(mine);
    assert_true(timespec_same(&later.st.mtime, &at_.st.mtime) && timespec_same(&later.change, &at_.change));
    fs_open_freeze(other, FS_TIME_WRITE, 0);
    assert_st(RUN(&b.c, fs_write(&b.c.q, other->node, other, 0, "b", 1, FS_UNSTABLE, NULL)), ST_OK);
    later = seen(mine);
    assert_true(timespec_same(&later.st.mtime, &at_.st.mtime));
    assert_st(RUN(&a.c, fs_setattr(&a.c.q, mine->node, mine, &set, NULL)), ST_OK);
    fs_open_freeze(mine, 0, FS_TIME_WRITE | FS_TIME_CHANGE);
    wr(mine, 0, "c", 1);
    at_ = seen(mine);
    assert_true(at_.st.mtime.tv_sec != 2000000000 && at_.change.tv_sec != 1900000000);
    close_open(&a, mine);
    close_open(&b, other);
    close_open(&a, src);
}

static void symlinks(void **state)
{
    struct fs_open *o = must_open(&a, "link", FS_WRITE_ATTRIBUTES | FS_WRITE_DATA, FS_CREATE);
    char *target;
    size_t n;
    assert_st(RUN(&a.c, fs_symlink_set(&a.c.q, o, "a/b", 3)), ST_OK);
    close_open(&a, o);
    struct st_node *l = at(&a.c, w.root, "link");
    assert_int_equal(l->type, ST_LNK);
    assert_st(RUN(&a.c, fs_readlink(&a.c.q, l, &target, &n)), ST_OK);
    assert_memory_equal(target, "a/b", 3);
    st_unref(l);
    struct fs_open *d;
    assert_st(try_open(&a, "dl", FS_WRITE_ATTRIBUTES, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE, &d), ST_OK);
    assert_st(RUN(&a.c, fs_symlink_set(&a.c.q, d, "..", 2)), ST_OK);
    close_open(&a, d);
    o = must_open(&a, "full", RW, FS_CREATE);
    wr(o, 0, "x", 1);
    assert_st(RUN(&a.c, fs_symlink_set(&a.c.q, o, "a", 1)), ST_NOTEMPTY);
    close_open(&a, o);
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {BOTH(copying), BOTH(sparse), BOTH(symlinks),
                                      BOTH(times_stand_still)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
