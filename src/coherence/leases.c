/* leases.c - caching rights being taken back: IDLE -> BREAKING(to, floor) -> IDLE. A lease is separate from the opens
 * that stand under it and goes with the last of them. What a holder must give up is decided by rules.c; who waits, by
 * eval.c. grant.c gives rights out; tick.c calls lease_timeout() at the deadline.
 *
 * `granted` never says less than what the holder may still be doing: it is lowered when the holder has answered, when
 * no answer is required (as the event is made), or by revocation. While BREAKING a stricter need only lowers `floor`;
 * the next step begins when the answer is there ([MS-FSA] 2.1.4.12, [MS-SMB2] 3.3.5.22). */
#include "engine.h"

bool lease_disconnected(const struct lease *l, bool *ret_persistent)
{
    const struct share *s;
    *ret_persistent = false;
    list_each(s, &l->shares, of_lease) {
        if (!s->disconnected)
            return false;
        *ret_persistent |= s->persistent;
    }
    return !list_empty(&l->shares);
}

static void lease_settle(struct co *co, struct lease *l, uint8_t granted)
{
    l->granted = l->to = l->floor = granted;
    l->breaking = l->cascade = l->stored = false;
    timer_clear(&shard_of(co, l->file)->timers, &l->timer);
}

static void lease_free(struct co *co, struct lease *l)
{
    struct shard *sh = shard_of(co, l->file);
    timers_release(&sh->timers, &l->timer);
    list_remove(&l->link);
    sh->stats.leases--;
    pool_put(&sh->leases, l);
}

void lease_left(struct co *co, struct lease *l, uint64_t now)
{
    struct file *f = l->file;
    if (!list_empty(&l->shares))
        return;
    lease_free(co, l);
    queue_wake(co, f, WHY_LEASE, NULL, now);
}

/* Whoever caches nothing itself cannot win a lease race against a client that reopens at once: for a while its file
 * gets no new rights of the kind that were in its way, longer each time. */
static void hold_off(struct co *co, struct file *f, uint8_t lost, const struct co_party *by, uint64_t now)
{
    uint64_t base = co->policy.regrant_holdoff;
    if (!base || (by->open && by->flavour == CO_WINDOWS))
        return;
    if (lost & CO_W) {
        f->backoff = f->hold_w && now < f->hold_w + base ? MIN(f->backoff + 1, 3) : 0;
        f->hold_w = now + MIN(base << f->backoff, 6 * base);
    }
    if (lost & CO_R)
        f->hold_r = MAX(f->hold_r, now + base / 10);
}

/* All opens are gone for the moment and nobody would answer. A right that leaves H is lowered here; one that takes H
 * takes the opens with it ([MS-SMB2] 3.3.4.6, 3.3.4.7). False: the lease went with its last open. */
static bool lease_lower_orphan(struct co *co, struct lease *l, uint8_t to, uint64_t now, struct co_out *out)
{
    struct file *f = l->file;
    if (l->granted & CO_H && to & CO_H) {
        lease_settle(co, l, to);
        l->epoch++;
        queue_wake(co, f, WHY_LEASE | WHY_SHARE, NULL, now);
        return true;
    }
    for (size_t left = list_count(&l->shares); left; left--) {
        struct share *s = list_first(&l->shares, struct share, of_lease);
        if (!share_void(co, f, s, now, out)) {
            lease_revoke(co, l, now, out);
            return true;
        }
    }
    return false;
}

static bool lease_say(const struct lease *l, struct co_event *ev, struct co_out *out)
{
    ev->kind = CO_EV_BREAK;
    ev->key = l->file->key;
    ev->party = l->party;
    ev->lease_kind = l->kind;
    return out_push(out, ev);
}

bool lease_tell(struct lease *l, struct co_event *ev, struct co_out *out)
{
    ev->lease = l->seq;
    if (!lease_say(l, ev, out))
        return false;
    l->believed = l->untold++ ? l->believed | ev->from : ev->from;
    return true;
}

void co_told(struct co *co, const struct co_key *key, uint64_t lease, uint64_t now)
{
    struct shard *sh;
    struct lease *l;
    struct file *f = file_lock(co, key, &sh);
    if (f)
        list_each(l, &f->leases, link)
            if (l->seq == lease && l->untold && !--l->untold)
                queue_wake(co, f, WHY_LEASE, NULL, now);
    pthread_mutex_unlock(&sh->mu);
}

/* One step down to `to`, told to the holder. False: the lease is gone. */
static bool lease_step(struct co *co, struct lease *l, uint8_t to, uint64_t now, struct co_out *out)
{
    bool persistent, ack = rule_needs_ack(l->kind, l->granted);
    bool away = lease_disconnected(l, &persistent);
    if (away && (!persistent || (l->granted & to & CO_H)))
        return lease_lower_orphan(co, l, to, now, out);
    l->epoch += !l->cascade; /* all steps of a cascade are one change, as Windows counts */
    struct co_event ev = {.from = l->granted, .to = to, .epoch = l->epoch, .ack = ack};
    if (!away && !lease_tell(l, &ev, out)) {
        lease_revoke(co, l, now, out);
        return true;
    }
    if (!away && !ack) {
        lease_settle(co, l, to);
        return true;
    }
    if (away)
        l->believed = l->untold ? l->believed | l->granted : l->granted;
    l->stored = away;
    l->breaking = true;
    l->to = to;
    l->break_at = now;
    timer_set(co, &shard_of(co, l->file)->timers, &l->timer, now + co->policy.lease_break_timeout);
    return true;
}

bool lease_break(struct co *co, struct lease *l, uint8_t keep, const struct co_party *by, uint64_t now,
                 struct co_out *out)
{
    keep = rule_valid(l->kind, keep & l->granted);
    if (l->breaking) {
        l->floor = rule_valid(l->kind, l->floor & keep);
        return true;
    }
    if (keep == l->granted)
        return true;
    hold_off(co, l->file, l->granted & ~keep, by, now);
    l->floor = keep;
    struct file *f = l->file;
    bool alive = lease_step(co, l, keep, now, out);
    queue_wake(co, f, WHY_EARLIER, NULL, now); /* the holder's own tickets may now pass: D3 */
    return alive;
}

/* The answer is there, but somebody needs less: next step, by way of R when H is to go with R, as Windows does it. */
static bool lease_cascade(struct co *co, struct lease *l, uint64_t now, struct co_out *out)
{
    while (l->granted & ~l->floor && !l->breaking) {
        uint8_t floor = l->floor, to = floor;
        if (l->granted & CO_H && !(floor & CO_R))
            to = rule_valid(l->kind, CO_R);
        l->cascade = true;
        if (!lease_step(co, l, to, now, out))
            return false;
        l->floor = floor;
    }
    return true;
}

static struct lease *lease_find(const struct file *f, const struct co_party *party, enum co_lease_kind kind)
{
    struct lease *l;
    list_each(l, &f->leases, link)
        if (l->kind == kind && lease_own(l, party))
            return l;
    return NULL;
}

void lease_back(struct co *co, struct lease *l, uint64_t now, struct co_out *out)
{
    bool ack = rule_needs_ack(l->kind, l->granted);
    struct co_event ev = {.from = l->granted, .to = l->to, .epoch = l->epoch, .ack = ack};
    bool believes = l->stored || l->granted & CO_W; /* by what it is answered: co_lease_kept() */
    bool said = believes ? lease_tell(l, &ev, out) : lease_say(l, &ev, out);
    l->stored = false;
    if (!said)
        lease_revoke(co, l, now, out);
    else if (!ev.ack)
        lease_settle(co, l, l->to);
    queue_wake(co, l->file, WHY_LEASE, NULL, now);
}

uint8_t co_lease_kept(struct co *co, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
                      uint16_t *ret_epoch)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    const struct lease *l = f ? lease_find(f, party, kind) : NULL;
    uint8_t kept = 0;
    if (l) {
        kept = l->breaking && !(l->granted & CO_W) ? l->to : l->granted;
        *ret_epoch = (uint16_t)(l->epoch - l->breaking);
    }
    pthread_mutex_unlock(&sh->mu);
    return kept;
}

static enum st lease_acked(struct co *co, struct lease *l, uint8_t keep, uint64_t now, struct co_out *out)
{
    struct file *f = l->file;
    if (!l->breaking)
        return ST_NO_BREAK;
    enum st st = ST_OK;
    if (keep & ~l->to) {
        if (l->kind != CO_OPLOCK)
            return ST_BAD_ACK;
        keep = 0; /* [MS-SMB2] 3.3.5.22.1: the break is complete all the same, with nothing left */
        st = ST_BAD_ACK;
    }
    struct co_event ev = {.kind = CO_EV_ACK, .key = f->key, .party = l->party, .waited = now - l->break_at};
    (void)out_push(out, &ev);
    uint8_t floor = l->floor;
    lease_settle(co, l, rule_valid(l->kind, keep));
    l->floor = floor & l->granted;
    (void)lease_cascade(co, l, now, out);
    queue_wake(co, f, WHY_LEASE | WHY_SHARE, NULL, now);
    return st;
}

enum st co_ack(struct co *co, const struct co_key *key, const struct co_party *party, enum co_lease_kind kind,
               uint8_t keep, uint64_t now, struct co_out *out)
{
    struct shard *sh;
    struct file *f = file_lock(co, key, &sh);
    struct lease *l = f ? lease_find(f, party, kind) : NULL;
    enum st st = l ? lease_acked(co, l, keep, now, out) : ST_NOENT;
    if (f)
        file_put(co, f, now);
    pthread_mutex_unlock(&sh->mu);
    return st;
}

/* Who waits for it now waits for somebody who is not there, which may take more from the lease. */
void lease_orphaned(struct co *co, struct lease *l, uint64_t now, struct co_out *out)
{
    struct file *f = l->file;
    struct part *p;
    uint8_t keep = l->floor;
    list_each(p, &f->queue, link)
        if (!lease_own(l, &p->op->party))
            keep &= rule_keep_of(rule_of(&co->policy, &p->op->party, &p->ask), l);
    if (lease_lower_orphan(co, l, rule_valid(l->kind, keep), now, out))
        queue_wake(co, f, WHY_LEASE | WHY_SHARE, NULL, now);
}

/* Law: revoke first, then proceed. Whoever waited for this learns that it was not given back. */
void lease_revoke(struct co *co, struct lease *l, uint64_t now, struct co_out *out)
{
    struct part *p;
    list_each(p, &l->file->queue, link)
        if (l->breaking && p->why & WHY_LEASE && !lease_own(l, &p->op->party))
            atomic_store(&p->op->revoked, true);
    lease_settle(co, l, 0);
    l->epoch++;
    queue_wake(co, l->file, WHY_LEASE | WHY_SHARE, NULL, now);
}

void lease_timeout(struct co *co, struct lease *l, uint64_t now, struct co_out *out)
{
    struct file *f = l->file;
    struct co_event drop = {.kind = CO_EV_DROP, .key = f->key, .party = l->party};
    if (!l->stored) /* else it could not know */
        penalty_add(co, l->party.client, now);
    lease_revoke(co, l, now, out);
    if (co->policy.on_break_timeout == CO_DISCONNECT)
        (void)out_push(out, &drop);
    if (co->policy.on_break_timeout != CO_CLOSE)
        return;
    size_t left = list_count(&l->shares);
    while (left-- && share_void(co, f, list_first(&l->shares, struct share, of_lease), now, out))
        continue; /* the last takes the lease with it */
}
