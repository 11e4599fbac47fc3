/* test_streams.c - alternate data streams and extended attributes. */
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

static void wr(struct smb *s, struct fs_open *o, uint64_t off, const char *text)
{
    assert_st(RUN(&s->c, fs_write(&s->c.q, o->node, o, off, text, strlen(text), FS_UNSTABLE, NULL)), ST_OK);
}

static void expect(struct smb *s, struct fs_open *o, const char *text, size_t n)
{
    char buf[256];
    size_t got = 0;
    bool eof = false;
    assert_st(RUN(&s->c, fs_read(&s->c.q, o->node, o, 0, buf, sizeof buf, &got, &eof, NULL)), ST_OK);
    assert_int_equal(got, n);
    assert_memory_equal(buf, text, n);
    assert_true(eof);
}

static size_t count_streams(struct st_node *n, const char *name, uint64_t size)
{
    const struct fs_stream *s;
    size_t ns = 0;
    bool found = !name;
    assert_st(fs_streams(&a.c.q, n, &s, &ns), ST_OK);
    for (size_t i = 0; i < ns && name; i++)
        if (!strcmp(s[i].name, name)) {
            found = true;
            assert_int_equal(s[i].size, size);
        }
    assert_true(found);
    return ns;
}

static void io(void **state)
{
    struct fs_open *o = must_open(&a, "f:Zone", RW, FS_CREATE), *p;
    struct fs_attr at_;
    assert_int_equal(count_streams(o->node, "Zone", 0), 2);
    wr(&a, o, 0, "hello");
    wr(&a, o, 8, "world");
    expect(&a, o, "hello\0\0\0world", 13);
    assert_st(fs_open_attr(&a.c.q, o, &at_), ST_OK);
    assert_int_equal(at_.st.size, 13);
    p = must_open(&b, "F:ZONE", RW, FS_OPEN);
    expect(&b, p, "hello\0\0\0world", 13);
    struct fs_setattr sa = {.set = ST_SET_SIZE, .a.size = 3};
    assert_st(RUN(&b.c, fs_setattr(&b.c.q, p->node, p, &sa, NULL)), ST_OK);
    expect(&a, o, "hel", 3);
    close_open(&b, p);
    close_open(&a, o);
    p = must_open(&a, "f", RW, FS_OPEN);
    wr(&a, p, 0, "base");
    assert_int_equal(count_streams(p->node, "Zone", 3), 2);
    assert_int_equal(count_streams(p->node, "", 4), 2);
    close_open(&a, p);
    assert_st(touch(&a, "f:none", RW, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    assert_st(touch(&a, "f:zone", RW, SHARE_ALL, FS_CREATE, 0), ST_EXIST);
    assert_st(touch(&a, "f:zone", RW, SHARE_ALL, FS_OVERWRITE, 0), ST_OK);
    o = must_open(&a, "f:zone", RW, FS_OPEN);
    expect(&a, o, "", 0);
    close_open(&a, o);
    p = must_open(&a, "f", RW, FS_OPEN);
    expect(&a, p, "base", 4);
    close_open(&a, p);
    assert_st(touch(&a, "f", RW, SHARE_ALL, FS_OVERWRITE, 0), ST_OK); /* takes the streams along */
    p = must_open(&a, "f", RW, FS_OPEN);
    assert_int_equal(count_streams(p->node, NULL, 0), 1);
    close_open(&a, p);
    assert_st(touch(&a, "d", RW, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE), ST_OK);
    assert_st(touch(&a, "d:s", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(touch(&a, "d:s", RW, SHARE_ALL, FS_OPEN, FS_DIRECTORY_FILE), ST_NOTDIR);
}

static void sharing_and_deleting(void **state)
{
    struct fs_open *s = NULL, *f = NULL;
    assert_st(touch(&a, "f", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(try_open(&a, "f:s", FS_WRITE_DATA, 0, FS_CREATE, 0, &s), ST_OK);
    assert_st(touch(&b, "f:S", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_SHARE_CONFLICT);
    assert_st(touch(&b, "f", RW, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&b, "f", FS_DELETE, SHARE_ALL, FS_OPEN, 0), ST_SHARE_CONFLICT); /* it keeps the whole file */
    close_open(&a, s);
    assert_st(try_open(&a, "f:s", FS_WRITE_DATA, FS_SHARE_DELETE, FS_OPEN, 0, &s), ST_OK);
    /* The file's name stays until its streams are closed. */
    f = must_open(&b, "f", FS_DELETE, FS_OPEN);
    assert_st(RUN(&b.c, fs_set_delete(&b.c.q, f, true, false)), ST_OK);
    close_open(&b, f);
    assert_st(touch(&b, "f", RW, SHARE_ALL, FS_OPEN, 0), ST_DELETE_PENDING);
    close_open(&a, s);
    assert_st(touch(&b, "f", RW, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    /* A stream alone. */
    assert_st(touch(&a, "g:s", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(touch(&a, "g:s", FS_DELETE, SHARE_ALL, FS_OPEN, FS_DELETE_ON_CLOSE), ST_OK);
    assert_st(touch(&a, "g:s", RW, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    assert_st(touch(&a, "g", RW, SHARE_ALL, FS_OPEN, 0), ST_OK);
}

static void renaming(void **state)
{
    struct fs_open *o = must_open(&a, "f:one", RW | FS_DELETE, FS_CREATE);
    wr(&a, o, 0, "1");
    assert_st(touch(&a, "f:two", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(RUN(&a.c, fs_stream_rename(&a.c.q, o, "TWO", 3, false)), ST_EXIST);
    assert_st(RUN(&a.c, fs_stream_rename(&a.c.q, o, "three", 5, false)), ST_OK);
    assert_st(touch(&b, "f:one", RW, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    struct fs_open *p = must_open(&b, "f:THREE", RW, FS_OPEN);
    expect(&b, p, "1", 1);
    assert_st(RUN(&a.c, fs_stream_rename(&a.c.q, o, "four", 4, false)), ST_SHARE_CONFLICT);
    close_open(&b, p);
    assert_st(RUN(&a.c, fs_stream_rename(&a.c.q, o, "Two", 3, true)), ST_OK);
    expect(&a, o, "1", 1);
    assert_int_equal(count_streams(o->node, "Two", 1), 2);
    assert_st(RUN(&a.c, fs_stream_rename(&a.c.q, o, "TWO", 3, true)), ST_OK);
    assert_int_equal(count_streams(o->node, "TWO", 1), 2);
    close_open(&a, o);
    struct co_stats s;
    co_stats(w.fs->co, &s);
    assert_int_equal(s.files, 0);
}

static size_t list_eas(struct fs_open *o, const struct fs_ea **ret)
{
    size_t n = 0;
    assert_st(fs_ea_list(&a.c.q, o, ret, &n), ST_OK);
    return n;
}

static void eas(void **state)
{
    struct fs_ea two[] = {{0, "One", 3, (const uint8_t *)"1", 1}, {0, "two", 3, (const uint8_t *)"22", 2}};
    const struct fs_ea *got = NULL;
    struct fs_open_args x = args(&w, "f", RW, FS_CREATE);
    struct fs_open_result r;
    x.ea = two;
    x.nea = 2;
    assert_st(open_args(&a, &x, &r), ST_OK);
    struct fs_open *o = r.open;
    assert_int_equal(r.attr.ea_size, 4 + (4 + 3 + 1 + 1) + (4 + 3 + 1 + 2));
    assert_int_equal(list_eas(o, &got), 2);
    struct fs_ea change[] = {{0, "ONE", 3, (const uint8_t *)"x", 1}, {0, "Two", 3, NULL, 0}, {0, "no", 2, NULL, 0}};
    assert_st(RUN(&a.c, fs_ea_set(&a.c.q, o, change, 3)), ST_OK);
    assert_int_equal(list_eas(o, &got), 1);
    assert_string_equal(got[0].name, "One");
    assert_memory_equal(got[0].value, "x", 1);
    char buf[8];
    size_t n;
    assert_st(o->node->store->ops->xattr_get(o->node, "user:One", buf, sizeof buf, &n), ST_OK); /* seen by Linux */
    struct fs_ea bad = {0, "a:b", 3, (const uint8_t *)"x", 1};
    assert_st(RUN(&a.c, fs_ea_set(&a.c.q, o, &bad, 1)), ST_BADNAME);
    bad.name = "concord.dos"; /* ours are not theirs */
    bad.nname = 11;
    assert_int_not_equal(RUN(&a.c, fs_ea_set(&a.c.q, o, &bad, 1)), ST_OK);
    close_open(&a, o);
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {BOTH(io), BOTH(sharing_and_deleting), BOTH(renaming), BOTH(eas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
