/* ntlm_client.c - see ntlm_client.h. */
#include "ntlm_client.h"
#include "base/bytes.h"
#include "base/utf.h"
#include "fs/users.h"
#include "smb/crypto.h"
#include "smb/ntlmssp.h"

#define FLAGS 0x62088215u /* UNICODE, REQUEST_TARGET, SIGN, NTLM, ALWAYS_SIGN, ESS, VERSION, 128, KEY_EXCH */
#define KEY_EXCH 0x40000000u

size_t ntlm_client_negotiate(struct ntlm_client *c, uint8_t *out)
{
    memset(out, 0, 40);
    memcpy(out, "NTLMSSP", 8);
    put_le32(out + 8, 1);
    put_le32(out + 12, c->key_exchange ? FLAGS : FLAGS & ~KEY_EXCH);
    memcpy(c->negotiate, out, 40);
    return c->nnegotiate = 40;
}

static size_t put_field(uint8_t *out, size_t field, size_t at, const void *data, size_t n)
{
    put_le16(out + field, (uint16_t)n);
    put_le16(out + field + 2, (uint16_t)n);
    put_le32(out + field + 4, (uint32_t)at);
    if (n)
        memcpy(out + at, data, n);
    return at + n;
}

/* Target info with MsvAvFlags = 2 put first when a MIC is to be said. */
static size_t blob(const struct ntlm_client *c, uint8_t *out)
{
    size_t ninfo = get_le16(c->challenge + 40), at = get_le32(c->challenge + 44), n = 28;
    memset(out, 0, 28);
    out[0] = out[1] = 1;
    memcpy(out + 16, c->client_challenge, 8);
    if (c->mic) {
        put_le16(out + n, 6);
        put_le16(out + n + 2, 4);
        put_le32(out + n + 4, 2);
        n += 8;
    }
    memcpy(out + n, c->challenge + at, ninfo);
    n += ninfo;
    memset(out + n, 0, 4);
    return n + 4;
}

size_t ntlm_client_authenticate(struct ntlm_client *c, const uint8_t *challenge, size_t n, uint8_t *out)
{
    uint8_t hash[16], owf[16], nt[1024], user[128], domain[128], base[16], sealed[16];
    memcpy(c->challenge, challenge, n);
    c->nchallenge = n;
    c->flags = get_le32(challenge + 20) & (c->key_exchange ? FLAGS : FLAGS & ~KEY_EXCH);
    size_t nuser = utf8_to_utf16le(c->user, strlen(c->user), user, sizeof user);
    size_t ndomain = utf8_to_utf16le(c->domain, strlen(c->domain), domain, sizeof domain);
    nt_hash(c->password, hash);
    ntlm_ntowfv2(hash, user, nuser, domain, ndomain, owf);
    size_t nblob = blob(c, nt + 16), nnt = 16 + nblob;
    smb_hmac_md5(owf, 16, (const void *[]){challenge + 24, nt + 16}, (size_t[]){8, nblob}, 2, nt);
    smb_hmac_md5(owf, 16, (const void *[]){nt}, (size_t[]){16}, 1, base);
    if (c->anonymous) {
        nuser = ndomain = nnt = 0;
        memset(base, 0, 16);
    }
    memcpy(c->key, base, 16);
    if (c->key_exchange) {
        struct smb_rc4 r;
        for (int i = 0; i < 16; i++)
            c->key[i] = (uint8_t)(i * 7 + 1);
        smb_rc4_init(&r, base, 16);
        smb_rc4(&r, c->key, sealed, 16);
    }
    memset(out, 0, 88);
    memcpy(out, "NTLMSSP", 8);
    put_le32(out + 8, 3);
    size_t at = put_field(out, 12, 88, NULL, 0);
    at = put_field(out, 20, at, nt, nnt);
    at = put_field(out, 28, at, domain, ndomain);
    at = put_field(out, 36, at, user, nuser);
    at = put_field(out, 44, at, "W\0", 2);
    at = put_field(out, 52, at, sealed, c->key_exchange ? 16 : 0);
    put_le32(out + 60, c->flags);
    if (c->mic) {
        uint8_t mic[16];
        smb_hmac_md5(c->key, 16, (const void *[]){c->negotiate, c->challenge, out},
                     (size_t[]){c->nnegotiate, c->nchallenge, at}, 3, mic);
        memcpy(out + 72, mic, 16);
    }
    return at;
}

size_t der_element(uint8_t *p, size_t n, uint8_t tag)
{
    if (!p)
        return 0;
    size_t h = n < 128 ? 2 : n < 256 ? 3 : 4;
    memmove(p + h, p, n);
    p[0] = tag;
    if (h == 2) {
        p[1] = (uint8_t)n;
    } else if (h == 3) {
        p[1] = 0x81;
        p[2] = (uint8_t)n;
    } else {
        p[1] = 0x82;
        put_be16(p + 2, (uint16_t)n);
    }
    return n + h;
}

size_t spnego_client_init(const uint8_t *mechs, size_t nmechs, const uint8_t *token, size_t n, uint8_t *out)
{
    static const uint8_t oid[] = {0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02};
    uint8_t body[4096];
    memcpy(body, mechs, nmechs);
    size_t at = der_element(body, der_element(body, nmechs, 0x30), 0xA0);
    if (n) {
        memcpy(body + at, token, n);
        at += der_element(body + at, der_element(body + at, n, 0x04), 0xA2);
    }
    at = der_element(body, der_element(body, at, 0x30), 0xA0);
    memcpy(out, oid, sizeof oid);
    memcpy(out + sizeof oid, body, at);
    return der_element(out, sizeof oid + at, 0x60);
}

size_t spnego_client_response(const uint8_t *token, size_t n, const uint8_t *mic, uint8_t *out)
{
    memcpy(out, token, n);
    size_t at = der_element(out, der_element(out, n, 0x04), 0xA2);
    if (mic) {
        memcpy(out + at, mic, 16);
        at += der_element(out + at, der_element(out + at, 16, 0x04), 0xA3);
    }
    return der_element(out, der_element(out, at, 0x30), 0xA1);
}

const uint8_t *ntlm_inside_token(const uint8_t *p, size_t n, size_t *ret_n)
{
    const uint8_t *at = memmem(p, n, "NTLMSSP", 8);
    *ret_n = at ? (size_t)(p + n - at) : 0;
    return at;
}
