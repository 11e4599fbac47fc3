/* test_access.c - who may do what by mode bits, and as whom a client comes in. */
#include "world.h"
#include <arpa/inet.h>
#include <netinet/in.h>

static struct world w;
static struct caller c;

static int setup(void **state)
{
    if (world_open(&w, "mem", false) != 0)
        return -1;
    caller_init(&c, &w, 0, 0);
    return 0;
}
static int teardown(void **state)
{
    caller_done(&c);
    world_close(&w);
    return 0;
}

static struct st_node *owned(enum st_type type, uint32_t mode)
{
    struct st_node *n = mk(&c, w.root, "n", type, mode);
    struct fs_setattr own = {.set = ST_SET_UID | ST_SET_GID | ST_SET_MODE, .a = {.uid = 10, .gid = 20, .mode = mode}};
    assert_st(RUN(&c, fs_setattr(&c.q, n, NULL, &own, NULL)), ST_OK);
    assert_st(RUN(&c, fs_remove(&c.q, w.root, "n", 1, type == ST_DIR, NULL)), ST_OK);
    return n;
}

static void by_mode(void **state)
{
    enum { R = FS_READ_DATA, W = FS_WRITE_DATA, A = FS_APPEND_DATA, X = FS_EXECUTE, D = FS_DELETE_CHILD };
    const uint32_t asked = R | W | A | X | D;
    static const struct {
        enum st_type type;
        uint32_t uid, gid, group2, mode, want, want_smb;
    } cases[] = {
        {ST_REG, 10, 99, 0, 0700, R | W | A | X, R | W | A | X},
        {ST_REG, 10, 99, 0, 0600, R | W | A, R | W | A | X}, /* SMB has no mark of a program */
        {ST_REG, 10, 20, 0, 0077, 0, 0},                    /* the owner's class counts alone */
        {ST_REG, 11, 20, 0, 0640, R, R | X},
        {ST_REG, 11, 99, 20, 0660, R | W | A, R | W | A | X},
        {ST_REG, 11, 20, 0, 0604, 0, 0},
        {ST_REG, 11, 99, 0, 0604, R, R | X},
        {ST_REG, 11, 99, 0, 0601, X, X},
        {ST_REG, 0, 0, 0, 0000, R | W | A | D, R | W | A | X | D},
        {ST_REG, 0, 0, 0, 0100, R | W | A | X | D, R | W | A | X | D},
        {ST_DIR, 11, 99, 0, 0707, R | W | A | X | D, R | W | A | X | D},
        {ST_DIR, 11, 99, 0, 0706, R, R}, /* names that cannot be reached cannot be changed */
        {ST_DIR, 11, 99, 0, 0705, R | X, R | X},
        {ST_DIR, 0, 0, 0, 0000, R | W | A | X | D, R | W | A | X | D},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct st_node *n = owned(cases[i].type, cases[i].mode);
        struct caller who;
        uint32_t got;
        caller_init(&who, &w, cases[i].uid, cases[i].gid);
        who.cred.groups[0] = cases[i].group2;
        who.cred.ngroups = cases[i].group2 != 0;
        uint32_t about = cases[i].type == ST_DIR ? asked : asked & ~(uint32_t)D; /* a file has no children */
        assert_st(RUN(&who, fs_access(&who.q, n, about, &got)), ST_OK);
        if (got != (cases[i].want & about))
            print_error("case %zu: %x\n", i, got);
        assert_int_equal(got, cases[i].want & about);
        who.q.posix = false;
        assert_st(RUN(&who, fs_access(&who.q, n, about, &got)), ST_OK);
        assert_int_equal(got, cases[i].want_smb & about);
        caller_done(&who);
        st_unref(n);
    }
}

static void owner_override(void **state)
{
    struct st_node *n = owned(ST_REG, 0000), *x = owned(ST_REG, 0711);
    struct st_attr a = attr_of(n), ax = attr_of(x);
    struct caller owner, other;
    caller_init(&owner, &w, 10, 99);
    caller_init(&other, &w, 11, 99);
    assert_st(fs_permit(&owner.q, n, &a, FS_READ_DATA | FS_WRITE_DATA), ST_OK);
    assert_st(fs_permit(&owner.q, n, &a, FS_EXECUTE), ST_ACCESS);
    assert_st(fs_permit(&other.q, n, &a, FS_READ_DATA), ST_ACCESS);
    assert_st(fs_permit(&other.q, x, &ax, FS_READ_DATA), ST_OK); /* a program is read to be run */
    assert_st(fs_permit(&other.q, x, &ax, FS_WRITE_DATA), ST_ACCESS);
    owner.q.posix = other.q.posix = false;
    assert_st(fs_permit(&owner.q, n, &a, FS_READ_DATA), ST_ACCESS);
    assert_st(fs_permit(&owner.q, n, &a, FS_WRITE_DAC | FS_WRITE_OWNER), ST_OK);
    assert_st(fs_permit(&other.q, x, &ax, FS_READ_DATA), ST_ACCESS);
    assert_st(fs_permit(&other.q, x, &ax, FS_READ_ATTRIBUTES | FS_READ_CONTROL | FS_SYNCHRONIZE), ST_OK);
    caller_done(&owner), caller_done(&other);
    st_unref(n), st_unref(x);
}

static void unprivileged(void **state)
{
    struct st_node *n = owned(ST_REG, 0600);
    struct st_attr a = attr_of(n);
    struct caller any;
    caller_init(&any, &w, 12345, 12345);
    w.fs->cfg.unprivileged = true;
    w.fs->self = (struct fs_cred){.uid = 10, .gid = 20};
    any.q.posix = false;
    assert_st(fs_permit(&any.q, n, &a, FS_READ_DATA | FS_WRITE_DATA), ST_OK);
    w.fs->self.uid = 13;
    assert_st(fs_permit(&any.q, n, &a, FS_READ_DATA), ST_ACCESS);
    caller_done(&any);
    st_unref(n);
}

static struct sockaddr_storage addr(const char *text)
{
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *v4 = (void *)&ss;
    struct sockaddr_in6 *v6 = (void *)&ss;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        ss.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        ss.ss_family = AF_INET6;
    return ss;
}

static void exports(void **state)
{
    struct fs_export_rule rules[] = {
        {.addr = {[10] = 0xff, 0xff, 10, 1, 2, 3}, .prefix = 128, .squash = FS_SQUASH_NONE},
        {.addr = {[10] = 0xff, 0xff, 10, 1, 2, 0}, .prefix = 96 + 23, .read_only = true, .squash = FS_SQUASH_ALL},
        {.addr = {0x20, 0x01, 0x0d, 0xb8}, .prefix = 32, .squash = FS_SQUASH_ROOT},
    };
    static const struct {
        const char *from;
        bool in, ro, superuser;
        uint32_t uid, gid, group;
    } cases[] = {
        {"10.1.2.3", true, false, true, 0, 0, 0},          {"::ffff:10.1.2.3", true, false, true, 0, 0, 0},
        {"10.1.3.255", true, true, false, 65534, 65534, ~0u}, {"10.1.4.1", false, false, false, 0, 0, 0},
        {"2001:db8::1", true, false, false, 65534, 65534, 65534}, {"2001:db9::1", false, false, false, 0, 0, 0},
    };
    struct fs_share_config cfg = world_config(&w);
    cfg.rules = rules;
    cfg.nrules = ARRAY_LEN(rules);
    assert_st(fs_share_set(w.fs, "share", &cfg), ST_OK);
    struct fs_share *s = fs_share_get(w.fs, "share", 5);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sockaddr_storage peer = addr(cases[i].from);
        struct fs_cred cred = {.ngroups = 1};
        bool ro = false;
        assert_int_equal(fs_export_admit(s, &peer, &cred, &ro), cases[i].in);
        if (!cases[i].in)
            continue;
        assert_int_equal(ro, cases[i].ro);
        assert_int_equal(cred.superuser, cases[i].superuser);
        assert_int_equal(cred.uid, cases[i].uid);
        assert_int_equal(cred.gid, cases[i].gid);
        if (cred.ngroups)
            assert_int_equal(cred.groups[0], cases[i].group);
    }
    fs_share_put(s);
    cfg.nrules = 0;
    cfg.read_only = true;
    assert_st(fs_share_set(w.fs, "share", &cfg), ST_OK);
    s = fs_share_get(w.fs, "share", 5);
    struct sockaddr_storage anybody = addr("192.0.2.1");
    struct fs_cred user = {.uid = 5, .gid = 6};
    bool ro = false;
    assert_true(fs_export_admit(s, &anybody, &user, &ro));
    assert_true(ro && user.uid == 5 && user.gid == 6 && !user.superuser);
    fs_share_put(s);
    cfg.nfs = false;
    assert_st(fs_share_set(w.fs, "share", &cfg), ST_OK);
    s = fs_share_get(w.fs, "share", 5);
    assert_false(fs_export_admit(s, &anybody, &user, &ro));
    fs_share_put(s);
}

#define ONE(fn) {#fn, fn, setup, teardown, NULL}
int main(void)
{
    const struct CMUnitTest tests[] = {ONE(by_mode), ONE(owner_override), ONE(unprivileged), ONE(exports)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
