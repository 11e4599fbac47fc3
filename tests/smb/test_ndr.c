/* Remote procedure calls: binding, calls in one and in many fragments, faults. */
#include "tests/base/cm.h"
#include "fs/fs.h"
#include "smb/dcerpc.h"

static struct fs_share shares[] = {{.cfg = {.name = "docs", .comment = "Documents", .smb = true}},
                                   {.cfg = {.name = "nfsonly", .nfs = true}},
                                   {.cfg = {.name = "secret", .smb = true, .hidden = true}}};

/* Stands for the file service's. */
void fs_share_each(struct fs *fs, bool (*fn)(void *arg, struct fs_share *s), void *arg)
{
    for (size_t i = 0; i < ARRAY_LEN(shares); i++)
        fn(arg, &shares[i]);
}

static struct arena arena;
static const struct dcerpc_env env = {.server_name = "HOST", .domain = "GROUP"};
static struct wbuf out;

static size_t pdu(uint8_t *p, uint8_t type, uint8_t flags, const void *body, size_t n)
{
    static const uint8_t head[16] = {5, 0, 0, 0, 0x10};
    memcpy(p, head, 16);
    p[2] = type;
    p[3] = flags;
    put_le16(p + 8, (uint16_t)(16 + n));
    put_le32(p + 12, 77);
    memcpy(p + 16, body, n);
    return 16 + n;
}

static void bind_to(struct dcerpc_conn *c, const struct dcerpc_interface *iface)
{
    uint8_t p[128], body[56] = {0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0};
    static const uint8_t ndr[20] = {0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8,
                                    0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2};
    memcpy(body + 16, iface->uuid, 16);
    body[32] = (uint8_t)iface->major;
    memcpy(body + 36, ndr, 20);
    *c = (struct dcerpc_conn){.iface = iface};
    wbuf_init(&out, 1024, 1 << 20);
    size_t n = pdu(p, 11, 3, body, sizeof body);
    assert_true(dcerpc_pdu(c, &env, &arena, p, n, &out));
    assert_int_equal(*wbuf_at(&out, 2), 12);
    assert_int_equal(c->ncontexts, 1);
    wbuf_cut(&out, 0);
}

/* Calls with the stub in pieces of `part` bytes. Returns the type of the answer. */
static int call(struct dcerpc_conn *c, uint16_t opnum, const void *stub, size_t n, size_t part)
{
    size_t at = 0;
    wbuf_cut(&out, 0);
    do {
        uint8_t p[512], body[400] = {0};
        size_t k = MIN(part, n - at);
        put_le16(body + 6, opnum);
        memcpy(body + 8, (const uint8_t *)stub + at, k);
        size_t len = pdu(p, 0, (uint8_t)((at ? 0 : 1) | (at + k == n ? 2 : 0)), body, 8 + k);
        assert_true(dcerpc_pdu(c, &env, &arena, p, len, &out));
        at += k;
    } while (at < n);
    return *wbuf_at(&out, 2);
}

static void share_list(void **state)
{
    /* no server name; level 1; container with no entries; all at once; no resume handle */
    static const uint8_t stub[] = {0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 2, 0, 0, 0, 0, 0,
                                   0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0};
    struct dcerpc_conn c;
    bind_to(&c, &dcerpc_srvsvc);
    for (size_t part = 3; part <= sizeof stub; part += 29) {
        assert_int_equal(call(&c, 15, stub, sizeof stub, part), 2);
        const uint8_t *p = wbuf_at(&out, 24);
        assert_int_equal(get_le32(p), 1);
        assert_int_equal(get_le32(p + 12), 2); /* docs and IPC$ */
        assert_int_equal(get_le32(wbuf_at(&out, wbuf_len(&out) - 4)), 0);
    }
    uint8_t other[sizeof stub];
    memcpy(other, stub, sizeof stub);
    other[4] = other[8] = 9; /* no such level */
    assert_int_equal(call(&c, 15, other, sizeof other, 64), 2);
    assert_int_equal(get_le32(wbuf_at(&out, wbuf_len(&out) - 4)), 124);
    dcerpc_conn_done(&c);
    wbuf_done(&out);
}

static void faults(void **state)
{
    struct dcerpc_conn c;
    bind_to(&c, &dcerpc_srvsvc);
    assert_int_equal(call(&c, 999, "abcd", 4, 4), 3);
    assert_int_equal(get_le32(wbuf_at(&out, 24)), RPC_FAULT_OP_RANGE);
    assert_int_equal(call(&c, 12, "abcd", 4, 4), 3);
    assert_int_equal(get_le32(wbuf_at(&out, 24)), RPC_FAULT_ACCESS_DENIED);
    assert_int_equal(call(&c, 15, "abcd", 4, 4), 3);
    assert_int_equal(get_le32(wbuf_at(&out, 24)), RPC_FAULT_NDR);
    wbuf_done(&out);
    bind_to(&c, &dcerpc_wkssvc);
    static const uint8_t stub[] = {0, 0, 0, 0, 100, 0, 0, 0};
    assert_int_equal(call(&c, 0, stub, sizeof stub, 64), 2);
    assert_int_equal(get_le32(wbuf_at(&out, wbuf_len(&out) - 4)), 0);
    wbuf_done(&out);
}

static void unbound(void **state)
{
    struct dcerpc_conn c = {.iface = &dcerpc_srvsvc};
    uint8_t p[64];
    wbuf_init(&out, 256, 4096);
    assert_true(dcerpc_pdu(&c, &env, &arena, p, pdu(p, 0, 3, "\0\0\0\0\0\0\0\0", 8), &out));
    assert_int_equal(*wbuf_at(&out, 2), 3);
    assert_false(dcerpc_pdu(&c, &env, &arena, p, pdu(p, 14, 3, "", 0), &out));
    assert_int_equal(dcerpc_frame(p, 10), 0);
    p[0] = 4;
    assert_int_equal(dcerpc_frame(p, 16), SIZE_MAX);
    assert_null(dcerpc_interface_find("nosuchpipe"));
    assert_ptr_equal(dcerpc_interface_find("SrvSvc"), &dcerpc_srvsvc);
    wbuf_done(&out);
}

int main(void)
{
    arena_init(&arena);
    const struct CMUnitTest tests[] = {cmocka_unit_test(share_list), cmocka_unit_test(faults),
                                       cmocka_unit_test(unbound)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_reset(&arena);
    return failed;
}
