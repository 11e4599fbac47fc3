/* test_log.c - the form of a line, quoting, levels, and the rate. */
#include "base/clock.h"
#include "base/log.h"
#include "cm.h"
#include <errno.h>
#include <stdio.h>

static int fds[2];

static const char *line(void)
{
    static char buf[8192];
    ssize_t n = read(fds[0], buf, sizeof buf - 1);
    buf[n > 0 ? n : 0] = 0;
    return buf;
}

static void test_line(void **state)
{
    log_init(fds[1], LOG_INFO);
    errno = ENOENT;
    log_info("smb", "event=logon user=%s error=%m", "ann");
    assert_int_equal(errno, ENOENT);
    const char *s = line();
    assert_int_equal(s[4], '-');
    assert_int_equal(s[10], 'T');
    assert_int_equal(s[19], '.');
    assert_string_equal(s + 23, "Z INFO smb event=logon user=ann error=No such file or directory\n");
    log_debug("smb", "event=hidden");
    log_error("x", "event=%s", "two\nlines\x1b[0m");
    s = line();
    assert_string_equal(s + 23, "Z ERROR x event=two lines [0m\n");
    char big[9000];
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = 0;
    log_warn("x", "%s", big);
    s = line();
    assert_true(strlen(s) <= 4096);
    assert_int_equal(s[strlen(s) - 1], '\n');
}

static void test_quote(void **state)
{
    assert_string_equal(log_quote("a b", 3), "\"a b\"");
    assert_string_equal(log_quote("a\"\\\n\x01", 5), "\"a\\\"\\\\\\x0a\\x01\"");
    assert_string_equal(log_quote("\xc3\xa4\xff", 3), "\"\xc3\xa4\\xff\"");
    assert_string_equal(log_quote("\xe2\x80\xae", 3), "\"\\xe2\\x80\\xae\""); /* U+202E turns the line around */
    assert_string_equal(log_quote("", 0), "\"\"");
    char big[1000];
    memset(big, 1, sizeof big);
    const char *s = log_quote(big, sizeof big);
    assert_true(strlen(s) < 256);
    assert_string_equal(s + strlen(s) - 4, "...\"");
    assert_ptr_not_equal(log_quote("1", 1), log_quote("2", 1));
}

static void test_levels(void **state)
{
    enum log_level l;
    assert_true(log_level_parse("debug", &l));
    assert_int_equal(l, LOG_DEBUG);
    assert_true(log_level_parse("WARN", &l));
    assert_int_equal(l, LOG_WARN);
    assert_false(log_level_parse("loud", &l));
}

static void test_rate(void **state)
{
    struct log_rate r = {0};
    assert_true(log_allow(&r, 2, NSEC_PER_SEC * 1000));
    assert_true(log_allow(&r, 2, NSEC_PER_SEC * 1000));
    assert_false(log_allow(&r, 2, NSEC_PER_SEC * 1000));
    r.since -= MIN(r.since - 1, 2000 * NSEC_PER_SEC);
    assert_true(log_allow(&r, 2, 1));
    assert_true(clock_now() >= r.since);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_line), cmocka_unit_test(test_quote),
                                       cmocka_unit_test(test_levels), cmocka_unit_test(test_rate)};
    return pipe(fds) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
