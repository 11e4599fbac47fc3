/* read.c - SMB2 READ ([MS-SMB2] 2.2.19, 2.2.20, 3.3.5.12). The store reads straight into the reply. */
#include "file.h"
#include "pipe.h"

#define READ_DATA_OFFSET (SMB2_HEADER + 16)

struct read_args {
    uint32_t length, minimum, channel;
    uint64_t offset;
    struct smb_open *open;
};

static uint32_t read_decode(struct smb_req *r, struct read_args *a)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    cursor_skip(c, 2); /* Padding, Flags: unbuffered reads are what we do anyway */
    a->length = cursor_le32(c);
    a->offset = cursor_le64(c);
    uint32_t status = smb_any_open(r, &a->open);
    if (status != STATUS_SUCCESS)
        return status;
    a->minimum = cursor_le32(c);
    a->channel = cursor_le32(c);
    cursor_skip(c, 8); /* RemainingBytes, ReadChannelInfo */
    if (c->bad || (r->conn->dialect >= SMB_3_0_0 && a->channel))
        return STATUS_INVALID_PARAMETER;
    if (a->length > r->conn->srv->cfg.max_read)
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static uint32_t read_run(struct smb_req *r, const struct read_args *a, uint8_t *buf, size_t *ret_n)
{
    if (!a->open->fso)
        return smb_pipe_read(r, a->open, buf, a->length, ret_n);
    struct fs_open *fso = a->open->fso;
    if (fso->node->type == ST_DIR && !fso->stream)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (!(fso->access & (FS_READ_DATA | FS_EXECUTE)))
        return STATUS_ACCESS_DENIED;
    if (a->offset > INT64_MAX || a->length > INT64_MAX - a->offset)
        return STATUS_INVALID_PARAMETER;
    bool eof = false;
    *ret_n = 0;
    if (a->length) {
        enum st st = fs_read(&r->fs, fso->node, fso, a->offset, buf, a->length, ret_n, &eof, NULL);
        if (st != ST_OK)
            return smb_status(st);
    }
    if (*ret_n < a->minimum || (!*ret_n && a->length))
        return STATUS_END_OF_FILE;
    fso->position = a->offset + *ret_n;
    return STATUS_SUCCESS;
}

/* The header goes in before the data, with the length patched: the data must lie behind it. */
uint32_t smb_read(struct smb_req *r)
{
    struct read_args a;
    uint32_t status = read_decode(r, &a);
    if (status != STATUS_SUCCESS)
        return status;
    struct wbuf *w = &r->out;
    uint8_t *p = wbuf_room(w, 16 + (size_t)a.length);
    if (!p)
        return STATUS_INSUFFICIENT_RESOURCES;
    size_t n = 0;
    status = read_run(r, &a, p + 16, &n);
    if (status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW)
        return status;
    memset(p, 0, 16);
    put_le16(p, 17);
    p[2] = READ_DATA_OFFSET;
    put_le32(p + 4, (uint32_t)n);
    wbuf_cut(w, wbuf_len(w) - (a.length - n));
    r->has_body = status != STATUS_SUCCESS;
    return status;
}
