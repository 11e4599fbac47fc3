/* play_kill.c - see play.h: the server is killed and started again while the others play, and hosts of its own look
 * what it remembers (semantics 4): the lock manager that held locks is notified and reclaims them, everybody else waits
 * for the grace period's end, nobody caches meanwhile; of SMB's opens persistent ones are there, with their ranges. */
#include "play.h"
#include <sys/random.h>

enum { HELD = 100, KEPT_AT = 300, GRACE_MAX = 60 /* s */ };

static struct killer {
    struct world *world;
    struct player us;              /* for what play_call() needs: its number and its answers */
    struct fiber fiber;
    struct host host[5];
    struct nfs nfs;
    struct nlm holder, other;      /* who holds locks, and who would like to */
    struct smb plain, kept, fresh; /* an open that is durable, one that is persistent, and somebody new */
    struct smb_file plain_file, kept_file, held_file, free_file;
    uint8_t plain_key[16], plain_guid[16], kept_key[16], kept_guid[16];
    struct nfs_fh held, free, stable;
    char path[4][64];              /* held, free, plain, kept: over SMB */
    struct nlm_lock exclusive, shared;
    uint64_t stable_value;
    bool persistent;
} killer;

static void expect(struct killer *k, bool holds, const char *text)
{
    if (!holds)
        wrong(k->world, text, &k->us);
}

static uint32_t say(struct killer *k, struct call *c) { return play_call(&k->us, c, NULL); }

/* --- Before. */

static struct nfs_fh make_file(struct killer *k, const char *name)
{
    static const uint8_t zeroes[8192];
    struct call_result r = {0};
    if (call_result(nfs_create(&k->nfs, &k->world->new_fh, name, GUARDED, NFS_NO_SIZE, 0), &r) ||
        call_end(nfs_write(&k->nfs, &r.fh, 0, zeroes, sizeof zeroes, FILE_SYNC)))
        torture_fail("the files cannot be made");
    return r.fh;
}

static void draw(uint8_t out[16])
{
    if (getrandom(out, 16, 0) != 16)
        torture_fail("no randomness");
}

static struct smb_how leased(const char *path, uint8_t *key, uint8_t *guid, uint8_t durable)
{
    return (struct smb_how){.name = path, .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN,
                            .oplock = OPLOCK_LEASE, .lease = LEASE_RWH, .key = key, .v2 = true, .durable = durable,
                            .create_guid = guid};
}

static void connect_smb(struct killer *k, struct smb *s, struct host *h)
{
    uint64_t limit = wire_now() + 10 * NSEC_PER_SEC;
    const char *bad;
    smb_close(s);
    while ((bad = smb_open(s, h)) != NULL) {
        if (wire_now() > limit)
            torture_fail("the server does not come back: %s", bad);
        smb_close(s);
        fiber_sleep(&k->world->fibers, 50);
    }
}

static void prepare_smb(struct killer *k)
{
    struct call_result r;
    draw(k->plain_key);
    draw(k->plain_guid);
    draw(k->kept_key);
    draw(k->kept_guid);
    connect_smb(k, &k->plain, &k->host[2]);
    connect_smb(k, &k->kept, &k->host[3]);
    struct smb_how how = leased(k->path[2], k->plain_key, k->plain_guid, 2);
    expect(k, !play_call(&k->us, smb_create(&k->plain, &how), &r), "cannot open a file");
    k->plain_file = r.file;
    expect(k, !say(k, smb_lock(&k->plain, &r.file, 0, 10, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY)),
           "cannot lock a file of its own");
    how = leased(k->path[3], k->kept_key, k->kept_guid, 3);
    for (int tries = 0; tries < 40; tries++) { /* caching may be kept back for a while */
        expect(k, !play_call(&k->us, smb_create(&k->kept, &how), &r), "cannot open a file");
        k->kept_file = r.file;
        if (r.lease == LEASE_RWH)
            break;
        say(k, smb_close_file(&k->kept, &r.file));
        fiber_sleep(&k->world->fibers, 50);
    }
    k->persistent = r.persistent;
    expect(k, r.lease == LEASE_RWH, "caching is not granted on a file of its own");
    if (!r.persistent)
        printf("# the share grants no persistent opens: not tried\n");
    expect(k, !say(k, smb_lock(&k->kept, &r.file, KEPT_AT, HELD, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY)) &&
                  !say(k, smb_lock(&k->kept, &r.file, KEPT_AT + 2 * HELD, HELD, LOCK_SHARED | LOCK_FAIL_IMMEDIATELY)),
           "cannot lock a file of its own");
}

static void prepare(struct killer *k)
{
    uint8_t data[8];
    k->exclusive = (struct nlm_lock){.fh = k->held, .svid = 1, .exclusive = true, .len = HELD};
    k->shared = (struct nlm_lock){.fh = k->held, .svid = 2, .offset = 10 * HELD, .len = HELD};
    uint32_t a, b;
    while ((a = say(k, nlm_lock(&k->holder, &k->exclusive))) == NLM4_DENIED_GRACE_PERIOD)
        fiber_sleep(&k->world->fibers, 100);
    b = say(k, nlm_lock(&k->holder, &k->shared));
    expect(k, a == NLM4_GRANTED && b == NLM4_GRANTED, "cannot lock what nobody else locks");
    prepare_smb(k);
    put_le64(data, ++k->stable_value);
    expect(k, !say(k, nfs_write(&k->nfs, &k->stable, 0, data, 8, FILE_SYNC)) &&
                  !say(k, smb_write(&k->plain, &k->plain_file, 0, data, 8)),
           "cannot write");
}

/* --- The kill. */

/* What a session held that does not outlive it is free from now on. */
static void kill_server(struct killer *k)
{
    struct world *w = k->world;
    for (unsigned i = 0; i < w->play->clients; i++)
        if (w->player[i].is_smb && !w->player[i].counters_kept)
            drop_holds(&w->player[i]);
    w->kills++;
    w->stats.restarts++;
    fflush(stdout);
    if (system(w->target->restart) != 0)
        torture_fail("the server could not be started again: %s", w->target->restart);
}

static bool holder_notified(void *arg) { return killer.holder.notified_state > *(uint32_t *)arg; }

/* The connections are lost, whether we have heard of it or not. */
static void come_back(struct killer *k, uint32_t state)
{
    struct world *w = k->world;
    struct target *t = w->target;
    rpc_close(&k->holder.rpc);
    rpc_close(&k->other.rpc);
    rpc_close(&k->nfs.rpc);
    while (!rpc_open(&k->nfs.rpc, &k->host[0], &t->nfs, 2049) ||
           !rpc_open(&k->holder.rpc, &k->host[0], &t->nlm, 2049) ||
           !rpc_open(&k->other.rpc, &k->host[1], &t->nlm, 2049)) {
        rpc_close(&k->nfs.rpc);
        rpc_close(&k->holder.rpc);
        if (wire_now() > w->end + PATIENCE * NSEC_PER_SEC)
            torture_fail("the server does not come back");
        fiber_sleep(&w->fibers, 50);
    }
    uint64_t limit = wire_now() + 10 * NSEC_PER_SEC;
    while (!holder_notified(&state) && wire_now() < limit)
        fiber_until(&w->fibers, holder_notified, &state, 1000);
    expect(k, holder_notified(&state), "who held locks is not notified of the restart");
    expect(k, k->holder.notified_state & 1, "the state number of a server that is up is even");
}

/* --- In grace: the holder has not reclaimed yet, so it cannot be over. */

static void nlm_in_grace(struct killer *k)
{
    struct nlm_lock l = {.fh = k->free, .svid = 9, .exclusive = true, .len = 10}, on = k->exclusive;
    on.svid = 9;
    expect(k, say(k, nlm_lock(&k->other, &l)) == NLM4_DENIED_GRACE_PERIOD, "a new lock is not kept back in grace");
    expect(k, say(k, nlm_lock(&k->other, &on)) == NLM4_DENIED_GRACE_PERIOD, "a lock is stolen in grace");
    expect(k, say(k, nlm_test(&k->other, &l)) == NLM4_DENIED_GRACE_PERIOD, "TEST is answered in grace");
    expect(k, say(k, nlm_share(&k->other, &k->free, 9, FSA_RW, FSM_DW, false)) == NLM4_DENIED_GRACE_PERIOD,
           "a new share is not kept back in grace");
}

/* Its LOCKs, on what is free and on what the holder had; both wait. */
static void smb_in_grace(struct killer *k, struct call *lock[2])
{
    struct call_result r = {0};
    uint8_t key[16], data[8] = {1};
    draw(key);
    connect_smb(k, &k->fresh, &k->host[4]);
    struct smb_how how = leased(k->path[1], key, NULL, 0);
    uint32_t st = play_call(&k->us, smb_create(&k->fresh, &how), &r);
    k->free_file = r.file;
    expect(k, !st && !say(k, smb_write(&k->fresh, &r.file, 100, data, 8)),
           "a file cannot be opened and written in grace");
    expect(k, r.lease == 0, "caching is granted in grace");
    struct smb_how bare = {.name = k->path[0], .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN};
    expect(k, !play_call(&k->us, smb_create(&k->fresh, &bare), &r), "a file cannot be opened in grace");
    k->held_file = r.file;
    lock[0] = smb_lock(&k->fresh, &k->free_file, 0, 10, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY);
    lock[1] = smb_lock(&k->fresh, &k->held_file, 0, 10, LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY);
    fiber_sleep(&k->world->fibers, 200);
    for (int i = 0; i < 2; i++)
        expect(k, lock[i]->pending && !lock[i]->done, "an SMB lock does not wait for the end of grace");
}

static void opens_that_were(struct killer *k)
{
    struct call_result r = {0};
    connect_smb(k, &k->plain, &k->host[2]);
    connect_smb(k, &k->kept, &k->host[3]);
    struct smb_how how = leased(k->path[2], k->plain_key, k->plain_guid, 2);
    how.reconnect = &k->plain_file;
    expect(k, say(k, smb_create(&k->plain, &how)) == STATUS_OBJECT_NAME_NOT_FOUND,
           "a durable open that is not persistent is there after the restart");
    if (!k->persistent)
        return;
    how = leased(k->path[3], k->kept_key, k->kept_guid, 3);
    how.reconnect = &k->kept_file;
    expect(k, !play_call(&k->us, smb_create(&k->kept, &how), &r), "a persistent open is not there after the restart");
    expect(k, r.lease == LEASE_RWH, "a persistent open has not what it cached after the restart");
    k->kept_file = r.file;
}

static bool kept_broken(void *arg) { return smb_break_of(&killer.kept, killer.kept_key, NULL) != NULL; }

/* Somebody else meets its cache, which it gives back, and its ranges. */
static void ranges_that_were(struct killer *k)
{
    struct smb_how how = {.name = k->path[3], .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN};
    struct call_result r = {0};
    uint8_t data[8] = {1};
    if (!k->persistent)
        return;
    struct call *open = smb_create(&k->fresh, &how);
    fiber_until(&k->world->fibers, kept_broken, NULL, 2000);
    const struct smb_break *b = smb_break_of(&k->kept, k->kept_key, NULL);
    expect(k, b && !open->done, "what a persistent open caches is not asked back");
    if (b)
        expect(k, !say(k, smb_ack_lease(&k->kept, k->kept_key, b->to)), "cannot acknowledge");
    expect(k, !play_call(&k->us, open, &r), "cannot open a file");
    expect(k, say(k, smb_write(&k->fresh, &r.file, KEPT_AT, data, 8)) == STATUS_FILE_LOCK_CONFLICT &&
                  say(k, smb_read(&k->fresh, &r.file, KEPT_AT, 8)) == STATUS_FILE_LOCK_CONFLICT,
           "a persistent open's exclusive range is gone");
    expect(k, say(k, smb_write(&k->fresh, &r.file, KEPT_AT + 2 * HELD, data, 8)) == STATUS_FILE_LOCK_CONFLICT &&
                  !say(k, smb_read(&k->fresh, &r.file, KEPT_AT + 2 * HELD, 8)),
           "a persistent open's shared range is gone");
    expect(k, !say(k, smb_write(&k->fresh, &r.file, 0, data, 8)), "a range is locked that nobody locked");
    say(k, smb_close_file(&k->fresh, &r.file));
}

static void reclaim(struct killer *k)
{
    struct nlm_lock e = k->exclusive, s = k->shared,
                    thief = {.fh = k->held, .svid = 9, .exclusive = true, .offset = 50, .len = 5};
    e.reclaim = s.reclaim = thief.reclaim = true;
    expect(k, say(k, nlm_lock(&k->holder, &e)) == NLM4_GRANTED, "an exclusive lock cannot be reclaimed");
    expect(k, say(k, nlm_lock(&k->holder, &s)) == NLM4_GRANTED, "a shared lock cannot be reclaimed");
    expect(k, say(k, nlm_lock(&k->other, &thief)) != NLM4_GRANTED, "a reclaimed lock is given to somebody else");
}

/* --- After. */

static void after_grace(struct killer *k, struct call *lock[2])
{
    struct nlm_lock l = {.fh = k->free, .svid = 9, .exclusive = true, .offset = 4000, .len = 10}, on = k->exclusive;
    uint64_t limit = wire_now() + GRACE_MAX * NSEC_PER_SEC;
    uint32_t status;
    on.svid = 9;
    while ((status = say(k, nlm_lock(&k->other, &l))) == NLM4_DENIED_GRACE_PERIOD && wire_now() < limit)
        fiber_sleep(&k->world->fibers, 20);
    expect(k, status == NLM4_GRANTED, "a lock is not granted after grace");
    expect(k, say(k, nlm_lock(&k->other, &on)) == NLM4_DENIED, "a reclaimed lock is not there after grace");
    uint32_t on_free = say(k, lock[0]), on_held = say(k, lock[1]);
    expect(k, !on_free, "an SMB lock that waited for the end of grace is not granted");
    expect(k, on_held == STATUS_LOCK_NOT_GRANTED,
           "an SMB lock that waited for the end of grace meets no reclaimed lock");
    say(k, nlm_unlock(&k->other, &l));
}

static void data_that_was(struct killer *k)
{
    struct smb_how how = {.name = k->path[2], .access = ACCESS_READ, .share = SHARE_ALL, .disposition = FILE_OPEN};
    struct call_result r;
    uint64_t value;
    expect(k, !read_value(&k->us, nfs_read(&k->nfs, &k->stable, 0, 8), &value) && value == k->stable_value,
           "an acknowledged stable write is not there");
    expect(k, !play_call(&k->us, smb_create(&k->fresh, &how), &r) &&
                  !read_value(&k->us, smb_read(&k->fresh, &r.file, 0, 8), &value) && value == k->stable_value,
           "an acknowledged write over SMB is not there");
}

static void let_go(struct killer *k)
{
    say(k, nlm_unlock(&k->holder, &k->exclusive));
    say(k, nlm_unlock(&k->holder, &k->shared));
    say(k, smb_close_file(&k->kept, &k->kept_file));
    smb_close(&k->fresh);
    smb_close(&k->plain);
    smb_close(&k->kept);
}

static void killer_main(void *arg)
{
    struct killer *k = arg;
    struct world *w = k->world;
    for (unsigned n = 0; n < w->play->kills; n++) {
        struct call *lock[2];
        uint32_t state = k->holder.notified_state;
        fiber_sleep(&w->fibers, 300 + dice(&k->us, 1000));
        prepare(k);
        fiber_sleep(&w->fibers, dice(&k->us, 300));
        kill_server(k);
        come_back(k, state);
        if (dice(&k->us, 4) == 0) { /* once more, before anything was reclaimed */
            state = k->holder.notified_state;
            kill_server(k);
            come_back(k, state);
        }
        nlm_in_grace(k);
        smb_in_grace(k, lock);
        opens_that_were(k);
        ranges_that_were(k);
        reclaim(k);
        after_grace(k, lock);
        data_that_was(k);
        let_go(k);
    }
    w->killing = false;
}

void kills_start(struct world *w)
{
    struct killer *k = &killer;
    static const char *const names[] = {"held", "free", "plain", "kept"};
    *k = (struct killer){.world = w};
    k->us = (struct player){.world = w, .number = (uint16_t)w->play->clients, .random = ~w->play->seed};
    for (size_t i = 0; i < ARRAY_LEN(k->host); i++)
        host_init(&k->host[i], w->wire, w->target);
    if (nfs_open(&k->nfs, &k->host[0]) || nlm_open(&k->holder, &k->host[0], true) ||
        nlm_open(&k->other, &k->host[1], true))
        torture_fail("the hosts that look at restarts cannot join");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        snprintf(k->path[i], sizeof k->path[i], "%s\\new\\%s", w->dir, names[i]);
    k->held = make_file(k, "held");
    k->free = make_file(k, "free");
    make_file(k, "plain");
    make_file(k, "kept");
    k->stable = make_file(k, "stable");
    w->killing = true;
    fiber_start(&w->fibers, &k->fiber, killer_main, k);
}

void kills_end(struct world *w)
{
    free(killer.fiber.stack);
    smb_close(&killer.plain);
    smb_close(&killer.kept);
    smb_close(&killer.fresh);
    nlm_close(&killer.holder);
    nlm_close(&killer.other);
    nfs_close(&killer.nfs);
}
