/* test_ops.c - every operation of ops.h on a memory store and on a directory; attributes before and after are exact. */
#include "world.h"
#include <stdio.h>

static struct world w;
static struct caller root, ann, bob;

static int setup(void **state)
{
    if (world_open(&w, *state, false) != 0)
        return -1;
    caller_init(&root, &w, 0, 0);
    caller_init(&ann, &w, 1000, 100);
    caller_init(&bob, &w, 2000, 200);
    struct fs_setattr open_to_all = {.set = ST_SET_MODE, .a.mode = 0777};
    return RUN(&root, fs_setattr(&root.q, w.root, NULL, &open_to_all, NULL)) == ST_OK ? 0 : -1;
}

static int teardown(void **state)
{
    caller_done(&root);
    caller_done(&ann);
    caller_done(&bob);
    world_close(&w);
    return 0;
}

#define TIMES_EQUAL(a, b) assert_true(timespec_same(&(a), &(b)))
static void wcc_exact(const struct fs_wcc *c, const struct st_attr *before, const struct st_attr *after)
{
    assert_true(c->has_pre && c->has_post);
    assert_int_equal(c->pre_size, before->size);
    TIMES_EQUAL(c->pre_mtime, before->mtime);
    TIMES_EQUAL(c->pre_ctime, before->ctime);
    TIMES_EQUAL(c->post.ctime, after->ctime);
    TIMES_EQUAL(c->post.mtime, after->mtime);
    assert_int_equal(c->post.size, after->size);
    assert_int_equal(c->post.nlink, after->nlink);
}

static enum st make(struct caller *c, const char *name, struct fs_make *m, struct st_node **ret, struct fs_wcc *wcc)
{
    struct st_attr a;
    enum st st = RUN(c, fs_make(&c->q, w.root, name, strlen(name), m, ret, &a, wcc));
    if (st == ST_OK)
        assert_int_equal(a.ino, fs_node_id(*ret));
    return st;
}

static void makes(void **state)
{
    static const enum st_type types[] = {ST_REG, ST_DIR, ST_LNK, ST_FIFO, ST_SOCK};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct fs_make m = {.a = {.type = types[i], .mode = 0640}, .set = ST_SET_MODE, .how = FS_CREATE_GUARDED,
                            .target = "else/where"};
        char name[8];
        snprintf(name, sizeof name, "o%zu", i);
        struct st_attr before = attr_of(w.root), after;
        struct fs_wcc wcc = {0};
        struct st_node *n = NULL;
        assert_st(make(&ann, name, &m, &n, &wcc), ST_OK);
        after = attr_of(w.root);
        wcc_exact(&wcc, &before, &after);
        struct st_attr a = attr_of(n);
        assert_int_equal(a.type, types[i]);
        assert_int_equal(a.uid, 1000);
        assert_int_equal(a.gid, 100);
        if (types[i] != ST_LNK)
            assert_int_equal(a.mode, 0640);
        st_unref(n);
        wcc = (struct fs_wcc){0};
        assert_st(make(&ann, name, &m, &n, &wcc), ST_EXIST);
        wcc_exact(&wcc, &after, &after);
    }
    struct fs_make dev = {.a = {.type = ST_CHR, .rdev_major = 1, .rdev_minor = 3}};
    struct st_node *n = NULL;
    assert_st(make(&ann, "dev", &dev, &n, NULL), ST_PERM);
    dev.a.type = ST_REG;
    assert_st(make(&ann, ".", &dev, &n, NULL), ST_EXIST);
    assert_st(make(&ann, "..", &dev, &n, NULL), ST_EXIST);
    assert_st(make(&ann, "a/b", &dev, &n, NULL), ST_BADNAME);
    assert_st(make(&ann, "", &dev, &n, NULL), ST_INVAL);
    char longest[ST_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[ST_NAME_MAX + 1] = '\0';
    assert_st(make(&ann, longest, &dev, &n, NULL), ST_NAMETOOLONG);
    longest[ST_NAME_MAX] = '\0';
    assert_st(make(&ann, longest, &dev, &n, NULL), ST_OK);
    st_unref(n);
}

static void makes_by_group(void **state)
{
    struct st_node *d = mk(&root, w.root, "team", ST_DIR, 02777), *n;
    struct fs_setattr own = {.set = ST_SET_GID, .a.gid = 777};
    assert_st(RUN(&root, fs_setattr(&root.q, d, NULL, &own, NULL)), ST_OK);
    assert_int_equal(attr_of(d).mode, 02777);
    n = mk(&ann, d, "file", ST_REG, 02755);
    assert_int_equal(attr_of(n).gid, 777);
    assert_int_equal(attr_of(n).mode, 0755); /* not a member: no set-group-id */
    st_unref(n);
    n = mk(&ann, d, "sub", ST_DIR, 0755);
    assert_int_equal(attr_of(n).gid, 777);
    assert_int_equal(attr_of(n).mode, 02755);
    st_unref(n);
    st_unref(d);
}

static void creates_exclusively(void **state)
{
    struct fs_make m = {.a.type = ST_REG, .how = FS_CREATE_EXCLUSIVE, .verifier = 0x89abcdef01234567};
    struct st_node *n = NULL, *again = NULL;
    assert_st(make(&ann, "x", &m, &n, NULL), ST_OK);
    assert_st(make(&ann, "x", &m, &again, NULL), ST_OK);
    assert_ptr_equal(n, again);
    st_unref(again);
    m.verifier++;
    assert_st(make(&ann, "x", &m, &again, NULL), ST_EXIST);
    m.verifier--;
    if (!strcmp(w.store, "dir")) {
        caller_done(&root), caller_done(&ann), caller_done(&bob);
        st_unref(n);
        world_stop(&w);
        assert_int_equal(world_start(&w), 0);
        caller_init(&root, &w, 0, 0), caller_init(&ann, &w, 1000, 100), caller_init(&bob, &w, 2000, 200);
        assert_st(make(&ann, "x", &m, &n, NULL), ST_OK);
    }
    struct fs_setattr now = {.set = ST_SET_MTIME_NOW | ST_SET_ATIME_NOW};
    assert_st(RUN(&ann, fs_setattr(&ann.q, n, NULL, &now, NULL)), ST_OK);
    assert_st(make(&ann, "x", &m, &again, NULL), ST_EXIST);
    st_unref(n);
}

static void creates_unchecked(void **state)
{
    struct st_node *n = mk(&ann, w.root, "u", ST_REG, 0644), *again = NULL;
    put(&ann, n, 0, "hello");
    struct fs_make m = {.a.type = ST_REG, .how = FS_CREATE_UNCHECKED};
    assert_st(make(&bob, "u", &m, &again, NULL), ST_OK); /* an open needs no right here */
    st_unref(again);
    assert_int_equal(attr_of(n).size, 5);
    m.set = ST_SET_SIZE;
    assert_st(make(&bob, "u", &m, &again, NULL), ST_ACCESS);
    assert_st(make(&ann, "u", &m, &again, NULL), ST_OK);
    assert_ptr_equal(again, n);
    assert_int_equal(attr_of(n).size, 0);
    st_unref(again);
    st_unref(n);
    m.a.size = 1 << 20;
    assert_st(make(&ann, "sized", &m, &n, NULL), ST_OK);
    assert_int_equal(attr_of(n).size, 1 << 20);
    st_unref(n);
}

static void reads_and_writes(void **state)
{
    struct st_node *n = mk(&ann, w.root, "f", ST_REG, 0600);
    struct st_attr before = attr_of(n), after, got;
    struct fs_wcc wcc = {0};
    char buf[64];
    size_t len;
    bool eof;
    assert_st(RUN(&ann, fs_write(&ann.q, n, NULL, 3, "abc", 3, FS_FILE_SYNC, &wcc)), ST_OK);
    after = attr_of(n);
    wcc_exact(&wcc, &before, &after);
    assert_int_equal(after.size, 6);
    assert_st(RUN(&ann, fs_read(&ann.q, n, NULL, 0, buf, 6, &len, &eof, &got)), ST_OK);
    assert_int_equal(len, 6);
    assert_true(eof);
    assert_memory_equal(buf, "\0\0\0abc", 6);
    assert_int_equal(got.size, 6);
    assert_st(RUN(&ann, fs_read(&ann.q, n, NULL, 0, buf, 5, &len, &eof, &got)), ST_OK);
    assert_false(eof);
    assert_st(RUN(&ann, fs_read(&ann.q, n, NULL, 6, buf, 5, &len, &eof, &got)), ST_OK);
    assert_true(eof && len == 0);
    assert_st(RUN(&ann, fs_read(&ann.q, n, NULL, UINT64_MAX - 1, buf, 5, &len, &eof, &got)), ST_OK);
    assert_true(eof && len == 0);
    assert_st(RUN(&ann, fs_read(&ann.q, n, NULL, 2, buf, 0, &len, &eof, NULL)), ST_OK);
    assert_true(!eof && len == 0);
    put(&ann, n, UINT64_MAX, "end");
    assert_int_equal(attr_of(n).size, 9);
    before = attr_of(n);
    wcc = (struct fs_wcc){0};
    assert_st(RUN(&ann, fs_write(&ann.q, n, NULL, 0, "", 0, FS_UNSTABLE, &wcc)), ST_OK);
    wcc_exact(&wcc, &before, &before);
    assert_st(RUN(&bob, fs_write(&bob.q, n, NULL, 0, "z", 1, FS_UNSTABLE, &wcc)), ST_ACCESS);
    wcc_exact(&wcc, &before, &before);
    assert_st(RUN(&bob, fs_read(&bob.q, n, NULL, 0, buf, 1, &len, &eof, NULL)), ST_ACCESS);
    assert_st(RUN(&ann, fs_write(&ann.q, n, NULL, INT64_MAX, "z", 1, FS_UNSTABLE, &wcc)), ST_FBIG);
    wcc = (struct fs_wcc){0};
    assert_st(RUN(&ann, fs_commit(&ann.q, n, NULL, &wcc)), ST_OK);
    wcc_exact(&wcc, &before, &before);
    assert_st(RUN(&ann, fs_read(&ann.q, w.root, NULL, 0, buf, 1, &len, &eof, NULL)), ST_ISDIR);
    assert_st(RUN(&ann, fs_write(&ann.q, w.root, NULL, 0, buf, 1, FS_UNSTABLE, NULL)), ST_ISDIR);
    st_unref(n);
}

static void offloads_what_blocks(void **state)
{
    struct st_node *n = mk(&ann, w.root, "big", ST_REG, 0600);
    _cleanup_free_ char *mib = calloc(1, 1 << 20);
    ann.q.may_block = false;
    assert_st(fs_write(&ann.q, n, NULL, 0, mib, 1 << 20, FS_UNSTABLE, NULL), ST_OFFLOAD);
    assert_st(fs_write(&ann.q, n, NULL, 0, mib, 1, FS_DATA_SYNC, NULL), ST_OFFLOAD);
    assert_st(fs_commit(&ann.q, n, NULL, NULL), ST_OFFLOAD);
    enum st st;
    while ((st = fs_write(&ann.q, n, NULL, 0, mib, (1 << 20) - 1, FS_UNSTABLE, NULL)) == ST_AGAIN)
        ;
    assert_st(st, ST_OK);
    assert_st(RUN(&ann, fs_write(&ann.q, n, NULL, 4096, mib, 1 << 20, FS_UNSTABLE, NULL)), ST_OK);
    struct fs_setattr cut = {.set = ST_SET_SIZE};
    ann.q.may_block = false;
    assert_st(fs_setattr(&ann.q, n, NULL, &cut, NULL), ST_OFFLOAD);
    assert_st(RUN(&ann, fs_setattr(&ann.q, n, NULL, &cut, NULL)), ST_OK);
    assert_int_equal(attr_of(n).size, 0);
    st_unref(n);
}

static void writing_drops_set_ids(void **state)
{
    struct st_node *n = mk(&ann, w.root, "suid", ST_REG, 0666);
    struct fs_setattr mode = {.set = ST_SET_MODE, .a.mode = 06777};
    assert_st(RUN(&root, fs_setattr(&root.q, n, NULL, &mode, NULL)), ST_OK);
    assert_int_equal(attr_of(n).mode, 06777);
    put(&root, n, 0, "x");
    assert_int_equal(attr_of(n).mode, 06777);
    put(&bob, n, 0, "x");
    assert_int_equal(attr_of(n).mode, 0777);
    mode.a.mode = 06765; /* no group execution: mandatory locking's mark, not a right */
    assert_st(RUN(&root, fs_setattr(&root.q, n, NULL, &mode, NULL)), ST_OK);
    struct fs_setattr own = {.set = ST_SET_UID, .a.uid = 2000};
    assert_st(RUN(&root, fs_setattr(&root.q, n, NULL, &own, NULL)), ST_OK);
    assert_int_equal(attr_of(n).mode, 02765);
    assert_int_equal(attr_of(n).uid, 2000);
    st_unref(n);
}

static void setattr_permissions(void **state)
{
    static const struct {
        uint32_t uid, mode, set;
        struct st_attr a;
        enum st want;
    } cases[] = {
        {1000, 0600, ST_SET_MODE, {.mode = 0644}, ST_OK},
        {2000, 0666, ST_SET_MODE, {.mode = 0644}, ST_PERM},
        {0, 0600, ST_SET_MODE, {.mode = 0644}, ST_OK},
        {1000, 0600, ST_SET_UID, {.uid = 2000}, ST_PERM},
        {1000, 0600, ST_SET_UID, {.uid = 1000}, ST_OK},
        {2000, 0666, ST_SET_UID, {.uid = 1000}, ST_PERM},
        {0, 0600, ST_SET_UID | ST_SET_GID, {.uid = 5, .gid = 6}, ST_OK},
        {1000, 0600, ST_SET_GID, {.gid = 101}, ST_OK},
        {1000, 0600, ST_SET_GID, {.gid = 102}, ST_PERM},
        {2000, 0666, ST_SET_GID, {.gid = 200}, ST_PERM},
        {2000, 0666, ST_SET_MTIME_NOW, {0}, ST_OK},
        {2000, 0644, ST_SET_MTIME_NOW, {0}, ST_ACCESS},
        {1000, 0000, ST_SET_MTIME_NOW, {0}, ST_OK},
        {2000, 0666, ST_SET_MTIME, {.mtime = {1, 2}}, ST_PERM},
        {1000, 0400, ST_SET_MTIME | ST_SET_ATIME, {.mtime = {1, 2}, .atime = {3, 4}}, ST_OK},
        {2000, 0666, ST_SET_SIZE, {.size = 1}, ST_OK},
        {2000, 0644, ST_SET_SIZE, {.size = 1}, ST_ACCESS},
        {1000, 0400, ST_SET_SIZE, {.size = 1}, ST_OK},
        {1000, 0600, ST_SET_SIZE, {.size = 1ull << 63}, ST_FBIG},
    };
    ann.cred.ngroups = 1;
    ann.cred.groups[0] = 101;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct st_node *n = mk(&root, w.root, "s", ST_REG, 0600);
        struct fs_setattr prepare = {.set = ST_SET_UID | ST_SET_GID | ST_SET_MODE,
                                     .a = {.uid = 1000, .gid = 100, .mode = cases[i].mode}};
        assert_st(RUN(&root, fs_setattr(&root.q, n, NULL, &prepare, NULL)), ST_OK);
        struct caller *c = cases[i].uid == 1000 ? &ann : cases[i].uid ? &bob : &root;
        struct fs_setattr sa = {.set = cases[i].set, .a = cases[i].a};
        struct st_attr before = attr_of(n), after;
        struct fs_wcc wcc = {0};
        enum st st = RUN(c, fs_setattr(&c->q, n, NULL, &sa, &wcc));
        if (st != cases[i].want)
            print_error("case %zu\n", i);
        assert_st(st, cases[i].want);
        after = attr_of(n);
        wcc_exact(&wcc, &before, &after);
        if (st == ST_OK && sa.set & ST_SET_MTIME)
            TIMES_EQUAL(after.mtime, sa.a.mtime);
        assert_st(RUN(&root, fs_remove(&root.q, w.root, "s", 1, false, NULL)), ST_OK);
        st_unref(n);
    }
}

static void guards(void **state)
{
    struct st_node *n = mk(&ann, w.root, "g", ST_REG, 0600);
    struct fs_setattr sa = {.set = ST_SET_MODE, .a.mode = 0640, .guard = true, .guard_ctime = attr_of(n).ctime};
    usleep(20000); /* a tick of the clock that file systems stamp with */
    assert_st(RUN(&ann, fs_setattr(&ann.q, n, NULL, &sa, NULL)), ST_OK);
    assert_st(RUN(&ann, fs_setattr(&ann.q, n, NULL, &sa, NULL)), ST_NOTSYNC);
    st_unref(n);
}

static void links_and_removes(void **state)
{
    struct st_node *n = mk(&ann, w.root, "one", ST_REG, 0600), *d = mk(&ann, w.root, "d", ST_DIR, 0755), *m;
    struct st_attr before = attr_of(d), after, a;
    struct fs_wcc wcc = {0};
    assert_st(RUN(&ann, fs_link(&ann.q, n, NULL, d, "two", 3, false, &wcc, &a)), ST_OK);
    after = attr_of(d);
    wcc_exact(&wcc, &before, &after);
    assert_int_equal(a.nlink, 2);
    m = at(&ann, d, "two");
    assert_ptr_equal(m, n);
    st_unref(m);
    assert_st(RUN(&ann, fs_link(&ann.q, n, NULL, d, "two", 3, false, &wcc, &a)), ST_EXIST);
    wcc_exact(&wcc, &after, &after);
    assert_st(RUN(&ann, fs_link(&ann.q, d, NULL, w.root, "dd", 2, false, NULL, NULL)), ST_ISDIR);
    m = mk(&ann, d, "three", ST_REG, 0600);
    assert_st(RUN(&ann, fs_link(&ann.q, n, NULL, d, "three", 5, true, NULL, &a)), ST_OK);
    assert_int_equal(a.nlink, 3);
    assert_int_equal(attr_of(m).nlink, 0);
    st_unref(m);
    assert_st(RUN(&ann, fs_remove(&ann.q, d, "three", 5, false, NULL)), ST_OK);

    assert_st(RUN(&ann, fs_remove(&ann.q, w.root, "d", 1, false, NULL)), ST_ISDIR);
    assert_st(RUN(&ann, fs_remove(&ann.q, w.root, "one", 3, true, NULL)), ST_NOTDIR);
    assert_st(RUN(&ann, fs_remove(&ann.q, w.root, "d", 1, true, NULL)), ST_NOTEMPTY);
    assert_st(RUN(&ann, fs_remove(&ann.q, w.root, "none", 4, false, NULL)), ST_NOENT);
    assert_st(RUN(&ann, fs_remove(&ann.q, w.root, ".", 1, true, NULL)), ST_INVAL);
    assert_st(RUN(&ann, fs_remove(&ann.q, n, "x", 1, false, NULL)), ST_NOTDIR);
    before = attr_of(d);
    wcc = (struct fs_wcc){0};
    assert_st(RUN(&ann, fs_remove(&ann.q, d, "two", 3, false, &wcc)), ST_OK);
    after = attr_of(d);
    wcc_exact(&wcc, &before, &after);
    assert_st(RUN(&ann, fs_remove(&ann.q, w.root, "d", 1, true, NULL)), ST_OK);
    assert_null(at(&ann, w.root, "d"));
    put(&ann, n, 0, "kept");
    assert_st(RUN(&ann, fs_remove(&ann.q, w.root, "one", 3, false, NULL)), ST_OK);
    char buf[4];
    size_t len;
    bool eof;
    assert_st(RUN(&ann, fs_read(&ann.q, n, NULL, 0, buf, 4, &len, &eof, NULL)), ST_OK); /* an orphan has its bytes */
    assert_memory_equal(buf, "kept", 4);
    st_unref(d);
    st_unref(n);
}

struct seen {
    unsigned n, stop, attrs;
    uint64_t last;
    bool got[64];
};
static bool see(void *arg, const struct fs_dirent *e)
{
    struct seen *s = arg;
    unsigned i;
    if (s->stop && s->n == s->stop)
        return false;
    s->n++;
    s->last = e->cookie;
    s->attrs += e->attr && e->nfh && e->attr->ino == e->fileid;
    if (e->n == 3 && sscanf(e->name, "e%u", &i) == 1) {
        assert_false(s->got[i]);
        s->got[i] = true;
    }
    return true;
}

static void lists(void **state)
{
    struct st_node *d = mk(&ann, w.root, "list", ST_DIR, 0755);
    struct seen s = {0}, part = {0};
    bool end;
    for (unsigned i = 0; i < 40; i++) {
        char name[8];
        snprintf(name, sizeof name, "e%02u", i);
        st_unref(mk(&ann, d, name, i & 1 ? ST_REG : ST_DIR, 0700));
    }
    assert_st(RUN(&bob, fs_readdir(&bob.q, d, 0, true, see, &s, &end)), ST_OK);
    assert_true(end);
    assert_int_equal(s.n, 42);
    assert_int_equal(s.attrs, 42);
    for (end = false; !end;) { /* in pieces, while it changes */
        part.stop = part.n + 3;
        assert_st(RUN(&bob, fs_readdir(&bob.q, d, part.last, false, see, &part, &end)), ST_OK);
        st_unref(mk(&ann, d, "zz", ST_REG, 0600));
        assert_st(RUN(&ann, fs_remove(&ann.q, d, "zz", 2, false, NULL)), ST_OK);
    }
    for (unsigned i = 0; i < 40; i++)
        assert_true(part.got[i]);
    struct fs_setattr shut = {.set = ST_SET_MODE, .a.mode = 0711};
    assert_st(RUN(&ann, fs_setattr(&ann.q, d, NULL, &shut, NULL)), ST_OK);
    assert_st(RUN(&bob, fs_readdir(&bob.q, d, 0, false, see, &s, &end)), ST_ACCESS);
    struct st_node *n = at(&bob, d, "e01"), *up = at(&bob, d, ".."), *self = at(&bob, d, ".");
    assert_non_null(n);
    assert_ptr_equal(up, w.root);
    assert_ptr_equal(self, d);
    st_unref(n), st_unref(up), st_unref(self);
    up = at(&bob, w.root, "..");
    assert_ptr_equal(up, w.root);
    st_unref(up);
    st_unref(d);
}

static void small_ones(void **state)
{
    struct st_node *l = mk(&ann, w.root, "sl", ST_LNK, 0777);
    char *target;
    size_t n;
    assert_st(RUN(&bob, fs_readlink(&bob.q, l, &target, &n)), ST_OK);
    assert_string_equal(target, "t");
    assert_st(RUN(&bob, fs_readlink(&bob.q, w.root, &target, &n)), ST_INVAL);
    struct st_fsinfo info;
    assert_st(RUN(&bob, fs_statfs(&bob.q, l, &info)), ST_OK);
    struct st_attr a;
    assert_st(RUN(&bob, fs_getattr(&bob.q, l, &a)), ST_OK);
    assert_int_equal(a.type, ST_LNK);
    struct co_policy p;
    co_policy_default(&p);
    p.attr_lazy = true;
    fs_set_policy(w.fs, &p);
    assert_st(RUN(&bob, fs_getattr(&bob.q, l, &a)), ST_OK);
    st_unref(l);
}

static void read_only(void **state)
{
    struct st_node *n = mk(&ann, w.root, "ro", ST_REG, 0666), *m = NULL;
    struct fs_setattr sa = {.set = ST_SET_MODE, .a.mode = 0600};
    struct fs_make k = {.a.type = ST_REG};
    struct fs_rename r = {.sdir = w.root, .sname = "ro", .sn = 2, .ddir = w.root, .dname = "q", .dn = 1};
    uint32_t got;
    root.q.read_only = true;
    assert_st(RUN(&root, fs_write(&root.q, n, NULL, 0, "x", 1, FS_UNSTABLE, NULL)), ST_ROFS);
    assert_st(RUN(&root, fs_setattr(&root.q, n, NULL, &sa, NULL)), ST_ROFS);
    assert_st(RUN(&root, fs_make(&root.q, w.root, "new", 3, &k, &m, NULL, NULL)), ST_ROFS);
    assert_st(RUN(&root, fs_remove(&root.q, w.root, "ro", 2, false, NULL)), ST_ROFS);
    assert_st(RUN(&root, fs_rename(&root.q, &r)), ST_ROFS);
    assert_st(RUN(&root, fs_link(&root.q, n, NULL, w.root, "l", 1, false, NULL, NULL)), ST_ROFS);
    assert_st(RUN(&root, fs_access(&root.q, n, FS_READ_DATA | FS_WRITE_DATA, &got)), ST_OK);
    assert_int_equal(got, FS_READ_DATA);
    st_unref(n);
}

#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(makes), BOTH(makes_by_group), BOTH(creates_exclusively), BOTH(creates_unchecked), BOTH(reads_and_writes),
        BOTH(offloads_what_blocks), BOTH(writing_drops_set_ids), BOTH(setattr_permissions), BOTH(guards),
        BOTH(links_and_removes), BOTH(lists), BOTH(small_ones), BOTH(read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
