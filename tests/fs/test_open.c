/* test_open.c - opening, making, replacing, deleting files through opens; share modes; names without case. */
#include "opens.h"
#include <stdio.h>

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

static void dispositions(void **state)
{
    static const struct {
        enum fs_disposition d;
        enum st missing, existing;
        enum fs_action made, opened;
    } t[] = {
        {FS_SUPERSEDE, ST_OK, ST_OK, FS_CREATED, FS_SUPERSEDED},
        {FS_OPEN, ST_NOENT, ST_OK, 0, FS_OPENED},
        {FS_CREATE, ST_OK, ST_EXIST, FS_CREATED, 0},
        {FS_OPEN_IF, ST_OK, ST_OK, FS_CREATED, FS_OPENED},
        {FS_OVERWRITE, ST_NOENT, ST_OK, 0, FS_OVERWRITTEN},
        {FS_OVERWRITE_IF, ST_OK, ST_OK, FS_CREATED, FS_OVERWRITTEN},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        char name[16], old[16];
        struct fs_open_result r;
        snprintf(name, sizeof name, "new%zu", i);
        snprintf(old, sizeof old, "old%zu", i);
        struct fs_open_args x = args(&w, name, RW, t[i].d);
        assert_st(open_args(&a, &x, &r), t[i].missing);
        if (r.open) {
            assert_int_equal(r.action, t[i].made);
            assert_int_equal(r.attr.dos, FS_DOS_ARCHIVE);
            assert_int_equal(r.attr.st.mode, 0644);
            close_open(&a, r.open);
        }
        struct fs_open *o = must_open(&a, old, RW, FS_CREATE);
        assert_st(RUN(&a.c, fs_write(&a.c.q, o->node, o, 0, "hello", 5, FS_UNSTABLE, NULL)), ST_OK);
        close_open(&a, o);
        x = args(&w, old, RW, t[i].d);
        assert_st(open_args(&a, &x, &r), t[i].existing);
        if (r.open) {
            assert_int_equal(r.action, t[i].opened);
            assert_int_equal(r.attr.st.size, r.action == FS_OPENED ? 5 : 0);
            close_open(&a, r.open);
        }
    }
    struct co_stats s;
    co_stats(w.fs->co, &s);
    assert_int_equal(s.shares, 0);
}

static void types_and_arguments(void **state)
{
    assert_st(touch(&a, "dir", RW, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE), ST_OK);
    assert_st(touch(&a, "file", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(touch(&a, "dir", RW, SHARE_ALL, FS_OPEN, FS_NON_DIRECTORY_FILE), ST_ISDIR);
    assert_st(touch(&a, "file", RW, SHARE_ALL, FS_OPEN, FS_DIRECTORY_FILE), ST_NOTDIR);
    assert_st(touch(&a, "dir", RW, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE), ST_EXIST);
    assert_st(touch(&a, "dir", RW, SHARE_ALL, FS_OVERWRITE, 0), ST_EXIST);
    assert_st(touch(&a, "dir", RW, SHARE_ALL, FS_OPEN_IF, FS_DIRECTORY_FILE | FS_NON_DIRECTORY_FILE), ST_INVAL);
    assert_st(touch(&a, "dir", RW, SHARE_ALL, FS_OVERWRITE_IF, FS_DIRECTORY_FILE), ST_INVAL);
    assert_st(touch(&a, "none/file", RW, SHARE_ALL, FS_CREATE, 0), ST_NOPATH);
    assert_st(touch(&a, "file/file", RW, SHARE_ALL, FS_CREATE, 0), ST_NOPATH);
    assert_st(touch(&a, "file", 0, SHARE_ALL, FS_OPEN, 0), ST_ACCESS);
    assert_st(touch(&a, "file", RW, 0x10, FS_OPEN, 0), ST_INVAL);
    assert_st(touch(&a, "file", RW, SHARE_ALL, FS_OPEN, FS_DELETE_ON_CLOSE), ST_INVAL);
    assert_st(touch(&a, "", RW, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&a, "", FS_GENERIC_ALL, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE), ST_EXIST);
    char longer[300];
    memset(longer, 'x', sizeof longer);
    longer[256] = 0;
    assert_st(touch(&a, longer, RW, SHARE_ALL, FS_CREATE, 0), ST_NAMETOOLONG);
}

static void without_case(void **state)
{
    assert_st(touch(&a, "Docs", RW, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE), ST_OK);
    assert_st(touch(&a, "DOCS/ReadMe.TXT", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(touch(&a, "docs/readme.txt", RW, SHARE_ALL, FS_CREATE, 0), ST_EXIST);
    struct fs_open *o = must_open(&a, "docs/README.txt", RW, FS_OPEN);
    char *path;
    assert_st(fs_open_path(&a.c.q, o, &path), ST_OK);
    assert_string_equal(path, "Docs/ReadMe.TXT");
    /* Made from elsewhere: seen, too. */
    struct st_node *docs = at(&a.c, w.root, "Docs");
    struct caller nfs;
    caller_init(&nfs, &w, 0, 0);
    st_unref(mk(&nfs, docs, "Other", ST_REG, 0644));
    assert_st(touch(&a, "DOCS/OTHER", RW, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(RUN(&nfs, fs_remove(&nfs.q, docs, "Other", 5, false, NULL)), ST_OK);
    assert_st(touch(&a, "DOCS/OTHER", RW, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    /* A rename that changes the case only. */
    struct st_node *dir = NULL;
    char *name;
    size_t n;
    close_open(&a, o);
    o = must_open(&a, "docs/README.txt", RW | FS_DELETE, FS_OPEN);
    a.c.q.party = &o->party;
    assert_st(RUN(&a.c, fs_resolve_parent(&a.c.q, w.root, "DOCS/readme.TXT", 15, &dir, &name, &n)), ST_OK);
    assert_string_equal(name, "readme.TXT");
    struct fs_rename r = {.o = o, .ddir = dir, .dname = name, .dn = n};
    assert_st(RUN(&a.c, fs_rename(&a.c.q, &r)), ST_OK);
    assert_st(fs_open_path(&a.c.q, o, &path), ST_OK);
    assert_string_equal(path, "Docs/readme.TXT");
    close_open(&a, o);
    assert_st(touch(&a, "docs/README.txt", RW, SHARE_ALL, FS_OPEN, 0), ST_OK);
    st_unref(dir);
    st_unref(docs);
    caller_done(&nfs);
}

static void many_names(void **state)
{
    char name[32];
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "File-%u.Txt", i);
        assert_st(touch(&a, name, RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    }
    for (unsigned i = 0; i < 2000; i += 7) {
        snprintf(name, sizeof name, "FILE-%u.TXT", i);
        assert_st(touch(&a, name, RW, SHARE_ALL, FS_CREATE, 0), ST_EXIST);
    }
}

static void share_modes(void **state)
{
    struct fs_open *o = NULL, *p = NULL;
    assert_st(try_open(&a, "f", FS_READ_DATA, FS_SHARE_READ, FS_CREATE, 0, &o), ST_OK);
    assert_st(try_open(&b, "f", FS_WRITE_DATA, SHARE_ALL, FS_OPEN, 0, &p), ST_SHARE_CONFLICT);
    assert_st(try_open(&b, "f", FS_READ_DATA, FS_SHARE_WRITE, FS_OPEN, 0, &p), ST_SHARE_CONFLICT);
    assert_st(try_open(&b, "f", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0, &p), ST_OK);
    close_open(&b, p);
    assert_st(touch(&b, "f", FS_READ_ATTRIBUTES | FS_SYNCHRONIZE, 0, FS_OPEN, 0), ST_OK);
    assert_st(touch(&b, "f", FS_READ_ATTRIBUTES, 0, FS_OVERWRITE, 0), ST_SHARE_CONFLICT);
    assert_st(touch(&b, "f", FS_DELETE, SHARE_ALL, FS_OPEN, 0), ST_SHARE_CONFLICT);
    close_open(&a, o);
    assert_st(touch(&b, "f", FS_WRITE_DATA, 0, FS_OPEN, 0), ST_OK);
}

static void attributes(void **state)
{
    struct fs_open_args x = args(&w, "ro", RW, FS_CREATE);
    struct fs_open_result r;
    x.dos = FS_DOS_READONLY | FS_DOS_HIDDEN;
    assert_st(open_args(&a, &x, &r), ST_OK); /* writable through the open that made it */
    assert_int_equal(r.attr.dos, FS_DOS_READONLY | FS_DOS_HIDDEN | FS_DOS_ARCHIVE);
    close_open(&a, r.open);
    assert_st(touch(&a, "ro", FS_WRITE_DATA, SHARE_ALL, FS_OPEN, 0), ST_ACCESS);
    assert_st(touch(&a, "ro", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&a, "ro", FS_DELETE, SHARE_ALL, FS_OPEN, FS_DELETE_ON_CLOSE), ST_CANNOT_DELETE);
    struct fs_open *o = must_open(&a, "ro", FS_DELETE, FS_OPEN);
    assert_st(RUN(&a.c, fs_set_delete(&a.c.q, o, true, false)), ST_CANNOT_DELETE);
    close_open(&a, o);
    x = args(&w, "hid", RW, FS_CREATE);
    x.dos = FS_DOS_HIDDEN;
    assert_st(open_args(&a, &x, &r), ST_OK);
    close_open(&a, r.open);
    assert_st(touch(&a, "hid", RW, SHARE_ALL, FS_OVERWRITE_IF, 0), ST_ACCESS);
    x.disposition = FS_OVERWRITE_IF;
    x.dos = FS_DOS_HIDDEN | FS_DOS_SYSTEM;
    assert_st(open_args(&a, &x, &r), ST_OK);
    assert_int_equal(r.attr.dos, FS_DOS_HIDDEN | FS_DOS_SYSTEM | FS_DOS_ARCHIVE);
    struct fs_setattr sa = {.set = FS_SET_DOS | FS_SET_CREATE, .dos = FS_DOS_NORMAL,
                            .create = {.tv_sec = 1000, .tv_nsec = 100}};
    assert_st(RUN(&a.c, fs_setattr(&a.c.q, r.open->node, r.open, &sa, NULL)), ST_OK);
    struct fs_attr at_;
    assert_st(fs_open_attr(&a.c.q, r.open, &at_), ST_OK);
    assert_int_equal(at_.dos, FS_DOS_NORMAL);
    assert_int_equal(at_.create.tv_sec, 1000);
    close_open(&a, r.open);
}

static void delete_on_close(void **state)
{
    struct fs_open *o = NULL, *p = NULL, *d = NULL;
    assert_st(try_open(&a, "doc", FS_DELETE | FS_READ_DATA, SHARE_ALL, FS_CREATE, FS_DELETE_ON_CLOSE, &o), ST_OK);
    p = must_open(&b, "doc", FS_READ_DATA, FS_OPEN);
    assert_false(fs_is_delete_pending(p));
    close_open(&a, o);
    assert_true(fs_is_delete_pending(p));
    assert_st(touch(&a, "doc", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_DELETE_PENDING);
    assert_st(touch(&a, "doc", FS_READ_DATA, SHARE_ALL, FS_CREATE, 0), ST_DELETE_PENDING);
    close_open(&b, p);
    assert_st(touch(&a, "doc", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    /* Disposition set and taken back. */
    o = must_open(&a, "f", FS_DELETE, FS_CREATE);
    assert_st(RUN(&a.c, fs_set_delete(&a.c.q, o, true, false)), ST_OK);
    assert_true(fs_is_delete_pending(o));
    assert_st(RUN(&a.c, fs_set_delete(&a.c.q, o, false, false)), ST_OK);
    close_open(&a, o);
    assert_st(touch(&a, "f", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    o = must_open(&a, "f", FS_READ_DATA, FS_OPEN);
    assert_st(RUN(&a.c, fs_set_delete(&a.c.q, o, true, false)), ST_ACCESS);
    close_open(&a, o);
    /* Directories. */
    assert_st(try_open(&a, "d", FS_DELETE | FS_LIST, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE, &d), ST_OK);
    assert_st(touch(&a, "d/x", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(RUN(&a.c, fs_set_delete(&a.c.q, d, true, false)), ST_NOTEMPTY);
    assert_st(touch(&a, "d/x", FS_DELETE, SHARE_ALL, FS_OPEN, FS_DELETE_ON_CLOSE), ST_OK);
    assert_st(RUN(&a.c, fs_set_delete(&a.c.q, d, true, false)), ST_OK);
    assert_st(touch(&a, "d/x", RW, SHARE_ALL, FS_CREATE, 0), ST_DELETE_PENDING);
    close_open(&a, d);
    assert_st(touch(&a, "d", FS_LIST, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    /* POSIX: the name goes with this open, others keep the file. */
    o = must_open(&a, "px", FS_DELETE, FS_CREATE);
    p = must_open(&b, "px", FS_READ_DATA, FS_OPEN);
    assert_st(RUN(&a.c, fs_set_delete(&a.c.q, o, true, true)), ST_OK);
    close_open(&a, o);
    assert_null(at(&a.c, w.root, "px"));
    close_open(&b, p);
    /* Renamed, then deleted: the new name goes; a new file of the old name stays. */
    o = must_open(&a, "r1", FS_DELETE, FS_CREATE);
    struct fs_rename r = {.o = o, .ddir = w.root, .dname = "r2", .dn = 2};
    assert_st(RUN(&a.c, fs_rename(&a.c.q, &r)), ST_OK);
    assert_st(touch(&b, "r1", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(RUN(&a.c, fs_set_delete(&a.c.q, o, true, false)), ST_OK);
    close_open(&a, o);
    assert_st(touch(&b, "r1", RW, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&b, "r2", RW, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    struct co_stats s;
    co_stats(w.fs->co, &s);
    assert_int_equal(s.files, 0);
}

static void set_strict(bool strict)
{
    struct co_policy p;
    co_policy_default(&p);
    p.dir_rename_strict = strict;
    fs_set_policy(w.fs, &p);
}

/* By name: a directory moves under the files that are open in it, or stays. */
static void strict_rename(void **state)
{
    struct caller nfs;
    caller_init(&nfs, &w, 0, 0);
    st_unref(mk(&nfs, w.root, "sd", ST_DIR, 0777));
    struct fs_open *o = must_open(&a, "sd/f", RW, FS_CREATE);
    struct fs_rename r = {.sdir = w.root, .sname = "sd", .sn = 2, .ddir = w.root, .dname = "se", .dn = 2};
    struct fs_rename back = {.sdir = w.root, .sname = "se", .sn = 2, .ddir = w.root, .dname = "sd", .dn = 2};
    set_strict(true);
    assert_st(RUN(&nfs, fs_rename(&nfs.q, &r)), ST_ACCESS);
    set_strict(false);
    assert_st(RUN(&nfs, fs_rename(&nfs.q, &r)), ST_OK);
    set_strict(true);
    assert_st(RUN(&nfs, fs_rename(&nfs.q, &back)), ST_ACCESS);
    close_open(&a, o);
    assert_st(RUN(&nfs, fs_rename(&nfs.q, &back)), ST_OK);
    set_strict(false);
    caller_done(&nfs);
}

/* Removed by name while it is open: whatever was open goes on, or has no data any more. */
static void orphans(void **state)
{
    struct co_policy p;
    struct fs_range range = {.first = 0, .last = 9, .exclusive = true};
    struct fs_setattr shrink = {.set = ST_SET_SIZE};
    struct caller nfs;
    char buf[4];
    size_t n;
    caller_init(&nfs, &w, 0, 0);
    co_policy_default(&p);
    for (int i = 0; i < 3; i++) { /* keep, error with another name left, error */
        enum st want = i == 2 ? ST_STALE : ST_OK;
        struct fs_open *o = must_open(&a, "orphan", RW, FS_CREATE);
        p.orphan_error = i > 0;
        fs_set_policy(w.fs, &p);
        if (i == 1)
            assert_st(RUN(&nfs, fs_link(&nfs.q, o->node, NULL, w.root, "second", 6, false, NULL, NULL)), ST_OK);
        assert_st(RUN(&a.c, fs_write(&a.c.q, o->node, o, 0, "data", 4, FS_UNSTABLE, NULL)), ST_OK);
        assert_st(RUN(&nfs, fs_remove(&nfs.q, w.root, "orphan", 6, false, NULL)), ST_OK);
        assert_st(RUN(&a.c, fs_read(&a.c.q, o->node, o, 0, buf, 4, &n, NULL, NULL)), want);
        assert_st(RUN(&a.c, fs_write(&a.c.q, o->node, o, 0, "data", 4, FS_UNSTABLE, NULL)), want);
        assert_st(RUN(&a.c, fs_lock(&a.c.q, o->node, o, &range, 1, false, false)), want);
        assert_st(RUN(&a.c, fs_setattr(&a.c.q, o->node, o, &shrink, NULL)), want);
        assert_st(RUN(&a.c, fs_commit(&a.c.q, o->node, o, NULL)), want);
        close_open(&a, o);
    }
    co_policy_default(&p);
    fs_set_policy(w.fs, &p);
    caller_done(&nfs);
}

static void rights(void **state)
{
    struct smb u;
    smb_init(&u, &w, 1234, 3);
    struct caller root;
    caller_init(&root, &w, 0, 0);
    st_unref(mk(&root, w.root, "private", ST_REG, 0600));
    st_unref(mk(&root, w.root, "public", ST_REG, 0644));
    assert_st(touch(&u, "private", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_ACCESS);
    assert_st(touch(&u, "public", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&u, "public", FS_WRITE_DATA, SHARE_ALL, FS_OPEN, 0), ST_ACCESS);
    struct fs_open_args x = args(&w, "public", FS_MAXIMUM_ALLOWED, FS_OPEN);
    struct fs_open_result r;
    assert_st(open_args(&u, &x, &r), ST_OK);
    assert_true(r.open->access & FS_READ_DATA);
    assert_false(r.open->access & FS_WRITE_DATA);
    assert_int_equal(r.open->access, r.maximal_access);
    close_open(&u, r.open);
    u.c.q.read_only = true;
    assert_st(touch(&u, "new", FS_WRITE_DATA, SHARE_ALL, FS_CREATE, 0), ST_ROFS);
    u.c.q.read_only = false;
    /* By id, while it is open. */
    struct fs_open *o = must_open(&a, "public", FS_READ_DATA, FS_OPEN);
    x = args(&w, "", FS_READ_DATA, FS_OPEN);
    x.options = FS_OPEN_BY_FILE_ID;
    x.file_id = o->node->id.ino;
    assert_st(open_args(&b, &x, &r), ST_OK);
    assert_ptr_equal(r.open->node, o->node);
    close_open(&b, r.open);
    x.file_id ^= 0x123456789;
    assert_st(open_args(&b, &x, &r), ST_NOENT);
    close_open(&a, o);
    caller_done(&root);
    smb_done(&u);
}

static void links(void **state)
{
    struct caller c;
    caller_init(&c, &w, 0, 0);
    struct st_node *d = mk(&c, w.root, "D", ST_DIR, 0755), *n = NULL;
    st_unref(mk(&c, d, "target", ST_REG, 0644));
    struct {
        const char *name, *to;
    } l[] = {{"ln", "d/TARGET"}, {"dl", "d"}, {"loop", "loop"}, {"out", "../../../etc/passwd"}, {"abs", "/etc/passwd"},
             {"updown", "D/../d/target"}};
    for (size_t i = 0; i < ARRAY_LEN(l); i++) {
        struct fs_make m = {.a = {.type = ST_LNK, .mode = 0777}, .target = l[i].to, .how = FS_CREATE_GUARDED};
        struct st_attr at_;
        assert_st(RUN(&c, fs_make(&c.q, w.root, l[i].name, strlen(l[i].name), &m, &n, &at_, NULL)), ST_OK);
        st_unref(n);
    }
    assert_st(touch(&a, "ln", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_SYMLINK);
    assert_st(touch(&a, "dl/target", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_SYMLINK);
    struct fs_open *o;
    assert_st(try_open(&a, "ln", FS_READ_ATTRIBUTES, SHARE_ALL, FS_OPEN, FS_OPEN_REPARSE_POINT, &o), ST_OK);
    assert_int_equal(o->node->type, ST_LNK);
    close_open(&a, o);
    struct fs_share_config *cfg = &w.share->cfg; /* the share follows from now on */
    cfg->follow_symlinks = true;
    assert_st(touch(&a, "LN", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&a, "dl/TARGET", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&a, "updown", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&a, "loop", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_LOOP);
    assert_st(touch(&a, "abs", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    assert_st(touch(&a, "out", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_NOPATH);
    cfg->follow_symlinks = false;
    st_unref(d);
    caller_done(&c);
}

static void leases(void **state)
{
    struct fs_open_args x = args(&w, "l", FS_READ_DATA | FS_WRITE_DATA, FS_CREATE);
    struct fs_open_result r;
    x.lease_kind = CO_LEASE;
    x.lease_want = CO_R | CO_W | CO_H;
    memset(a.c.party.lease, 7, 16);
    assert_st(open_args(&a, &x, &r), ST_OK);
    assert_int_equal(r.lease, CO_R | CO_W | CO_H);
    /* A reader makes it give up W; it is asked, so the reader waits. */
    struct fs_open *o = r.open;
    struct fs_open_args y = args(&w, "l", FS_READ_DATA, FS_OPEN);
    b.c.party.open = ++b.next;
    struct fs_open_result s;
    enum st st;
    for (int i = 0; i < 3; i++)
        assert_st(fs_open(&b.c.q, &y, &s), ST_AGAIN);
    struct co_key key = fs_open_key(o);
    assert_st(fs_lease_ack(w.fs, &key, &o->party, CO_LEASE, CO_R | CO_H), ST_OK);
    while ((st = fs_open(&b.c.q, &y, &s)) == ST_AGAIN && b.c.q.injected)
        ;
    assert_st(st, ST_OK);
    close_open(&b, s.open);
    close_open(&a, o);
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {
        BOTH(dispositions), BOTH(types_and_arguments), BOTH(without_case), BOTH(many_names),
        BOTH(strict_rename), BOTH(orphans), BOTH(share_modes),
        BOTH(attributes), BOTH(delete_on_close), BOTH(rights), BOTH(links), BOTH(leases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
