/* test_udp.c - datagrams over IPv4 and IPv6, answers from the address that was asked, closing within the callback. */
#include "net/conn.h"
#include "cm.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>

static struct loop *loop;
static _Atomic unsigned got;

static void echo(void *arg, struct udp *u, const uint8_t *p, size_t n, const struct sockaddr_storage *from)
{
    assert_ptr_equal(loop_self(), loop);
    assert_ptr_equal(arg, &got);
    udp_send(u, from, p, n);
    got++;
    if (n == 5 && memcmp(p, "close", 5) == 0)
        udp_close(u);
}

/* Asks and checks that the answer is the question, from where it was sent. */
static bool ask(const char *host, uint16_t port, const void *data, size_t n)
{
    static uint8_t back[65536];
    char text[80];
    struct sockaddr_storage to, from = {0};
    socklen_t len, from_len = sizeof from;
    snprintf(text, sizeof text, "%s:%u", host, port);
    assert_int_equal(addr_parse(text, &to, &len), 0);
    int fd = socket(to.ss_family, SOCK_DGRAM, 0);
    struct timeval patience = {.tv_sec = 5};
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool sent = sendto(fd, data, n, 0, (struct sockaddr *)&to, len) == (ssize_t)n;
    if (sent) {
        assert_int_equal(recvfrom(fd, back, sizeof back, 0, (struct sockaddr *)&from, &from_len), n);
        assert_memory_equal(back, data, n);
        char name[64];
        addr_format(&from, name, sizeof name);
        assert_string_equal(name, text);
    }
    close(fd);
    return sent;
}

static void test_echo(void **state)
{
    struct udp *u;
    static uint8_t big[60000];
    assert_int_equal(udp_open(loop, "*:0", echo, &got, &u), 0);
    uint16_t port = udp_port(u);
    assert_true(port != 0);
    for (int i = 0; i < 50; i++)
        assert_true(ask("127.0.0.1", port, "hello", 5));
    assert_true(ask("127.0.0.2", port, "other address", 13));
    assert_true(ask("127.0.0.1", port, big, sizeof big));
    assert_true(ask("127.0.0.1", port, "", 0));
    (void)ask("[::1]", port, "six", 3);
    udp_close(u);

    assert_int_equal(udp_open(loop, "127.0.0.1:0", echo, &got, &u), 0);
    assert_true(ask("127.0.0.1", udp_port(u), "four", 4));
    assert_true(ask("127.0.0.1", udp_port(u), "close", 5));
    assert_true(udp_open(loop, "1.2.3.4:5", echo, &got, &u) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_echo)};
    if (loop_create(&loop) < 0 || loop_start(loop, 0) < 0)
        return 1;
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    loop_stop(loop);
    loop_free(loop);
    return r;
}
