/* negotiate_contexts.c - the negotiate contexts of 3.1.1 ([MS-SMB2] 2.2.3.1, 2.2.4.1, 3.3.5.4): what was offered,
 * what is chosen. Unknown ones are passed over, and so are the client's name for us, compression, transport and
 * RDMA. */
#include "internal.h"

enum { SMB2_PREAUTH_INTEGRITY_CAPABILITIES = 1, SMB2_ENCRYPTION_CAPABILITIES = 2,
       SMB2_SIGNING_CAPABILITIES = 8 };
#define SMB2_PREAUTH_SHA512 1
#define SALT 32
#define CONTEXTS_MAX 64
/* Which were there. */
enum { HAS_PREAUTH = 1, HAS_ENCRYPTION = 2, HAS_SIGNING = 4 };

/* Ours, best first. */
static const uint16_t ciphers[] = {SMB2_ENCRYPTION_AES128_GCM, SMB2_ENCRYPTION_AES256_GCM, SMB2_ENCRYPTION_AES128_CCM,
                                   SMB2_ENCRYPTION_AES256_CCM};
static const uint16_t signings[] = {SMB2_SIGNING_AES_GMAC, SMB2_SIGNING_AES_CMAC, SMB2_SIGNING_HMAC_SHA256};

/* Index in `ours` of the best one that is offered, or n. */
static size_t best(const uint16_t *ours, size_t n, struct cursor offered, uint16_t count)
{
    size_t at = n;
    for (uint16_t i = 0; i < count; i++) {
        uint16_t id = cursor_le16(&offered);
        for (size_t j = 0; j < at; j++)
            if (ours[j] == id)
                at = j;
    }
    return at;
}

static uint32_t preauth(struct smb_conn *c, struct cursor in)
{
    uint16_t count = cursor_le16(&in), salt = cursor_le16(&in);
    struct cursor list = cursor_slice(&in, cursor_pos(&in), (size_t)count * 2);
    cursor_skip(&in, (size_t)count * 2 + salt);
    if (in.bad || list.bad || !count)
        return STATUS_INVALID_PARAMETER;
    for (uint16_t i = 0; i < count; i++)
        if (cursor_le16(&list) == SMB2_PREAUTH_SHA512) {
            c->hash_alg = SMB2_PREAUTH_SHA512;
            return STATUS_SUCCESS;
        }
    return STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP;
}

static uint32_t encryption(struct smb_conn *c, struct cursor in)
{
    uint16_t count = cursor_le16(&in);
    struct cursor list = cursor_slice(&in, cursor_pos(&in), (size_t)count * 2);
    if (in.bad || list.bad || !count)
        return STATUS_INVALID_PARAMETER;
    size_t i = best(ciphers, ARRAY_LEN(ciphers), list, count);
    if (i < ARRAY_LEN(ciphers) && c->srv->cfg.encryption != FS_OFF)
        c->cipher = ciphers[i];
    return STATUS_SUCCESS;
}

static uint32_t signing(struct smb_conn *c, struct cursor in)
{
    uint16_t count = cursor_le16(&in);
    struct cursor list = cursor_slice(&in, cursor_pos(&in), (size_t)count * 2);
    if (in.bad || list.bad || !count)
        return STATUS_INVALID_PARAMETER;
    size_t i = best(signings, ARRAY_LEN(signings), list, count);
    if (i < ARRAY_LEN(signings))
        c->signing_alg = signings[i];
    return STATUS_SUCCESS;
}

static const struct {
    uint16_t type;
    unsigned bit;
    uint32_t (*decode)(struct smb_conn *c, struct cursor in);
} contexts[] = {
    {SMB2_PREAUTH_INTEGRITY_CAPABILITIES, HAS_PREAUTH, preauth},
    {SMB2_ENCRYPTION_CAPABILITIES, HAS_ENCRYPTION, encryption},
    {SMB2_SIGNING_CAPABILITIES, HAS_SIGNING, signing},
};

static uint32_t decode_one(struct smb_conn *c, uint16_t type, struct cursor data, unsigned *seen)
{
    for (size_t i = 0; i < ARRAY_LEN(contexts); i++)
        if (contexts[i].type == type) {
            if (*seen & contexts[i].bit) /* each at most once */
                return STATUS_INVALID_PARAMETER;
            *seen |= contexts[i].bit;
            return contexts[i].decode(c, data);
        }
    return STATUS_SUCCESS;
}

uint32_t smb_contexts_decode(struct smb_conn *c, struct cursor in, uint16_t count)
{
    unsigned seen = 0;
    if (in.bad || count > CONTEXTS_MAX)
        return STATUS_INVALID_PARAMETER;
    for (uint16_t i = 0; i < count; i++) {
        uint16_t type = cursor_le16(&in), n = cursor_le16(&in);
        cursor_skip(&in, 4);
        struct cursor data = cursor_slice(&in, cursor_pos(&in), n);
        cursor_skip(&in, n);
        if (in.bad || data.bad)
            return STATUS_INVALID_PARAMETER;
        uint32_t status = decode_one(c, type, data, &seen);
        if (status != STATUS_SUCCESS)
            return status;
        size_t pad = ALIGN_UP(cursor_pos(&in), 8) - cursor_pos(&in);
        if (i + 1 < count)
            cursor_skip(&in, pad);
    }
    c->contexts = seen;
    return seen & HAS_PREAUTH ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

static void begin(struct wbuf *w, size_t base, uint16_t type, uint16_t n)
{
    wbuf_align(w, base, 8);
    wbuf_le16(w, type);
    wbuf_le16(w, n);
    wbuf_le32(w, 0);
}

uint16_t smb_contexts_encode(const struct smb_conn *c, struct wbuf *w, size_t base)
{
    uint8_t salt[SALT];
    uint16_t n = 1;
    if (!smb_random(salt, sizeof salt))
        w->bad = true;
    begin(w, base, SMB2_PREAUTH_INTEGRITY_CAPABILITIES, 6 + SALT);
    wbuf_le16(w, 1);
    wbuf_le16(w, SALT);
    wbuf_le16(w, SMB2_PREAUTH_SHA512);
    wbuf_put(w, salt, SALT);
    if (c->contexts & HAS_ENCRYPTION) { /* also when nothing fits: then the cipher is 0 */
        begin(w, base, SMB2_ENCRYPTION_CAPABILITIES, 4);
        wbuf_le16(w, 1);
        wbuf_le16(w, c->cipher);
        n++;
    }
    if (c->contexts & HAS_SIGNING) {
        begin(w, base, SMB2_SIGNING_CAPABILITIES, 4);
        wbuf_le16(w, 1);
        wbuf_le16(w, c->signing_alg);
        n++;
    }
    return n;
}
