/* test_mount.c - MOUNT versions 1 and 3, and the port mapper in its three versions, over TCP and UDP. */
#include "env.h"
#include "nfs/mount.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct env env;

static int setup(void **state)
{
    env_start(&env, NULL, 0);
    return 0;
}
static int teardown(void **state)
{
    env_stop(&env);
    return 0;
}

static uint32_t mnt(uint32_t vers, const char *path)
{
    struct bytes b = env_args(&env, MOUNT, vers, MOUNTPROC_MNT);
    put_str(&b, path);
    b = env_call(&env, b);
    uint32_t st = get32(&b);
    if (vers == 1 && st == 0)
        get(&b, 32);
    if (vers == 3 && st == 0) {
        get_fh(&b);
        assert_int_equal(get32(&b), 2);
        get(&b, 8);
    }
    assert_int_equal(b.at, b.n);
    drop(&b);
    return st;
}

static void mounts_shares_and_what_is_below(void **state)
{
    struct fh root = env_mount(&env, "/share"), sub, deep;
    struct attr a;
    assert_int_equal(nfs_mkdir(&env, &root, "a", &sub), 0);
    assert_int_equal(nfs_mkdir(&env, &sub, "b", &deep), 0);
    assert_int_equal(nfs_create(&env, &sub, "file", NULL), 0);
    struct fh fh = env_mount(&env, "/share/a/b");
    assert_memory_equal(fh.b, deep.b, deep.n);
    fh = env_mount(&env, "//share//a/");
    assert_memory_equal(fh.b, sub.b, sub.n);
    assert_int_equal(nfs_getattr(&env, &fh, &a), 0);
    assert_int_equal(mnt(3, "/"), MNT3ERR_NOENT);
    assert_int_equal(mnt(3, ""), MNT3ERR_NOENT);
    assert_int_equal(mnt(3, "share"), MNT3ERR_NOENT);
    assert_int_equal(mnt(3, "/none"), MNT3ERR_NOENT);
    assert_int_equal(mnt(3, "/share/none"), MNT3ERR_NOENT);
    assert_int_equal(mnt(3, "/share/a/file"), MNT3ERR_NOTDIR);
    assert_int_equal(mnt(3, "/share/a/file/x"), MNT3ERR_NOTDIR);
    assert_int_equal(mnt(3, "/elsewhere"), MNT3ERR_ACCES);
    uint32_t v1 = mnt(1, "/share");
    assert_true(v1 == MNT3_OK || v1 == MNT3ERR_NOTSUPP); /* as handles fit in 32 bytes */
    struct bytes b = env_args(&env, MOUNT, 3, MOUNTPROC_MNT);
    char longer[2000];
    memset(longer, 'x', sizeof longer);
    put_opaque(&b, longer, 1025);
    peer_send(env.fd, &b);
    drop(&b);
    b = peer_recv(env.fd);
    get(&b, 20);
    assert_int_equal(get32(&b), RPC_GARBAGE_ARGS);
    drop(&b);
}

static unsigned dump(char paths[16][64])
{
    unsigned n = 0;
    struct bytes b = env_call(&env, env_args(&env, MOUNT, 3, MOUNTPROC_DUMP));
    while (get32(&b)) {
        uint32_t len;
        const uint8_t *host = get_opaque(&b, &len);
        assert_int_equal(len, 9);
        assert_memory_equal(host, "127.0.0.1", 9);
        const uint8_t *p = get_opaque(&b, &len);
        assert_true(n < 16 && len < 64);
        memcpy(paths[n], p, len);
        paths[n++][len] = 0;
    }
    assert_int_equal(b.at, b.n);
    drop(&b);
    return n;
}

static void keeps_a_list(void **state)
{
    char paths[16][64];
    struct bytes b = env_call(&env, env_args(&env, MOUNT, 3, MOUNTPROC_UMNTALL));
    assert_int_equal(b.at, b.n);
    drop(&b);
    assert_int_equal(dump(paths), 0);
    assert_int_equal(mnt(3, "/share"), 0);
    assert_int_equal(mnt(3, "/share/"), 0); /* the same */
    assert_int_equal(mnt(3, "/ro"), 0);
    assert_int_equal(dump(paths), 2);
    b = env_args(&env, MOUNT, 3, MOUNTPROC_UMNT);
    put_str(&b, "/ro");
    b = env_call(&env, b);
    assert_int_equal(b.at, b.n);
    drop(&b);
    assert_int_equal(dump(paths), 1);
    assert_string_equal(paths[0], "/share");
}

static void lists_exports(void **state)
{
    unsigned n = 0, groups = 0;
    bool elsewhere = false;
    struct bytes b = env_call(&env, env_args(&env, MOUNT, 3, MOUNTPROC_EXPORT));
    while (get32(&b)) {
        uint32_t len;
        const uint8_t *p = get_opaque(&b, &len);
        bool is_elsewhere = len == 10 && memcmp(p, "/elsewhere", 10) == 0;
        n++;
        while (get32(&b)) {
            p = get_opaque(&b, &len);
            if (is_elsewhere)
                elsewhere = len == 12 && memcmp(p, "192.0.2.0/24", 12) == 0;
            groups++;
        }
    }
    assert_int_equal(b.at, b.n);
    drop(&b);
    assert_int_equal(n, 4);
    assert_int_equal(groups, 4);
    assert_true(elsewhere);
}

static int udp_to(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}
static struct bytes udp_call(int fd, struct bytes call)
{
    struct bytes r = {.p = malloc(65536), .cap = 65536};
    assert_int_equal(send(fd, call.p, call.n, 0), call.n);
    drop(&call);
    ssize_t n = recv(fd, r.p, 65536, 0);
    assert_true(n >= 24);
    r.n = (size_t)n;
    get(&r, 24);
    return r;
}

static void mounts_over_udp(void **state)
{
    int fd = udp_to(env.port);
    struct bytes b = env_args(&env, MOUNT, 3, MOUNTPROC_MNT);
    put_str(&b, "/share");
    b = udp_call(fd, b);
    assert_int_equal(get32(&b), 0);
    drop(&b);
    b = env_args(&env, NFS, 3, 0); /* NFS itself is not offered there */
    assert_int_equal(send(fd, b.p, b.n, 0), b.n);
    drop(&b);
    uint32_t words[6];
    assert_int_equal(recv(fd, words, sizeof words, 0), 24);
    assert_int_equal(be32toh(words[5]), RPC_PROG_UNAVAIL);
    close(fd);
}

#define PMAP 100000u
static uint32_t getport(int fd, uint32_t prog, uint32_t vers, uint32_t prot)
{
    struct bytes b = env_args(&env, PMAP, 2, 3);
    put32(&b, prog);
    put32(&b, vers);
    put32(&b, prot);
    put32(&b, 0);
    b = peer_call(fd, b);
    uint32_t port = get32(&b);
    assert_int_equal(b.at, b.n);
    drop(&b);
    return port;
}
static uint32_t pmap_change(int fd, uint32_t proc, uint32_t prog, uint32_t prot, uint32_t port)
{
    struct bytes b = env_args(&env, PMAP, 2, proc);
    put32(&b, prog);
    put32(&b, 1);
    put32(&b, prot);
    put32(&b, port);
    b = peer_call(fd, b);
    uint32_t ok = get32(&b);
    drop(&b);
    return ok;
}

/* From a privileged port when the test may have one; else 0. */
static int privileged(void)
{
    for (uint16_t port = 1000; port > 900; port--) {
        struct sockaddr_in from = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr_in to = from;
        to.sin_port = htons(nfs_server_portmap_port(env.srv));
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        if (bind(fd, (struct sockaddr *)&from, sizeof from) == 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
            return fd;
        close(fd);
    }
    return 0;
}

static void maps_ports(void **state)
{
    int fd = peer_connect(nfs_server_portmap_port(env.srv)), root = privileged();
    assert_int_equal(getport(fd, NFS, 3, 6), env.port);
    assert_int_equal(getport(fd, NFS, 3, 17), 0);
    assert_int_equal(getport(fd, NFS, 4, 6), env.port); /* NFS then says what it has */
    assert_int_equal(getport(fd, MOUNT, 3, 17), env.port);
    assert_int_equal(getport(fd, 300000, 1, 6), 0);
    assert_int_equal(getport(fd, NFS, 3, 99), 0);
    assert_int_equal(pmap_change(fd, 1, 300000, 6, 4321), 0); /* not everybody */
    if (root) {
        assert_int_equal(pmap_change(root, 1, 300000, 6, 4321), 1);
        assert_int_equal(getport(fd, 300000, 1, 6), 4321);
        assert_int_equal(pmap_change(root, 1, 300000, 6, 4322), 0); /* taken */
        assert_int_equal(pmap_change(fd, 2, 300000, 6, 0), 0);
        assert_int_equal(pmap_change(root, 2, 300000, 6, 0), 1);
    }
    assert_int_equal(getport(fd, 300000, 1, 6), 0);
    struct bytes b = env_args(&env, PMAP, 2, 2); /* ours cannot be removed */
    put32(&b, NFS);
    put32(&b, 3);
    put64(&b, 0);
    b = peer_call(root ? root : fd, b);
    assert_int_equal(get32(&b), 0);
    drop(&b);
    b = peer_call(fd, env_args(&env, PMAP, 2, 4));
    unsigned n = 0;
    for (; get32(&b); n++)
        get(&b, 16);
    assert_int_equal(b.at, b.n);
    assert_true(n >= 11);
    drop(&b);
    b = env_args(&env, PMAP, 2, 5); /* CALLIT */
    peer_send(fd, &b);
    drop(&b);
    b = peer_recv(fd);
    get(&b, 20);
    assert_int_equal(get32(&b), RPC_PROC_UNAVAIL);
    drop(&b);
    close(fd);
    if (root)
        close(root);
}

static struct bytes rpcb(uint32_t vers, uint32_t proc, uint32_t prog, uint32_t pv, const char *netid, const char *addr)
{
    struct bytes b = env_args(&env, PMAP, vers, proc);
    put32(&b, prog);
    put32(&b, pv);
    put_str(&b, netid);
    put_str(&b, addr);
    put_str(&b, "");
    return b;
}

static void expect_uaddr(struct bytes b, const char *host, uint16_t port)
{
    char want[64] = "";
    uint32_t n;
    if (port)
        snprintf(want, sizeof want, "%s.%u.%u", host, port >> 8, port & 255);
    const uint8_t *p = get_opaque(&b, &n);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(p, want, n);
    assert_int_equal(b.at, b.n);
    drop(&b);
}

static void maps_universal_addresses(void **state)
{
    int fd = peer_connect(nfs_server_portmap_port(env.srv)), u = udp_to(nfs_server_portmap_port(env.srv));
    for (uint32_t vers = 3; vers <= 4; vers++) {
        expect_uaddr(peer_call(fd, rpcb(vers, 3, NFS, 3, "tcp", "")), "127.0.0.1", env.port);
        expect_uaddr(peer_call(fd, rpcb(vers, 3, NFS, 3, "tcp6", "")), "::", env.port);
        expect_uaddr(udp_call(u, rpcb(vers, 3, MOUNT, 3, "udp", "192.0.2.7.0.111")), "192.0.2.7", env.port);
        expect_uaddr(peer_call(fd, rpcb(vers, 3, 300000, 3, "tcp", "")), "", 0);
        expect_uaddr(peer_call(fd, rpcb(vers, 3, NFS, 3, "local", "")), "", 0);
        struct bytes b = peer_call(fd, env_args(&env, PMAP, vers, 6));
        assert_true(get32(&b) > 1000000000);
        drop(&b);
        b = peer_call(fd, env_args(&env, PMAP, vers, 4));
        unsigned n = 0;
        for (; get32(&b); n++) {
            uint32_t len;
            get(&b, 8);
            for (int i = 0; i < 3; i++)
                get_opaque(&b, &len);
        }
        assert_int_equal(b.at, b.n);
        assert_true(n >= 22);
        drop(&b);
    }
    expect_uaddr(peer_call(fd, rpcb(4, 9, NFS, 4, "tcp", "")), "", 0); /* GETVERSADDR */
    close(fd);
    close(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mounts_shares_and_what_is_below),
        cmocka_unit_test(keeps_a_list),
        cmocka_unit_test(lists_exports),
        cmocka_unit_test(mounts_over_udp),
        cmocka_unit_test(maps_ports),
        cmocka_unit_test(maps_universal_addresses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
