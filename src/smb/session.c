/* session.c - sessions and channels: the table, references, limits, and how a session ends ([MS-SMB2] 3.3.1.8,
 * 3.3.4.12).
 *
 * A session lives in the server's table from its first SESSION_SETUP until it ends (logoff, its last connection
 * gone, replaced by a reconnecting client); whoever still holds a reference finds it GONE. A channel ties it to a
 * connection and belongs to that connection's loop. Lock order: srv->lock, session->lock, open->lock. */
#include "internal.h"

#define CLOSED_AT_ONCE 64

struct smb_session *smb_session_ref(struct smb_session *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void smb_session_unref(struct smb_session *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct smb_server *srv = s->srv;
    pthread_mutex_destroy(&s->lock);
    smb_wipe(&s->keys, sizeof s->keys);
    free(s);
    smb_alive(srv, &srv->alive, -1);
}

static struct smb_session *find_locked(struct smb_server *srv, uint64_t id)
{
    for (struct hash_link *l = hash_first(&srv->sessions, hash_u64(id)); l; l = hash_next(l)) {
        struct smb_session *s = container_of(l, struct smb_session, by_id);
        if (s->id == id)
            return s;
    }
    return NULL;
}

struct smb_session *smb_session_get(struct smb_server *srv, uint64_t id)
{
    pthread_rwlock_rdlock(&srv->lock);
    struct smb_session *s = find_locked(srv, id);
    if (s)
        smb_session_ref(s);
    pthread_rwlock_unlock(&srv->lock);
    return s;
}

/* Ids are not to be guessed from one another, unique among the living, and neither 0 nor ~0 (both mean something). Some
 * clients keep only 32 bits of them, which are enough. */
static bool insert(struct smb_server *srv, struct smb_session *s)
{
    pthread_rwlock_wrlock(&srv->lock);
    bool room = srv->nsessions < srv->cfg.max_sessions;
    if (room) {
        do
            s->id = (uint32_t)hash_u64(atomic_fetch_add(&srv->next_id, 1));
        while (!s->id || s->id == UINT32_MAX || find_locked(srv, s->id));
        hash_insert(&srv->sessions, &s->by_id, hash_u64(s->id));
        srv->nsessions++;
    }
    pthread_rwlock_unlock(&srv->lock);
    return room;
}

struct smb_session *smb_session_new(struct smb_conn *c)
{
    struct smb_session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->srv = c->srv;
    atomic_init(&s->refs, 1); /* the table's */
    atomic_init(&s->state, SMB_SESSION_IN_PROGRESS);
    pthread_mutex_init(&s->lock, NULL);
    list_init(&s->channels);
    list_init(&s->trees);
    list_init(&s->opens);
    s->next_tree = 1;
    s->created_at = clock_now();
    s->dialect = c->dialect;
    s->cipher = c->cipher;
    s->signing_alg = c->signing_alg;
    smb_alive(s->srv, &s->srv->alive, 1);
    if (!insert(s->srv, s)) {
        smb_session_unref(s);
        return NULL;
    }
    smb_session_ref(s);
    if (smb_channel_new(c, s))
        return s;
    smb_session_end(s);
    smb_session_unref(s);
    return NULL;
}

/* One at a time, so that nobody's list is walked while closing, which takes other locks and may take time. */
static bool close_some(struct smb_session *s, const struct smb_tree *tree, size_t max)
{
    for (; max; max--) {
        struct smb_open *o, *found = NULL;
        pthread_mutex_lock(&s->lock);
        list_each(o, &s->opens, in_session)
            if (!tree || o->tree == tree) {
                found = smb_open_ref(o);
                list_remove(&o->in_session); /* whoever closes it first: it is not found here again */
                break;
            }
        pthread_mutex_unlock(&s->lock);
        if (!found)
            return true;
        smb_open_close(NULL, found, NULL);
        smb_open_unref(found);
    }
    return false;
}

/* What its client may come back for waits for it from now on, however much that is: the client may be back already. */
static void keep_durable(struct smb_session *s)
{
    pthread_mutex_lock(&s->lock);
    size_t n = list_count(&s->opens);
    pthread_mutex_unlock(&s->lock);
    for (; n; n--) {
        pthread_mutex_lock(&s->lock);
        struct smb_open *o = list_first(&s->opens, struct smb_open, in_session);
        if (o) { /* each comes first once */
            list_remove(&o->in_session);
            list_append(&s->opens, &o->in_session);
            smb_open_ref(o);
        }
        pthread_mutex_unlock(&s->lock);
        if (!o)
            return;
        smb_durable_keep(o);
        smb_open_unref(o);
    }
}

void smb_session_close_opens(struct smb_session *s, const struct smb_tree *tree)
{
    if (!tree)
        keep_durable(s);
    close_some(s, tree, SIZE_MAX);
}

static void teardown(struct task *t)
{
    struct smb_session *s = container_of(t, struct smb_session, teardown);
    close_some(s, NULL, SIZE_MAX);
    smb_trees_drop(s);
    smb_session_unref(s);
}

void smb_session_end(struct smb_session *s)
{
    struct smb_server *srv = s->srv;
    if (atomic_exchange(&s->state, SMB_SESSION_GONE) == SMB_SESSION_GONE)
        return;
    pthread_rwlock_wrlock(&srv->lock);
    hash_remove(&srv->sessions, &s->by_id);
    srv->nsessions--;
    pthread_rwlock_unlock(&srv->lock);
    /* The table's reference goes with the task. */
    keep_durable(s);
    s->teardown.fn = teardown;
    if (close_some(s, NULL, CLOSED_AT_ONCE))
        teardown(&s->teardown);
    else
        smb_run_blocking(srv, &s->teardown);
}

/* --- Channels. */
struct smb_channel *smb_channel_loose(struct smb_conn *c, struct smb_session *s)
{
    struct smb_channel *ch = calloc(1, sizeof *ch);
    if (!ch)
        return NULL;
    ch->refs = 1;
    ch->conn = c;
    ch->session = smb_session_ref(s);
    list_init(&ch->in_conn);
    list_init(&ch->in_session);
    return ch;
}

struct smb_channel *smb_channel_new(struct smb_conn *c, struct smb_session *s)
{
    struct smb_channel *ch = smb_channel_loose(c, s);
    if (!ch)
        return NULL;
    list_prepend(&c->sessions, &ch->in_conn);
    pthread_mutex_lock(&s->lock);
    list_append(&s->channels, &ch->in_session);
    pthread_mutex_unlock(&s->lock);
    return ch;
}

struct smb_channel *smb_channel_find(struct smb_conn *c, uint64_t session_id)
{
    struct smb_channel *ch;
    list_each(ch, &c->sessions, in_conn)
        if (ch->session->id == session_id) {
            if (c->sessions.next != &ch->in_conn) { /* the most recently used one is found first */
                list_remove(&ch->in_conn);
                list_prepend(&c->sessions, &ch->in_conn);
            }
            return ch;
        }
    return NULL;
}

struct smb_channel *smb_channel_ref(struct smb_channel *ch)
{
    if (ch)
        ch->refs++;
    return ch;
}

void smb_channel_unref(struct smb_channel *ch)
{
    if (!ch || --ch->refs)
        return;
    smb_signer_free(ch->signer);
    smb_sealer_free(ch->seal);
    smb_sealer_free(ch->unseal);
    smb_session_unref(ch->session);
    free(ch);
}

void smb_channel_drop(struct smb_channel *ch)
{
    if (list_empty(&ch->in_conn)) /* dropped before */
        return;
    list_remove(&ch->in_conn);
    pthread_mutex_lock(&ch->session->lock);
    list_remove(&ch->in_session);
    pthread_mutex_unlock(&ch->session->lock);
    smb_channel_unref(ch);
}

bool smb_channel_keys(struct smb_channel *ch, const uint8_t signing_key[16])
{
    struct smb_session *s = ch->session;
    ch->signer = smb_signer_new(ch->conn->signing_alg, signing_key);
    if (!ch->signer)
        return false;
    if (!s->cipher)
        return true;
    ch->seal = smb_sealer_new(s->cipher, s->keys.encrypt, true);
    ch->unseal = smb_sealer_new(s->cipher, s->keys.decrypt, false);
    return ch->seal && ch->unseal;
}
