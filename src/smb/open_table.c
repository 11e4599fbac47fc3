/* open_table.c - opens: ids, limits, lookups, closing ([MS-SMB2] 3.3.1.10).
 *
 * References: the table's, the session's list has none of its own (an open leaves list and table together), and one per
 * request that uses it. What is behind an open is closed once, by whoever takes it out of the table; requests that were
 * waiting on it are woken then. */
#include "internal.h"
#include "fs/open.h"
#include "pipe.h"

struct smb_open *smb_open_ref(struct smb_open *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
    return o;
}

void smb_open_unref(struct smb_open *o)
{
    if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
        return;
    fs_open_unref(o->fso);
    smb_pipe_free(o->pipe);
    struct smb_server *srv = o->srv;
    struct smb_session *s = o->session;
    smb_tree_unref(o->tree);
    pthread_mutex_destroy(&o->lock);
    free(o);
    if (s) {
        atomic_fetch_sub(&s->nopens, 1);
        smb_session_unref(s);
    } else {
        smb_alive(srv, &srv->loose, -1);
    }
}

/* Keeps it for the request; `o` is a reference. */
static struct smb_open *keep(struct smb_req *r, struct smb_open *o)
{
    for (size_t i = 0; i < ARRAY_LEN(r->opens); i++) {
        if (r->opens[i] == o) { /* found before, in an earlier run */
            smb_open_unref(o);
            return o;
        }
        if (!r->opens[i]) {
            r->opens[i] = o;
            return o;
        }
    }
    smb_open_unref(o);
    return NULL;
}

static struct smb_open *open_make(struct smb_server *srv)
{
    struct smb_open *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->srv = srv;
    atomic_init(&o->refs, 1);
    list_init(&o->in_session);
    list_init(&o->in_disconnected);
    list_init(&o->in_unanswered);
    list_init(&o->waiting);
    pthread_mutex_init(&o->lock, NULL);
    return o;
}

struct smb_open *smb_open_loose(struct smb_server *srv)
{
    struct smb_open *o = open_make(srv);
    if (o)
        smb_alive(srv, &srv->loose, 1);
    return o;
}

struct smb_open *smb_open_new(struct smb_req *r)
{
    struct smb_session *s = r->session;
    struct smb_open *o = atomic_fetch_add(&s->nopens, 1) < s->srv->cfg.max_opens ? open_make(s->srv) : NULL;
    if (!o) {
        atomic_fetch_sub(&s->nopens, 1);
        return NULL;
    }
    o->session = smb_session_ref(s);
    o->client = r->conn->client_id;
    memcpy(o->client_guid, r->conn->client_guid, 16);
    o->channel_sequence = r->channel_sequence;
    o->tree = r->tree;
    atomic_fetch_add_explicit(&o->tree->refs, 1, memory_order_relaxed);
    do
        o->volatile_id = atomic_fetch_add(&s->srv->next_id, 1);
    while (!o->volatile_id || o->volatile_id == UINT64_MAX);
    o->persistent_id = o->volatile_id;
    return o;
}

bool smb_open_join_session(struct smb_open *o)
{
    struct smb_session *s = o->session;
    pthread_mutex_lock(&s->lock);
    bool late = s->state == SMB_SESSION_GONE || o->tree->gone;
    if (!late)
        list_append(&s->opens, &o->in_session);
    pthread_mutex_unlock(&s->lock);
    return !late;
}

void smb_open_insert(struct smb_open *o)
{
    struct smb_server *srv = o->srv;
    smb_open_ref(o); /* the table's */
    if (o->fso)
        fs_open_ref(o->fso); /* fs_close() takes fs_open()'s; ours goes with the last request that uses it */
    if (o->fso && o->oplock_level == SMB2_OPLOCK_LEVEL_LEASE)
        smb_lease_join(o);
    pthread_rwlock_wrlock(&srv->lock);
    hash_insert(&srv->opens, &o->by_id, hash_u64(o->persistent_id));
    o->published = true;
    pthread_rwlock_unlock(&srv->lock);
}

/* A session or tree that ended while the open was being made closes it again at once. */
void smb_open_publish(struct smb_open *o)
{
    smb_open_insert(o);
    if (!smb_open_join_session(o))
        smb_open_close(NULL, o, NULL);
}

/* What is granted to an open, and what it remembers of its requests, whatever object stands for it. */
static void hand_over(struct smb_open *from, struct smb_open *to)
{
    pthread_mutex_lock(&from->lock);
    to->break_key = from->break_key;
    to->breaking = from->breaking;
    to->oplock_level = from->oplock_level;
    to->channel_sequence = from->channel_sequence;
    pthread_mutex_unlock(&from->lock);
    to->persistent_id = from->persistent_id;
    to->fso = fs_open_ref(from->fso);
    to->lease_v2 = from->lease_v2;
    memcpy(to->lease_key, from->lease_key, sizeof to->lease_key);
    memcpy(to->create_guid, from->create_guid, sizeof to->create_guid);
    memcpy(to->lock_sequence, from->lock_sequence, sizeof to->lock_sequence);
    to->client = from->client;
    memcpy(to->client_guid, from->client_guid, sizeof to->client_guid);
    to->action = from->action;
    to->durable = from->durable;
    to->persistent = from->persistent;
    to->timeout = from->timeout;
}

bool smb_open_replace(struct smb_open *from, struct smb_open *to)
{
    struct smb_server *srv = from->srv;
    if (atomic_exchange(&from->closed, true))
        return false;
    hand_over(from, to);
    to->fso->owner = smb_open_ref(to); /* the table's */
    pthread_rwlock_wrlock(&srv->lock);
    hash_remove(&srv->opens, &from->by_id);
    hash_insert(&srv->opens, &to->by_id, hash_u64(to->persistent_id));
    smb_replay_move(from, to);
    smb_durable_unlist(from);
    to->lease = TAKE_PTR(from->lease);
    to->published = true;
    pthread_rwlock_unlock(&srv->lock);
    if (from->session) {
        pthread_mutex_lock(&from->session->lock);
        list_remove(&from->in_session);
        pthread_mutex_unlock(&from->session->lock);
    }
    smb_open_wake(from);
    smb_open_unref(from);
    return true;
}

/* UINT64_MAX: any volatile id. */
static struct smb_open *lookup(struct smb_server *srv, uint64_t persistent_id, uint64_t volatile_id)
{
    struct smb_open *found = NULL;
    pthread_rwlock_rdlock(&srv->lock);
    for (struct hash_link *l = hash_first(&srv->opens, hash_u64(persistent_id)); l && !found; l = hash_next(l)) {
        struct smb_open *o = container_of(l, struct smb_open, by_id);
        if (o->persistent_id == persistent_id && (volatile_id == UINT64_MAX || o->volatile_id == volatile_id))
            found = smb_open_ref(o);
    }
    pthread_rwlock_unlock(&srv->lock);
    return found;
}

struct smb_open *smb_open_get(struct smb_req *r, uint64_t persistent_id, uint64_t volatile_id)
{
    struct smb_open *o = lookup(r->conn->srv, persistent_id, volatile_id);
    if (o && o->session == r->session && !o->closed)
        return o;
    smb_open_unref(o);
    return NULL;
}

struct smb_open *smb_open_by_number(struct smb_server *srv, uint64_t persistent_id)
{
    return lookup(srv, persistent_id, UINT64_MAX);
}

struct smb_open *smb_open_find(struct smb_req *r)
{
    uint64_t persistent_id = cursor_le64(&r->in), volatile_id = cursor_le64(&r->in);
    struct smb_open *o;
    if ((r->flags & SMB2_FLAGS_RELATED_OPERATIONS) && r->chain_open)
        o = r->chain_open->closed ? NULL : smb_open_ref(r->chain_open);
    else
        o = smb_open_get(r, persistent_id, volatile_id);
    if (o && (o->tree != r->tree || o->session != r->session)) {
        smb_open_unref(o);
        o = NULL;
    }
    if (!o)
        return NULL;
    if (r->chain_open != o) {
        smb_open_unref(r->chain_open);
        r->chain_open = smb_open_ref(o);
    }
    return keep(r, o);
}

void smb_open_wake(struct smb_open *o)
{
    struct smb_req *r;
    pthread_mutex_lock(&o->lock);
    smb_list_each(r, &o->waiting, in_open)
        job_wake(&r->job);
    pthread_mutex_unlock(&o->lock);
}

bool smb_open_close(struct smb_req *r, struct smb_open *o, struct fs_attr *attr)
{
    struct smb_server *srv = o->srv;
    if (atomic_exchange(&o->closed, true))
        return false;
    pthread_rwlock_wrlock(&srv->lock);
    hash_remove(&srv->opens, &o->by_id);
    smb_replay_unlist(o);
    smb_durable_unlist(o);
    pthread_rwlock_unlock(&srv->lock);
    if (o->session) {
        pthread_mutex_lock(&o->session->lock);
        list_remove(&o->in_session);
        pthread_mutex_unlock(&o->session->lock);
    }
    if (o->lease)
        smb_lease_leave(o);
    if (o->persistent && !srv->stopping)
        smb_persist_drop(o);
    if (o->fso && r) {
        fs_close(&r->fs, o->fso, attr);
    } else if (o->fso) {
        struct arena arena;
        struct fs_req q;
        arena_init(&arena);
        fs_req_init(&q, srv->fs, NULL, &arena);
        q.share = o->fso->share;
        q.cred = &o->fso->cred;
        q.party = &o->fso->party;
        q.may_block = true;
        fs_close(&q, o->fso, attr);
        arena_reset(&arena);
    }
    smb_open_wake(o);
    smb_open_unref(o); /* the table's */
    return true;
}

static void close_due(struct task *t)
{
    struct smb_open *o = container_of(t, struct smb_open, closing);
    smb_open_close(NULL, o, NULL);
    smb_open_unref(o);
}

void smb_open_close_later(struct smb_open *o)
{
    if (atomic_exchange(&o->to_close, true)) {
        smb_open_unref(o);
        return;
    }
    o->closing.fn = close_due;
    smb_run_blocking(o->srv, &o->closing);
}

void smb_open_wait(struct smb_req *r)
{
    struct smb_open *o = r->opens[0];
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    list_remove(&r->in_open);
    list_append(&o->waiting, &r->in_open);
    pthread_mutex_unlock(&o->lock);
    /* What happened before it was listed wakes nobody else. */
    if (r->until_idle && !o->busy) {
        job_wake(&r->job);
    } else if (o->closed && !r->told_closed) {
        r->told_closed = true;
        job_wake(&r->job);
    }
}

void smb_open_nowait(struct smb_req *r)
{
    struct smb_open *o = r->opens[0];
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    list_remove(&r->in_open);
    pthread_mutex_unlock(&o->lock);
}

void smb_open_busy(struct smb_req *r)
{
    struct smb_open *o = r->opens[0];
    if (!o || r->busy || r->command == SMB2_CLOSE)
        return;
    r->busy = true;
    atomic_fetch_add(&o->busy, 1);
}

void smb_open_idle(struct smb_req *r)
{
    struct smb_open *o = r->opens[0];
    if (!r->busy)
        return;
    r->busy = false;
    if (atomic_fetch_sub(&o->busy, 1) == 1)
        smb_open_wake(o);
}
