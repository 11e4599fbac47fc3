/* test_rename.c - what may be renamed onto what, by whom, and what directories look like afterwards. */
#include "opens.h"

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

static enum st mv(struct caller *c, struct st_node *sdir, const char *s, struct st_node *ddir, const char *d)
{
    struct fs_wcc swcc = {0}, dwcc = {0};
    struct st_attr sb = attr_of(sdir), db = attr_of(ddir);
    struct fs_rename r = {.sdir = sdir, .sname = s, .sn = strlen(s), .ddir = ddir, .dname = d, .dn = strlen(d),
                          .replace = true, .swcc = &swcc, .dwcc = &dwcc};
    enum st st = RUN(c, fs_rename(&c->q, &r));
    struct st_attr sa = attr_of(sdir), da = attr_of(ddir);
    assert_true(swcc.has_pre && swcc.has_post && dwcc.has_pre && dwcc.has_post);
    assert_true(timespec_same(&swcc.pre_ctime, &sb.ctime) && timespec_same(&swcc.post.ctime, &sa.ctime));
    assert_true(timespec_same(&dwcc.pre_ctime, &db.ctime) && timespec_same(&dwcc.post.ctime, &da.ctime));
    assert_int_equal(swcc.post.nlink, sa.nlink);
    assert_int_equal(dwcc.post.nlink, da.nlink);
    return st;
}

/* f: file, e: empty directory, d: directory with an entry, l: symbolic link, -: nothing */
static struct st_node *thing(char kind, struct st_node *dir, const char *name)
{
    struct st_node *n;
    if (kind == '-')
        return NULL;
    n = mk(&ann, dir, name, kind == 'f' ? ST_REG : kind == 'l' ? ST_LNK : ST_DIR, 0755);
    if (kind == 'd')
        st_unref(mk(&ann, n, "inside", ST_REG, 0600));
    return n;
}

static void matrix(void **state)
{
    static const struct {
        char from, to;
        enum st want;
    } cases[] = {
        {'f', '-', ST_OK},       {'f', 'f', ST_OK},    {'f', 'l', ST_OK},    {'f', 'e', ST_ISDIR}, {'f', 'd', ST_ISDIR},
        {'l', '-', ST_OK},       {'l', 'f', ST_OK},    {'l', 'e', ST_ISDIR}, {'e', '-', ST_OK},
        {'e', 'f', ST_NOTDIR},
        {'e', 'l', ST_NOTDIR},   {'e', 'e', ST_OK},    {'e', 'd', ST_NOTEMPTY}, {'d', '-', ST_OK}, {'d', 'e', ST_OK},
        {'d', 'd', ST_NOTEMPTY}, {'-', 'f', ST_NOENT}, {'-', '-', ST_NOENT},
    };
    for (int across = 0; across < 2; across++) {
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct st_node *a = mk(&ann, w.root, "a", ST_DIR, 0755), *b;
            b = across ? mk(&ann, w.root, "b", ST_DIR, 0755) : st_ref(a);
            struct st_node *from = thing(cases[i].from, a, "from"), *to = thing(cases[i].to, b, "to"), *now, *old;
            enum st st = mv(&ann, a, "from", b, "to");
            if (st != cases[i].want)
                print_error("%c onto %c\n", cases[i].from, cases[i].to);
            assert_st(st, cases[i].want);
            now = at(&ann, b, "to");
            old = at(&ann, a, "from");
            assert_ptr_equal(now, st == ST_OK ? from : to);
            assert_ptr_equal(old, st == ST_OK ? NULL : from);
            st_unref(from), st_unref(to), st_unref(now), st_unref(old);
            char aside[16] = "aside-a00";
            aside[6] = (char)('a' + i), aside[7] = (char)('0' + across);
            assert_st(mv(&ann, w.root, "a", w.root, aside), ST_OK);
            aside[8] = 'b';
            if (across)
                assert_st(mv(&ann, w.root, "b", w.root, aside), ST_OK);
            st_unref(a), st_unref(b);
        }
    }
}

static void same_object(void **state)
{
    struct st_node *n = mk(&ann, w.root, "x", ST_REG, 0600), *m;
    assert_st(mv(&ann, w.root, "x", w.root, "x"), ST_OK);
    assert_st(RUN(&ann, fs_link(&ann.q, n, NULL, w.root, "y", 1, false, NULL, NULL)), ST_OK);
    assert_st(mv(&ann, w.root, "x", w.root, "y"), ST_OK); /* rename(2): two names of one file both stay */
    m = at(&ann, w.root, "x");
    assert_ptr_equal(m, n);
    st_unref(m);
    struct fs_rename r = {.sdir = w.root, .sname = "x", .sn = 1, .ddir = w.root, .dname = "z", .dn = 1};
    st_unref(mk(&ann, w.root, "z", ST_REG, 0600));
    assert_st(RUN(&ann, fs_rename(&ann.q, &r)), ST_EXIST); /* without replace */
    r.dname = "..";
    r.dn = 2;
    assert_st(RUN(&ann, fs_rename(&ann.q, &r)), ST_INVAL);
    st_unref(n);
}

static void no_cycles(void **state)
{
    struct st_node *a = mk(&ann, w.root, "a", ST_DIR, 0755), *b = mk(&ann, a, "b", ST_DIR, 0755),
                   *c = mk(&ann, b, "c", ST_DIR, 0755);
    assert_st(mv(&ann, w.root, "a", a, "self"), ST_INVAL);
    assert_st(mv(&ann, w.root, "a", c, "deep"), ST_INVAL);
    assert_st(mv(&ann, a, "b", w.root, "up"), ST_OK);
    struct st_node *up = at(&ann, b, "..");
    assert_ptr_equal(up, w.root);
    assert_st(mv(&ann, w.root, "a", c, "now"), ST_OK);
    st_unref(up), st_unref(a), st_unref(b), st_unref(c);
}

static void permissions(void **state)
{
    struct st_node *mine = mk(&ann, w.root, "mine", ST_DIR, 0755), *tmp = mk(&ann, w.root, "tmp", ST_DIR, 0777), *d;
    struct fs_setattr sticky = {.set = ST_SET_MODE, .a.mode = 01777};
    assert_st(RUN(&root, fs_setattr(&root.q, tmp, NULL, &sticky, NULL)), ST_OK);
    st_unref(mk(&ann, mine, "f", ST_REG, 0666));
    st_unref(mk(&ann, tmp, "f", ST_REG, 0666));
    st_unref(mk(&bob, tmp, "b", ST_REG, 0666));
    assert_st(mv(&bob, mine, "f", w.root, "f"), ST_ACCESS);
    assert_st(mv(&bob, w.root, "mine", w.root, "yours"), ST_OK); /* the directory that holds the name decides */
    assert_st(mv(&bob, w.root, "yours", tmp, "yours"), ST_ACCESS); /* but ".." is the directory's own */
    assert_st(mv(&ann, w.root, "yours", w.root, "mine"), ST_OK);
    assert_st(mv(&bob, tmp, "f", w.root, "f"), ST_PERM);
    assert_st(mv(&bob, tmp, "b", tmp, "f"), ST_PERM);
    assert_st(mv(&bob, tmp, "b", tmp, "c"), ST_OK);
    assert_st(RUN(&bob, fs_remove(&bob.q, tmp, "f", 1, false, NULL)), ST_PERM);
    assert_st(mv(&ann, tmp, "c", tmp, "f"), ST_OK); /* of her own directory */
    d = mk(&ann, mine, "d", ST_DIR, 0555);
    assert_st(mv(&ann, mine, "d", mine, "e"), ST_OK);
    st_unref(d), st_unref(mine), st_unref(tmp);
}

/* [MS-FSA] 2.1.4.2: a directory moves, through an open, when whoever cached handles of its files has closed them. */
static struct smb mover, holder;

static struct fs_open *below(const char *path, uint8_t key, uint8_t lease)
{
    struct fs_open_args a = args(&w, path, RW, FS_OPEN_IF);
    struct fs_open_result r;
    a.lease_kind = CO_LEASE;
    a.lease_want = lease;
    memset(holder.c.party.lease, key, 16);
    assert_st(open_args(&holder, &a, &r), ST_OK);
    assert_int_equal(r.lease, lease);
    return r.open;
}

static enum st move_to(struct fs_open *o, const char *name)
{
    struct fs_rename r = {.o = o, .ddir = w.root, .dname = name, .dn = strlen(name)};
    enum st st = RUN(&mover.c, fs_rename(&mover.c.q, &r));
    if (st != ST_AGAIN)
        fs_cancel(&mover.c.q); /* as front ends do when a request that waited is done */
    return st;
}

static enum st give_up(struct fs_open *o)
{
    struct co_key key = fs_open_key(o);
    return fs_lease_ack(w.fs, &key, &o->party, CO_LEASE, CO_R);
}

/* Onto its own name: nothing changes, but whoever keeps a handle is asked all the same; by name nobody is. */
static void own_name(void **state)
{
    smb_init(&mover, &w, 0, 1);
    smb_init(&holder, &w, 0, 2);
    struct fs_open *kept = below("f", 1, CO_R | CO_H), *o = must_open(&mover, "f", FS_DELETE, FS_OPEN);
    assert_st(mv(&ann, w.root, "f", w.root, "f"), ST_OK);
    assert_st(give_up(kept), ST_NO_BREAK);
    assert_st(move_to(o, "f"), ST_AGAIN);
    assert_st(give_up(kept), ST_OK);
    assert_st(move_to(o, "f"), ST_OK);
    close_open(&holder, kept);
    close_open(&mover, o);
    smb_done(&mover), smb_done(&holder);
}

static void open_below(void **state)
{
    smb_init(&mover, &w, 0, 1);
    smb_init(&holder, &w, 0, 2);
    struct fs_open *d = NULL, *one, *two, *late;
    assert_st(try_open(&mover, "d", FS_DELETE, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE, &d), ST_OK);
    one = below("d/one", 1, CO_R | CO_H);
    two = below("d/two", 2, CO_R | CO_H);
    /* One after the other, the oldest first; who is not asked has nothing to acknowledge. */
    assert_st(move_to(d, "e"), ST_AGAIN);
    assert_st(give_up(two), ST_NO_BREAK);
    close_open(&holder, one);
    assert_st(move_to(d, "e"), ST_AGAIN);
    close_open(&holder, two);
    assert_st(move_to(d, "e"), ST_OK);
    /* Given up, but still open. */
    one = below("e/one", 1, CO_R | CO_H);
    two = below("e/two", 2, CO_R | CO_H);
    assert_st(move_to(d, "d"), ST_AGAIN);
    assert_st(give_up(one), ST_OK);
    assert_st(move_to(d, "d"), ST_ACCESS);
    assert_st(give_up(two), ST_NO_BREAK);
    close_open(&holder, one);
    /* Opened while it waits: in the way, and not asked. */
    assert_st(move_to(d, "d"), ST_AGAIN);
    late = below("e/late", 3, CO_R | CO_H);
    close_open(&holder, two);
    assert_st(move_to(d, "d"), ST_ACCESS);
    assert_st(give_up(late), ST_NO_BREAK);
    close_open(&holder, late);
    /* Nothing cached: refused at once. One who is away does not come back to it. */
    one = below("e/one", 1, CO_R);
    assert_st(move_to(d, "d"), ST_ACCESS);
    close_open(&holder, one);
    one = below("e/one", 1, CO_R | CO_H);
    assert_true(fs_open_disconnected(one, true, false));
    assert_st(move_to(d, "d"), ST_OK);
    assert_false(fs_open_disconnected(one, false, false));
    close_open(&holder, one);
    close_open(&mover, d);
    smb_done(&mover), smb_done(&holder);
}

#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(matrix), BOTH(same_object), BOTH(no_cycles), BOTH(permissions),
                                       BOTH(own_name), BOTH(open_below)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
