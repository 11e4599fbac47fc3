/* ioctl_copy.c - server-side copy: SRV_REQUEST_RESUME_KEY, SRV_COPYCHUNK(_WRITE) ([MS-SMB2] 2.2.31.1, 3.3.5.15.5 and
 * .6) and DUPLICATE_EXTENTS_TO_FILE ([MS-FSCC] 2.3.7). The bytes move in fs_copy(). */
#include "ioctl.h"

#define FSCTL_SRV_COPYCHUNK 0x001440F2u
#define COPY_CHUNKS_MAX 256u
#define COPY_CHUNK_BYTES_MAX (1u << 20)
#define COPY_TOTAL_BYTES_MAX (16u << 20)
#define COPY_CHUNK 24
#define COPY_RESPONSE 12
#define RESUME_KEY 24

/* A resume key is the open's FileId: good only within its session, as long as the open lives. */
uint32_t smb_ioctl_resume_key(struct smb_req *r, struct smb_ioctl *io)
{
    if (io->max < RESUME_KEY + 8)
        return STATUS_INVALID_PARAMETER;
    wbuf_le64(io->out, io->open->persistent_id);
    wbuf_le64(io->out, io->open->volatile_id);
    wbuf_le64(io->out, 0);
    wbuf_le32(io->out, 0); /* ContextLength */
    wbuf_le32(io->out, 0);
    return STATUS_SUCCESS;
}

static uint32_t copy_response(struct smb_ioctl *io, uint32_t chunks, uint32_t bytes, uint32_t total, uint32_t status)
{
    wbuf_le32(io->out, chunks);
    wbuf_le32(io->out, bytes);
    wbuf_le32(io->out, total);
    io->has_output = true;
    return status;
}

/* Survives re-runs: chunks that are copied are not copied again. */
struct copy_state {
    struct smb_open *src;
    uint32_t next, total;
};

static uint32_t copy_check(const struct fs_open *src, const struct fs_open *dst, bool needs_read)
{
    if (src->node->type != ST_REG && !src->stream)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (dst->node->type != ST_REG && !dst->stream)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (!(src->access & (FS_READ_DATA | FS_EXECUTE)) || !(dst->access & (FS_WRITE_DATA | FS_APPEND_DATA)))
        return STATUS_ACCESS_DENIED;
    return needs_read && !(dst->access & FS_READ_DATA) ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

static uint32_t copy_limits(struct cursor chunks, uint32_t n)
{
    uint64_t total = 0;
    if (n > COPY_CHUNKS_MAX)
        return STATUS_INVALID_PARAMETER;
    for (uint32_t i = 0; i < n; i++) {
        cursor_skip(&chunks, 16);
        uint32_t length = cursor_le32(&chunks);
        cursor_skip(&chunks, 4);
        total += length;
        if (!length || length > COPY_CHUNK_BYTES_MAX || total > COPY_TOTAL_BYTES_MAX)
            return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

static uint32_t copy_one(struct smb_req *r, struct smb_ioctl *io, struct copy_state *s, struct cursor *chunk)
{
    uint64_t from = cursor_le64(chunk), to = cursor_le64(chunk), done;
    uint32_t length = cursor_le32(chunk);
    cursor_skip(chunk, 4);
    struct fs_attr attr;
    if (from > INT64_MAX || to > INT64_MAX - (uint64_t)length)
        return STATUS_INVALID_PARAMETER;
    enum st st = fs_open_attr(&r->fs, s->src->fso, &attr);
    if (st != ST_OK)
        return smb_status(st);
    if (from > attr.st.size || length > attr.st.size - from)
        return STATUS_INVALID_VIEW_SIZE;
    st = fs_copy(&r->fs, s->src->fso, from, io->open->fso, to, length, false, &done);
    if (st != ST_OK)
        return st == ST_EOF ? STATUS_INVALID_VIEW_SIZE : smb_status(st);
    s->total += (uint32_t)done;
    s->next++;
    return STATUS_SUCCESS;
}

static uint32_t copy_run(struct smb_req *r, struct smb_ioctl *io, struct copy_state *s, struct cursor *c)
{
    uint32_t status = copy_check(s->src->fso, io->open->fso, io->code == FSCTL_SRV_COPYCHUNK);
    uint32_t n = cursor_le32(c);
    cursor_skip(c, 4);
    if (status != STATUS_SUCCESS)
        return status;
    if (c->bad || cursor_left(c) / COPY_CHUNK < n)
        return STATUS_INVALID_PARAMETER;
    if (copy_limits(*c, n) != STATUS_SUCCESS)
        return copy_response(io, COPY_CHUNKS_MAX, COPY_CHUNK_BYTES_MAX, COPY_TOTAL_BYTES_MAX, STATUS_INVALID_PARAMETER);
    cursor_skip(c, (size_t)s->next * COPY_CHUNK);
    while (s->next < n && status == STATUS_SUCCESS)
        status = copy_one(r, io, s, c);
    if (status == SMB_PARKED || status == SMB_OFFLOAD)
        return status;
    return copy_response(io, s->next, 0, s->total, status); /* 3.3.5.15.6: also how far a failed one came */
}

static struct smb_open *open_by_key(struct smb_req *r, struct cursor *c)
{
    uint64_t persistent = cursor_le64(c), volatile_ = cursor_le64(c);
    struct smb_open *o = c->bad ? NULL : smb_open_get(r, persistent, volatile_);
    if (o && !o->fso) {
        smb_open_unref(o);
        o = NULL;
    }
    return o;
}

uint32_t smb_ioctl_copychunk(struct smb_req *r, struct smb_ioctl *io)
{
    if (io->max < COPY_RESPONSE)
        return STATUS_INVALID_PARAMETER;
    struct copy_state *s = r->scratch;
    if (!s) {
        s = r->scratch = arena_zalloc(&r->arena, sizeof *s);
        if (!s)
            return STATUS_INSUFFICIENT_RESOURCES;
    }
    struct cursor c = io->in;
    s->src = open_by_key(r, &c);
    cursor_skip(&c, 8);
    if (c.bad)
        return STATUS_INVALID_PARAMETER;
    if (!s->src)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    uint32_t status = copy_run(r, io, s, &c);
    smb_open_unref(s->src);
    s->src = NULL;
    return status;
}

/* SourceFileID is the source's FileId over SMB. */
uint32_t smb_ioctl_duplicate_extents(struct smb_req *r, struct smb_ioctl *io)
{
    struct cursor c = io->in;
    struct smb_open *src = open_by_key(r, &c);
    uint64_t from = cursor_le64(&c), to = cursor_le64(&c), length = cursor_le64(&c), done;
    uint32_t status = STATUS_SUCCESS;
    struct fs_attr attr;
    if (c.bad || from > INT64_MAX || to > INT64_MAX || length > INT64_MAX)
        status = STATUS_INVALID_PARAMETER;
    else if (!src)
        status = STATUS_INVALID_HANDLE;
    else if ((status = copy_check(src->fso, io->open->fso, false)) == STATUS_SUCCESS)
        status = smb_status(fs_open_attr(&r->fs, src->fso, &attr));
    if (status == STATUS_SUCCESS && (from > attr.st.size || length > attr.st.size - from))
        status = STATUS_NOT_SUPPORTED;
    if (status == STATUS_SUCCESS && length)
        status = smb_status(fs_copy(&r->fs, src->fso, from, io->open->fso, to, length, true, &done));
    if (src)
        smb_open_unref(src);
    return status;
}
