/* info_security.c - security descriptors over QUERY_INFO and SET_INFO ([MS-SMB2] 3.3.5.20.3, 3.3.5.21.3). Knows which
 * right each part takes; the descriptor itself is opaque here. */
#include "info.h"

#define SD_MIN 20 /* [MS-DTYP] 2.4.6: the fixed part */
#define PARTS (FS_SEC_OWNER | FS_SEC_GROUP | FS_SEC_DACL | FS_SEC_SACL)

uint32_t smb_query_security(struct smb_req *r, struct smb_query *q, struct wbuf *w)
{
    struct fs_open *o = q->open->fso;
    uint32_t need = q->additional ? FS_READ_CONTROL : 0; /* an empty descriptor tells nothing */
    /* [MS-SMB2] 2.2.37: LABEL, ATTRIBUTE, SCOPE and BACKUP live in the SACL as well. */
    uint32_t parts = q->additional & PARTS;
    if (q->additional & FS_SEC_SACL)
        need = parts == FS_SEC_SACL ? FS_ACCESS_SYSTEM_SECURITY : FS_READ_CONTROL | FS_ACCESS_SYSTEM_SECURITY;
    if ((o->access & need) != need)
        return STATUS_ACCESS_DENIED;
    uint8_t *sd;
    size_t n;
    enum st st = fs_sd_get(&r->fs, o->node, o, parts, &sd, &n);
    if (st != ST_OK)
        return smb_status(st);
    if (n > q->max) {
        wbuf_le32(w, (uint32_t)n);
        return STATUS_BUFFER_TOO_SMALL;
    }
    wbuf_put(w, sd, n);
    return STATUS_SUCCESS;
}

uint32_t smb_set_security(struct smb_req *r, struct smb_set *s)
{
    struct fs_open *o = s->open->fso;
    uint32_t parts = s->additional & PARTS, need = 0;
    need |= parts & (FS_SEC_OWNER | FS_SEC_GROUP) ? FS_WRITE_OWNER : 0;
    need |= parts & FS_SEC_DACL ? FS_WRITE_DAC : 0;
    need |= parts & FS_SEC_SACL ? FS_ACCESS_SYSTEM_SECURITY : 0;
    if ((o->access & need) != need)
        return STATUS_ACCESS_DENIED;
    size_t n = cursor_left(&s->in);
    const uint8_t *sd = cursor_take(&s->in, n);
    if (n < SD_MIN)
        return STATUS_INVALID_SECURITY_DESCR;
    return smb_status(fs_sd_set(&r->fs, o->node, o, parts, sd, n));
}
