/* ntlmssp.c - NTLM messages and their cryptography ([MS-NLMP] 2.2.1, 3.2.5, 3.3.2, 3.4). The client is believed only
 * when its NTLMv2 response fits the user's hash; NTLMv1 and LM responses never count, whatever they say. */
#include "ntlmssp.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/cursor.h"
#include "base/utf.h"
#include "base/wbuf.h"
#include "crypto.h"

/* [MS-NLMP] 2.2.2.5 */
enum {
    NTLMSSP_NEGOTIATE_UNICODE = 0x1, NTLMSSP_REQUEST_TARGET = 0x4, NTLMSSP_NEGOTIATE_SIGN = 0x10,
    NTLMSSP_NEGOTIATE_SEAL = 0x20, NTLMSSP_NEGOTIATE_NTLM = 0x200, NTLMSSP_NEGOTIATE_ALWAYS_SIGN = 0x8000,
    NTLMSSP_TARGET_TYPE_SERVER = 0x20000, NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY = 0x80000,
    NTLMSSP_NEGOTIATE_TARGET_INFO = 0x800000, NTLMSSP_NEGOTIATE_VERSION = 0x2000000, NTLMSSP_NEGOTIATE_128 = 0x20000000,
    NTLMSSP_NEGOTIATE_KEY_EXCH = 0x40000000,
};
#define NTLMSSP_NEGOTIATE_56 0x80000000u
/* [MS-NLMP] 2.2.2.1 */
enum { MsvAvEOL, MsvAvNbComputerName, MsvAvNbDomainName, MsvAvDnsComputerName, MsvAvDnsDomainName, MsvAvDnsTreeName,
       MsvAvFlags, MsvAvTimestamp };
#define AV_FLAGS_MIC 2
enum { NEGOTIATE_MESSAGE = 1, CHALLENGE_MESSAGE, AUTHENTICATE_MESSAGE };
#define MIC_OFFSET 72
#define MIC_SIZE 16
#define CHALLENGE_FIXED 56
#define NTLMV2_MIN (16 + 28) /* proof, and the client challenge up to its pairs */

static const uint8_t magic[8] = "NTLMSSP";

bool ntlm_is(const uint8_t *in, size_t n)
{
    return n >= 12 && memcmp(in, magic, 8) == 0;
}

static void put_text(struct wbuf *w, const char *s)
{
    uint8_t utf16[128];
    size_t n = utf8_to_utf16le(s, strlen(s), utf16, sizeof utf16);
    wbuf_put(w, utf16, n == (size_t)-1 ? 0 : n);
}

static void put_pair(struct wbuf *w, uint16_t id, const char *s)
{
    size_t at = wbuf_len(w);
    wbuf_le16(w, id);
    wbuf_le16(w, 0);
    put_text(w, s);
    wbuf_patch_le16(w, at + 2, (uint16_t)(wbuf_len(w) - at - 4));
}

static void put_target_info(struct wbuf *w, const struct ntlm_config *cfg)
{
    struct timespec now = clock_wall();
    put_pair(w, MsvAvNbDomainName, cfg->domain);
    put_pair(w, MsvAvNbComputerName, cfg->server);
    put_pair(w, MsvAvDnsDomainName, "");
    put_pair(w, MsvAvDnsComputerName, cfg->server);
    wbuf_le16(w, MsvAvTimestamp);
    wbuf_le16(w, 8);
    wbuf_le64(w, (uint64_t)(now.tv_sec + 11644473600ll) * 10000000 + (uint64_t)now.tv_nsec / 100);
    wbuf_le32(w, MsvAvEOL);
}

/* [MS-NLMP] 2.2.1.2 */
static void put_challenge(struct ntlm *s, const struct ntlm_config *cfg, struct wbuf *w)
{
    wbuf_put(w, magic, 8);
    wbuf_le32(w, CHALLENGE_MESSAGE);
    wbuf_zero(w, 8); /* TargetNameFields */
    wbuf_le32(w, s->flags);
    wbuf_put(w, s->challenge, 8);
    wbuf_zero(w, 8);
    wbuf_zero(w, 8); /* TargetInfoFields */
    wbuf_put(w, (const uint8_t[8]){6, 1, 0, 0, 0, 0, 0, 15}, 8); /* Version; the last byte is NTLMSSP_REVISION_W2K3 */
    size_t name = wbuf_len(w);
    put_text(w, cfg->server);
    size_t info = wbuf_len(w);
    put_target_info(w, cfg);
    size_t end = wbuf_len(w);
    wbuf_patch_le16(w, 12, (uint16_t)(info - name));
    wbuf_patch_le16(w, 14, (uint16_t)(info - name));
    wbuf_patch_le32(w, 16, (uint32_t)name);
    wbuf_patch_le16(w, 40, (uint16_t)(end - info));
    wbuf_patch_le16(w, 42, (uint16_t)(end - info));
    wbuf_patch_le32(w, 44, (uint32_t)info);
}

static enum ntlm_status on_negotiate(struct ntlm *s, const struct ntlm_config *cfg, struct cursor in, uint8_t *out,
                                     size_t cap, size_t *ret_n)
{
    size_t n = (size_t)(in.end - in.base);
    uint32_t flags = cursor_le32(&in);
    if (in.bad || !(flags & NTLMSSP_NEGOTIATE_UNICODE) || n > sizeof s->negotiate)
        return NTLM_BAD;
    memcpy(s->negotiate, in.base, n);
    s->nnegotiate = n;
    s->flags = NTLMSSP_NEGOTIATE_UNICODE | NTLMSSP_REQUEST_TARGET | NTLMSSP_NEGOTIATE_NTLM |
               NTLMSSP_NEGOTIATE_ALWAYS_SIGN | NTLMSSP_TARGET_TYPE_SERVER | NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY |
               NTLMSSP_NEGOTIATE_TARGET_INFO | NTLMSSP_NEGOTIATE_VERSION |
               (flags & (NTLMSSP_NEGOTIATE_SIGN | NTLMSSP_NEGOTIATE_SEAL | NTLMSSP_NEGOTIATE_128 |
                         NTLMSSP_NEGOTIATE_56 | NTLMSSP_NEGOTIATE_KEY_EXCH));
    if (!smb_random(s->challenge, sizeof s->challenge))
        return NTLM_DENIED;
    _cleanup_(wbuf_done) struct wbuf w;
    wbuf_init(&w, 512, sizeof s->challenge_message);
    put_challenge(s, cfg, &w);
    if (w.bad || wbuf_len(&w) > cap)
        return NTLM_BAD;
    s->nchallenge = *ret_n = wbuf_len(&w);
    memcpy(s->challenge_message, wbuf_at(&w, 0), s->nchallenge);
    memcpy(out, s->challenge_message, s->nchallenge);
    s->state = NTLM_CHALLENGED;
    return NTLM_MORE;
}

void ntlm_ntowfv2(const uint8_t nt_hash[16], const uint8_t *user, size_t nuser, const uint8_t *domain, size_t ndomain,
                  uint8_t out[16])
{
    uint8_t upper[512];
    nuser = MIN(nuser & ~(size_t)1, sizeof upper);
    for (size_t i = 0; i < nuser; i += 2) {
        uint32_t cp = utf_upcase(get_le16(user + i));
        put_le16(upper + i, (uint16_t)cp);
    }
    smb_hmac_md5(nt_hash, 16, (const void *[]){upper, domain}, (size_t[]){nuser, ndomain}, 2, out);
}

struct auth {
    struct cursor all, lm, nt, domain, user, workstation, key;
    uint32_t flags;
    bool mic;
};

static struct cursor field(struct cursor *in)
{
    uint16_t n = cursor_le16(in);
    cursor_skip(in, 2);
    uint32_t at = cursor_le32(in);
    return cursor_slice(in, n ? at : 0, n);
}

/* Does the client say in its pairs that the message has a MIC? False for malformed pairs too: *ret. */
static bool pairs_say_mic(struct cursor nt, bool *ret)
{
    *ret = false;
    cursor_skip(&nt, NTLMV2_MIN);
    while (cursor_left(&nt) >= 4) {
        uint16_t id = cursor_le16(&nt), n = cursor_le16(&nt);
        if (id == MsvAvEOL)
            return true;
        if (id == MsvAvFlags && n == 4) {
            *ret |= cursor_le32(&nt) & AV_FLAGS_MIC;
            continue;
        }
        cursor_skip(&nt, n);
    }
    return !nt.bad;
}

/* [MS-NLMP] 2.2.1.3 */
static bool auth_decode(struct cursor in, struct auth *a)
{
    a->all = cursor_of(in.base, (size_t)(in.end - in.base));
    a->lm = field(&in);
    a->nt = field(&in);
    a->domain = field(&in);
    a->user = field(&in);
    a->workstation = field(&in);
    a->key = field(&in);
    a->flags = cursor_le32(&in);
    a->mic = false;
    if (in.bad || a->lm.bad || a->nt.bad || a->domain.bad || a->user.bad || a->workstation.bad || a->key.bad)
        return false;
    if (cursor_left(&a->nt) >= NTLMV2_MIN && !pairs_say_mic(a->nt, &a->mic))
        return false;
    return cursor_left(&a->user) <= 512 && cursor_left(&a->domain) <= 512;
}

static void text_of(struct cursor c, char *out, size_t cap)
{
    size_t n = utf16le_to_utf8(c.p, cursor_left(&c) & ~(size_t)1, out, cap - 1);
    out[n == (size_t)-1 ? 0 : n] = 0;
}

/* [MS-NLMP] 3.3.2: the proof, and the session base key. */
static bool ntlmv2_ok(const struct ntlm *s, const struct auth *a, const uint8_t nt_hash[16], uint8_t base_key[16])
{
    uint8_t owf[16], proof[16];
    size_t n = cursor_left(&a->nt);
    if (n < NTLMV2_MIN)
        return false;
    ntlm_ntowfv2(nt_hash, a->user.p, cursor_left(&a->user), a->domain.p, cursor_left(&a->domain), owf);
    smb_hmac_md5(owf, 16, (const void *[]){s->challenge, a->nt.p + 16}, (size_t[]){8, n - 16}, 2, proof);
    smb_hmac_md5(owf, 16, (const void *[]){proof}, (size_t[]){16}, 1, base_key);
    smb_wipe(owf, sizeof owf);
    return smb_equal(proof, a->nt.p, 16);
}

static enum ntlm_status identify(struct ntlm *s, const struct ntlm_config *cfg, const struct auth *a,
                                 uint8_t base_key[16])
{
    uint8_t nt_hash[16] = {0};
    bool disabled = false;
    memset(base_key, 0, 16);
    if (!cursor_left(&a->user) && !cursor_left(&a->nt) && cursor_left(&a->lm) <= 1) {
        s->result.anonymous = true;
        return cfg->anonymous ? NTLM_DONE : NTLM_DENIED;
    }
    bool known = s->result.user[0] && cfg->lookup(cfg->arg, s->result.user, nt_hash, &disabled);
    /* The same work for users that do not exist: time tells nobody who does. */
    bool ok = ntlmv2_ok(s, a, nt_hash, base_key) && known;
    smb_wipe(nt_hash, sizeof nt_hash);
    if (ok)
        return disabled ? NTLM_DISABLED : NTLM_DONE;
    if (known || !cfg->guest)
        return NTLM_DENIED;
    s->result.guest = true;
    memset(base_key, 0, 16);
    return NTLM_DONE;
}

static bool mic_ok(const struct ntlm *s, const struct auth *a)
{
    static const uint8_t zero[MIC_SIZE];
    uint8_t want[16];
    size_t n = cursor_left(&a->all);
    if (n < MIC_OFFSET + MIC_SIZE)
        return false;
    const uint8_t *p = a->all.base;
    const void *parts[] = {s->negotiate, s->challenge_message, p, zero, p + MIC_OFFSET + MIC_SIZE};
    size_t lens[] = {s->nnegotiate, s->nchallenge, MIC_OFFSET, MIC_SIZE, n - MIC_OFFSET - MIC_SIZE};
    smb_hmac_md5(s->result.session_key, 16, parts, lens, ARRAY_LEN(parts), want);
    return smb_equal(want, p + MIC_OFFSET, MIC_SIZE);
}

static enum ntlm_status on_authenticate(struct ntlm *s, const struct ntlm_config *cfg, struct cursor in)
{
    struct auth a;
    uint8_t base_key[16];
    if (!auth_decode(in, &a))
        return NTLM_BAD;
    text_of(a.user, s->result.user, sizeof s->result.user);
    text_of(a.domain, s->result.domain, sizeof s->result.domain);
    text_of(a.workstation, s->result.workstation, sizeof s->result.workstation);
    enum ntlm_status st = identify(s, cfg, &a, base_key);
    if (st != NTLM_DONE)
        return st;
    s->flags &= a.flags;
    memcpy(s->result.session_key, base_key, 16);
    if (s->flags & NTLMSSP_NEGOTIATE_KEY_EXCH) {
        struct smb_rc4 rc4;
        if (cursor_left(&a.key) != 16)
            return NTLM_BAD;
        smb_rc4_init(&rc4, base_key, 16);
        smb_rc4(&rc4, a.key.p, s->result.session_key, 16);
    }
    smb_wipe(base_key, sizeof base_key);
    if (a.mic && !s->result.guest && !mic_ok(s, &a))
        return NTLM_DENIED;
    s->state = NTLM_FINISHED;
    return NTLM_DONE;
}

enum ntlm_status ntlm_step(struct ntlm *s, const struct ntlm_config *cfg, const uint8_t *in, size_t n, uint8_t *out,
                           size_t cap, size_t *ret_n)
{
    *ret_n = 0;
    if (!ntlm_is(in, n))
        return NTLM_BAD;
    struct cursor c = cursor_of(in, n);
    cursor_skip(&c, 8);
    uint32_t type = cursor_le32(&c);
    if (s->state == NTLM_START && type == NEGOTIATE_MESSAGE)
        return on_negotiate(s, cfg, c, out, cap, ret_n);
    if (s->state == NTLM_CHALLENGED && type == AUTHENTICATE_MESSAGE)
        return on_authenticate(s, cfg, c);
    return NTLM_BAD;
}

/* [MS-NLMP] 3.4.5.2, 3.4.5.3; the constants count with their terminating zero. */
#define CLIENT_SIGN "session key to client-to-server signing key magic constant"
#define SERVER_SIGN "session key to server-to-client signing key magic constant"
#define CLIENT_SEAL "session key to client-to-server sealing key magic constant"
#define SERVER_SEAL "session key to server-to-client sealing key magic constant"

void ntlm_sign(struct ntlm *s, bool from_server, const uint8_t *data, size_t n, uint8_t out[16])
{
    uint8_t sign_key[16], seal_key[16], mac[16], seq[4];
    const uint8_t *key = s->result.session_key;
    uint32_t *counter = from_server ? &s->seq_out : &s->seq_in;
    size_t strength = s->flags & NTLMSSP_NEGOTIATE_128 ? 16 : s->flags & NTLMSSP_NEGOTIATE_56 ? 7 : 5;
    smb_md5(key, 16, from_server ? SERVER_SIGN : CLIENT_SIGN, sizeof CLIENT_SIGN, sign_key);
    smb_md5(key, strength, from_server ? SERVER_SEAL : CLIENT_SEAL, sizeof CLIENT_SEAL, seal_key);
    put_le32(seq, *counter);
    smb_hmac_md5(sign_key, 16, (const void *[]){seq, data}, (size_t[]){4, n}, 2, mac);
    put_le32(out, 1);
    memcpy(out + 4, mac, 8);
    if (s->flags & NTLMSSP_NEGOTIATE_KEY_EXCH) {
        struct smb_rc4 rc4;
        uint8_t skip[8];
        smb_rc4_init(&rc4, seal_key, 16);
        for (uint32_t i = 0; i < *counter; i++) /* the stream goes on over messages; there are one or two */
            smb_rc4(&rc4, mac, skip, 8);
        smb_rc4(&rc4, mac, out + 4, 8);
    }
    memcpy(out + 12, seq, 4);
    ++*counter;
}
