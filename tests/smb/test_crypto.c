/* The cryptography against published vectors: RFC 4493 (AES-CMAC), RFC 2202/1321-style digests as [MS-NLMP] uses them,
 * key derivation of SMB 3.0, and that sealed messages open only unchanged. */
#include "tests/base/cm.h"
#include "base/bytes.h"
#include "smb/crypto.h"

static size_t hex(const char *s, uint8_t *out)
{
    size_t n = 0;
    for (; s[0] && s[1]; s += 2)
        out[n++] = (uint8_t)strtoul((char[]){s[0], s[1], 0}, NULL, 16);
    return n;
}

static void assert_hex(const uint8_t *p, const char *want)
{
    uint8_t b[128];
    size_t n = hex(want, b);
    assert_memory_equal(p, b, n);
}

/* RFC 4493 §4, example 4: 64 bytes, which is also the shortest message that is signed. */
static void cmac(void **state)
{
    uint8_t key[16], msg[64], out[16];
    hex("2b7e151628aed2a6abf7158809cf4f3c", key);
    hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710", msg);
    struct smb_signer *s = smb_signer_new(SMB2_SIGNING_AES_CMAC, key);
    assert_non_null(s);
    for (int i = 0; i < 3; i++) { /* contexts are used again */
        assert_true(smb_sign(s, msg, 64, true, out));
        assert_hex(out, "51f0bebf7e3b9d92fc49741779363cfe");
    }
    assert_false(smb_sign(s, msg, 63, true, out));
    smb_signer_free(s);
}

/* RFC 4231 §4.2's key is 20 bytes; with 16 the library is compared with itself by its one-shot form in kdf(). */
static void hmac_differs_by_key(void **state)
{
    uint8_t key[16] = {1}, msg[100] = {2}, a[16], b[16];
    struct smb_signer *s = smb_signer_new(SMB2_SIGNING_HMAC_SHA256, key);
    assert_true(smb_sign(s, msg, sizeof msg, true, a));
    assert_true(smb_sign(s, msg, sizeof msg, false, b));
    assert_memory_equal(a, b, 16); /* the direction does not count */
    msg[99] = 1;
    assert_true(smb_sign(s, msg, sizeof msg, false, b));
    assert_memory_not_equal(a, b, 16);
    smb_signer_free(s);
    assert_null(smb_signer_new(SMB2_SIGNING_MAX, key));
}

/* [MS-SMB2] 3.1.4.1: the nonce tells directions and CANCEL apart. */
static void gmac(void **state)
{
    uint8_t key[16] = {1}, msg[80] = {0}, a[16], b[16], c[16], d[16];
    struct smb_signer *s = smb_signer_new(SMB2_SIGNING_AES_GMAC, key);
    put_le64(msg + 24, 7);
    assert_true(smb_sign(s, msg, sizeof msg, true, a));
    assert_true(smb_sign(s, msg, sizeof msg, false, b));
    assert_memory_not_equal(a, b, 16);
    put_le64(msg + 24, 8);
    assert_true(smb_sign(s, msg, sizeof msg, true, c));
    assert_memory_not_equal(a, c, 16);
    put_le64(msg + 24, 7);
    assert_true(smb_sign(s, msg, sizeof msg, true, d));
    assert_memory_equal(a, d, 16);
    smb_signer_free(s);
}

/* Session keys and derived keys as published with the announcements of SMB 3.0's signing and encryption. */
static void kdf(void **state)
{
    uint8_t key[16], out[32];
    hex("7cd451825d0450d235424e44ba6e78cc", key);
    smb_kdf(key, "SMB2AESCMAC", 12, "SmbSign", 8, out, 16);
    assert_hex(out, "0b7e9c5cac36c0f6ea9ab275298cedce");
    hex("b4546771b515f766a86735532dd6c4f0", key);
    smb_kdf(key, "SMB2AESCCM", 11, "ServerIn ", 10, out, 16);
    assert_hex(out, "261b72350558f2e9dcf613070383edbf");
    smb_kdf(key, "SMB2AESCCM", 11, "ServerOut", 10, out, 16);
    assert_hex(out, "8fe2b57ec34d2db5b1a9727f526bbdb5");
    /* Out of range: nothing that could be mistaken for a key. */
    memset(out, 1, sizeof out);
    smb_kdf(key, "x", 2, key, 65, out, 16);
    assert_hex(out, "00000000000000000000000000000000");
}

static void preauth(void **state)
{
    uint8_t hash[64] = {0}, again[64] = {0};
    smb_preauth_update(hash, "abc", 3);
    smb_preauth_update(again, "abc", 3);
    assert_memory_equal(hash, again, 64);
    smb_preauth_update(hash, "", 0);
    assert_memory_not_equal(hash, again, 64);
}

static void rc4(void **state)
{
    static const struct {
        const char *key, *plain, *want;
    } t[] = {{"Key", "Plaintext", "bbf316e8d940af0ad3"}, {"Wiki", "pedia", "1021bf0420"},
             {"Secret", "Attack at dawn", "45a01f645fc35b383552544b9bf5"}};
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct smb_rc4 r;
        uint8_t out[32];
        smb_rc4_init(&r, (const uint8_t *)t[i].key, strlen(t[i].key));
        smb_rc4(&r, (const uint8_t *)t[i].plain, out, 4); /* in two parts */
        smb_rc4(&r, (const uint8_t *)t[i].plain + 4, out + 4, strlen(t[i].plain) - 4);
        assert_hex(out, t[i].want);
    }
}

static void md5s(void **state)
{
    uint8_t out[16];
    smb_md5("a", 1, "bc", 2, out);
    assert_hex(out, "900150983cd24fb0d6963f7d28e17f72"); /* RFC 1321 */
    smb_hmac_md5((const uint8_t *)"Jefe", 4, (const void *[]){"what do ya want ", "for nothing?"}, (size_t[]){16, 12},
                 2, out);
    assert_hex(out, "750c783e6ab0b503eaa86e310a5db738"); /* RFC 2202 */
}

static void seal(void **state)
{
    for (uint16_t cipher = SMB2_ENCRYPTION_AES128_CCM; cipher < SMB2_ENCRYPTION_MAX; cipher++) {
        uint8_t key[32] = {3, 1, 4}, buf[52 + 1000], plain[1000];
        struct smb_sealer *in = smb_sealer_new(cipher, key, false), *out = smb_sealer_new(cipher, key, true);
        assert_non_null(in);
        assert_non_null(out);
        for (size_t n = 1; n <= 1000; n += 333) {
            for (size_t i = 0; i < n; i++)
                plain[i] = buf[52 + i] = (uint8_t)i;
            assert_true(smb_seal(out, buf, n, n, 0x1234));
            assert_int_equal(get_le32(buf + 36), n);
            assert_int_equal(get_le64(buf + 44), 0x1234);
            if (n > 16)
                assert_memory_not_equal(buf + 52, plain, n);
            assert_true(smb_unseal(in, buf, n));
            assert_memory_equal(buf + 52, plain, n);
            /* Any change: of data, tag, nonce or what is only authenticated. */
            for (size_t at = 4; at < 53; at += 8) {
                uint8_t copy[sizeof buf];
                memcpy(buf + 52, plain, n);
                assert_true(smb_seal(out, buf, n, n + 1, 0x1234));
                memcpy(copy, buf, sizeof buf);
                copy[at] ^= 1;
                bool ok = smb_unseal(in, copy, n);
                assert_false(ok);
            }
        }
        smb_sealer_free(in);
        smb_sealer_free(out);
    }
    assert_null(smb_sealer_new(SMB2_ENCRYPTION_NONE, (uint8_t[32]){0}, true));
    assert_null(smb_sealer_new(SMB2_ENCRYPTION_MAX, (uint8_t[32]){0}, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cmac), cmocka_unit_test(hmac_differs_by_key), cmocka_unit_test(gmac), cmocka_unit_test(kdf),
        cmocka_unit_test(preauth), cmocka_unit_test(rc4), cmocka_unit_test(md5s), cmocka_unit_test(seal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
