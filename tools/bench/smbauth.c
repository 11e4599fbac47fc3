/* smbauth.c - NTLMv2 ([MS-NLMP] 3.3.2), key derivation, signing and encryption ([MS-SMB2] 3.1.4) with libcrypto. Only
 * what a load generator needs: ASCII names, AES-128, no key exchange, no MIC. */
#include "smbauth.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "fs/md4.h"
#include <ctype.h>
#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

/* [MS-NLMP] 2.2.2.5: UNICODE, REQUEST_TARGET, SIGN, NTLM, ALWAYS_SIGN, EXTENDED_SESSIONSECURITY, 128, 56 */
enum { NTLM_FLAGS = (int)0xA0088215 };

void put_utf16(struct wbuf *w, const char *ascii)
{
    for (; *ascii; ascii++)
        wbuf_le16(w, (uint8_t)*ascii);
}

void smbauth_preauth(struct smbauth *a, const void *message, size_t n)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    EVP_DigestInit_ex(c, EVP_sha512(), NULL);
    EVP_DigestUpdate(c, a->preauth, sizeof a->preauth);
    EVP_DigestUpdate(c, message, n);
    EVP_DigestFinal_ex(c, a->preauth, NULL);
    EVP_MD_CTX_free(c);
}

void ntlm_negotiate(struct wbuf *w)
{
    wbuf_put(w, "NTLMSSP\0\1\0\0", 12);
    wbuf_le32(w, (uint32_t)NTLM_FLAGS);
    wbuf_zero(w, 16);
}

static void hmac_md5(const uint8_t key[16], const struct wbuf *data, uint8_t out[16])
{
    HMAC(EVP_md5(), key, 16, data->blk->data, data->blk->len, out, NULL);
}

/* NTOWFv2: the user's name in capitals and an empty domain under the hash of the password. */
static void user_key(const char *user, const char *password, uint8_t out[16])
{
    uint8_t hash[16];
    _cleanup_(wbuf_done) struct wbuf text, name;
    wbuf_init(&text, 512, 4096);
    wbuf_init(&name, 512, 4096);
    put_utf16(&text, password);
    md4(text.blk->data, text.blk->len, hash);
    for (; *user; user++)
        wbuf_le16(&name, (uint16_t)toupper((uint8_t)*user));
    hmac_md5(hash, &name, out);
}

bool ntlm_authenticate(struct smbauth *a, const uint8_t *challenge, size_t n, const char *user, const char *password,
                       struct wbuf *w)
{
    uint8_t key[16], proof[16], client[8];
    struct cursor c = cursor_of(challenge, n), info;
    cursor_seek(&c, 24);
    const uint8_t *server = cursor_take(&c, 8);
    cursor_skip(&c, 8);
    uint16_t info_len = cursor_le16(&c);
    cursor_skip(&c, 2);
    info = cursor_slice(&c, cursor_le32(&c), info_len);
    if (c.bad || info.bad)
        return false;
    struct timespec now = clock_wall();
    RAND_bytes(client, sizeof client);
    /* The proof covers the server's challenge and this ([MS-NLMP] 2.2.2.7): */
    _cleanup_(wbuf_done) struct wbuf temp;
    wbuf_init(&temp, 1024, 8192);
    wbuf_put(&temp, server, 8);
    wbuf_put(&temp, "\1\1\0\0\0\0\0", 8);
    wbuf_le64(&temp, ((uint64_t)now.tv_sec + 11644473600u) * 10000000u);
    wbuf_put(&temp, client, 8);
    wbuf_zero(&temp, 4);
    wbuf_put(&temp, info.base, info_len);
    wbuf_zero(&temp, 4);
    user_key(user, password, key);
    hmac_md5(key, &temp, proof);
    HMAC(EVP_md5(), key, 16, proof, 16, a->session_key, NULL);
    /* [MS-NLMP] 2.2.1.3: LM, NT, domain, user, workstation, session key; then what they point to. */
    const size_t sizes[] = {24, 16 + wbuf_len(&temp) - 8, 0, 2 * strlen(user), 0, 0};
    wbuf_put(w, "NTLMSSP\0\3\0\0", 12);
    for (size_t i = 0, at = 64; i < ARRAY_LEN(sizes); at += sizes[i++]) {
        wbuf_le16(w, (uint16_t)sizes[i]);
        wbuf_le16(w, (uint16_t)sizes[i]);
        wbuf_le32(w, (uint32_t)at);
    }
    wbuf_le32(w, (uint32_t)NTLM_FLAGS);
    wbuf_zero(w, 24);
    wbuf_put(w, proof, 16);
    wbuf_put(w, wbuf_at(&temp, 8), wbuf_len(&temp) - 8);
    put_utf16(w, user);
    return true;
}

/* SP 800-108 in counter mode with HMAC-SHA256, 128 bits ([MS-SMB2] 3.1.4.2). The label counts with its NUL. */
static void derive(const struct smbauth *a, const char *label, uint8_t key[16])
{
    uint8_t in[128] = {[3] = 1}, out[32];
    size_t n = strlen(label) + 1;
    memcpy(in + 4, label, n);
    memcpy(in + 4 + n + 1, a->preauth, sizeof a->preauth);
    n += 4 + 1 + sizeof a->preauth;
    put_be32(in + n, 128);
    HMAC(EVP_sha256(), a->session_key, 16, in, n + 4, out, NULL);
    memcpy(key, out, 16);
}

static EVP_CIPHER_CTX *gcm(const uint8_t key[16], int encrypt)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    EVP_CipherInit_ex(c, EVP_aes_128_gcm(), NULL, key, NULL, encrypt);
    return c;
}

static EVP_MAC_CTX *mac(const char *name, const char *parameter, const char *value, const uint8_t key[16])
{
    EVP_MAC *m = EVP_MAC_fetch(NULL, name, NULL);
    EVP_MAC_CTX *c = EVP_MAC_CTX_new(m);
    char text[16];
    strcpy(text, value);
    const OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string(parameter, text, 0), OSSL_PARAM_END};
    EVP_MAC_init(c, key, 16, p);
    EVP_MAC_free(m);
    return c;
}

void smbauth_keys(struct smbauth *a)
{
    uint8_t key[16];
    if (a->dialect < 0x311) { /* of the older ones only 2.x is spoken: the session key signs */
        a->mac = mac("HMAC", OSSL_MAC_PARAM_DIGEST, "SHA256", a->session_key);
        return;
    }
    derive(a, "SMBSigningKey", key);
    if (a->signing_algorithm == SIGN_AES_GMAC)
        a->gmac = gcm(key, 1);
    else if (a->signing_algorithm == SIGN_AES_CMAC)
        a->mac = mac("CMAC", OSSL_MAC_PARAM_CIPHER, "AES-128-CBC", key);
    else
        a->mac = mac("HMAC", OSSL_MAC_PARAM_DIGEST, "SHA256", key);
    derive(a, "SMBC2SCipherKey", key);
    a->seal = gcm(key, 1);
    derive(a, "SMBS2CCipherKey", key);
    a->unseal = gcm(key, 0);
}

enum { COMMAND_CANCEL = 12 };

void smbauth_sign(struct smbauth *a, uint8_t *m, size_t n)
{
    uint8_t tag[32], nonce[12] = {0};
    size_t size = sizeof tag;
    int done;
    memset(m + 48, 0, 16);
    if (a->gmac) { /* [MS-SMB2] 3.1.4.1: the nonce is the message id, and whether it is a CANCEL */
        memcpy(nonce, m + 24, 8);
        nonce[8] = get_le16(m + 12) == COMMAND_CANCEL ? 2 : 0;
        EVP_EncryptInit_ex(a->gmac, NULL, NULL, NULL, nonce);
        EVP_EncryptUpdate(a->gmac, NULL, &done, m, (int)n);
        EVP_EncryptFinal_ex(a->gmac, tag, &done);
        EVP_CIPHER_CTX_ctrl(a->gmac, EVP_CTRL_GCM_GET_TAG, 16, tag);
    } else {
        EVP_MAC_init(a->mac, NULL, 0, NULL);
        EVP_MAC_update(a->mac, m, n);
        EVP_MAC_final(a->mac, tag, &size, sizeof tag);
    }
    memcpy(m + 48, tag, 16);
}

/* [MS-SMB2] 2.2.41: protocol, signature[16], nonce[16], size, reserved, flags, session. All from the nonce on is
 * authenticated. */
void smbauth_seal(struct smbauth *a, uint64_t session, uint8_t *t, size_t n)
{
    int done;
    memset(t, 0, SMB2_TRANSFORM);
    memcpy(t, "\xFDSMB", 4);
    put_le64(t + 20, ++a->nonce);
    put_le32(t + 36, (uint32_t)n);
    put_le16(t + 42, 1); /* encrypted */
    put_le64(t + 44, session);
    EVP_EncryptInit_ex(a->seal, NULL, NULL, NULL, t + 20);
    EVP_EncryptUpdate(a->seal, NULL, &done, t + 20, 32);
    EVP_EncryptUpdate(a->seal, t + SMB2_TRANSFORM, &done, t + SMB2_TRANSFORM, (int)n);
    EVP_EncryptFinal_ex(a->seal, t + SMB2_TRANSFORM + n, &done);
    EVP_CIPHER_CTX_ctrl(a->seal, EVP_CTRL_GCM_GET_TAG, 16, t + 4);
}

uint8_t *smbauth_unseal(struct smbauth *a, uint8_t *t, size_t *n)
{
    uint8_t *m = t + SMB2_TRANSFORM;
    int done;
    if (*n < SMB2_TRANSFORM || !a->unseal)
        return NULL;
    *n -= SMB2_TRANSFORM;
    EVP_DecryptInit_ex(a->unseal, NULL, NULL, NULL, t + 20);
    EVP_DecryptUpdate(a->unseal, NULL, &done, t + 20, 32);
    EVP_DecryptUpdate(a->unseal, m, &done, m, (int)*n);
    EVP_CIPHER_CTX_ctrl(a->unseal, EVP_CTRL_GCM_SET_TAG, 16, t + 4);
    return EVP_DecryptFinal_ex(a->unseal, m + *n, &done) == 1 ? m : NULL;
}

void smbauth_done(struct smbauth *a)
{
    EVP_MAC_CTX_free(a->mac);
    EVP_CIPHER_CTX_free(a->gmac);
    EVP_CIPHER_CTX_free(a->seal);
    EVP_CIPHER_CTX_free(a->unseal);
}
