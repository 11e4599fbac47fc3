/* test_readdir.c - READDIR and READDIRPLUS: budgets to the byte, cookies over changes, verifiers. */
#include "env.h"
#include "nfs/nfs3.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define FILES 300
static struct env env;
static struct fh dir;

static int setup(void **state)
{
    char name[64];
    env_start(&env, NULL, 10);
    struct fh root = env_mount(&env, "/share");
    assert(nfs_mkdir(&env, &root, "list", &dir) == 0);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "%0*d", 1 + i % 40, i);
        assert(nfs_create(&env, &dir, name, NULL) == 0);
    }
    return 0;
}
static int teardown(void **state)
{
    env_stop(&env);
    return 0;
}

struct page {
    uint32_t status;
    size_t ok_size;       /* of the resok structure */
    size_t dir_size;      /* of fileids, names and cookies */
    unsigned n, with_attr, with_fh;
    uint64_t cookie, verf, cookies[FILES + 2];
    bool eof;
    char names[FILES + 2][64];
};

static struct page list(uint64_t cookie, uint64_t verf, uint32_t dircount, uint32_t maxcount, bool plus)
{
    struct page p = {0};
    struct bytes b = env_args(&env, NFS, 3, plus ? NFS3_READDIRPLUS : NFS3_READDIR);
    put_fh(&b, &dir);
    put64(&b, cookie);
    put64(&b, verf);
    if (plus)
        put32(&b, dircount);
    put32(&b, maxcount);
    b = env_call(&env, b);
    p.status = get32(&b);
    assert_true(get_post(&b, NULL));
    if (p.status == 0) {
        p.verf = get64(&b);
        while (get32(&b)) {
            uint32_t n;
            get64(&b);
            const uint8_t *name = get_opaque(&b, &n);
            assert_true(n < sizeof p.names[0] && p.n < FILES + 2);
            memcpy(p.names[p.n], name, n);
            p.cookies[p.n++] = p.cookie = get64(&b);
            p.dir_size += 24 + XDR_PAD(n);
            if (plus) {
                p.with_attr += get_post(&b, NULL);
                if (get32(&b)) {
                    get_fh(&b);
                    p.with_fh++;
                }
            }
        }
        p.eof = get32(&b);
    }
    p.ok_size = b.n - 24 - 4;
    assert_int_equal(b.at, b.n);
    drop(&b);
    return p;
}

static void lists_all_once_in_pages(void **state)
{
    for (int plus = 0; plus <= 1; plus++) {
        for (uint32_t budget = 600; budget <= 20000; budget = budget * 3 / 2 + 7) {
            uint64_t cookie = 0, verf = 0;
            unsigned seen = 0, pages = 0;
            bool eof = false, found[FILES] = {false};
            while (!eof) {
                struct page p = list(cookie, verf, budget, budget, plus);
                assert_int_equal(p.status, NFS3_OK);
                assert_true(p.n > 0 && p.ok_size <= budget);
                for (unsigned i = 0; i < p.n; i++) {
                    if (strcmp(p.names[i], ".") == 0 || strcmp(p.names[i], "..") == 0)
                        continue;
                    int at = atoi(p.names[i]);
                    assert_false(found[at]);
                    found[at] = true;
                }
                if (plus)
                    assert_true(p.with_attr == p.n && p.with_fh == p.n);
                seen += p.n;
                cookie = p.cookie;
                verf = p.verf;
                eof = p.eof;
                assert_true(++pages < 1000);
            }
            assert_int_equal(seen, FILES + 2);
        }
    }
}

/* The most that fits: an answer of exactly maxcount bytes is given, one byte less drops exactly one entry. */
static void the_budget_is_exact(void **state)
{
    for (int plus = 0; plus <= 1; plus++) {
        struct page p = list(0, 0, 1 << 20, 5000, plus);
        assert_false(p.eof);
        struct page exact = list(0, 0, 1 << 20, (uint32_t)p.ok_size, plus);
        assert_int_equal(exact.n, p.n);
        assert_int_equal(exact.ok_size, p.ok_size);
        struct page less = list(0, 0, 1 << 20, (uint32_t)p.ok_size - 1, plus);
        assert_int_equal(less.n, p.n - 1);
        struct page all = list(0, 0, 1 << 20, 1 << 20, plus);
        assert_true(all.eof);
        assert_int_equal(all.n, FILES + 2);
        struct page fits = list(0, 0, 1 << 20, (uint32_t)all.ok_size, plus);
        assert_true(fits.eof && fits.n == all.n);
        less = list(0, 0, 1 << 20, (uint32_t)all.ok_size - 1, plus);
        assert_true(!less.eof && less.n == all.n - 1);
    }
}

static void dircount_bounds_names_only(void **state)
{
    struct page p = list(0, 0, 500, 1 << 20, true);
    assert_true(p.dir_size <= 500 && p.n > 2 && !p.eof);
    struct page exact = list(0, 0, (uint32_t)p.dir_size, 1 << 20, true);
    assert_int_equal(exact.n, p.n);
    struct page less = list(0, 0, (uint32_t)p.dir_size - 1, 1 << 20, true);
    assert_int_equal(less.n, p.n - 1);
    struct page one = list(0, 0, 1, 1 << 20, true); /* a hint is no reason for no progress */
    assert_int_equal(one.n, 1);
}

static void too_small_is_said(void **state)
{
    for (uint32_t n = 0; n < 88 + 8 + 28 + 8; n += 4) {
        assert_int_equal(list(0, 0, 1000, n, false).status, NFS3ERR_TOOSMALL);
        assert_int_equal(list(0, 0, 1000, n, true).status, NFS3ERR_TOOSMALL);
    }
    struct page p = list(0, 0, 1000, 88 + 8 + 28 + 8, false);
    assert_true(p.status == NFS3_OK && p.n == 1);
}

static void verifiers_and_ends(void **state)
{
    struct page p = list(0, 0, 4096, 4096, false);
    assert_int_equal(list(p.cookie, p.verf ^ 1, 4096, 4096, false).status, NFS3ERR_BAD_COOKIE);
    assert_int_equal(list(p.cookie, p.verf, 4096, 4096, false).status, NFS3_OK);
    struct page all = list(0, 0, 1 << 20, 1 << 20, false);
    struct page rest = list(all.cookie, all.verf, 4096, 4096, false);
    assert_true(rest.status == NFS3_OK && rest.n == 0 && rest.eof);
}

/* Entries that stay are listed exactly once, whatever comes and goes in between. */
static void cookies_survive_changes(void **state)
{
    uint64_t cookie = 0, verf = 0;
    bool eof = false, found[FILES] = {false};
    char name[64];
    for (int round = 0; !eof; round++) {
        struct page p = list(cookie, verf, 800, 800, false);
        assert_int_equal(p.status, NFS3_OK);
        for (unsigned i = 0; i < p.n; i++) {
            if (p.names[i][0] == '.' || p.names[i][0] == 'x')
                continue;
            int at = atoi(p.names[i]);
            assert_false(found[at]);
            found[at] = true;
        }
        cookie = p.cookie;
        verf = p.verf;
        eof = p.eof;
        snprintf(name, sizeof name, "x%d", round);
        assert_int_equal(nfs_create(&env, &dir, name, NULL), NFS3_OK);
        if (round > 0) {
            snprintf(name, sizeof name, "x%d", round - 1);
            assert_int_equal(nfs_remove(&env, &dir, name), NFS3_OK);
        }
        /* the entry that the cookie stands on */
        if (round == 2 && p.n > 0 && p.names[p.n - 1][0] != 'x')
            assert_int_equal(nfs_remove(&env, &dir, p.names[p.n - 1]), NFS3_OK);
    }
    for (int i = 0; i < FILES; i++)
        assert_true(found[i]);
}

static void not_a_directory(void **state)
{
    struct fh f, d = dir;
    assert_int_equal(nfs_create(&env, &dir, "file", &f), NFS3_OK);
    dir = f;
    assert_int_equal(list(0, 0, 4096, 4096, false).status, NFS3ERR_NOTDIR);
    dir = d;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_all_once_in_pages), cmocka_unit_test(the_budget_is_exact),
        cmocka_unit_test(dircount_bounds_names_only), cmocka_unit_test(too_small_is_said),
        cmocka_unit_test(verifiers_and_ends),      cmocka_unit_test(cookies_survive_changes),
        cmocka_unit_test(not_a_directory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
