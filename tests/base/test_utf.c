/* test_utf.c - every code point through every conversion, what is not valid, and upper-casing. */
#include "base/bytes.h"
#include "base/utf.h"
#include "cm.h"

static void test_every_code_point(void **state)
{
    for (uint32_t cp = 0; cp < 0x110010; cp++) {
        uint8_t b[4], wide[4];
        char back[4];
        uint32_t got = 0;
        size_t n = utf8_encode(cp, b);
        if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff)) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_int_equal(n, cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4);
        assert_int_equal(utf8_decode(b, b + n, &got), n);
        assert_int_equal(got, cp);
        assert_int_equal(utf8_decode(b, b + n - 1, &got), 0);
        size_t m = utf8_to_utf16le(b, n, wide, sizeof wide);
        assert_int_equal(m, cp < 0x10000 ? 2 : 4);
        assert_int_equal(utf16le_to_utf8(wide, m, back, sizeof back), n);
        assert_memory_equal(b, back, n);
    }
}

static void test_invalid(void **state)
{
    static const char *const bad[] = {
        "\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xc3x",
        "\xe2\x82", "\xe2\x82x", "abcdefgh\xfe", "abcdefghabcdefg\xc3",
    };
    uint8_t out[64];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
        assert_true(utf8_to_utf16le(bad[i], strlen(bad[i]), out, sizeof out) == (size_t)-1);
    }
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("abcdefgh\0ijk\xc3\xa4\xf0\x9f\x98\x80", 18));
}

static void test_bounds(void **state)
{
    uint8_t out[8];
    char text[8];
    assert_int_equal(utf8_to_utf16le("abcd", 4, out, 8), 8);
    assert_true(utf8_to_utf16le("abcde", 5, out, 8) == (size_t)-1);
    assert_true(utf8_to_utf16le("abc\xf0\x9f\x98\x80", 7, out, 8) == (size_t)-1);
    assert_true(utf16le_to_utf8("a", 1, text, 8) == (size_t)-1);
    assert_true(utf16le_to_utf8("a\0b\0", 4, text, 1) == (size_t)-1);
    assert_int_equal(utf16le_to_utf8("", 0, text, 0), 0);
    /* a lone high, a lone low, a high before a plain one */
    assert_int_equal(utf16le_to_utf8("\x3d\xd8", 2, text, 8), 3);
    assert_memory_equal(text, "\xef\xbf\xbd", 3);
    assert_int_equal(utf16le_to_utf8("\x00\xde", 2, text, 8), 3);
    assert_int_equal(utf16le_to_utf8("\x3d\xd8\x61\x00", 4, text, 8), 4);
    assert_memory_equal(text, "\xef\xbf\xbd"
                              "a", 4);
}

static void test_upcase(void **state)
{
    static const uint32_t pairs[][2] = {
        {'a', 'A'},       {'z', 'Z'},       {'A', 'A'},       {'1', '1'},       {0xe4, 0xc4},     {0xdf, 0xdf},
        {0xf7, 0xf7},     {0xff, 0x178},    {0x101, 0x100},   {0x131, 0x131},   {0x17f, 0x17f},   {0xb5, 0xb5},
        {0x1c6, 0x1c4},   {0x1c5, 0x1c5},   {0x3b1, 0x391},   {0x3c2, 0x3a3},   {0x3c3, 0x3a3},   {0x430, 0x410},
        {0x451, 0x401},   {0x561, 0x531},   {0x1e01, 0x1e00}, {0x2170, 0x2160}, {0x24d0, 0x24b6}, {0xff41, 0xff21},
        {0x10d0, 0x10d0}, {0x4e2d, 0x4e2d}, {0xfffd, 0xfffd}, {0x10428, 0x10428},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        assert_int_equal(utf_upcase(pairs[i][0]), pairs[i][1]);
    for (uint32_t cp = 0; cp < 0x20000; cp++)
        assert_int_equal(utf_upcase(utf_upcase(cp)), utf_upcase(cp));
}

static void test_casecmp(void **state)
{
    assert_int_equal(utf8_casecmp("Stra\xc3\x9f" "e", 7, "stRA\xc3\x9f" "E", 7), 0);
    assert_int_equal(utf8_casecmp("\xc3\x84", 2, "\xc3\xa4", 2), 0);
    assert_true(utf8_casecmp("abc", 3, "ABD", 3) < 0);
    assert_true(utf8_casecmp("ab", 2, "ABC", 3) < 0);
    assert_true(utf8_casecmp("ABC", 3, "ab", 2) > 0);
    assert_int_equal(utf8_casecmp("a\xff", 2, "A\xff", 2), 0);
    assert_true(utf8_casecmp("a\xfe", 2, "A\xff", 2) < 0);
    assert_true(utf8_casecmp("\xb5", 1, "\xc2\xb5", 2) != 0); /* a byte is not the code point of its value */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point), cmocka_unit_test(test_invalid), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_upcase),           cmocka_unit_test(test_casecmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
