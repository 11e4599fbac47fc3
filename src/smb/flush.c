/* flush.c - SMB2 FLUSH ([MS-SMB2] 2.2.17, 2.2.18, 3.3.5.11): what was written through any open of the file is durable
 * when the answer leaves. */
#include "file.h"

uint32_t smb_flush(struct smb_req *r)
{
    cursor_skip(&r->in, 2); /* StructureSize */
    cursor_skip(&r->in, 6);

    struct smb_open *o;
    uint32_t status = smb_any_open(r, &o);
    if (status != STATUS_SUCCESS)
        return status;
    if (o->fso) {
        /* [MS-FSA] 2.1.5.7; for a directory the same bits are the rights to add entries. */
        if (!(o->fso->access & (FS_WRITE_DATA | FS_APPEND_DATA)))
            return STATUS_ACCESS_DENIED;
        enum st st = fs_commit(&r->fs, o->fso->node, o->fso, NULL);
        if (st != ST_OK)
            return smb_status(st);
    }
    wbuf_le16(&r->out, 4);
    wbuf_le16(&r->out, 0);
    return STATUS_SUCCESS;
}
