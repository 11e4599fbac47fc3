/* test_through.c - operations of ops.h through an open: what was granted with it counts; Windows' rules of renames. */
#include "world.h"
#include <stdio.h>

static struct world w;
static struct caller root, ann;
static uint64_t opens;

static int setup(void **state)
{
    if (world_open(&w, *state, false) != 0)
        return -1;
    caller_init(&root, &w, 0, 0);
    caller_init(&ann, &w, 1000, 100);
    caller_smb(&ann, 7, 1);
    struct fs_setattr open_to_all = {.set = ST_SET_MODE, .a.mode = 0777};
    return RUN(&root, fs_setattr(&root.q, w.root, NULL, &open_to_all, NULL)) == ST_OK ? 0 : -1;
}
static int teardown(void **state)
{
    caller_done(&root), caller_done(&ann);
    world_close(&w);
    return 0;
}

static struct fs_open *opened_with(const char *path, uint32_t access, uint32_t share, enum fs_disposition how,
                                   uint32_t options)
{
    struct fs_open_args a = {.base = w.root, .path = path, .npath = strlen(path), .access = access, .disposition = how,
                             .share = share, .options = options};
    struct fs_open_result r = {0};
    ann.party.open = ++opens;
    memset(ann.party.lease, 0, sizeof ann.party.lease);
    assert_st(RUN(&ann, fs_open(&ann.q, &a, &r)), ST_OK);
    return r.open;
}

static struct fs_open *opened(const char *path, uint32_t access, enum fs_disposition how, uint32_t options)
{
    return opened_with(path, access, FS_SHARE_READ | FS_SHARE_WRITE | FS_SHARE_DELETE, how, options);
}

static void closed(struct fs_open *o)
{
    fs_close(&ann.q, o, NULL);
}

static enum st sets(struct fs_open *o, struct fs_setattr sa)
{
    return RUN(&ann, fs_setattr(&ann.q, o->node, o, &sa, NULL));
}

static void granted_access_counts(void **state)
{
    char buf[8];
    size_t n;
    bool eof;
    struct fs_open *wr = opened("f", FS_WRITE_DATA, FS_CREATE, 0), *ap, *rd;
    assert_st(RUN(&ann, fs_write(&ann.q, wr->node, wr, 0, "12345", 5, FS_UNSTABLE, NULL)), ST_OK);
    assert_st(RUN(&ann, fs_read(&ann.q, wr->node, wr, 0, buf, 5, &n, &eof, NULL)), ST_ACCESS);
    ap = opened("f", FS_APPEND_DATA, FS_OPEN, 0);
    assert_st(RUN(&ann, fs_write(&ann.q, ap->node, ap, 2, "3", 1, FS_UNSTABLE, NULL)), ST_OK);
    assert_st(RUN(&ann, fs_write(&ann.q, ap->node, ap, 5, "6", 1, FS_UNSTABLE, NULL)), ST_OK);
    assert_st(RUN(&ann, fs_write(&ann.q, ap->node, ap, UINT64_MAX, "7", 1, FS_UNSTABLE, NULL)), ST_OK);
    rd = opened("f", FS_READ_DATA, FS_OPEN, 0);
    assert_st(RUN(&ann, fs_write(&ann.q, rd->node, rd, 0, "x", 1, FS_UNSTABLE, NULL)), ST_ACCESS);
    assert_st(RUN(&ann, fs_read(&ann.q, rd->node, rd, 0, buf, 8, &n, NULL, NULL)), ST_OK);
    assert_int_equal(n, 7);
    assert_memory_equal(buf, "1234567", 7);
    assert_st(RUN(&ann, fs_commit(&ann.q, rd->node, rd, NULL)), ST_ACCESS);
    assert_st(RUN(&ann, fs_commit(&ann.q, wr->node, wr, NULL)), ST_OK);
    assert_st(sets(rd, (struct fs_setattr){.set = ST_SET_SIZE}), ST_ACCESS);
    assert_st(sets(rd, (struct fs_setattr){.set = ST_SET_MTIME_NOW}), ST_ACCESS);
    assert_st(sets(wr, (struct fs_setattr){.set = ST_SET_SIZE, .a.size = 3}), ST_OK);
    assert_int_equal(attr_of(wr->node).size, 3);
    assert_st(sets(wr, (struct fs_setattr){.set = FS_SET_ALLOC, .alloc = 2}), ST_OK);
    assert_int_equal(attr_of(wr->node).size, 2);
    assert_st(sets(wr, (struct fs_setattr){.set = FS_SET_ALLOC, .alloc = 1 << 16}), ST_OK);
    assert_int_equal(attr_of(wr->node).size, 2);
    closed(wr), closed(ap), closed(rd);
}

static void windows_attributes(void **state)
{
    struct fs_open *o = opened("f", FS_WRITE_ATTRIBUTES | FS_READ_ATTRIBUTES | FS_WRITE_DATA, FS_CREATE, 0);
    struct fs_setattr sa = {.set = FS_SET_DOS | FS_SET_CREATE, .dos = FS_DOS_HIDDEN | FS_DOS_READONLY,
                            .create = {1000, 500}};
    struct fs_attr a;
    assert_st(sets(o, sa), ST_OK);
    assert_st(RUN(&ann, fs_write(&ann.q, o->node, o, 0, "held", 4, FS_UNSTABLE, NULL)), ST_OK); /* granted before */
    assert_st(RUN(&ann, fs_getattr_windows(&ann.q, o->node, &a)), ST_OK);
    assert_int_equal(a.dos & (FS_DOS_HIDDEN | FS_DOS_READONLY), FS_DOS_HIDDEN | FS_DOS_READONLY);
    assert_int_equal(a.create.tv_sec, 1000);
    struct st_attr st = attr_of(o->node), dir = attr_of(w.root);
    assert_st(fs_permit(&ann.q, o->node, &st, FS_WRITE_DATA), ST_ACCESS);
    assert_st(fs_permit_delete(&ann.q, w.root, &dir, o->node, &st), ST_CANNOT_DELETE);
    ann.q.posix = true; /* a UNIX caller does not know the mark */
    assert_st(fs_permit(&ann.q, o->node, &st, FS_WRITE_DATA), ST_OK);
    assert_st(fs_permit_delete(&ann.q, w.root, &dir, o->node, &st), ST_OK);
    ann.q.posix = false;
    closed(o);
}

static enum st moves(struct fs_open *o, struct st_node *dir, const char *to, bool replace)
{
    struct fs_rename r = {.o = o, .ddir = dir, .dname = to, .dn = strlen(to), .replace = replace};
    return RUN(&ann, fs_rename(&ann.q, &r));
}

static void renames(void **state)
{
    struct fs_open *plain = opened("a", FS_READ_DATA, FS_CREATE, 0), *o = opened("a", FS_DELETE, FS_OPEN, 0), *other;
    char *path;
    assert_st(moves(plain, w.root, "x", false), ST_ACCESS);
    assert_st(moves(o, w.root, "b", false), ST_OK);
    assert_st(RUN(&ann, fs_open_path(&ann.q, plain, &path)), ST_OK); /* all opens of the name follow it */
    assert_string_equal(path, "b");
    assert_st(moves(o, w.root, "B", false), ST_OK); /* only the case */
    other = opened("c", FS_READ_DATA, FS_CREATE, 0);
    assert_st(moves(o, w.root, "c", false), ST_EXIST);
    assert_st(moves(o, w.root, "c", true), ST_ACCESS); /* in use */
    closed(other);
    assert_st(moves(o, w.root, "c", true), ST_OK);
    struct st_node *now = at(&root, w.root, "c");
    assert_ptr_equal(now, o->node);
    st_unref(now);
    closed(plain), closed(o);

    struct fs_open *dir = opened("dir", FS_DELETE, FS_CREATE, FS_DIRECTORY_FILE);
    struct fs_open *in = opened("dir/f", FS_READ_DATA, FS_CREATE, 0);
    assert_st(moves(dir, w.root, "moved", false), ST_ACCESS); /* something in it is open */
    closed(in);
    assert_st(moves(dir, w.root, "moved", false), ST_OK);
    o = opened("c", FS_DELETE, FS_OPEN, 0);
    assert_st(moves(o, w.root, "moved", true), ST_ACCESS); /* no directory is replaced */
    assert_st(moves(o, dir->node, "c", false), ST_SHARE_CONFLICT); /* into one that somebody may delete */
    closed(dir);
    /* Nor into one that is read by somebody who shares it with nobody; who looks at attributes is no matter. */
    for (unsigned i = 0; i < 2; i++) {
        dir = opened_with("moved", i ? FS_READ_ATTRIBUTES : FS_READ_DATA, 0, FS_OPEN, FS_DIRECTORY_FILE);
        assert_st(moves(o, dir->node, i ? "d" : "c", false), i ? ST_OK : ST_SHARE_CONFLICT);
        closed(dir);
    }
    dir = opened("moved", FS_READ_DATA, FS_OPEN, FS_DIRECTORY_FILE);
    assert_st(moves(o, dir->node, "c", false), ST_OK);
    assert_st(RUN(&ann, fs_open_path(&ann.q, o, &path)), ST_OK);
    assert_string_equal(path, "moved/c");
    assert_st(RUN(&root, fs_remove(&root.q, dir->node, "c", 1, false, NULL)), ST_OK); /* by a UNIX caller, under it */
    assert_st(moves(o, w.root, "back", false), ST_NOENT);
    closed(o), closed(dir);
}

static void links(void **state)
{
    struct fs_open *o = opened("a", FS_READ_DATA, FS_CREATE, 0), *other = opened("b", FS_READ_DATA, FS_CREATE, 0);
    assert_st(RUN(&ann, fs_link(&ann.q, o->node, o, w.root, "b", 1, false, NULL, NULL)), ST_EXIST);
    assert_st(RUN(&ann, fs_link(&ann.q, o->node, o, w.root, "b", 1, true, NULL, NULL)), ST_ACCESS);
    closed(other);
    assert_st(RUN(&ann, fs_link(&ann.q, o->node, o, w.root, "b", 1, true, NULL, NULL)), ST_OK);
    assert_int_equal(attr_of(o->node).nlink, 2);
    closed(o);
}

static void locks(void **state)
{
    struct fs_open *one = opened("a", FS_READ_DATA | FS_WRITE_DATA, FS_CREATE, 0);
    struct fs_open *two = opened("a", FS_READ_DATA | FS_WRITE_DATA, FS_OPEN, 0);
    struct fs_range r = {.first = 0, .last = 9, .exclusive = true};
    assert_st(RUN(&ann, fs_lock(&ann.q, one->node, one, &r, 1, false, false)), ST_OK);
    assert_st(RUN(&ann, fs_lock(&ann.q, two->node, two, &r, 1, false, false)), ST_LOCK_DENIED);
    assert_st(RUN(&ann, fs_write(&ann.q, two->node, two, 9, "x", 1, FS_UNSTABLE, NULL)), ST_LOCK_CONFLICT);
    assert_st(RUN(&ann, fs_write(&ann.q, one->node, one, 9, "x", 1, FS_UNSTABLE, NULL)), ST_OK);
    assert_st(RUN(&ann, fs_unlock(&ann.q, two->node, two, &r, 1)), ST_NOLOCK);
    closed(one);
    assert_st(RUN(&ann, fs_write(&ann.q, two->node, two, 0, "x", 1, FS_UNSTABLE, NULL)), ST_OK);
    closed(two);
}

/* An NFS client's range refuses an open that would cut it off, and only that one. */
static void overwriting_meets_ranges(void **state)
{
    struct caller nlm;
    caller_init(&nlm, &w, 1000, 100);
    nlm.party.label = CO_LABEL_NLM;
    nlm.party.client = 9;
    struct fs_open *o = opened("a", FS_WRITE_DATA, FS_CREATE, 0);
    struct fs_range end = {.first = 1, .last = 9};
    struct fs_open_args over = {.base = w.root, .path = "a", .npath = 1, .access = FS_WRITE_DATA, .share = 7,
                                .disposition = FS_OVERWRITE};
    struct fs_open_result r = {0};
    assert_st(RUN(&nlm, fs_lock(&nlm.q, o->node, NULL, &end, 1, false, false)), ST_OK);
    closed(opened("a", FS_WRITE_DATA, FS_OVERWRITE, 0)); /* nothing there */
    assert_st(RUN(&ann, fs_write(&ann.q, o->node, o, 0, "x", 1, FS_UNSTABLE, NULL)), ST_OK);
    closed(opened("a", FS_WRITE_DATA, FS_OVERWRITE, 0));
    assert_st(RUN(&nlm, fs_write(&nlm.q, o->node, NULL, 0, "xx", 2, FS_UNSTABLE, NULL)), ST_OK);
    ann.party.open = ++opens;
    assert_st(RUN(&ann, fs_open(&ann.q, &over, &r)), ST_LOCK_CONFLICT);
    assert_int_equal(attr_of(o->node).size, 2);
    fs_client_gone(w.fs, 9);
    closed(opened("a", FS_WRITE_DATA, FS_OVERWRITE, 0));
    assert_int_equal(attr_of(o->node).size, 0);
    closed(o);
    caller_done(&nlm);
}

#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(granted_access_counts), BOTH(windows_attributes), BOTH(renames),
                                       BOTH(links), BOTH(locks), BOTH(overwriting_meets_ranges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
