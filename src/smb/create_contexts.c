/* create_contexts.c - see create_contexts.h. Knows the layout of every context that the server understands, as one
 * table; must not know what CREATE does with them. */
#include "create_contexts.h"

/* The largest number of contexts in one request: more than there are kinds. */
#define CONTEXTS_MAX 64

static uint32_t decode_none(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    return STATUS_SUCCESS;
}

static uint32_t decode_exta(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    return smb_ea_decode(a, *c, &cx->ea, &cx->nea);
}

static uint32_t decode_secd(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    cx->nsd = cursor_left(c);
    cx->sd = cursor_take(c, cx->nsd);
    return STATUS_SUCCESS;
}

static uint32_t decode_alsi(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    cx->alloc = cursor_le64(c);
    cx->has_alloc = true;
    return STATUS_SUCCESS;
}

static uint32_t decode_mxac(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    cx->mxac = true;
    if (cursor_left(c)) { /* [MS-SMB2] 2.2.13.2.5: empty, or a timestamp */
        cx->mxac_time = cursor_le64(c);
        cx->mxac_has_time = cx->mxac_time != 0;
    }
    return STATUS_SUCCESS;
}

static uint32_t decode_twrp(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    cx->timewarp = cursor_le64(c) != 0;
    return STATUS_SUCCESS;
}

static uint32_t decode_qfid(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    cx->qfid = true;
    return STATUS_SUCCESS;
}

/* Version 1 is 32 bytes, version 2 (3.x only) 52. */
static uint32_t decode_rqls(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    size_t n = cursor_left(c);
    if (dialect < SMB_2_1_0 || (n >= 52 && dialect < SMB_3_0_0))
        return STATUS_SUCCESS;
    const uint8_t *key = cursor_take(c, 16);
    cx->lease_state = cursor_le32(c) & (CO_R | CO_H | CO_W);
    cx->lease_flags = cursor_le32(c) & SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET;
    cursor_skip(c, 8);
    if (c->bad)
        return STATUS_INVALID_PARAMETER;
    memcpy(cx->lease_key, key, 16);
    cx->lease_version = 1;
    if (n >= 52) {
        const uint8_t *parent = cursor_take(c, 16);
        cx->lease_epoch = cursor_le16(c);
        if (cx->lease_flags & SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET)
            memcpy(cx->parent_key, parent, 16);
        cx->lease_version = 2;
    }
    return STATUS_SUCCESS;
}

static uint32_t decode_dhnq(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    cx->durable |= SMB_DHNQ;
    return STATUS_SUCCESS;
}

static uint32_t decode_dhnc(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    cx->reconnect_id = cursor_le64(c); /* the volatile id is of no more use */
    cx->durable |= SMB_DHNC;
    return STATUS_SUCCESS;
}

static void take_guid(struct cursor *c, struct smb_create_contexts *cx)
{
    const uint8_t *guid = cursor_take(c, 16);
    if (guid)
        memcpy(cx->create_guid, guid, 16);
}

static uint32_t decode_dh2q(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    if (dialect < SMB_3_0_0)
        return STATUS_SUCCESS;
    cx->durable_timeout = cursor_le32(c);
    cx->durable_flags = cursor_le32(c);
    cursor_skip(c, 8); /* Reserved */
    take_guid(c, cx);
    cx->durable |= SMB_DH2Q;
    return STATUS_SUCCESS;
}

static uint32_t decode_dh2c(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    if (dialect < SMB_3_0_0)
        return STATUS_SUCCESS;
    cx->reconnect_id = cursor_le64(c);
    cursor_skip(c, 8); /* the volatile id */
    take_guid(c, cx);
    cx->durable_flags = cursor_le32(c);
    cx->durable |= SMB_DH2C;
    return STATUS_SUCCESS;
}

/* [MS-SMB2] 3.3.5.9.6, .7, .10, .12: which of them may stand together: DHnQ beside DHnC, which makes it meaningless. */
static bool durable_sane(unsigned durable)
{
    static const uint16_t sane = 1 << 0 | 1 << SMB_DHNQ | 1 << SMB_DHNC | 1 << (SMB_DHNQ | SMB_DHNC) | 1 << SMB_DH2Q |
                                 1 << SMB_DH2C;
    return sane >> durable & 1;
}

/* Apple's: asks what the server can do; command 1 is the only one. */
static uint32_t decode_aapl(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx)
{
    uint32_t command = cursor_le32(c);
    cursor_skip(c, 4);
    cx->aapl_bitmap = cursor_le64(c);
    cx->aapl = command == 1 && !c->bad;
    return STATUS_SUCCESS;
}

static const struct {
    char name[5];
    size_t min; /* bytes of data; fewer: STATUS_INVALID_PARAMETER */
    uint32_t (*decode)(struct arena *a, struct cursor *c, uint16_t dialect, struct smb_create_contexts *cx);
} contexts[] = {
    {"ExtA", 0, decode_exta},  {"SecD", 0, decode_secd},  {"AlSi", 8, decode_alsi},  {"MxAc", 0, decode_mxac},
    {"TWrp", 8, decode_twrp},  {"QFid", 0, decode_qfid},  {"RqLs", 32, decode_rqls}, {"DHnQ", 16, decode_dhnq},
    {"DHnC", 16, decode_dhnc}, {"DH2Q", 32, decode_dh2q}, {"DH2C", 36, decode_dh2c}, {"AAPL", 16, decode_aapl},
    {"", 0, decode_none}, /* any other: skipped */
};

static uint32_t context_decode(struct arena *a, struct cursor *in, size_t at, uint16_t dialect,
                               struct smb_create_contexts *cx, uint32_t *ret_next)
{
    cursor_seek(in, at);
    *ret_next = cursor_le32(in);
    uint16_t name_offset = cursor_le16(in), nname = cursor_le16(in);
    cursor_skip(in, 2);
    uint16_t data_offset = cursor_le16(in);
    uint32_t ndata = cursor_le32(in);
    struct cursor whole = cursor_slice(in, at, in->bad ? 0 : (size_t)(in->end - in->base) - at);
    struct cursor name = cursor_slice(&whole, name_offset, nname);
    struct cursor data = cursor_slice(&whole, ndata ? data_offset : 0, ndata);
    if (in->bad || name.bad || data.bad || nname < 4)
        return STATUS_INVALID_PARAMETER;
    size_t i = 0;
    while (i < ARRAY_LEN(contexts) - 1 && (nname != 4 || memcmp(name.p, contexts[i].name, 4)))
        i++;
    if (ndata < contexts[i].min)
        return STATUS_INVALID_PARAMETER;
    uint32_t status = contexts[i].decode(a, &data, dialect, cx);
    return status == STATUS_SUCCESS && data.bad ? STATUS_INVALID_PARAMETER : status;
}

uint32_t smb_create_contexts_decode(struct arena *a, struct cursor in, uint16_t dialect,
                                    struct smb_create_contexts *ret)
{
    *ret = (struct smb_create_contexts){0};
    if (!cursor_left(&in))
        return STATUS_SUCCESS;
    uint32_t next = 1;
    size_t at = 0;
    for (int i = 0; next; i++, at += next) {
        if (i == CONTEXTS_MAX)
            return STATUS_INVALID_PARAMETER;
        uint32_t status = context_decode(a, &in, at, dialect, ret, &next);
        if (status != STATUS_SUCCESS)
            return status;
        if (next && (next % 8 || next < 16))
            return STATUS_INVALID_PARAMETER;
    }
    return durable_sane(ret->durable) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* --- Answers. Each begins with the 24 bytes of header and name; *last is where to chain from. */
static void begin(struct wbuf *w, size_t base, size_t *last, const char name[4], uint32_t ndata)
{
    size_t pos;
    if (*last) {
        wbuf_align(w, base, 8);
        pos = wbuf_len(w);
        wbuf_patch_le32(w, *last, (uint32_t)(pos - *last));
    }
    *last = wbuf_len(w);
    wbuf_le32(w, 0);
    wbuf_le16(w, 16);
    wbuf_le16(w, 4);
    wbuf_le16(w, 0);
    wbuf_le16(w, ndata ? 24 : 0);
    wbuf_le32(w, ndata);
    wbuf_put(w, name, 4);
    wbuf_zero(w, 4);
}

static void encode_mxac(struct wbuf *w, const struct smb_create_contexts *cx, const struct fs_open_result *res)
{
    /* [MS-SMB2] 3.3.5.9.5: nothing to say when the client's copy of the time is still right. */
    bool same = cx->mxac_has_time && cx->mxac_time == smb_time(&res->attr.st.mtime);
    wbuf_le32(w, same ? STATUS_NONE_MAPPED : STATUS_SUCCESS);
    wbuf_le32(w, same ? 0 : res->maximal_access);
}

static void encode_qfid(struct wbuf *w, const struct fs_open_result *res)
{
    wbuf_le64(w, res->attr.st.ino);
    wbuf_le64(w, res->open->share->id);
    wbuf_zero(w, 16);
}

static void encode_rqls(struct wbuf *w, const struct smb_create_contexts *cx, const struct fs_open_result *res)
{
    uint32_t flags = res->lease_breaking ? SMB2_LEASE_FLAG_BREAK_IN_PROGRESS : 0;
    wbuf_put(w, cx->lease_key, 16);
    wbuf_le32(w, res->lease);
    wbuf_le32(w, flags | (cx->lease_version == 2 ? cx->lease_flags : 0));
    wbuf_le64(w, 0);
    if (cx->lease_version == 2) {
        wbuf_put(w, cx->parent_key, 16);
        wbuf_le16(w, res->lease_epoch);
        wbuf_le16(w, 0);
    }
}

/* Apple's server query: bit 0 server capabilities, bit 1 volume capabilities (4: flush is a full sync), bit 2 model. */
static size_t aapl_size(const struct smb_create_contexts *cx)
{
    return 16 + (cx->aapl_bitmap & 1 ? 8 : 0) + (cx->aapl_bitmap & 2 ? 8 : 0);
}

static void encode_aapl(struct wbuf *w, const struct smb_create_contexts *cx)
{
    wbuf_le32(w, 1);
    wbuf_le32(w, 0);
    wbuf_le64(w, cx->aapl_bitmap & 3);
    if (cx->aapl_bitmap & 1)
        wbuf_le64(w, 0);
    if (cx->aapl_bitmap & 2)
        wbuf_le64(w, 4);
}

size_t smb_create_contexts_encode(struct wbuf *w, const struct smb_create_contexts *cx,
                                  const struct fs_open_result *res)
{
    size_t base = wbuf_len(w), last = 0;
    if (cx->mxac) {
        begin(w, base, &last, "MxAc", 8);
        encode_mxac(w, cx, res);
    }
    if (cx->qfid) {
        begin(w, base, &last, "QFid", 32);
        encode_qfid(w, res);
    }
    if (cx->durable_granted & SMB_DHNQ) {
        begin(w, base, &last, "DHnQ", 8);
        wbuf_zero(w, 8);
    }
    if (cx->durable_granted & SMB_DH2Q) {
        begin(w, base, &last, "DH2Q", 8);
        wbuf_le32(w, cx->durable_timeout);
        wbuf_le32(w, cx->durable_flags);
    }
    if (cx->lease_version) {
        begin(w, base, &last, "RqLs", cx->lease_version == 2 ? 52 : 32);
        encode_rqls(w, cx, res);
    }
    if (cx->aapl) {
        begin(w, base, &last, "AAPL", (uint32_t)aapl_size(cx));
        encode_aapl(w, cx);
    }
    return wbuf_len(w) - base;
}
