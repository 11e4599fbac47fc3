/* query_info.c - SMB2 QUERY_INFO ([MS-SMB2] 2.2.37, 2.2.38, 3.3.5.20): finds the class in its table, checks rights and
 * lengths, cuts the answer to the client's buffer. Knows no class. */
#include "info.h"

#define QUERY_DATA_OFFSET (SMB2_HEADER + 8)
/* More than any answer has: names and lists are bounded by the store, descriptors by 64 KiB. */
#define QUERY_ANSWER_MAX (2u << 20)

static uint32_t query_decode(struct smb_req *r, struct smb_query *q)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    q->type = cursor_u8(c);
    q->class_ = cursor_u8(c);
    q->max = cursor_le32(c);
    uint16_t offset = cursor_le16(c);
    cursor_skip(c, 2);
    uint32_t n = cursor_le32(c);
    q->additional = cursor_le32(c);
    q->flags = cursor_le32(c);
    uint32_t status = smb_any_open(r, &q->open);
    if (status != STATUS_SUCCESS)
        return status;
    q->in = cursor_slice(c, n ? offset : 0, n);
    if (c->bad || q->in.bad)
        return STATUS_INVALID_PARAMETER;
    uint32_t limit = r->conn->srv->cfg.max_transact;
    if (q->max > limit || n > limit)
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static const struct smb_query_class *query_class(const struct smb_query *q)
{
    static const struct smb_query_class security = {0, 0, 0, 0, smb_query_security};
    const struct smb_query_class *table = smb_file_classes;
    size_t n = smb_file_nclasses;
    if (q->type == SMB2_0_INFO_SECURITY)
        return &security;
    if (q->type == SMB2_0_INFO_FILESYSTEM) {
        table = smb_fs_classes;
        n = smb_fs_nclasses;
    }
    for (size_t i = 0; i < n; i++)
        if (table[i].class_ == q->class_)
            return &table[i];
    return NULL;
}

static uint32_t query_run(struct smb_req *r, struct smb_query *q, const struct smb_query_class *k, struct wbuf *w)
{
    struct fs_open *o = q->open->fso;
    if (!o && !(k->flags & SMB_PIPES))
        return STATUS_INVALID_PARAMETER;
    if (o && k->access && (o->access & k->access) != k->access)
        return STATUS_ACCESS_DENIED;
    if (q->max < k->min)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (o && (k->flags & SMB_NEED_ATTR)) {
        enum st st = fs_open_attr(&r->fs, o, &q->attr);
        if (st != ST_OK)
            return smb_status(st);
    }
    uint32_t status = k->encode(r, q, w);
    if (w->bad)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (status == STATUS_SUCCESS && wbuf_len(w) > q->max) {
        wbuf_cut(w, q->max);
        status = STATUS_BUFFER_OVERFLOW;
    }
    return status;
}

static uint32_t query_encode(struct smb_req *r, struct wbuf *answer, uint32_t status)
{
    struct wbuf *w = &r->out;
    wbuf_le16(w, 9);
    wbuf_le16(w, wbuf_len(answer) ? QUERY_DATA_OFFSET : 0);
    wbuf_le32(w, (uint32_t)wbuf_len(answer));
    wbuf_put(w, wbuf_at(answer, 0), wbuf_len(answer));
    r->has_body = status != STATUS_SUCCESS;
    return status;
}

uint32_t smb_query_info(struct smb_req *r)
{
    struct smb_query q = {0};
    uint32_t status = query_decode(r, &q);
    if (status != STATUS_SUCCESS)
        return status;
    if (q.type < SMB2_0_INFO_FILE || q.type > SMB2_0_INFO_QUOTA)
        return STATUS_INVALID_PARAMETER;
    if (q.type == SMB2_0_INFO_QUOTA)
        return STATUS_NOT_SUPPORTED;
    if (!q.open->fso && q.type != SMB2_0_INFO_FILE)
        return STATUS_INVALID_DEVICE_REQUEST;
    const struct smb_query_class *k = query_class(&q);
    if (!k)
        return STATUS_INVALID_INFO_CLASS;
    struct wbuf answer _cleanup_(wbuf_done);
    wbuf_init(&answer, 512, QUERY_ANSWER_MAX);
    status = query_run(r, &q, k, &answer);
    if (status == STATUS_SUCCESS || status == STATUS_BUFFER_OVERFLOW)
        return query_encode(r, &answer, status);
    /* [MS-SMB2] 3.3.5.20.3: the error says how much room it takes. */
    if (status == STATUS_BUFFER_TOO_SMALL && wbuf_len(&answer) == 4)
        return smb_error_data(r, status, wbuf_at(&answer, 0), 4);
    return status;
}
