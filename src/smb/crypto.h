/* crypto.h - the protocol's cryptography: key derivation, signatures, encryption, preauthentication integrity.
 * Knows algorithms and byte layouts; no sessions, no policy. Objects keep their key schedule and are used by one
 * thread at a time. */
#pragma once
#include "base/util.h"

/* [MS-SMB2] 2.2.3.1.2, 2.2.3.1.7 */
enum { SMB2_ENCRYPTION_NONE, SMB2_ENCRYPTION_AES128_CCM, SMB2_ENCRYPTION_AES128_GCM, SMB2_ENCRYPTION_AES256_CCM,
       SMB2_ENCRYPTION_AES256_GCM, SMB2_ENCRYPTION_MAX };
enum { SMB2_SIGNING_HMAC_SHA256, SMB2_SIGNING_AES_CMAC, SMB2_SIGNING_AES_GMAC, SMB2_SIGNING_MAX };

/* [SP800-108] 5.1 with HMAC-SHA256, as [MS-SMB2] 3.1.4.2 wants it; label with its terminating zero. len: 16 or 32. */
void smb_kdf(const uint8_t key[16], const char *label, size_t nlabel, const void *context, size_t ncontext,
             uint8_t *out, size_t len);
/* hash = SHA-512(hash || data). */
void smb_preauth_update(uint8_t hash[64], const void *data, size_t n);
bool smb_equal(const void *a, const void *b, size_t n); /* in constant time */
void smb_wipe(void *p, size_t n);
bool smb_random(void *p, size_t n);

struct smb_signer;
struct smb_signer *smb_signer_new(uint16_t alg, const uint8_t key[16]); /* NULL: no memory or unknown algorithm */
void smb_signer_free(struct smb_signer *s);
/* Signature of a whole message (header with zeroed signature first). from_server: who sends it. */
bool smb_sign(struct smb_signer *s, const uint8_t *msg, size_t n, bool from_server, uint8_t out[16]);

struct smb_sealer;
struct smb_sealer *smb_sealer_new(uint16_t cipher, const uint8_t key[32], bool encrypt);
void smb_sealer_free(struct smb_sealer *s);
/* Encrypts n bytes behind the TRANSFORM_HEADER at `header` in place and completes the header ([MS-SMB2] 2.2.41). */
bool smb_seal(struct smb_sealer *s, uint8_t *header, size_t n, uint64_t nonce, uint64_t session_id);
/* Decrypts in place; false: not authentic. The header must be complete and n its OriginalMessageSize. */
bool smb_unseal(struct smb_sealer *s, uint8_t *header, size_t n);

/* For NTLM. */
void smb_hmac_md5(const uint8_t *key, size_t nkey, const void *const *parts, const size_t *lens, size_t nparts,
                  uint8_t out[16]);
void smb_md5(const void *a, size_t na, const void *b, size_t nb, uint8_t out[16]);
struct smb_rc4 {
    uint8_t s[256], i, j;
};
void smb_rc4_init(struct smb_rc4 *r, const uint8_t *key, size_t n);
void smb_rc4(struct smb_rc4 *r, const uint8_t *in, uint8_t *out, size_t n);
