/* test_users.c - users of the state database; the NT hash. */
#include "fs/users.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void check_hash(const char *password, const char *hex)
{
    uint8_t h[16];
    char got[33];
    nt_hash(password, h);
    for (unsigned i = 0; i < 16; i++)
        snprintf(got + 2 * i, 3, "%02x", h[i]);
    assert_string_equal(got, hex);
}

static void test_nt_hash(void **state)
{
    check_hash("", "31d6cfe0d16ae931b73c59d7e0c089c0");
    check_hash("Password", "a4f49c406510bdcab6824ee7c30fd852"); /* [MS-NLMP] 4.2.2.1.2 */
    check_hash("password", "8846f7eaee8fb117ad06bdd830b7586c");
    char longer[400];
    memset(longer, 'x', sizeof longer);
    longer[399] = 0;
    uint8_t a[16], b[16];
    nt_hash(longer, a);
    longer[398] = 'y';
    nt_hash(longer, b);
    assert_memory_not_equal(a, b, 16);
}

static bool count(void *arg, const struct fs_user *u)
{
    ++*(unsigned *)arg;
    return true;
}

static void test_users(void **state)
{
    char dir[] = "/tmp/concord-users-XXXXXX", cmd[64];
    struct kv *kv = NULL;
    struct fs_user u;
    struct fs_cred c;
    unsigned n = 0;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(kv_open(dir, &kv), 0);
    assert_int_equal(fs_user_get(kv, "ann", &u), ST_NOSUCHUSER);
    assert_int_equal(fs_user_each(kv, count, &n), ST_OK);
    assert_int_equal(n, 0);
    assert_int_equal(fs_user_set(kv, "Ann", "Password", 1234, 567, true), ST_OK);
    assert_int_equal(fs_user_set(kv, "aNN", "x", 1, 1, true), ST_EXIST);
    assert_int_equal(fs_user_get(kv, "ANN", &u), ST_OK);
    assert_string_equal(u.name, "Ann");
    assert_int_equal(u.uid, 1234);
    assert_int_equal(u.gid, 567);
    uint8_t h[16];
    nt_hash("Password", h);
    assert_memory_equal(u.nt_hash, h, 16);
    /* A new password keeps the ids. */
    assert_int_equal(fs_user_set(kv, "ann", "other", UINT32_MAX, UINT32_MAX, false), ST_OK);
    assert_int_equal(fs_user_get(kv, "ann", &u), ST_OK);
    assert_int_equal(u.uid, 1234);
    assert_memory_not_equal(u.nt_hash, h, 16);
    assert_int_equal(fs_user_set(kv, "root", "r", UINT32_MAX, 0, true), ST_OK);
    assert_int_equal(fs_user_get(kv, "root", &u), ST_OK);
    assert_int_equal(u.uid, 0);
    fs_user_cred(&u, &c);
    assert_true(c.superuser);
    assert_int_equal(fs_user_set(kv, "nobody-of-this-name", "r", UINT32_MAX, 0, true), ST_OK);
    assert_int_equal(fs_user_get(kv, "nobody-of-this-name", &u), ST_OK);
    assert_int_equal(u.uid, geteuid());
    assert_int_equal(fs_user_set(kv, "\xc3\xa9ric", "r", 5, 5, true), ST_OK);
    assert_int_equal(fs_user_get(kv, "\xc3\x89RIC", &u), ST_OK);
    assert_int_equal(fs_user_each(kv, count, &n), ST_OK);
    assert_int_equal(n, 4);
    static const char *bad[] = {"", "a\\b", "a/b", " a", "a ", "a.", "a\x01", "\xff",
                                "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(fs_user_set(kv, bad[i], "p", 1, 1, true), ST_BADNAME);
    assert_int_equal(fs_user_remove(kv, "aNn"), ST_OK);
    assert_int_equal(fs_user_remove(kv, "ann"), ST_NOSUCHUSER);
    kv_close(kv);
    snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    assert_int_equal(system(cmd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nt_hash), cmocka_unit_test(test_users)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
