/* test_store.c - the conformance test of stores: the same cases on every store, and for `dir` also as an ordinary user,
 * with handles from the table. A new store is one more variant here. */
#include "cases.h"
#include <dirent.h>
#include <ftw.h>
#include <sys/wait.h>

enum variant variant;

static int remove_one(const char *path, const struct stat *sb, int type, struct FTW *f) { return remove(path); }

int env_setup(void **state)
{
    struct env *e = calloc(1, sizeof *e);
    e->variant = variant;
    if (is_dir(e)) {
        char kv[80];
        const char *tmp = getenv("TMPDIR"); /* on the file system to be tested */
        snprintf(e->top, sizeof e->top, "%s/test-store-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(e->top));
        snprintf(e->tree, sizeof e->tree, "%s/tree", e->top);
        assert_int_equal(mkdir(e->tree, 0755), 0);
        snprintf(kv, sizeof kv, "%s/kv", e->top);
        assert_int_equal(kv_open(kv, &e->kv), 0);
        OK(store_dir_open(e->tree, "test", e->kv, &e->s));
    } else {
        OK(store_mem_open(0, &e->s));
    }
    e->root = e->s->ops->root(e->s);
    *state = e;
    return 0;
}

void env_reopen(struct env *e)
{
    st_unref(e->root);
    e->s->ops->free(e->s);
    OK(store_dir_open(e->tree, "test", e->kv, &e->s));
    e->root = e->s->ops->root(e->s);
}

int env_teardown(void **state)
{
    struct env *e = *state;
    st_unref(e->root);
    e->s->ops->free(e->s);
    kv_close(e->kv);
    if (is_dir(e))
        nftw(e->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(e);
    return 0;
}

enum st lookup_st(struct env *e, struct st_node *dir, const char *name)
{
    struct st_node *n;
    enum st st = e->s->ops->lookup(dir, name, strlen(name), &n);
    if (st == ST_OK)
        st_unref(n);
    return st;
}

struct st_node *lookup(struct env *e, struct st_node *dir, const char *name)
{
    struct st_node *n = NULL;
    OK(e->s->ops->lookup(dir, name, strlen(name), &n));
    return n;
}

static enum st make_any(struct env *e, struct st_node *dir, const char *name, enum st_type type, uint32_t mode,
                        struct st_node **ret)
{
    struct st_attr a = {.type = type, .mode = mode, .uid = geteuid(), .gid = getegid()};
    return e->s->ops->make(dir, name, strlen(name), &a, type == ST_LNK ? "target" : NULL, ret);
}

struct st_node *make(struct env *e, struct st_node *dir, const char *name, enum st_type type, uint32_t mode)
{
    struct st_node *n = NULL;
    OK(make_any(e, dir, name, type, mode, &n));
    return n;
}

enum st make_st(struct env *e, struct st_node *dir, const char *name, enum st_type type)
{
    struct st_node *n;
    enum st st = make_any(e, dir, name, type, type == ST_DIR ? 0755 : 0644, &n);
    if (st == ST_OK)
        st_unref(n);
    return st;
}

enum st unlink_name(struct env *e, struct st_node *dir, const char *name, unsigned flags)
{
    return e->s->ops->unlink(dir, name, strlen(name), NULL, flags);
}

enum st rename_name(struct env *e, struct st_node *sd, const char *s, struct st_node *dd, const char *d, unsigned flags)
{
    return e->s->ops->rename(sd, s, strlen(s), dd, d, strlen(d), flags);
}

struct st_attr attr(struct st_node *n)
{
    struct st_attr a;
    OK(n->store->ops->getattr(n, &a));
    return a;
}

void put(struct st_node *n, uint64_t off, const void *data, size_t len)
{
    struct iovec iov = {(void *)(uintptr_t)data, len};
    size_t done;
    OK(n->store->ops->write(n, off, &iov, 1, 0, &done));
    assert_int_equal(done, len);
}

void put_text(struct st_node *n, const char *text) { put(n, 0, text, strlen(text)); }

void expect_text(struct st_node *n, const char *text)
{
    char buf[256];
    size_t got;
    OK(n->store->ops->read(n, 0, buf, sizeof buf, 0, &got));
    assert_int_equal(got, strlen(text));
    assert_memory_equal(buf, text, got);
}

char *local(struct env *e, const char *below, char out[512])
{
    snprintf(out, 512, "%s/%s", e->tree, below);
    return out;
}

static int run_variant(enum variant v)
{
    static const char *const names[] = {"mem", "dir", "dir as an ordinary user"};
    struct CMUnitTest all[64];
    size_t n = 0;
    variant = v;
    for (size_t i = 0; i < names_count; i++)
        all[n++] = names_cases[i];
    for (size_t i = 0; i < data_count; i++)
        all[n++] = data_cases[i];
    for (size_t i = 0; i < local_count && v != VARIANT_MEM; i++)
        all[n++] = local_cases[i];
    return _cmocka_run_group_tests(names[v], all, n, NULL, NULL);
}

/* In a child, because a process that gave its rights away does not get them back. */
static int run_as_user(void)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int r = setgid(65534) || setuid(65534) ? 1 : run_variant(VARIANT_DIR_USER);
        fflush(NULL);
        exit(r != 0);
    }
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(void)
{
    umask(077); /* modes must not depend on it */
    int r = run_variant(VARIANT_MEM);
    if (geteuid() == 0)
        r |= run_variant(VARIANT_DIR) | run_as_user();
    else
        r |= run_variant(VARIANT_DIR_USER);
    return r != 0;
}
