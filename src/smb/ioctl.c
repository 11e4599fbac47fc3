/* ioctl.c - SMB2 IOCTL ([MS-SMB2] 2.2.31, 2.2.32, 3.3.5.15): finds the control in the table, checks what it is sent to.
 * Knows no control. */
#include "ioctl.h"

#define IOCTL_RESPONSE 48
#define IOCTL_DATA_OFFSET (SMB2_HEADER + IOCTL_RESPONSE)
#define SMB2_0_IOCTL_IS_FSCTL 0x00000001
#define FILE_ID_NONE UINT64_MAX

/* [MS-SMB2] 2.2.31, [MS-FSCC] 2.3 */
enum { ON_CONNECTION = 1, ON_FILE = 2, ON_PIPE = 4 };
static uint32_t no_dfs(struct smb_req *r, struct smb_ioctl *io) { return STATUS_FS_DRIVER_REQUIRED; }

static const struct {
    uint32_t code;
    uint8_t on;
    uint32_t access; /* one of these rights */
    smb_ioctl_fn *run;
} controls[] = {
    {0x00060194, ON_CONNECTION, 0, no_dfs},                            /* DFS_GET_REFERRALS */
    {0x000601B0, ON_CONNECTION, 0, no_dfs},                            /* DFS_GET_REFERRALS_EX */
    {0x0011400C, ON_PIPE, 0, smb_ioctl_pipe_peek},                     /* PIPE_PEEK */
    {0x00110018, ON_CONNECTION, 0, smb_ioctl_pipe_wait},               /* PIPE_WAIT */
    {0x0011C017, ON_PIPE, 0, smb_ioctl_pipe_transceive},               /* PIPE_TRANSCEIVE */
    {0x00140078, ON_FILE, 0, smb_ioctl_resume_key},                    /* SRV_REQUEST_RESUME_KEY */
    {0x00144064, ON_FILE, 0, smb_ioctl_snapshots},                     /* SRV_ENUMERATE_SNAPSHOTS */
    {0x001440F2, ON_FILE, 0, smb_ioctl_copychunk},                     /* SRV_COPYCHUNK */
    {0x001480F2, ON_FILE, 0, smb_ioctl_copychunk},                     /* SRV_COPYCHUNK_WRITE */
    {0x001401FC, ON_CONNECTION, 0, smb_ioctl_network_interfaces},      /* QUERY_NETWORK_INTERFACE_INFO */
    {0x00140204, ON_CONNECTION, 0, smb_ioctl_validate_negotiate},      /* VALIDATE_NEGOTIATE_INFO */
    {0x0009003C, ON_FILE, 0, smb_ioctl_get_compression},               /* GET_COMPRESSION */
    {0x0009C040, ON_FILE, FS_WRITE_DATA, smb_ioctl_set_compression},   /* SET_COMPRESSION */
    {0x0009009C, ON_FILE, 0, smb_ioctl_object_id},                     /* GET_OBJECT_ID */
    {0x000900C0, ON_FILE, 0, smb_ioctl_object_id},                     /* CREATE_OR_GET_OBJECT_ID */
    {0x000900A4, ON_FILE, FS_WRITE_DATA | FS_WRITE_ATTRIBUTES, smb_ioctl_set_reparse},    /* SET_REPARSE_POINT */
    {0x000900A8, ON_FILE, 0, smb_ioctl_get_reparse},                                      /* GET_REPARSE_POINT */
    {0x000900AC, ON_FILE, FS_WRITE_DATA | FS_WRITE_ATTRIBUTES, smb_ioctl_delete_reparse}, /* DELETE_REPARSE_POINT */
    {0x000900C4, ON_FILE, FS_WRITE_DATA | FS_WRITE_ATTRIBUTES | FS_APPEND_DATA, smb_ioctl_set_sparse}, /* SET_SPARSE */
    {0x000980C8, ON_FILE, FS_WRITE_DATA, smb_ioctl_zero_data},         /* SET_ZERO_DATA */
    {0x000940CF, ON_FILE, FS_READ_DATA, smb_ioctl_allocated_ranges},   /* QUERY_ALLOCATED_RANGES */
    {0x00090284, ON_FILE, FS_READ_DATA, smb_ioctl_file_regions},       /* QUERY_FILE_REGIONS */
    {0x00098208, ON_FILE, FS_WRITE_DATA, smb_ioctl_trim},              /* FILE_LEVEL_TRIM */
    {0x00098344, ON_FILE, FS_WRITE_DATA, smb_ioctl_duplicate_extents}, /* DUPLICATE_EXTENTS_TO_FILE */
    {0x0009027C, ON_FILE, 0, smb_ioctl_integrity},                     /* GET_INTEGRITY_INFORMATION */
};

struct ioctl_args {
    struct smb_ioctl io;
    uint64_t persistent, volatile_;
    size_t control; /* index */
};

static uint32_t ioctl_decode(struct smb_req *r, struct ioctl_args *a)
{
    struct cursor *c = &r->in;
    cursor_skip(c, 2); /* StructureSize */
    cursor_skip(c, 2);
    a->io.code = cursor_le32(c);
    size_t at = cursor_pos(c);
    a->persistent = cursor_le64(c);
    a->volatile_ = cursor_le64(c);
    uint32_t offset = cursor_le32(c), n = cursor_le32(c), max_in = cursor_le32(c);
    cursor_skip(c, 8); /* OutputOffset, OutputCount */
    a->io.max = cursor_le32(c);
    uint32_t flags = cursor_le32(c), limit = r->conn->srv->cfg.max_transact;
    a->io.in = cursor_slice(c, n ? offset : 0, n);
    if (c->bad || a->io.in.bad || n > limit || a->io.max > limit || max_in > limit)
        return STATUS_INVALID_PARAMETER;
    if (flags != SMB2_0_IOCTL_IS_FSCTL)
        return STATUS_NOT_SUPPORTED;
    cursor_seek(c, at);
    return STATUS_SUCCESS;
}

static uint32_t ioctl_find(struct smb_req *r, struct ioctl_args *a)
{
    while (a->control < ARRAY_LEN(controls) && controls[a->control].code != a->io.code)
        a->control++;
    if (a->control < ARRAY_LEN(controls) && (controls[a->control].on & ON_CONNECTION))
        return a->persistent == FILE_ID_NONE && a->volatile_ == FILE_ID_NONE ? STATUS_SUCCESS
                                                                             : STATUS_INVALID_PARAMETER;
    uint32_t status = smb_any_open(r, &a->io.open);
    if (status != STATUS_SUCCESS)
        return status;
    if (a->control == ARRAY_LEN(controls) || !(controls[a->control].on & (a->io.open->fso ? ON_FILE : ON_PIPE)))
        return STATUS_INVALID_DEVICE_REQUEST;
    uint32_t access = controls[a->control].access;
    if (access && !(a->io.open->fso->access & access))
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

static uint32_t ioctl_encode(struct smb_req *r, const struct ioctl_args *a, uint32_t status)
{
    struct wbuf *w = &r->out;
    uint32_t n = (uint32_t)wbuf_len(a->io.out);
    wbuf_le16(w, 49);
    wbuf_le16(w, 0);
    wbuf_le32(w, a->io.code);
    wbuf_le64(w, a->io.open ? a->io.open->persistent_id : FILE_ID_NONE);
    wbuf_le64(w, a->io.open ? a->io.open->volatile_id : FILE_ID_NONE);
    wbuf_le32(w, IOCTL_DATA_OFFSET);
    wbuf_le32(w, 0);
    wbuf_le32(w, IOCTL_DATA_OFFSET);
    wbuf_le32(w, n);
    wbuf_le32(w, 0);
    wbuf_le32(w, 0);
    wbuf_put(w, wbuf_at(a->io.out, 0), n);
    r->has_body = status != STATUS_SUCCESS;
    return status;
}

uint32_t smb_ioctl(struct smb_req *r)
{
    struct ioctl_args a = {0};
    uint32_t status = ioctl_decode(r, &a);
    if (status != STATUS_SUCCESS || (status = ioctl_find(r, &a)) != STATUS_SUCCESS)
        return status;
    struct wbuf out _cleanup_(wbuf_done);
    wbuf_init(&out, 256, MAX((size_t)a.io.max, (size_t)64));
    a.io.out = &out;
    status = controls[a.control].run(r, &a.io);
    if (status != STATUS_SUCCESS && !a.io.has_output)
        return status;
    if (out.bad)
        return STATUS_INSUFFICIENT_RESOURCES;
    return ioctl_encode(r, &a, status);
}
