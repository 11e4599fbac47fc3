/* nlm_wait.c - the table of blocking locks: which calls wait for a lock, and which grants are not yet confirmed.
 *
 * An entry is made when a blocking LOCK first has to wait. Its state changes only under nlm->lock, which is held for a
 * few instructions and inside no other lock; the lock itself is the file service's, which is never called under it.
 * A waiting entry belongs to its call (and goes with it), a granting one to nlm_grant.c. */
#include "nlm_int.h"
#include <errno.h>

#define NLM_WAITS_MAX 100000u

static uint64_t id_hash(const struct nlm_id *id)
{
    uint8_t key[12 + FS_HANDLE_MAX];
    put_be64(key, id->client);
    put_be32(key + 8, id->svid);
    memcpy(key + 12, id->fh, id->nfh);
    return hash_bytes(key, 12 + id->nfh);
}

static bool same_owner_and_file(const struct nlm_id *a, const struct nlm_id *b)
{
    return a->client == b->client && a->svid == b->svid && a->nfh == b->nfh && memcmp(a->fh, b->fh, a->nfh) == 0;
}
static bool same(const struct nlm_id *a, const struct nlm_id *b)
{
    return a->first == b->first && a->last == b->last && a->exclusive == b->exclusive && same_owner_and_file(a, b);
}

static struct nlm_wait *find_locked(struct nlm *nlm, const struct nlm_id *id)
{
    for (struct hash_link *l = hash_first(&nlm->waits, id_hash(id)); l; l = hash_next(l)) {
        struct nlm_wait *w = container_of(l, struct nlm_wait, link);
        if (w->state != NLM_OVER && same(&w->id, id))
            return w;
    }
    return NULL;
}

static void unlink_locked(struct nlm *nlm, struct nlm_wait *w)
{
    if (w->linked)
        hash_remove(&nlm->waits, &w->link);
    w->linked = false;
}

static void cancel_locked(struct nlm_wait *w)
{
    w->cancelled = true;
    /* The call goes on until it is taken from the table, so it is still there. */
    job_wake(&w->call->rpc.job);
}

int nlm_create(struct nfs_server *s, struct nlm **ret)
{
    struct nlm *nlm = calloc(1, sizeof *nlm);
    if (!nlm || !(nlm->lines = rpc_lines_new(s->loop)) || hash_init(&nlm->waits, 256) < 0) {
        rpc_lines_free(nlm ? nlm->lines : NULL);
        free(nlm);
        return -ENOMEM;
    }
    nlm->srv = s;
    nlm->next_cookie = 1;
    pthread_mutex_init(&nlm->lock, NULL);
    list_init(&nlm->grants);
    list_init(&nlm->sends);
    *ret = nlm;
    return 0;
}

static void stop_run(void *arg) { nlm_grant_stop(arg); }

void nlm_free(struct nlm *nlm)
{
    if (!nlm)
        return;
    loop_call(nlm->srv->loop, stop_run, nlm);
    hash_done(&nlm->waits);
    pthread_mutex_destroy(&nlm->lock);
    free(nlm);
}

void nlm_wait_free(struct nlm_wait *w)
{
    struct nlm *nlm = w->nlm;
    pthread_mutex_lock(&nlm->lock);
    unlink_locked(nlm, w);
    list_remove(&w->in_grants);
    pthread_mutex_unlock(&nlm->lock);
    free(w);
}

static struct nlm_wait *wait_new(struct nfs_call *c, const struct nlm_id *id)
{
    const struct nlm_args *a = c->rpc.args;
    const struct nlm_lock *l = &a->lock;
    struct nlm_wait *w = calloc(1, sizeof *w + l->caller.n + l->fh.n + l->oh.n);
    if (!w)
        return NULL;
    uint8_t *p = (uint8_t *)(w + 1);
    memcpy(p, l->caller.p, l->caller.n);
    memcpy(p + l->caller.n, l->fh.p, l->fh.n);
    memcpy(p + l->caller.n + l->fh.n, l->oh.p, l->oh.n);
    w->lock = *l;
    w->lock.caller.p = (const char *)p;
    w->lock.fh.p = p + l->caller.n;
    w->lock.oh.p = (const char *)p + l->caller.n + l->fh.n;
    w->id = *id;
    w->call = c;
    w->nlm = nfs_of(c)->nlm;
    w->party = c->party;
    w->peer = *c->rpc.peer;
    w->udp = c->rpc.udp != NULL;
    w->msg = c->rpc.proc_number == NLM_LOCK_MSG;
    w->vers = c->rpc.prog->vers;
    list_init(&w->in_grants);
    return w;
}

enum st nlm_wait_begin(struct nfs_call *c, const struct nlm_id *id)
{
    struct nlm *nlm = nfs_of(c)->nlm;
    if (c->wait)
        return ST_AGAIN;
    struct nlm_wait *w = wait_new(c, id);
    bool full = true;
    if (w) {
        pthread_mutex_lock(&nlm->lock);
        full = nlm->waits.count >= NLM_WAITS_MAX;
        if (!full) {
            hash_insert(&nlm->waits, &w->link, id_hash(id));
            w->linked = true;
        }
        pthread_mutex_unlock(&nlm->lock);
    }
    if (full) {
        free(w);
        fs_cancel(&c->q);
        return ST_TOOMANY;
    }
    c->wait = w;
    return ST_AGAIN;
}

bool nlm_wait_cancelled(struct nfs_call *c)
{
    struct nlm *nlm = nfs_of(c)->nlm;
    pthread_mutex_lock(&nlm->lock);
    bool cancelled = c->wait->cancelled;
    pthread_mutex_unlock(&nlm->lock);
    return cancelled;
}

enum st nlm_wait_end(struct nfs_call *c, struct st_node *n, enum st st)
{
    struct nlm_wait *w = c->wait;
    if (!w)
        return st;
    pthread_mutex_lock(&w->nlm->lock);
    bool undo = st == ST_OK && w->cancelled;
    bool tell = st == ST_OK && !undo && c->rpc.answered; /* the client was told BLOCKED */
    if (tell)
        w->state = NLM_GRANTING; /* from here on CANCEL releases the lock itself */
    else
        unlink_locked(w->nlm, w);
    pthread_mutex_unlock(&w->nlm->lock);
    if (tell)
        return ST_OK;
    if (undo) {
        const struct fs_range range = {.first = w->id.first, .last = w->id.last};
        fs_unlock(&c->q, n, NULL, &range, 1);
        st = ST_CANCELLED;
    } else if (st != ST_OK && c->q.fs) {
        fs_cancel(&c->q);
    }
    free(w);
    c->wait = NULL;
    return st;
}

void nlm_wait_drop(struct nfs_call *c)
{
    if (c->wait)
        nlm_wait_free(TAKE_PTR(c->wait));
}

bool nlm_wait_known(struct nlm *nlm, const struct nlm_id *id)
{
    pthread_mutex_lock(&nlm->lock);
    struct nlm_wait *w = find_locked(nlm, id);
    bool waiting = w && w->state == NLM_WAITING && !w->cancelled;
    if (w && w->state == NLM_GRANTING)
        w->state = NLM_OVER; /* this call's answer tells the client */
    pthread_mutex_unlock(&nlm->lock);
    return waiting;
}

bool nlm_wait_cancel(struct nlm *nlm, const struct nlm_id *id)
{
    bool release = false;
    pthread_mutex_lock(&nlm->lock);
    struct nlm_wait *w = find_locked(nlm, id);
    if (w && w->state == NLM_WAITING) {
        cancel_locked(w);
    } else if (w) {
        w->state = NLM_OVER;
        release = true;
    }
    pthread_mutex_unlock(&nlm->lock);
    return release;
}

void nlm_wait_unlock(struct nlm *nlm, const struct nlm_id *id)
{
    pthread_mutex_lock(&nlm->lock);
    for (struct hash_link *l = hash_first(&nlm->waits, id_hash(id)); l; l = hash_next(l)) {
        struct nlm_wait *w = container_of(l, struct nlm_wait, link);
        if (!same_owner_and_file(&w->id, id) || w->id.first < id->first || w->id.last > id->last)
            continue;
        if (w->state == NLM_WAITING)
            cancel_locked(w);
        else
            w->state = NLM_OVER; /* the caller unlocks */
    }
    pthread_mutex_unlock(&nlm->lock);
}

void nlm_wait_host_gone(struct nlm *nlm, uint64_t client)
{
    pthread_mutex_lock(&nlm->lock);
    for (size_t i = 0; i <= nlm->waits.mask; i++) {
        for (struct hash_link *l = nlm->waits.slots[i]; l; l = l->next) {
            struct nlm_wait *w = container_of(l, struct nlm_wait, link);
            if (w->id.client != client)
                continue;
            if (w->state == NLM_WAITING)
                cancel_locked(w);
            else
                w->state = NLM_OVER;
        }
    }
    pthread_mutex_unlock(&nlm->lock);
}
