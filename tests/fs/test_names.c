/* test_names.c - the map between names is total and reversible; folding; patterns; aliases. */
#include "base/bytes.h"
#include "base/utf.h"
#include "fs/names.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static uint64_t rng = 88172645463325252ull;
static uint32_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 16);
}

static void there_and_back(const char *name, size_t n)
{
    uint8_t w[2 * 255];
    char back[1024];
    size_t nb = 0, nw = name_to_windows(name, n, w, sizeof w);
    assert_int_not_equal(nw, (size_t)-1);
    assert_true(nw <= 2 * n);
    for (size_t i = 0; i < nw; i += 2) {
        uint16_t c = get_le16(w + i);
        assert_true(c >= 0x20 && !(c < 0x80 && strchr("\"*:<>?\\|/", c)));
    }
    assert_true(get_le16(w + nw - 2) != ' ' && get_le16(w + nw - 2) != '.');
    assert_int_equal(name_from_windows(w, nw, 0, back, sizeof back, &nb), ST_OK);
    assert_int_equal(nb, n);
    assert_memory_equal(back, name, n);
}

static void test_bytes_round_trip(void **state)
{
    static const char *bits[] = {"\xed\xa0\x80", "\xed\xb0\x80", "\xef\x80\xa8", "\xef\x80\xa9", "\xef\x9f\xbf",
                                 "\xef\x80\x81", "\xf0\x90\x80\x80", "\xc3\xa9", ".",
                                 " ", "\\", ":", "\x01", "a", "\xed", "\xa0",
                                 "\xff", "\xef\x9c\x80", "\xe2\x82\xac", "\xf4\x90\x80\x80", "\xc0\x80"};
    for (unsigned round = 0; round < 200000; round++) {
        char name[256];
        size_t n = 0, want = 1 + rnd() % (round % 16 ? 12 : 250);
        while (n < want) {
            if (round & 1) {
                const char *b = bits[rnd() % ARRAY_LEN(bits)];
                if (n + strlen(b) > 255)
                    break;
                memcpy(name + n, b, strlen(b));
                n += strlen(b);
            } else {
                uint8_t c = (uint8_t)rnd();
                name[n++] = (char)(c == 0 || c == '/' ? 'x' : c);
            }
        }
        if ((n == 1 && name[0] == '.') || (n == 2 && !memcmp(name, "..", 2)))
            continue;
        there_and_back(name, n);
    }
}

static void check_units(const uint16_t *u, size_t n, unsigned *ok, unsigned *refused)
{
    uint8_t w[16], again[32];
    char name[64];
    size_t nn = 0;
    for (size_t i = 0; i < n; i++)
        put_le16(w + 2 * i, u[i]);
    enum st st = name_from_windows(w, 2 * n, 0, name, sizeof name, &nn);
    if (st != ST_OK) {
        assert_int_equal(st, ST_BADNAME);
        ++*refused;
        return;
    }
    assert_null(memchr(name, '/', nn));
    assert_null(memchr(name, 0, nn));
    there_and_back(name, nn);
    /* A Windows name comes back as itself unless its private code points spell something else. */
    size_t m = name_to_windows(name, nn, again, sizeof again);
    bool private = false;
    for (size_t i = 0; i < n; i++)
        private |= (u[i] & 0xf800) == 0xf000;
    bool tail = u[n - 1] == ' ' || u[n - 1] == '.';
    if (!tail && (!private || n == 1) && !(n == 1 && u[0] >= 0xf780 && u[0] <= 0xf7ff)) {
        assert_int_equal(m, 2 * n);
        assert_memory_equal(again, w, m);
    }
    ++*ok;
}

static void test_all_units(void **state)
{
    unsigned ok = 0, refused = 0;
    for (uint32_t c = 0; c < 0x10000; c++) {
        uint16_t one[1] = {(uint16_t)c}, a[2] = {'a', (uint16_t)c}, b[3] = {'a', (uint16_t)c, 'b'};
        uint16_t high[3] = {0xd812, (uint16_t)c, 'b'}, low[3] = {'a', (uint16_t)c, 0xdc34};
        uint16_t pair[4] = {0xd812, (uint16_t)c, 0xdc34, 0xdc00};
        check_units(one, 1, &ok, &refused);
        check_units(a, 2, &ok, &refused);
        check_units(b, 3, &ok, &refused);
        check_units(high, 3, &ok, &refused);
        check_units(low, 3, &ok, &refused);
        check_units(pair, 4, &ok, &refused);
    }
    /* 32 controls and " * / : < > ? \ | in six places, and what is "." alone. */
    assert_int_equal(refused, 41 * 6 + 2);
    assert_int_equal(ok + refused, 6 * 0x10000);
}

static enum st from(const char *utf8, unsigned flags, char *out, size_t *n)
{
    uint8_t w[512];
    size_t nw = utf8_to_utf16le(utf8, strlen(utf8), w, sizeof w);
    return name_from_windows(w, nw, flags, out, 256, n);
}

static void test_paths(void **state)
{
    static const struct {
        const char *in;
        unsigned flags;
        enum st st;
        const char *out;
    } cases[] = {
        {"a\\b\\c", NAME_PATH, ST_OK, "a/b/c"},
        {"", NAME_PATH, ST_OK, ""},
        {"", 0, ST_BADNAME, NULL},
        {"a\\b", 0, ST_BADNAME, NULL},
        {"a\\\\b", NAME_PATH, ST_BADNAME, NULL},
        {"\\a", NAME_PATH, ST_BADNAME, NULL},
        {"a\\", NAME_PATH, ST_BADNAME, NULL},
        {"a\\..\\b", NAME_PATH, ST_BADNAME, NULL},
        {"a\\.", NAME_PATH, ST_BADNAME, NULL},
        {"..", 0, ST_BADNAME, NULL},
        {"\xef\x80\xa9", 0, ST_BADNAME, NULL},      /* U+F029: would be "." */
        {".\xef\x80\xa9", 0, ST_BADNAME, NULL},     /* would be ".." */
        {"a\\.\xef\x80\xa9", NAME_PATH, ST_BADNAME, NULL},
        {"...", 0, ST_OK, "..."},
        {"a/b", NAME_PATH, ST_BADNAME, NULL},
        {"a:b", 0, ST_BADNAME, NULL},
        {"a*b?", NAME_PATTERN, ST_OK, "a*b?"},
        {"a*b", 0, ST_BADNAME, NULL},
        {"a\xef\x80\xaa" "b", 0, ST_OK, "a*b"},
        {"a\xef\x80\xaa" "b", NAME_PATTERN, ST_OK, "a\xef\x80\xaa" "b"},
        {".", NAME_PATTERN, ST_OK, "."},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[256];
        size_t n = 0;
        assert_int_equal(from(cases[i].in, cases[i].flags, out, &n), cases[i].st);
        if (cases[i].out) {
            assert_int_equal(n, strlen(cases[i].out));
            assert_string_equal(out, cases[i].out);
        }
    }
    char small[4];
    size_t n;
    assert_int_equal(name_from_windows((const uint8_t *)"a\0b\0c\0d\0", 8, 0, small, sizeof small, &n), ST_NAMETOOLONG);
    assert_int_equal(name_from_windows((const uint8_t *)"a\0b", 3, 0, small, sizeof small, &n), ST_BADNAME);
}

static void test_fold(void **state)
{
    static const char *same[][2] = {{"readme.TXT", "README.txt"}, {"\xc3\xa9", "\xc3\x89"}, {"\xcf\x83", "\xce\xa3"}};
    static const char *other[][2] = {{"a", "b"}, {"a", "aa"}, {"\xc3\xa9", "e"}, {"\xff", "\xfe"}};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        const char *a = same[i][0], *b = same[i][1];
        assert_true(name_fold_equal(a, strlen(a), b, strlen(b)));
        assert_true(name_fold_hash(a, strlen(a)) == name_fold_hash(b, strlen(b)));
    }
    for (size_t i = 0; i < ARRAY_LEN(other); i++)
        assert_false(name_fold_equal(other[i][0], strlen(other[i][0]), other[i][1], strlen(other[i][1])));
}

static void test_match(void **state)
{
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {
        {"*", "anything", true}, {"*.c", "a.c", true}, {"*.c", "a.cc", false}, {"A*", "abc", true},
        {"a?c", "abc", true}, {"a?c", "ac", false}, {"a?", "a", false}, {"*a*b*", "xxaxxbxx", true},
        {"abc", "ABC", true}, {"abc", "abd", false}, {"*.*", "noext", false},
        /* DOS_QM: a run of them matches fewer characters before a period or the end. */
        {">>>>.txt", "ab.txt", true}, {">>>>.txt", "abcde.txt", false}, {"a>>", "a", true}, {"a>>", "abc", true},
        {">>>", "abcd", false},
        /* DOS_STAR: up to the last period. */
        {"<.txt", "a.b.txt", true}, {"<.b", "a.b.txt", false}, {"<\"*", "noext", true}, {"<", "ab.c", false},
        {"<c", "ab.c", false}, {"<.", "ab.c", false}, {"<b", "ab", true},
        /* DOS_DOT: a period, or nothing at the end. */
        {"abc\"", "abc", true}, {"abc\"", "abc.", true}, {"abc\"def", "abc.def", true}, {"a\"b", "axb", false},
        {"a\"\"", "a", true},
        {"", "", true}, {"", "a", false}, {"\xc3\x89*", "\xc3\xa9t\xc3\xa9", true}, {"?", "\xc3\xa9", true},
        {"a\xef\x80\xaa", "a*", true}, {"a\xef\x80\xaa", "ab", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (name_match(cases[i].pattern, strlen(cases[i].pattern), cases[i].name, strlen(cases[i].name)) !=
            cases[i].match)
            fail_msg("pattern %s, name %s", cases[i].pattern, cases[i].name);
    /* Work is bounded whatever the pattern. */
    char stars[255], as[255];
    for (unsigned i = 0; i < 255; i++)
        stars[i] = i % 2 ? 'a' : '*';
    stars[254] = 'b';
    memset(as, 'a', sizeof as);
    for (unsigned i = 0; i < 100; i++)
        assert_false(name_match(stars, 255, as, 255));
}

static void test_short(void **state)
{
    char s[13];
    assert_false(name_short("README.TXT", 10, 1, s));
    assert_false(name_short("abcdefgh", 8, 1, s));
    assert_true(name_short("abcdefghi", 9, 1, s));
    assert_true(strlen(s) <= 12 && strchr(s, '~'));
    assert_true(name_short("a long name.html", 16, 77, s));
    assert_string_equal(strchr(s, '.'), ".HTM");
    assert_true(name_short(".bashrc", 7, 77, s));
    assert_true(name_short("a.b.c", 5, 77, s));
    assert_true(name_short("\xff\xfe", 2, 77, s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_round_trip), cmocka_unit_test(test_all_units), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_fold), cmocka_unit_test(test_match), cmocka_unit_test(test_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
