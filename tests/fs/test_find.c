/* test_find.c - directory search. */
#include "opens.h"
#include <stdio.h>

static struct world w;
static struct smb a;

static int setup(void **state)
{
    if (world_open(&w, *state, false))
        return -1;
    smb_init(&a, &w, 0, 1);
    return 0;
}

static int teardown(void **state)
{
    smb_done(&a);
    world_close(&w);
    return 0;
}

struct got {
    unsigned n, max;
    uint32_t last;
    char names[4096];
    unsigned seen[1000];
};

static bool collect(void *arg, const struct fs_match *m)
{
    struct got *g = arg;
    unsigned i;
    char name[256];
    if (g->n >= g->max)
        return false;
    memcpy(name, m->name, m->n);
    name[m->n] = 0;
    if (sscanf(name, "f%u", &i) == 1 && i < 1000)
        g->seen[i]++;
    if (strlen(g->names) + m->n + 2 < sizeof g->names) {
        strcat(g->names, name);
        strcat(g->names, " ");
    }
    g->n++;
    g->last = m->index;
    return true;
}

static enum st find(struct fs_open *o, const char *pattern, unsigned flags, uint32_t index, unsigned max, struct got *g)
{
    memset(g->names, 0, sizeof g->names);
    g->n = 0;
    g->max = max;
    return RUN(&a.c, fs_find(&a.c.q, o, pattern, strlen(pattern), flags, index, collect, g));
}

static struct fs_open *dir_with(unsigned files)
{
    struct fs_open *d = NULL;
    char name[32];
    assert_st(try_open(&a, "d", FS_LIST | FS_READ_ATTRIBUTES, SHARE_ALL, FS_OPEN_IF, FS_DIRECTORY_FILE, &d), ST_OK);
    for (unsigned i = 0; i < files; i++) {
        snprintf(name, sizeof name, "d/f%u", i);
        assert_st(touch(&a, name, RW, SHARE_ALL, FS_OPEN_IF, 0), ST_OK);
    }
    return d;
}

static void batches(void **state)
{
    struct got g = {0};
    struct fs_open *d = dir_with(300);
    unsigned total = 0, calls = 0;
    enum st st;
    while ((st = find(d, "*", 0, 0, 7, &g)) == ST_OK) {
        if (!calls++)
            assert_memory_equal(g.names, ". .. ", 5);
        total += g.n;
        if (calls == 5) /* one vanishes, one comes: the others stay once */
            assert_st(touch(&a, "d/zz", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    }
    assert_st(st, ST_END);
    assert_true(total == 302 || total == 303);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(g.seen[i], 1);
    assert_st(find(d, "*", 0, 0, 7, &g), ST_END);
    assert_st(find(d, "*", FS_FIND_RESTART, 0, 1000, &g), ST_OK);
    assert_int_equal(g.n, 303);
    assert_st(find(d, "*", FS_FIND_INDEX, 100, 1, &g), ST_OK);
    assert_int_equal(g.last, 101);
    assert_st(find(d, "*", FS_FIND_RESTART | FS_FIND_SINGLE, 0, 10, &g), ST_OK);
    assert_string_equal(g.names, ". ");
    assert_st(find(d, "*", FS_FIND_SINGLE, 0, 10, &g), ST_OK);
    assert_string_equal(g.names, ".. ");
    /* Not even one fits: it comes again. */
    assert_st(find(d, "*", FS_FIND_RESTART, 0, 0, &g), ST_OK);
    assert_int_equal(g.n, 0);
    assert_st(find(d, "*", 0, 0, 1, &g), ST_OK);
    assert_string_equal(g.names, ". ");
    close_open(&a, d);
}

static void patterns(void **state)
{
    struct got g = {0};
    struct fs_open *d = dir_with(12);
    assert_st(touch(&a, "d/Read.me", RW, SHARE_ALL, FS_CREATE, 0), ST_OK);
    assert_st(find(d, "READ.ME", 0, 0, 10, &g), ST_OK);
    assert_string_equal(g.names, "Read.me ");
    assert_st(find(d, "READ.ME", 0, 0, 10, &g), ST_END);
    assert_st(find(d, "r*.M?", FS_FIND_REOPEN, 0, 10, &g), ST_OK);
    assert_string_equal(g.names, "Read.me ");
    assert_st(find(d, "f1*", FS_FIND_REOPEN, 0, 10, &g), ST_OK);
    assert_int_equal(g.n, 3);
    assert_st(find(d, "none", FS_FIND_REOPEN, 0, 10, &g), ST_NOENT);
    assert_st(find(d, "none*", FS_FIND_REOPEN, 0, 10, &g), ST_NOENT);
    assert_st(find(d, "..", FS_FIND_REOPEN, 0, 10, &g), ST_OK);
    assert_string_equal(g.names, ".. ");
    close_open(&a, d);
    struct fs_open *f = must_open(&a, "d/f1", RW, FS_OPEN);
    assert_st(find(f, "*", 0, 0, 10, &g), ST_NOTDIR);
    close_open(&a, f);
    assert_st(try_open(&a, "d", FS_READ_ATTRIBUTES, SHARE_ALL, FS_OPEN, 0, &d), ST_OK);
    assert_st(find(d, "*", 0, 0, 10, &g), ST_ACCESS);
    close_open(&a, d);
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {BOTH(batches), BOTH(patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
