/* test_nfs3.c - every procedure of NFSv3 on the wire: each field of its reply, and its errors. */
#include "env.h"
#include "nfs/nfs3.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct env env;
static struct fh root;

static int setup(void **state)
{
    unsigned again = getenv("TEST_AGAIN") ? (unsigned)atoi(getenv("TEST_AGAIN")) : 30;
    env_start(&env, NULL, again);
    root = env_mount(&env, "/share");
    assert(root.n > 0);
    return 0;
}
static int teardown(void **state)
{
    env_stop(&env);
    return 0;
}

static struct bytes args(uint32_t proc) { return env_args(&env, NFS, 3, proc); }
static struct bytes call(struct bytes b) { return env_call(&env, b); }
static void done(struct bytes b)
{
    assert_int_equal(b.at, b.n);
    drop(&b);
}
static struct fh new_file(const char *name)
{
    struct fh fh;
    assert_int_equal(nfs_create(&env, &root, name, &fh), NFS3_OK);
    return fh;
}
static struct fh new_dir(const char *name)
{
    struct fh fh;
    assert_int_equal(nfs_mkdir(&env, &root, name, &fh), NFS3_OK);
    return fh;
}

static void every_status_is_mapped(void **state)
{
    assert_int_equal(nfs3_status(ST_OK), NFS3_OK);
    for (int st = ST_OK + 1; st < ST_MAX; st++) {
        assert_int_not_equal(nfs3_status((enum st)st), NFS3_OK);
        /* A zero in the table would come out as SERVERFAULT: only these may. */
        if (nfs3_status((enum st)st) == NFS3ERR_SERVERFAULT)
            assert_true(st == ST_END || st == ST_BAD_ACK || st == ST_NO_BREAK || st == ST_SERVERFAULT);
    }
    assert_int_equal(nfs3_status(ST_MAX), NFS3ERR_SERVERFAULT);
    assert_int_equal(nfs3_status(ST_SHARE_CONFLICT), NFS3ERR_ACCES);
    assert_int_equal(nfs3_status(ST_DELAY), NFS3ERR_JUKEBOX);
}

static void null(void **state) { done(call(args(NFS3_NULL))); }

static void getattr_and_handles(void **state)
{
    struct attr a;
    struct fh fh = new_file("attr");
    assert_int_equal(nfs_getattr(&env, &root, &a), NFS3_OK);
    assert_int_equal(a.type, NF3DIR);
    assert_int_equal(nfs_getattr(&env, &fh, &a), NFS3_OK);
    assert_int_equal(a.type, NF3REG);
    assert_int_equal(a.mode, 0666);
    assert_int_equal(a.nlink, 1);
    struct fh bad = fh;
    for (uint32_t i = 0; i < fh.n; i++) { /* no changed handle is anybody's file */
        bad.b[i] ^= 1;
        assert_int_equal(nfs_getattr(&env, &bad, &a), NFS3ERR_BADHANDLE);
        bad.b[i] ^= 1;
    }
    bad.n = 0;
    assert_int_equal(nfs_getattr(&env, &bad, &a), NFS3ERR_BADHANDLE);
    assert_int_equal(nfs_remove(&env, &root, "attr"), NFS3_OK);
    assert_int_equal(nfs_getattr(&env, &fh, &a), NFS3ERR_STALE);
}

static void setattr_with_wcc_and_guard(void **state)
{
    struct fh fh = new_file("setattr");
    struct attr a;
    assert_int_equal(nfs_write(&env, &fh, 0, "0123456789", 10, 2), NFS3_OK);
    assert_int_equal(nfs_getattr(&env, &fh, &a), NFS3_OK);
    struct bytes b = args(NFS3_SETATTR);
    put_fh(&b, &fh);
    put32(&b, 1);
    put32(&b, 0640);
    put32(&b, 1);
    put32(&b, 77);
    put32(&b, 1);
    put32(&b, 88);
    put32(&b, 1);
    put64(&b, 4);
    put32(&b, 2); /* atime: client's */
    put32(&b, 1000);
    put32(&b, 123456789);
    put32(&b, 1); /* mtime: server's */
    put32(&b, 1); /* guard */
    put32(&b, a.ctime[0]);
    put32(&b, a.ctime[1]);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    struct wcc w = get_wcc(&b);
    done(b);
    assert_true(w.has_pre && w.has_post);
    assert_int_equal(w.size, 10);
    assert_memory_equal(w.ctime, a.ctime, 8);
    assert_int_equal(w.post.size, 4);
    assert_int_equal(w.post.mode, 0640);
    assert_int_equal(w.post.uid, 77);
    assert_int_equal(w.post.gid, 88);
    assert_int_equal(w.post.atime[0], 1000);
    assert_int_equal(w.post.atime[1], 123456789);
    b = args(NFS3_SETATTR); /* the guard is old now */
    put_fh(&b, &fh);
    put_sattr_mode(&b, 0600);
    put32(&b, 1);
    put32(&b, a.ctime[0]);
    put32(&b, a.ctime[1] ^ 1);
    b = call(b);
    assert_int_equal(get32(&b), NFS3ERR_NOT_SYNC);
    w = get_wcc(&b);
    assert_true(w.has_post);
    assert_int_equal(w.post.mode, 0640);
    done(b);
    b = args(NFS3_SETATTR); /* a billion nanoseconds */
    put_fh(&b, &fh);
    put64(&b, 0);
    put64(&b, 0);
    put32(&b, 2);
    put32(&b, 1);
    put32(&b, 1000000000);
    put64(&b, 0);
    b = call(b);
    assert_int_equal(get32(&b), NFS3ERR_INVAL);
    get_wcc(&b);
    done(b);
}

static void lookup(void **state)
{
    struct fh d = new_dir("lookup"), f, g;
    assert_int_equal(nfs_create(&env, &d, "file", &f), NFS3_OK);
    assert_int_equal(nfs_lookup(&env, &d, "file", &g), NFS3_OK);
    assert_memory_equal(f.b, g.b, f.n);
    assert_int_equal(nfs_lookup(&env, &d, "..", &g), NFS3_OK);
    assert_memory_equal(root.b, g.b, root.n);
    assert_int_equal(nfs_lookup(&env, &root, "..", &g), NFS3_OK);
    assert_memory_equal(root.b, g.b, root.n);
    assert_int_equal(nfs_lookup(&env, &d, ".", &g), NFS3_OK);
    assert_memory_equal(d.b, g.b, d.n);
    assert_int_equal(nfs_lookup(&env, &d, "none", &g), NFS3ERR_NOENT);
    assert_int_equal(nfs_lookup(&env, &f, "x", &g), NFS3ERR_NOTDIR);
    char longer[300];
    memset(longer, 'n', sizeof longer - 1);
    longer[299] = 0;
    assert_int_equal(nfs_lookup(&env, &d, longer, &g), NFS3ERR_NAMETOOLONG);
    assert_int_equal(nfs_lookup(&env, &d, "a/b", &g), NFS3ERR_INVAL);
}

static uint32_t access_of(const struct fh *fh, uint32_t want)
{
    struct bytes b = args(NFS3_ACCESS);
    put_fh(&b, fh);
    put32(&b, want);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    assert_true(get_post(&b, NULL));
    uint32_t got = get32(&b);
    done(b);
    return got;
}

static void access_rights(void **state)
{
    struct fh f = new_file("access"), d = new_dir("accessdir");
    struct bytes b = args(NFS3_SETATTR);
    put_fh(&b, &f);
    put_sattr_mode(&b, 0644);
    put32(&b, 0);
    b = call(b);
    drop(&b);
    env.uid = 1000;
    assert_int_equal(access_of(&f, 63), ACCESS3_READ);
    assert_int_equal(access_of(&f, ACCESS3_MODIFY), 0);
    env.uid = 0;
    assert_int_equal(access_of(&f, 63) & ~ACCESS3_EXECUTE, ACCESS3_READ | ACCESS3_MODIFY | ACCESS3_EXTEND);
    assert_int_equal(access_of(&d, 63),
                     ACCESS3_READ | ACCESS3_LOOKUP | ACCESS3_MODIFY | ACCESS3_EXTEND | ACCESS3_DELETE);
    assert_int_equal(access_of(&d, ACCESS3_LOOKUP), ACCESS3_LOOKUP);
}

static void symlink_and_readlink(void **state)
{
    struct bytes b = args(NFS3_SYMLINK);
    put_fh(&b, &root);
    put_str(&b, "link");
    put_sattr_none(&b);
    put_str(&b, "some/../where");
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    assert_int_equal(get32(&b), 1);
    struct fh fh = get_fh(&b);
    struct attr a;
    assert_true(get_post(&b, &a));
    assert_int_equal(a.type, NF3LNK);
    assert_int_equal(a.size, 13);
    struct wcc w = get_wcc(&b);
    assert_true(w.has_pre && w.has_post);
    done(b);
    b = args(NFS3_READLINK);
    put_fh(&b, &fh);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    assert_true(get_post(&b, NULL));
    uint32_t n;
    assert_memory_equal(get_opaque(&b, &n), "some/../where", 13);
    assert_int_equal(n, 13);
    done(b);
    b = args(NFS3_READLINK);
    put_fh(&b, &root);
    b = call(b);
    assert_int_equal(get32(&b), NFS3ERR_INVAL);
    assert_true(get_post(&b, NULL));
    done(b);
    b = args(NFS3_SYMLINK); /* an empty target */
    put_fh(&b, &root);
    put_str(&b, "empty");
    put_sattr_none(&b);
    put_str(&b, "");
    b = call(b);
    assert_int_equal(get32(&b), NFS3ERR_INVAL);
    get_wcc(&b);
    done(b);
}

static uint32_t read_at(const struct fh *fh, uint64_t off, uint32_t count, uint8_t *out, uint32_t *ret_n, bool *ret_eof)
{
    struct bytes b = args(NFS3_READ);
    put_fh(&b, fh);
    put64(&b, off);
    put32(&b, count);
    b = call(b);
    uint32_t st = get32(&b), n;
    assert_true(get_post(&b, NULL));
    if (st == NFS3_OK) {
        *ret_n = get32(&b);
        *ret_eof = get32(&b);
        const uint8_t *p = get_opaque(&b, &n);
        assert_int_equal(n, *ret_n);
        memcpy(out, p, n);
        for (size_t i = b.at - (4 - n % 4) % 4; i < b.at; i++)
            assert_int_equal(b.p[i], 0);
    }
    done(b);
    return st;
}

static void read_and_write(void **state)
{
    struct fh f = new_file("io");
    uint8_t *data = malloc(2 << 20), *back = malloc(2 << 20);
    uint32_t n;
    bool eof;
    for (size_t i = 0; i < 2 << 20; i++)
        data[i] = (uint8_t)(i * 31 + i / 251);
    assert_int_equal(read_at(&f, 0, 100, back, &n, &eof), NFS3_OK);
    assert_true(n == 0 && eof);
    assert_int_equal(nfs_write(&env, &f, 0, data, 1 << 20, 0), NFS3_OK);
    assert_int_equal(nfs_write(&env, &f, 1 << 20, data + (1 << 20), 12345, 1), NFS3_OK);
    assert_int_equal(read_at(&f, 0, 1 << 20, back, &n, &eof), NFS3_OK);
    assert_true(n == 1 << 20 && !eof);
    assert_memory_equal(back, data, n);
    assert_int_equal(read_at(&f, 1 << 20, 12345, back, &n, &eof), NFS3_OK);
    assert_true(n == 12345 && eof);
    for (uint32_t i = 0; i < 9; i++) { /* every padding */
        assert_int_equal(read_at(&f, 3 * i, i, back, &n, &eof), NFS3_OK);
        assert_int_equal(n, i);
        assert_memory_equal(back, data + 3 * i, i);
    }
    assert_int_equal(read_at(&f, 0, UINT32_MAX, back, &n, &eof), NFS3_OK);
    assert_int_equal(n, 1 << 20);
    assert_int_equal(read_at(&f, UINT64_MAX, 10, back, &n, &eof), NFS3_OK);
    assert_true(n == 0 && eof);
    assert_int_equal(nfs_write(&env, &f, UINT64_MAX, "x", 1, 0), NFS3ERR_FBIG);
    assert_int_equal(nfs_write(&env, &f, INT64_MAX, "x", 1, 0), NFS3ERR_FBIG);
    struct attr a;
    assert_int_equal(nfs_getattr(&env, &f, &a), NFS3_OK);
    assert_int_equal(a.size, (1 << 20) + 12345);
    assert_int_equal(read_at(&root, 0, 10, back, &n, &eof), NFS3ERR_ISDIR);
    struct bytes b = args(NFS3_WRITE); /* count and data disagree */
    put_fh(&b, &f);
    put64(&b, 0);
    put32(&b, 5);
    put32(&b, 0);
    put_opaque(&b, "four", 4);
    peer_send(env.fd, &b);
    drop(&b);
    b = peer_recv(env.fd);
    get(&b, 20);
    assert_int_equal(get32(&b), RPC_GARBAGE_ARGS);
    done(b);
    free(data);
    free(back);
}

static void commit_and_the_verifier(void **state)
{
    struct fh f = new_file("commit");
    struct bytes b = args(NFS3_WRITE);
    put_fh(&b, &f);
    put64(&b, 0);
    put32(&b, 5);
    put32(&b, 0);
    put_opaque(&b, "hello", 5);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    struct wcc w = get_wcc(&b);
    assert_true(w.has_pre && w.has_post && w.size == 0 && w.post.size == 5);
    assert_int_equal(get32(&b), 5);
    get32(&b);
    uint64_t verf = get64(&b);
    done(b);
    b = args(NFS3_COMMIT);
    put_fh(&b, &f);
    put64(&b, 0);
    put32(&b, 0);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    w = get_wcc(&b);
    assert_true(w.has_pre && w.has_post);
    assert_true(get64(&b) == verf && verf != 0);
    done(b);
}

static struct bytes create_args(const char *name, uint32_t how)
{
    struct bytes b = args(NFS3_CREATE);
    put_fh(&b, &root);
    put_str(&b, name);
    put32(&b, how);
    return b;
}
static uint32_t made(struct bytes b)
{
    b = call(b);
    uint32_t st = get32(&b);
    if (st == NFS3_OK) {
        assert_int_equal(get32(&b), 1);
        get_fh(&b);
        assert_true(get_post(&b, NULL));
    }
    assert_true(get_wcc(&b).has_post);
    done(b);
    return st;
}

static void create_in_three_ways(void **state)
{
    struct attr a;
    struct fh f = new_file("create");
    assert_int_equal(nfs_write(&env, &f, 0, "data", 4, 2), NFS3_OK);
    struct bytes b = create_args("create", 0); /* UNCHECKED: truncates when a size is given */
    put_sattr_none(&b);
    assert_int_equal(made(b), NFS3_OK);
    assert_int_equal(nfs_getattr(&env, &f, &a), NFS3_OK);
    assert_int_equal(a.size, 4);
    b = create_args("create", 0);
    put64(&b, 0);
    put32(&b, 0);
    put32(&b, 1);
    put64(&b, 0);
    put64(&b, 0);
    assert_int_equal(made(b), NFS3_OK);
    assert_int_equal(nfs_getattr(&env, &f, &a), NFS3_OK);
    assert_int_equal(a.size, 0);
    b = create_args("create", 1); /* GUARDED */
    put_sattr_none(&b);
    assert_int_equal(made(b), NFS3ERR_EXIST);
    for (int i = 0; i < 2; i++) { /* EXCLUSIVE: again with the same verifier is the same file */
        b = create_args("exclusive", 2);
        put64(&b, 0x1122334455667788);
        assert_int_equal(made(b), NFS3_OK);
    }
    b = create_args("exclusive", 2);
    put64(&b, 0x1122334455667789);
    assert_int_equal(made(b), NFS3ERR_EXIST);
    b = create_args("a/b", 0);
    put_sattr_none(&b);
    assert_int_equal(made(b), NFS3ERR_INVAL);
}

static uint32_t mknod_of(const char *name, uint32_t type)
{
    struct bytes b = args(NFS3_MKNOD);
    put_fh(&b, &root);
    put_str(&b, name);
    put32(&b, type);
    if (type == NF3CHR || type == NF3BLK || type == NF3SOCK || type == NF3FIFO)
        put_sattr_mode(&b, 0600);
    if (type == NF3CHR || type == NF3BLK) {
        put32(&b, 7);
        put32(&b, 9);
    }
    return made(b);
}

static void mkdir_and_mknod(void **state)
{
    struct attr a;
    struct fh d = new_dir("mkdir"), f;
    assert_int_equal(nfs_getattr(&env, &d, &a), NFS3_OK);
    assert_int_equal(a.type, NF3DIR);
    assert_int_equal(a.mode, 0777);
    assert_int_equal(nfs_mkdir(&env, &root, "mkdir", NULL), NFS3ERR_EXIST);
    assert_int_equal(mknod_of("fifo", NF3FIFO), NFS3_OK);
    assert_int_equal(mknod_of("sock", NF3SOCK), NFS3_OK);
    assert_int_equal(mknod_of("char", NF3CHR), NFS3_OK);
    assert_int_equal(mknod_of("block", NF3BLK), NFS3_OK);
    assert_int_equal(mknod_of("reg", NF3REG), NFS3ERR_BADTYPE);
    assert_int_equal(nfs_lookup(&env, &root, "char", &f), NFS3_OK);
    assert_int_equal(nfs_getattr(&env, &f, &a), NFS3_OK);
    assert_int_equal(a.type, NF3CHR);
    assert_true(a.rdev[0] == 7 && a.rdev[1] == 9);
    env.uid = 1000;
    assert_int_not_equal(mknod_of("char2", NF3CHR), NFS3_OK);
    env.uid = 0;
}

static uint32_t rmdir_of(const struct fh *dir, const char *name)
{
    struct bytes b = args(NFS3_RMDIR);
    put_fh(&b, dir);
    put_str(&b, name);
    b = call(b);
    uint32_t st = get32(&b);
    struct wcc w = get_wcc(&b);
    assert_true(w.has_post);
    done(b);
    return st;
}

static void remove_and_rmdir(void **state)
{
    struct fh d = new_dir("rm"), sub;
    assert_int_equal(nfs_create(&env, &d, "f", NULL), NFS3_OK);
    assert_int_equal(nfs_mkdir(&env, &d, "sub", &sub), NFS3_OK);
    assert_int_equal(nfs_remove(&env, &d, "sub"), NFS3ERR_ISDIR);
    assert_int_equal(rmdir_of(&d, "f"), NFS3ERR_NOTDIR);
    assert_int_equal(rmdir_of(&root, "rm"), NFS3ERR_NOTEMPTY);
    assert_int_equal(nfs_remove(&env, &d, "none"), NFS3ERR_NOENT);
    assert_int_equal(nfs_remove(&env, &d, "f"), NFS3_OK);
    assert_int_equal(rmdir_of(&d, "sub"), NFS3_OK);
    assert_int_equal(rmdir_of(&root, "rm"), NFS3_OK);
    assert_int_equal(rmdir_of(&root, "."), NFS3ERR_INVAL);
    struct bytes b = args(NFS3_REMOVE); /* wcc of the directory is exact */
    assert_int_equal(nfs_create(&env, &root, "exact", NULL), NFS3_OK);
    struct attr before;
    assert_int_equal(nfs_getattr(&env, &root, &before), NFS3_OK);
    put_fh(&b, &root);
    put_str(&b, "exact");
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    struct wcc w = get_wcc(&b);
    done(b);
    assert_true(w.has_pre && w.has_post);
    assert_memory_equal(w.ctime, before.ctime, 8);
    assert_memory_equal(w.mtime, before.mtime, 8);
    struct attr after;
    assert_int_equal(nfs_getattr(&env, &root, &after), NFS3_OK);
    assert_memory_equal(w.post.ctime, after.ctime, 8);
}

static uint32_t rename_of(const struct fh *from, const char *a, const struct fh *to, const char *b2)
{
    struct bytes b = args(NFS3_RENAME);
    put_fh(&b, from);
    put_str(&b, a);
    put_fh(&b, to);
    put_str(&b, b2);
    b = call(b);
    uint32_t st = get32(&b);
    get_wcc(&b);
    get_wcc(&b);
    done(b);
    return st;
}
static uint32_t link_of(const struct fh *f, const struct fh *dir, const char *name, struct attr *ret)
{
    struct bytes b = args(NFS3_LINK);
    put_fh(&b, f);
    put_fh(&b, dir);
    put_str(&b, name);
    b = call(b);
    uint32_t st = get32(&b);
    assert_true(get_post(&b, ret));
    get_wcc(&b);
    done(b);
    return st;
}

static void rename_and_link(void **state)
{
    struct fh d = new_dir("ren"), f = new_file("ren1"), g, other = env_mount(&env, "/ro");
    struct attr a;
    assert_int_equal(rename_of(&root, "ren1", &d, "ren2"), NFS3_OK);
    assert_int_equal(nfs_lookup(&env, &d, "ren2", &g), NFS3_OK);
    assert_memory_equal(f.b, g.b, f.n);
    assert_int_equal(rename_of(&root, "ren1", &d, "ren2"), NFS3ERR_NOENT);
    assert_int_equal(rename_of(&d, "ren2", &other, "x"), NFS3ERR_XDEV);
    assert_int_equal(rename_of(&root, "ren", &d, "inside"), NFS3ERR_INVAL);
    assert_int_equal(link_of(&f, &root, "hard", &a), NFS3_OK);
    assert_int_equal(a.nlink, 2);
    assert_int_equal(link_of(&f, &root, "hard", &a), NFS3ERR_EXIST);
    assert_int_equal(link_of(&f, &other, "hard", &a), NFS3ERR_XDEV);
    new_file("victim");
    assert_int_equal(rename_of(&root, "hard", &root, "victim"), NFS3_OK);
    assert_int_equal(nfs_lookup(&env, &root, "victim", &g), NFS3_OK);
    assert_memory_equal(f.b, g.b, f.n);
}

static void statistics(void **state)
{
    struct bytes b = args(NFS3_FSSTAT);
    put_fh(&b, &root);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    assert_true(get_post(&b, NULL));
    uint64_t total = get64(&b), free_ = get64(&b), avail = get64(&b);
    assert_true(total >= free_ && free_ >= avail);
    get(&b, 28);
    done(b);
    b = args(NFS3_FSINFO);
    put_fh(&b, &root);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    assert_true(get_post(&b, NULL));
    assert_int_equal(get32(&b), 1 << 20);
    get(&b, 8);
    assert_int_equal(get32(&b), 1 << 20);
    get(&b, 8);
    assert_int_equal(get32(&b), 65536);
    assert_true(get64(&b) == INT64_MAX);
    get(&b, 8);
    assert_int_equal(get32(&b), 0x1b);
    done(b);
    b = args(NFS3_PATHCONF);
    put_fh(&b, &root);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    assert_true(get_post(&b, NULL));
    get32(&b);
    assert_int_equal(get32(&b), 255);
    assert_true(get32(&b) && get32(&b) && !get32(&b) && get32(&b));
    done(b);
}

static void a_read_only_export(void **state)
{
    struct fh ro = env_mount(&env, "/ro");
    struct attr a;
    assert_int_equal(nfs_getattr(&env, &ro, &a), NFS3_OK);
    assert_int_equal(nfs_create(&env, &ro, "x", NULL), NFS3ERR_ROFS);
    assert_int_equal(access_of(&ro, 63), ACCESS3_READ | ACCESS3_LOOKUP);
}

static void squashing_and_auth_none(void **state)
{
    struct fh sq = env_mount(&env, "/squashed"), f;
    struct attr a;
    struct bytes b = args(NFS3_SETATTR);
    assert_int_equal(nfs_create(&env, &sq, "mine", &f),
                     nfs_getattr(&env, &sq, &a) == 0 && a.mode & 2 ? NFS3_OK : NFS3ERR_ACCES);
    put_fh(&b, &root);
    put_sattr_mode(&b, 01777);
    put32(&b, 0);
    b = call(b);
    assert_int_equal(get32(&b), NFS3_OK);
    drop(&b);
    env.uid = UINT32_MAX; /* AUTH_NONE */
    assert_int_equal(nfs_create(&env, &root, "nobody", &f), NFS3_OK);
    assert_int_equal(nfs_getattr(&env, &f, &a), NFS3_OK);
    assert_int_equal(a.uid, 65534);
    env.uid = 0;
}

/* A cached reply comes back; the same request with a new xid runs. */
static void remove_is_not_run_twice(void **state)
{
    new_file("twice");
    struct bytes b = args(NFS3_REMOVE);
    put_fh(&b, &root);
    put_str(&b, "twice");
    for (int i = 0; i < 3; i++) {
        peer_send(env.fd, &b);
        struct bytes r = peer_recv(env.fd);
        get(&r, 24);
        assert_int_equal(get32(&r), NFS3_OK);
        drop(&r);
    }
    drop(&b);
    assert_int_equal(nfs_remove(&env, &root, "twice"), NFS3ERR_NOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_is_mapped),
        cmocka_unit_test(null),
        cmocka_unit_test(getattr_and_handles),
        cmocka_unit_test(setattr_with_wcc_and_guard),
        cmocka_unit_test(lookup),
        cmocka_unit_test(access_rights),
        cmocka_unit_test(symlink_and_readlink),
        cmocka_unit_test(read_and_write),
        cmocka_unit_test(commit_and_the_verifier),
        cmocka_unit_test(create_in_three_ways),
        cmocka_unit_test(mkdir_and_mknod),
        cmocka_unit_test(remove_and_rmdir),
        cmocka_unit_test(rename_and_link),
        cmocka_unit_test(statistics),
        cmocka_unit_test(a_read_only_export),
        cmocka_unit_test(squashing_and_auth_none),
        cmocka_unit_test(remove_is_not_run_twice),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
