/* smbauth.h - the secrets of an SMB session on the client's side: NTLMv2 logon, keys, signing, encryption. Pure: bytes
 * in, bytes out. What the server signs is not checked: that would be the load's cost, not the server's. */
#pragma once
#include "base/wbuf.h"
#include <openssl/evp.h>

enum { SMB2_HEADER = 64, SMB2_TRANSFORM = 52 };
enum { SIGN_HMAC_SHA256 = 0, SIGN_AES_CMAC = 1, SIGN_AES_GMAC = 2 }; /* [MS-SMB2] 2.2.3.1.7 */

struct smbauth {
    uint16_t dialect, signing_algorithm;
    uint8_t preauth[64]; /* [MS-SMB2] 3.1.4.1 */
    uint8_t session_key[16];
    uint64_t nonce;
    EVP_MAC_CTX *mac;                     /* HMAC or CMAC */
    EVP_CIPHER_CTX *gmac, *seal, *unseal; /* SMB 3.1.1 */
};

void smbauth_preauth(struct smbauth *a, const void *message, size_t n);
void ntlm_negotiate(struct wbuf *w);
/* Answers the challenge; the session key is in a->session_key afterwards. false: the challenge is malformed. */
bool ntlm_authenticate(struct smbauth *a, const uint8_t *challenge, size_t n, const char *user, const char *password,
                       struct wbuf *w);
void smbauth_keys(struct smbauth *a); /* after the last SESSION_SETUP request went into preauth */
void smbauth_sign(struct smbauth *a, uint8_t *message, size_t n);
/* The transform header, then n bytes of message, encrypted in place. */
void smbauth_seal(struct smbauth *a, uint64_t session, uint8_t *transform, size_t n);
uint8_t *smbauth_unseal(struct smbauth *a, uint8_t *transform, size_t *n); /* NULL: not authentic */
void smbauth_done(struct smbauth *a);
void put_utf16(struct wbuf *w, const char *ascii);
