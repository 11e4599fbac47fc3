/* dispatch.c - from a message to its handlers and back: the chain of a compound, one command after another.
 *
 * A command has three phases. BEGIN decodes the header, finds session and tree, verifies; FINISH completes the
 * response. Both keep the connection's books and run on its loop. RUN calls the handler, wherever the job is; what
 * it needs of the connection is constant by then. So a request that moved to the pool for one command comes back to
 * its loop before the next one. What a handler means is none of this file's business. */
#include "internal.h"

/* Requests of the open that are on the pool came before: what they do must not find it closed. The last one of them
 * wakes us. */
static uint32_t close_when_idle(struct smb_req *r)
{
    cursor_skip(&r->in, 8);
    struct smb_open *o = smb_open_find(r);
    cursor_seek(&r->in, SMB2_HEADER);
    r->until_idle = o && o->busy && !r->cancelled;
    return r->until_idle ? SMB_PARKED : smb_close(r);
}

const struct smb_handler smb_handlers[SMB2_COMMANDS] = {
    [SMB2_NEGOTIATE] = {"negotiate", smb_negotiate, 36, 0, {0}, {0}},
    [SMB2_SESSION_SETUP] = {"session_setup", smb_session_setup, 25, 0, {0}, {0}},
    [SMB2_LOGOFF] = {"logoff", smb_logoff, 4, SMB_NEED_SESSION | SMB_EXPIRED_OK, {0}, {0}},
    [SMB2_TREE_CONNECT] = {"tree_connect", smb_tree_connect, 9, SMB_NEED_SESSION, {0}, {0}},
    [SMB2_TREE_DISCONNECT] = {"tree_disconnect", smb_tree_disconnect, 4, SMB_NEED_TREE, {0}, {0}},
    [SMB2_CREATE] = {"create", smb_create, 57, SMB_NEED_TREE | SMB_INTERIM_CHAIN, {0}, {0}},
    [SMB2_CLOSE] = {"close", close_when_idle, 24, SMB_NEED_TREE | SMB_EXPIRED_OK | SMB_INTERIM_LATE, {0}, {0}},
    [SMB2_FLUSH] = {"flush", smb_flush, 24, SMB_NEED_TREE, {0}, {0}},
    [SMB2_READ] = {"read", smb_read, 49, SMB_NEED_TREE, {0}, {4}},
    [SMB2_WRITE] = {"write", smb_write, 49, SMB_NEED_TREE, {4}, {0}},
    [SMB2_LOCK] = {"lock", smb_lock, 48, SMB_NEED_TREE | SMB_INTERIM_NOW | SMB_EXPIRED_OK, {0}, {0}},
    [SMB2_IOCTL] = {"ioctl", smb_ioctl, 57, SMB_NEED_TREE, {28, 40}, {32, 44}},
    [SMB2_CANCEL] = {"cancel", smb_cancel, 4, SMB_EXPIRED_OK, {0}, {0}},
    [SMB2_ECHO] = {"echo", smb_echo, 4, SMB_EXPIRED_OK, {0}, {0}},
    [SMB2_QUERY_DIRECTORY] = {"query_directory", smb_query_directory, 33, SMB_NEED_TREE, {0}, {28}},
    [SMB2_CHANGE_NOTIFY] = {"change_notify", smb_change_notify, 32, SMB_NEED_TREE | SMB_INTERIM_NOW | SMB_LAST_ONLY,
                            {0}, {4}},
    [SMB2_QUERY_INFO] = {"query_info", smb_query_info, 41, SMB_NEED_TREE, {12}, {4}},
    [SMB2_SET_INFO] = {"set_info", smb_set_info, 33, SMB_NEED_TREE | SMB_INTERIM_LATE, {4}, {0}},
    [SMB2_OPLOCK_BREAK] = {"oplock_break", smb_oplock_break, 0, SMB_NEED_TREE, {0}, {0}},
};

/* Everything a message's headers promise is checked before its first command runs: offsets, and message ids
 * ([MS-SMB2] 3.3.5.2.3, 3.3.5.2.7). */
bool smb_chain_check(struct smb_req *r)
{
    struct smb_conn *c = r->conn;
    size_t pos = r->next;
    for (;;) {
        struct cursor h = cursor_slice(&(struct cursor){r->msg.data, r->msg.data, r->msg.data + r->msg.len, false}, pos,
                                       SMB2_HEADER);
        if (h.bad || cursor_be32(&h) != SMB2_PROTOCOL_ID || cursor_le16(&h) != SMB2_HEADER)
            return false;
        uint16_t charge = cursor_le16(&h);
        cursor_skip(&h, 4);
        uint16_t command = cursor_le16(&h);
        cursor_skip(&h, 6);
        uint32_t next = cursor_le32(&h);
        uint64_t id = cursor_le64(&h);
        if (command != SMB2_CANCEL &&
            !smb_credits_consume(c->credits, id, c->multi_credit && charge ? charge : 1))
            return false;
        if (!next)
            return true;
        if (next % 8 || next < SMB2_HEADER || next > r->msg.len - pos)
            return false;
        pos += next;
    }
}

/* [MS-SMB2] 3.3.5.2.4. STATUS_SUCCESS: the signature is right. */
uint32_t smb_verify_signature(struct smb_req *r)
{
    uint8_t *msg = (uint8_t *)r->in.base, saved[16], want[16];
    size_t n = (size_t)(r->in.end - r->in.base);
    if (!r->channel || !r->channel->signer)
        return STATUS_USER_SESSION_DELETED;
    memcpy(saved, msg + SMB2_HDR_SIGNATURE, 16);
    memset(msg + SMB2_HDR_SIGNATURE, 0, 16);
    bool ok = smb_sign(r->channel->signer, msg, n, false, want) && smb_equal(saved, want, 16);
    memcpy(msg + SMB2_HDR_SIGNATURE, saved, 16);
    if (!ok && log_allow(&r->conn->net->bad_input, 5, 60 * NSEC_PER_SEC))
        log_warn("smb", "event=bad_signature peer=%s command=%s", r->conn->net->peer_name, r->handler->name);
    return ok ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

/* Flags that the command may carry; others make it invalid. */
static bool flags_allowed(const struct smb_req *r)
{
    uint32_t allowed = SMB2_FLAGS_RELATED_OPERATIONS | SMB2_FLAGS_SIGNED | SMB2_FLAGS_DFS_OPERATIONS;
    if (r->conn->dialect >= SMB_3_1_1 || r->command == SMB2_NEGOTIATE)
        allowed |= SMB2_FLAGS_PRIORITY_MASK;
    if (r->conn->dialect >= SMB_3_0_0)
        allowed |= SMB2_FLAGS_REPLAY_OPERATION;
    if (r->command == SMB2_CANCEL)
        allowed |= SMB2_FLAGS_ASYNC_COMMAND;
    return !(r->flags & ~allowed);
}

static void decode_header(struct smb_req *r)
{
    r->here = r->next;
    struct cursor all = {r->msg.data, r->msg.data, r->msg.data + r->msg.len, false};
    struct cursor h = cursor_slice(&all, r->here, SMB2_HEADER);
    cursor_skip(&h, SMB2_HDR_CREDIT_CHARGE);
    r->credit_charge = cursor_le16(&h);
    r->channel_sequence = cursor_le16(&h);
    cursor_skip(&h, 2);
    r->command = (enum smb_command)cursor_le16(&h);
    r->credit_request = cursor_le16(&h);
    r->flags = cursor_le32(&h);
    uint32_t next = cursor_le32(&h);
    r->message_id = cursor_le64(&h);
    bool async = r->flags & SMB2_FLAGS_ASYNC_COMMAND;
    uint64_t async_id = cursor_le64(&h);
    r->async_id = async ? async_id : 0;
    r->wire_tree = async ? 0 : (uint32_t)(async_id >> 32);
    r->wire_session = cursor_le64(&h);
    r->next = next ? r->here + next : r->msg.len;
    r->in = cursor_slice(&all, r->here, r->next - r->here);
    cursor_seek(&r->in, SMB2_HEADER);
}

static void reset_command(struct smb_req *r)
{
    r->session = NULL;
    r->tree = NULL;
    r->channel = NULL;
    r->scratch = NULL;
    r->handler = NULL;
    r->counted = NULL;
    r->status = STATUS_SUCCESS;
    r->replayable = r->sign = r->waited = r->started = r->told_closed = r->until_idle = r->async = r->no_reply =
        false;
    r->abort_status = 0;
    atomic_store_explicit(&r->cancelled, r->conn->net->is_closed, memory_order_relaxed);
    if (r->cancelled)
        r->abort_status = STATUS_CANCELLED;
}

/* Related commands take session, tree and open from the one before ([MS-SMB2] 3.3.5.2.7.2). */
static void inherit(struct smb_req *r)
{
    if (r->flags & SMB2_FLAGS_RELATED_OPERATIONS) {
        r->wire_session = r->chain_session;
        r->wire_tree = r->chain_tree;
    }
    if ((!(r->flags & SMB2_FLAGS_RELATED_OPERATIONS) || r->command == SMB2_CREATE) && r->chain_open) {
        smb_open_unref(r->chain_open);
        r->chain_open = NULL;
    }
    if (!(r->flags & SMB2_FLAGS_RELATED_OPERATIONS))
        r->chain_status = STATUS_SUCCESS;
}

static void find_session(struct smb_req *r)
{
    r->chain_session = 0;
    struct smb_channel *ch = smb_channel_find(r->conn, r->wire_session);
    if (ch && ch->session->state == SMB_SESSION_GONE) {
        r->channel = smb_channel_ref(ch); /* signs the refusal */
    } else if (ch && (!ch->binding || r->command == SMB2_SESSION_SETUP)) {
        r->channel = smb_channel_ref(ch);
        r->session = smb_session_ref(ch->session);
        r->chain_session = r->wire_session;
    }
}

/* A session that exists, but not on this connection: who knows its key is told so in a signed response. */
void smb_borrow_signer(struct smb_req *r)
{
    if (r->channel) { /* it was, until a moment ago */
        r->sign = smb_verify_signature(r) == STATUS_SUCCESS;
        return;
    }
    struct smb_session *s = r->wire_session ? smb_session_get(r->conn->srv, r->wire_session) : NULL;
    if (s && s->state == SMB_SESSION_VALID && !s->guest) {
        r->channel = smb_channel_loose(r->conn, s);
        if (r->channel)
            r->channel->signer = smb_signer_new(s->signing_alg, s->keys.signing);
        r->sign = smb_verify_signature(r) == STATUS_SUCCESS;
    }
    smb_session_unref(s);
}

/* [MS-SMB2] 3.3.5.2.9 */
static uint32_t session_status(const struct smb_req *r)
{
    if (!r->session)
        return STATUS_USER_SESSION_DELETED;
    switch (atomic_load(&r->session->state)) {
    case SMB_SESSION_VALID:
        return STATUS_SUCCESS;
    case SMB_SESSION_EXPIRED:
        return r->handler->flags & SMB_EXPIRED_OK ? STATUS_SUCCESS : STATUS_NETWORK_SESSION_EXPIRED;
    case SMB_SESSION_IN_PROGRESS:
        return STATUS_INVALID_HANDLE;
    default:
        return STATUS_USER_SESSION_DELETED;
    }
}

/* Encryption and signature: may this be believed to come from the session's user? */
static uint32_t check_protection(struct smb_req *r, uint32_t session)
{
    bool setup = r->command == SMB2_SESSION_SETUP;
    if (r->sealed) {
        if (r->session && r->sealed_channel && r->session != r->sealed_channel->session)
            return STATUS_ACCESS_DENIED;
        return STATUS_SUCCESS;
    }
    if (r->session && r->session->encrypt && !setup && r->session->state == SMB_SESSION_VALID)
        return STATUS_ACCESS_DENIED;
    bool required = r->session && r->session->signing_required && r->session->state == SMB_SESSION_VALID;
    if (!required && !(r->flags & SMB2_FLAGS_SIGNED))
        return STATUS_SUCCESS;
    if (!r->session && setup) /* one that binds: its handler verifies with the session's key */
        return STATUS_SUCCESS;
    if (!r->session) {
        smb_borrow_signer(r);
        return r->command == SMB2_NEGOTIATE ? STATUS_INVALID_PARAMETER : STATUS_USER_SESSION_DELETED;
    }
    if (setup && !r->channel->signer)
        return STATUS_SUCCESS;
    r->sign = true;
    uint32_t status = smb_verify_signature(r);
    if (status != STATUS_SUCCESS || setup)
        return status;
    return session == STATUS_INVALID_HANDLE && !(r->handler->flags & (SMB_NEED_SESSION | SMB_NEED_TREE))
               ? STATUS_SUCCESS
               : session;
}

static uint32_t find_tree(struct smb_req *r)
{
    r->tree = smb_tree_find(r->session, r->wire_tree);
    r->chain_tree = r->tree ? r->wire_tree : 0;
    if (!r->tree)
        return STATUS_NETWORK_NAME_DELETED;
    if (r->tree->encrypt && !r->sealed)
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

/* [MS-SMB2] 3.3.5.2.5, and the fixed part of the body. */
static uint32_t check_body(struct smb_req *r)
{
    const struct smb_handler *h = r->handler;
    struct cursor body = cursor_slice(&r->in, SMB2_HEADER, (size_t)(r->in.end - r->in.base) - SMB2_HEADER);
    uint16_t size = cursor_le16(&body);
    if (body.bad || (h->structure_size && (size != h->structure_size || cursor_left(&body) + 2 < (size & ~1u))))
        return STATUS_INVALID_PARAMETER;
    uint64_t sent = 0, expected = 0;
    for (size_t i = 0; i < 2; i++) {
        if (h->sent[i])
            cursor_seek(&body, h->sent[i]), sent += cursor_le32(&body);
        if (h->expected[i])
            cursor_seek(&body, h->expected[i]), expected += cursor_le32(&body);
    }
    uint64_t payload = MAX(sent, expected);
    if (payload <= 65536)
        return STATUS_SUCCESS;
    if (!r->conn->multi_credit || (payload - 1) / 65536 + 1 > (uint64_t)MAX(r->credit_charge, 1))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static void fill_party(struct smb_req *r)
{
    struct smb_conn *c = r->conn;
    memset(&r->party, 0, sizeof r->party);
    r->party.label = CO_LABEL_SMB;
    r->party.flavour = CO_WINDOWS;
    r->party.client = c->client_id;
    r->party.account = c->account;
    memcpy(r->party.who, r->channel->who, sizeof r->party.who);
    r->fs.cred = &r->session->cred;
    r->fs.party = &r->party;
    r->fs.share = r->tree ? r->tree->share : NULL;
    r->fs.read_only = r->tree && r->tree->read_only;
}

/* The dialect has been agreed on before anything else, once ([MS-SMB2] 3.3.5.2). False: the connection goes. */
static bool in_order(const struct smb_req *r)
{
    return (r->command == SMB2_NEGOTIATE) == (r->conn->dialect == 0);
}

static uint32_t check_command(struct smb_req *r)
{
    if ((unsigned)r->command >= SMB2_COMMANDS)
        return STATUS_INVALID_PARAMETER;
    r->handler = &smb_handlers[r->command];
    find_session(r);
    uint32_t session = session_status(r);
    if (!flags_allowed(r))
        return STATUS_INVALID_PARAMETER;
    if ((r->flags & SMB2_FLAGS_RELATED_OPERATIONS) && session != STATUS_SUCCESS &&
        session != STATUS_NETWORK_SESSION_EXPIRED)
        return STATUS_INVALID_PARAMETER;
    uint32_t status = check_protection(r, session);
    if (status != STATUS_SUCCESS)
        return status;
    if ((r->flags & SMB2_FLAGS_RELATED_OPERATIONS) && r->chain_status != STATUS_SUCCESS)
        return r->chain_status;
    if (r->handler->flags & (SMB_NEED_SESSION | SMB_NEED_TREE)) {
        if (session != STATUS_SUCCESS)
            return session;
        if ((r->handler->flags & SMB_NEED_TREE) && (status = find_tree(r)) != STATUS_SUCCESS)
            return status;
        fill_party(r);
    }
    return check_body(r);
}

/* False: the connection was closed. */
static bool command_begin(struct smb_req *r)
{
    static const struct smb_handler unknown = {.name = "unknown"};
    reset_command(r);
    decode_header(r);
    if (!in_order(r)) {
        smb_conn_bad(r->conn, r->conn->dialect ? "second negotiate" : "not negotiated");
        return false;
    }
    inherit(r);
    r->no_reply = r->command == SMB2_CANCEL;
    if (!r->no_reply)
        smb_reply_begin(r);
    r->status = check_command(r);
    if (!r->handler)
        r->handler = &unknown;
    r->phase = r->status == STATUS_SUCCESS ? SMB_RUN : SMB_FINISH;
    return true;
}

static void drop_opens(struct smb_req *r)
{
    for (size_t i = 0; i < ARRAY_LEN(r->opens); i++) {
        smb_open_unref(r->opens[i]);
        r->opens[i] = NULL;
    }
}

/* Wherever the job runs. A cancelled request's handler is called once more, to take back what it queued; it gives its
 * own answer or leaves it to us. */
static uint32_t command_run(struct smb_req *r)
{
    if (unlikely(r->cancelled && !r->started))
        return r->abort_status;
    r->started = true;
    r->fs.may_block = r->job.on_pool;
    uint32_t status = r->handler->run(r);
    if (unlikely(status == SMB_PARKED && r->cancelled)) {
        cursor_seek(&r->in, SMB2_HEADER);
        status = r->handler->run(r);
    }
    if (status != SMB_PARKED && status != SMB_OFFLOAD) {
        if (r->waited)
            fs_cancel(&r->fs);
        if (status == STATUS_CANCELLED && r->abort_status)
            status = r->abort_status;
        return status;
    }
    if (!r->no_reply)
        smb_reply_cut(r);
    cursor_seek(&r->in, SMB2_HEADER);
    if (status == SMB_PARKED && r->cancelled) {
        fs_cancel(&r->fs);
        return r->abort_status;
    }
    return status;
}

static void command_finish(struct smb_req *r)
{
    struct smb_conn *c = r->conn;
    smb_req_resumed(r);
    smb_open_idle(r);
    if (!r->no_reply) {
        smb_reply_end(r);
        if (r->async)
            c->nasync--;
    }
    if (r->command == SMB2_CREATE)
        r->chain_status = r->status;
    if (r->command == SMB2_TREE_CONNECT && r->status == STATUS_SUCCESS)
        r->chain_tree = r->wire_tree;
    if (r->command == SMB2_SESSION_SETUP && r->status == STATUS_SUCCESS)
        r->chain_session = r->wire_session;
    if (r->command == SMB2_LOGOFF && r->status == STATUS_SUCCESS) {
        smb_abort_session(c, r->session, r);
        smb_channel_drop(r->channel);
    }
    smb_replay_done(r);
    drop_opens(r);
    smb_tree_unref(r->tree);
    smb_channel_unref(r->channel);
    smb_session_unref(r->session);
    r->tree = NULL;
    r->channel = NULL;
    r->session = NULL;
    r->phase = SMB_BEGIN;
}

/* Back on the loop before the books are touched: a wake now makes the job run there again at once. */
static enum st back_to_loop(struct smb_req *r)
{
    job_wake(&r->job);
    return ST_AGAIN;
}

static enum st chain_step(struct job *j)
{
    struct smb_req *r = container_of(j, struct smb_req, job);
    if (r->phase == SMB_RUN && !j->on_pool)
        smb_req_resumed(r);
    for (;;) {
        if (r->phase == SMB_RUN) {
            uint32_t status = command_run(r);
            if (status == SMB_PARKED)
                return ST_AGAIN;
            if (status == SMB_OFFLOAD) {
                smb_open_busy(r);
                return ST_OFFLOAD;
            }
            r->status = status;
            r->phase = SMB_FINISH;
        }
        if (j->on_pool)
            return back_to_loop(r);
        if (r->phase == SMB_FINISH)
            command_finish(r);
        if (r->next >= r->msg.len || r->conn->net->is_closed)
            return ST_OK;
        if (!command_begin(r))
            return ST_OK;
    }
}

static void chain_done(struct job *j, enum st st)
{
    struct smb_req *r = container_of(j, struct smb_req, job);
    if (r->phase != SMB_BEGIN) { /* the job gave up on it: st says why */
        r->status = smb_status(st);
        command_finish(r);
    }
    smb_reply_send(r);
    smb_req_free(r);
}

const struct job_ops smb_job_ops = {.step = chain_step, .parked = smb_req_parked, .done = chain_done};
