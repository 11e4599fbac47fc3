/* break_notify.c - break notifications: from the engine's events to the right connection ([MS-SMB2] 3.3.4.6,
 * 3.3.4.7, 2.2.23), and the table of lease keys that acknowledgements are looked up in.
 *
 * Events come on any thread, without locks, and only queue: what is to be sent is sent on the loop of a connection
 * of the holder's, and when that has ended on another one. When it is the loop that runs, and somebody waits, the
 * notice is queued at once: answers to later requests come later. Who does not wait is answered first, as with
 * Windows. A holder without a connection gets no notice: its opens are being closed, or the engine knows that they
 * are disconnected. */
#include "internal.h"
#include "fs/open.h"

#define SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED 1
#define UNACKED (2 * NSEC_PER_SEC) /* for TCP: some retransmissions on the way to anywhere */

struct smb_lease {
    struct hash_link by_key;
    uint64_t client;
    uint8_t key[16];
    struct co_key file;
    uint32_t opens;
    bool v2; /* as it was first asked for */
};

uint64_t smb_client_id(const uint8_t guid[16])
{
    return hash_bytes(guid, 16) | 1; /* 0 is nobody */
}

static uint64_t lease_hash(uint64_t client, const uint8_t key[16])
{
    uint8_t both[24];
    put_le64(both, client);
    memcpy(both + 8, key, 16);
    return hash_bytes(both, sizeof both);
}

static struct smb_lease *lease_find(struct smb_server *srv, uint64_t client, const uint8_t key[16])
{
    for (struct hash_link *l = hash_first(&srv->leases, lease_hash(client, key)); l; l = hash_next(l)) {
        struct smb_lease *e = container_of(l, struct smb_lease, by_key);
        if (e->client == client && memcmp(e->key, key, 16) == 0)
            return e;
    }
    return NULL;
}

void smb_lease_join(struct smb_open *o)
{
    struct smb_server *srv = o->srv;
    uint64_t client = o->fso->party.client;
    pthread_rwlock_wrlock(&srv->lock);
    struct smb_lease *e = lease_find(srv, client, o->lease_key);
    if (!e && (e = calloc(1, sizeof *e))) {
        e->client = client;
        memcpy(e->key, o->lease_key, 16);
        e->file = fs_node_key(o->fso->node);
        e->v2 = o->lease_v2;
        hash_insert(&srv->leases, &e->by_key, lease_hash(client, e->key));
    }
    if (e) {
        e->opens++;
        o->lease_v2 = e->v2;
    }
    o->lease = e; /* NULL: acknowledgements are refused, and the break ends by its timeout */
    pthread_rwlock_unlock(&srv->lock);
}

void smb_lease_leave(struct smb_open *o)
{
    pthread_rwlock_wrlock(&o->srv->lock);
    if (o->lease && !--o->lease->opens) {
        hash_remove(&o->srv->leases, &o->lease->by_key);
        free(o->lease);
    }
    o->lease = NULL;
    pthread_rwlock_unlock(&o->srv->lock);
}

bool smb_lease_file(struct smb_server *srv, uint64_t client, const uint8_t key[16], struct co_key *ret)
{
    pthread_rwlock_rdlock(&srv->lock);
    struct smb_lease *e = lease_find(srv, client, key);
    if (e)
        *ret = e->file;
    pthread_rwlock_unlock(&srv->lock);
    return e;
}

struct notice {
    struct task task;
    struct conn_sent sent;
    struct timer unacked;
    struct smb_conn *conn;
    struct fs_told *told;
    uint64_t client;
    uint64_t session; /* whose encryption an oplock break needs; 0: a lease's */
    bool drop, lease, ack, is_sent;
    uint64_t persistent_id, volatile_id;
    uint8_t key[16], from, to;
    uint16_t epoch;
};

static void put_oplock_break(struct wbuf *w, const struct notice *n)
{
    wbuf_le16(w, 24);
    wbuf_u8(w, n->to & CO_R ? SMB2_OPLOCK_LEVEL_II : SMB2_OPLOCK_LEVEL_NONE);
    wbuf_zero(w, 5);
    wbuf_le64(w, n->persistent_id);
    wbuf_le64(w, n->volatile_id);
}

static void put_lease_break(struct wbuf *w, const struct notice *n)
{
    wbuf_le16(w, 44);
    wbuf_le16(w, n->epoch);
    wbuf_le32(w, n->ack ? SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED : 0);
    wbuf_put(w, n->key, 16);
    wbuf_le32(w, n->from);
    wbuf_le32(w, n->to);
    wbuf_zero(w, 12); /* BreakReason, AccessMaskHint, ShareMaskHint */
}

/* --- Which connection. `not`: one that has ended. */
static struct smb_conn *conn_of_session(struct smb_session *s, const struct smb_conn *not)
{
    struct smb_conn *c = NULL;
    struct smb_channel *ch;
    pthread_mutex_lock(&s->lock);
    list_each(ch, &s->channels, in_session)
        if (ch->conn != not && !c)
            c = smb_conn_ref(ch->conn);
    pthread_mutex_unlock(&s->lock);
    return c;
}

/* A lease is its client's, whatever connection its opens came over: the oldest one is told, as on Windows. */
static struct smb_conn *conn_for(struct smb_server *srv, bool lease, uint64_t client, const struct smb_open *o,
                                 const struct smb_conn *not)
{
    struct smb_conn *c = lease ? smb_conn_of_client(srv, client, not) : NULL;
    if (!c && o && o->session)
        c = conn_of_session(o->session, not);
    return c ? c : smb_conn_of_client(srv, client, not);
}

/* --- On the loop. */
static void notice_over(struct notice *n)
{
    fs_told_done(n->told);
    smb_conn_unref(n->conn);
    free(n);
}

/* A client may be back before the end of its old connection has been seen. */
static void notice_elsewhere(struct notice *n)
{
    struct smb_conn *old = n->conn;
    struct smb_open *o = smb_open_by_number(old->srv, n->persistent_id);
    struct smb_conn *c = conn_for(old->srv, n->lease, n->client, o, old);
    if (o && !n->lease) { /* another object may stand for the open now */
        n->volatile_id = o->volatile_id;
        n->session = o->session ? o->session->id : 0;
    }
    smb_open_unref(o);
    if (!c) {
        notice_over(n);
        return;
    }
    n->conn = c;
    smb_conn_unref(old);
    loop_post(c->home->loop, &n->task);
}

/* The notification is on its way, or will never be. */
static void notice_sent(struct conn_sent *s)
{
    struct notice *n = container_of(s, struct notice, sent);
    n->is_sent = true;
    if (n->conn->net->is_closed && !n->drop) {
        loop_timer(n->conn->home->loop, &n->unacked, 0);
        notice_elsewhere(n);
        return;
    }
    fs_told_done(TAKE_PTR(n->told));
    if (!n->unacked.at)
        notice_over(n);
}

/* Nothing comes back from there, and all that goes over it has other channels: it is given up, as it would otherwise
 * cost the client the lease, and whoever waits the time of it. */
static void notice_unacked(struct timer *t)
{
    struct notice *n = container_of(t, struct notice, unacked);
    struct conn *net = n->conn->net;
    bool was_sent = n->is_sent;
    if (!net->is_closed && (conn_acked(net, &n->sent) || !smb_conn_is_spare(n->conn))) {
        if (was_sent) /* else notice_sent() ends it */
            notice_over(n);
        return;
    }
    if (!net->is_closed)
        log_info("smb", "event=close peer=%s reason=\"breaks do not arrive, other channels are there\"", net->peer_name);
    conn_close(net); /* one that was not sent goes elsewhere with this */
    if (was_sent)
        notice_elsewhere(n);
}

static void send_notice(struct task *t)
{
    struct notice *n = container_of(t, struct notice, task);
    struct smb_conn *c = n->conn;
    if (n->drop) {
        conn_close(c->net);
    } else if (conn_peer_ended(c->net)) {
        notice_elsewhere(n);
        return;
    } else {
        struct smb_channel *ch = n->session ? smb_channel_find(c, n->session) : NULL;
        struct smb_channel *seal = ch && ch->session->encrypt && ch->seal ? ch : NULL;
        struct wbuf w;
        wbuf_init(&w, 256, 4096);
        wbuf_zero(&w, SMB_FRAMING + (seal ? SMB2_TRANSFORM_HEADER : 0));
        wbuf_be32(&w, SMB2_PROTOCOL_ID);
        wbuf_le16(&w, SMB2_HEADER);
        wbuf_zero(&w, 6); /* CreditCharge, Status */
        wbuf_le16(&w, SMB2_OPLOCK_BREAK);
        wbuf_le16(&w, 0);
        wbuf_le32(&w, SMB2_FLAGS_SERVER_TO_REDIR);
        wbuf_le32(&w, 0);
        wbuf_le64(&w, UINT64_MAX); /* MessageId of what nobody asked for; never signed */
        wbuf_zero(&w, 32);
        if (n->lease)
            put_lease_break(&w, n);
        else
            put_oplock_break(&w, n);
        smb_send(c, &w, seal);
    }
    n->is_sent = false;
    n->unacked = (struct timer){.fn = notice_unacked};
    if (!n->drop && smb_conn_is_spare(c))
        loop_timer(c->home->loop, &n->unacked, clock_now() + UNACKED);
    n->sent.fn = notice_sent;
    conn_when_sent(c->net, &n->sent);
}

static void notice_post(struct notice *n, struct fs_told *told)
{
    struct loop *home = n->conn->home->loop;
    n->told = fs_told_later(told);
    if (fs_told_is_waited_for(told) && loop_self() == home)
        send_notice(&n->task);
    else
        loop_post(home, &n->task);
}

/* --- From any thread. */
void smb_break_notify(struct smb_server *srv, const struct co_event *ev, struct fs_told *told)
{
    struct smb_open *o = smb_open_by_number(srv, ev->party.open);
    bool lease = ev->lease_kind == CO_LEASE, v2 = true;
    if (lease) {
        pthread_rwlock_wrlock(&srv->lock);
        struct smb_lease *e = lease_find(srv, ev->party.client, ev->party.lease);
        if (e) {
            e->file = ev->key; /* a stream's differs from the node's */
            v2 = e->v2;
        }
        pthread_rwlock_unlock(&srv->lock);
    } else if (o) {
        pthread_mutex_lock(&o->lock);
        o->break_key = ev->key;
        o->breaking = ev->ack;
        o->oplock_level = ev->to & CO_R ? SMB2_OPLOCK_LEVEL_II : SMB2_OPLOCK_LEVEL_NONE;
        pthread_mutex_unlock(&o->lock);
    }
    struct smb_conn *c = conn_for(srv, lease, ev->party.client, o, NULL);
    struct notice *n = c ? calloc(1, sizeof *n) : NULL;
    if (n) {
        *n = (struct notice){.task.fn = send_notice, .conn = c, .client = ev->party.client,
                             .session = o && o->session && !lease ? o->session->id : 0, .lease = lease, .ack = ev->ack,
                             .persistent_id = ev->party.open, .volatile_id = o ? o->volatile_id : 0, .from = ev->from,
                             .to = ev->to, .epoch = v2 ? ev->epoch : 0};
        memcpy(n->key, ev->party.lease, 16);
        notice_post(n, told);
    } else if (c) {
        smb_conn_unref(c);
    }
    smb_open_unref(o);
}

static void on_drop(struct smb_server *srv, const struct co_event *ev)
{
    struct smb_conn *c = smb_conn_of_client(srv, ev->party.client, NULL);
    struct notice *n = c ? calloc(1, sizeof *n) : NULL;
    if (n) {
        *n = (struct notice){.task.fn = send_notice, .conn = c, .drop = true};
        loop_post(c->home->loop, &n->task);
    } else if (c) {
        smb_conn_unref(c);
    }
}

static void on_void(struct smb_server *srv, const struct co_event *ev)
{
    struct smb_open *o = smb_open_by_number(srv, ev->party.open);
    if (o)
        smb_open_close_later(o);
}

void smb_sink_event(void *arg, const struct co_event *ev, struct fs_told *told)
{
    struct smb_server *srv = arg;
    switch (ev->kind) {
    case CO_EV_BREAK:
        if (!smb_unanswered_hold(srv, ev, told))
            smb_break_notify(srv, ev, told);
        break;
    case CO_EV_VOID:
        on_void(srv, ev);
        break;
    case CO_EV_DROP:
        on_drop(srv, ev);
        break;
    case CO_EV_ACK:
    case CO_EV_CONFLICT:
        break;
    }
}
