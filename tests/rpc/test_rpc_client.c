/* test_rpc_client.c - calls that the server makes, against a peer that counts who asks and who connects: lines are
 * kept, shared, and made anew when they have broken off. */
#include "peer.h"
#include "base/clock.h"
#include "rpc/rpc_client.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PROG 400001u
enum { ECHO = 1, NO_ANSWER = 2, CALLS_MAX = 16 };

/* --- The peer: one port for its port mapper and its program, a thread a connection. */
static struct {
    int fd;
    uint16_t port;
    _Atomic unsigned connections, getports, echoes; /* connections: those that carried a call of the program */
    _Atomic bool hang_up;                           /* the next ECHO closes its connection instead of answering */
} peer;

static void answer(int fd, uint32_t xid, uint32_t value)
{
    struct bytes b = {0};
    put32(&b, xid);
    put32(&b, 1);
    put64(&b, 0);
    put32(&b, 0);
    put32(&b, 0);
    put32(&b, value);
    peer_send(fd, &b);
    drop(&b);
}

static void *connection(void *arg)
{
    int fd = (int)(intptr_t)arg;
    bool counted = false;
    for (struct bytes b; (b = peer_recv(fd)).p; drop(&b)) {
        uint32_t xid = get32(&b);
        get64(&b);
        uint32_t prog = get32(&b), vers = get32(&b), proc = get32(&b);
        assert_int_equal(vers, prog == PROG ? 1 : 2);
        if (prog == PMAP_PROGRAM) {
            peer.getports++;
            answer(fd, xid, peer.port);
            continue;
        }
        peer.connections += !counted;
        counted = true;
        if (proc == NO_ANSWER)
            continue;
        if (atomic_exchange(&peer.hang_up, false)) {
            drop(&b);
            break;
        }
        peer.echoes++;
        answer(fd, xid, 7);
    }
    close(fd);
    return NULL;
}

static void *listening(void *arg)
{
    for (int fd; (fd = accept(peer.fd, NULL, NULL)) >= 0;) {
        pthread_t t;
        pthread_create(&t, NULL, connection, (void *)(intptr_t)fd);
        pthread_detach(t);
    }
    return NULL;
}

/* --- Our side. */
static struct loop *loop;
static struct rpc_lines *lines;
static _Atomic unsigned done, ok, timed_out;

static void on_done(void *arg, enum st st, struct cursor *results)
{
    ok += st == ST_OK && cursor_be32(results) == 7;
    timed_out += st == ST_TIMEOUT;
    done++;
}

struct start {
    unsigned n;
    uint32_t proc;
    bool kept;
};
static void start_run(void *arg)
{
    const struct start *s = arg;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct rpc_out_call call = {.prog = PROG, .vers = 1, .proc = s->proc,
                                .timeout = s->proc == NO_ANSWER ? NSEC_PER_SEC / 5 : 10 * NSEC_PER_SEC,
                                .lines = s->kept ? lines : NULL, .done = on_done};
    memcpy(&call.to, &to, sizeof to);
    for (unsigned i = 0; i < s->n; i++) {
        struct rpc_out *o;
        assert_int_equal(rpc_out_start(loop, &call, &o), 0);
    }
}

static void calls(unsigned n, uint32_t proc, bool kept)
{
    struct start s = {n, proc, kept};
    done = ok = timed_out = 0;
    loop_call(loop, start_run, &s);
    for (int i = 0; i < 5000 && done < n; i++)
        usleep(2000);
    assert_int_equal(done, n);
    assert_int_equal(proc == NO_ANSWER ? timed_out : ok, n);
}

static void counters(unsigned connections, unsigned getports, unsigned echoes)
{
    assert_int_equal(peer.connections, connections);
    assert_int_equal(peer.getports, getports);
    assert_int_equal(peer.echoes, echoes);
    peer.connections = peer.getports = peer.echoes = 0;
}

static void test_each_its_own(void **state)
{
    calls(1, ECHO, false);
    calls(1, ECHO, false);
    counters(2, 2, 2);
}

static void test_kept(void **state)
{
    calls(1, ECHO, true);
    calls(1, ECHO, true);
    calls(CALLS_MAX, ECHO, true);
    counters(1, 1, 2 + CALLS_MAX);
}

/* The peer's lock manager has restarted meanwhile. */
static void test_broken_off(void **state)
{
    peer.hang_up = true;
    calls(1, ECHO, true);
    counters(1, 1, 1); /* a call of the new connection; the old one was counted when it was made */
    calls(1, ECHO, true);
    counters(0, 0, 1);
}

static void test_silent(void **state)
{
    calls(1, NO_ANSWER, true);
    counters(0, 0, 0);
    calls(1, ECHO, true);
    counters(1, 1, 1); /* nobody was there any more: a new one */
}

static void free_run(void *arg) { rpc_lines_free(lines); }

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    pthread_t t;
    peer.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert(bind(peer.fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(peer.fd, 64) == 0);
    getsockname(peer.fd, (struct sockaddr *)&a, &n);
    rpc_out_pmap_port = peer.port = ntohs(a.sin_port);
    pthread_create(&t, NULL, listening, NULL);
    if (loop_create(&loop) < 0 || loop_start(loop, -1) < 0)
        return 1;
    lines = rpc_lines_new(loop);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_its_own), cmocka_unit_test(test_kept),
                                       cmocka_unit_test(test_broken_off), cmocka_unit_test(test_silent)};
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    loop_call(loop, free_run, NULL);
    loop_stop(loop);
    loop_free(loop);
    shutdown(peer.fd, SHUT_RDWR);
    pthread_join(t, NULL);
    close(peer.fd);
    return r;
}
