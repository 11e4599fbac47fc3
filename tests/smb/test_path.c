/* Paths, streams and times as the wire has them. */
#include "tests/base/cm.h"
#include "base/utf.h"
#include "smb/file.h"

static struct arena arena;

static struct cursor utf16(const char *s)
{
    uint8_t *p = arena_alloc(&arena, 2 * strlen(s) + 2);
    return cursor_of(p, utf8_to_utf16le(s, strlen(s), p, 2 * strlen(s)));
}

static uint32_t parse(const char *s, struct smb_path *ret)
{
    struct cursor c = utf16(s);
    return smb_path_parse(&arena, c.p, cursor_left(&c), ret);
}

static void paths(void **state)
{
    struct smb_path p;
    assert_int_equal(parse("", &p), STATUS_SUCCESS);
    assert_int_equal(p.n, 0);
    assert_int_equal(parse("a\\b c\\d.txt", &p), STATUS_SUCCESS);
    assert_string_equal(p.path, "a/b c/d.txt");
    assert_null(p.stream);
    assert_int_equal(parse("\\a", &p), STATUS_INVALID_PARAMETER);
    assert_int_equal(parse("a*b", &p), STATUS_OBJECT_NAME_INVALID);
    static const struct {
        const char *name, *path;
    } tidy[] = {{"a\\..\\b", "b"}, {"a\\..", ""}, {"a\\b\\..", "a"}, {"a\\b\\..\\..\\c", "c"}, {"a/b", "a/b"},
                {"a\\b\\..\\c\\d", "a/c/d"}};
    for (size_t i = 0; i < ARRAY_LEN(tidy); i++) {
        assert_int_equal(parse(tidy[i].name, &p), STATUS_SUCCESS);
        assert_string_equal(p.path, tidy[i].path);
        assert_int_equal(p.n, strlen(tidy[i].path));
    }
    static const char *const outside[] = {"..", "..\\a", "a\\..\\..\\b", "..\\..\\.."};
    for (size_t i = 0; i < ARRAY_LEN(outside); i++)
        assert_int_equal(parse(outside[i], &p), STATUS_OBJECT_PATH_SYNTAX_BAD);
    assert_int_equal(parse("a\\", &p), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(parse("a\\.\\b", &p), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(parse("a\\\\b", &p), STATUS_OBJECT_NAME_INVALID);
    struct cursor c = utf16("ab");
    assert_int_equal(smb_path_parse(&arena, c.p, 3, &p), STATUS_INVALID_PARAMETER);
}

static void streams(void **state)
{
    static const struct {
        const char *name, *path, *stream;
        uint32_t status;
        bool data, directory;
    } cases[] = {
        {"d\\f:s", "d/f", "s", STATUS_SUCCESS, false, false},
        {"d\\f:s:$DATA", "d/f", "s", STATUS_SUCCESS, false, false},
        {"f:s:$data", "f", "s", STATUS_SUCCESS, false, false},
        {"f::$DATA", "f", NULL, STATUS_SUCCESS, true, false},
        {"d:$I30:$INDEX_ALLOCATION", "d", NULL, STATUS_SUCCESS, false, true},
        {"d::$INDEX_ALLOCATION", "d", NULL, STATUS_SUCCESS, false, true},
        {":s", "", "s", STATUS_SUCCESS, false, false},
        {"f:", "f", NULL, STATUS_OBJECT_NAME_INVALID, false, false},
        {"f::", "f", NULL, STATUS_OBJECT_NAME_INVALID, false, false},
        {"f:s:", "f", NULL, STATUS_OBJECT_NAME_INVALID, false, false},
        {"f:s:$FOO", "f", NULL, STATUS_OBJECT_NAME_INVALID, false, false},
        {"f:s:$DATA:x", "f", NULL, STATUS_OBJECT_NAME_INVALID, false, false},
        {"a:b\\c", "", NULL, STATUS_OBJECT_NAME_INVALID, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct smb_path p;
        assert_int_equal(parse(cases[i].name, &p), cases[i].status);
        if (cases[i].status != STATUS_SUCCESS)
            continue;
        assert_string_equal(p.path, cases[i].path);
        assert_true((p.stream == NULL) == (cases[i].stream == NULL));
        if (p.stream)
            assert_string_equal(p.stream, cases[i].stream);
        assert_int_equal(p.data, cases[i].data);
        assert_int_equal(p.directory, cases[i].directory);
    }
}

static void put(void **state)
{
    struct wbuf w;
    char back[64];
    wbuf_init(&w, 64, 4096);
    size_t n = smb_put_path(&w, "a/b", 3);
    assert_int_equal(n, 6);
    assert_int_equal(utf16le_to_utf8(wbuf_at(&w, 0), n, back, sizeof back), 3);
    assert_memory_equal(back, "a\\b", 3);
    wbuf_done(&w);
}

static void times(void **state)
{
    static const struct timespec all[] = {{0, 0}, {1, 100}, {-1, 0}, {-11644473600ll, 100}, {4294967295ll, 999999900}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct timespec t = smb_time_to_timespec(smb_time(&all[i]));
        assert_int_equal(t.tv_sec, all[i].tv_sec);
        assert_int_equal(t.tv_nsec, all[i].tv_nsec);
    }
    assert_int_equal(smb_time(&all[0]), 116444736000000000ull);
}

int main(void)
{
    arena_init(&arena);
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths), cmocka_unit_test(streams), cmocka_unit_test(put),
                                       cmocka_unit_test(times)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_reset(&arena);
    return failed;
}
