/* test_conn_limits.c - back-pressure by requests and by bytes, held requests, peers that stall or idle. */
#include "net/internal.h"
#include "peer.h"

static void test_inflight(void **state)
{
    struct peer s;
    peer_open(&s, PEER_KEEP, (struct conn_limits){.max_inflight = 8});
    for (uint32_t i = 0; i < 100; i++)
        ask(s.fd, i, 20);
    wait_for(s.messages == 8);
    usleep(20000);
    assert_int_equal(s.messages, 8);
    peer_release(&s, 3);
    wait_for(s.messages == 11);
    usleep(20000);
    assert_int_equal(s.messages, 11);
    for (uint32_t i = 12; i <= 100; i++) {
        peer_release(&s, 1);
        wait_for(s.messages == i);
    }
    peer_release(&s, 8);
    for (uint32_t i = 0; i < 100; i++)
        expect_echo(s.fd, i, 20);
    peer_end(&s);
}

/* Held requests do not count, and the count is exact again once they are finished. */
static void set_keep(void *arg)
{
    ((struct peer *)arg)->mode = PEER_KEEP;
}

static void set_hold(void *arg)
{
    ((struct peer *)arg)->mode = PEER_HOLD;
}

static void test_held(void **state)
{
    struct peer s;
    peer_open(&s, PEER_HOLD, (struct conn_limits){.max_inflight = 2});
    for (uint32_t i = 0; i < 50; i++)
        ask(s.fd, i, 20);
    wait_for(s.messages == 50);
    loop_call(s.loop, set_keep, &s);
    for (uint32_t i = 50; i < 60; i++)
        ask(s.fd, i, 20);
    wait_for(s.messages == 52);
    usleep(20000);
    assert_int_equal(s.messages, 52);
    loop_call(s.loop, set_hold, &s);
    peer_release(&s, 50); /* the held ones: nothing changes for the two */
    loop_call(s.loop, set_keep, &s);
    usleep(20000);
    assert_int_equal(s.messages, 52);
    for (uint32_t i = 0; i < 50; i++)
        expect_echo(s.fd, i, 20);
    for (uint32_t i = 53; i <= 60; i++) {
        peer_release(&s, 1);
        wait_for(s.messages == i);
    }
    peer_release(&s, 2);
    for (uint32_t i = 50; i < 60; i++)
        expect_echo(s.fd, i, 20);
    peer_end(&s);
}

/* A peer that asks and does not read: what waits for it is bounded, and nothing is lost. */
static void test_queued(void **state)
{
    enum { N = 400, SIZE = 20000 };
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){.max_queued = 100000});
    static uint8_t out[4 + SIZE];
    unsigned asked = 0;
    size_t at = sizeof out;
    for (;;) { /* until it takes no more */
        if (at == sizeof out) {
            if (asked == N)
                break;
            fill(out, asked++, SIZE);
            at = 0;
        }
        ssize_t n = send(s.fd, out + at, sizeof out - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            at += (size_t)n;
            continue;
        }
        struct pollfd p = {.fd = s.fd, .events = POLLOUT};
        if (poll(&p, 1, 300) == 0)
            break;
    }
    assert_true(asked < N); /* it did stop */
    unsigned before = s.messages;
    usleep(20000);
    assert_int_equal(s.messages, before);
    for (uint32_t i = 0; i + 1 < asked; i++)
        expect_echo(s.fd, i, SIZE);
    put_all(s.fd, out + at, sizeof out - at);
    expect_echo(s.fd, asked - 1, SIZE);
    peer_end(&s);
}

#define TICK (60 * NSEC_PER_MSEC)

static void test_stalled_sender(void **state)
{
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){.stall_timeout = TICK});
    ask(s.fd, 1, 10);
    expect_echo(s.fd, 1, 10);
    usleep(150000); /* silence between messages is no stall */
    assert_int_equal(s.closed, 0);
    put_all(s.fd, "\0\0\0\x9", 4);
    wait_for(s.closed == 1);
    peer_end(&s);
}

/* Three windows long, at twice the pace that is asked for. */
static void test_slow_sender(void **state)
{
    const size_t size = 4000, step = 200;
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){.stall_timeout = 10 * TICK});
    uint8_t out[4 + 4000];
    fill(out, 1, (uint32_t)size);
    for (size_t i = 0; i < sizeof out; i += step) {
        put_all(s.fd, out + i, MIN(step, sizeof out - i));
        usleep(95000);
    }
    expect_echo(s.fd, 1, (uint32_t)size);
    assert_int_equal(s.closed, 0);
    peer_end(&s);
}

/* One byte after the other: there is always progress, and never an end. */
static void test_trickling_sender(void **state)
{
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){.stall_timeout = 10 * TICK});
    uint8_t out[4 + 100];
    fill(out, 1, 100);
    for (size_t i = 0; i < sizeof out && !s.closed; i++) {
        (void)!send(s.fd, out + i, 1, MSG_NOSIGNAL);
        usleep(50000);
    }
    assert_int_equal(s.closed, 1);
    peer_end(&s);
}

static void send_much(void *arg)
{
    struct peer *s = arg;
    for (int i = 0; i < 4; i++) {
        struct blk *b = blk_get(1 << 20);
        memset(b->data, 0, 1 << 20);
        b->len = 1 << 20;
        conn_send(s->conn, b);
    }
}

static void test_stalled_reader(void **state)
{
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){.stall_timeout = TICK});
    loop_call(s.loop, send_much, &s);
    wait_for(s.closed == 1);
    peer_end(&s);
}

/* Takes some bytes of its replies whenever it would be cut. */
static void test_trickling_reader(void **state)
{
    struct peer s;
    uint8_t some[200];
    peer_open(&s, PEER_ECHO, (struct conn_limits){.stall_timeout = 20 * TICK});
    setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    loop_call(s.loop, send_much, &s);
    for (int i = 0; i < 100 && !s.closed; i++) {
        (void)!recv(s.fd, some, sizeof some, MSG_DONTWAIT);
        usleep(50000);
    }
    assert_int_equal(s.closed, 1);
    peer_end(&s);
}

static void test_idle(void **state)
{
    struct peer s;
    peer_open(&s, PEER_KEEP, (struct conn_limits){.idle_timeout = 2 * TICK});
    ask(s.fd, 1, 10);
    wait_for(s.messages == 1);
    usleep(300000); /* a request at work is not idleness */
    assert_int_equal(s.closed, 0);
    peer_release(&s, 1);
    expect_echo(s.fd, 1, 10);
    wait_for(s.closed == 1);
    peer_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inflight),       cmocka_unit_test(test_held),
        cmocka_unit_test(test_queued),         cmocka_unit_test(test_stalled_sender),
        cmocka_unit_test(test_stalled_reader), cmocka_unit_test(test_slow_sender),
        cmocka_unit_test(test_idle),           cmocka_unit_test(test_trickling_sender),
        cmocka_unit_test(test_trickling_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
