/* unanswered.c - opens that their clients do not know yet: from before a CREATE is granted anything until its
 * response is on its way, breaks of what it was granted are kept back, because a client finds an oplock by the
 * FileId in that response, and takes what it says there for the newest; so of all breaks of a lease that it joins.
 * What a break is, and where it goes, is break_notify.c's. */
#include "internal.h"

struct smb_held_break {
    struct smb_held_break *next;
    struct co_event ev;
    struct fs_told *told;
};

void smb_unanswered_add(struct smb_req *r, struct smb_open *o, uint64_t number)
{
    struct smb_server *srv = o->srv;
    if (o->number)
        return; /* run again */
    o->number = number;
    o->unanswered_next = r->unanswered;
    r->unanswered = smb_open_ref(o);
    pthread_rwlock_wrlock(&srv->lock);
    list_append(&srv->unanswered, &o->in_unanswered);
    pthread_rwlock_unlock(&srv->lock);
}

void smb_unanswered_leased(struct smb_open *o)
{
    pthread_rwlock_wrlock(&o->srv->lock);
    o->answers_lease = true;
    pthread_rwlock_unlock(&o->srv->lock);
}

static bool concerns(const struct smb_open *o, const struct co_event *ev)
{
    return o->number == ev->party.open ||
           (o->answers_lease && ev->lease_kind == CO_LEASE && o->client == ev->party.client &&
            memcmp(o->lease_key, ev->party.lease, sizeof o->lease_key) == 0);
}

bool smb_unanswered_hold(struct smb_server *srv, const struct co_event *ev, struct fs_told *told)
{
    struct smb_held_break *b = NULL, **end;
    struct smb_open *o;
    pthread_rwlock_wrlock(&srv->lock);
    list_each(o, &srv->unanswered, in_unanswered) {
        if (!concerns(o, ev) || !(b = calloc(1, sizeof *b)))
            continue;
        b->ev = *ev;
        b->told = fs_told_later(told);
        for (end = &o->held_breaks; *end; end = &(*end)->next)
            ;
        *end = b;
        break;
    }
    pthread_rwlock_unlock(&srv->lock);
    return b;
}

/* One that comes meanwhile is kept behind those that are left. */
static struct smb_held_break *next_held(struct smb_server *srv, struct smb_open *o)
{
    pthread_rwlock_wrlock(&srv->lock);
    struct smb_held_break *b = o->held_breaks;
    if (b) {
        o->held_breaks = b->next;
    } else {
        list_remove(&o->in_unanswered);
        o->number = 0;
        o->answers_lease = false;
    }
    pthread_rwlock_unlock(&srv->lock);
    return b;
}

void smb_unanswered_done(struct smb_req *r)
{
    for (struct smb_open *o; (o = r->unanswered) != NULL; smb_open_unref(o)) {
        struct smb_held_break *b;
        r->unanswered = o->unanswered_next;
        while ((b = next_held(o->srv, o)) != NULL) {
            smb_break_notify(o->srv, &b->ev, b->told);
            fs_told_done(b->told);
            free(b);
        }
    }
}
