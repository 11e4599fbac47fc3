/* cases_data.c - bytes, attributes and extended attributes. */
#include "cases.h"

static void read_and_write(void **state)
{
    struct env *e = *state;
    const struct store_ops *ops = e->s->ops;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644);
    char buf[300000], back[300000];
    size_t n;
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (char)(i * 31 >> 3);
    struct iovec iov[3] = {{buf, 1000}, {buf + 1000, 0}, {buf + 1000, sizeof buf - 1000}};
    OK(ops->write(f, 0, iov, 3, ST_WRITE_DSYNC, &n));
    assert_int_equal(n, sizeof buf);
    OK(ops->read(f, 0, back, sizeof back, 0, &n));
    assert_int_equal(n, sizeof back);
    assert_memory_equal(buf, back, n);
    OK(ops->read(f, sizeof buf - 10, back, 100, 0, &n));
    assert_int_equal(n, 10);
    enum st st = ops->read(f, sizeof buf - 10, back, 100, ST_READ_NOWAIT, &n);
    assert_true(st == ST_OFFLOAD || (st == ST_OK && n == 10));
    OK(ops->read(f, sizeof buf, back, 100, 0, &n));
    assert_int_equal(n, 0);
    OK(ops->read(f, UINT64_MAX, back, 100, 0, &n));
    assert_int_equal(n, 0);
    OK(ops->write(f, 5, &(struct iovec){"hello", 5}, 1, ST_WRITE_SYNC, &n));
    OK(ops->sync(f, true));
    OK(ops->sync(f, false));
    OK(ops->sync(e->root, false));
    OK(ops->write(f, 5, NULL, 0, 0, &n));
    assert_int_equal(n, 0);
    IS(ops->write(f, INT64_MAX, iov, 1, 0, &n), ST_FBIG);
    IS(ops->write(f, UINT64_MAX - 2, iov, 1, 0, &n), ST_FBIG);
    IS(ops->write(e->root, 0, iov, 1, 0, &n), ST_ISDIR);
    assert_int_equal(attr(f).size, sizeof buf);
    st_unref(f);
}

static void far_offsets(void **state)
{
    struct env *e = *state;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644);
    const uint64_t far = is_dir(e) ? 1ull << 42 : (1ull << 62) + 12345;
    uint64_t at;
    char c[4] = "xyz";
    size_t n;
    put(f, far, "abc", 3);
    put(f, 10, "d", 1);
    assert_int_equal(attr(f).size, far + 3);
    assert_true(attr(f).used < 1 << 20);
    OK(e->s->ops->read(f, far - 1, c, 4, 0, &n));
    assert_int_equal(n, 4);
    assert_memory_equal(c, "\0abc", 4);
    OK(e->s->ops->seek(f, 0, false, &at));
    assert_int_equal(at, 0);
    OK(e->s->ops->seek(f, 0, true, &at));
    assert_true(at > 10 && at <= 65536);
    OK(e->s->ops->seek(f, 1 << 20, false, &at));
    assert_true(at <= far && at > far - 65536);
    OK(e->s->ops->seek(f, far + 1, true, &at));
    assert_int_equal(at, far + 3);
    IS(e->s->ops->seek(f, far + 3, true, &at), ST_END);
    IS(e->s->ops->seek(f, far + 3, false, &at), ST_END);
    IS(e->s->ops->seek(f, UINT64_MAX, false, &at), ST_END);
    st_unref(f);
}

static void punch_and_zero(void **state)
{
    struct env *e = *state;
    const struct store_ops *ops = e->s->ops;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644);
    const size_t size = 1 << 20;
    uint8_t *buf = malloc(size);
    size_t n;
    memset(buf, 7, size);
    put(f, 0, buf, size);
    OK(ops->allocate(f, 100000, 600000, ST_PUNCH));
    OK(ops->allocate(f, 800000, 10, ST_ZERO));
    OK(ops->allocate(f, size - 5, 1000, ST_ZERO)); /* the size stays */
    OK(ops->allocate(f, size + 5, 1000, ST_PUNCH));
    assert_int_equal(attr(f).size, size);
    assert_true(attr(f).used < size - 400000);
    OK(ops->read(f, 0, buf, size, 0, &n));
    for (size_t i = 0; i < size; i++) {
        bool zero = (i >= 100000 && i < 700000) || (i >= 800000 && i < 800010) || i >= size - 5;
        if (buf[i] != (zero ? 0 : 7))
            fail_msg("byte %zu", i);
    }
    uint64_t at;
    OK(ops->seek(f, 0, true, &at));
    assert_true(at >= 100000 && at < 200000);
    OK(ops->seek(f, 300000, false, &at));
    assert_true(at <= 700000 && at > 600000);
    OK(ops->allocate(f, 0, size * 2, ST_ALLOC_KEEP_SIZE));
    assert_int_equal(attr(f).size, size);
    OK(ops->allocate(f, 0, size * 2, ST_ALLOC));
    assert_int_equal(attr(f).size, size * 2);
    IS(ops->allocate(f, UINT64_MAX - 5, 10, ST_PUNCH), ST_FBIG);
    IS(ops->allocate(e->root, 0, 10, ST_PUNCH), ST_ISDIR);
    free(buf);
    st_unref(f);
}

static void resize(void **state)
{
    struct env *e = *state;
    const struct store_ops *ops = e->s->ops;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644);
    put_text(f, "0123456789");
    OK(ops->setattr(f, ST_SET_SIZE, &(struct st_attr){.size = 4}));
    OK(ops->setattr(f, ST_SET_SIZE, &(struct st_attr){.size = 200000}));
    char buf[16];
    size_t n;
    OK(ops->read(f, 0, buf, 10, 0, &n));
    assert_memory_equal(buf, "0123\0\0\0\0\0\0", 10);
    OK(ops->setattr(f, ST_SET_SIZE, &(struct st_attr){.size = 0}));
    assert_int_equal(attr(f).used, 0);
    IS(ops->setattr(f, ST_SET_SIZE, &(struct st_attr){.size = UINT64_MAX}), ST_FBIG);
    IS(ops->setattr(e->root, ST_SET_SIZE, &(struct st_attr){.size = 1}), ST_ISDIR);
    st_unref(f);
}

static void copies(void **state)
{
    struct env *e = *state;
    const struct store_ops *ops = e->s->ops;
    struct st_node *a = make(e, e->root, "a", ST_REG, 0644), *b = make(e, e->root, "b", ST_REG, 0644);
    const size_t size = 700000;
    uint8_t *buf = malloc(size), *back = malloc(size);
    uint64_t done;
    size_t n;
    for (size_t i = 0; i < size; i++)
        buf[i] = (uint8_t)(i * 7 >> 4);
    put(a, 0, buf, size);
    OK(ops->copy(a, 1000, b, 500, size, false, &done)); /* to the end of the source */
    assert_int_equal(done, size - 1000);
    OK(ops->read(b, 500, back, size - 1000, 0, &n));
    assert_memory_equal(back, buf + 1000, size - 1000);
    OK(ops->copy(a, 0, a, 100, 500000, false, &done)); /* over itself, both ways */
    OK(ops->read(a, 100, back, 500000, 0, &n));
    assert_memory_equal(back, buf, 500000);
    OK(ops->copy(a, 100, a, 0, 500000, false, &done));
    OK(ops->read(a, 0, back, 500000, 0, &n));
    assert_memory_equal(back, buf, 500000);
    OK(ops->copy(a, size + 5, b, 0, 10, false, &done));
    assert_int_equal(done, 0);
    enum st st = ops->copy(a, 0, b, 0, 4096, true, &done);
    assert_true(st == ST_OK || st == ST_NOTSUP || st == ST_INVAL);
    IS(ops->copy(a, 0, e->root, 0, 10, false, &done), ST_ISDIR);
    free(buf);
    free(back);
    st_unref(a);
    st_unref(b);
}

static void attributes(void **state)
{
    struct env *e = *state;
    const struct store_ops *ops = e->s->ops;
    static const enum st_type types[] = {ST_REG, ST_DIR, ST_LNK, ST_FIFO, ST_SOCK};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        char name[2] = {(char)('a' + i), 0};
        struct st_node *n = make(e, e->root, name, types[i], 0600);
        struct st_attr a = {.mode = 02751, .atime = {1000000001, 123456789}, .mtime = {2000000002, 987654321}};
        OK(ops->setattr(n, ST_SET_MODE | ST_SET_ATIME | ST_SET_MTIME, &a));
        struct st_attr got = attr(n);
        assert_int_equal(got.mode, types[i] == ST_LNK ? 0777 : 02751);
        assert_true(got.atime.tv_sec == 1000000001 && got.atime.tv_nsec == 123456789);
        assert_true(got.mtime.tv_sec == 2000000002 && got.mtime.tv_nsec == 987654321);
        assert_true(got.btime.tv_sec > 1000000000);
        OK(ops->setattr(n, ST_SET_MTIME_NOW, &a));
        got = attr(n);
        assert_true(got.mtime.tv_sec != 2000000002 && got.atime.tv_sec == 1000000001);
        OK(ops->setattr(n, 0, &a));
        if (types[i] != ST_REG)
            assert_true(ops->setattr(n, ST_SET_SIZE, &a) == (types[i] == ST_DIR ? ST_ISDIR : ST_BADTYPE));
        st_unref(n);
    }
    struct st_fsinfo fs;
    OK(ops->statfs(e->s, &fs));
    assert_true(fs.total >= fs.free && fs.free >= fs.avail && fs.block && fs.fstype[0]);
    assert_true(fs.time_delta_ns >= 1);
}

struct names {
    char all[512];
    unsigned count, max;
};

static bool take_name(void *arg, const char *name)
{
    struct names *l = arg;
    size_t n = strlen(l->all);
    snprintf(l->all + n, sizeof l->all - n, "%s,", name);
    return ++l->count != l->max;
}

static void xattrs(void **state)
{
    struct env *e = *state;
    const struct store_ops *ops = e->s->ops;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644), *l = make(e, e->root, "l", ST_LNK, 0777),
                   *p = make(e, e->root, "p", ST_FIFO, 0600);
    struct st_node *both[] = {f, e->root};
    char buf[64], big[251];
    size_t n;
    for (size_t i = 0; i < 2; i++) {
        struct st_node *x = both[i];
        IS(ops->xattr_get(x, "acl", buf, sizeof buf, &n), ST_NOATTR);
        OK(ops->xattr_set(x, "acl", "a\0b\xff", 4));
        OK(ops->xattr_get(x, "acl", buf, sizeof buf, &n));
        assert_int_equal(n, 4);
        assert_memory_equal(buf, "a\0b\xff", 4);
        IS(ops->xattr_get(x, "acl", buf, 3, &n), ST_BUFSIZE);
        assert_int_equal(n, 4);
        IS(ops->xattr_get(x, "acl", NULL, 0, &n), ST_BUFSIZE);
        assert_int_equal(n, 4);
        OK(ops->xattr_set(x, "acl", "", 0));
        OK(ops->xattr_get(x, "acl", buf, sizeof buf, &n));
        assert_int_equal(n, 0);
        OK(ops->xattr_set(x, "user:comment", "hi", 2));
        IS(ops->xattr_set(x, "user:concord.acl", "evil", 4), ST_PERM);
        IS(ops->xattr_del(x, "user:concord.acl"), ST_PERM);
        IS(ops->xattr_get(x, "user:concord.acl", buf, sizeof buf, &n), ST_NOATTR);
        struct names list = {.max = 0};
        OK(ops->xattr_list(x, take_name, &list));
        assert_int_equal(list.count, 2);
        assert_non_null(strstr(list.all, "acl,"));
        assert_non_null(strstr(list.all, "user:comment,"));
        struct names one = {.max = 1};
        OK(ops->xattr_list(x, take_name, &one));
        assert_int_equal(one.count, 1);
        OK(ops->xattr_del(x, "acl"));
        IS(ops->xattr_del(x, "acl"), ST_NOATTR);
        memset(big, 'n', sizeof big - 1);
        big[sizeof big - 1] = 0;
        IS(ops->xattr_set(x, big, "x", 1), ST_NAMETOOLONG);
        IS(ops->xattr_set(x, "", "x", 1), ST_BADNAME);
        char *huge = calloc(1, 70000);
        IS(ops->xattr_set(x, "huge", huge, 70000), ST_FBIG);
        enum st st = ops->xattr_set(x, "large", huge, 60000);
        assert_true(st == ST_OK || st == ST_NOSPC);
        free(huge);
    }
    IS(ops->xattr_set(l, "a", "b", 1), ST_NOTSUP);
    IS(ops->xattr_get(p, "a", buf, 1, &n), ST_NOTSUP);
    st_unref(f);
    st_unref(l);
    st_unref(p);
}

struct io_stress {
    struct env *e;
    struct st_node *f;
    unsigned id;
};

static void *io_run(void *arg)
{
    struct io_stress *s = arg;
    uint8_t buf[4096], back[4096];
    size_t n;
    memset(buf, (int)s->id + 1, sizeof buf);
    for (unsigned i = 0; i < 300; i++) {
        uint64_t off = ((uint64_t)i * 4 + s->id) * sizeof buf;
        (void)!s->e->s->ops->write(s->f, off, &(struct iovec){buf, sizeof buf}, 1, 0, &n);
        (void)!s->e->s->ops->read(s->f, off, back, sizeof back, 0, &n);
        assert_memory_equal(buf, back, sizeof buf);
        (void)!s->e->s->ops->allocate(s->f, off, sizeof buf / 2, ST_PUNCH);
        (void)!s->e->s->ops->read(s->f, off, back, sizeof back, 0, &n);
        assert_true(back[0] == 0 && back[4095] == s->id + 1);
    }
    return NULL;
}

static void stress_io(void **state)
{
    struct env *e = *state;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644);
    st_unref(f);
    f = lookup(e, e->root, "f");
    pthread_t t[4];
    struct io_stress s[4];
    for (unsigned i = 0; i < 4; i++) {
        s[i] = (struct io_stress){e, f, i};
        assert_int_equal(pthread_create(&t[i], NULL, io_run, &s[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(attr(f).size, 1200 * 4096);
    st_unref(f);
}

static void capacity(void **state)
{
    struct env *e = *state;
    struct store *s;
    if (is_dir(e))
        return;
    OK(store_mem_open(1 << 20, &s));
    struct st_node *root = s->ops->root(s), *f;
    struct st_attr a = {.type = ST_REG, .mode = 0644};
    OK(s->ops->make(root, "f", 1, &a, NULL, &f));
    char *buf = calloc(1, 2 << 20);
    size_t n;
    struct iovec iov = {buf, 2 << 20};
    IS(s->ops->write(f, 0, &iov, 1, 0, &n), ST_NOSPC);
    assert_int_equal(attr(f).size, 0);
    assert_int_equal(attr(f).used, 0);
    iov.iov_len = 1 << 19;
    OK(s->ops->write(f, 0, &iov, 1, 0, &n));
    IS(s->ops->allocate(f, 0, 1 << 20, ST_ALLOC), ST_NOSPC);
    OK(s->ops->unlink(root, "f", 1, f, 0));
    st_unref(f);
    struct st_fsinfo fs;
    OK(s->ops->statfs(s, &fs));
    assert_true(fs.total - fs.free <= 512);
    free(buf);
    st_unref(root);
    s->ops->free(s);
}

const struct CMUnitTest data_cases[] = {
    CASE(read_and_write), CASE(far_offsets), CASE(punch_and_zero), CASE(resize),   CASE(copies),
    CASE(attributes),     CASE(xattrs),      CASE(stress_io),      CASE(capacity),
};
const size_t data_count = ARRAY_LEN(data_cases);
