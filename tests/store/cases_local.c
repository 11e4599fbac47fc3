/* cases_local.c - what only a directory of the machine has: local programs that change it meanwhile, links that lead
 * out, a restart of the server. */
#include "cases.h"
#include <sys/xattr.h>

static size_t handle_of(struct env *e, struct st_node *n, uint8_t h[ST_HANDLE_MAX])
{
    size_t nh = 0;
    OK(e->s->ops->handle(n, true, h, &nh));
    return nh;
}

static void handles_survive(void **state)
{
    struct env *e = *state;
    uint8_t hf[ST_HANDLE_MAX], hd[ST_HANDLE_MAX], hg[ST_HANDLE_MAX], hl[ST_HANDLE_MAX], hr[ST_HANDLE_MAX],
        hm[ST_HANDLE_MAX];
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755), *d2 = make(e, d, "d2", ST_DIR, 0755);
    struct st_node *f = make(e, d2, "f", ST_REG, 0644), *g = make(e, d2, "g", ST_REG, 0644);
    struct st_node *l = make(e, d2, "l", ST_LNK, 0777), *m = make(e, d2, "m", ST_REG, 0644), *n;
    put_text(f, "f");
    OK(e->s->ops->link(m, d, "m2", 2));
    size_t nh = handle_of(e, f, hf);
    struct st_id id = f->id;
    assert_int_equal(handle_of(e, d2, hd), nh);
    assert_int_equal(handle_of(e, g, hg), nh);
    assert_int_equal(handle_of(e, l, hl), nh);
    assert_int_equal(handle_of(e, e->root, hr), nh);
    assert_int_equal(handle_of(e, m, hm), nh);
    OK(rename_name(e, d2, "f", e->root, "f-moved", 0));
    OK(rename_name(e, d, "d2", e->root, "d2-moved", 0));
    OK(unlink_name(e, d2, "g", 0));
    OK(unlink_name(e, d2, "m", 0)); /* its other name stays */
    st_unref(d);
    st_unref(d2);
    st_unref(f);
    st_unref(g);
    st_unref(l);
    st_unref(m);
    env_reopen(e);
    OK(e->s->ops->from_handle(e->s, hf, nh, &n));
    assert_true(n->id.ino == id.ino && n->id.gen == id.gen);
    expect_text(n, "f");
    struct st_node *by_name = lookup(e, e->root, "f-moved");
    assert_ptr_equal(n, by_name);
    uint8_t again[ST_HANDLE_MAX];
    assert_int_equal(handle_of(e, n, again), nh);
    assert_memory_equal(again, hf, nh);
    st_unref(by_name);
    st_unref(n);
    IS(e->s->ops->from_handle(e->s, hg, nh, &n), ST_STALE);
    OK(e->s->ops->from_handle(e->s, hl, nh, &n));
    assert_int_equal(n->type, ST_LNK);
    st_unref(n);
    OK(e->s->ops->from_handle(e->s, hm, nh, &n));
    st_unref(n);
    OK(e->s->ops->from_handle(e->s, hr, nh, &n));
    assert_ptr_equal(n, e->root);
    st_unref(n);
    OK(e->s->ops->from_handle(e->s, hd, nh, &n));
    char path[64];
    OK(e->s->ops->path(n, path, sizeof path));
    assert_string_equal(path, "d2-moved");
    OK(lookup_st(e, n, "l"));
    st_unref(n);
}

static void local_changes(void **state)
{
    struct env *e = *state;
    char p[512], q[512];
    uint8_t h[ST_HANDLE_MAX];
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755), *f = make(e, d, "f", ST_REG, 0644), *n;
    size_t nh = handle_of(e, f, h);
    put_text(f, "mine");
    assert_int_equal(rename(local(e, "d/f", p), local(e, "d/renamed", q)), 0);
    IS(lookup_st(e, d, "f"), ST_NOENT);
    n = lookup(e, d, "renamed");
    assert_ptr_equal(n, f);
    st_unref(n);
    int fd = open(local(e, "d/f", p), O_RDWR | O_CREAT | O_EXCL, 0600); /* another file under the old name */
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "other", 5), 5);
    n = lookup(e, d, "f");
    assert_ptr_not_equal(n, f);
    expect_text(n, "other");
    assert_int_equal(ftruncate(fd, 2), 0);
    expect_text(n, "ot");
    assert_int_equal(fchmod(fd, 0400), 0);
    assert_int_equal(attr(n).mode, 0400);
    IS(e->s->ops->unlink(d, "f", 1, f, 0), ST_NOENT);
    close(fd);
    st_unref(n);
    st_unref(f);
    st_unref(d);
    env_reopen(e); /* renamed while the server was down */
    assert_int_equal(rename(local(e, "d/renamed", p), local(e, "d/again", q)), 0);
    OK(e->s->ops->from_handle(e->s, h, nh, &n));
    expect_text(n, "mine");
    st_unref(n);
    assert_int_equal(unlink(local(e, "d/again", p)), 0);
    n = NULL;
    enum st st = e->s->ops->from_handle(e->s, h, nh, &n);
    if (st == ST_OK) { /* still cached: seen with the first look at it */
        assert_int_equal(attr(n).nlink, 0);
        st_unref(n);
        st = e->s->ops->from_handle(e->s, h, nh, &n);
    }
    IS(st, ST_STALE);
}

static void moved_out(void **state)
{
    struct env *e = *state;
    char p[512], out[128];
    uint8_t h[ST_HANDLE_MAX];
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755), *n;
    OK(make_st(e, d, "x", ST_REG));
    size_t nh = handle_of(e, d, h);
    snprintf(out, sizeof out, "%s/outside", e->top);
    assert_int_equal(rename(local(e, "d", p), out), 0);
    IS(make_st(e, d, "y", ST_REG), ST_STALE);
    IS(unlink_name(e, d, "x", 0), ST_STALE);
    IS(rename_name(e, d, "x", e->root, "x", 0), ST_STALE);
    usleep(150000);
    IS(lookup_st(e, d, "x"), ST_STALE);
    IS(e->s->ops->parent(d, &n), ST_STALE);
    st_unref(d);
    env_reopen(e);
    IS(e->s->ops->from_handle(e->s, h, nh, &n), ST_STALE);
}

static void links_lead_nowhere(void **state)
{
    struct env *e = *state;
    char p[512], buf[16];
    size_t got;
    assert_int_equal(symlink("/", local(e, "rootlink", p)), 0);
    assert_int_equal(symlink("/etc/passwd", local(e, "file", p)), 0);
    assert_int_equal(symlink("..", local(e, "up", p)), 0);
    struct st_node *l = lookup(e, e->root, "rootlink"), *f = lookup(e, e->root, "file");
    assert_int_equal(l->type, ST_LNK);
    IS(lookup_st(e, l, "etc"), ST_NOTDIR);
    IS(make_st(e, l, "x", ST_REG), ST_NOTDIR);
    IS(e->s->ops->read(f, 0, buf, sizeof buf, 0, &got), ST_BADTYPE);
    IS(make_st(e, e->root, "file", ST_REG), ST_EXIST);
    IS(e->s->ops->setattr(f, ST_SET_SIZE, &(struct st_attr){0}), ST_BADTYPE);
    OK(unlink_name(e, e->root, "up", 0));
    st_unref(l);
    st_unref(f);
}

struct swapper {
    char a[512], b[512];
    _Atomic bool stop;
};

static void *swap_run(void *arg)
{
    struct swapper *s = arg;
    while (!s->stop)
        (void)!renameat2(AT_FDCWD, s->a, AT_FDCWD, s->b, RENAME_EXCHANGE);
    return NULL;
}

/* "swap" is now a directory, now a link to a directory outside: nothing outside is ever seen or touched. */
static void swapped_for_a_link(void **state)
{
    struct env *e = *state;
    const struct store_ops *ops = e->s->ops;
    struct swapper s = {0};
    char out[128], p[512];
    snprintf(out, sizeof out, "%s/outside", e->top);
    assert_int_equal(mkdir(out, 0777), 0);
    snprintf(p, sizeof p, "%s/secret", out);
    assert_int_equal(mkdir(p, 0700), 0);
    assert_int_equal(symlink(out, local(e, "swap", s.a)), 0);
    assert_int_equal(mkdir(local(e, "other", s.b), 0777), 0);
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, swap_run, &s), 0);
    struct st_attr reg = {.type = ST_REG, .mode = 0644, .uid = geteuid(), .gid = getegid()}, dir = reg;
    dir.type = ST_DIR;
    unsigned dirs = 0, made = 0;
    for (unsigned i = 0; i < 4000 || (!made && i < 4000000); i++) { /* until the other thread had its turns */
        _cleanup_node_ struct st_node *n = NULL, *x = NULL, *y = NULL;
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        if (ops->lookup(e->root, "swap", 4, &n) != ST_OK || n->type != ST_DIR)
            continue;
        dirs++;
        assert_int_not_equal(ops->lookup(n, "secret", 6, &x), ST_OK);
        made += ops->make(n, name, strlen(name), i % 2 ? &reg : &dir, NULL, &y) == ST_OK;
        if (y && i % 4 < 2)
            (void)!ops->unlink(n, name, strlen(name), y, i % 2 ? 0 : ST_UNLINK_DIR);
        (void)!ops->rename(n, name, strlen(name), e->root, "moved", 5, 0);
        (void)!ops->unlink(e->root, "moved", 5, NULL, 0);
    }
    s.stop = true;
    pthread_join(t, NULL);
    assert_true(dirs > 0 && made > 0);
    struct stat sb;
    assert_int_equal(stat(out, &sb), 0);
    assert_int_equal(sb.st_nlink, 3); /* only "secret" */
    assert_int_equal(rmdir(p), 0);
    assert_int_equal(rmdir(out), 0); /* and nothing else */
}

static void foreign_attributes(void **state)
{
    struct env *e = *state;
    char p[512], buf[64];
    size_t n;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0644);
    assert_int_equal(setxattr(local(e, "f", p), "user.mime_type", "text/plain", 10, 0), 0);
    OK(e->s->ops->xattr_get(f, "user:mime_type", buf, sizeof buf, &n));
    assert_int_equal(n, 10);
    OK(e->s->ops->xattr_set(f, "streams", "x", 1));
    assert_int_equal(getxattr(p, "user.concord.streams", buf, sizeof buf), 1);
    st_unref(f);
}

/* Mode bits do not keep the maker of a file from writing to it, nor root from anything. */
static void modes_do_not_hinder(void **state)
{
    struct env *e = *state;
    struct st_node *f = make(e, e->root, "f", ST_REG, 0444);
    put_text(f, "written");
    st_unref(f);
    f = lookup(e, e->root, "f");
    put(f, 7, "!", 1);
    OK(e->s->ops->setattr(f, ST_SET_MODE, &(struct st_attr){.mode = 0}));
    expect_text(f, "written!");
    st_unref(f);
    if (e->variant == VARIANT_DIR) {
        env_reopen(e);
        f = lookup(e, e->root, "f");
        expect_text(f, "written!");
        put_text(f, "W");
        st_unref(f);
    }
}

/* Far more objects than descriptors. */
static void descriptors_are_bounded(void **state)
{
    struct env *e = *state;
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755);
    for (unsigned i = 0; i < 12000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        OK(make_st(e, d, name, ST_REG));
    }
    for (unsigned i = 0; i < 12000; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", i);
        OK(lookup_st(e, d, name));
    }
    st_unref(d);
}

struct shown {
    struct env *e;
    unsigned count;
    uint64_t size;
    uint8_t h[ST_HANDLE_MAX];
    size_t nh;
};

static bool show(void *arg, const struct st_dirent *d)
{
    struct shown *s = arg;
    s->count++;
    if (strcmp(d->name, "f1") != 0)
        return true;
    assert_non_null(d->attr);
    s->size = d->attr->size;
    s->nh = d->nhandle;
    memcpy(s->h, d->handle, d->nhandle);
    return true;
}

static struct shown show_all(struct env *e)
{
    struct shown s = {.e = e};
    IS(e->s->ops->list(e->root, 0, show, &s), ST_END);
    return s;
}

static void write_local(struct env *e, const char *name, const char *text)
{
    char path[512];
    FILE *f = fopen(local(e, name, path), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* A listing shows local programs' changes after a moment, its handles survive a restart, and a name that a local
 * program gave to another object gets that one's. */
static void listed_local_changes(void **state)
{
    struct env *e = *state;
    struct st_node *n;
    char name[16], path[512];
    for (int i = 0; i < 700; i++) { /* more than one commit's worth */
        snprintf(name, sizeof name, "f%d", i);
        write_local(e, name, "");
    }
    usleep(150000);
    struct shown first = show_all(e), again = show_all(e);
    assert_int_equal(first.count, 700);
    assert_true(first.nh > 0 && first.nh == again.nh);
    assert_memory_equal(first.h, again.h, first.nh);
    write_local(e, "f1", "four");
    usleep(150000);
    again = show_all(e);
    assert_int_equal(again.size, 4);
    assert_memory_equal(first.h, again.h, first.nh);
    env_reopen(e);
    OK(e->s->ops->from_handle(e->s, first.h, first.nh, &n));
    expect_text(n, "four");
    st_unref(n);
    assert_memory_equal(show_all(e).h, first.h, first.nh);
    assert_int_equal(unlink(local(e, "f1", path)), 0);
    write_local(e, "f1", "another"); /* often with the inode number of the first */
    usleep(150000);
    again = show_all(e);
    assert_int_equal(again.size, 7);
    assert_memory_not_equal(first.h, again.h, first.nh);
    OK(e->s->ops->from_handle(e->s, again.h, again.nh, &n));
    expect_text(n, "another");
    st_unref(n);
    env_reopen(e); /* which lets go of what was removed */
    IS(e->s->ops->from_handle(e->s, first.h, first.nh, &n), ST_STALE);
}

static struct {
    pthread_mutex_t mu;
    char seen[4096];
} told;

static void on_change(struct st_node *dir, enum st_change what, bool is_dir, const char *name, size_t n)
{
    pthread_mutex_lock(&told.mu);
    size_t at = strlen(told.seen);
    snprintf(told.seen + at, sizeof told.seen - at, "%c%.*s%s ", "+-mal"[what], (int)n, name, is_dir ? "/" : "");
    pthread_mutex_unlock(&told.mu);
}

static void told_so_far(char out[sizeof told.seen])
{
    pthread_mutex_lock(&told.mu);
    memcpy(out, told.seen, sizeof told.seen);
    pthread_mutex_unlock(&told.mu);
}

/* Waits until it was told of the last thing that was done; `also` (ended by NULL) had to come before. */
static void expect_told(const char *last, const char *const *also)
{
    char seen[sizeof told.seen];
    for (int i = 0; i < 2500; i++) {
        told_so_far(seen);
        if (strstr(seen, last))
            break;
        usleep(2000);
    }
    if (!strstr(seen, last))
        fail_msg("not told of %s but: %s", last, seen);
    for (; *also; also++)
        if (!strstr(seen, *also))
            fail_msg("not told of %s but: %s", *also, seen);
    assert_null(strstr(seen, "+own")); /* ours */
    assert_null(strstr(seen, "mown"));
    assert_null(strstr(seen, "unseen"));
}
#define ALSO(...) (const char *const[]){__VA_ARGS__ __VA_OPT__(,) NULL}

static void shell(struct env *e, const char *commands)
{
    char line[1024], path[512];
    snprintf(line, sizeof line, "cd '%s' && %s", local(e, "", path), commands);
    assert_int_equal(system(line), 0);
}

/* What others do is told, what we do is not. */
static void watched_directories(void **state)
{
    struct env *e = *state;
    struct st_node *d = make(e, e->root, "d", ST_DIR, 0755), *other = make(e, e->root, "other", ST_DIR, 0755);
    pthread_mutex_init(&told.mu, NULL);
    told.seen[0] = 0;
    e->s->changed = on_change;
    OK(e->s->ops->watch(d, true));
    OK(e->s->ops->watch(d, true));
    struct st_node *own = make(e, d, "own", ST_REG, 0644);
    put_text(own, "own");
    shell(e, "mkdir d/new other/new && echo x >d/file && touch other/file");
    expect_told("mfile ", ALSO("+new/ ", "+file "));
    OK(rename_name(e, d, "own", d, "own2", 0));
    shell(e, "mv d/file d/moved && rm d/own2 && chmod 600 d/moved && touch d/end");
    expect_told("+end ", ALSO("-file ", "+moved ", "-own2 ", "amoved "));
    OK(e->s->ops->watch(d, false)); /* once more to go */
    shell(e, "touch d/more");
    expect_told("+more ", ALSO());
    OK(e->s->ops->watch(d, false));
    OK(e->s->ops->watch(other, true));
    shell(e, "touch d/unseen other/last");
    expect_told("+last ", ALSO());
    OK(e->s->ops->watch(other, false));
    st_unref(own);
    st_unref(d);
    st_unref(other);
}

const struct CMUnitTest local_cases[] = {
    CASE(handles_survive),    CASE(local_changes),      CASE(moved_out),           CASE(links_lead_nowhere),
    CASE(swapped_for_a_link), CASE(foreign_attributes), CASE(modes_do_not_hinder), CASE(descriptors_are_bounded),
    CASE(listed_local_changes), CASE(watched_directories),
};
const size_t local_count = ARRAY_LEN(local_cases);
