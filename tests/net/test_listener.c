/* test_listener.c - accepting on several loops, the limit, IPv4 and IPv6 on one socket; hosts that fall silent;
 * connecting, and failing to. */
#include "net/conn.h"
#include "base/bytes.h"
#include "cm.h"
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { LOOPS = 3 };
static struct loop *loops[LOOPS];
static _Atomic unsigned accepted[LOOPS], opened, closed, answers;
static pthread_mutex_t name_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_name[64];

static const struct conn_limits limits = {.max_message = 1000, .stall_timeout = 5 * NSEC_PER_SEC};
static const struct conn_limits impatient = {.max_message = 1000, .stall_timeout = NSEC_PER_SEC};
static _Atomic bool patient = true;

static ssize_t frame(struct conn *c, const uint8_t *p, size_t n)
{
    return n < 4 ? 0 : 4;
}

static void server_message(struct conn *c, struct msg *m)
{
    struct blk *b = blk_get(m->len);
    memcpy(b->data, m->data, m->len);
    b->len = m->len;
    conn_send(c, b);
    msg_done(m);
    conn_finish(c);
}

static void on_closed(struct conn *c)
{
    closed++;
    conn_unref(c);
}

static const struct conn_ops server_ops = {frame, server_message, on_closed};

static void accept_one(void *arg, struct loop *l, int fd, const struct sockaddr_storage *peer)
{
    struct conn *c;
    assert_ptr_equal(arg, loops);
    assert_ptr_equal(l, loop_self());
    for (int i = 0; i < LOOPS; i++)
        accepted[i] += l == loops[i];
    assert_int_equal(conn_open(l, fd, &server_ops, patient ? &limits : &impatient, NULL, &c), 0);
    pthread_mutex_lock(&name_lock);
    memcpy(last_name, c->peer_name, sizeof last_name);
    pthread_mutex_unlock(&name_lock);
    opened++;
}

static const struct listener_ops ops = {accept_one};

static int dial(const char *host, uint16_t port)
{
    char text[80];
    struct sockaddr_storage a;
    socklen_t len;
    snprintf(text, sizeof text, "%s:%u", host, port);
    assert_int_equal(addr_parse(text, &a, &len), 0);
    int fd = socket(a.ss_family, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, len) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void close_all(void *arg)
{
    conn_close_all(arg);
}

static void test_spread_and_limit(void **state)
{
    struct listener *li, *other;
    int fds[30];
    char text[32], c;
    assert_int_equal(listener_open(loops, LOOPS, "127.0.0.1:0", &ops, loops, 30, &li), 0);
    assert_true(listener_port(li) != 0);
    for (int i = 0; i < 30; i++)
        assert_true((fds[i] = dial("127.0.0.1", listener_port(li))) >= 0);
    wait_for(opened == 30);
    for (int i = 0; i < LOOPS; i++)
        assert_int_equal(accepted[i], 10);
    int extra = dial("127.0.0.1", listener_port(li));
    assert_true(extra >= 0);
    assert_true(recv(extra, &c, 1, 0) <= 0);
    close(extra);
    close(fds[0]);
    wait_for(closed == 1); /* makes room for one */
    fds[0] = dial("127.0.0.1", listener_port(li));
    assert_int_equal(send(fds[0], "ping", 4, MSG_NOSIGNAL), 4);
    assert_int_equal(recv(fds[0], text, 4, MSG_WAITALL), 4);
    assert_memory_equal(text, "ping", 4);
    snprintf(text, sizeof text, "127.0.0.1:%u", listener_port(li));
    assert_int_equal(listener_open(loops, LOOPS, text, &ops, loops, 0, &other), -EADDRINUSE);
    assert_true(listener_open(loops, LOOPS, "nonsense", &ops, loops, 0, &other) < 0);
    listener_close(li);
    assert_int_equal(dial("127.0.0.1", (uint16_t)atoi(strchr(text, ':') + 1)), -1);
    for (int i = 0; i < LOOPS; i++)
        loop_call(loops[i], close_all, loops[i]);
    wait_for(closed == 31);
    for (int i = 0; i < 30; i++)
        close(fds[i]);
}

/* From here on the kernel throws away whatever comes in for the socket, and so acknowledges nothing. */
static void fall_silent(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {1, &nothing};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

/* One to which nothing is to be sent, and one that does not take its answer. */
static void test_silent_hosts(void **state)
{
    struct listener *li;
    unsigned gone = closed, come = opened;
    patient = false;
    assert_int_equal(listener_open(loops, LOOPS, "127.0.0.1:0", &ops, loops, 0, &li), 0);
    int idle = dial("127.0.0.1", listener_port(li)), asking = dial("127.0.0.1", listener_port(li));
    wait_for(opened == come + 2);
    fall_silent(idle);
    fall_silent(asking);
    assert_int_equal(send(asking, "ping", 4, MSG_NOSIGNAL), 4);
    wait_for(closed == gone + 2);
    listener_close(li);
    close(idle);
    close(asking);
    patient = true;
}

static void test_dual_stack(void **state)
{
    struct listener *li;
    unsigned before = opened, gone = closed;
    assert_int_equal(listener_open(loops, 1, "*:0", &ops, loops, 0, &li), 0);
    int four = dial("127.0.0.1", listener_port(li));
    assert_true(four >= 0);
    wait_for(opened == before + 1);
    assert_int_equal(strncmp(last_name, "127.0.0.1:", 10), 0);
    int six = dial("[::1]", listener_port(li));
    if (six >= 0) { /* a host without IPv6 serves IPv4 alone */
        wait_for(opened == before + 2);
        assert_int_equal(strncmp(last_name, "[::1]:", 6), 0);
        close(six);
    }
    close(four);
    wait_for(closed - gone == opened - before);
    listener_close(li);
}

/* Messages queued before the connection stands arrive; one that cannot be made is closed. */
static void client_message(struct conn *c, struct msg *m)
{
    assert_memory_equal(m->data, "pong", 4);
    answers++;
    msg_done(m);
    conn_finish(c);
    conn_close(c);
}

static const struct conn_ops client_ops = {frame, client_message, on_closed};

struct call {
    uint16_t port;
    bool reserved;
    int result;
};

static void call_run(void *arg)
{
    struct call *call = arg;
    struct sockaddr_storage a = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(call->port)};
    struct conn *c;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memcpy(&a, &in, sizeof in);
    call->result = conn_connect(loop_self(), &a, sizeof in, call->reserved, &client_ops, &limits, NULL, &c);
    if (call->result < 0)
        return;
    struct blk *b = blk_get(4);
    memcpy(b->data, "pong", 4);
    b->len = 4;
    conn_send(c, b);
}

static void test_connect(void **state)
{
    struct listener *li;
    unsigned gone = closed;
    assert_int_equal(listener_open(loops, LOOPS, "127.0.0.1:0", &ops, loops, 0, &li), 0);
    uint16_t port = listener_port(li);
    for (int i = 0; i < 4; i++) {
        struct call call = {port, i % 2, 0};
        loop_call(loops[0], call_run, &call);
        assert_int_equal(call.result, 0);
    }
    wait_for(answers == 4);
    wait_for(closed == gone + 8); /* both ends of each */
    listener_close(li);
    struct call call = {port, false, 0};
    loop_call(loops[0], call_run, &call);
    assert_int_equal(call.result, 0);
    wait_for(closed == gone + 9);
    assert_int_equal(answers, 4);
}

static int setup(void **state)
{
    for (int i = 0; i < LOOPS; i++)
        if (loop_create(&loops[i]) < 0 || loop_start(loops[i], i) < 0)
            return -1;
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < LOOPS; i++) {
        loop_stop(loops[i]);
        loop_free(loops[i]);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spread_and_limit), cmocka_unit_test(test_dual_stack),
                                       cmocka_unit_test(test_silent_hosts), cmocka_unit_test(test_connect)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
