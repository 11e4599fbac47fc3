/* test_sd.c - security descriptors: taking them apart, what they grant, mode bits, inheritance, storing. */
#include "fs/sd.h"
#include "opens.h"

static struct world w;
static struct smb a, u;

static int setup(void **state)
{
    if (world_open(&w, *state, false))
        return -1;
    smb_init(&a, &w, 0, 1);
    smb_init(&u, &w, 1234, 2);
    return 0;
}

static int teardown(void **state)
{
    smb_done(&a);
    smb_done(&u);
    world_close(&w);
    return 0;
}

struct entry {
    uint8_t type, flags;
    uint32_t mask;
    struct sid sid;
};

/* A self-relative descriptor with this DACL; owner and group are uid 1000, gid 1000. */
static uint8_t *build(struct arena *arena, const struct entry *e, size_t n, uint16_t control, size_t *ret_n)
{
    uint8_t acl[4096] = {2};
    size_t at = 8;
    struct sid owner = sid_of_user(1000), group = sid_of_group(1000);
    for (size_t i = 0; i < n; i++) {
        acl[at] = e[i].type;
        acl[at + 1] = e[i].flags;
        put_le16(acl + at + 2, (uint16_t)(8 + e[i].sid.n));
        put_le32(acl + at + 4, e[i].mask);
        memcpy(acl + at + 8, e[i].sid.b, e[i].sid.n);
        at += 8 + e[i].sid.n;
    }
    struct sd sd = {.control = (uint16_t)(SD_DACL_PRESENT | control), .owner = sid_part(&owner),
                    .group = sid_part(&group), .dacl = {acl, at}};
    uint8_t *p = NULL;
    assert_st(sd_emit(arena, &sd, &p, ret_n), ST_OK);
    return p;
}

static void parsing(void **state)
{
    struct arena arena;
    struct sd sd;
    arena_init(&arena);
    struct entry e[] = {{ACE_DENIED, 0, FS_WRITE_DATA, sid_everyone}, {ACE_ALLOWED, 0, FS_ALL_ACCESS, sid_of_user(5)}};
    size_t n;
    uint8_t *p = build(&arena, e, 2, 0, &n);
    assert_st(sd_parse(p, n, &sd), ST_OK);
    uint32_t uid;
    assert_true(sid_to_user(&sd.owner, &uid));
    assert_int_equal(uid, 1000);
    /* Cut anywhere and with any byte changed: never out of bounds, and what is accepted can be walked. */
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, p, cut);
        sd_parse(copy, cut, &sd);
        free(copy);
    }
    for (size_t i = 0; i < n; i++)
        for (unsigned v = 0; v < 256; v++) {
            uint8_t *copy = malloc(n);
            memcpy(copy, p, n);
            copy[i] = (uint8_t)v;
            if (sd_parse(copy, n, &sd) == ST_OK) {
                struct fs_cred c = {.uid = 5};
                struct st_attr at_ = {.uid = 1000};
                uint8_t *again;
                size_t na;
                sd_rights(&sd, &c, &at_);
                sd_mode(&sd, 0);
                assert_st(sd_emit(&arena, &sd, &again, &na), ST_OK);
                arena_reset(&arena);
                free(copy);
                p = build(&arena, e, 2, 0, &n);
                continue;
            }
            free(copy);
        }
    arena_reset(&arena);
}

static uint32_t rights_of(const struct entry *e, size_t n, uint32_t uid, uint32_t gid)
{
    struct arena arena;
    struct sd sd;
    size_t len;
    arena_init(&arena);
    uint8_t *p = build(&arena, e, n, 0, &len);
    assert_st(sd_parse(p, len, &sd), ST_OK);
    struct fs_cred c = {.uid = uid, .gid = gid};
    struct st_attr at_ = {.uid = 1000, .gid = 1000};
    uint32_t r = sd_rights(&sd, &c, &at_);
    arena_reset(&arena);
    return r;
}

static void order_and_owner(void **state)
{
    struct entry first_deny[] = {{ACE_DENIED, 0, FS_WRITE_DATA, sid_of_user(7)}, {ACE_ALLOWED, 0, 3, sid_everyone}};
    assert_int_equal(rights_of(first_deny, 2, 7, 7), FS_READ_DATA);
    assert_int_equal(rights_of(first_deny, 2, 8, 8), 3);
    struct entry first_allow[] = {{ACE_ALLOWED, 0, 3, sid_everyone}, {ACE_DENIED, 0, FS_WRITE_DATA, sid_of_user(7)}};
    assert_int_equal(rights_of(first_allow, 2, 7, 7), 3);
    struct entry group[] = {{ACE_ALLOWED, 0, FS_GENERIC_ALL, sid_of_group(50)}};
    assert_int_equal(rights_of(group, 1, 7, 50), FS_ALL_ACCESS);
    assert_int_equal(rights_of(group, 1, 7, 51), 0);
    assert_int_equal(rights_of(group, 1, 1000, 51), FS_READ_CONTROL | FS_WRITE_DAC);
    struct entry owner[] = {{ACE_ALLOWED, 0, FS_READ_CONTROL, sid_owner_rights}};
    assert_int_equal(rights_of(owner, 1, 1000, 51), FS_READ_CONTROL);
    struct entry later[] = {{ACE_ALLOWED, ACE_INHERIT_ONLY | ACE_OBJECT_INHERIT, FS_ALL_ACCESS, sid_everyone}};
    assert_int_equal(rights_of(later, 1, 7, 7), 0);
}

static void modes(void **state)
{
    struct arena arena;
    arena_init(&arena);
    for (uint32_t mode = 0; mode < 01000; mode++)
        for (int is_dir = 0; is_dir < 2; is_dir++) {
            struct st_attr at_ = {.type = is_dir ? ST_DIR : ST_REG, .mode = mode, .uid = 1000, .gid = 1000};
            struct sd sd, again;
            uint8_t *p;
            size_t n;
            assert_st(sd_from_mode(&arena, &at_, &sd), ST_OK);
            assert_int_equal(sd_mode(&sd, 0), mode);
            assert_st(sd_emit(&arena, &sd, &p, &n), ST_OK);
            assert_st(sd_parse(p, n, &again), ST_OK);
            assert_int_equal(sd_mode(&again, 04000), mode | 04000);
            /* What it grants is what the class of mode bits grants. */
            struct fs_cred who[] = {{.uid = 1000, .gid = 7}, {.uid = 7, .gid = 1000}, {.uid = 7, .gid = 7}};
            for (unsigned i = 0; i < 3; i++) {
                uint32_t bits = mode >> (6 - 3 * i) & 7, r = sd_rights(&again, &who[i], &at_);
                assert_int_equal(!!(r & FS_READ_DATA), !!(bits & 4));
                assert_int_equal(!!(r & FS_WRITE_DATA), !!(bits & 2));
                assert_int_equal(!!(r & FS_EXECUTE), !!(bits & 1));
            }
            arena_reset(&arena);
        }
}

static void set_and_get(void **state)
{
    struct fs_open *o = must_open(&a, "f", FS_ALL_ACCESS, FS_CREATE);
    uint8_t *p, *got;
    size_t n, ngot;
    uint32_t some = FS_READ_DATA | FS_WRITE_DATA | FS_APPEND_DATA | FS_READ_ATTRIBUTES;
    struct entry e[] = {{ACE_ALLOWED, 0, some, sid_of_user(1234)},
                        {ACE_ALLOWED, 0, FS_READ_DATA, sid_everyone}};
    p = build(&a.c.arena, e, 2, 0, &n);
    assert_st(touch(&u, "f", FS_WRITE_DATA, SHARE_ALL, FS_OPEN, 0), ST_ACCESS);
    assert_st(RUN(&a.c, fs_sd_set(&a.c.q, o->node, o, FS_SEC_OWNER | FS_SEC_GROUP | FS_SEC_DACL, p, n)), ST_OK);
    assert_st(touch(&u, "f", FS_WRITE_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_st(touch(&u, "f", FS_DELETE_CHILD, SHARE_ALL, FS_OPEN, 0), ST_ACCESS);
    assert_st(touch(&u, "f", FS_EXECUTE, SHARE_ALL, FS_OPEN, 0), ST_ACCESS); /* reading is not running, here */
    struct st_attr at_ = attr_of(o->node);
    assert_int_equal(at_.mode, 0444);
    assert_int_equal(at_.uid, 1000);
    assert_st(fs_sd_get(&a.c.q, o->node, o, FS_SEC_OWNER | FS_SEC_GROUP | FS_SEC_DACL, &got, &ngot), ST_OK);
    assert_int_equal(ngot, n);
    assert_memory_equal(got, p, n);
    assert_st(fs_sd_get(&a.c.q, o->node, o, FS_SEC_OWNER, &got, &ngot), ST_OK);
    struct sd sd;
    assert_st(sd_parse(got, ngot, &sd), ST_OK);
    assert_non_null(sd.owner.p);
    assert_null(sd.group.p);
    assert_null(sd.dacl.p);
    assert_int_equal(sd.control & SD_DACL_PRESENT, 0);
    /* NFS sees the same descriptor. */
    struct caller nfs;
    caller_init(&nfs, &w, 1234, 1234);
    uint32_t granted;
    assert_st(fs_access(&nfs.q, o->node, FS_WRITE_DATA | FS_READ_DATA, &granted), ST_OK);
    assert_int_equal(granted, FS_WRITE_DATA | FS_READ_DATA);
    /* A chmod from there voids it, also when the mode comes back. */
    struct caller root;
    caller_init(&root, &w, 0, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct fs_setattr sa = {.set = ST_SET_MODE, .a.mode = i ? 0444 : 0640};
        assert_st(RUN(&root, fs_setattr(&root.q, o->node, NULL, &sa, NULL)), ST_OK);
        assert_st(touch(&u, "f", FS_WRITE_DATA, SHARE_ALL, FS_OPEN, 0), ST_ACCESS);
    }
    caller_done(&root);
    caller_done(&nfs);
    close_open(&a, o);
    /* Not everybody may, and nonsense is refused. */
    o = must_open(&a, "f", FS_READ_DATA, FS_OPEN);
    assert_st(RUN(&a.c, fs_sd_set(&a.c.q, o->node, o, FS_SEC_DACL, p, n)), ST_ACCESS);
    assert_st(fs_sd_get(&a.c.q, o->node, o, FS_SEC_DACL, &got, &ngot), ST_ACCESS);
    assert_st(fs_sd_get(&a.c.q, o->node, o, 0, &got, &ngot), ST_OK);
    assert_st(RUN(&a.c, fs_sd_set(&a.c.q, o->node, o, FS_SEC_DACL, p, n - 3)), ST_INVAL);
    close_open(&a, o);
}

static void inheritance(void **state)
{
    struct fs_open *d = NULL, *o;
    assert_st(try_open(&a, "d", FS_ALL_ACCESS, SHARE_ALL, FS_CREATE, FS_DIRECTORY_FILE, &d), ST_OK);
    struct entry e[] = {
        {ACE_ALLOWED, ACE_OBJECT_INHERIT | ACE_CONTAINER_INHERIT, FS_ALL_ACCESS, sid_of_user(1234)},
        {ACE_ALLOWED, ACE_OBJECT_INHERIT | ACE_CONTAINER_INHERIT | ACE_INHERIT_ONLY, FS_GENERIC_ALL, sid_creator_owner},
        {ACE_ALLOWED, ACE_CONTAINER_INHERIT | ACE_NO_PROPAGATE, FS_READ_DATA, sid_everyone},
        {ACE_ALLOWED, ACE_OBJECT_INHERIT, FS_EXECUTE, sid_of_group(9)},
    };
    size_t n;
    uint8_t *p = build(&a.c.arena, e, 4, SD_DACL_AUTO_INHERITED | SD_DACL_AUTO_INHERIT_REQ, &n), *got;
    assert_st(RUN(&a.c, fs_sd_set(&a.c.q, d->node, d, FS_SEC_DACL, p, n)), ST_OK);
    close_open(&a, d);
    static const struct {
        const char *name;
        uint32_t options;
        size_t n;
        struct {
            uint8_t flags;
            uint32_t mask;
        } ace[5];
    } t[] = {
        {"d/f", 0, 3, {{ACE_INHERITED, FS_ALL_ACCESS}, {ACE_INHERITED, FS_ALL_ACCESS}, {ACE_INHERITED, FS_EXECUTE}}},
        {"d/sub", FS_DIRECTORY_FILE, 5,
         {{ACE_INHERITED | 3, FS_ALL_ACCESS}, {ACE_INHERITED, FS_ALL_ACCESS}, {ACE_INHERITED | 11, FS_GENERIC_ALL},
          {ACE_INHERITED, FS_READ_DATA}, {ACE_INHERITED | 9, FS_EXECUTE}}},
    };
    for (size_t i = 0; i < 2; i++) {
        assert_st(try_open(&u, t[i].name, FS_ALL_ACCESS, SHARE_ALL, FS_CREATE, t[i].options, &o), ST_OK);
        assert_st(fs_sd_get(&u.c.q, o->node, o, FS_SEC_OWNER | FS_SEC_DACL, &got, &n), ST_OK);
        struct sd sd;
        struct ace ace;
        size_t at_ = 0, k = 0;
        uint32_t uid;
        assert_st(sd_parse(got, n, &sd), ST_OK);
        assert_true(sd.control & SD_DACL_AUTO_INHERITED);
        assert_true(sid_to_user(&sd.owner, &uid) && uid == 1234);
        for (; sd_next_ace(&sd.dacl, &at_, &ace); k++) {
            assert_int_equal(ace.flags, t[i].ace[k].flags);
            assert_int_equal(ace.mask, t[i].ace[k].mask);
        }
        assert_int_equal(k, t[i].n);
        close_open(&u, o);
    }
    assert_st(touch(&u, "d/sub/f", FS_WRITE_DATA, SHARE_ALL, FS_CREATE, 0), ST_OK);
    /* One that is given with the file. */
    struct entry only[] = {{ACE_ALLOWED, 0, FS_READ_DATA, sid_everyone}};
    struct fs_open_args x = args(&w, "d/given", FS_WRITE_DATA, FS_CREATE);
    struct fs_open_result r;
    x.sd = build(&u.c.arena, only, 1, 0, &x.nsd);
    assert_st(open_args(&u, &x, &r), ST_OK);
    close_open(&u, r.open);
    assert_st(touch(&u, "d/given", FS_WRITE_DATA, SHARE_ALL, FS_OPEN, 0), ST_ACCESS);
    assert_st(touch(&u, "d/given", FS_WRITE_DAC, SHARE_ALL, FS_OPEN, 0), ST_OK);
    assert_int_equal(touch(&u, "d/given", FS_READ_DATA, SHARE_ALL, FS_OPEN, 0), ST_OK);
}

int main(void)
{
#define BOTH(fn)                                                                                                       \
    {#fn " mem", fn, setup, teardown, "mem"}, {#fn " dir", fn, setup, teardown, "dir"}
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing), cmocka_unit_test(order_and_owner), cmocka_unit_test(modes),
        BOTH(set_and_get), BOTH(inheritance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
