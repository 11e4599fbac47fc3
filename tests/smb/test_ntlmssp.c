/* NTLM against [MS-NLMP] 4.2.4's numbers and against a client of our own; SPNEGO around it. */
#include "tests/base/cm.h"
#include "base/bytes.h"
#include "fs/users.h"
#include "ntlm_client.h"
#include "smb/crypto.h"
#include "smb/spnego.h"

/* [MS-NLMP] 4.2.1, 4.2.4 */
static const uint8_t user16[] = "U\0s\0e\0r", domain16[] = "D\0o\0m\0a\0i\0n";
static const uint8_t server_challenge[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void specification(void **state)
{
    static const uint8_t owf_want[16] = {0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3, 0x00, 0x1e, 0xf2, 0x2e, 0xf0, 0x2e, 0x3f};
    static const uint8_t proof_want[16] = {0x68, 0xcd, 0x0a, 0xb8, 0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc, 0x92, 0x7b, 0xeb, 0xef, 0x6a, 0x1c};
    static const uint8_t key_want[16] = {0x8d, 0xe4, 0x0c, 0xca, 0xdb, 0xc1, 0x4a, 0x82, 0xf1, 0x5c, 0xb0, 0xad, 0x0d, 0xe9, 0x5c, 0xa3};
    static const uint8_t temp[] = "\1\1\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0" "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa" "\0\0\0\0"
                                  "\2\0\x0c\0" "D\0o\0m\0a\0i\0n\0" "\1\0\x0c\0" "S\0e\0r\0v\0e\0r\0" "\0\0\0\0" "\0\0\0";
    uint8_t hash[16], owf[16], proof[16], key[16];
    nt_hash("Password", hash);
    ntlm_ntowfv2(hash, user16, 8, domain16, 12, owf);
    assert_memory_equal(owf, owf_want, 16);
    smb_hmac_md5(owf, 16, (const void *[]){server_challenge, temp}, (size_t[]){8, sizeof temp}, 2, proof);
    assert_memory_equal(proof, proof_want, 16);
    smb_hmac_md5(owf, 16, (const void *[]){proof}, (size_t[]){16}, 1, key);
    assert_memory_equal(key, key_want, 16);
}

static bool lookup(void *arg, const char *user, uint8_t hash[16], bool *ret_disabled)
{
    if (strcmp(user, "ann") && strcmp(user, "off"))
        return false;
    nt_hash("secret", hash);
    *ret_disabled = strcmp(user, "off") == 0;
    return true;
}
static const struct ntlm_config strict = {.server = "HOST", .domain = "GROUP", .lookup = lookup};
static const struct ntlm_config lax = {.server = "HOST", .domain = "GROUP", .lookup = lookup, .guest = true, .anonymous = true};

static enum ntlm_status exchange(const struct ntlm_config *cfg, struct ntlm_client *c, struct ntlm *s, size_t spoil)
{
    uint8_t in[2048], out[2048];
    size_t n;
    memset(s, 0, sizeof *s);
    size_t len = ntlm_client_negotiate(c, in);
    if (ntlm_step(s, cfg, in, len, out, sizeof out, &n) != NTLM_MORE)
        return NTLM_BAD;
    len = ntlm_client_authenticate(c, out, n, in);
    if (spoil)
        in[spoil < len ? spoil : len - 1] ^= 1;
    return ntlm_step(s, cfg, in, len, out, sizeof out, &n);
}

static void logons(void **state)
{
    struct ntlm s;
    for (int i = 0; i < 4; i++) {
        struct ntlm_client c = {.user = "ann", .password = "secret", .domain = "GROUP", .mic = i & 1, .key_exchange = i & 2};
        assert_int_equal(exchange(&strict, &c, &s, 0), NTLM_DONE);
        assert_memory_equal(s.result.session_key, c.key, 16);
        assert_string_equal(s.result.user, "ann");
        assert_false(s.result.guest || s.result.anonymous);
        if (c.mic) /* the MIC covers its own message's every byte: here the version */
            assert_int_equal(exchange(&strict, &c, &s, 66), NTLM_DENIED);
        c.password = "wrong";
        assert_int_equal(exchange(&strict, &c, &s, 0), NTLM_DENIED);
        assert_int_equal(exchange(&lax, &c, &s, 0), NTLM_DENIED); /* a known user is never a guest */
        c.user = "bob";
        assert_int_equal(exchange(&strict, &c, &s, 0), NTLM_DENIED);
        assert_int_equal(exchange(&lax, &c, &s, 0), NTLM_DONE);
        assert_true(s.result.guest);
        c.user = "off";
        c.password = "secret";
        assert_int_equal(exchange(&strict, &c, &s, 0), NTLM_DISABLED);
        c.anonymous = true;
        assert_int_equal(exchange(&strict, &c, &s, 0), NTLM_DENIED);
        assert_int_equal(exchange(&lax, &c, &s, 0), NTLM_DONE);
        assert_true(s.result.anonymous);
    }
}

/* NTLMv1: 24 bytes of response are not looked at. */
static void no_ntlmv1(void **state)
{
    struct ntlm_client c = {.user = "ann", .password = "secret", .domain = "GROUP"};
    struct ntlm s = {0};
    uint8_t in[2048], out[2048];
    size_t n;
    size_t len = ntlm_client_negotiate(&c, in);
    assert_int_equal(ntlm_step(&s, &strict, in, len, out, sizeof out, &n), NTLM_MORE);
    len = ntlm_client_authenticate(&c, out, n, in);
    put_le16(in + 20, 24);
    put_le16(in + 22, 24);
    assert_int_equal(ntlm_step(&s, &strict, in, len, out, sizeof out, &n), NTLM_DENIED);
}

static void malformed(void **state)
{
    struct ntlm_client c = {.user = "ann", .password = "secret", .domain = "GROUP", .mic = true};
    uint8_t in[2048], out[2048], copy[2048];
    struct ntlm s = {0}, t;
    size_t n;
    assert_int_equal(ntlm_step(&s, &strict, (const uint8_t *)"NTLMSSP\0\1\0\0", 11, out, sizeof out, &n), NTLM_BAD);
    size_t len = ntlm_client_negotiate(&c, in);
    assert_int_equal(ntlm_step(&s, &strict, in, len, out, 20, &n), NTLM_BAD); /* no room */
    assert_int_equal(ntlm_step(&s, &strict, in, len, out, sizeof out, &n), NTLM_MORE);
    len = ntlm_client_authenticate(&c, out, n, in);
    for (size_t cut = 0; cut < len; cut++) {
        t = s;
        assert_int_not_equal(ntlm_step(&t, &strict, in, cut, out, sizeof out, &n), NTLM_DONE);
    }
    for (size_t field = 12; field < 60; field += 8)
        for (int v = 0; v < 3; v++) {
            memcpy(copy, in, len);
            put_le32(copy + field + 4, (uint32_t[]){(uint32_t)len, 0xFFFFFFFFu, 0}[v]);
            put_le16(copy + field, 0xFFFF);
            t = s;
            assert_int_not_equal(ntlm_step(&t, &strict, copy, len, out, sizeof out, &n), NTLM_DONE);
        }
    t = s; /* AUTHENTICATE without CHALLENGE, and twice */
    t.state = NTLM_START;
    assert_int_equal(ntlm_step(&t, &strict, in, len, out, sizeof out, &n), NTLM_BAD);
    assert_int_equal(ntlm_step(&s, &strict, in, len, out, sizeof out, &n), NTLM_DONE);
    assert_int_equal(ntlm_step(&s, &strict, in, len, out, sizeof out, &n), NTLM_BAD);
}

/* --- SPNEGO. */
static const uint8_t ntlm_oid[] = {0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a};
static const uint8_t krb_first[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x06, 0x0a, 0x2b,
                                    0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a};

static void hint(void **state)
{
    uint8_t out[256];
    size_t n = spnego_hint(out, sizeof out);
    assert_true(n > 60 && n < 128);
    assert_int_equal(out[0], 0x60);
    assert_int_equal(out[1], n - 2);
    assert_non_null(memmem(out, n, ntlm_oid, sizeof ntlm_oid));
    for (size_t cap = 0; cap < n; cap++)
        assert_int_equal(spnego_hint(out, cap), 0);
}

/* mode: 0 NTLMSSP is the first choice, 1 Kerberos is, 2 no SPNEGO. mic: 0 none, 1 right, 2 wrong. */
static enum ntlm_status talk(int mode, int mic)
{
    struct ntlm_client c = {.user = "ann", .password = "secret", .domain = "GROUP", .key_exchange = true};
    struct spnego s = {0};
    uint8_t ntlm[2048], in[4096], out[4096], sig[16], list[64];
    size_t n, len = ntlm_client_negotiate(&c, ntlm), nmechs = mode ? sizeof krb_first : sizeof ntlm_oid;
    const uint8_t *mechs = mode ? krb_first : ntlm_oid;
    enum ntlm_status st;
    if (mode == 2) {
        st = spnego_step(&s, &strict, ntlm, len, out, sizeof out, &n);
        if (st != NTLM_MORE || !ntlm_is(out, n))
            return NTLM_BAD;
        len = ntlm_client_authenticate(&c, out, n, ntlm);
        return spnego_step(&s, &strict, ntlm, len, out, sizeof out, &n);
    }
    len = spnego_client_init(mechs, nmechs, mode ? (const uint8_t *)"kerberos" : ntlm, mode ? 8 : len, in);
    st = spnego_step(&s, &strict, in, len, out, sizeof out, &n);
    if (mode == 1) {
        assert_int_equal(st, NTLM_MORE);
        assert_false(ntlm_inside_token(out, n, &len) != NULL);
        len = ntlm_client_negotiate(&c, ntlm);
        len = spnego_client_response(ntlm, len, NULL, in);
        st = spnego_step(&s, &strict, in, len, out, sizeof out, &n);
    }
    assert_int_equal(st, NTLM_MORE);
    size_t nch;
    const uint8_t *ch = ntlm_inside_token(out, n, &nch);
    assert_non_null(ch);
    len = ntlm_client_authenticate(&c, ch, nch, ntlm);
    struct ntlm keys = {.flags = c.flags};
    memcpy(keys.result.session_key, c.key, 16);
    memcpy(list, mechs, nmechs);
    ntlm_sign(&keys, false, list, der_element(list, nmechs, 0x30), sig);
    if (mic == 2)
        sig[5] ^= 1;
    len = spnego_client_response(ntlm, len, mic ? sig : NULL, in);
    st = spnego_step(&s, &strict, in, len, out, sizeof out, &n);
    if (st != NTLM_DONE)
        return st;
    assert_memory_equal(s.ntlm.result.session_key, c.key, 16);
    if (mic) { /* and ours for the client */
        ntlm_sign(&keys, true, list, nmechs + 2, sig);
        assert_non_null(memmem(out, n, sig, 16));
    }
    assert_int_equal(spnego_step(&s, &strict, in, len, out, sizeof out, &n), NTLM_BAD);
    return st;
}

static void mechanisms(void **state)
{
    assert_int_equal(talk(0, 0), NTLM_DONE);
    assert_int_equal(talk(0, 1), NTLM_DONE);
    assert_int_equal(talk(0, 2), NTLM_DENIED);
    assert_int_equal(talk(1, 0), NTLM_DENIED); /* the list may have been changed on the way */
    assert_int_equal(talk(1, 1), NTLM_DONE);
    assert_int_equal(talk(1, 2), NTLM_DENIED);
    assert_int_equal(talk(2, 0), NTLM_DONE);
}

static void bad_tokens(void **state)
{
    struct ntlm_client c = {.user = "ann", .password = "secret", .domain = "GROUP"};
    uint8_t ntlm[64], in[512], out[2048];
    size_t n, len = spnego_client_init(ntlm_oid, sizeof ntlm_oid, ntlm, ntlm_client_negotiate(&c, ntlm), in);
    for (size_t cut = 0; cut < len; cut++) {
        struct spnego s = {0};
        assert_int_not_equal(spnego_step(&s, &strict, in, cut, out, sizeof out, &n), NTLM_MORE);
    }
    for (size_t i = 0; i < len; i++)
        for (int bit = 0; bit < 8; bit++) { /* nothing to assert but that it ends */
            struct spnego s = {0};
            in[i] ^= (uint8_t)(1 << bit);
            (void)spnego_step(&s, &strict, in, len, out, sizeof out, &n);
            in[i] ^= (uint8_t)(1 << bit);
        }
    struct spnego s = {0};
    len = spnego_client_init(krb_first, 11, ntlm, 8, in); /* only Kerberos */
    assert_int_equal(spnego_step(&s, &strict, in, len, out, sizeof out, &n), NTLM_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specification), cmocka_unit_test(logons), cmocka_unit_test(no_ntlmv1), cmocka_unit_test(malformed),
        cmocka_unit_test(hint), cmocka_unit_test(mechanisms), cmocka_unit_test(bad_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
