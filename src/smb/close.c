/* close.c - SMB2 CLOSE ([MS-SMB2] 2.2.15, 2.2.16, 3.3.5.10). Knows how an open ends on the wire; what ends with it
 * (locks, leases, delete-pending) is the file service's. */
#include "file.h"

#define SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB 0x0001

static void close_encode(struct smb_req *r, uint16_t flags, const struct fs_attr *a)
{
    struct wbuf *w = &r->out;
    wbuf_le16(w, 60);
    wbuf_le16(w, flags);
    wbuf_le32(w, 0);
    if (!flags) {
        wbuf_zero(w, 52);
        return;
    }
    wbuf_le64(w, smb_time(&a->create));
    wbuf_le64(w, smb_time(&a->st.atime));
    wbuf_le64(w, smb_time(&a->st.mtime));
    wbuf_le64(w, smb_time(&a->change));
    wbuf_le64(w, smb_alloc(a));
    wbuf_le64(w, smb_eof(a));
    wbuf_le32(w, a->dos);
}

uint32_t smb_close(struct smb_req *r)
{
    cursor_skip(&r->in, 2); /* StructureSize */
    uint16_t flags = cursor_le16(&r->in) & SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB;
    cursor_skip(&r->in, 4);

    struct smb_open *o;
    uint32_t status = smb_any_open(r, &o);
    if (status != STATUS_SUCCESS)
        return status;
    if (o->fso && !r->cancelled && (status = smb_status(fs_close_begin(&r->fs, o->fso))) != STATUS_SUCCESS)
        return status;
    if (o->persistent && !r->job.on_pool)
        return SMB_OFFLOAD;
    struct fs_attr attr = {0};
    if (!o->fso)
        flags = 0;
    if (!smb_open_close(r, o, flags ? &attr : NULL))
        return STATUS_FILE_CLOSED;
    if (!attr.dos)
        flags = 0; /* the object was gone before its attributes could be read */
    close_encode(r, flags, &attr);
    return STATUS_SUCCESS;
}
