/* session_setup.c - SMB2 SESSION_SETUP ([MS-SMB2] 2.2.5, 2.2.6, 3.3.5.5): new sessions, logging on again, and binding a
 * session to a further connection. Runs on the connection's loop from beginning to end. */
#include "auth.h"
#include <stdio.h>

#define SMB2_SESSION_FLAG_BINDING 1
#define AUTHS_MAX 64 /* logons under way on one connection */
#define TOKEN_MAX 2048
#define CHANNELS_MAX 32 /* of one session, as with Windows */

struct setup {
    uint8_t flags, security_mode;
    uint64_t previous;
    struct cursor token;
};

static void auth_free(struct smb_auth *a)
{
    struct smb_req *r;
    smb_list_each(r, &a->channel->conn->requests, in_conn)
        if (r->preauth == a->preauth)
            r->preauth = NULL;
    list_remove(&a->in_conn);
    smb_channel_unref(a->channel);
    smb_wipe(&a->spnego, sizeof a->spnego);
    free(a);
}

void smb_auths_free(struct smb_conn *c)
{
    struct smb_auth *a;
    while ((a = list_first(&c->auths, struct smb_auth, in_conn)))
        auth_free(a);
}

static struct smb_auth *auth_find(struct smb_conn *c, const struct smb_channel *ch)
{
    struct smb_auth *a;
    list_each(a, &c->auths, in_conn)
        if (a->channel == ch)
            return a;
    return NULL;
}

static struct smb_auth *auth_new(struct smb_conn *c, struct smb_channel *ch, enum smb_auth_kind kind)
{
    struct smb_auth *a = list_count(&c->auths) < AUTHS_MAX ? calloc(1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    a->channel = smb_channel_ref(ch);
    a->kind = kind;
    memcpy(a->preauth, c->preauth, 64);
    list_append(&c->auths, &a->in_conn);
    return a;
}

static uint32_t setup_decode(struct cursor *in, struct setup *s)
{
    cursor_skip(in, 2);
    s->flags = cursor_u8(in);
    s->security_mode = cursor_u8(in);
    cursor_skip(in, 8); /* Capabilities, Channel */
    uint16_t offset = cursor_le16(in), length = cursor_le16(in);
    s->previous = cursor_le64(in);
    s->token = cursor_slice(in, offset, length);
    return in->bad || s->token.bad ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

/* --- Where does this message belong? */
static uint32_t begin_new(struct smb_req *r, struct smb_auth **ret)
{
    struct smb_session *s = smb_session_new(r->conn);
    if (!s)
        return STATUS_INSUFFICIENT_RESOURCES;
    struct smb_channel *ch = smb_channel_find(r->conn, s->id);
    *ret = auth_new(r->conn, ch, SMB_AUTH_NEW);
    if (*ret) {
        r->session = s;
        r->channel = smb_channel_ref(ch);
        r->wire_session = s->id;
        return STATUS_SUCCESS;
    }
    smb_channel_drop(ch);
    smb_session_end(s);
    smb_session_unref(s);
    return STATUS_INSUFFICIENT_RESOURCES;
}

/* [MS-SMB2] 3.3.5.5, steps 4 and 5. The message must be signed with the session's key: only who knows it may bind. */
static uint32_t bind_check(struct smb_req *r, struct smb_session *s)
{
    struct smb_conn *c = r->conn;
    bool theirs = s->signing_alg == SMB2_SIGNING_AES_GMAC, ours = c->signing_alg == SMB2_SIGNING_AES_GMAC;
    if (s->signing_alg != c->signing_alg && (theirs || ours))
        return theirs ? STATUS_REQUEST_OUT_OF_SEQUENCE : STATUS_NOT_SUPPORTED;
    if (c->dialect < SMB_3_0_0)
        return STATUS_REQUEST_NOT_ACCEPTED;
    if (!(r->flags & SMB2_FLAGS_SIGNED) || s->dialect != c->dialect || s->cipher != c->cipher)
        return STATUS_INVALID_PARAMETER;
    if (s->state != SMB_SESSION_VALID)
        return STATUS_REQUEST_NOT_ACCEPTED;
    if (s->guest || s->anonymous)
        return STATUS_NOT_SUPPORTED;
    pthread_mutex_lock(&s->lock);
    size_t channels = list_count(&s->channels);
    pthread_mutex_unlock(&s->lock);
    return channels > CHANNELS_MAX ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
}

static uint32_t begin_bind(struct smb_req *r, struct smb_auth **ret)
{
    struct smb_session *s = smb_session_get(r->conn->srv, r->wire_session);
    if (!s)
        return STATUS_USER_SESSION_DELETED;
    struct smb_channel *ch = smb_channel_new(r->conn, s);
    r->session = s;
    if (!ch)
        return STATUS_INSUFFICIENT_RESOURCES;
    ch->binding = true;
    ch->signer = smb_signer_new(s->signing_alg, s->keys.signing);
    r->channel = smb_channel_ref(ch);
    uint32_t status = STATUS_SUCCESS;
    if (r->flags & SMB2_FLAGS_SIGNED)
        status = smb_verify_signature(r);
    r->sign = status == STATUS_SUCCESS && (r->flags & SMB2_FLAGS_SIGNED); /* for who knows the key: refusals too */
    if (status == STATUS_SUCCESS)
        status = bind_check(r, s);
    if (status == STATUS_SUCCESS && !(*ret = auth_new(r->conn, ch, SMB_AUTH_BIND)))
        status = STATUS_INSUFFICIENT_RESOURCES;
    if (status != STATUS_SUCCESS)
        smb_channel_drop(ch);
    return status;
}

static uint32_t find_auth(struct smb_req *r, const struct setup *s, struct smb_auth **ret)
{
    bool bind = s->flags & SMB2_SESSION_FLAG_BINDING;
    if (!r->wire_session)
        return bind ? STATUS_INVALID_PARAMETER : begin_new(r, ret);
    if (!r->channel && bind)
        return begin_bind(r, ret);
    if (!r->session) {
        smb_borrow_signer(r);
        return STATUS_USER_SESSION_DELETED;
    }
    *ret = auth_find(r->conn, r->channel);
    if (*ret)
        return bind == ((*ret)->kind == SMB_AUTH_BIND) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    if (bind) /* it is bound to this connection already */
        return STATUS_REQUEST_NOT_ACCEPTED;
    *ret = auth_new(r->conn, r->channel, SMB_AUTH_AGAIN);
    return *ret ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* --- The exchange is over. */
static void name_channel(struct smb_channel *ch)
{
    const char *name = ch->session->anonymous ? "anonymous" : ch->session->guest ? "guest" : ch->session->cred.name;
    const char *machine = ch->session->machine;
    (void)snprintf(ch->who, sizeof ch->who, "%.15s%s%.20s@%.47s", machine, machine[0] ? "/" : "", name,
                   ch->conn->net->peer_name);
}

static uint32_t complete_new(struct smb_req *r, struct smb_auth *a, const struct setup *in, const struct fs_cred *cred)
{
    struct smb_conn *c = r->conn;
    struct smb_session *s = r->session;
    const struct smb_config *k = &c->srv->cfg;
    const struct ntlm_result *who = &a->spnego.ntlm.result;
    s->cred = *cred;
    s->guest = who->guest;
    s->anonymous = who->anonymous;
    memccpy(s->machine, who->workstation, 0, sizeof s->machine - 1);
    bool nobody = s->guest || s->anonymous;
    if (s->guest)
        s->cipher = SMB2_ENCRYPTION_NONE;
    if (k->encryption == FS_REQUIRED && (nobody || !s->cipher))
        return STATUS_ACCESS_DENIED;
    s->encrypt = k->encryption == FS_REQUIRED;
    s->signing_required =
        !nobody && (k->signing == FS_REQUIRED || (in->security_mode & SMB2_NEGOTIATE_SIGNING_REQUIRED));
    smb_auth_keys(a, &s->keys);
    if (!s->guest && !smb_channel_keys(a->channel, s->keys.signing))
        return STATUS_INSUFFICIENT_RESOURCES;
    name_channel(a->channel);
    r->sign = !nobody;
    smb_conn_authenticated(c);
    c->known_user |= !nobody;
    atomic_store(&s->state, SMB_SESSION_VALID);
    return STATUS_SUCCESS;
}

/* Keys stay what they are. Whoever is on the pool for the session right now reads its identity: that does not change
 * then. */
static uint32_t complete_again(struct smb_req *r, struct smb_auth *a, const struct fs_cred *cred)
{
    struct smb_session *s = r->session;
    const struct ntlm_result *who = &a->spnego.ntlm.result;
    struct smb_req *other;
    bool same = s->guest == who->guest && s->anonymous == who->anonymous && s->cred.uid == cred->uid &&
                strcmp(s->cred.name, cred->name) == 0;
    if (!same) {
        smb_list_each(other, &r->conn->requests, in_conn)
            if (other->session == s && other->job.on_pool)
                return STATUS_REQUEST_NOT_ACCEPTED;
        s->cred = *cred;
        name_channel(a->channel);
    }
    r->sign = a->channel->signer && !who->guest && !who->anonymous;
    return STATUS_SUCCESS;
}

static uint32_t complete_bind(struct smb_req *r, struct smb_auth *a, const struct fs_cred *cred)
{
    struct smb_session *s = r->session;
    struct smb_keys keys;
    if (s->cred.uid != cred->uid || strcmp(s->cred.name, cred->name) != 0 || a->spnego.ntlm.result.anonymous)
        return STATUS_ACCESS_DENIED;
    if (s->state != SMB_SESSION_VALID)
        return STATUS_USER_SESSION_DELETED;
    smb_auth_keys(a, &keys);
    smb_signer_free(a->channel->signer);
    a->channel->signer = NULL;
    bool ok = smb_channel_keys(a->channel, keys.signing);
    smb_wipe(&keys, sizeof keys);
    if (!ok)
        return STATUS_INSUFFICIENT_RESOURCES;
    name_channel(a->channel);
    a->channel->binding = false;
    smb_conn_authenticated(r->conn);
    r->conn->known_user = true;
    r->sign = true;
    return STATUS_SUCCESS;
}

/* [MS-SMB2] 3.3.5.5.3: the session that this client had before it lost its connection is over. */
static void end_previous(struct smb_req *r, uint64_t id)
{
    struct smb_session *old = id && id != r->session->id ? smb_session_get(r->conn->srv, id) : NULL;
    if (old && !old->guest && !old->anonymous && old->state == SMB_SESSION_VALID &&
        strcmp(old->cred.name, r->session->cred.name) == 0)
        smb_session_end(old);
    smb_session_unref(old);
}

static uint32_t complete(struct smb_req *r, struct smb_auth *a, const struct setup *in)
{
    struct fs_cred cred;
    if (!smb_auth_cred(a, &cred))
        return STATUS_LOGON_FAILURE;
    switch (a->kind) {
    case SMB_AUTH_NEW:
        return complete_new(r, a, in, &cred);
    case SMB_AUTH_AGAIN:
        return complete_again(r, a, &cred);
    default:
        return complete_bind(r, a, &cred);
    }
}

/* A failed logon takes the session with it, also when it was to be renewed: its owner could not show who they are. */
static void give_up(struct smb_req *r, struct smb_auth *a, uint32_t status)
{
    struct smb_channel *ch = a->channel;
    const char *user = a->spnego.ntlm.result.user;
    log_info("smb", "event=logon_failed user=%s peer=%s status=0x%08x", log_quote(user, strlen(user)),
             r->conn->net->peer_name, status);
    if (a->kind != SMB_AUTH_BIND) {
        smb_abort_session(r->conn, r->session, r);
        smb_session_end(r->session);
    }
    if (a->kind != SMB_AUTH_AGAIN) /* else it still signs what tells the client that its session is gone */
        smb_channel_drop(ch);
    auth_free(a);
}

static void encode(struct smb_req *r, uint16_t flags, const uint8_t *token, size_t n)
{
    struct wbuf *w = &r->out;
    wbuf_le16(w, 9);
    wbuf_le16(w, flags);
    wbuf_le16(w, SMB2_HEADER + 8);
    wbuf_le16(w, (uint16_t)n);
    wbuf_put(w, token, n);
    r->has_body = true;
}

static void log_logon(const struct smb_req *r, const struct smb_auth *a)
{
    const struct smb_session *s = r->session;
    static const char *const kinds[] = {"logon", "logon_again", "bind"};
    log_info("smb", "event=%s who=%s dialect=0x%04x cipher=%u signing=%u", kinds[a->kind],
             log_quote(a->channel->who, strlen(a->channel->who)), s->dialect, s->cipher, r->conn->signing_alg);
}

uint32_t smb_session_setup(struct smb_req *r)
{
    struct setup in;
    struct smb_auth *a = NULL;
    uint8_t token[TOKEN_MAX];
    size_t n;
    uint32_t status = setup_decode(&r->in, &in);
    if (status == STATUS_SUCCESS)
        status = find_auth(r, &in, &a);
    if (status != STATUS_SUCCESS)
        return status;
    if (r->conn->dialect == SMB_3_1_1)
        smb_preauth_update(a->preauth, r->in.base, (size_t)(r->in.end - r->in.base));
    status = smb_auth_step(a, in.token, token, sizeof token, &n);
    if (status == STATUS_MORE_PROCESSING_REQUIRED) {
        if (r->conn->dialect == SMB_3_1_1)
            r->preauth_next = a->preauth;
        encode(r, 0, token, n);
        return status;
    }
    if (status == STATUS_SUCCESS)
        status = complete(r, a, &in);
    if (status != STATUS_SUCCESS) {
        give_up(r, a, status);
        return status;
    }
    if (a->kind == SMB_AUTH_NEW)
        end_previous(r, in.previous);
    log_logon(r, a);
    const struct smb_session *s = r->session;
    encode(r, (uint16_t)((s->guest ? SMB2_SESSION_FLAG_IS_GUEST : 0) | (s->anonymous ? SMB2_SESSION_FLAG_IS_NULL : 0) |
                         (s->encrypt ? SMB2_SESSION_FLAG_ENCRYPT_DATA : 0)), token, n);
    auth_free(a);
    return STATUS_SUCCESS;
}
