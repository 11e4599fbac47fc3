/* test_rpc_msg.c - call headers, credentials and record marking, as pure functions. */
#include "peer.h"
#include "rpc/rpc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static enum rpc_parse parse(const struct bytes *b, struct rpc_header *h, enum rpc_auth_stat *why)
{
    struct cursor c = cursor_of(b->p, b->n);
    return rpc_parse_call(&c, h, why);
}

static void reads_a_call(void **state)
{
    struct bytes b = call_of(7, 100003, 3, 1, 1000);
    struct rpc_header h;
    enum rpc_auth_stat why;
    struct cursor c = cursor_of(b.p, b.n);
    assert_int_equal(rpc_parse_call(&c, &h, &why), RPC_PARSE_OK);
    assert_int_equal(cursor_left(&c), 0);
    assert_int_equal(h.xid, 7);
    assert_int_equal(h.prog, 100003);
    assert_int_equal(h.auth.flavor, RPC_AUTH_SYS);
    assert_int_equal(h.auth.uid, 1000);
    for (size_t n = 0; n < b.n; n++) { /* cut anywhere */
        struct bytes cut = b;
        cut.n = n;
        enum rpc_parse p = parse(&cut, &h, &why);
        assert_int_equal(p, n < 24 ? RPC_PARSE_DROP : RPC_PARSE_AUTH);
    }
    drop(&b);
}

static struct bytes with_cred(uint32_t flavor, const struct bytes *cred, uint32_t verf, uint32_t nverf)
{
    struct bytes b = {0};
    for (const uint32_t *v = (const uint32_t[]){9, 0, 2, 100003, 3, 0, UINT32_MAX}; *v != UINT32_MAX; v++)
        put32(&b, *v);
    put32(&b, flavor);
    put_opaque(&b, cred->p, cred->n);
    put32(&b, verf);
    put32(&b, nverf);
    for (uint32_t i = 0; i < (nverf + 3) / 4; i++)
        put32(&b, 0);
    return b;
}

static struct bytes sys_cred(uint32_t name_len, uint32_t ngids)
{
    struct bytes c = {0};
    char name[400] = {0};
    put32(&c, 1);
    put_opaque(&c, name, name_len);
    put32(&c, 1);
    put32(&c, 2);
    put32(&c, ngids);
    for (uint32_t i = 0; i < ngids; i++)
        put32(&c, 100 + i);
    return c;
}

static void expect_auth(uint32_t flavor, struct bytes cred, uint32_t verf, uint32_t nverf, enum rpc_auth_stat want)
{
    struct rpc_header h;
    enum rpc_auth_stat why;
    struct bytes b = with_cred(flavor, &cred, verf, nverf);
    enum rpc_parse p = parse(&b, &h, &why);
    assert_int_equal(p, want == RPC_AUTH_OK ? RPC_PARSE_OK : RPC_PARSE_AUTH);
    assert_int_equal(why, want);
    drop(&b);
    drop(&cred);
}

static void judges_credentials(void **state)
{
    struct bytes long_body = {0};
    for (int i = 0; i < 101; i++)
        put32(&long_body, 0);
    struct bytes one = {0}, none = {0};
    put32(&one, 1);
    expect_auth(RPC_AUTH_SYS, sys_cred(255, 16), RPC_AUTH_NONE, 0, RPC_AUTH_OK);
    expect_auth(RPC_AUTH_SYS, sys_cred(256, 0), RPC_AUTH_NONE, 0, RPC_AUTH_BADCRED);
    expect_auth(RPC_AUTH_SYS, sys_cred(0, 17), RPC_AUTH_NONE, 0, RPC_AUTH_BADCRED);
    expect_auth(RPC_AUTH_SYS, one, RPC_AUTH_NONE, 0, RPC_AUTH_BADCRED);
    expect_auth(RPC_AUTH_NONE, long_body, RPC_AUTH_NONE, 0, RPC_AUTH_BADCRED);
    expect_auth(RPC_AUTH_NONE, none, RPC_AUTH_NONE, 404, RPC_AUTH_BADVERF);
    expect_auth(RPC_AUTH_NONE, none, RPC_AUTH_SYS, 0, RPC_AUTH_BADVERF);
    expect_auth(RPC_AUTH_NONE, none, RPC_AUTH_NONE, 400, RPC_AUTH_OK);
    expect_auth(RPC_AUTH_SHORT, none, RPC_AUTH_NONE, 0, RPC_AUTH_REJECTEDCRED);
    expect_auth(6, none, RPC_AUTH_NONE, 0, RPC_AUTH_TOOWEAK);
}

static void a_reply_or_another_version_is_no_call(void **state)
{
    struct rpc_header h;
    enum rpc_auth_stat why;
    struct bytes b = call_of(1, 2, 3, 4, UINT32_MAX);
    b.p[7] = 1; /* REPLY */
    assert_int_equal(parse(&b, &h, &why), RPC_PARSE_DROP);
    b.p[7] = 0;
    b.p[11] = 3; /* RPC version 3 */
    assert_int_equal(parse(&b, &h, &why), RPC_PARSE_MISMATCH);
    drop(&b);
}

/* A record in fragments of every size, looked at after every byte. */
static void frames_fragments_byte_by_byte(void **state)
{
    uint8_t body[37];
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)i;
    for (size_t size = 1; size <= sizeof body; size++) {
        struct bytes b = {0};
        put32(&b, 0); /* an empty fragment is allowed */
        for (size_t at = 0; at < sizeof body; at += size) {
            size_t n = MIN(size, sizeof body - at);
            put32(&b, (uint32_t)n | (at + n == sizeof body ? RPC_LAST_FRAGMENT : 0));
            put(&b, body + at, n);
        }
        size_t pos = 0, len = 0;
        ssize_t total = 0;
        for (size_t n = 1; n <= b.n; n++) {
            uint8_t *seen = malloc(n); /* bytes beyond n would be found */
            memcpy(seen, b.p, n);
            ssize_t r = rpc_frame(seen, n, 4096, &pos);
            free(seen);
            assert_true(r == 0 || r == (ssize_t)b.n);
            assert_true(total == 0 || r == total);
            total = r;
        }
        assert_int_equal(total, b.n);
        uint8_t *p = rpc_defragment(b.p, b.n, &len);
        assert_int_equal(len, sizeof body);
        assert_memory_equal(p, body, sizeof body);
        drop(&b);
    }
}

static void refuses_records_beyond_the_limit(void **state)
{
    static const uint8_t one[] = {0x80, 0, 0x10, 0}, many[] = {0, 0, 0x0f, 0xff};
    size_t pos = 0;
    assert_int_equal(rpc_frame(one, 4, 4096, &pos), -1);
    pos = 0;
    assert_int_equal(rpc_frame(one, 4, 4100, &pos), 4100);
    uint8_t *big = calloc(1, 8200);
    memcpy(big, many, 4);
    memcpy(big + 4 + 0xfff, many, 4);
    pos = 0;
    assert_int_equal(rpc_frame(big, 8200, 4100, &pos), -1);
    pos = 0;
    assert_int_equal(rpc_frame(big, 100, 8192, &pos), 0);
    free(big);
    uint8_t zeroes[64] = {0}; /* empty fragments without end */
    pos = 0;
    assert_int_equal(rpc_frame(zeroes, sizeof zeroes, 32, &pos), -1);
}

static void knows_addresses(void **state)
{
    struct sockaddr_storage a = {0};
    uint8_t b[16];
    struct sockaddr_in *in = (struct sockaddr_in *)&a;
    in->sin_family = AF_INET;
    in->sin_port = htons(700);
    in->sin_addr.s_addr = htonl(0x0a000001);
    rpc_addr_bytes(&a, b);
    static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
    assert_memory_equal(b, mapped, 16);
    assert_int_equal(rpc_addr_port(&a), 700);
    rpc_addr_set_port(&a, 111);
    assert_int_equal(rpc_addr_port(&a), 111);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_call),
        cmocka_unit_test(judges_credentials),
        cmocka_unit_test(a_reply_or_another_version_is_no_call),
        cmocka_unit_test(frames_fragments_byte_by_byte),
        cmocka_unit_test(refuses_records_beyond_the_limit),
        cmocka_unit_test(knows_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
