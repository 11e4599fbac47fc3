/* test_st.c - every status has a name and a text; errno values map; unknown ones are I/O errors. */
#include "base/st.h"
#include "cm.h"
#include <errno.h>
#include <string.h>

static void test_words(void **state)
{
    for (int st = 0; st < ST_MAX; st++) {
        assert_int_equal(strncmp(st_name(st), "ST_", 3), 0);
        assert_true(strlen(st_text(st)) > 1);
    }
    assert_string_equal(st_name(ST_NOENT), "ST_NOENT");
    assert_non_null(st_name(ST_MAX));
    assert_non_null(st_text((enum st)-1));
}

static void test_errno(void **state)
{
    assert_int_equal(st_from_errno(0), ST_OK);
    assert_int_equal(st_from_errno(ENOENT), ST_NOENT);
    assert_int_equal(st_from_errno(EDQUOT), ST_DQUOT);
    assert_int_equal(st_from_errno(ENOTEMPTY), ST_NOTEMPTY);
    for (int e = -5; e < 5000; e++) {
        enum st st = st_from_errno(e);
        assert_true(e == 0 || (st > ST_END && st < ST_MAX));
    }
    assert_int_equal(st_from_errno(4000), ST_IO);
    assert_int_equal(st_from_errno(-ENOENT), ST_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_errno)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
