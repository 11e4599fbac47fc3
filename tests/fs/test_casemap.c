/* test_casemap.c - a big directory is scanned once, not per open or per create, and what others change is seen. */
#include "base/clock.h"
#include "opens.h"
#include <fcntl.h>
#include <stdio.h>

#define FILES 100000

static struct world w;
static struct smb a;
static const struct store_ops *real;
static struct store_ops counted;
static unsigned scans;

static enum st counting(struct st_node *dir, uint64_t cookie, bool (*fn)(void *arg, const struct st_dirent *e),
                        void *arg)
{
    scans++;
    return real->readdir(dir, cookie, fn, arg);
}

static int setup(void **state)
{
    if (world_open(&w, *state, false))
        return -1;
    smb_init(&a, &w, 0, 1);
    real = w.share->store->ops;
    counted = *real;
    counted.readdir = counting;
    w.share->store->ops = &counted;
    scans = 0;
    return 0;
}

static int teardown(void **state)
{
    w.share->store->ops = real;
    smb_done(&a);
    world_close(&w);
    return 0;
}

static void big(void **state)
{
    char name[32];
    struct st_attr at_ = {.type = ST_REG, .mode = 0644};
    struct st_node *d = mk(&a.c, w.root, "big", ST_DIR, 0755), *n;
    for (unsigned i = 0; i < FILES; i++) { /* behind the service's back */
        snprintf(name, sizeof name, "File%u", i);
        assert_st(real->make(d, name, strlen(name), &at_, NULL, &n), ST_OK);
        st_unref(n);
    }
    uint64_t t0 = clock_now();
    assert_st(touch(&a, "BIG/FILE7", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    uint64_t first = clock_now() - t0;
    assert_in_range(scans, 1, 2); /* the root, and the directory */
    scans = 0;
    t0 = clock_now();
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "big/FILE%u", i * 97);
        assert_st(touch(&a, name, FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    }
    uint64_t opens = clock_now() - t0;
    t0 = clock_now();
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "big/New%u", i);
        uint32_t options = i % 2 ? FS_DELETE_ON_CLOSE : 0;
        assert_st(touch(&a, name, FS_READ_DATA | FS_DELETE, SHARE_ALL, FS_CREATE, options), ST_OK);
        snprintf(name, sizeof name, "big/NEW%u", i);
        assert_st(touch(&a, name, FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), i % 2 ? ST_NOENT : ST_OK);
    }
    printf("%s: first %llu us, open %llu us, create+open %llu us, %u scans\n", (char *)*state,
           (unsigned long long)first / 1000, (unsigned long long)opens / 1000000,
           (unsigned long long)(clock_now() - t0) / 1000000, scans);
    assert_in_range(scans, 0, 2); /* at most where the clock's tick leaves a doubt */
    st_unref(d);
}

static void changes_of_others(void **state)
{
    struct st_attr at_ = {.type = ST_REG, .mode = 0644};
    struct st_node *n;
    assert_st(touch(&a, "NONE", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    usleep(20000);
    assert_st(real->make(w.root, "Local", 5, &at_, NULL, &n), ST_OK);
    st_unref(n);
    assert_st(touch(&a, "LOCAL", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    usleep(20000);
    assert_st(real->rename(w.root, "Local", 5, w.root, "Moved", 5, 0), ST_OK);
    assert_st(touch(&a, "LOCAL", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_NOENT);
    assert_st(touch(&a, "moved", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    /* In the same tick as a change of ours: seen by its own spelling at once, by any other after a while. */
    assert_st(touch(&a, "ours", FS_READ_DATA, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(real->make(w.root, "Theirs", 6, &at_, NULL, &n), ST_OK);
    st_unref(n);
    assert_st(touch(&a, "Theirs", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    enum st st = touch(&a, "THEIRS", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0);
    if (st != ST_OK) {
        usleep(2200000);
        st = touch(&a, "THEIRS", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0);
    }
    assert_st(st, ST_OK);
    /* Two names that differ in case only: each by its own, any other spelling always finds the same one. */
    assert_st(real->make(w.root, "TWIN", 4, &at_, NULL, &n), ST_OK);
    st_unref(n);
    assert_st(real->make(w.root, "twin", 4, &at_, NULL, &n), ST_OK);
    struct fs_open *o = must_open(&a, "twin", FS_READ_DATA, FS_OPEN);
    assert_ptr_equal(o->node, n);
    close_open(&a, o);
    o = must_open(&a, "Twin", FS_READ_DATA, FS_OPEN);
    assert_ptr_not_equal(o->node, n);
    close_open(&a, o);
    st_unref(n);
}

/* Indexes of many directories do not add up. */
static void bounded(void **state)
{
    struct st_attr at_ = {.type = ST_REG, .mode = 0644};
    char name[64], path[80];
    for (unsigned d = 0; d < 60; d++) {
        snprintf(name, sizeof name, "D%u", d);
        struct st_node *dir = mk(&a.c, w.root, name, ST_DIR, 0755), *n;
        for (unsigned i = 0; i < 300; i++) {
            snprintf(name, sizeof name, "some-longer-name-of-a-file-%u", i);
            assert_st(real->make(dir, name, strlen(name), &at_, NULL, &n), ST_OK);
            st_unref(n);
        }
        st_unref(dir);
    }
    for (unsigned round = 0; round < 2; round++)
        for (unsigned d = 0; d < 60; d++) {
            snprintf(path, sizeof path, "d%u/SOME-LONGER-NAME-OF-A-FILE-%u", d, d);
            assert_st(touch(&a, path, FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
        }
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {BOTH(big), BOTH(changes_of_others), BOTH(bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
