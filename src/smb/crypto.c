/* crypto.c - key derivation, signatures and digests of crypto.h. Encryption is in seal.c. */
#include "crypto.h"
#include "base/bytes.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>

/* Fetched once: a fetch by name per use costs more than the digest of a small message. */
static struct {
    EVP_MD *sha256, *sha512, *md5;
    EVP_MAC *hmac, *cmac;
    EVP_CIPHER *gcm;
} fetched;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
    fetched.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    fetched.sha512 = EVP_MD_fetch(NULL, "SHA512", NULL);
    fetched.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    fetched.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    fetched.cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    fetched.gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
}

static void crypto_ready(void)
{
    pthread_once(&once, fetch_all);
}

bool smb_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void smb_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

bool smb_random(void *p, size_t n)
{
    return RAND_bytes(p, (int)n) == 1;
}

void smb_kdf(const uint8_t key[16], const char *label, size_t nlabel, const void *context, size_t ncontext,
             uint8_t *out, size_t len)
{
    /* i || Label || 0x00 || Context || L; both lengths are small and fixed by the specification. */
    uint8_t in[4 + 32 + 1 + 64 + 4], mac[32];
    size_t n = 0;
    crypto_ready();
    memset(out, 0, len);
    if (nlabel > 32 || ncontext > 64 || len > sizeof mac)
        return;
    put_be32(in, 1);
    n += 4;
    memcpy(in + n, label, nlabel);
    n += nlabel;
    in[n++] = 0;
    memcpy(in + n, context, ncontext);
    n += ncontext;
    put_be32(in + n, (uint32_t)len * 8);
    n += 4;
    if (HMAC(fetched.sha256, key, 16, in, n, mac, NULL))
        memcpy(out, mac, len);
    smb_wipe(mac, sizeof mac);
}

void smb_preauth_update(uint8_t hash[64], const void *data, size_t n)
{
    crypto_ready();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || !EVP_DigestInit_ex2(ctx, fetched.sha512, NULL) || !EVP_DigestUpdate(ctx, hash, 64) ||
        !EVP_DigestUpdate(ctx, data, n) || !EVP_DigestFinal_ex(ctx, hash, NULL))
        memset(hash, 0, 64); /* the keys will not match: the logon fails, nothing worse */
    EVP_MD_CTX_free(ctx);
}

/* --- Signatures. */
struct smb_signer {
    uint16_t alg;
    EVP_MAC_CTX *mac;
    EVP_CIPHER_CTX *gcm;
};

static bool signer_mac(struct smb_signer *s, EVP_MAC *mac, const char *name, const char *value, const uint8_t key[16])
{
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(name, (char *)value, 0), OSSL_PARAM_construct_end()};
    s->mac = mac ? EVP_MAC_CTX_new(mac) : NULL;
    return s->mac && EVP_MAC_init(s->mac, key, 16, params);
}

struct smb_signer *smb_signer_new(uint16_t alg, const uint8_t key[16])
{
    crypto_ready();
    struct smb_signer *s = calloc(1, sizeof *s);
    bool ok = false;
    if (!s)
        return NULL;
    s->alg = alg;
    switch (alg) {
    case SMB2_SIGNING_HMAC_SHA256:
        ok = signer_mac(s, fetched.hmac, "digest", "SHA256", key);
        break;
    case SMB2_SIGNING_AES_CMAC:
        ok = signer_mac(s, fetched.cmac, "cipher", "AES-128-CBC", key);
        break;
    case SMB2_SIGNING_AES_GMAC:
        s->gcm = EVP_CIPHER_CTX_new();
        ok = s->gcm && EVP_EncryptInit_ex2(s->gcm, fetched.gcm, key, NULL, NULL);
        break;
    }
    if (ok)
        return s;
    smb_signer_free(s);
    return NULL;
}

void smb_signer_free(struct smb_signer *s)
{
    if (!s)
        return;
    EVP_MAC_CTX_free(s->mac);
    EVP_CIPHER_CTX_free(s->gcm);
    free(s);
}

/* [MS-SMB2] 3.1.4.1: the nonce is MessageId and 32 bits, of which the lowest says that the server sends, and the next
 * one that it is a CANCEL. An interim response would use the nonce of the final one: it is never signed. */
static bool sign_gmac(struct smb_signer *s, const uint8_t *msg, size_t n, bool from_server, uint8_t out[16])
{
    uint8_t iv[12];
    int len;
    memcpy(iv, msg + 24, 8);
    put_le32(iv + 8, (from_server ? 1u : 0u) | (get_le16(msg + 12) == 12 /* CANCEL */ ? 2u : 0u));
    return EVP_EncryptInit_ex2(s->gcm, NULL, NULL, iv, NULL) && EVP_EncryptUpdate(s->gcm, NULL, &len, msg, (int)n) &&
           EVP_EncryptFinal_ex(s->gcm, out, &len) && EVP_CIPHER_CTX_ctrl(s->gcm, EVP_CTRL_AEAD_GET_TAG, 16, out);
}

bool smb_sign(struct smb_signer *s, const uint8_t *msg, size_t n, bool from_server, uint8_t out[16])
{
    uint8_t full[EVP_MAX_MD_SIZE];
    size_t len = 0;
    if (n < 64)
        return false;
    if (s->alg == SMB2_SIGNING_AES_GMAC)
        return sign_gmac(s, msg, n, from_server, out);
    if (!EVP_MAC_init(s->mac, NULL, 0, NULL) || !EVP_MAC_update(s->mac, msg, n) ||
        !EVP_MAC_final(s->mac, full, &len, sizeof full) || len < 16)
        return false;
    memcpy(out, full, 16);
    return true;
}

/* --- For NTLM. */
void smb_hmac_md5(const uint8_t *key, size_t nkey, const void *const *parts, const size_t *lens, size_t nparts,
                  uint8_t out[16])
{
    crypto_ready();
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", (char *)"MD5", 0), OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(fetched.hmac);
    size_t len;
    bool ok = ctx && EVP_MAC_init(ctx, key, nkey, params);
    for (size_t i = 0; ok && i < nparts; i++)
        ok = EVP_MAC_update(ctx, parts[i], lens[i]);
    /* Without memory the result must match nothing that a client could know. */
    if (!ok || !EVP_MAC_final(ctx, out, &len, 16))
        (void)smb_random(out, 16);
    EVP_MAC_CTX_free(ctx);
}

void smb_md5(const void *a, size_t na, const void *b, size_t nb, uint8_t out[16])
{
    crypto_ready();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || !EVP_DigestInit_ex2(ctx, fetched.md5, NULL) || !EVP_DigestUpdate(ctx, a, na) ||
        !EVP_DigestUpdate(ctx, b, nb) || !EVP_DigestFinal_ex(ctx, out, NULL))
        (void)smb_random(out, 16);
    EVP_MD_CTX_free(ctx);
}

/* The library has RC4 only in a provider that is not always there; NTLM cannot do without it. */
void smb_rc4_init(struct smb_rc4 *r, const uint8_t *key, size_t n)
{
    r->i = r->j = 0;
    for (unsigned k = 0; k < 256; k++)
        r->s[k] = (uint8_t)k;
    for (unsigned k = 0, j = 0; k < 256; k++) {
        uint8_t t = r->s[k];
        j = (j + t + key[k % n]) & 255;
        r->s[k] = r->s[j];
        r->s[j] = t;
    }
}

void smb_rc4(struct smb_rc4 *r, const uint8_t *in, uint8_t *out, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        uint8_t t = r->s[++r->i];
        r->j = (uint8_t)(r->j + t);
        r->s[r->i] = r->s[r->j];
        r->s[r->j] = t;
        out[k] = in[k] ^ r->s[(uint8_t)(r->s[r->i] + t)];
    }
}
