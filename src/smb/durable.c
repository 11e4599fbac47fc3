/* durable.c - durable opens: granted, kept while their client is gone, given back ([MS-SMB2] 3.3.5.9.6, .7, .10, .12,
 * 3.3.2.2). What a disconnected open still holds against others is the engine's business; it says CO_EV_VOID when the
 * open has to yield.
 *
 * A disconnected open is an smb_open without session and tree, which takes the place of the one whose session ended;
 * reconnecting makes one of the new session take its place again. So no object ever changes hands. The list of them, in
 * no order, is under the server's lock; one timer on the first home's loop closes those whose time is over. */
#include "create_contexts.h"
#include "internal.h"
#include "base/utf.h"
#include "fs/open.h"

#define TIMEOUT_MAX (300 * NSEC_PER_SEC) /* of what clients ask for, as with Windows */

/* --- Granting. */
static bool is_file(const struct fs_open *o)
{
    return o->stream || o->node->type == ST_REG;
}

static bool qualifies(const struct smb_open *o, uint8_t caching)
{
    bool level = o->oplock_level == SMB2_OPLOCK_LEVEL_BATCH || o->oplock_level == SMB2_OPLOCK_LEVEL_LEASE;
    return level && caching & CO_H && is_file(o->fso);
}

/* Whatever it may cache. Nothing is kept for the one who is to take its file along. */
static bool may_persist(const struct smb_open *o, const struct smb_create_contexts *cx)
{
    return smb_create_persists(cx, o->fso->share) && is_file(o->fso) && !(o->fso->options & FS_DELETE_ON_CLOSE);
}

bool smb_create_persists(const struct smb_create_contexts *cx, const struct fs_share *share)
{
    return cx->durable & SMB_DH2Q && cx->durable_flags & SMB2_DHANDLE_FLAG_PERSISTENT &&
           share->cfg.continuous_availability;
}

void smb_durable_grant(struct smb_open *o, struct smb_create_contexts *cx, uint8_t caching)
{
    uint64_t timeout = o->srv->cfg.durable_timeout;
    unsigned asked = cx->durable & (SMB_DHNQ | SMB_DH2Q);
    bool persistent = may_persist(o, cx);
    if (!asked || !timeout || !(persistent || qualifies(o, caching)))
        return;
    if (asked == SMB_DH2Q && cx->durable_timeout)
        timeout = MIN(cx->durable_timeout * NSEC_PER_MSEC, TIMEOUT_MAX);
    o->timeout = (uint32_t)(timeout / NSEC_PER_MSEC);
    o->persistent = persistent && smb_persist_save(o);
    o->durable = o->persistent || qualifies(o, caching);
    cx->durable_granted = o->durable ? asked : 0;
    cx->durable_timeout = o->timeout;
    cx->durable_flags = o->persistent ? SMB2_DHANDLE_FLAG_PERSISTENT : 0;
}

/* --- The time of the disconnected. */
static struct loop *timekeeper(struct smb_server *srv)
{
    return srv->homes[0].loop;
}

/* One whose time is over, as a reference and out of the list; else when the next one's is (UINT64_MAX: never). */
static struct smb_open *take_expired(struct smb_server *srv, uint64_t now, uint64_t *ret_next)
{
    struct smb_open *o, *expired = NULL;
    *ret_next = UINT64_MAX;
    pthread_rwlock_wrlock(&srv->lock);
    list_each(o, &srv->disconnected, in_disconnected) {
        if (o->expires <= now) {
            expired = smb_open_ref(o);
            smb_durable_unlist(o);
            break;
        }
        *ret_next = MIN(*ret_next, o->expires);
    }
    pthread_rwlock_unlock(&srv->lock);
    return expired;
}

static void expire(struct smb_server *srv)
{
    struct loop *l = timekeeper(srv);
    struct smb_open *o;
    uint64_t next;
    while ((o = take_expired(srv, clock_now(), &next))) {
        log_info("smb", "event=durable_expired user=%s", log_quote(o->fso->cred.name, strlen(o->fso->cred.name)));
        smb_open_close_later(o);
    }
    loop_timer(l, &srv->expiry, next == UINT64_MAX ? 0 : next);
}

static void expiry_due(struct timer *t)
{
    expire(container_of(t, struct smb_server, expiry));
}

static void expiry_posted(struct task *t)
{
    struct smb_server *srv = container_of(t, struct smb_server, expiry_task);
    pthread_rwlock_wrlock(&srv->lock);
    srv->expiry_posted = false;
    pthread_rwlock_unlock(&srv->lock);
    expire(srv);
}

void smb_durable_init(struct smb_server *srv)
{
    list_init(&srv->unanswered);
    list_init(&srv->disconnected);
    srv->ndisconnected = 0;
    srv->expiry = (struct timer){.fn = expiry_due};
    srv->expiry_task.fn = expiry_posted;
    srv->expiry_posted = false;
}

static void timer_off(void *arg)
{
    struct smb_server *srv = arg;
    loop_timer(timekeeper(srv), &srv->expiry, 0);
}

void smb_durable_stop(struct smb_server *srv)
{
    struct smb_open *o;
    uint64_t next;
    while ((o = take_expired(srv, UINT64_MAX, &next))) {
        smb_open_close(NULL, o, NULL);
        smb_open_unref(o);
    }
    loop_call(timekeeper(srv), timer_off, srv);
}

void smb_durable_unlist(struct smb_open *o)
{
    if (list_empty(&o->in_disconnected))
        return;
    list_remove(&o->in_disconnected);
    o->srv->ndisconnected--;
}

/* --- Going. */

/* What was granted may have been taken back since: then nothing protects the open from others' changes any more. Nor
 * are byte ranges kept by one who does not hold off writers. */
static bool still_protected(struct smb_open *o)
{
    uint16_t epoch;
    bool breaking;
    enum co_lease_kind kind = o->oplock_level == SMB2_OPLOCK_LEVEL_LEASE ? CO_LEASE : CO_OPLOCK;
    uint8_t caching = fs_open_caching(o->fso, kind, &epoch, &breaking);
    return caching & CO_H && (caching & CO_W || !fs_open_holds(o->fso, CO_KIND_RANGE));
}

static bool list_disconnected(struct smb_open *o)
{
    struct smb_server *srv = o->srv;
    pthread_rwlock_wrlock(&srv->lock);
    bool room = srv->ndisconnected < srv->cfg.max_disconnected;
    bool post = room && !srv->expiry_posted;
    if (room && !o->closed) {
        o->expires = clock_now() + o->timeout * NSEC_PER_MSEC;
        list_append(&srv->disconnected, &o->in_disconnected);
        srv->ndisconnected++;
    }
    srv->expiry_posted |= post;
    if (post)
        loop_post(timekeeper(srv), &srv->expiry_task);
    pthread_rwlock_unlock(&srv->lock);
    return room;
}

bool smb_durable_keep(struct smb_open *o)
{
    /* Who wanted the file to go with the open gets that now. */
    if (!o->durable || (o->fso->options & FS_DELETE_ON_CLOSE) || !(o->persistent || still_protected(o)))
        return false;
    struct smb_open *kept = smb_open_loose(o->srv);
    if (!kept)
        return false;
    if (smb_open_replace(o, kept) &&
        (!fs_open_disconnected(kept->fso, true, kept->persistent) || !list_disconnected(kept)))
        smb_open_close(NULL, kept, NULL);
    smb_open_unref(kept);
    return true;
}

void smb_durable_restored(struct smb_open *o)
{
    o->fso->owner = o;
    smb_open_insert(o);
    if (!fs_open_disconnected(o->fso, true, true) || !list_disconnected(o))
        smb_open_close(NULL, o, NULL);
}

/* --- Coming back. */
static bool same_name(const char *a, const char *b)
{
    return utf8_casecmp(a, strlen(a), b, strlen(b)) == 0;
}

static bool names_it(struct smb_req *r, struct smb_open *o, const struct smb_path *path)
{
    char *name;
    if (!path->path || fs_open_path(&r->fs, o->fso, &name) != ST_OK || !path->stream != !o->fso->stream)
        return false;
    return same_name(name, path->path) && (!path->stream || same_name(path->stream, o->fso->stream));
}

static uint32_t may_have(struct smb_req *r, const struct smb_create_contexts *cx, const struct smb_path *path,
                         struct smb_open *o)
{
    bool leased = o->oplock_level == SMB2_OPLOCK_LEVEL_LEASE;
    if (!o->expires || !o->durable || o->to_close || o->fso->share->id != r->tree->share->id)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    /* Version 1 may also bring back what version 2 made: it names no guid. */
    if (cx->durable & SMB_DH2C &&
        (memcmp(o->create_guid, cx->create_guid, 16) != 0 ||
         o->persistent != ((cx->durable_flags & SMB2_DHANDLE_FLAG_PERSISTENT) != 0)))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (leased != (cx->lease_version != 0))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (leased && (o->client != r->conn->client_id || memcmp(o->lease_key, cx->lease_key, 16) != 0))
        return STATUS_OBJECT_NAME_NOT_FOUND;
    const struct fs_cred *owner = &o->fso->cred, *user = &r->session->cred;
    if (owner->uid != user->uid || strcmp(owner->name, user->name) != 0)
        return STATUS_ACCESS_DENIED;
    return leased && !names_it(r, o, path) ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

static void nothing(void *arg) { (void)arg; }

/* What connections have still to hear is heard, and a session whose last one is lost has ended: in each loop the turn
 * that is running ends, the next one looks at all sockets and closes, and with the third that is over. On the pool. */
static void hear_out(struct smb_server *srv)
{
    for (size_t i = 0; i < 3 * srv->nhomes; i++)
        loop_call(srv->homes[i / 3].loop, nothing, NULL);
}

/* A client is often back before the end of its lost connection has been seen, or dealt with. */
static bool may_be_late(const struct smb_req *r, const struct smb_open *o)
{
    return o && o->durable && (o->session ? o->session != r->session : !o->expires);
}

uint32_t smb_durable_reconnect(struct smb_req *r, const struct smb_create_contexts *cx, const struct smb_path *path,
                               struct smb_open *to)
{
    struct smb_open *o = smb_open_by_number(r->conn->srv, cx->reconnect_id);
    if (may_be_late(r, o)) {
        if (r->job.on_pool)
            hear_out(r->conn->srv);
        smb_open_unref(o);
        if (!r->job.on_pool)
            return SMB_OFFLOAD;
        o = smb_open_by_number(r->conn->srv, cx->reconnect_id);
    }
    uint32_t status = o ? may_have(r, cx, path, o) : STATUS_OBJECT_NAME_NOT_FOUND;
    if (status == STATUS_SUCCESS && !smb_open_replace(o, to))
        status = STATUS_OBJECT_NAME_NOT_FOUND;
    smb_open_unref(o);
    if (status != STATUS_SUCCESS)
        return status;
    bool alive = fs_open_disconnected(to->fso, false, false);
    if (alive && smb_open_join_session(to))
        return STATUS_SUCCESS;
    if (!alive || !smb_durable_keep(to)) /* its new session has ended already: it waits again */
        smb_open_close(NULL, to, NULL);
    return STATUS_OBJECT_NAME_NOT_FOUND;
}
