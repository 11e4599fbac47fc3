/* smb.c - see smb.h: the connection, its messages and its breaks. The requests are in smb_call.c. */
#include "smb_int.h"
#include <stdio.h>

enum { FLAG_RESPONSE = 1, FLAG_ASYNC = 2, FLAG_SIGNED = 8, CREDITS = 64 };
enum { LEASE_BREAK_BYTES = 44, OPLOCK_BREAK_BYTES = 24, BREAK_ACK_REQUIRED = 1 };

/* --- Sending. */

void smb_begin(struct smb *s, struct wbuf *w, uint16_t command, uint32_t bytes)
{
    uint16_t charge = s->auth.dialect > 0x202 && bytes ? (uint16_t)(1 + (bytes - 1) / 65536) : 1;
    wbuf_init(w, 1024 + bytes, WIRE_MESSAGE_MAX);
    wbuf_zero(w, 4);
    wbuf_put(w, "\xFESMB", 4);
    wbuf_le16(w, SMB2_HEADER);
    wbuf_le16(w, s->auth.dialect > 0x202 ? charge : 0);
    wbuf_le32(w, 0);
    wbuf_le16(w, command);
    wbuf_le16(w, (uint16_t)(s->credits < 2048 ? charge + CREDITS : charge));
    wbuf_le32(w, s->sign ? FLAG_SIGNED : 0);
    wbuf_le32(w, 0);
    wbuf_le64(w, s->message);
    wbuf_le32(w, 0);
    wbuf_le32(w, s->tree);
    wbuf_le64(w, s->session);
    wbuf_zero(w, 16);
    s->message += charge;
    s->credits -= charge;
}

static void put_on_wire(struct smb *s, struct wbuf *w)
{
    if (s->sign)
        smbauth_sign(&s->auth, wbuf_at(w, 4), wbuf_len(w) - 4);
    wire_send(s->conn, wbuf_at(w, 0), wbuf_len(w));
}

struct call *smb_send(struct smb *s, struct wbuf *w, const char *what,
                      void (*decode)(struct call *c, struct cursor *in))
{
    if (w->bad)
        torture_fail("%s: too long", what);
    struct call *c = call_new(s->host->wire, &s->calls, what, get_le64(wbuf_at(w, 4 + 24)));
    c->decode = decode;
    if (s->conn)
        put_on_wire(s, w);
    else
        call_answer(c, CALL_LOST, NULL, 0);
    wbuf_done(w);
    return c;
}

void smb_cancel(struct smb *s, const struct call *c)
{
    struct wbuf w;
    uint64_t message = s->message;
    int credits = s->credits;
    if (c->done || !s->conn)
        return;
    smb_begin(s, &w, SMB2_CANCEL, 0);
    s->message = message; /* a CANCEL takes the message id of what it cancels, and no credit */
    s->credits = credits;
    wbuf_patch_le16(&w, 4 + 14, 0);
    if (c->pending) {
        wbuf_patch_le32(&w, 4 + 16, (s->sign ? FLAG_SIGNED : 0) | FLAG_ASYNC);
        wbuf_patch_le32(&w, 4 + 32, (uint32_t)c->async_id);
        wbuf_patch_le32(&w, 4 + 36, (uint32_t)(c->async_id >> 32));
    }
    wbuf_patch_le32(&w, 4 + 24, (uint32_t)c->id);
    wbuf_patch_le32(&w, 4 + 28, (uint32_t)(c->id >> 32));
    wbuf_le32(&w, 4);
    put_on_wire(s, &w);
    wbuf_done(&w);
}

/* --- Receiving. */

static void keep_break(struct smb *s, const uint8_t *message, size_t n)
{
    struct smb_break *b = calloc(1, sizeof *b);
    struct cursor in = cursor_of(message, n);
    if (!b)
        torture_fail("out of memory");
    cursor_seek(&in, 36);
    b->lawful = cursor_le32(&in) == 0;
    b->lawful &= cursor_le64(&in) == 0;
    cursor_seek(&in, SMB2_HEADER);
    uint16_t size = cursor_le16(&in);
    if ((b->lease = size == LEASE_BREAK_BYTES)) {
        b->epoch = cursor_le16(&in);
        b->ack = cursor_le32(&in) & BREAK_ACK_REQUIRED;
    } else {
        b->lawful = true; /* an oplock's may name its session */
        b->to = cursor_u8(&in);
        b->ack = true;
        cursor_skip(&in, 5);
    }
    const uint8_t *key = cursor_take(&in, 16);
    if (key)
        memcpy(b->key, key, 16);
    if (b->lease) {
        b->from = (uint8_t)cursor_le32(&in);
        b->to = (uint8_t)cursor_le32(&in);
    }
    b->lawful &= !in.bad && (b->lease || size == OPLOCK_BREAK_BYTES);
    b->at = wire_now();
    b->arrival = s->host->wire->arrivals;
    list_append(&s->breaks, &b->link);
}

static void answer(struct smb *s, uint64_t id, const uint8_t *message, size_t n)
{
    struct cursor in = cursor_of(message, n);
    struct call *c;
    cursor_seek(&in, 8);
    uint32_t status = cursor_le32(&in);
    cursor_skip(&in, 2);
    s->credits += cursor_le16(&in);
    uint32_t flags = cursor_le32(&in);
    cursor_seek(&in, 32);
    uint64_t async_id = cursor_le64(&in);
    list_each(c, &s->calls, link) {
        if (c->id != id)
            continue;
        if (status == STATUS_PENDING && flags & FLAG_ASYNC) {
            c->pending = true;
            c->async_id = async_id;
            return;
        }
        call_answer(c, status, message, n);
        struct cursor body = cursor_of(c->reply, c->nreply);
        cursor_seek(&body, SMB2_HEADER);
        if (c->decode && (!status || status == STATUS_MORE_PROCESSING))
            c->decode(c, &body);
        if (body.bad)
            c->status = CALL_GARBLED;
        return;
    }
}

static void on_message(struct wire_conn *conn, const uint8_t *p, size_t n)
{
    struct smb *s = conn->arg;
    for (size_t next = 1; next && n >= SMB2_HEADER; p += next, n -= next) {
        next = get_le32(p + 20);
        if (next > n)
            return;
        uint64_t id = get_le64(p + 24);
        if (id == UINT64_MAX)
            keep_break(s, p, next ? next : n);
        else
            answer(s, id, p, next ? next : n);
    }
}

static void on_close(struct wire_conn *conn)
{
    struct smb *s = conn->arg;
    s->conn = NULL;
    call_lose(&s->calls);
}

const struct smb_break *smb_break_of(const struct smb *s, const uint8_t key[16], const struct smb_break *after)
{
    const struct smb_break *b;
    bool seen = !after;
    list_each(b, &s->breaks, link) {
        if (seen && !memcmp(b->key, key, 16))
            return b;
        seen |= b == after;
    }
    return NULL;
}

/* --- The session. */

static void got_negotiate(struct call *c, struct cursor *in)
{
    cursor_skip(in, 4);
    c->r.type = cursor_le16(in);  /* dialect */
    uint16_t contexts = cursor_le16(in);
    cursor_skip(in, 52);
    size_t at = cursor_le32(in);
    c->r.mode = SIGN_AES_CMAC;
    for (uint16_t i = 0; c->r.type == 0x311 && i < contexts; i++) {
        cursor_seek(in, at);
        uint16_t type = cursor_le16(in), n = cursor_le16(in);
        cursor_skip(in, 6);
        if (type == 8)
            c->r.mode = cursor_le16(in);
        at += ALIGN_UP(8 + (size_t)n, 8);
    }
}

static uint32_t exchange(struct smb *s, struct wbuf *w, const char *what,
                         void (*decode)(struct call *c, struct cursor *in), struct wbuf *ret_token,
                         struct call_result *ret)
{
    smbauth_preauth(&s->auth, wbuf_at(w, 4), wbuf_len(w) - 4);
    struct call *c = smb_send(s, w, what, decode);
    uint32_t status = call_wait(c, s->host->wire->patience) ? c->status : CALL_TIMEOUT;
    if (status == STATUS_OK || status == STATUS_MORE_PROCESSING) {
        if (status || !ret_token)
            smbauth_preauth(&s->auth, c->reply, c->nreply);
        s->session = get_le64(c->reply + 40);
        if (ret_token)
            wbuf_put(ret_token, c->reply, c->nreply);
        if (ret)
            *ret = c->r;
    }
    call_free(c);
    return status;
}

static const char *negotiate(struct smb *s)
{
    static const uint16_t contexts[] = {                /* 2.2.3.1: type, length, 0, 0, data to a multiple of 8 bytes */
        1, 6, 0, 0, 1, 0, 1, 0,                         /* preauthentication integrity: SHA-512, no salt */
        8, 6, 0, 0, 2, SIGN_AES_GMAC, SIGN_AES_CMAC};   /* signing */
    uint16_t dialect = s->host->target->dialect;
    bool v3 = dialect == 0x311;
    struct call_result r;
    struct wbuf w;
    smb_begin(s, &w, SMB2_NEGOTIATE, 0);
    wbuf_le16(&w, 36);
    wbuf_le16(&w, 1);
    wbuf_le16(&w, 1);
    wbuf_le16(&w, 0);
    wbuf_le32(&w, dialect > 0x202 ? 0x26 : 0); /* leases, multi-credit, directory leases */
    wbuf_put(&w, s->host->guid, 16);
    wbuf_le32(&w, v3 ? SMB2_HEADER + 40 : 0);
    wbuf_le32(&w, v3 ? 2 : 0);
    wbuf_le16(&w, dialect);
    for (size_t i = 0; v3 && i <= ARRAY_LEN(contexts); i++)
        wbuf_le16(&w, i ? contexts[i - 1] : 0);
    if (exchange(s, &w, "NEGOTIATE", got_negotiate, NULL, &r))
        return "NEGOTIATE is refused";
    s->auth.dialect = (uint16_t)r.type;
    s->auth.signing_algorithm = (uint16_t)r.mode;
    return r.type == dialect ? NULL : "the server does not speak this dialect";
}

static uint32_t session_setup(struct smb *s, const struct wbuf *token, struct wbuf *ret)
{
    struct wbuf w;
    smb_begin(s, &w, SMB2_SESSION_SETUP, 0);
    wbuf_le16(&w, 25);
    wbuf_u8(&w, 0);
    wbuf_u8(&w, 1);
    wbuf_zero(&w, 8);
    wbuf_le16(&w, SMB2_HEADER + 24);
    wbuf_le16(&w, (uint16_t)wbuf_len(token));
    wbuf_zero(&w, 8);
    wbuf_put(&w, wbuf_at((struct wbuf *)token, 0), wbuf_len(token));
    return exchange(s, &w, "SESSION_SETUP", NULL, ret, NULL);
}

/* NTLMSSP without SPNEGO around it, as servers accept it. */
static const char *logon(struct smb *s)
{
    const struct target *t = s->host->target;
    _cleanup_(wbuf_done) struct wbuf hello, reply, proof, last;
    wbuf_init(&hello, 64, 64);
    wbuf_init(&reply, 1024, 65536);
    wbuf_init(&proof, 1024, 8192);
    wbuf_init(&last, 1024, 65536);
    ntlm_negotiate(&hello);
    if (session_setup(s, &hello, &reply) != STATUS_MORE_PROCESSING)
        return "SESSION_SETUP is refused";
    const uint8_t *all = wbuf_at(&reply, 0), *end = all + wbuf_len(&reply);
    const uint8_t *challenge = memmem(all, wbuf_len(&reply), "NTLMSSP", 8);
    if (!challenge || !ntlm_authenticate(&s->auth, challenge, (size_t)(end - challenge), t->user, t->password, &proof))
        return "the server sends no NTLM challenge";
    if (session_setup(s, &proof, &last))
        return "the user or the password is wrong";
    smbauth_keys(&s->auth);
    s->sign = true;
    return NULL;
}

static const char *tree_connect(struct smb *s)
{
    char path[300];
    struct wbuf w;
    snprintf(path, sizeof path, "\\\\server\\%s", s->host->target->share);
    smb_begin(s, &w, SMB2_TREE_CONNECT, 0);
    wbuf_le16(&w, 9);
    wbuf_le16(&w, 0);
    wbuf_le16(&w, SMB2_HEADER + 8);
    wbuf_le16(&w, (uint16_t)(2 * strlen(path)));
    put_utf16(&w, path);
    struct call *c = smb_send(s, &w, "TREE_CONNECT", NULL);
    bool ok = call_wait(c, s->host->wire->patience) && c->status == STATUS_OK;
    if (ok)
        s->tree = get_le32(c->reply + 36);
    call_free(c);
    return ok ? NULL : "the share is refused";
}

const char *smb_open(struct smb *s, struct host *h)
{
    memset(s, 0, sizeof *s);
    list_init(&s->calls);
    list_init(&s->breaks);
    s->host = h;
    s->credits = 1;
    if (!(s->conn = wire_connect(h->wire, WIRE_SMB, &h->source, &h->target->smb)))
        return "no connection to SMB";
    s->conn->known_port = 445;
    s->conn->on_message = on_message;
    s->conn->on_close = on_close;
    s->conn->arg = s;
    const char *wrong = negotiate(s);
    if (!wrong)
        wrong = logon(s);
    return wrong ? wrong : tree_connect(s);
}

void smb_close(struct smb *s)
{
    struct smb_break *b;
    if (!s->host)
        return;
    wire_close(s->conn, true);
    s->conn = NULL;
    call_lose(&s->calls);
    while ((b = list_first(&s->breaks, struct smb_break, link)) != NULL) {
        list_remove(&b->link);
        free(b);
    }
    smbauth_done(&s->auth);
    memset(&s->auth, 0, sizeof s->auth);
    s->host = NULL;
}
