/* test_open_threads.c - many threads open, make, rename, delete, list and watch the same few names. Nothing is
 * expected but that it ends, that nothing is left held, and what the sanitizers say. */
#include "opens.h"
#include <pthread.h>
#include <stdio.h>

#define THREADS 4
#define ROUNDS 1500

static struct world w;

static int setup(void **state)
{
    if (world_open(&w, *state, false))
        return -1;
    struct co_policy p;
    co_policy_default(&p);
    p.regrant_holdoff = 0; /* nothing lingers */
    fs_set_policy(w.fs, &p);
    w.fs->cfg.again_percent = 0;
    return 0;
}

static int teardown(void **state)
{
    world_close(&w);
    return 0;
}

struct actor {
    pthread_t thread;
    struct caller c;
    uint64_t rng;
    unsigned id, opened;
};

static uint32_t rnd(struct actor *a, uint32_t n)
{
    a->rng ^= a->rng << 13;
    a->rng ^= a->rng >> 7;
    a->rng ^= a->rng << 17;
    return (uint32_t)(a->rng >> 33) % n;
}

static bool ignore(void *arg, const struct fs_match *m)
{
    return m->n != 0;
}

static void use(struct actor *a, struct fs_open *o)
{
    struct fs_attr at_;
    char buf[64], *path, name[32];
    size_t n;
    bool eof;
    const struct fs_change *ch;
    struct fs_ea ea = {0, "e", 1, (const uint8_t *)"v", 1};
    struct fs_req *q = &a->c.q;
    switch (rnd(a, 9)) {
    case 0:
        fs_write(q, o->node, o, rnd(a, 100), "x", 1, FS_UNSTABLE, NULL);
        break;
    case 1:
        fs_read(q, o->node, o, 0, buf, sizeof buf, &n, &eof, NULL);
        break;
    case 2:
        fs_open_attr(q, o, &at_);
        fs_open_path(q, o, &path);
        break;
    case 3:
        fs_set_delete(q, o, rnd(a, 2), rnd(a, 4) == 0);
        break;
    case 4: {
        snprintf(name, sizeof name, "n%u", rnd(a, 4));
        struct fs_rename r = {.o = o, .ddir = w.root, .dname = name, .dn = strlen(name), .replace = true};
        if (!o->stream)
            fs_rename(q, &r);
        break;
    }
    case 5:
        fs_ea_set(q, o, &ea, 1);
        break;
    case 6:
        fs_find(q, o, "*", 1, FS_FIND_RESTART, 0, ignore, NULL);
        break;
    case 7:
        fs_notify(q, o, 0xfff, true, 1000, &ch, &n);
        break;
    case 8: {
        uint8_t *sd;
        if (fs_sd_get(q, o->node, o, FS_SEC_DACL | FS_SEC_OWNER, &sd, &n) == ST_OK)
            fs_sd_set(q, o->node, o, FS_SEC_DACL, sd, n);
        break;
    }
    }
}

static void *act(void *arg)
{
    struct actor *a = arg;
    static const uint32_t share[] = {SHARE_ALL, SHARE_ALL, FS_SHARE_READ, 0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        char name[32];
        uint32_t kind = rnd(a, 6);
        if (kind < 2)
            snprintf(name, sizeof name, kind == 0 ? "D%u" : "d0/N%u", rnd(a, 2));
        else
            snprintf(name, sizeof name, "%c%u", rnd(a, 2) ? 'n' : 'N', rnd(a, 4));
        struct fs_open_args x = args(&w, name, FS_ALL_ACCESS, (enum fs_disposition)rnd(a, 6));
        struct fs_open_result r = {0};
        x.share = share[rnd(a, 4)];
        x.options = kind == 0 ? FS_DIRECTORY_FILE : rnd(a, 8) == 0 ? FS_DELETE_ON_CLOSE : 0;
        if (kind == 0)
            x.disposition = FS_OPEN_IF;
        if (kind == 5)
            x.stream = "s";
        x.lease_kind = CO_OPLOCK;
        x.lease_want = rnd(a, 2) ? CO_R : 0;
        a->c.party.open++;
        a->c.q.party = &a->c.party;
        if (fs_open(&a->c.q, &x, &r) == ST_OK) {
            a->opened++;
            for (unsigned k = rnd(a, 4); k--;)
                use(a, r.open);
            struct fs_attr at_;
            fs_close(&a->c.q, r.open, rnd(a, 2) ? &at_ : NULL);
        }
        arena_reset(&a->c.arena);
    }
    return NULL;
}

static void stress(void **state)
{
    static struct actor a[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        a[i] = (struct actor){.rng = 77 + i * 1000003, .id = i};
        caller_init(&a[i].c, &w, 0, 0);
        caller_smb(&a[i].c, i + 1, 1000000 * (i + 1));
        memset(a[i].c.party.lease, 0, 16);
        a[i].c.q.job = NULL; /* who would wait, is sent away */
        assert_int_equal(pthread_create(&a[i].thread, NULL, act, &a[i]), 0);
    }
    unsigned opened = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(a[i].thread, NULL);
        opened += a[i].opened;
        caller_done(&a[i].c);
    }
    assert_true(opened > ROUNDS / 2);
    struct co_stats s;
    co_stats(w.fs->co, &s);
    assert_int_equal(s.shares, 0);
    assert_int_equal(s.entered, 0);
    assert_int_equal(s.files, 0);
    assert_int_equal(w.fs->opens.count, 0);
    assert_int_equal(w.fs->watching, 0);
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {BOTH(stress)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
