/* write.c - SMB2 WRITE ([MS-SMB2] 2.2.21, 2.2.22, 3.3.5.13). The data goes to the store from where it was received. */
#include "file.h"
#include "pipe.h"

enum { SMB2_WRITEFLAG_WRITE_THROUGH = 0x1, SMB2_WRITEFLAG_WRITE_UNBUFFERED = 0x2 };
#define WRITE_DATA_OFFSET_MAX 0x100 /* [MS-SMB2] 3.3.5.13 */
/* NTFS' and Samba's largest file: 16 TiB - 64 KiB. Beyond it is a mistake of the client, not a full disk. */
#define WRITE_OFFSET_MAX 0xfffffff0000ull

struct write_args {
    uint32_t length, flags;
    uint64_t offset;
    const uint8_t *data;
    struct smb_open *open;
};

static uint32_t write_decode(struct smb_req *r, struct write_args *a)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    uint16_t data_offset = cursor_le16(c);
    a->length = cursor_le32(c);
    a->offset = cursor_le64(c);
    uint32_t status = smb_any_open(r, &a->open);
    if (status != STATUS_SUCCESS)
        return status;
    uint32_t channel = cursor_le32(c);
    cursor_skip(c, 8); /* RemainingBytes, WriteChannelInfo */
    a->flags = cursor_le32(c);
    if (c->bad || (r->conn->dialect >= SMB_3_0_0 && channel) || data_offset > WRITE_DATA_OFFSET_MAX)
        return STATUS_INVALID_PARAMETER;
    if (a->length > r->conn->srv->cfg.max_write)
        return STATUS_INVALID_PARAMETER;
    struct cursor data = cursor_slice(c, a->length ? data_offset : 0, a->length);
    if (data.bad)
        return STATUS_INVALID_PARAMETER;
    a->data = data.p;
    return STATUS_SUCCESS;
}

/* [MS-FSA] 2.1.5.3: an offset of -1 appends where the open may only append; elsewhere negative offsets are wrong. */
static uint32_t write_check(const struct write_args *a, const struct fs_open *o)
{
    if (o->node->type == ST_DIR && !o->stream)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (!(o->access & (FS_WRITE_DATA | FS_APPEND_DATA)))
        return STATUS_ACCESS_DENIED;
    bool append_only = !(o->access & FS_WRITE_DATA);
    if (a->offset == UINT64_MAX && append_only)
        return STATUS_SUCCESS;
    if (a->offset > INT64_MAX || a->length > INT64_MAX - a->offset)
        return STATUS_INVALID_PARAMETER;
    if (a->length && a->offset >= WRITE_OFFSET_MAX)
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static uint32_t write_run(struct smb_req *r, const struct write_args *a, uint32_t *ret_n)
{
    struct fs_open *o = a->open->fso;
    if (!o)
        return smb_pipe_write(r, a->open, a->data, a->length, ret_n);
    uint32_t status = write_check(a, o);
    if (status != STATUS_SUCCESS)
        return status;
    *ret_n = a->length;
    if (!a->length)
        return STATUS_SUCCESS;
    bool through = (a->flags & SMB2_WRITEFLAG_WRITE_THROUGH) || ((o->options | o->mode_info) & FS_WRITE_THROUGH);
    enum st st =
        fs_write(&r->fs, o->node, o, a->offset, a->data, a->length, through ? FS_FILE_SYNC : FS_UNSTABLE, NULL);
    if (st == ST_OK && a->offset != UINT64_MAX)
        o->position = a->offset + a->length;
    return smb_status(st);
}

uint32_t smb_write(struct smb_req *r)
{
    struct write_args a;
    uint32_t status = write_decode(r, &a), n = 0;
    if (status != STATUS_SUCCESS)
        return status;
    status = write_run(r, &a, &n);
    if (status != STATUS_SUCCESS)
        return status;
    wbuf_le16(&r->out, 17);
    wbuf_le16(&r->out, 0);
    wbuf_le32(&r->out, n);
    wbuf_zero(&r->out, 8); /* Remaining, WriteChannelInfo */
    return STATUS_SUCCESS;
}
