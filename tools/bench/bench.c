/* bench.c - one run of one workload: connections, framing, and the loop that keeps operations in flight. Knows what a
 * message's length looks like and nothing else of the protocols. */
#include "bench.h"
#include "base/clock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#define ANSWER_TIMEOUT_MS 30000
#define READ_CHUNK (256u << 10)
#define SEND_PIECES 32

struct bench bench = {.host = "127.0.0.1", .conns = 1, .file_size = 512ull << 20, .seconds = 2, .warm = 0.3};
static struct bench_slot *slots;
static uint64_t started, finished, most, deadline; /* operations; the end of the run */
static unsigned live;

void bench_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s %s: ", bench.protocol->program, bench.work ? bench.work->name : "");
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

uint64_t bench_random(void) /* xorshift64 */
{
    static uint64_t x = 0x9E3779B97F4A7C15u;
    x ^= x << 13;
    x ^= x >> 7;
    return x ^= x << 17;
}

uint64_t bench_place(const struct bench_slot *s)
{
    uint64_t pieces = MAX(bench.file_size / bench.io, 1ull);
    return (bench.work->random ? bench_random() : s->number) % pieces * bench.io;
}

void bench_entry_name(char out[32])
{
    snprintf(out, 32, "entry-%06u.txt", (unsigned)(bench_random() % BENCH_DIR_FILES));
}

void bench_small_name(const struct bench_slot *s, char out[48])
{
    snprintf(out, 48, "small-%d-%08llu", (int)getpid(), (unsigned long long)s->number);
}

/* --- Connections. */
void bench_connect(struct bench_conn *c, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    if (inet_pton(AF_INET, bench.host, &to.sin_addr) != 1)
        bench_fail("%s: not an IPv4 address", bench.host);
    *c = (struct bench_conn){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
        bench_fail("%s port %u: %s", bench.host, port, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

void bench_disconnect(struct bench_conn *c)
{
    close(c->fd);
    free(c->in);
    if (bench.protocol->close)
        bench.protocol->close(c);
}

void bench_send(struct bench_conn *c, struct wbuf *w)
{
    struct blk *b = wbuf_take(w);
    if (!b)
        bench_fail("a request does not fit");
    b->next = NULL;
    if (c->first)
        c->last->next = b;
    else
        c->first = b;
    c->last = b;
}

static void conn_flush(struct bench_conn *c)
{
    while (c->first) {
        struct iovec iov[SEND_PIECES];
        struct msghdr m = {.msg_iov = iov};
        size_t skip = c->sent;
        for (struct blk *b = c->first; b && m.msg_iovlen < SEND_PIECES; b = b->next, skip = 0)
            iov[m.msg_iovlen++] = (struct iovec){b->data + skip, b->len - skip};
        ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0)
            bench_fail("send: %s", strerror(errno));
        for (c->sent += (size_t)n; c->first && c->sent >= c->first->len;) {
            struct blk *b = c->first;
            c->sent -= b->len;
            c->first = b->next;
            blk_put(b);
        }
    }
}

/* Reads once; false when there was nothing. */
static bool conn_fill(struct bench_conn *c)
{
    if (c->at) {
        if (c->cap - c->len < READ_CHUNK || c->at == c->len) {
            memmove(c->in, c->in + c->at, c->len - c->at);
            c->len -= c->at;
            c->at = 0;
        }
    }
    if (c->cap - c->len < READ_CHUNK) {
        c->cap = 2 * c->cap + READ_CHUNK;
        if (!(c->in = realloc(c->in, c->cap)))
            bench_fail("out of memory");
    }
    ssize_t n = recv(c->fd, c->in + c->len, c->cap - c->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0)
        bench_fail("the server closed the connection: %s", n ? strerror(errno) : "end of stream");
    c->len += (size_t)n;
    return true;
}

/* The next whole message, or NULL. Fragments of an RPC record (RFC 5531 §11) are joined where they lie; an SMB message
 * ([MS-SMB2] 2.1) is like a record of one fragment whose length has a zero byte in front. */
static uint8_t *conn_message(struct bench_conn *c, size_t *ret_n)
{
    uint8_t *p = c->in + c->at;
    size_t have = c->len - c->at, all = 0;
    for (bool last = false; !last;) {
        if (have - all < 4)
            return NULL;
        uint32_t mark = get_be32(p + all);
        last = !bench.protocol->record_marks || mark >> 31;
        size_t n = 4 + (size_t)(mark & 0x7FFFFFFF);
        if (n > have - all)
            return NULL;
        all += n;
    }
    *ret_n = 0;
    for (size_t from = 0; from < all;) {
        size_t n = get_be32(p + from) & 0x7FFFFFFF;
        if (from != *ret_n)
            memmove(p + 4 + *ret_n, p + from + 4, n);
        *ret_n += n;
        from += 4 + n;
    }
    c->at += all;
    return p + 4;
}

uint8_t *bench_wait(struct bench_conn *c, size_t *ret_n)
{
    for (;;) {
        conn_flush(c);
        uint8_t *m = conn_message(c, ret_n);
        if (m)
            return m;
        struct pollfd p = {.fd = c->fd, .events = (short)(POLLIN | (c->first ? POLLOUT : 0))};
        if (!conn_fill(c) && poll(&p, 1, ANSWER_TIMEOUT_MS) == 0)
            bench_fail("no answer");
    }
}

/* --- Operations. */
static void slot_put(struct bench_slot *s)
{
    s->held = bench.protocol->ready && !bench.protocol->ready(s);
    if (s->held)
        s->conn->held++;
    else
        bench.work->put(s);
}

static void slot_start(struct bench_slot *s)
{
    uint64_t now = clock_now();
    if (now >= deadline || started >= most) {
        s->busy = false;
        live--;
        return;
    }
    s->number = started++;
    s->began = now;
    s->step = 0;
    slot_put(s);
}

struct bench_slot *bench_slot_at(uint32_t index)
{
    if (index >= bench.depth || !slots[index].busy)
        bench_fail("an answer to no request");
    return &slots[index];
}

void bench_answer(struct bench_slot *s, struct cursor *c)
{
    bool complete = bench.work->reply(s, c);
    if (c->bad)
        bench_fail("step %u: the answer is malformed", s->step);
    if (!complete) {
        slot_put(s);
        return;
    }
    bench_latency(clock_now() - s->began);
    finished++;
    slot_start(s);
}

static void conn_turn(struct bench_conn *c)
{
    conn_flush(c);
    while (conn_fill(c)) {
        size_t n;
        for (uint8_t *m; (m = conn_message(c, &n));)
            bench.protocol->message(c, m, n);
        for (uint32_t i = 0; c->held && i < bench.depth; i++) {
            if (slots[i].held && slots[i].conn == c && bench.protocol->ready(&slots[i])) {
                c->held--;
                slot_put(&slots[i]);
            }
        }
        conn_flush(c);
    }
}

/* Keeps bench.depth operations in flight until `seconds` are over or `count` were done. */
static void run(int epoll, struct bench_conn *conns, double seconds, uint64_t count)
{
    struct epoll_event ready[64];
    started = finished = bench.counted = 0;
    most = count;
    deadline = count == UINT64_MAX ? clock_now() + (uint64_t)(seconds * 1e9) : UINT64_MAX;
    bench_latency_reset();
    live = bench.depth;
    for (uint32_t i = 0; i < bench.depth; i++) {
        slots[i] = (struct bench_slot){.conn = &conns[i % bench.conns], .index = i, .tag = slots[i].tag, .busy = true};
        slot_start(&slots[i]);
    }
    for (uint32_t i = 0; i < bench.conns; i++)
        conn_flush(&conns[i]);
    while (live) {
        int n = epoll_wait(epoll, ready, ARRAY_LEN(ready), ANSWER_TIMEOUT_MS);
        if (n == 0)
            bench_fail("no answer, %u operations in flight", live);
        for (int i = 0; i < n; i++)
            conn_turn(ready[i].data.ptr);
    }
}

static void measure(struct bench_conn *conns)
{
    struct bench_account from, to;
    _cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t i = 0; i < bench.conns; i++) {
        bench_connect(&conns[i], bench.port);
        bench.protocol->open(&conns[i]);
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &conns[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, conns[i].fd, &e) < 0)
            bench_fail("epoll: %s", strerror(errno));
    }
    const struct bench_work *k = bench.work;
    uint64_t count = k->whole ? bench.file_size / bench.io : k->once ? bench.conns : UINT64_MAX;
    if (count == UINT64_MAX && bench.warm > 0)
        run(epoll, conns, bench.warm, count);
    bench_account(&from, false);
    run(epoll, conns, bench.seconds, count);
    if (k->whole)
        bench.protocol->durable(&conns[0]);
    bench_account(&to, true);
    bench_report(&from, &to, bench.counted ? bench.counted : finished);
}

/* --- The command line. */
static int usage(const struct bench_protocol *p)
{
    fprintf(stderr, "usage: %s -p PORT [options] WORKLOAD\n%s"
            "  -H ADDRESS (127.0.0.1)   -P PID of the server, to account its CPU and memory\n"
            "  -t SECONDS (2)           -W SECONDS of the same load before, not measured (0.3)\n"
            "  -q N in flight           -b BYTES per I/O      (each workload has its own)\n"
            "  -c N connections (1)     -z MIB of the file that is read and written (512)\nworkloads:",
            p->program, p->usage);
    for (size_t i = 0; i < p->nworks; i++)
        fprintf(stderr, " %s", p->works[i].name);
    fputc('\n', stderr);
    return 2;
}

static void options_read(int argc, char **argv, const struct bench_protocol *p)
{
    char all[64];
    snprintf(all, sizeof all, "H:p:P:t:W:q:b:c:z:%s", p->options);
    for (int o; (o = getopt(argc, argv, all)) != -1;) {
        switch (o) {
        case 'H': bench.host = optarg; break;
        case 'p': bench.port = (uint16_t)strtoul(optarg, NULL, 10); break;
        case 'P': bench.server = (pid_t)strtol(optarg, NULL, 10); break;
        case 't': bench.seconds = strtod(optarg, NULL); break;
        case 'W': bench.warm = strtod(optarg, NULL); break;
        case 'q': bench.depth = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'b': bench.io = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'c': bench.conns = (uint32_t)strtoul(optarg, NULL, 10); break;
        case 'z': bench.file_size = strtoull(optarg, NULL, 10) << 20; break;
        case '?': exit(usage(p));
        default: p->option(o, optarg);
        }
    }
}

int bench_main(int argc, char **argv, const struct bench_protocol *p)
{
    bench.protocol = p;
    options_read(argc, argv, p);
    for (size_t i = 0; optind + 1 == argc && i < p->nworks; i++)
        if (strcmp(p->works[i].name, argv[optind]) == 0)
            bench.work = &p->works[i];
    if (!bench.work || !bench.port || !bench.conns)
        return usage(p);
    bench.depth = bench.depth ? bench.depth : MAX(bench.work->depth, bench.conns);
    bench.io = bench.io ? bench.io : bench.work->io ? bench.work->io : 4096;
    if (bench.depth > BENCH_DEPTH_MAX || bench.io > 1u << 20)
        return usage(p);
    _cleanup_free_ struct bench_conn *conns = calloc(bench.conns, sizeof *conns);
    slots = calloc(bench.depth, sizeof *slots);
    bench.payload = malloc(BENCH_MESSAGE_MAX);
    if (!conns || !slots || !bench.payload)
        bench_fail("out of memory");
    for (size_t i = 0; i + 8 <= BENCH_MESSAGE_MAX; i += 8)
        put_le64(bench.payload + i, bench_random());
    measure(conns);
    for (uint32_t i = 0; i < bench.conns; i++)
        bench_disconnect(&conns[i]);
    free(slots);
    free(bench.payload);
    return 0;
}
