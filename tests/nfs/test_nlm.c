/* test_nlm.c - locks over the wire: versions 1, 3 and 4, blocking ones with their callbacks over UDP and TCP, _MSG
 * calls, cancels, shares; NSM; and what survives a restart. The peer's port mapper, lock manager and status monitor
 * are one thread here, on one port. */
#include "env.h"
#include "base/clock.h"
#include "base/kv.h"
#include "nfs/nlm_int.h"
#include "nfs/nsm.h"
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* --- The client's side. */
struct seen {
    uint32_t prog, vers, proc;
    struct bytes args; /* positioned at the arguments */
};
static struct {
    pthread_t thread;
    int udp, tcp;
    uint16_t port;
    _Atomic bool quit, deaf;      /* deaf: reads calls and never answers */
    _Atomic uint32_t grant_stat;  /* what GRANTED is answered with */
    pthread_mutex_t lock;
    struct seen calls[64];
    unsigned n, read;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct bytes peer_answer(struct bytes *m)
{
    struct bytes r = {0};
    uint32_t xid = get32(m), n;
    get(m, 8);
    uint32_t prog = get32(m), vers = get32(m), proc = get32(m);
    get32(m);
    get_opaque(m, &n);
    get32(m);
    get_opaque(m, &n);
    put32(&r, xid);
    put32(&r, 1);
    put64(&r, 0);
    put64(&r, 0);
    if (prog == 100000) {
        put32(&r, peer.port);
        return r;
    }
    if (prog == NLM && proc == NLM_GRANTED) {
        size_t at = m->at;
        const uint8_t *cookie = get_opaque(m, &n);
        put_opaque(&r, cookie, n);
        put32(&r, peer.grant_stat);
        m->at = at;
    }
    pthread_mutex_lock(&peer.lock);
    assert(peer.n < 64);
    struct seen *s = &peer.calls[peer.n++];
    *s = (struct seen){.prog = prog, .vers = vers, .proc = proc};
    put(&s->args, m->p, m->n);
    s->args.at = m->at;
    pthread_mutex_unlock(&peer.lock);
    return r;
}

static void peer_udp(void)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    struct bytes m = {.p = malloc(65536)};
    ssize_t n = recvfrom(peer.udp, m.p, 65536, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    if (n > 0) {
        m.n = (size_t)n;
        struct bytes r = peer_answer(&m);
        if (!peer.deaf)
            sendto(peer.udp, r.p, r.n, 0, (struct sockaddr *)&from, len);
        drop(&r);
    }
    drop(&m);
}
static void peer_tcp(void)
{
    int fd = accept(peer.tcp, NULL, NULL);
    struct bytes m = peer_recv(fd);
    if (m.p) {
        struct bytes r = peer_answer(&m);
        if (!peer.deaf)
            peer_send(fd, &r);
        drop(&r);
        drop(&m);
    }
    close(fd);
}
static void *peer_run(void *arg)
{
    while (!peer.quit) {
        struct pollfd p[2] = {{peer.udp, POLLIN, 0}, {peer.tcp, POLLIN, 0}};
        poll(p, 2, 20);
        if (p[0].revents)
            peer_udp();
        if (p[1].revents)
            peer_tcp();
    }
    return NULL;
}

/* The next call of that procedure, waiting for it; others are skipped. */
static struct seen expect_call(uint32_t prog, uint32_t proc, int ms)
{
    for (int i = 0; i < ms; i++) {
        pthread_mutex_lock(&peer.lock);
        while (peer.read < peer.n) {
            struct seen s = peer.calls[peer.read++];
            if (s.prog == prog && s.proc == proc) {
                pthread_mutex_unlock(&peer.lock);
                return s;
            }
            drop(&s.args);
        }
        pthread_mutex_unlock(&peer.lock);
        usleep(1000);
    }
    return (struct seen){0};
}
static void forget_calls(void)
{
    pthread_mutex_lock(&peer.lock);
    for (unsigned i = peer.read; i < peer.n; i++)
        drop(&peer.calls[i].args);
    peer.n = peer.read = 0;
    pthread_mutex_unlock(&peer.lock);
    peer.deaf = false;
    peer.grant_stat = NLM4_GRANTED;
}

/* --- The server. */
static struct env env;
static struct fh root, file;
static struct kv *kv;
static char dir[] = "/tmp/test_nlm.XXXXXX";

static int group_setup(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    peer.udp = socket(AF_INET, SOCK_DGRAM, 0);
    peer.tcp = socket(AF_INET, SOCK_STREAM, 0);
    assert(bind(peer.udp, (struct sockaddr *)&a, sizeof a) == 0);
    assert(getsockname(peer.udp, (struct sockaddr *)&a, &len) == 0);
    peer.port = ntohs(a.sin_port);
    assert(bind(peer.tcp, (struct sockaddr *)&a, sizeof a) == 0 && listen(peer.tcp, 16) == 0);
    pthread_create(&peer.thread, NULL, peer_run, NULL);
    rpc_out_pmap_port = peer.port;
    assert(mkdtemp(dir) && kv_open(dir, &kv) == 0);
    env_start(&env, kv, getenv("TEST_AGAIN") ? (unsigned)atoi(getenv("TEST_AGAIN")) : 20);
    root = env_mount(&env, "/share");
    return 0;
}
static int rm(const char *path, const struct stat *st, int flag, struct FTW *f) { return remove(path); }
static int group_teardown(void **state)
{
    env_stop(&env);
    kv_close(kv);
    nftw(dir, rm, 8, FTW_DEPTH | FTW_PHYS);
    peer.quit = true;
    pthread_join(peer.thread, NULL);
    forget_calls();
    close(peer.udp);
    close(peer.tcp);
    return 0;
}
static int setup(void **state)
{
    static int n;
    char name[32];
    snprintf(name, sizeof name, "file%d", n++);
    forget_calls();
    return (int)nfs_create(&env, &root, name, &file);
}

struct l {
    const char *host;
    uint32_t svid;
    uint64_t off, len;
    bool ex, block, reclaim;
};

static void put_lock(struct bytes *b, uint32_t vers, const struct l *l)
{
    put_str(b, l->host);
    put_fh(b, &file);
    put_str(b, "owner handle");
    put32(b, l->svid);
    if (vers == 4) {
        put64(b, l->off);
        put64(b, l->len);
    } else {
        put32(b, (uint32_t)l->off);
        put32(b, (uint32_t)l->len);
    }
}
static struct bytes nlm_args(uint32_t vers, uint32_t proc, const struct l *l)
{
    struct bytes b = env_args(&env, NLM, vers, proc);
    put_str(&b, "cookie");
    uint32_t base = proc > 5 && proc < 11 ? proc - 5 : proc == NLM_NM_LOCK ? NLM_LOCK : proc;
    if (base == NLM_LOCK || base == NLM_CANCEL)
        put32(&b, l->block);
    if (base != NLM_UNLOCK)
        put32(&b, l->ex);
    put_lock(&b, vers, l);
    if (base == NLM_LOCK) {
        put32(&b, l->reclaim);
        put32(&b, 1);
    }
    return b;
}
static uint32_t stat_of(struct bytes *b)
{
    uint32_t n;
    const uint8_t *c = get_opaque(b, &n);
    assert_int_equal(n, 6);
    assert_memory_equal(c, "cookie", 6);
    return get32(b);
}
static uint32_t nlm_call(uint32_t vers, uint32_t proc, const struct l *l)
{
    struct bytes b = env_call(&env, nlm_args(vers, proc, l));
    uint32_t st = stat_of(&b);
    if (proc != NLM_TEST)
        assert_int_equal(b.at, b.n);
    drop(&b);
    return st;
}
static uint32_t lock(const struct l *l) { return nlm_call(4, NLM_LOCK, l); }
static uint32_t unlock(const struct l *l) { return nlm_call(4, NLM_UNLOCK, l); }

static void every_status_is_mapped(void **state)
{
    for (int st = ST_OK + 1; st < ST_MAX; st++) {
        if (st != ST_NOLOCK)
            assert_int_not_equal(nlm_status((enum st)st, 4), NLM4_GRANTED);
        assert_true(nlm_status((enum st)st, 1) <= NLM4_DEADLCK);
    }
    assert_int_equal(nlm_status(ST_STALE, 4), NLM4_STALE_FH);
    assert_int_equal(nlm_status(ST_BADRANGE, 4), NLM4_FBIG);
    assert_int_equal(nlm_status(ST_STALE, 3), NLM4_DENIED_NOLOCKS);
}

static void locks_in_every_version(void **state)
{
    static const uint32_t versions[] = {1, 3, 4};
    for (size_t i = 0; i < 3; i++) {
        uint32_t v = versions[i];
        struct l a = {"alpha", 1, 10, 10, true}, b = {"beta", 1, 15, 1, false};
        struct bytes r = env_call(&env, env_args(&env, NLM, v, NLM_NULL));
        drop(&r);
        assert_int_equal(nlm_call(v, NLM_LOCK, &a), NLM4_GRANTED);
        assert_int_equal(nlm_call(v, NLM_LOCK, &a), NLM4_GRANTED); /* again */
        assert_int_equal(nlm_call(v, NLM_LOCK, &b), NLM4_DENIED);
        r = env_call(&env, nlm_args(v, NLM_TEST, &b));
        assert_int_equal(stat_of(&r), NLM4_DENIED);
        assert_int_equal(get32(&r), 1); /* exclusive */
        assert_int_equal(get32(&r), 1); /* svid */
        uint32_t n;
        get_opaque(&r, &n);
        assert_int_equal(v == 4 ? get64(&r) : get32(&r), 10);
        assert_int_equal(v == 4 ? get64(&r) : get32(&r), 10);
        assert_int_equal(r.at, r.n);
        drop(&r);
        a.off = 15; /* unlock a part */
        a.len = 1;
        assert_int_equal(nlm_call(v, NLM_UNLOCK, &a), NLM4_GRANTED);
        assert_int_equal(nlm_call(v, NLM_LOCK, &b), NLM4_GRANTED);
        assert_int_equal(nlm_call(v, NLM_UNLOCK, &b), NLM4_GRANTED);
        a.off = a.len = 0; /* everything */
        assert_int_equal(nlm_call(v, NLM_UNLOCK, &a), NLM4_GRANTED);
        b.ex = true;
        b.off = 0;
        b.len = 0;
        assert_int_equal(nlm_call(v, NLM_LOCK, &b), NLM4_GRANTED);
        assert_int_equal(nlm_call(v, NLM_UNLOCK, &b), NLM4_GRANTED);
    }
}

static void owners_are_host_and_svid(void **state)
{
    struct l a = {"alpha", 1, 0, 0, true}, same_host = {"alpha", 2, 0, 0, true}, other = {"alph", 1, 0, 0, true};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(lock(&same_host), NLM4_DENIED);
    assert_int_equal(lock(&other), NLM4_DENIED);
    assert_int_equal(unlock(&other), NLM4_GRANTED); /* unlocks nothing */
    assert_int_equal(lock(&same_host), NLM4_DENIED);
    /* The same name from another address is another host. */
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002)};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(env.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), keep = env.fd;
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    env.fd = fd;
    assert_int_equal(lock(&a), NLM4_DENIED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    env.fd = keep;
    close(fd);
    assert_int_equal(lock(&same_host), NLM4_DENIED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    assert_int_equal(lock(&same_host), NLM4_GRANTED);
    assert_int_equal(unlock(&same_host), NLM4_GRANTED);
}

static void ranges_and_handles(void **state)
{
    struct l a = {"alpha", 1, UINT64_MAX, 1, true}, b = {"beta", 1, UINT64_MAX, 2, true};
    assert_int_equal(lock(&b), NLM4_FBIG);
    assert_int_equal(lock(&a), NLM4_GRANTED);
    b.off = 5;
    b.len = 0;
    assert_int_equal(lock(&b), NLM4_DENIED); /* to infinity meets the last byte */
    b.len = UINT64_MAX - 5;
    assert_int_equal(lock(&b), NLM4_GRANTED);
    struct l c = {"gamma", 1, UINT32_MAX, 2, true};
    assert_int_equal(nlm_call(3, NLM_LOCK, &c), NLM4_DENIED_NOLOCKS);
    struct fh good = file;
    file.b[9] ^= 1;
    assert_int_equal(lock(&a), NLM4_STALE_FH);
    file = good;
    file.n = 0;
    assert_int_equal(lock(&a), NLM4_STALE_FH);
    file = good;
    struct bytes r = env_args(&env, NFS, 3, 2);
    put_fh(&r, &file);
    put_sattr_mode(&r, 0644);
    put32(&r, 0);
    r = env_call(&env, r);
    assert_int_equal(get32(&r), 0);
    drop(&r);
    env.uid = 4711; /* permission first */
    struct l d = {"delta", 1, 5, 1, true};
    assert_int_equal(lock(&d), NLM4_FAILED);
    d.ex = false;
    assert_int_equal(lock(&d), NLM4_DENIED);
    env.uid = 0;
}

/* --- Blocking. */

static void expect_granted(const struct l *l, uint32_t proc, int ms)
{
    struct seen s = expect_call(NLM, proc, ms);
    uint32_t n;
    assert_non_null(s.args.p);
    get_opaque(&s.args, &n);
    assert_int_equal(get32(&s.args), l->ex);
    const uint8_t *p = get_opaque(&s.args, &n);
    assert_int_equal(n, strlen(l->host));
    assert_memory_equal(p, l->host, n);
    p = get_opaque(&s.args, &n);
    assert_int_equal(n, file.n);
    assert_memory_equal(p, file.b, n);
    p = get_opaque(&s.args, &n);
    assert_int_equal(n, 12);
    assert_memory_equal(p, "owner handle", 12);
    assert_int_equal(get32(&s.args), l->svid);
    assert_int_equal(s.vers == 4 ? get64(&s.args) : get32(&s.args), l->off);
    assert_int_equal(s.vers == 4 ? get64(&s.args) : get32(&s.args), l->len);
    assert_int_equal(s.args.at, s.args.n);
    drop(&s.args);
}

static void blocks_and_grants(void **state)
{
    struct l a = {"alpha", 1, 0, 10, true}, b = {"beta", 2, 5, 10, true, true};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    uint64_t start = clock_now();
    assert_int_equal(lock(&b), NLM4_BLOCKED);
    uint64_t took = clock_now() - start;
    assert_true(took >= 199 * NSEC_PER_MSEC && took < 1000 * NSEC_PER_MSEC);
    start = clock_now();
    assert_int_equal(lock(&b), NLM4_BLOCKED); /* a poll is answered at once */
    assert_true(clock_now() - start < 150 * NSEC_PER_MSEC);
    assert_null(expect_call(NLM, NLM_GRANTED, 50).args.p);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    expect_granted(&b, NLM_GRANTED, 2000);
    assert_int_equal(lock(&a), NLM4_DENIED);
    usleep(50000);
    assert_int_equal(unlock(&b), NLM4_GRANTED);
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
}

static void grants_at_once_within_the_time(void **state)
{
    struct l a = {"alpha", 1, 0, 10, true}, b = {"beta", 2, 5, 10, true, true};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    struct bytes call = nlm_args(4, NLM_LOCK, &b);
    int fd = peer_connect(env.port);
    peer_send(fd, &call);
    drop(&call);
    usleep(60000);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    struct bytes r = peer_recv(fd);
    get(&r, 24);
    assert_int_equal(stat_of(&r), NLM4_GRANTED);
    drop(&r);
    close(fd);
    assert_null(expect_call(NLM, NLM_GRANTED, 50).args.p); /* told already */
    assert_int_equal(unlock(&b), NLM4_GRANTED);
}

static void a_refused_grant_goes_to_the_next(void **state)
{
    struct l a = {"alpha", 1, 0, 0, true}, b = {"beta", 2, 0, 0, true, true}, c = {"gamma", 3, 0, 0, true, true};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(lock(&b), NLM4_BLOCKED);
    assert_int_equal(lock(&c), NLM4_BLOCKED);
    peer.grant_stat = NLM4_DENIED;
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    expect_granted(&b, NLM_GRANTED, 2000); /* in order */
    expect_granted(&c, NLM_GRANTED, 2000);
    for (int i = 0; i < 100 && lock(&a) != NLM4_GRANTED; i++)
        usleep(5000);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
}

static void cancel_ends_waiting_and_grants(void **state)
{
    struct l a = {"alpha", 1, 0, 0, true}, b = {"beta", 2, 0, 0, true, true};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(lock(&b), NLM4_BLOCKED);
    assert_int_equal(nlm_call(4, NLM_CANCEL, &b), NLM4_GRANTED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    assert_null(expect_call(NLM, NLM_GRANTED, 60).args.p);
    assert_int_equal(lock(&a), NLM4_GRANTED);
    /* Granted, and the client does not answer: then it cancels. */
    peer.deaf = true;
    assert_int_equal(lock(&b), NLM4_BLOCKED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    usleep(60000);
    assert_int_equal(lock(&a), NLM4_DENIED);
    assert_int_equal(nlm_call(4, NLM_CANCEL, &b), NLM4_GRANTED);
    assert_int_equal(lock(&a), NLM4_GRANTED);
    /* Nothing to cancel is as good; before BLOCKED the LOCK itself is answered. */
    assert_int_equal(nlm_call(4, NLM_CANCEL, &b), NLM4_GRANTED);
    struct bytes call = nlm_args(4, NLM_LOCK, &b);
    int fd = peer_connect(env.port);
    peer_send(fd, &call);
    drop(&call);
    usleep(60000);
    assert_int_equal(nlm_call(4, NLM_CANCEL, &b), NLM4_GRANTED);
    struct bytes r = peer_recv(fd);
    get(&r, 24);
    assert_int_equal(stat_of(&r), NLM4_DENIED);
    drop(&r);
    close(fd);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
}

static void a_poll_confirms_a_grant(void **state)
{
    struct l a = {"alpha", 1, 0, 0, true}, b = {"beta", 2, 0, 0, true, true};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(lock(&b), NLM4_BLOCKED);
    peer.deaf = true;
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    usleep(60000);
    assert_int_equal(lock(&b), NLM4_GRANTED);
    assert_int_equal(lock(&a), NLM4_DENIED);
    assert_int_equal(unlock(&b), NLM4_GRANTED);
}

static void unlock_ends_waiting(void **state)
{
    struct l a = {"alpha", 1, 0, 0, true}, b = {"beta", 2, 10, 5, true, true}, all = {"beta", 2, 0, 0};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(lock(&b), NLM4_BLOCKED);
    assert_int_equal(unlock(&all), NLM4_GRANTED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    assert_null(expect_call(NLM, NLM_GRANTED, 60).args.p);
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
}

static void deadlocks_are_denied(void **state)
{
    struct l a0 = {"alpha", 1, 0, 1, true}, b1 = {"beta", 2, 1, 1, true};
    struct l a1 = {"alpha", 1, 1, 1, true, true}, b0 = {"beta", 2, 0, 1, true, true};
    assert_int_equal(lock(&a0), NLM4_GRANTED);
    assert_int_equal(lock(&b1), NLM4_GRANTED);
    assert_int_equal(lock(&a1), NLM4_BLOCKED);
    assert_int_equal(lock(&b0), NLM4_DEADLCK);
    assert_int_equal(unlock(&b1), NLM4_GRANTED);
    expect_granted(&a1, NLM_GRANTED, 2000);
    assert_int_equal(unlock(&a0), NLM4_GRANTED);
    assert_int_equal(unlock(&a1), NLM4_GRANTED);
}

/* --- _MSG. */

static void answers_messages_with_calls(void **state)
{
    struct l a = {"alpha", 1, 0, 10, true}, b = {"beta", 2, 5, 10, true, true};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(env.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    uint8_t reply[64];
    const struct {
        uint32_t proc, res, stat;
        const struct l *l;
    } steps[] = {{NLM_LOCK_MSG, NLM_LOCK_RES, NLM4_GRANTED, &a},   {NLM_TEST_MSG, NLM_TEST_RES, NLM4_DENIED, &b},
                 {NLM_LOCK_MSG, NLM_LOCK_RES, NLM4_BLOCKED, &b},   {NLM_CANCEL_MSG, NLM_CANCEL_RES, NLM4_GRANTED, &b},
                 {NLM_LOCK_MSG, NLM_LOCK_RES, NLM4_BLOCKED, &b},   {NLM_UNLOCK_MSG, NLM_UNLOCK_RES, NLM4_GRANTED, &a}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct bytes m = nlm_args(4, steps[i].proc, steps[i].l);
        assert_int_equal(send(fd, m.p, m.n, 0), m.n);
        drop(&m);
        struct seen s = expect_call(NLM, steps[i].res, 3000);
        assert_non_null(s.args.p);
        assert_int_equal(stat_of(&s.args), steps[i].stat);
        drop(&s.args);
        assert_int_equal(recv(fd, reply, sizeof reply, 0), 24); /* void */
    }
    /* The grant is a message too, and confirmed by one. */
    struct seen s = expect_call(NLM, NLM_GRANTED_MSG, 3000);
    assert_non_null(s.args.p);
    uint32_t n;
    const uint8_t *cookie = get_opaque(&s.args, &n);
    struct bytes m = env_args(&env, NLM, 4, NLM_GRANTED_RES);
    put_opaque(&m, cookie, n);
    put32(&m, NLM4_DENIED);
    assert_int_equal(send(fd, m.p, m.n, 0), m.n);
    assert_int_equal(recv(fd, reply, sizeof reply, 0), 24);
    drop(&m);
    drop(&s.args);
    for (int i = 0; i < 100 && lock(&a) != NLM4_GRANTED; i++)
        usleep(5000);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    close(fd);
}

/* --- Shares. */

static uint32_t share(uint32_t proc, const char *host, const char *oh, uint32_t mode, uint32_t access)
{
    struct bytes b = env_args(&env, NLM, 4, proc);
    put_str(&b, "cookie");
    put_str(&b, host);
    put_fh(&b, &file);
    put_str(&b, oh);
    put32(&b, mode);
    put32(&b, access);
    put32(&b, 0);
    b = env_call(&env, b);
    uint32_t st = stat_of(&b);
    get32(&b);
    assert_int_equal(b.at, b.n);
    drop(&b);
    return st;
}

static void shares(void **state)
{
    assert_int_equal(share(NLM_SHARE, "pc1", "o", 2, 1), NLM4_GRANTED); /* reads, denies writing */
    assert_int_equal(share(NLM_SHARE, "pc2", "o", 0, 2), NLM4_DENIED);
    assert_int_equal(share(NLM_SHARE, "pc1", "p", 0, 2), NLM4_DENIED);
    assert_int_equal(share(NLM_SHARE, "pc2", "o", 0, 1), NLM4_GRANTED);
    assert_int_equal(share(NLM_UNSHARE, "pc1", "o", 2, 1), NLM4_GRANTED);
    assert_int_equal(share(NLM_SHARE, "pc3", "o", 0, 2), NLM4_GRANTED);
    struct bytes b = env_args(&env, NLM, 4, NLM_FREE_ALL);
    put_str(&b, "pc3");
    put32(&b, 1);
    b = env_call(&env, b);
    assert_int_equal(b.at, b.n);
    drop(&b);
    assert_int_equal(share(NLM_SHARE, "pc2", "q", 2, 1), NLM4_GRANTED);
    assert_int_equal(share(NLM_UNSHARE, "pc2", "q", 2, 1), NLM4_GRANTED);
    assert_int_equal(share(NLM_UNSHARE, "pc2", "o", 0, 1), NLM4_GRANTED);
}

/* --- NSM. */

static void notify(const char *name, uint32_t st)
{
    struct bytes b = env_args(&env, NSM, 1, SM_NOTIFY);
    put_str(&b, name);
    put32(&b, st);
    b = env_call(&env, b);
    assert_int_equal(b.at, b.n);
    drop(&b);
}

static void a_restarted_host_loses_its_locks(void **state)
{
    struct l a = {"crasher.example.org", 1, 0, 0, true}, b = {"beta", 2, 0, 0, true, true};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    notify("somebody", 3);
    assert_int_equal(lock(&b), NLM4_BLOCKED);
    notify("crasher", 5);
    expect_granted(&b, NLM_GRANTED, 2000);
    assert_int_equal(unlock(&b), NLM4_GRANTED);
    assert_int_equal(lock(&a), NLM4_GRANTED);
    notify("crasher", 5); /* the same restart, told again */
    b.block = false;
    assert_int_equal(lock(&b), NLM4_DENIED);
    notify("crasher", 7);
    assert_int_equal(lock(&b), NLM4_GRANTED);
    assert_int_equal(unlock(&b), NLM4_GRANTED);
}

static void monitors_for_local_programs(void **state)
{
    struct bytes b = env_args(&env, NSM, 1, SM_STAT);
    put_str(&b, "anybody");
    b = env_call(&env, b);
    assert_int_equal(get32(&b), STAT_SUCC);
    uint32_t st = get32(&b);
    assert_int_equal(st % 2, 1);
    drop(&b);
    b = env_args(&env, NSM, 1, SM_MON);
    put_str(&b, "127.0.0.1");
    put_str(&b, "me");
    put32(&b, 200001);
    put32(&b, 1);
    put32(&b, 16);
    put(&b, "0123456789abcdef", 16);
    b = env_call(&env, b);
    assert_int_equal(get32(&b), STAT_SUCC);
    assert_int_equal(get32(&b), st);
    drop(&b);
    notify("127.0.0.1", 9);
    struct seen s = expect_call(200001, 16, 2000);
    assert_non_null(s.args.p);
    uint32_t n;
    get_opaque(&s.args, &n);
    assert_int_equal(get32(&s.args), 9);
    assert_memory_equal(get(&s.args, 16), "0123456789abcdef", 16);
    drop(&s.args);
    b = env_args(&env, NSM, 1, SM_UNMON_ALL);
    put_str(&b, "me");
    put32(&b, 200001);
    put32(&b, 1);
    put32(&b, 16);
    b = env_call(&env, b);
    assert_int_equal(get32(&b), st);
    drop(&b);
    notify("127.0.0.1", 11);
    assert_null(expect_call(200001, 16, 50).args.p);
}

/* A host that held a lock is told after a restart, may reclaim, and nobody else gets in before. */
static void restart_grace_and_reclaim(void **state)
{
    struct l a = {"alpha", 1, 0, 10, true}, b = {"beta", 1, 0, 10, true};
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(unlock(&b), NLM4_GRANTED);
    env_stop(&env);
    forget_calls();
    env_start(&env, kv, 0);
    root = env_mount(&env, "/share");
    assert_int_equal(nfs_create(&env, &root, "again", &file), 0);
    struct seen s = expect_call(NSM, SM_NOTIFY, 3000);
    assert_non_null(s.args.p);
    uint32_t n;
    get_opaque(&s.args, &n);
    assert_int_equal(get32(&s.args) % 2, 1);
    drop(&s.args);
    s = expect_call(NSM, SM_NOTIFY, 3000); /* by its name as well */
    assert_non_null(s.args.p);
    const uint8_t *name = get_opaque(&s.args, &n);
    assert_int_equal(n, 10);
    assert_memory_equal(name, "testserver", 10);
    drop(&s.args);
    assert_int_equal(lock(&b), NLM4_DENIED_GRACE_PERIOD);
    assert_int_equal(nlm_call(4, NLM_TEST, &b), NLM4_DENIED_GRACE_PERIOD);
    a.reclaim = true;
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    fs_grace_end(env.fs);
    assert_int_equal(lock(&b), NLM4_GRANTED);
    assert_int_equal(lock(&a), NLM4_DENIED); /* too late for a reclaim */
    assert_int_equal(unlock(&b), NLM4_GRANTED);
    /* Nothing is held, everybody has been told: the next start has no grace period. */
    usleep(500000);
    env_stop(&env);
    env_start(&env, kv, 0);
    assert_false(fs_in_grace(env.fs));
    root = env_mount(&env, "/share");
    assert_int_equal(nfs_create(&env, &root, "after", &file), 0);
    a.reclaim = false;
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
}

static void restart(void)
{
    env_stop(&env);
    forget_calls();
    env_start(&env, kv, 0);
    root = env_mount(&env, "/share");
}

/* Who has been told of one restart and has not reclaimed yet when there is the next is told of that too, and has its
 * grace period again. Who does not come back at all is forgotten after it. */
static void restart_before_a_reclaim(void **state)
{
    struct l a = {"alpha", 1, 0, 10, true}, b = {"beta", 1, 0, 10, true};
    uint32_t seen[2], n;
    assert_int_equal(lock(&a), NLM4_GRANTED);
    for (int i = 0; i < 2; i++) {
        restart();
        assert_int_equal(nfs_create(&env, &root, i ? "second" : "first", &file), 0);
        for (int names = 0; names < 2; names++) { /* our address, and our name */
            struct seen s = expect_call(NSM, SM_NOTIFY, 3000);
            assert_non_null(s.args.p);
            get_opaque(&s.args, &n);
            seen[i] = get32(&s.args);
            drop(&s.args);
        }
        usleep(300000); /* it is noted down that it has been told */
        assert_int_equal(lock(&b), NLM4_DENIED_GRACE_PERIOD);
    }
    assert_true(seen[1] > seen[0]);
    a.reclaim = true;
    assert_int_equal(lock(&a), NLM4_GRANTED);
    assert_int_equal(unlock(&a), NLM4_GRANTED);
    fs_grace_end(env.fs);
    restart();
    assert_false(fs_in_grace(env.fs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_is_mapped),
        cmocka_unit_test_setup(locks_in_every_version, setup),
        cmocka_unit_test_setup(owners_are_host_and_svid, setup),
        cmocka_unit_test_setup(ranges_and_handles, setup),
        cmocka_unit_test_setup(blocks_and_grants, setup),
        cmocka_unit_test_setup(grants_at_once_within_the_time, setup),
        cmocka_unit_test_setup(a_refused_grant_goes_to_the_next, setup),
        cmocka_unit_test_setup(cancel_ends_waiting_and_grants, setup),
        cmocka_unit_test_setup(a_poll_confirms_a_grant, setup),
        cmocka_unit_test_setup(unlock_ends_waiting, setup),
        cmocka_unit_test_setup(deadlocks_are_denied, setup),
        cmocka_unit_test_setup(answers_messages_with_calls, setup),
        cmocka_unit_test_setup(shares, setup),
        cmocka_unit_test_setup(a_restarted_host_loses_its_locks, setup),
        cmocka_unit_test_setup(monitors_for_local_programs, setup),
        cmocka_unit_test_setup(restart_grace_and_reclaim, setup),
        cmocka_unit_test_setup(restart_before_a_reclaim, setup),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
