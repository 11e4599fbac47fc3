/* play_locks.c - see play.h: byte ranges, exclusive and shared, over both protocols. Nobody ever has one that another's
 * excludes; what is counted under a lock is neither lost nor counted twice. A lock manager's locks survive the server:
 * when it says that it has restarted they are reclaimed. */
#include "play.h"

static void take_hold(struct player *p, uint64_t first, uint64_t last, bool exclusive)
{
    struct world *w = p->world;
    struct hold *place = NULL;
    for (struct hold *h = w->hold; h < w->hold + HOLDS; h++) {
        if (!h->by)
            place = h;
        else if (h->by != p && h->first <= last && first <= h->last && (exclusive || h->exclusive))
            wrong(w, "gets a lock that excludes another client's", p);
    }
    if (!place)
        torture_fail("too many locks");
    *place = (struct hold){p, first, last, exclusive};
    w->stats.locked += exclusive;
    w->stats.shared += !exclusive;
}

static bool holds(const struct player *p)
{
    for (const struct hold *h = p->world->hold; h < p->world->hold + HOLDS; h++)
        if (h->by == p)
            return true;
    return false;
}

void drop_holds(struct player *p)
{
    for (struct hold *h = p->world->hold; h < p->world->hold + HOLDS; h++)
        if (h->by == p)
            h->by = NULL;
}

/* --- SMB. */

static bool smb_back(struct player *p, uint32_t status) /* the connection was lost, and it is here again */
{
    if (status != CALL_LOST)
        return false;
    smb_return(p);
    return p->smb.conn;
}

static bool smb_take(struct player *p, uint64_t first, uint64_t len, bool exclusive)
{
    uint32_t flags = (exclusive ? LOCK_EXCLUSIVE : LOCK_SHARED) | (dice(p, 2) ? LOCK_FAIL_IMMEDIATELY : 0);
    uint32_t status = play_call(p, smb_lock(&p->smb, &p->counters, first, len, flags), NULL);
    if (!status)
        take_hold(p, first, first + len - 1, exclusive);
    else if (smb_back(p, status) && p->counters_kept) /* perhaps it has it */
        play_call(p, smb_lock(&p->smb, &p->counters, first, len, LOCK_UNLOCK), NULL);
    return !status;
}

static void smb_give(struct player *p, uint64_t first, uint64_t len)
{
    if (!holds(p))
        return; /* it went with the connection */
    drop_holds(p);
    uint32_t status = play_call(p, smb_lock(&p->smb, &p->counters, first, len, LOCK_UNLOCK), NULL);
    if (smb_back(p, status) && p->counters_kept)
        play_call(p, smb_lock(&p->smb, &p->counters, first, len, LOCK_UNLOCK), NULL);
    else if (status && status != CALL_LOST)
        wrong(p->world, "cannot unlock what it has locked", p);
}

/* --- NLM. */

static bool nlm_again(struct player *p, uint32_t status)
{
    if (status == CALL_LOST)
        nfs_return(p);
    if (status == NLM4_DENIED_GRACE_PERIOD)
        fiber_sleep(&p->world->fibers, 50);
    return status == NLM4_DENIED_GRACE_PERIOD || (status == CALL_LOST && p->nlm.rpc.conn);
}

static bool granted(void *arg)
{
    struct player *p = arg;
    struct nlm_grant *g;
    list_each(g, &p->nlm.grants, link)
        if (g->svid == p->lock.svid)
            return true;
    return false;
}

/* What was said before a restart counts no more. */
static bool nlm_take(struct player *p, uint64_t first, uint64_t len, bool exclusive)
{
    struct world *w = p->world;
    uint32_t status;
    unsigned kills;
    p->lock = (struct nlm_lock){.fh = w->counters_fh, .svid = ++p->svid, .exclusive = exclusive,
                                .block = p->nlm.reachable && dice(p, 2), .offset = first, .len = len};
    do {
        kills = w->kills;
        status = play_call(p, nlm_lock(&p->nlm, &p->lock), NULL);
        while (status == NLM4_BLOCKED && !granted(p) && w->kills == kills)
            fiber_until(&w->fibers, granted, p, 500);
    } while (nlm_again(p, status) || w->kills != kills);
    if (status != NLM4_GRANTED && status != NLM4_BLOCKED)
        return false;
    take_hold(p, first, first + len - 1, exclusive);
    return true;
}

static bool reclaimed(void *arg) { return !((struct player *)arg)->reclaiming; }

static void nlm_give(struct player *p)
{
    uint32_t status;
    while (p->reclaiming)
        fiber_until(&p->world->fibers, reclaimed, p, 1000);
    drop_holds(p);
    if (dice(p, 40) == 0) { /* it restarts instead: its status monitor says so */
        p->nsm_state += 2;
        struct call *c = nsm_notify(&p->nlm, p->nsm_state);
        call_free(c);
        p->world->stats.crashes++;
        return;
    }
    do
        status = play_call(p, nlm_unlock(&p->nlm, &p->lock), NULL);
    while (nlm_again(p, status));
    if (status && status != CALL_LOST)
        wrong(p->world, "cannot unlock what it has locked", p);
}

static bool notified(void *arg)
{
    struct player *p = arg;
    return p->ended || p->nlm.notified != p->notified;
}

static void reclaim(struct player *p)
{
    struct world *w = p->world;
    struct nlm_lock l = p->lock;
    unsigned kills = w->kills;
    uint32_t status;
    if (!holds(p))
        return;
    l.reclaim = true;
    l.block = false;
    p->reclaiming = true;
    do
        status = play_call(p, nlm_lock(&p->nlm, &l), NULL);
    while (status == CALL_LOST && nlm_again(p, status) && w->kills == kills);
    p->reclaiming = false;
    w->stats.reclaimed += status == NLM4_GRANTED;
    if (status != NLM4_GRANTED && w->kills == kills)
        wrong(w, "cannot reclaim its lock", p);
}

void reclaimer_main(void *arg)
{
    struct player *p = arg;
    struct world *w = p->world;
    while (!p->ended) {
        fiber_until(&w->fibers, notified, p, 1000);
        if (p->nlm.notified == p->notified)
            continue;
        p->notified = p->nlm.notified;
        if (!(p->nlm.notified_state & 1))
            wrong(w, "is told an even state number by a server that is up", p);
        if (p->nlm.notified_state < p->server_state)
            wrong(w, "is told an older state number than before", p);
        p->server_state = p->nlm.notified_state;
        reclaim(p);
    }
}

/* --- Counters and ranges. */

static bool take(struct player *p, uint64_t first, uint64_t len, bool exclusive)
{
    return p->is_smb ? smb_take(p, first, len, exclusive) : nlm_take(p, first, len, exclusive);
}

static void give(struct player *p, uint64_t first, uint64_t len)
{
    if (p->is_smb)
        smb_give(p, first, len);
    else
        nlm_give(p);
}

static void smb_count(struct player *p, uint64_t offset, uint64_t *value, uint32_t *r, uint32_t *w)
{
    uint8_t data[8];
    do
        *r = read_value(p, smb_read(&p->smb, &p->counters, offset, 8), value);
    while (smb_back(p, *r) && holds(p));
    put_le64(data, *value + 1);
    *w = CALL_LOST;
    if (*r)
        return;
    do
        *w = play_call(p, smb_write(&p->smb, &p->counters, offset, data, 8), NULL);
    while (smb_back(p, *w) && holds(p));
}

static void nfs_count(struct player *p, uint64_t offset, uint64_t *value, uint32_t *r, uint32_t *w)
{
    struct nfs_fh *fh = &p->world->counters_fh;
    uint8_t data[8];
    do
        *r = read_value(p, nfs_read(&p->nfs, fh, offset, 8), value);
    while (nfs_retry(p, *r));
    put_le64(data, *value + 1);
    *w = CALL_LOST;
    if (*r)
        return;
    do
        *w = play_call(p, nfs_write(&p->nfs, fh, offset, data, 8, FILE_SYNC), NULL);
    while (nfs_retry(p, *w));
}

void raise_counter(struct player *p, unsigned c)
{
    struct world *w = p->world;
    uint64_t offset = (uint64_t)c * SPACING, value;
    uint32_t r, s;
    if (!take(p, offset, 8, true))
        return;
    (p->is_smb ? smb_count : nfs_count)(p, offset, &value, &r, &s);
    w->raised[c] += !r && !s;
    w->perhaps[c] += !r && s == CALL_LOST;
    if ((r && r != CALL_LOST) || (s && s != CALL_LOST))
        wrong(w, "cannot read or write what it has locked", p);
    give(p, offset, 8);
}

void lock_range(struct player *p)
{
    uint64_t first = RANGES_AT + dice(p, RANGES), len = 1 + dice(p, 8);
    if (!take(p, first, len, dice(p, 3) == 0))
        return;
    fiber_sleep(&p->world->fibers, dice(p, 30) ? dice(p, 4) : dice(p, 400)); /* some are there when the server dies */
    give(p, first, len);
}

void check_counters(struct world *w)
{
    struct player *first = &w->player[0];
    if (!first->nfs.rpc.conn)
        (void)rpc_open(&first->nfs.rpc, &first->host, &w->target->nfs, 2049);
    for (unsigned c = 0; c < COUNTERS; c++) {
        uint64_t value = 0;
        struct call *call = nfs_read(&first->nfs, &w->counters_fh, (uint64_t)c * SPACING, 8);
        if (call_wait(call, w->wire->patience) && !call->status && call->r.ndata >= 8)
            value = get_le64(call->r.data);
        call_free(call);
        printf("# counter %u: raised %llu times%s, and is %llu\n", c, (unsigned long long)w->raised[c],
               w->perhaps[c] ? " or more" : "", (unsigned long long)value);
        if (value < w->raised[c] || value > w->raised[c] + w->perhaps[c])
            wrong(w, "a counter lost or won something", first);
    }
}
