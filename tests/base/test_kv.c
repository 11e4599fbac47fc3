/* test_kv.c - persistence, tables, the one-writer rule, growth beyond the first map, and several threads. */
#include "base/kv.h"
#include "cm.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

static char dir[64];

static int setup(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test-kv-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const names[] = {"state.mdb", "state.mdb-lock", "state.lock"};
    char path[128];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(path, sizeof path, "%s/a/b/%s", dir, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/a/b", dir);
    rmdir(path);
    snprintf(path, sizeof path, "%s/a", dir);
    rmdir(path);
    return rmdir(dir);
}

static struct kv *kv_at(void)
{
    char path[128];
    struct kv *kv = NULL;
    snprintf(path, sizeof path, "%s/a/b", dir);
    assert_int_equal(kv_open(path, &kv), 0);
    return kv;
}

static void expect(struct kv *kv, const char *table, const char *key, const char *want)
{
    void *val = NULL;
    size_t n = 0;
    int r = kv_get(kv, table, key, strlen(key), &val, &n);
    if (!want) {
        assert_int_equal(r, -ENOENT);
        return;
    }
    assert_int_equal(r, 0);
    assert_int_equal(n, strlen(want));
    assert_string_equal(val, want);
    free(val);
}

static void test_persistence(void **state)
{
    struct kv *kv = kv_at();
    struct stat st;
    char path[128];
    snprintf(path, sizeof path, "%s/a/b", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    expect(kv, "users", "ann", NULL);
    assert_int_equal(kv_put(kv, "users", "ann", 3, "1", 1), 0);
    assert_int_equal(kv_put(kv, "users", "ann", 3, "one", 3), 0);
    assert_int_equal(kv_put(kv, "users", "bob", 3, "", 0), 0);
    assert_int_equal(kv_put(kv, "hosts", "ann", 3, "other", 5), 0);
    kv_close(kv);
    kv = kv_at();
    expect(kv, "users", "ann", "one");
    expect(kv, "users", "bob", "");
    expect(kv, "hosts", "ann", "other");
    expect(kv, "hosts", "bob", NULL);
    assert_int_equal(kv_del(kv, "users", "ann", 3), 0);
    assert_int_equal(kv_del(kv, "users", "ann", 3), -ENOENT);
    expect(kv, "users", "ann", NULL);
    assert_int_equal(kv_put(kv, "users", "", 0, "x", 1), -EINVAL);
    char key[600] = {1};
    assert_int_equal(kv_put(kv, "users", key, sizeof key, "x", 1), -EINVAL);
    kv_close(kv);
    kv_close(NULL);
}

static void test_busy(void **state)
{
    struct kv *kv = kv_at(), *second = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/a/b", dir);
    assert_int_equal(kv_open(path, &second), -EBUSY);
    kv_close(kv);
    kv_close(kv_at());
    assert_int_equal(kv_open("/proc/self/none", &kv) < 0, 1);
}

static int collect(void *arg, const void *key, size_t nkey, const void *val, size_t n)
{
    char *out = arg;
    strncat(out, key, nkey);
    strncat(out, val, n);
    return strlen(out) >= 6 ? 42 : 0;
}

static void test_each(void **state)
{
    struct kv *kv = kv_at();
    char out[64] = "";
    assert_int_equal(kv_each(kv, "letters", collect, out), 0);
    assert_string_equal(out, "");
    assert_int_equal(kv_put(kv, "letters", "b", 1, "2", 1), 0);
    assert_int_equal(kv_put(kv, "letters", "a", 1, "1", 1), 0);
    assert_int_equal(kv_each(kv, "letters", collect, out), 0);
    assert_string_equal(out, "a1b2");
    assert_int_equal(kv_put(kv, "letters", "c", 1, "3", 1), 0);
    assert_int_equal(kv_put(kv, "letters", "d", 1, "4", 1), 0);
    *out = 0;
    assert_int_equal(kv_each(kv, "letters", collect, out), 42);
    assert_string_equal(out, "a1b2c3");
    kv_close(kv);
}

/* The map starts at 64 MiB. */
static void test_growth(void **state)
{
    struct kv *kv = kv_at();
    size_t n = 30 << 20;
    char *big = calloc(1, n);
    for (unsigned i = 0; i < 4; i++) {
        big[n - 1] = (char)i;
        assert_int_equal(kv_put(kv, "big", &i, sizeof i, big, n), 0);
    }
    kv_close(kv);
    kv = kv_at(); /* more than a fresh map in the file */
    unsigned last = 3;
    void *val;
    size_t got;
    assert_int_equal(kv_get(kv, "big", &last, sizeof last, &val, &got), 0);
    assert_int_equal(got, n);
    assert_int_equal(((char *)val)[n - 1], 3);
    free(val);
    assert_int_equal(kv_put(kv, "big", "more", 4, big, n), 0);
    free(big);
    kv_close(kv);
}

static void test_put_all(void **state)
{
    struct kv *kv = kv_at();
    struct kv_item items[] = {{"x", 1, "1", 1}, {"y", 1, "2", 1}, {"x", 1, "3", 1}, {"", 0, "4", 1}};
    assert_int_equal(kv_put_all(kv, "many", items, 4), -EINVAL);
    expect(kv, "many", "x", NULL);
    assert_int_equal(kv_put_all(kv, "many", items, 0), 0);
    assert_int_equal(kv_put_all(kv, "many", items, 3), 0);
    expect(kv, "many", "x", "3");
    expect(kv, "many", "y", "2");
    kv_close(kv);
}

static void *worker(void *arg)
{
    struct kv *kv = arg;
    static _Atomic unsigned numbers;
    unsigned me = numbers++;
    char table[16];
    snprintf(table, sizeof table, "t%u", me % 2);
    for (unsigned i = 0; i < 20; i++) {
        unsigned key = me * 1000 + i;
        void *val = NULL;
        size_t n;
        assert_int_equal(kv_put(kv, table, &key, sizeof key, &i, sizeof i), 0);
        assert_int_equal(kv_get(kv, table, &key, sizeof key, &val, &n), 0);
        assert_memory_equal(val, &i, sizeof i);
        free(val);
        assert_int_equal(kv_del(kv, table, "no such key", 11), -ENOENT); /* does not disturb who shares the commit */
        if (i % 2)
            assert_int_equal(kv_del(kv, table, &key, sizeof key), 0);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct kv *kv = kv_at();
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, worker, kv);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    for (unsigned key = 0; key < 4000; key++) {
        void *val;
        size_t n;
        bool stays = key % 1000 < 20 && key % 2 == 0;
        assert_int_equal(kv_get(kv, key / 1000 % 2 ? "t1" : "t0", &key, sizeof key, &val, &n), stays ? 0 : -ENOENT);
        if (stays)
            free(val);
    }
    kv_close(kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_persistence), cmocka_unit_test(test_busy), cmocka_unit_test(test_each),
        cmocka_unit_test(test_growth),      cmocka_unit_test(test_threads),
        cmocka_unit_test(test_put_all),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
