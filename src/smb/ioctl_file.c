/* ioctl_file.c - small controls on a file: reparse points, object ids, compression, integrity, snapshots ([MS-FSCC]
 * 2.3, [MS-SMB2] 3.3.5.15.1). */
#include "ioctl.h"
#include "reparse.h"

#define REPARSE_MAX 16384 /* [MS-FSCC] 2.1.2: MAXIMUM_REPARSE_DATA_BUFFER_SIZE */

uint32_t smb_ioctl_get_reparse(struct smb_req *r, struct smb_ioctl *io)
{
    char *target;
    size_t n;
    if (io->open->fso->node->type != ST_LNK)
        return STATUS_NOT_A_REPARSE_POINT;
    enum st st = fs_readlink(&r->fs, io->open->fso->node, &target, &n);
    if (st != ST_OK)
        return smb_status(st);
    struct wbuf w _cleanup_(wbuf_done);
    wbuf_init(&w, 512, REPARSE_MAX);
    smb_symlink_encode(&w, target, n, 0);
    if (w.bad)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (io->max < 8)
        return STATUS_BUFFER_TOO_SMALL;
    bool fits = wbuf_len(&w) <= io->max;
    wbuf_put(io->out, wbuf_at(&w, 0), MIN(wbuf_len(&w), (size_t)io->max));
    io->has_output = true;
    return fits ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

uint32_t smb_ioctl_set_reparse(struct smb_req *r, struct smb_ioctl *io)
{
    char *target;
    size_t n;
    if (cursor_left(&io->in) > REPARSE_MAX)
        return STATUS_IO_REPARSE_DATA_INVALID;
    uint32_t status = smb_symlink_decode(&r->arena, io->in, &target, &n);
    return status == STATUS_SUCCESS ? smb_status(fs_symlink_set(&r->fs, io->open->fso, target, n)) : status;
}

/* A symbolic link of the store cannot become an empty file and stay the same object. */
uint32_t smb_ioctl_delete_reparse(struct smb_req *r, struct smb_ioctl *io)
{
    return io->open->fso->node->type == ST_LNK ? STATUS_NOT_SUPPORTED : STATUS_NOT_A_REPARSE_POINT;
}

/* [MS-FSCC] 2.1.3.1: made of the file's id, so that it needs no place of its own; BirthVolumeId is the server's. */
uint32_t smb_ioctl_object_id(struct smb_req *r, struct smb_ioctl *io)
{
    if (io->max < 64)
        return STATUS_INVALID_PARAMETER;
    struct co_key key = fs_node_key(io->open->fso->node);
    wbuf_le64(io->out, key.ino);
    wbuf_le64(io->out, key.gen ^ (uint64_t)io->open->fso->share->id << 32);
    wbuf_put(io->out, r->conn->srv->cfg.server_guid, 16);
    wbuf_le64(io->out, key.ino);
    wbuf_le64(io->out, key.gen ^ (uint64_t)io->open->fso->share->id << 32);
    wbuf_zero(io->out, 16);
    return STATUS_SUCCESS;
}

uint32_t smb_ioctl_get_compression(struct smb_req *r, struct smb_ioctl *io)
{
    if (io->max < 2)
        return STATUS_INVALID_PARAMETER;
    wbuf_le16(io->out, 0); /* COMPRESSION_FORMAT_NONE */
    return STATUS_SUCCESS;
}

uint32_t smb_ioctl_set_compression(struct smb_req *r, struct smb_ioctl *io)
{
    uint16_t format = cursor_le16(&io->in);
    if (io->in.bad)
        return STATUS_INVALID_PARAMETER;
    return format ? STATUS_NOT_SUPPORTED : STATUS_SUCCESS;
}

/* [MS-FSCC] 2.3.18: clients ask before they clone blocks. */
uint32_t smb_ioctl_integrity(struct smb_req *r, struct smb_ioctl *io)
{
    struct st_fsinfo f;
    if (io->max < 16)
        return STATUS_INVALID_PARAMETER;
    enum st st = fs_statfs(&r->fs, io->open->fso->node, &f);
    if (st != ST_OK)
        return smb_status(st);
    wbuf_zero(io->out, 8); /* CHECKSUM_TYPE_NONE */
    wbuf_le32(io->out, 0);
    wbuf_le32(io->out, f.block);
    return STATUS_SUCCESS;
}

/* [MS-SMB2] 2.2.32.2: none, which is one empty string. */
uint32_t smb_ioctl_snapshots(struct smb_req *r, struct smb_ioctl *io)
{
    if (io->max < 16)
        return STATUS_INVALID_PARAMETER;
    wbuf_le32(io->out, 0);
    wbuf_le32(io->out, 0);
    wbuf_le32(io->out, 2);
    wbuf_le32(io->out, 0);
    return STATUS_SUCCESS;
}
