/* negotiate.c - SMB2 NEGOTIATE, SMB1's first message, and the proof that nobody meddled ([MS-SMB2] 2.2.3, 2.2.4,
 * 3.3.5.3, 3.3.5.4, 3.3.5.15.12). The contexts of 3.1.1 are in negotiate_contexts.c. */
#include "internal.h"
#include "spnego.h"

#define DIALECTS_MAX 64
#define NT_EPOCH 11644473600ll

uint64_t smb_nt_time(const struct timespec *t)
{
    return (uint64_t)((int64_t)t->tv_sec + NT_EPOCH) * 10000000 + (uint64_t)t->tv_nsec / 100;
}

static const uint16_t known_dialects[] = {SMB_3_1_1, SMB_3_0_2, SMB_3_0_0, SMB_2_1_0, SMB_2_0_2};

/* The newest that both know; 0: none. */
static uint16_t choose(const struct smb_config *k, struct cursor offered, uint16_t count)
{
    uint16_t best = 0;
    for (uint16_t i = 0; i < count; i++) {
        uint16_t d = cursor_le16(&offered);
        for (size_t j = 0; j < ARRAY_LEN(known_dialects); j++)
            if (d == known_dialects[j] && d >= k->min_dialect && d <= k->max_dialect)
                best = MAX(best, d);
    }
    return best;
}

static uint32_t capabilities(const struct smb_conn *c)
{
    uint32_t caps = 0;
    if (c->dialect >= SMB_2_1_0)
        caps |= SMB2_GLOBAL_CAP_LEASING | SMB2_GLOBAL_CAP_LARGE_MTU;
    if (c->dialect >= SMB_3_0_0)
        caps |= SMB2_GLOBAL_CAP_MULTI_CHANNEL | SMB2_GLOBAL_CAP_DIRECTORY_LEASING |
                (c->srv->kv ? SMB2_GLOBAL_CAP_PERSISTENT_HANDLES : 0);
    if ((c->dialect == SMB_3_0_0 || c->dialect == SMB_3_0_2) && c->cipher)
        caps |= SMB2_GLOBAL_CAP_ENCRYPTION;
    return caps;
}

static void set_dialect(struct smb_conn *c, uint16_t dialect)
{
    const struct smb_config *k = &c->srv->cfg;
    c->dialect = dialect;
    c->multi_credit = dialect >= SMB_2_1_0;
    c->signing_alg = dialect >= SMB_3_0_0 ? SMB2_SIGNING_AES_CMAC : SMB2_SIGNING_HMAC_SHA256;
    c->cipher = SMB2_ENCRYPTION_NONE;
    if ((dialect == SMB_3_0_0 || dialect == SMB_3_0_2) && k->encryption != FS_OFF &&
        (c->client_caps & SMB2_GLOBAL_CAP_ENCRYPTION))
        c->cipher = SMB2_ENCRYPTION_AES128_CCM;
    c->server_security_mode = (uint16_t)(SMB2_NEGOTIATE_SIGNING_ENABLED |
                                         (k->signing == FS_REQUIRED ? SMB2_NEGOTIATE_SIGNING_REQUIRED : 0));
    c->server_caps = capabilities(c);
    /* 2.0.2 has no ClientGuid that means anything, and others may leave theirs zero: such a client is its
     * connection. */
    static const uint8_t zero[16];
    uint8_t own[16] = {0};
    put_le64(own, (uint64_t)(uintptr_t)c);
    put_le64(own + 8, atomic_fetch_add(&c->srv->next_id, 1));
    bool named = dialect >= SMB_2_1_0 && memcmp(c->client_guid, zero, 16) != 0;
    c->client_id = smb_client_id(named ? c->client_guid : own);
    c->account = addr_account(&c->net->peer);
}

static uint32_t io_limit(const struct smb_conn *c, uint32_t configured)
{
    return c->multi_credit ? configured : MIN(configured, 65536u);
}

static void encode(struct smb_conn *c, uint16_t dialect, struct wbuf *w)
{
    const struct smb_config *k = &c->srv->cfg;
    size_t base = wbuf_len(w) - SMB2_HEADER, body = wbuf_len(w);
    uint8_t token[256];
    size_t ntoken = spnego_hint(token, sizeof token);
    struct timespec now = clock_wall();
    wbuf_le16(w, 65);
    wbuf_le16(w, c->server_security_mode);
    wbuf_le16(w, dialect);
    wbuf_le16(w, 0); /* NegotiateContextCount */
    wbuf_put(w, k->server_guid, 16);
    wbuf_le32(w, c->server_caps);
    wbuf_le32(w, io_limit(c, k->max_transact));
    wbuf_le32(w, io_limit(c, k->max_read));
    wbuf_le32(w, io_limit(c, k->max_write));
    wbuf_le64(w, smb_nt_time(&now));
    wbuf_le64(w, 0); /* ServerStartTime: nobody needs to know */
    wbuf_le16(w, SMB2_HEADER + 64);
    wbuf_le16(w, (uint16_t)ntoken);
    wbuf_le32(w, 0); /* NegotiateContextOffset */
    wbuf_put(w, token, ntoken);
    if (dialect != SMB_3_1_1)
        return;
    wbuf_align(w, base, 8);
    wbuf_patch_le32(w, body + 60, (uint32_t)(wbuf_len(w) - base));
    wbuf_patch_le16(w, body + 6, smb_contexts_encode(c, w, base));
}

uint32_t smb_negotiate(struct smb_req *r)
{
    struct smb_conn *c = r->conn;
    struct cursor *in = &r->in;
    cursor_skip(in, 2);
    uint16_t count = cursor_le16(in);
    uint16_t mode = cursor_le16(in);
    cursor_skip(in, 2);
    uint32_t caps = cursor_le32(in);
    const uint8_t *guid = cursor_take(in, 16);
    uint32_t contexts_offset = cursor_le32(in);
    uint16_t ncontexts = cursor_le16(in);
    cursor_skip(in, 2);
    struct cursor dialects = cursor_slice(in, cursor_pos(in), (size_t)count * 2);
    if (in->bad || dialects.bad || !count || count > DIALECTS_MAX)
        return STATUS_INVALID_PARAMETER;
    uint16_t dialect = choose(&c->srv->cfg, dialects, count);
    if (!dialect)
        return STATUS_NOT_SUPPORTED;
    memcpy(c->client_guid, guid, 16);
    c->client_caps = caps;
    c->client_security_mode = mode;
    set_dialect(c, dialect);
    if (dialect == SMB_3_1_1) {
        size_t all = (size_t)(in->end - in->base), n = contexts_offset <= all ? all - contexts_offset : SIZE_MAX;
        uint32_t status = smb_contexts_decode(c, cursor_slice(in, contexts_offset, n), ncontexts);
        if (status != STATUS_SUCCESS) {
            c->dialect = 0;
            return status;
        }
        memset(c->preauth, 0, sizeof c->preauth);
        smb_preauth_update(c->preauth, in->base, (size_t)(in->end - in->base));
        r->preauth_next = c->preauth;
    }
    encode(c, dialect, &r->out);
    return STATUS_SUCCESS;
}

/* [MS-SMB2] 3.3.5.3: clients that may also speak SMB1 begin with its NEGOTIATE. Offering "SMB 2.???" they want to hear
 * 0x02FF and then negotiate in SMB2; offering only "SMB 2.002" they are content with that. */
static bool smb1_dialects(struct cursor in, bool *ret_2002, bool *ret_wildcard)
{
    *ret_2002 = *ret_wildcard = false;
    cursor_seek(&in, 4);
    uint8_t command = cursor_u8(&in);
    cursor_seek(&in, 32);
    uint8_t words = cursor_u8(&in);
    cursor_skip(&in, (size_t)words * 2);
    uint16_t bytes = cursor_le16(&in);
    struct cursor list = cursor_slice(&in, cursor_pos(&in), bytes);
    if (in.bad || list.bad || command != 0x72)
        return false;
    while (cursor_left(&list)) {
        if (cursor_u8(&list) != 2)
            return false;
        const uint8_t *name = list.p, *end = memchr(name, 0, cursor_left(&list));
        if (!end)
            return false;
        *ret_2002 |= strcmp((const char *)name, "SMB 2.002") == 0;
        *ret_wildcard |= strcmp((const char *)name, "SMB 2.???") == 0;
        cursor_skip(&list, (size_t)(end - name) + 1);
    }
    return true;
}

bool smb1_negotiate(struct smb_req *r, struct cursor in)
{
    struct smb_conn *c = r->conn;
    const struct smb_config *k = &c->srv->cfg;
    bool has_2002, wildcard;
    if (!smb1_dialects(in, &has_2002, &wildcard))
        return false;
    wildcard = wildcard && k->max_dialect >= SMB_2_1_0;
    if (!wildcard && !(has_2002 && k->min_dialect <= SMB_2_0_2))
        return false;
    if (!smb_credits_consume(c->credits, 0, 1))
        return false;
    set_dialect(c, SMB_2_0_2);
    if (wildcard)
        c->server_caps = SMB2_GLOBAL_CAP_LEASING | SMB2_GLOBAL_CAP_LARGE_MTU;
    r->command = SMB2_NEGOTIATE;
    r->handler = &smb_handlers[SMB2_NEGOTIATE];
    r->credit_request = 1;
    smb_reply_begin(r);
    encode(c, wildcard ? SMB_2_WILDCARD : SMB_2_0_2, &r->out);
    r->credit_charge = 0;
    smb_reply_end(r);
    if (wildcard) {
        c->dialect = 0;
        c->wildcard = true;
    }
    return true;
}

uint32_t smb_validate_negotiate(struct smb_req *r, struct cursor in, struct wbuf *out)
{
    struct smb_conn *c = r->conn;
    uint32_t caps = cursor_le32(&in);
    const uint8_t *guid = cursor_take(&in, 16);
    uint16_t mode = cursor_le16(&in), count = cursor_le16(&in);
    struct cursor dialects = cursor_slice(&in, cursor_pos(&in), (size_t)count * 2);
    if (in.bad || dialects.bad || caps != c->client_caps || memcmp(guid, c->client_guid, 16) != 0 ||
        mode != c->client_security_mode || choose(&c->srv->cfg, dialects, count) != c->dialect) {
        smb_conn_bad(c, "negotiation was changed on the way");
        return STATUS_INVALID_PARAMETER;
    }
    wbuf_le32(out, c->server_caps);
    wbuf_put(out, c->srv->cfg.server_guid, 16);
    wbuf_le16(out, c->server_security_mode);
    wbuf_le16(out, c->dialect);
    return STATUS_SUCCESS;
}
