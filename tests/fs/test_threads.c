/* test_threads.c - many callers at once on a few names: no deadlock, no cycle, no lost object, attributes before and
 * after that fit together. */
#include "base/clock.h"
#include "world.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 3000

static struct world w;

static int setup(void **state)
{
    return world_open(&w, *state, false);
}
static int teardown(void **state)
{
    world_close(&w);
    return 0;
}

struct actor {
    struct caller c;
    pthread_t thread;
    uint32_t seed;
    struct st_node *dirs[3];
    unsigned done[8], bad;
};

static uint32_t rnd(struct actor *a, uint32_t n)
{
    a->seed = a->seed * 1664525 + 1013904223;
    return (a->seed >> 16) % n;
}

static void woken(struct co_ticket *t)
{
}

#define DO(a, call)                                                                                                    \
    ({                                                                                                                 \
        enum st do_;                                                                                                   \
        (a)->c.q.may_block = true;                                                                                     \
        while ((do_ = (call)) == ST_AGAIN)                                                                             \
            sched_yield();                                                                                             \
        do_;                                                                                                           \
    })

static void wcc_fits(struct actor *a, enum st st, const struct fs_wcc *c)
{
    if (st == ST_OK && c->has_pre && c->has_post && timespec_same(&c->pre_ctime, &c->post.ctime) &&
        c->pre_size != c->post.size)
        a->bad++;
}

static void one(struct actor *a)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct fs_req *q = &a->c.q;
    struct st_node *dir = a->dirs[rnd(a, 3)], *to = a->dirs[rnd(a, 3)], *n = NULL;
    const char *name = names[rnd(a, 4)], *other = names[rnd(a, 4)];
    struct fs_wcc wcc = {0}, wcc2 = {0};
    struct fs_make m = {.a = {.type = rnd(a, 3) ? ST_REG : ST_DIR}, .how = FS_CREATE_UNCHECKED, .set = ST_SET_SIZE};
    struct fs_rename r = {.sdir = dir, .sname = name, .sn = 1, .ddir = to, .dname = other, .dn = 1, .replace = true,
                          .swcc = &wcc, .dwcc = &wcc2};
    struct st_attr at;
    enum st st;
    uint32_t what = rnd(a, 6);
    switch (what) {
    case 0:
        st = DO(a, fs_make(q, dir, name, 1, &m, &n, &at, &wcc));
        break;
    case 1:
        st = DO(a, fs_remove(q, dir, name, 1, rnd(a, 2), &wcc));
        break;
    case 2:
    case 3:
        st = DO(a, fs_rename(q, &r));
        wcc_fits(a, st, &wcc2);
        break;
    case 4:
        st = DO(a, fs_lookup(q, dir, name, 1, &n, &at));
        if (st == ST_OK)
            st = DO(a, fs_link(q, n, NULL, to, other, 1, rnd(a, 2), &wcc, &at));
        break;
    default:
        st = DO(a, fs_lookup(q, dir, name, 1, &n, &at));
        if (st == ST_OK)
            st = DO(a, fs_write(q, n, NULL, rnd(a, 3) ? 5 : UINT64_MAX, "hello", 5, FS_UNSTABLE, &wcc));
    }
    wcc_fits(a, st, &wcc);
    if (st == ST_OK)
        a->done[what]++;
    if (st == ST_SERVERFAULT || st == ST_IO || st == ST_NOMEM || st == ST_SHARE_CONFLICT)
        a->bad++;
    st_unref(n);
}

static void *act(void *arg)
{
    struct actor *a = arg;
    for (unsigned i = 0; i < ROUNDS; i++)
        one(a);
    return NULL;
}

static bool count_entry(void *arg, const struct fs_dirent *e)
{
    ++*(unsigned *)arg;
    return true;
}

static void together(void **state)
{
    static struct actor actors[THREADS];
    struct caller c;
    caller_init(&c, &w, 0, 0);
    struct st_node *x = mk(&c, w.root, "x", ST_DIR, 0777), *y = mk(&c, x, "y", ST_DIR, 0777);
    for (unsigned i = 0; i < THREADS; i++) {
        struct actor *a = &actors[i];
        memset(a, 0, sizeof *a);
        caller_init(&a->c, &w, 0, 0);
        a->c.q.ticket.wake = woken;
        a->seed = (uint32_t)clock_now() + i;
        a->dirs[0] = w.root, a->dirs[1] = x, a->dirs[2] = y;
        assert_int_equal(pthread_create(&a->thread, NULL, act, a), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(actors[i].thread, NULL);
        caller_done(&actors[i].c);
        assert_int_equal(actors[i].bad, 0);
        for (unsigned k = 0; k < 6; k++)
            if (k != 3)
                assert_true(actors[i].done[k] > 0 || k == 2);
    }
    unsigned n = 0;
    bool end;
    assert_st(RUN(&c, fs_readdir(&c.q, w.root, 0, true, count_entry, &n, &end)), ST_OK);
    assert_true(end && n >= 2);
    struct co_stats s;
    co_stats(w.fs->co, &s);
    assert_int_equal(s.entered + s.waiters, 0);
    caller_done(&c);
    st_unref(x), st_unref(y);
}

/* Who sees a new directory sees it with its owner, though a store makes it in steps. */
#define BIRTHS 500
#define OWNER (geteuid() ? geteuid() : 1000) /* who the store can make an owner */

static void *bear(void *arg)
{
    struct actor *a = arg;
    struct fs_make m = {.a = {.type = ST_DIR, .mode = 0700}, .set = ST_SET_MODE};
    for (unsigned i = 0; i < BIRTHS; i++) {
        char name[16];
        struct st_node *n = NULL;
        snprintf(name, sizeof name, "b%u", i);
        if (DO(a, fs_make(&a->c.q, a->dirs[0], name, strlen(name), &m, &n, NULL, NULL)) == ST_OK)
            a->done[0]++;
        st_unref(n);
    }
    return NULL;
}

/* Looks each name up from before it is there. */
static void *behold(void *arg)
{
    struct actor *a = arg;
    for (unsigned i = 0; i < BIRTHS; i++) {
        char name[16];
        struct st_node *n = NULL;
        struct st_attr at;
        enum st st;
        snprintf(name, sizeof name, "b%u", i);
        while ((st = DO(a, fs_lookup(&a->c.q, a->dirs[0], name, strlen(name), &n, &at))) == ST_NOENT)
            sched_yield();
        if (st != ST_OK || at.uid != OWNER || at.mode != 0700)
            a->bad++;
        st_unref(n);
    }
    return NULL;
}

static void whole_at_first_sight(void **state)
{
    static void *(*const acts[2])(void *) = {bear, behold};
    static struct actor actors[2];
    struct caller c;
    caller_init(&c, &w, 0, 0);
    struct st_node *dir = mk(&c, w.root, "births", ST_DIR, 0777);
    for (unsigned i = 0; i < 2; i++) {
        struct actor *a = &actors[i];
        memset(a, 0, sizeof *a);
        caller_init(&a->c, &w, OWNER, OWNER);
        a->c.q.ticket.wake = woken;
        a->dirs[0] = dir;
        assert_int_equal(pthread_create(&a->thread, NULL, acts[i], a), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(actors[i].thread, NULL);
        caller_done(&actors[i].c);
    }
    assert_int_equal(actors[0].done[0], BIRTHS);
    assert_int_equal(actors[1].bad, 0);
    caller_done(&c);
    st_unref(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"together mem", together, setup, teardown, "mem"}, {"together dir", together, setup, teardown, "dir"},
        {"whole mem", whole_at_first_sight, setup, teardown, "mem"},
        {"whole dir", whole_at_first_sight, setup, teardown, "dir"}};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
