/* seal.c - encryption of whole messages ([MS-SMB2] 2.2.41, 3.1.4.3), in place. */
#include "base/bytes.h"
#include "crypto.h"
#include <openssl/evp.h>

/* The TRANSFORM_HEADER. */
enum { TF_SIGNATURE = 4, TF_NONCE = 20, TF_SIZE = 36, TF_RESERVED = 40, TF_FLAGS = 42, TF_SESSION_ID = 44, TF_HEADER = 52 };
#define TAG 16
#define AAD (TF_HEADER - TF_NONCE)

static const struct {
    const char *name;
    int nonce;
    bool ccm;
} ciphers[SMB2_ENCRYPTION_MAX] = {
    [SMB2_ENCRYPTION_AES128_CCM] = {"AES-128-CCM", 11, true},
    [SMB2_ENCRYPTION_AES128_GCM] = {"AES-128-GCM", 12, false},
    [SMB2_ENCRYPTION_AES256_CCM] = {"AES-256-CCM", 11, true},
    [SMB2_ENCRYPTION_AES256_GCM] = {"AES-256-GCM", 12, false},
};

struct smb_sealer {
    uint16_t cipher;
    bool encrypt;
    EVP_CIPHER_CTX *ctx;
};

struct smb_sealer *smb_sealer_new(uint16_t cipher, const uint8_t key[32], bool encrypt)
{
    if (cipher == SMB2_ENCRYPTION_NONE || cipher >= SMB2_ENCRYPTION_MAX)
        return NULL;
    struct smb_sealer *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->cipher = cipher;
    s->encrypt = encrypt;
    s->ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *c = EVP_CIPHER_fetch(NULL, ciphers[cipher].name, NULL);
    bool ok = s->ctx && c && EVP_CipherInit_ex2(s->ctx, c, NULL, NULL, encrypt, NULL) &&
              EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_SET_IVLEN, ciphers[cipher].nonce, NULL) &&
              (!ciphers[cipher].ccm || EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_SET_TAG, TAG, NULL)) &&
              EVP_CipherInit_ex2(s->ctx, NULL, key, NULL, encrypt, NULL);
    EVP_CIPHER_free(c); /* the context has its own reference */
    if (ok)
        return s;
    smb_sealer_free(s);
    return NULL;
}

void smb_sealer_free(struct smb_sealer *s)
{
    if (!s)
        return;
    EVP_CIPHER_CTX_free(s->ctx);
    free(s);
}

/* The part that both directions and all ciphers share: nonce, total length (CCM must know it first), AAD. */
static bool sealer_start(struct smb_sealer *s, const uint8_t *header, size_t n)
{
    int len;
    if (!EVP_CipherInit_ex2(s->ctx, NULL, NULL, header + TF_NONCE, s->encrypt, NULL))
        return false;
    if (!s->encrypt && !EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(header + TF_SIGNATURE)))
        return false;
    if (ciphers[s->cipher].ccm && !EVP_CipherUpdate(s->ctx, NULL, &len, NULL, (int)n))
        return false;
    return EVP_CipherUpdate(s->ctx, NULL, &len, header + TF_NONCE, AAD);
}

bool smb_seal(struct smb_sealer *s, uint8_t *header, size_t n, uint64_t nonce, uint64_t session_id)
{
    int len;
    uint8_t *data = header + TF_HEADER, unused[16];
    memset(header, 0, TF_HEADER);
    put_be32(header, 0xFD534D42u);
    put_le64(header + TF_NONCE, nonce);
    put_le32(header + TF_SIZE, (uint32_t)n);
    put_le16(header + TF_FLAGS, 1); /* Encrypted; in 3.0: AES128-CCM, the only one */
    put_le64(header + TF_SESSION_ID, session_id);
    return sealer_start(s, header, n) && EVP_EncryptUpdate(s->ctx, data, &len, data, (int)n) &&
           (ciphers[s->cipher].ccm || EVP_EncryptFinal_ex(s->ctx, unused, &len)) &&
           EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, TAG, header + TF_SIGNATURE);
}

bool smb_unseal(struct smb_sealer *s, uint8_t *header, size_t n)
{
    int len;
    uint8_t *data = header + TF_HEADER, unused[16];
    /* CCM verifies in the update, GCM in the final step. */
    return sealer_start(s, header, n) && EVP_DecryptUpdate(s->ctx, data, &len, data, (int)n) > 0 &&
           (ciphers[s->cipher].ccm || EVP_DecryptFinal_ex(s->ctx, unused, &len) > 0);
}
