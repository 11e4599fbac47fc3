/* test_wait.c - NFS operations that meet a byte-range lock of another protocol: they wait, run when it goes, are
 * told to come back, or are refused; duplicates of what waits are absorbed. */
#include "env.h"
#include "base/clock.h"
#include "fs/ops.h"
#include "nfs/nfs3.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct env env;
static struct fh root, file;
static struct co_party smb = {.label = CO_LABEL_SMB, .flavour = CO_WINDOWS, .client = 77, .open = 5, .who = "tester"};
static const struct fs_range all = {.first = 0, .last = UINT64_MAX, .exclusive = true};

static int setup(void **state)
{
    env_start(&env, NULL, 0);
    root = env_mount(&env, "/share");
    assert(nfs_create(&env, &root, "file", &file) == 0);
    return 0;
}
static int teardown(void **state)
{
    env_stop(&env);
    return 0;
}

/* What an SMB client would do, straight at the file service. */
static void range(bool lock)
{
    struct arena arena;
    struct fs_req q;
    struct fs_share *share;
    struct st_node *n;
    static const struct fs_cred cred = {.superuser = true};
    arena_init(&arena);
    fs_req_init(&q, env.fs, NULL, &arena);
    assert_int_equal(fs_from_handle(env.fs, file.b, file.n, &share, &n), ST_OK);
    q.share = share;
    q.cred = &cred;
    q.party = &smb;
    if (lock)
        assert_int_equal(fs_lock(&q, n, NULL, &all, 1, false, false), ST_OK);
    else
        assert_int_equal(fs_unlock(&q, n, NULL, &all, 1), ST_OK);
    fs_node_unref(n);
    fs_share_put(share);
    arena_reset(&arena);
}

static struct bytes write_call(const char *text)
{
    struct bytes b = env_args(&env, NFS, 3, NFS3_WRITE);
    put_fh(&b, &file);
    put64(&b, 0);
    put32(&b, (uint32_t)strlen(text));
    put32(&b, 2);
    put_str(&b, text);
    return b;
}
static uint32_t status_of(int fd)
{
    struct bytes r = peer_recv(fd);
    get(&r, 24);
    uint32_t st = get32(&r);
    drop(&r);
    return st;
}

static void runs_when_the_lock_goes(void **state)
{
    range(true);
    struct bytes b = write_call("waits");
    peer_send(env.fd, &b);
    assert_false(peer_ready(env.fd, 100));
    /* Others on the same connection are not held up. */
    struct attr a;
    assert_int_equal(nfs_getattr(&env, &root, &a), 0);
    uint64_t start = clock_now();
    range(false);
    assert_int_equal(status_of(env.fd), NFS3_OK);
    assert_true(clock_now() - start < 50 * NSEC_PER_MSEC);
    drop(&b);
    assert_int_equal(nfs_getattr(&env, &file, &a), 0);
    assert_int_equal(a.size, 5);
}

static void is_told_to_come_back(void **state)
{
    range(true);
    struct bytes b = write_call("jukebox");
    uint64_t start = clock_now();
    peer_send(env.fd, &b);
    assert_int_equal(status_of(env.fd), NFS3ERR_JUKEBOX);
    assert_true(clock_now() - start >= 299 * NSEC_PER_MSEC);
    range(false);
    peer_send(env.fd, &b); /* the same xid: runs, for JUKEBOX is no result */
    assert_int_equal(status_of(env.fd), NFS3_OK);
    drop(&b);
}

static void set_jukebox(enum fs_jukebox how)
{
    struct fs_share *s = fs_share_get(env.fs, "share", 5);
    struct fs_share_config cfg = s->cfg;
    cfg.jukebox = how;
    fs_share_put(s);
    assert_int_equal(fs_share_set(env.fs, "share", &cfg), ST_OK);
}

static void is_kept_waiting(void **state)
{
    set_jukebox(FS_JUKEBOX_HOLD);
    range(true);
    struct bytes b = write_call("hold");
    peer_send(env.fd, &b);
    drop(&b);
    assert_false(peer_ready(env.fd, 500));
    range(false);
    assert_int_equal(status_of(env.fd), NFS3_OK);
    set_jukebox(FS_JUKEBOX);
}

static void is_told_nothing(void **state)
{
    set_jukebox(FS_JUKEBOX_DROP);
    range(true);
    struct bytes b = write_call("drop");
    peer_send(env.fd, &b);
    assert_false(peer_ready(env.fd, 500));
    range(false);
    assert_false(peer_ready(env.fd, 100)); /* it was given up */
    peer_send(env.fd, &b);
    assert_int_equal(status_of(env.fd), NFS3_OK);
    drop(&b);
    set_jukebox(FS_JUKEBOX);
}

static void duplicates_of_what_waits_are_absorbed(void **state)
{
    int other = peer_connect(env.port);
    range(true);
    struct bytes b = write_call("once");
    peer_send(env.fd, &b);
    usleep(30000);
    peer_send(env.fd, &b);
    peer_send(other, &b);
    usleep(30000);
    range(false);
    assert_int_equal(status_of(env.fd), NFS3_OK);
    assert_int_equal(status_of(other), NFS3_OK);
    assert_false(peer_ready(env.fd, 50));
    drop(&b);
    close(other);
}

static void a_lost_client_is_no_problem(void **state)
{
    range(true);
    for (int i = 0; i < 20; i++) {
        int fd = peer_connect(env.port);
        struct bytes b = write_call("lost");
        peer_send(fd, &b);
        drop(&b);
        if (i % 2)
            usleep(2000);
        close(fd);
    }
    range(false);
    usleep(50000);
    struct attr a;
    assert_int_equal(nfs_getattr(&env, &file, &a), 0);
}

/* The file goes while an operation on it waits: it ends before it comes to the gate again. */
static void the_file_goes_meanwhile(void **state)
{
    struct fh keep = file;
    assert_int_equal(nfs_create(&env, &root, "going", &file), 0);
    range(true);
    struct bytes b = write_call("too late");
    peer_send(env.fd, &b);
    drop(&b);
    usleep(20000);
    struct arena arena;
    struct fs_req q;
    struct fs_share *share;
    struct st_node *n;
    static const struct fs_cred cred = {.superuser = true};
    arena_init(&arena);
    fs_req_init(&q, env.fs, NULL, &arena);
    assert_int_equal(fs_from_handle(env.fs, file.b, file.n, &share, &n), ST_OK);
    fs_node_unref(n);
    assert_int_equal(fs_from_handle(env.fs, root.b, root.n, &share, &n), ST_OK);
    q.share = share;
    q.cred = &cred;
    struct fs_wcc wcc = {0};
    assert_int_equal(fs_remove(&q, n, "going", 5, false, &wcc), ST_OK);
    fs_node_unref(n);
    fs_share_put(share);
    fs_share_put(share);
    arena_reset(&arena);
    uint32_t st = status_of(env.fd);
    assert_true(st == NFS3ERR_STALE || st == NFS3ERR_JUKEBOX);
    fs_client_gone(env.fs, smb.client); /* it must touch no call that is gone */
    file = keep;
    struct attr a;
    assert_int_equal(nfs_getattr(&env, &root, &a), 0);
}

/* Unlock and expiry meet: whatever comes first, there is one answer. */
static void races_are_safe(void **state)
{
    for (int i = 0; i < 12; i++) {
        range(true);
        struct bytes b = write_call("race");
        peer_send(env.fd, &b);
        drop(&b);
        usleep(294000 + 1000u * (unsigned)i);
        range(false);
        uint32_t st = status_of(env.fd);
        assert_true(st == NFS3_OK || st == NFS3ERR_JUKEBOX);
        assert_false(peer_ready(env.fd, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_when_the_lock_goes),
        cmocka_unit_test(is_told_to_come_back),
        cmocka_unit_test(is_kept_waiting),
        cmocka_unit_test(is_told_nothing),
        cmocka_unit_test(duplicates_of_what_waits_are_absorbed),
        cmocka_unit_test(a_lost_client_is_no_problem),
        cmocka_unit_test(the_file_goes_meanwhile),
        cmocka_unit_test(races_are_safe),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
