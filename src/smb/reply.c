/* reply.c - the responses of a chain: headers, error bodies, padding, signatures, encryption, sending.
 *
 * A chain's responses are built one behind the other in one buffer. A response can only be completed when it is known
 * whether another follows (NextCommand and padding are signed too), so the last finished one is kept open until then:
 * `last_*` of the request. Loop thread only, but for the body, which the handler writes where it runs. */
#include "internal.h"

#define REPLY_MAX (BLK_MAX - 4096u)
#define REPLY_EXPECT 512

static const uint8_t zero_signature[16];

void smb_reply_begin(struct smb_req *r)
{
    if (!r->out.blk && !r->out.bad) {
        wbuf_init(&r->out, REPLY_EXPECT, REPLY_MAX);
        r->out_base = SMB_FRAMING + (r->sealed ? SMB2_TRANSFORM_HEADER : 0);
        wbuf_zero(&r->out, r->out_base);
    }
    if (r->last_end)
        wbuf_align(&r->out, r->out_base, 8);
    r->out_header = wbuf_len(&r->out);
    wbuf_zero(&r->out, SMB2_HEADER);
    r->out_body = wbuf_len(&r->out);
    r->has_body = false;
}

void smb_reply_cut(struct smb_req *r)
{
    wbuf_cut(&r->out, r->out_body);
    r->has_body = false;
}

/* Completes the last response: next = 0 when it stays the last of its message. */
static void reply_close(struct smb_req *r, size_t end, size_t next)
{
    if (!r->last_end || r->out.bad)
        return;
    uint8_t *h = wbuf_at(&r->out, r->last_header);
    put_le32(h + SMB2_HDR_NEXT_COMMAND, (uint32_t)next);
    if (r->last_channel && r->last_channel->signer) {
        uint8_t signature[16];
        put_le32(h + SMB2_HDR_FLAGS, get_le32(h + SMB2_HDR_FLAGS) | SMB2_FLAGS_SIGNED);
        memcpy(h + SMB2_HDR_SIGNATURE, zero_signature, 16);
        if (smb_sign(r->last_channel->signer, h, end - r->last_header, true, signature))
            memcpy(h + SMB2_HDR_SIGNATURE, signature, 16);
        else
            r->out.bad = true;
    }
    if (r->preauth && !r->out.bad) {
        smb_preauth_update(r->preauth, h, end - r->last_header);
        r->preauth = NULL;
    }
    smb_channel_unref(r->last_channel);
    r->last_channel = NULL;
    r->last_end = 0;
}

/* [MS-SMB2] 2.2.1.1, 2.2.1.2 */
static void put_header(struct smb_req *r, uint8_t *h, uint32_t status, bool async, uint16_t credits)
{
    put_be32(h, SMB2_PROTOCOL_ID);
    put_le16(h + SMB2_HDR_STRUCTURE_SIZE, SMB2_HEADER);
    put_le16(h + SMB2_HDR_CREDIT_CHARGE, r->credit_charge);
    put_le32(h + SMB2_HDR_STATUS, status);
    put_le16(h + SMB2_HDR_COMMAND, (uint16_t)r->command);
    put_le16(h + SMB2_HDR_CREDITS, credits);
    put_le32(h + SMB2_HDR_FLAGS, SMB2_FLAGS_SERVER_TO_REDIR | (async ? SMB2_FLAGS_ASYNC_COMMAND : 0) |
                                     (r->flags & (SMB2_FLAGS_RELATED_OPERATIONS | SMB2_FLAGS_PRIORITY_MASK)));
    put_le32(h + SMB2_HDR_NEXT_COMMAND, 0);
    put_le64(h + SMB2_HDR_MESSAGE_ID, r->message_id);
    if (async)
        put_le64(h + SMB2_HDR_ASYNC_ID, r->async_id);
    else
        put_le32(h + SMB2_HDR_TREE_ID, r->wire_tree);
    put_le64(h + SMB2_HDR_SESSION_ID, r->wire_session);
}

/* A new client gets no more than it needs before its logon is complete. The final response to a request that was
 * pending grants nothing: the interim one did. */
static uint16_t grant(struct smb_req *r)
{
    if (r->async)
        return 0;
    bool extra = r->command != SMB2_NEGOTIATE && (r->command != SMB2_SESSION_SETUP || r->status == STATUS_SUCCESS);
    return smb_credits_grant(r->conn->credits, r->conn->multi_credit ? r->credit_charge : 1, r->credit_request, extra);
}

void smb_reply_end(struct smb_req *r)
{
    if (r->out.bad) { /* too large, or no memory: at least an error must fit */
        if (r->out.blk && wbuf_len(&r->out) >= r->out_body) {
            r->out.bad = false;
            wbuf_cut(&r->out, r->out_body);
            r->has_body = false;
        }
        r->status = STATUS_INSUFFICIENT_RESOURCES;
    }
    if (r->status != STATUS_SUCCESS && !r->has_body) { /* [MS-SMB2] 2.2.2 */
        wbuf_cut(&r->out, r->out_body);
        wbuf_le16(&r->out, 9);
        wbuf_zero(&r->out, 7);
    }
    uint16_t credits = grant(r);
    if (r->out.bad)
        return;
    reply_close(r, r->out_header, r->out_header - r->last_header);
    if (r->out.bad)
        return;
    put_header(r, wbuf_at(&r->out, r->out_header), r->status, r->async, credits);
    r->last_header = r->out_header;
    r->last_end = wbuf_len(&r->out);
    r->preauth = r->preauth_next;
    r->preauth_next = NULL;
    r->last_channel = r->sign && !r->sealed && r->channel && r->channel->signer ? smb_channel_ref(r->channel) : NULL;
}

void smb_send(struct smb_conn *c, struct wbuf *w, struct smb_channel *seal)
{
    if (w->bad || c->net->is_closed) {
        if (w->bad)
            conn_close(c->net); /* a response that cannot be sent must not leave its client waiting */
        wbuf_done(w);
        return;
    }
    size_t n = wbuf_len(w) - SMB_FRAMING;
    uint8_t *p = wbuf_at(w, SMB_FRAMING);
    if (seal && (!seal->seal || !smb_seal(seal->seal, p, n - SMB2_TRANSFORM_HEADER,
                                          atomic_fetch_add(&seal->session->nonce, 1), seal->session->id))) {
        log_error("smb", "event=encryption_failed peer=%s", c->net->peer_name);
        conn_close(c->net);
        wbuf_done(w);
        return;
    }
    put_be32(wbuf_at(w, 0), (uint32_t)n);
    conn_send(c->net, wbuf_take(w));
}

/* What is finished goes out on its own; the pending command's response starts a message of its own later. */
static void split_off_finished(struct smb_req *r)
{
    if (!r->last_end)
        return;
    size_t end = r->last_end;
    reply_close(r, end, 0);
    wbuf_cut(&r->out, end);
    smb_send(r->conn, &r->out, r->sealed_channel);
    r->out = (struct wbuf){0};
    smb_unanswered_done(r);
    smb_reply_begin(r);
}

void smb_reply_interim(struct smb_req *r)
{
    struct smb_conn *c = r->conn;
    if (r->async || r->no_reply || c->net->is_closed)
        return;
    split_off_finished(r);
    struct wbuf w;
    size_t base = SMB_FRAMING + (r->sealed ? SMB2_TRANSFORM_HEADER : 0);
    wbuf_init(&w, 256, REPLY_MAX);
    wbuf_zero(&w, base + SMB2_HEADER);
    wbuf_le16(&w, 9);
    wbuf_zero(&w, 7);
    uint16_t credits = grant(r);
    r->async = true;
    r->async_id = ++c->next_async;
    c->nasync++;
    if (!w.bad)
        put_header(r, wbuf_at(&w, base), STATUS_PENDING, true, credits);
    smb_send(c, &w, r->sealed_channel);
}

void smb_reply_send(struct smb_req *r)
{
    if (!r->last_end && !r->out.bad) {
        wbuf_done(&r->out);
        smb_unanswered_done(r);
        return;
    }
    size_t end = r->last_end;
    wbuf_cut(&r->out, end); /* room that the next command's response was given */
    if (r->last_header != r->out_base) /* in a compound the last one is padded like the others */
        wbuf_align(&r->out, r->out_base, 8);
    reply_close(r, wbuf_len(&r->out), 0);
    smb_send(r->conn, &r->out, r->sealed_channel);
    r->out = (struct wbuf){0};
    smb_unanswered_done(r);
}
