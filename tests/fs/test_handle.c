/* test_handle.c - handles are known again, also after a restart, and cannot be made up; shares keep their numbers. */
#include "world.h"

static struct world w;
static struct caller c;

static int setup(void **state)
{
    if (world_open(&w, *state, true) != 0)
        return -1;
    caller_init(&c, &w, 0, 0);
    return 0;
}
static int teardown(void **state)
{
    caller_done(&c);
    world_close(&w);
    return 0;
}

static enum st from(const uint8_t *h, size_t n, struct st_node **ret)
{
    struct fs_share *s = NULL;
    enum st st = fs_from_handle(w.fs, h, n, &s, ret);
    if (st == ST_OK) {
        assert_int_equal(s->id, w.share->id);
        fs_share_put(s);
    }
    return st;
}

static void round_trip(void **state)
{
    struct st_node *n = mk(&c, w.root, "f", ST_REG, 0600), *m = NULL;
    uint8_t h[FS_HANDLE_MAX], h2[FS_HANDLE_MAX];
    size_t len, len2;
    assert_st(RUN(&c, fs_handle(&c.q, n, h, &len)), ST_OK);
    assert_true(len <= FS_HANDLE_MAX);
    assert_st(from(h, len, &m), ST_OK);
    assert_ptr_equal(m, n);
    assert_st(RUN(&c, fs_handle(&c.q, m, h2, &len2)), ST_OK);
    assert_true(len == len2 && !memcmp(h, h2, len));
    st_unref(m);
    assert_st(RUN(&c, fs_remove(&c.q, w.root, "f", 1, false, NULL)), ST_OK);
    st_unref(n);
    assert_st(from(h, len, &m), ST_STALE);
}

static void forgery(void **state)
{
    struct st_node *n = mk(&c, w.root, "f", ST_REG, 0600), *m = NULL;
    uint8_t h[FS_HANDLE_MAX + 1] = {0};
    size_t len;
    assert_st(RUN(&c, fs_handle(&c.q, n, h, &len)), ST_OK);
    for (size_t i = 0; i < len * 8; i++) {
        h[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_st(from(h, len, &m), ST_BADHANDLE);
        h[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t i = 0; i <= FS_HANDLE_MAX + 1; i++)
        if (i != len)
            assert_st(from(h, i, &m), ST_BADHANDLE);
    assert_st(from(h, len, &m), ST_OK);
    st_unref(m);
    st_unref(n);
}

static void restart(void **state)
{
    struct st_node *n = mk(&c, w.root, "f", ST_REG, 0600), *m = NULL;
    uint8_t h[FS_HANDLE_MAX];
    size_t len;
    uint64_t id = fs_node_id(n), verifier = fs_boot_verifier(w.fs);
    assert_st(RUN(&c, fs_handle(&c.q, n, h, &len)), ST_OK);
    st_unref(n);
    caller_done(&c);
    world_stop(&w);
    assert_int_equal(world_start(&w), 0);
    caller_init(&c, &w, 0, 0);
    assert_int_not_equal(verifier, fs_boot_verifier(w.fs));
    if (!strcmp(w.store, "mem")) {
        assert_st(from(h, len, &m), ST_STALE); /* still ours, but the memory is gone */
        return;
    }
    assert_st(from(h, len, &m), ST_OK);
    assert_int_equal(fs_node_id(m), id);
    st_unref(m);
}

static bool count(void *arg, struct fs_share *s)
{
    ++*(unsigned *)arg;
    return true;
}

static void shares(void **state)
{
    struct fs_share_config cfg = world_config(&w), mem = {.name = "Other", .store = "mem", .nfs = true};
    struct st_node *n = mk(&c, w.root, "f", ST_REG, 0600), *m = NULL;
    uint8_t h[FS_HANDLE_MAX];
    size_t len;
    unsigned found = 0;
    assert_st(RUN(&c, fs_handle(&c.q, n, h, &len)), ST_OK);
    assert_st(fs_share_set(w.fs, "Other", &mem), ST_OK);
    struct fs_share *other = fs_share_get(w.fs, "oTHER", 5);
    assert_non_null(other);
    uint32_t id = other->id;
    assert_int_not_equal(id, w.share->id);
    fs_share_each(w.fs, count, &found);
    assert_int_equal(found, 2);
    fs_share_put(other);

    cfg.read_only = true; /* changed: the old one stays for those who have it, the objects are the same */
    assert_st(fs_share_set(w.fs, "SHARE", &cfg), ST_OK);
    assert_false(w.share->cfg.read_only);
    assert_true(fs_node_share(n)->cfg.read_only);
    assert_st(from(h, len, &m), ST_OK);
    assert_ptr_equal(m, n);
    st_unref(m);

    assert_st(fs_share_set(w.fs, "share", NULL), ST_OK);
    assert_st(fs_share_set(w.fs, "share", NULL), ST_NOENT);
    assert_null(fs_share_get(w.fs, "share", 5));
    assert_st(from(h, len, &m), ST_STALE);
    st_unref(mk(&c, w.root, "still", ST_REG, 0600)); /* who is in stays in */
    assert_st(fs_share_set(w.fs, "share", &cfg), ST_OK);
    assert_st(from(h, len, &m), strcmp(w.store, "mem") ? ST_OK : ST_STALE);
    st_unref(m);
    st_unref(n);

    assert_st(fs_share_set(w.fs, "other", NULL), ST_OK);
    assert_st(fs_share_set(w.fs, "Other", &mem), ST_OK);
    other = fs_share_by_id(w.fs, id);
    assert_non_null(other);
    fs_share_put(other);
    strcpy(mem.store, "tape");
    strcpy(mem.name, "third");
    assert_st(fs_share_set(w.fs, "third", &mem), ST_INVAL);
}

#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(round_trip), BOTH(forgery), BOTH(restart), BOTH(shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
