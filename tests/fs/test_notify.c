/* test_notify.c - change notification: parked requests as jobs on a loop of their own, woken by what others do. */
#include "opens.h"
#include <stdio.h>
#include <time.h>

static struct world w;
static struct smb a, b;
static struct loop *loop;
static struct pool *pool;

/* One parked request. */
struct request {
    struct job job;
    struct task start, cancel;
    struct caller c;
    struct fs_open *o;
    uint32_t filter;
    bool tree;
    size_t limit;
    char got[1024]; /* "action:name action:name " */
    _Atomic bool parked, done, cancelled;
    _Atomic int result;
};

static enum st step(struct job *j)
{
    struct request *r = container_of(j, struct request, job);
    const struct fs_change *ch;
    size_t n = 0;
    if (r->cancelled)
        return ST_CANCELLED;
    enum st st = fs_notify(&r->c.q, r->o, r->filter, r->tree, r->limit, &ch, &n);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        sprintf(r->got + strlen(r->got), "%u:%.*s ", ch[i].action, (int)ch[i].n, ch[i].name);
    return st;
}

static void parked(struct job *j)
{
    container_of(j, struct request, job)->parked = true;
}

static void done(struct job *j, enum st st)
{
    struct request *r = container_of(j, struct request, job);
    fs_cancel(&r->c.q);
    r->result = (int)st;
    r->done = true;
}

static const struct job_ops ops = {step, parked, done};

static void start(struct task *t)
{
    job_start(&container_of(t, struct request, start)->job);
}

static void wait_for(_Atomic bool *flag)
{
    for (int i = 0; i < 5000 && !*flag; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_true(*flag);
}

static void begin(struct request *r, struct fs_open *o, uint32_t filter, bool tree, size_t limit)
{
    memset(r, 0, sizeof *r);
    caller_init(&r->c, &w, 0, 0);
    job_init(&r->job, &ops, loop, pool);
    r->c.q.job = &r->job;
    r->o = o;
    r->filter = filter;
    r->tree = tree;
    r->limit = limit;
    r->start.fn = start;
    loop_post(loop, &r->start);
}

static void expect(struct request *r, enum st st, const char *got)
{
    wait_for(&r->done);
    assert_st((enum st)r->result, st);
    assert_string_equal(r->got, got);
    arena_reset(&r->c.arena);
}

static int setup(void **state)
{
    if (world_open(&w, *state, false) || loop_create(&loop) || pool_create(1, &pool) || loop_start(loop, 0))
        return -1;
    smb_init(&a, &w, 0, 1);
    smb_init(&b, &w, 0, 2);
    return 0;
}

static int teardown(void **state)
{
    loop_stop(loop);
    loop_free(loop);
    pool_free(pool);
    assert_int_equal(w.fs->watching, 0);
    smb_done(&a);
    smb_done(&b);
    world_close(&w);
    return 0;
}

static struct fs_open *watched(const char *name)
{
    struct fs_open *d = NULL;
    assert_st(try_open(&a, name, FS_LIST | FS_READ_ATTRIBUTES, SHARE_ALL, FS_OPEN_IF, FS_DIRECTORY_FILE, &d), ST_OK);
    return d;
}

#define NAMES (FS_CHANGE_FILE_NAME | FS_CHANGE_DIR_NAME)

static void one_directory(void **state)
{
    struct request r, s;
    struct fs_open *d = watched("d");
    begin(&r, d, NAMES | FS_CHANGE_ATTRIBUTES | FS_CHANGE_CREATION, false, 4096);
    wait_for(&r.parked);
    assert_false(r.done);
    assert_st(touch(&b, "d/x", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    expect(&r, ST_OK, "1:x ");
    /* What happens between requests is kept. */
    assert_st(touch(&b, "d/y", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(touch(&b, "d/x", FS_DELETE, SHARE_ALL, FS_OPEN, FS_DELETE_ON_CLOSE), ST_OK);
    begin(&r, d, NAMES, false, 4096);
    expect(&r, ST_OK, "1:y 2:x ");
    /* A rename comes whole. */
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    struct fs_open *o = must_open(&b, "d/y", FS_DELETE, FS_OPEN);
    struct st_node *dir = at(&b.c, w.root, "d");
    struct fs_rename m = {.o = o, .ddir = dir, .dname = "z", .dn = 1};
    assert_st(RUN(&b.c, fs_rename(&b.c.q, &m)), ST_OK);
    expect(&r, ST_OK, "4:y 5:z ");
    close_open(&b, o);
    /* NFS too; the filter counts; two requests are answered in order. */
    struct caller nfs;
    caller_init(&nfs, &w, 0, 0);
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    begin(&s, d, NAMES, false, 4096);
    wait_for(&s.parked);
    struct st_node *z = at(&nfs, dir, "z");
    put(&nfs, z, 0, "data");
    st_unref(mk(&nfs, dir, "n1", ST_REG, 0644));
    expect(&r, ST_OK, "1:n1 ");
    assert_false(s.done);
    st_unref(mk(&nfs, dir, "n2", ST_DIR, 0755));
    expect(&s, ST_OK, "1:n2 ");
    st_unref(z);
    st_unref(dir);
    close_open(&a, d);
    caller_done(&nfs);
}

static void trees(void **state)
{
    struct request r;
    struct fs_open *top = watched(""), *d;
    assert_st(touch(&b, "d", RW, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE), ST_OK);
    assert_st(touch(&b, "d/e", RW, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE), ST_OK);
    begin(&r, top, NAMES | FS_CHANGE_SIZE, true, 4096);
    wait_for(&r.parked);
    assert_st(touch(&b, "d/e/f", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    expect(&r, ST_OK, "1:d/e/f ");
    begin(&r, top, NAMES, true, 4096);
    wait_for(&r.parked);
    struct caller nfs;
    caller_init(&nfs, &w, 0, 0);
    struct fs_open *o = must_open(&b, "d/e/f", FS_READ_DATA, FS_OPEN);
    put(&nfs, o->node, 0, "hello"); /* by handle: the name is found */
    expect(&r, ST_OK, "3:d/e/f ");
    close_open(&b, o);
    /* Not a tree: only its own entries. */
    d = watched("d");
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    assert_st(touch(&b, "d/e/g", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_false(r.done);
    assert_st(touch(&b, "d/h", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    expect(&r, ST_OK, "1:h ");
    close_open(&a, d);
    close_open(&a, top);
    caller_done(&nfs);
}

/* As with Windows: a file's new name is a change of the file to those who do not watch names, and only to them. */
static void renamed(void **state)
{
    const uint32_t other = FS_CHANGE_ATTRIBUTES | FS_CHANGE_CREATION;
    struct request r, s;
    struct fs_open *d = watched("d"), *names, *f;
    assert_st(try_open(&a, "d", FS_LIST, SHARE_ALL, FS_OPEN, FS_DIRECTORY_FILE, &names), ST_OK);
    f = must_open(&b, "d/f", FS_DELETE, FS_CREATE);
    begin(&r, d, other, false, 4096);
    begin(&s, names, NAMES | other, false, 4096);
    wait_for(&r.parked);
    wait_for(&s.parked);
    struct st_node *dir = at(&b.c, w.root, "d");
    struct fs_rename m = {.o = f, .ddir = dir, .dname = "g", .dn = 1};
    assert_st(RUN(&b.c, fs_rename(&b.c.q, &m)), ST_OK);
    expect(&r, ST_OK, "3:g ");
    expect(&s, ST_OK, "4:f 5:g ");
    close_open(&b, f);
    begin(&s, names, NAMES, false, 4096); /* and nothing is left for the next one */
    wait_for(&s.parked);
    st_unref(mk(&b.c, dir, "n", ST_REG, 0644));
    expect(&s, ST_OK, "1:n ");
    st_unref(dir);
    close_open(&a, names);
    close_open(&a, d);
}

static void ends(void **state)
{
    struct request r;
    struct fs_open *d = watched("d");
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    fs_open_ref(d); /* as a request holds it */
    close_open(&a, d);
    expect(&r, ST_CLOSED, "");
    fs_open_unref(d);
    /* More than the client takes. */
    d = watched("d");
    begin(&r, d, NAMES, false, 40);
    wait_for(&r.parked);
    assert_st(touch(&b, "d/a", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    expect(&r, ST_OK, "1:a ");
    for (unsigned i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "d/more%u", i);
        assert_st(touch(&b, name, RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    }
    begin(&r, d, NAMES, false, 40);
    expect(&r, ST_TOOMANY, "");
    /* What is kept was settled by the first request, whatever a later one takes. */
    assert_st(touch(&b, "d/b", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    begin(&r, d, NAMES, false, 8);
    expect(&r, ST_TOOMANY, "");
    assert_st(touch(&b, "d/c", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    begin(&r, d, NAMES, false, 4096);
    expect(&r, ST_OK, "1:c ");
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "d/yet%u", i);
        assert_st(touch(&b, name, RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    }
    begin(&r, d, NAMES, false, 4096);
    expect(&r, ST_TOOMANY, "");
    begin(&r, d, NAMES, false, 40);
    wait_for(&r.parked);
    /* Cancelled. */
    r.cancelled = true;
    job_wake(&r.job);
    expect(&r, ST_CANCELLED, "");
    close_open(&a, d);
    /* The directory goes. */
    d = watched("gone");
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    struct fs_open *o = NULL;
    assert_st(try_open(&b, "gone", FS_DELETE, SHARE_ALL, FS_OPEN, FS_DIRECTORY_FILE, &o), ST_OK);
    assert_st(RUN(&b.c, fs_set_delete(&b.c.q, o, true, false)), ST_OK);
    expect(&r, ST_DELETE_PENDING, "");
    close_open(&b, o);
    close_open(&a, d);
    /* By an end that deletes, though the watched open keeps the name. */
    d = watched("gone3");
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    assert_st(touch(&b, "gone3", FS_DELETE, SHARE_ALL, FS_OPEN, FS_DIRECTORY_FILE | FS_DELETE_ON_CLOSE), ST_OK);
    expect(&r, ST_DELETE_PENDING, "");
    close_open(&a, d);
    /* Removed by NFS under the watch. */
    d = watched("gone2");
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    struct caller nfs;
    caller_init(&nfs, &w, 0, 0);
    assert_st(RUN(&nfs, fs_remove(&nfs.q, w.root, "gone2", 5, true, NULL)), ST_OK);
    expect(&r, ST_DELETE_PENDING, "");
    close_open(&a, d);
    caller_done(&nfs);
}

/* What local programs do, and they alone: our own changes are told by us. */
static void local_programs(void **state)
{
    struct request r;
    char line[256];
    struct fs_open *d = watched("d");
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    assert_st(touch(&b, "d/ours", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    expect(&r, ST_OK, "1:ours ");
    begin(&r, d, NAMES | FS_CHANGE_SIZE, false, 4096);
    wait_for(&r.parked);
    snprintf(line, sizeof line, "mkdir '%s/tree/d/theirs'", w.dir);
    assert_int_equal(system(line), 0);
    expect(&r, ST_OK, "1:theirs ");
    snprintf(line, sizeof line, "rm '%s/tree/d/ours'", w.dir);
    assert_int_equal(system(line), 0);
    begin(&r, d, NAMES, false, 4096);
    expect(&r, ST_OK, "2:ours ");
    begin(&r, d, NAMES, false, 4096);
    wait_for(&r.parked);
    fs_watch_lost(d->node);
    expect(&r, ST_TOOMANY, "");
    close_open(&a, d);
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {BOTH(one_directory), BOTH(trees), BOTH(renamed), BOTH(ends),
                                       {"local_programs", local_programs, setup, teardown, "dir"}};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
