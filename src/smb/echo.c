/* echo.c - SMB2 ECHO ([MS-SMB2] 2.2.28, 2.2.29, 3.3.5.17). */
#include "smb.h"

uint32_t smb_echo(struct smb_req *r)
{
    wbuf_le16(&r->out, 4);
    wbuf_le16(&r->out, 0);
    return STATUS_SUCCESS;
}
