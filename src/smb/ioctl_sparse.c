/* ioctl_sparse.c - controls about holes: SET_SPARSE, SET_ZERO_DATA, QUERY_ALLOCATED_RANGES, QUERY_FILE_REGIONS,
 * FILE_LEVEL_TRIM ([MS-FSCC] 2.3.69, 2.3.71, 2.3.53, 2.3.55, 2.3.73). */
#include "ioctl.h"

#define RANGE 16
/* [MS-FSCC] 2.3.56, 2.3.56.1 */
#define REGIONS_HEADER 16u
#define REGION 24u
#define FILE_REGION_USAGE_VALID_CACHED_DATA 1u

static bool is_file(const struct smb_ioctl *io)
{
    const struct fs_open *o = io->open->fso;
    return o->node->type == ST_REG || o->stream;
}

/* No buffer means "make it sparse". */
uint32_t smb_ioctl_set_sparse(struct smb_req *r, struct smb_ioctl *io)
{
    if (!is_file(io))
        return STATUS_INVALID_PARAMETER;
    bool on = !cursor_left(&io->in) || cursor_u8(&io->in);
    return smb_status(fs_set_sparse(&r->fs, io->open->fso, on));
}

uint32_t smb_ioctl_zero_data(struct smb_req *r, struct smb_ioctl *io)
{
    uint64_t from = cursor_le64(&io->in), end = cursor_le64(&io->in);
    if (io->in.bad || !is_file(io) || from > INT64_MAX || end > INT64_MAX || from > end)
        return STATUS_INVALID_PARAMETER;
    return from == end ? STATUS_SUCCESS : smb_status(fs_zero(&r->fs, io->open->fso, from, end));
}

uint32_t smb_ioctl_allocated_ranges(struct smb_req *r, struct smb_ioctl *io)
{
    uint64_t from = cursor_le64(&io->in), length = cursor_le64(&io->in), (*ranges)[2];
    size_t n;
    if (io->in.bad || !is_file(io) || from > INT64_MAX || length > INT64_MAX - from)
        return STATUS_INVALID_PARAMETER;
    if (!length)
        return STATUS_SUCCESS;
    enum st st = fs_ranges(&r->fs, io->open->fso, from, length, &ranges, &n);
    if (st != ST_OK)
        return smb_status(st);
    size_t fit = MIN(n, (size_t)io->max / RANGE);
    for (size_t i = 0; i < fit; i++) {
        wbuf_le64(io->out, ranges[i][0]);
        wbuf_le64(io->out, ranges[i][1]);
    }
    if (fit == n)
        return STATUS_SUCCESS;
    io->has_output = fit > 0;
    return fit ? STATUS_BUFFER_OVERFLOW : STATUS_BUFFER_TOO_SMALL;
}

/* Bytes that were never written are zero, and valid: one region, up to the end of the file. */
uint32_t smb_ioctl_file_regions(struct smb_req *r, struct smb_ioctl *io)
{
    struct fs_attr attr;
    uint64_t from = 0, length = INT64_MAX;
    if (cursor_left(&io->in)) { /* without an input, the whole file */
        from = cursor_le64(&io->in);
        length = cursor_le64(&io->in);
        uint32_t usage = cursor_le32(&io->in);
        if (io->in.bad || from > INT64_MAX || length > INT64_MAX - from ||
            !(usage & FILE_REGION_USAGE_VALID_CACHED_DATA))
            return STATUS_INVALID_PARAMETER;
    }
    if (!is_file(io))
        return STATUS_INVALID_PARAMETER;
    if (io->max < REGIONS_HEADER)
        return STATUS_BUFFER_TOO_SMALL;
    enum st st = fs_open_attr(&r->fs, io->open->fso, &attr);
    if (st != ST_OK)
        return smb_status(st);
    uint32_t n = from < attr.st.size && length;
    bool fits = io->max >= REGIONS_HEADER + n * REGION;
    wbuf_le32(io->out, 0); /* Flags */
    wbuf_le32(io->out, n);
    wbuf_le32(io->out, fits ? n : 0);
    wbuf_le32(io->out, 0);
    if (n && fits) {
        wbuf_le64(io->out, from);
        wbuf_le64(io->out, MIN(length, attr.st.size - from));
        wbuf_le32(io->out, FILE_REGION_USAGE_VALID_CACHED_DATA);
        wbuf_le32(io->out, 0);
    }
    io->has_output = true;
    return fits ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

/* A hint that the bytes are of no use any more. Keeping them is allowed, and safe. */
uint32_t smb_ioctl_trim(struct smb_req *r, struct smb_ioctl *io)
{
    cursor_skip(&io->in, 4);
    uint32_t n = cursor_le32(&io->in);
    if (io->in.bad || !is_file(io) || cursor_left(&io->in) / RANGE < n)
        return STATUS_INVALID_PARAMETER;
    if (io->max >= 4)
        wbuf_le32(io->out, n);
    return STATUS_SUCCESS;
}
