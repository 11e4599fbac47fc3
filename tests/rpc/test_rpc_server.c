/* test_rpc_server.c - a toy program behind the real server: replies and refusals byte by byte, records in pieces, calls
 * that wait, are given up, are answered early or run on the pool, and duplicates over the same and over new
 * connections. */
#include "peer.h"
#include "base/clock.h"
#include "rpc/rpc.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define PROG 400000u
enum { TOY_NULL, TOY_ECHO, TOY_COUNT, TOY_WAIT, TOY_POOL, TOY_DELAY, TOY_EARLY, TOY_BIG, TOY_HOLE, TOY_PROCS };

struct toy {
    struct loop *loops[2];
    struct pool *pool;
    struct rpc_server *srv;
    struct rpc_service svc;
    uint16_t port;
    _Atomic uint32_t ran, open, late, given_up;
    pthread_mutex_t lock;
    struct job *waiting;
    _Atomic bool silent; /* what is given up gets no answer */
};
static struct toy toy;

struct echo {
    const uint8_t *p;
    uint32_t n;
};
static void decode_echo(struct cursor *in, void *args)
{
    struct echo *e = args;
    e->p = xdr_opaque(in, 1 << 20, &e->n);
}
static void encode_echo(struct rpc_call *c, struct wbuf *w, enum st st)
{
    const struct echo *e = c->args;
    xdr_put_u32(w, st);
    xdr_put_opaque(w, e->p, e->n);
}
static enum st run_count(struct rpc_call *c)
{
    toy.ran++;
    return ST_OK;
}
/* Waits until toy.open. */
static enum st run_wait(struct rpc_call *c)
{
    pthread_mutex_lock(&toy.lock);
    bool open = toy.open;
    toy.waiting = open ? NULL : &c->job;
    pthread_mutex_unlock(&toy.lock);
    if (open)
        toy.ran++;
    return open ? ST_OK : ST_AGAIN;
}
static enum st run_pool(struct rpc_call *c)
{
    if (!c->job.on_pool)
        return ST_OFFLOAD;
    usleep(1000);
    return loop_self() ? ST_SERVERFAULT : ST_OK;
}
static void encode_status(struct rpc_call *c, struct wbuf *w, enum st st) { xdr_put_u32(w, st); }
static void encode_big(struct rpc_call *c, struct wbuf *w, enum st st) { wbuf_zero(w, BLK_MAX + 1u); }

static const struct rpc_proc proc_null = {.name = "NULL"};
static const struct rpc_proc proc_echo = {.name = "ECHO", .decode = decode_echo, .encode = encode_echo, .args = sizeof(struct echo)};
static const struct rpc_proc proc_count = {.name = "COUNT", .decode = decode_echo, .run = run_count, .encode = encode_echo,
                                           .args = sizeof(struct echo), .flags = RPC_CACHED};
static const struct rpc_proc proc_wait = {.name = "WAIT", .decode = decode_echo, .run = run_wait, .encode = encode_echo,
                                          .args = sizeof(struct echo), .flags = RPC_CACHED};
static const struct rpc_proc proc_pool = {.name = "POOL", .run = run_pool, .encode = encode_status};
static const struct rpc_proc proc_delay = {.name = "DELAY", .decode = decode_echo, .run = run_wait, .encode = encode_echo,
                                           .args = sizeof(struct echo), .flags = RPC_CACHED | RPC_DELAY};
static const struct rpc_proc proc_early = {.name = "EARLY", .decode = decode_echo, .run = run_wait, .encode = encode_echo,
                                           .args = sizeof(struct echo), .flags = RPC_CACHED | RPC_EARLY};
static const struct rpc_proc proc_big = {.name = "BIG", .encode = encode_big};
static const struct rpc_proc *const procs[TOY_PROCS] = {&proc_null, &proc_echo, &proc_count, &proc_wait, &proc_pool,
                                                        &proc_delay, &proc_early, &proc_big, NULL};
static const struct rpc_program toy2 = {.name = "toy", .prog = PROG, .vers = 2, .procs = procs, .nprocs = TOY_PROCS,
                                        .transports = RPC_TCP | RPC_UDP};
static const struct rpc_program toy4 = {.name = "toy", .prog = PROG, .vers = 4, .procs = procs, .nprocs = TOY_PROCS,
                                        .transports = RPC_TCP};
static const struct rpc_program *const programs[] = {&toy2, &toy4};

static uint64_t park(const struct rpc_call *c) { return 50 * NSEC_PER_MSEC; }
static bool give_up(struct rpc_call *c)
{
    pthread_mutex_lock(&toy.lock);
    toy.waiting = NULL;
    pthread_mutex_unlock(&toy.lock);
    toy.given_up++;
    return !toy.silent;
}
static void late(struct rpc_call *c, enum st st) { toy.late = 100 + st; }
static const struct rpc_hooks hooks = {.park = park, .give_up = give_up, .late = late};

static void let_go(void)
{
    pthread_mutex_lock(&toy.lock);
    toy.open = 1;
    if (toy.waiting)
        job_wake(toy.waiting);
    pthread_mutex_unlock(&toy.lock);
}

static int setup(void **state)
{
    log_init(2, LOG_ERROR);
    pthread_mutex_init(&toy.lock, NULL);
    for (int i = 0; i < 2; i++)
        assert(loop_create(&toy.loops[i]) == 0 && loop_start(toy.loops[i], i) == 0);
    assert(pool_create(2, &toy.pool) == 0);
    struct rpc_config cfg = {.loops = toy.loops, .nloops = 2, .pool = toy.pool, .call_size = sizeof(struct rpc_call),
                             .max_free = 4, .drc_entries = 1024, .drc_bytes = 1 << 20,
                             .limits = {.max_message = 1 << 16, .max_inflight = 64, .max_queued = 1 << 24},
                             .max_connections = 100};
    toy.svc = (struct rpc_service){.name = "toy", .programs = programs, .nprograms = 2, .hooks = &hooks, .ctx = &toy};
    assert(rpc_server_create(&cfg, &toy.srv) == 0);
    assert(rpc_listen_tcp(toy.srv, &toy.svc, "127.0.0.1:0", &toy.port) == 0);
    char addr[64];
    snprintf(addr, sizeof addr, "127.0.0.1:%u", toy.port);
    assert(rpc_listen_udp(toy.srv, &toy.svc, addr) == 0);
    return 0;
}

static int teardown(void **state)
{
    rpc_server_free(toy.srv);
    pool_free(toy.pool);
    for (int i = 0; i < 2; i++)
        loop_stop(toy.loops[i]);
    for (int i = 0; i < 2; i++)
        loop_free(toy.loops[i]);
    return 0;
}

static int reset(void **state)
{
    toy.open = toy.ran = toy.late = toy.given_up = 0;
    toy.silent = false;
    return 0;
}

static struct bytes echo_call(uint32_t xid, uint32_t proc, const char *text)
{
    struct bytes b = call_of(xid, PROG, 2, proc, 1000);
    put_str(&b, text);
    return b;
}
static void expect_echo(struct bytes r, uint32_t st, const char *text)
{
    uint32_t n;
    assert_int_equal(get32(&r), st);
    const uint8_t *p = get_opaque(&r, &n);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(p, text, n);
    assert_int_equal(r.at, r.n);
    drop(&r);
}

/* Sends a call and compares the whole reply. */
static void expect_words(int fd, struct bytes call, const uint32_t *want, size_t n)
{
    peer_send(fd, &call);
    drop(&call);
    struct bytes r = peer_recv(fd);
    assert_int_equal(r.n, n * 4);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(get32(&r), want[i]);
    drop(&r);
}
#define EXPECT(fd, call, ...) expect_words(fd, call, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void replies_and_refusals(void **state)
{
    int fd = peer_connect(toy.port);
    EXPECT(fd, call_of(1, PROG, 2, TOY_NULL, UINT32_MAX), 1, 1, 0, 0, 0, RPC_SUCCESS);
    EXPECT(fd, call_of(2, PROG + 1, 2, 0, 0), 2, 1, 0, 0, 0, RPC_PROG_UNAVAIL);
    EXPECT(fd, call_of(3, PROG, 3, 0, 0), 3, 1, 0, 0, 0, RPC_PROG_MISMATCH, 2, 4);
    EXPECT(fd, call_of(4, PROG, 2, TOY_PROCS, 0), 4, 1, 0, 0, 0, RPC_PROC_UNAVAIL);
    EXPECT(fd, call_of(5, PROG, 2, TOY_HOLE, 0), 5, 1, 0, 0, 0, RPC_PROC_UNAVAIL);
    EXPECT(fd, call_of(6, PROG, 2, TOY_ECHO, 0), 6, 1, 0, 0, 0, RPC_GARBAGE_ARGS);
    EXPECT(fd, call_of(7, PROG, 2, TOY_BIG, 0), 7, 1, 0, 0, 0, RPC_SYSTEM_ERR);
    struct bytes b = call_of(8, PROG, 2, 0, 0);
    b.p[11] = 4;
    EXPECT(fd, b, 8, 1, 1, RPC_REJECT_MISMATCH, 2, 2);
    b = call_of(9, PROG, 2, 0, 0);
    b.p[27] = 6; /* RPCSEC_GSS */
    EXPECT(fd, b, 9, 1, 1, RPC_REJECT_AUTH, RPC_AUTH_TOOWEAK);
    b = call_of(10, PROG, 2, 0, 0);
    b.p[51] = 17; /* gids */
    EXPECT(fd, b, 10, 1, 1, RPC_REJECT_AUTH, RPC_AUTH_BADCRED);
    close(fd);
}

static void closes_on_what_is_no_call(void **state)
{
    int fd = peer_connect(toy.port);
    peer_write(fd, "\x80\0\0\x04GET ", 8);
    struct bytes r = peer_recv(fd);
    assert_null(r.p);
    close(fd);
    fd = peer_connect(toy.port);
    peer_write(fd, "GET / HTTP/1.1\r\n\r\n", 18); /* a record of a gigabyte */
    r = peer_recv(fd);
    assert_null(r.p);
    close(fd);
}

static void records_in_any_pieces(void **state)
{
    int fd = peer_connect(toy.port);
    struct bytes call = echo_call(20, TOY_ECHO, "the quick brown fox"), m = {0};
    for (size_t i = 0; i < call.n; i++) { /* one byte a fragment, one byte a segment */
        put32(&m, 1u | (i + 1 == call.n ? RPC_LAST_FRAGMENT : 0));
        put(&m, call.p + i, 1);
    }
    for (size_t i = 0; i < m.n; i++)
        peer_write(fd, m.p + i, 1);
    struct bytes r = peer_recv(fd);
    get(&r, 24);
    expect_echo(r, 0, "the quick brown fox");
    /* Many records in one segment, some in fragments. */
    struct bytes all = {0};
    for (int i = 0; i < 40; i++) {
        if (i % 3 == 0) {
            put(&all, m.p, m.n);
        } else {
            put32(&all, RPC_LAST_FRAGMENT | (uint32_t)call.n);
            put(&all, call.p, call.n);
        }
    }
    peer_write(fd, all.p, all.n);
    for (int i = 0; i < 40; i++) {
        r = peer_recv(fd);
        get(&r, 24);
        expect_echo(r, 0, "the quick brown fox");
    }
    drop(&all);
    drop(&m);
    drop(&call);
    close(fd);
}

static void runs_on_the_pool(void **state)
{
    int fd = peer_connect(toy.port);
    struct bytes r = peer_call(fd, call_of(30, PROG, 2, TOY_POOL, 0));
    assert_int_equal(get32(&r), ST_OK);
    drop(&r);
    close(fd);
}

static void a_duplicate_is_replayed(void **state)
{
    int fd = peer_connect(toy.port);
    expect_echo(peer_call(fd, echo_call(40, TOY_COUNT, "one")), 0, "one");
    expect_echo(peer_call(fd, echo_call(40, TOY_COUNT, "one")), 0, "one");
    assert_int_equal(toy.ran, 1);
    close(fd);
    fd = peer_connect(toy.port); /* another port */
    expect_echo(peer_call(fd, echo_call(40, TOY_COUNT, "one")), 0, "one");
    assert_int_equal(toy.ran, 1);
    expect_echo(peer_call(fd, echo_call(40, TOY_COUNT, "two")), 0, "two"); /* other arguments: another request */
    assert_int_equal(toy.ran, 2);
    close(fd);
}

static void a_running_call_absorbs_duplicates(void **state)
{
    int a = peer_connect(toy.port), b = peer_connect(toy.port);
    struct bytes call = echo_call(50, TOY_WAIT, "slow");
    peer_send(a, &call);
    peer_send(a, &call);
    usleep(20000);
    peer_send(b, &call);
    assert_false(peer_ready(a, 50));
    assert_false(peer_ready(b, 0));
    let_go();
    struct bytes r = peer_recv(a);
    get(&r, 24);
    expect_echo(r, 0, "slow");
    r = peer_recv(b); /* it might be the only connection that is left */
    get(&r, 24);
    expect_echo(r, 0, "slow");
    assert_false(peer_ready(a, 50));
    assert_int_equal(toy.ran, 1);
    close(a);
    close(b);
    drop(&call);
}

static void a_call_outlives_its_connection(void **state)
{
    int a = peer_connect(toy.port);
    struct bytes call = echo_call(60, TOY_WAIT, "orphan");
    peer_send(a, &call);
    usleep(20000);
    close(a);
    usleep(20000);
    let_go();
    for (int i = 0; i < 100 && toy.ran == 0; i++)
        usleep(1000);
    assert_int_equal(toy.ran, 1);
    a = peer_connect(toy.port);
    expect_echo(peer_call(a, call), 0, "orphan");
    assert_int_equal(toy.ran, 1);
    close(a);
}

static void gives_up_and_forgets(void **state)
{
    int fd = peer_connect(toy.port);
    uint64_t start = clock_now();
    expect_echo(peer_call(fd, echo_call(70, TOY_DELAY, "later")), ST_DELAY, "later");
    assert_true(clock_now() - start >= 50 * NSEC_PER_MSEC);
    assert_int_equal(toy.given_up, 1);
    let_go();
    expect_echo(peer_call(fd, echo_call(70, TOY_DELAY, "later")), ST_OK, "later"); /* not replayed */
    assert_int_equal(toy.ran, 1);
    close(fd);
}

static void gives_up_without_a_word(void **state)
{
    int fd = peer_connect(toy.port);
    struct bytes b = echo_call(71, TOY_DELAY, "later");
    toy.silent = true;
    peer_send(fd, &b);
    assert_false(peer_ready(fd, 150));
    assert_int_equal(toy.given_up, 1);
    let_go();
    peer_send(fd, &b); /* the client's own idea: it runs */
    drop(&b);
    b = peer_recv(fd);
    get(&b, 24);
    expect_echo(b, ST_OK, "later");
    assert_int_equal(toy.ran, 1);
    close(fd);
}

static void answers_early_and_goes_on(void **state)
{
    int fd = peer_connect(toy.port);
    expect_echo(peer_call(fd, echo_call(80, TOY_EARLY, "lock")), ST_AGAIN, "lock");
    expect_echo(peer_call(fd, echo_call(80, TOY_EARLY, "lock")), ST_AGAIN, "lock"); /* the answer it had */
    assert_int_equal(toy.late, 0);
    let_go();
    for (int i = 0; i < 100 && toy.late == 0; i++)
        usleep(1000);
    assert_int_equal(toy.late, 100 + ST_OK);
    close(fd);
}

static void speaks_udp(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(toy.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    struct bytes call = echo_call(90, TOY_ECHO, "datagram");
    assert_int_equal(send(fd, "garbage", 7, 0), 7); /* no answer */
    assert_int_equal(send(fd, call.p, call.n, 0), call.n);
    struct bytes r = {.p = malloc(1000), .cap = 1000};
    r.n = (size_t)recv(fd, r.p, 1000, 0);
    get(&r, 24);
    expect_echo(r, 0, "datagram");
    drop(&call);
    /* Version 4 is not offered over UDP. */
    call = call_of(91, PROG, 4, 0, 0);
    send(fd, call.p, call.n, 0);
    uint32_t words[8];
    assert_int_equal(recv(fd, words, sizeof words, 0), 32);
    assert_int_equal(be32toh(words[5]), RPC_PROG_MISMATCH);
    assert_int_equal(be32toh(words[7]), 2);
    drop(&call);
    close(fd);
}

/* Parked calls and open connections do not hold the end up. */
static void stops_with_calls_parked(void **state)
{
    int fd = peer_connect(toy.port);
    struct bytes call = echo_call(100, TOY_WAIT, "never");
    peer_send(fd, &call);
    drop(&call);
    usleep(20000);
    rpc_server_free(toy.srv);
    toy.srv = NULL;
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(replies_and_refusals, reset),
        cmocka_unit_test_setup(closes_on_what_is_no_call, reset),
        cmocka_unit_test_setup(records_in_any_pieces, reset),
        cmocka_unit_test_setup(runs_on_the_pool, reset),
        cmocka_unit_test_setup(a_duplicate_is_replayed, reset),
        cmocka_unit_test_setup(a_running_call_absorbs_duplicates, reset),
        cmocka_unit_test_setup(a_call_outlives_its_connection, reset),
        cmocka_unit_test_setup(gives_up_and_forgets, reset),
        cmocka_unit_test_setup(answers_early_and_goes_on, reset),
        cmocka_unit_test_setup(speaks_udp, reset),
        cmocka_unit_test_setup(gives_up_without_a_word, reset),
        cmocka_unit_test_setup(stops_with_calls_parked, reset),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
