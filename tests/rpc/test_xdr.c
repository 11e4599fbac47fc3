/* test_xdr.c - XDR helpers at their bounds. */
#include "rpc/xdr.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void reads_within_bounds(void **state)
{
    static const uint8_t m[] = {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2};
    struct cursor c = cursor_of(m, sizeof m);
    uint32_t n;
    const char *s = xdr_string(&c, 5, &n);
    assert_int_equal(n, 5);
    assert_memory_equal(s, "hello", 5);
    assert_true(xdr_bool(&c));
    assert_false(c.bad);
    assert_int_equal(xdr_enum(&c, 2), 2);
    assert_false(c.bad);
    assert_int_equal(cursor_left(&c), 0);
}

static void refuses_what_is_too_long(void **state)
{
    static const uint8_t m[] = {0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0};
    uint32_t n;
    struct cursor c = cursor_of(m, sizeof m);
    assert_null(xdr_opaque(&c, 4, &n));
    assert_true(c.bad);
    assert_int_equal(n, 0);
    for (size_t len = 0; len < sizeof m; len++) { /* cut anywhere, also in the padding */
        c = cursor_of(m, len);
        assert_null(xdr_opaque(&c, 64, &n));
        assert_true(c.bad);
        assert_int_equal(n, 0);
    }
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4};
    c = cursor_of(huge, sizeof huge);
    assert_null(xdr_opaque(&c, UINT32_MAX, &n));
    assert_true(c.bad);
}

static void refuses_bad_enumerations(void **state)
{
    static const uint8_t two[] = {0, 0, 0, 2, 0, 0, 0, 3};
    struct cursor c = cursor_of(two, sizeof two);
    assert_false(xdr_bool(&c));
    assert_true(c.bad);
    c = cursor_of(two + 4, 4);
    assert_int_equal(xdr_enum(&c, 2), 0);
    assert_true(c.bad);
}

static void an_empty_opaque_is_good(void **state)
{
    static const uint8_t m[] = {0, 0, 0, 0};
    uint32_t n = 9;
    struct cursor c = cursor_of(m, sizeof m);
    assert_non_null(xdr_opaque(&c, 0, &n));
    assert_int_equal(n, 0);
    assert_false(c.bad);
}

static void writes_with_zero_padding(void **state)
{
    struct wbuf w;
    wbuf_init(&w, 16, 64);
    xdr_put_opaque(&w, "abc", 3);
    xdr_put_bool(&w, true);
    xdr_put_u64(&w, 0x0102030405060708ull);
    xdr_put_string(&w, "");
    static const uint8_t want[] = {0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0};
    assert_int_equal(wbuf_len(&w), sizeof want);
    assert_memory_equal(wbuf_at(&w, 0), want, sizeof want);
    wbuf_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_within_bounds),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(refuses_bad_enumerations),
        cmocka_unit_test(an_empty_opaque_is_good),
        cmocka_unit_test(writes_with_zero_padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
