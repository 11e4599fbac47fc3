/* transport.c - from the socket's bytes to requests: framing, the three kinds of messages, decryption.
 *
 * [MS-SMB2] 2.1 and 3.3.5.2. What cannot be a message closes the connection, with one line in the log at a bounded
 * rate. Loop thread only. */
#include "internal.h"

void smb_conn_bad(struct smb_conn *c, const char *reason)
{
    if (!c->net->is_closed && log_allow(&c->net->bad_input, 5, 60 * NSEC_PER_SEC))
        log_warn("smb", "event=bad_message peer=%s reason=\"%s\"", c->net->peer_name, reason);
    conn_close(c->net);
}

static ssize_t frame(struct conn *net, const uint8_t *p, size_t n)
{
    struct smb_conn *c = net->owner;
    struct cursor in = cursor_of(p, n);
    if (n < SMB_FRAMING && *p == 0)
        return 0;
    uint32_t len = cursor_be32(&in);
    if (in.bad || len >> 24 || len < 32) {
        smb_conn_bad(c, "not a message of direct TCP transport");
        return -1;
    }
    /* Before a logon nobody has reason to send much. */
    if (!c->authenticated && len > 128 * 1024) {
        smb_conn_bad(c, "too long before logon");
        return -1;
    }
    return (ssize_t)(SMB_FRAMING + len);
}

/* [MS-SMB2] 3.3.5.2.1.1. False: not authentic, or not what it says: closed. */
static bool unseal(struct smb_req *r)
{
    struct smb_conn *c = r->conn;
    struct cursor in = cursor_of(r->msg.data + SMB_FRAMING, r->msg.len - SMB_FRAMING);
    cursor_skip(&in, 36);
    uint32_t size = cursor_le32(&in);
    cursor_skip(&in, 2);
    uint16_t flags = cursor_le16(&in);
    uint64_t id = cursor_le64(&in);
    struct smb_channel *ch = in.bad ? NULL : smb_channel_find(c, id);
    /* Flags: "Encrypted"; in 3.0 the same field says AES128-CCM, which is 1 too. */
    if (in.bad || size != cursor_left(&in) || size < SMB2_HEADER || flags != 1)
        return false;
    /* Keys of an anonymous session are no secret: encryption means something once a user has logged on. */
    if (!ch || ch->session->state == SMB_SESSION_GONE || !ch->unseal || !c->known_user ||
        !smb_unseal(ch->unseal, (uint8_t *)in.base, size))
        return false;
    r->sealed = true;
    r->sealed_channel = smb_channel_ref(ch);
    r->next = SMB_FRAMING + SMB2_TRANSFORM_HEADER;
    return true;
}

static const char *input(struct smb_req *r)
{
    struct smb_conn *c = r->conn;
    struct cursor in = cursor_of(r->msg.data + SMB_FRAMING, r->msg.len - SMB_FRAMING);
    uint32_t protocol = cursor_be32(&in);
    r->next = SMB_FRAMING;
    if (protocol == SMB1_PROTOCOL_ID) {
        if (c->dialect || c->wildcard)
            return "SMB1 after negotiation";
        if (!smb1_negotiate(r, in))
            return "SMB1 negotiate without a dialect of SMB2";
        smb_reply_send(r);
        smb_req_free(r);
        return NULL;
    }
    if (protocol == SMB2_TRANSFORM_ID && !unseal(r))
        return "encrypted message that is not authentic";
    if (protocol != SMB2_TRANSFORM_ID && protocol != SMB2_PROTOCOL_ID)
        return "unknown protocol";
    if (!smb_chain_check(r))
        return "bad header, chain or message id";
    job_start(&r->job);
    return NULL;
}

static void message(struct conn *net, struct msg *m)
{
    struct smb_conn *c = net->owner;
    struct smb_req *r = smb_req_new(c, m);
    if (!r)
        return;
    const char *wrong = input(r);
    if (wrong) {
        smb_conn_bad(c, wrong);
        smb_req_free(r);
    }
}

static void closed(struct conn *net)
{
    smb_conn_closed(net->owner);
}

const struct conn_ops smb_conn_ops = {.frame = frame, .message = message, .closed = closed};
