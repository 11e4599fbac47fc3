/* logoff.c - SMB2 LOGOFF ([MS-SMB2] 2.2.7, 2.2.8, 3.3.5.6). */
#include "internal.h"

uint32_t smb_logoff(struct smb_req *r)
{
    struct smb_session *s = r->session;
    /* Its opens are closed before the client is told, so that it finds nothing of them when it comes back. */
    pthread_mutex_lock(&s->lock);
    bool opens = !list_empty(&s->opens);
    pthread_mutex_unlock(&s->lock);
    if (opens && !r->job.on_pool)
        return SMB_OFFLOAD;
    smb_session_close_opens(s, NULL);
    smb_session_end(s);
    log_info("smb", "event=logoff user=%s", log_quote(s->cred.name, strlen(s->cred.name)));
    wbuf_le16(&r->out, 4);
    wbuf_le16(&r->out, 0);
    return STATUS_SUCCESS;
}
