/* request.c - the life of a request: taken from its loop's free list, parked, cancelled, given back.
 *
 * Everything here runs on the connection's loop. A parked request has been detached from the receive buffer and has no
 * thread; clients hear of it by an interim response ([MS-SMB2] 3.3.4.2), at once or when it takes long. */
#include "internal.h"

#define FREE_REQUESTS_MAX 256
#define ASYNC_MAX 511 /* requests of one connection that are pending at once, as Windows and Samba allow */
#define INTERIM_SOON (1 * NSEC_PER_MSEC)
#define INTERIM_LATE (3 * NSEC_PER_SEC)

static void pend(struct smb_req *r)
{
    if (r->conn->nasync >= ASYNC_MAX)
        smb_req_abort(r, STATUS_INSUFFICIENT_RESOURCES);
    else
        smb_reply_interim(r);
}

static void interim_due(struct timer *t)
{
    pend(container_of(t, struct smb_req, pending_timer));
}

static void req_clear(struct smb_req *r)
{
    arena_init(&r->arena);
    memset((char *)r + offsetof(struct smb_req, conn), 0, sizeof *r - offsetof(struct smb_req, conn));
    list_init(&r->in_conn);
    list_init(&r->in_open);
}

struct smb_req *smb_req_new(struct smb_conn *c, struct msg *m)
{
    struct smb_home *h = c->home;
    struct smb_req *r = list_first(&h->free_requests, struct smb_req, in_conn);
    if (r) {
        list_remove(&r->in_conn);
        h->nfree--;
    } else {
        r = malloc(sizeof *r);
        if (!r) {
            msg_done(m);
            conn_finish(c->net);
            return NULL;
        }
    }
    req_clear(r);
    job_init(&r->job, &smb_job_ops, h->loop, c->srv->pool);
    fs_req_init(&r->fs, c->srv->fs, &r->job, &r->arena);
    r->pending_timer.fn = interim_due;
    r->conn = smb_conn_ref(c);
    r->msg = *m;
    list_append(&c->requests, &r->in_conn);
    return r;
}

void smb_req_free(struct smb_req *r)
{
    struct smb_conn *c = r->conn;
    struct smb_home *h = c->home;
    loop_timer(h->loop, &r->pending_timer, 0);
    list_remove(&r->in_conn);
    if (c->gone)
        smb_conn_unlist(c);
    if (r->chain_open)
        smb_open_unref(r->chain_open);
    smb_channel_unref(r->last_channel);
    smb_channel_unref(r->sealed_channel);
    wbuf_done(&r->out);
    msg_done(&r->msg);
    arena_reset(&r->arena);
    conn_finish(c->net);
    if (h->nfree >= FREE_REQUESTS_MAX) {
        free(r);
    } else {
        list_prepend(&h->free_requests, &r->in_conn);
        h->nfree++;
    }
    smb_conn_unref(c); /* last: the server may be waiting for this to end it */
}

static bool more_follows(const struct smb_req *r)
{
    return r->next < r->msg.len;
}

/* May this command answer late with STATUS_PENDING first? In the middle of a compound only a CREATE may (Windows does
 * the same; clients do not expect more). */
static bool may_pend(const struct smb_req *r)
{
    return !r->no_reply && (!more_follows(r) || (r->handler->flags & SMB_INTERIM_CHAIN));
}

void smb_req_parked(struct job *j)
{
    struct smb_req *r = container_of(j, struct smb_req, job);
    if (r->phase != SMB_RUN)
        return;
    r->waited = true;
    if (!r->held) {
        r->held = true;
        conn_hold(r->conn->net);
        if (!r->scratch && r->here + SMB2_HEADER <= r->msg.len) {
            size_t pos = cursor_pos(&r->in), n = (size_t)(r->in.end - r->in.base),
                   base = (size_t)(r->in.base - r->msg.data);
            msg_detach(&r->msg);
            r->in = cursor_of(r->msg.data + base, n);
            cursor_seek(&r->in, pos);
        }
    }
    smb_open_idle(r);
    smb_open_wait(r);
    if (r->async || r->cancelled || r->conn->gone)
        return;
    unsigned flags = r->handler->flags;
    if (more_follows(r) && (flags & SMB_LAST_ONLY)) {
        smb_req_abort(r, STATUS_INTERNAL_ERROR);
    } else if (may_pend(r)) {
        if (flags & SMB_INTERIM_NOW)
            pend(r);
        else
            loop_timer(r->conn->home->loop, &r->pending_timer,
                       loop_now(r->conn->home->loop) + (flags & SMB_INTERIM_LATE ? INTERIM_LATE : INTERIM_SOON));
    }
}

void smb_req_resumed(struct smb_req *r)
{
    loop_timer(r->conn->home->loop, &r->pending_timer, 0);
    smb_open_nowait(r);
}

void smb_req_abort(struct smb_req *r, uint32_t status)
{
    if (r->cancelled || r->phase == SMB_FINISH)
        return;
    r->abort_status = status;
    atomic_store(&r->cancelled, true);
    job_wake(&r->job);
}

void smb_abort_session(struct smb_conn *c, const struct smb_session *s, const struct smb_req *except)
{
    struct smb_req *r;
    smb_list_each(r, &c->requests, in_conn)
        if (r->session == s && r != except && r->waited && !r->opens[0])
            smb_req_abort(r, STATUS_CANCELLED);
}

/* [MS-SMB2] 3.3.5.16: no response of its own; by AsyncId when the client knows one, else by MessageId. */
uint32_t smb_cancel(struct smb_req *r)
{
    struct smb_req *other;
    r->no_reply = true;
    smb_list_each(other, &r->conn->requests, in_conn) {
        if (other == r || other->no_reply || other->phase == SMB_BEGIN)
            continue;
        bool hit = r->flags & SMB2_FLAGS_ASYNC_COMMAND ? other->async && other->async_id == r->async_id
                                                       : other->message_id == r->message_id;
        if (hit) {
            smb_req_abort(other, STATUS_CANCELLED);
            break;
        }
    }
    return STATUS_SUCCESS;
}
