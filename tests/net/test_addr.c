/* test_addr.c - addresses as text, both ways. */
#include "net/conn.h"
#include "cm.h"
#include <errno.h>
#include <netinet/in.h>

static void test_forms(void **state)
{
    static const struct {
        const char *text, *back;
        int family;
    } good[] = {
        {"10.0.0.1:2049", "10.0.0.1:2049", AF_INET}, {"[fe80::1]:700", "[fe80::1]:700", AF_INET6},
        {"*:445", "[::]:445", AF_INET6},             {":0", "[::]:0", AF_INET6},
        {"[::1]:65535", "[::1]:65535", AF_INET6},    {"0.0.0.0:1", "0.0.0.0:1", AF_INET},
    };
    static const char *const bad[] = {"",      "1.2.3.4",  "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:x", "::1:2049",
                                      "[::1]", "[::1]445", "[::1:445", "1.2.3.4:-1",    "1.2.3.4:123456"};
    struct sockaddr_storage a;
    socklen_t len;
    char text[64];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(addr_parse(good[i].text, &a, &len), 0);
        assert_int_equal(a.ss_family, good[i].family);
        assert_int_equal(len, a.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        addr_format(&a, text, sizeof text);
        assert_string_equal(text, good[i].back);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(addr_parse(bad[i], &a, &len), -EINVAL);
    a.ss_family = AF_UNIX;
    addr_format(&a, text, sizeof text);
    assert_string_equal(text, "local");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
