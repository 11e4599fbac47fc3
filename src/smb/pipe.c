/* pipe.c - see pipe.h. A pipe is in message mode: each PDU of an answer is one message, and a read that is too short
 * for it says STATUS_BUFFER_OVERFLOW and leaves the rest for the next. Every call is answered before its WRITE is. */
#include "pipe.h"
#include "dcerpc.h"
#include "base/utf.h"
#include <strings.h>

#define FILE_OPENED 1
#define PIPE_ALLOCATION 4096

struct smb_pipe {
    pthread_mutex_t lock;
    struct dcerpc_conn rpc;
    uint8_t *in; /* the beginning of a PDU that is not all there yet */
    size_t nin;
    struct wbuf out; /* answers; `read` bytes of them are gone */
    size_t read;
    bool broken;
};

void smb_pipe_free(struct smb_pipe *p)
{
    if (!p)
        return;
    dcerpc_conn_done(&p->rpc);
    wbuf_done(&p->out);
    free(p->in);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* "srvsvc", also as "\srvsvc" or "\PIPE\srvsvc". */
static const struct dcerpc_interface *pipe_interface(const uint8_t *utf16, size_t nbytes)
{
    char name[64];
    size_t n = utf16le_to_utf8(utf16, nbytes, name, sizeof name - 1);
    if (n == (size_t)-1)
        return NULL;
    name[n] = '\0';
    const char *s = name + (name[0] == '\\');
    if (!strncasecmp(s, "pipe\\", 5))
        s += 5;
    return dcerpc_interface_find(s);
}

static struct smb_pipe *pipe_new(const struct dcerpc_interface *iface)
{
    struct smb_pipe *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->rpc.iface = iface;
    return p;
}

uint32_t smb_pipe_create(struct smb_req *r, const uint8_t *utf16, size_t nbytes)
{
    const struct dcerpc_interface *iface = pipe_interface(utf16, nbytes);
    if (!iface)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    struct smb_open *o = smb_open_new(r);
    if (!o)
        return STATUS_INSUFFICIENT_RESOURCES;
    o->pipe = pipe_new(iface);
    if (!o->pipe) {
        smb_open_unref(o);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    smb_open_publish(o);
    struct wbuf *w = &r->out;
    wbuf_le16(w, 89);
    wbuf_le16(w, 0);
    wbuf_le32(w, FILE_OPENED);
    wbuf_zero(w, 32);
    wbuf_le64(w, PIPE_ALLOCATION);
    wbuf_le64(w, 0);
    wbuf_le32(w, FS_DOS_NORMAL);
    wbuf_le32(w, 0);
    wbuf_le64(w, o->persistent_id);
    wbuf_le64(w, o->volatile_id);
    wbuf_zero(w, 8);
    r->chain_open = o; /* our reference goes with the chain */
    return STATUS_SUCCESS;
}

/* All whole PDUs at p; returns the bytes used, SIZE_MAX when the peer speaks nonsense. */
static size_t pipe_pdus(struct smb_req *r, struct smb_pipe *p, const uint8_t *data, size_t len)
{
    struct dcerpc_env env = {.fs = r->conn->srv->fs, .server_name = r->conn->srv->cfg.server_name,
                          .domain = r->conn->srv->cfg.domain};
    size_t used = 0;
    for (;;) {
        size_t n = dcerpc_frame(data + used, len - used);
        if (n == SIZE_MAX)
            return SIZE_MAX;
        if (!n || n > len - used)
            return used;
        if (!dcerpc_pdu(&p->rpc, &env, &r->arena, data + used, n, &p->out) || p->out.bad)
            return SIZE_MAX;
        used += n;
    }
}

static bool pipe_keep(struct smb_pipe *p, const uint8_t *data, size_t len)
{
    if (p->nin + len > SMB_PIPE_REQUEST_MAX)
        return false;
    uint8_t *in = realloc(p->in, p->nin + len + 1);
    if (!in)
        return false;
    memcpy(in + p->nin, data, len);
    p->in = in;
    p->nin += len;
    return true;
}

static uint32_t pipe_write(struct smb_req *r, struct smb_pipe *p, const uint8_t *data, size_t len)
{
    if (p->broken)
        return STATUS_PIPE_BROKEN;
    if (!p->out.blk)
        wbuf_init(&p->out, 1024, SMB_PIPE_REPLY_MAX);
    size_t used = SIZE_MAX;
    if (len && pipe_keep(p, data, len))
        used = pipe_pdus(r, p, p->in, p->nin);
    else if (!len)
        return STATUS_SUCCESS;
    if (used == SIZE_MAX) {
        p->broken = true;
        return STATUS_PIPE_DISCONNECTED;
    }
    p->nin -= used;
    memmove(p->in, p->in + used, p->nin);
    return STATUS_SUCCESS;
}

/* At most len bytes of the message at the front. */
static uint32_t pipe_read(struct smb_pipe *p, uint8_t *buf, size_t len, size_t *ret_n)
{
    size_t all = wbuf_len(&p->out), message = 0;
    if (p->broken)
        return STATUS_PIPE_BROKEN;
    if (p->read == all)
        return STATUS_PIPE_EMPTY;
    while (message <= p->read) /* messages are PDUs: their own headers delimit them */
        message += dcerpc_frame(wbuf_at(&p->out, message), all - message);
    size_t n = MIN(len, message - p->read);
    memcpy(buf, wbuf_at(&p->out, p->read), n);
    p->read += n;
    *ret_n = n;
    bool more = p->read < message;
    if (p->read == all) {
        wbuf_done(&p->out);
        p->read = 0;
    }
    return more ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

uint32_t smb_pipe_read(struct smb_req *r, struct smb_open *o, uint8_t *buf, size_t len, size_t *ret_n)
{
    struct smb_pipe *p = o->pipe;
    pthread_mutex_lock(&p->lock);
    uint32_t status = pipe_read(p, buf, len, ret_n);
    pthread_mutex_unlock(&p->lock);
    if (status != STATUS_PIPE_EMPTY)
        return status;
    /* Blocking mode: until a WRITE has an answer, the pipe is closed or the client gives up. */
    return o->closed ? STATUS_PIPE_BROKEN : r->cancelled ? STATUS_CANCELLED : SMB_PARKED;
}

uint32_t smb_pipe_write(struct smb_req *r, struct smb_open *o, const uint8_t *data, size_t len, uint32_t *ret_n)
{
    struct smb_pipe *p = o->pipe;
    pthread_mutex_lock(&p->lock);
    uint32_t status = pipe_write(r, p, data, len);
    bool answered = p->read != wbuf_len(&p->out) || p->broken;
    pthread_mutex_unlock(&p->lock);
    if (answered)
        smb_open_wake(o);
    *ret_n = (uint32_t)len;
    return status;
}

uint32_t smb_pipe_transceive(struct smb_req *r, struct smb_open *o, const uint8_t *data, size_t len, struct wbuf *w,
                             size_t max)
{
    struct smb_pipe *p = o->pipe;
    pthread_mutex_lock(&p->lock);
    /* [MS-FSCC] 2.3.45: not while an older answer waits to be read. */
    uint32_t status = p->read != wbuf_len(&p->out) ? STATUS_PIPE_BUSY : pipe_write(r, p, data, len);
    if (status == STATUS_SUCCESS) {
        size_t room = MIN(max, wbuf_len(&p->out) - p->read), at = wbuf_len(w), n = 0;
        uint8_t *buf = wbuf_room(w, room);
        status = buf ? pipe_read(p, buf, room, &n) : STATUS_INSUFFICIENT_RESOURCES;
        wbuf_cut(w, at + n);
    }
    pthread_mutex_unlock(&p->lock);
    return status;
}

size_t smb_pipe_available(struct smb_open *o)
{
    struct smb_pipe *p = o->pipe;
    pthread_mutex_lock(&p->lock);
    size_t n = wbuf_len(&p->out) - p->read;
    pthread_mutex_unlock(&p->lock);
    return n;
}
