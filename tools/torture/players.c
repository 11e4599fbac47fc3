/* players.c - see players.h. The shared files lie in one directory: each holds the number of its object (a new one is made
 * elsewhere and renamed over the old) and registers; one more holds counters that are only raised under a lock.
 *
 * SMB players cache as Linux' and Windows' clients do: with R they answer reads themselves, with W they keep writes back;
 * a break is obeyed before it is acknowledged. NFS players do not cache. */
#include "players.h"
#include "fiber.h"
#include "history.h"
#include "nlm.h"
#include "smb.h"
#include <stdio.h>
#include <sys/random.h>

enum { FILES = 4, REGISTERS = 8, COUNTERS = 4, SPACING = 4096, PATIENCE = 45 /* s, for the end */ };
enum { HEADER_BYTES = SPACING };

struct stats {
    uint64_t reads, writes, cached, erased, replaced, locked, breaks, crashes, later;
};
struct world {
    struct fibers fibers;
    struct wire *wire;
    struct target *target;
    struct history history;
    struct stats stats;
    char dir[32];
    struct nfs_fh dir_fh, counters_fh;
    uint64_t objects, end;
    struct player *holder[COUNTERS];     /* who has the lock */
    uint64_t raised[COUNTERS], perhaps[COUNTERS];
    unsigned wrong;
};

struct slot { /* an SMB player's open of one file */
    bool open, busy, breaking;
    struct smb_file file;
    uint8_t key[16], lease;
    uint64_t object, value[REGISTERS];
    uint64_t unwritten[REGISTERS]; /* the first value since it became dirty */
    bool known[REGISTERS], dirty[REGISTERS];
    unsigned changes; /* breaks obeyed */
};
struct player {
    struct world *world;
    uint16_t number;
    bool is_smb, ended;
    uint64_t random, values;
    struct fiber fiber, breaker;
    struct host host;
    struct nfs nfs;
    struct nlm nlm;
    struct nfs_fh fh[FILES];
    uint64_t object[FILES]; /* NFS: what fh is; 0: not looked up */
    struct smb smb;
    struct slot slot[FILES];
    struct smb_file counters;
    uint32_t nsm_state, svid;
};

static uint32_t dice(struct player *p, uint32_t sides)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)(p->random >> 33) % sides;
}

static void wrong(struct world *w, const char *what, const struct player *p)
{
    if (w->wrong++ < 10)
        printf("# WRONG: client %u: %s\n", p->number, what);
}

static uint64_t new_value(struct player *p) { return (uint64_t)(p->number + 1) << 40 | ++p->values; }
static uint64_t register_of(uint64_t object, unsigned r) { return object * REGISTERS + r; }
static uint64_t offset_of(unsigned r) { return HEADER_BYTES + (uint64_t)r * SPACING; }

static struct history_op begin(struct player *p, uint64_t object, unsigned r, enum history_kind kind, uint64_t value)
{
    return (struct history_op){.reg = register_of(object, r), .value = value, .kind = kind, .who = p->number,
                               .invoked = wire_now()};
}
/* Known to have happened, perhaps (its answer was lost), or not at all. */
enum outcome { HAPPENED, PERHAPS, NEVER };
static void end(struct player *p, struct history_op op, enum outcome outcome)
{
    struct stats *s = &p->world->stats;
    op.responded = outcome == HAPPENED ? wire_now() : HISTORY_NEVER;
    if (outcome == NEVER || (outcome == PERHAPS && op.kind == HISTORY_READ))
        return;
    history_add(&p->world->history, &op);
    s->reads += op.kind == HISTORY_READ;
    s->writes += op.kind == HISTORY_WRITE;
    s->cached += op.cached;
}
static enum outcome outcome_of(uint32_t status)
{
    return status == 0 ? HAPPENED : status == CALL_LOST || status == CALL_TIMEOUT ? PERHAPS : NEVER;
}

static uint64_t value_in(const struct call *c) { return c->r.ndata >= 8 ? get_le64(c->r.data) : 0; }
/* As fiber_call(), for reads: the value is within the answer. */
static uint32_t read_value(struct player *p, struct call *c, uint64_t *ret)
{
    fiber_wait(&p->world->fibers, c);
    uint32_t status = c->status;
    *ret = status ? 0 : value_in(c);
    call_free(c);
    return status;
}

/* --- NFS players. */

static uint32_t nfs_again(struct player *p, uint32_t status) /* true: told to come back */
{
    if (status != NFS3ERR_JUKEBOX)
        return false;
    p->world->stats.later++;
    fiber_sleep(&p->world->fibers, 100);
    return true;
}

static bool nfs_find(struct player *p, unsigned file)
{
    struct fibers *fs = &p->world->fibers;
    struct call_result r;
    char name[8];
    if (p->object[file])
        return true;
    snprintf(name, sizeof name, "f%u", file);
    if (fiber_call(fs, nfs_lookup(&p->nfs, &p->world->dir_fh, name), &r))
        return false;
    p->fh[file] = r.fh;
    uint64_t object;
    uint32_t status;
    do
        status = read_value(p, nfs_read(&p->nfs, &r.fh, 0, 8), &object);
    while (nfs_again(p, status));
    p->object[file] = status ? 0 : object;
    return !status && object;
}

static void nfs_use(struct player *p, unsigned file, enum history_kind kind)
{
    struct fibers *fs = &p->world->fibers;
    unsigned r = dice(p, REGISTERS);
    uint8_t data[8];
    uint32_t status;
    if (!nfs_find(p, file))
        return;
    struct nfs_fh *fh = &p->fh[file];
    uint64_t value = kind == HISTORY_WRITE ? new_value(p) : 0;
    struct history_op op = begin(p, p->object[file], r, kind, value);
    put_le64(data, value);
    do {
        if (kind == HISTORY_READ)
            status = read_value(p, nfs_read(&p->nfs, fh, offset_of(r), 8), &op.value);
        else if (kind == HISTORY_WRITE)
            status = fiber_call(fs, nfs_write(&p->nfs, fh, offset_of(r), data, 8, dice(p, 2) ? FILE_SYNC : UNSTABLE), NULL);
        else
            status = fiber_call(fs, nfs_setattr(&p->nfs, fh, HEADER_BYTES, ~0u, ~0u, false), NULL);
    } while (nfs_again(p, status));
    if (status == NFS3ERR_STALE)
        p->object[file] = 0;
    for (unsigned i = 0; kind == HISTORY_ERASE && i < REGISTERS; i++) {
        op.reg = register_of(p->object[file], i);
        if (!status)
            end(p, op, HAPPENED);
    }
    p->world->stats.erased += kind == HISTORY_ERASE && !status;
    if (kind != HISTORY_ERASE)
        end(p, op, outcome_of(status));
}

/* A new object takes the name. */
static void nfs_replace(struct player *p, unsigned file)
{
    struct fibers *fs = &p->world->fibers;
    struct world *w = p->world;
    struct call_result r;
    char name[8], temporary[24];
    uint8_t header[8];
    put_le64(header, ++w->objects);
    snprintf(name, sizeof name, "f%u", file);
    snprintf(temporary, sizeof temporary, "new%llu", (unsigned long long)w->objects);
    if (fiber_call(fs, nfs_create(&p->nfs, &w->dir_fh, temporary, GUARDED, NFS_NO_SIZE, 0), &r) ||
        fiber_call(fs, nfs_write(&p->nfs, &r.fh, 0, header, 8, FILE_SYNC), NULL))
        return;
    uint32_t status;
    do
        status = fiber_call(fs, nfs_rename(&p->nfs, &w->dir_fh, temporary, &w->dir_fh, name), NULL);
    while (nfs_again(p, status));
    w->stats.replaced += !status;
    p->object[file] = 0;
    if (status)
        fiber_call(fs, nfs_remove(&p->nfs, &w->dir_fh, temporary), NULL);
}

/* --- SMB players. */

static struct slot *slot_of(struct player *p, const uint8_t key[16])
{
    for (unsigned i = 0; i < FILES; i++)
        if (!memcmp(p->slot[i].key, key, 16))
            return &p->slot[i];
    return NULL;
}

/* May it use what it caches? Not when a break has come, whether it has looked at it or not. */
static bool valid(const struct player *p, const struct slot *s)
{
    return s->open && !s->breaking && !smb_break_of(&p->smb, s->key, NULL);
}

/* The same, at this moment: what has arrived counts. A server puts a notification on its connection before it answers who
 * caused it, so what anybody was answered before `*ret_asked` has been said here too. */
static bool usable(struct player *p, struct slot *s, uint64_t *ret_asked)
{
    *ret_asked = wire_now();
    wire_drain(p->smb.conn);
    return valid(p, s);
}

static void write_back(struct player *p, struct slot *s)
{
    uint8_t data[8];
    for (unsigned r = 0; r < REGISTERS; r++) {
        if (!s->dirty[r])
            continue;
        put_le64(data, s->value[r]);
        if (!fiber_call(&p->world->fibers, smb_write(&p->smb, &s->file, offset_of(r), data, 8), NULL))
            s->dirty[r] = false;
    }
}

/* What is left in the cache was never anybody else's: its client is gone, or could not write it back (an error at close,
 * as programs get it). */
static void forget(struct player *p, struct slot *s)
{
    for (unsigned r = 0; r < REGISTERS; r++)
        if (s->dirty[r])
            history_drop(&p->world->history, register_of(s->object, r), s->unwritten[r], s->value[r]);
    memset(s, 0, sizeof *s);
}

static bool slot_idle(void *arg) { return !((struct slot *)arg)->busy; }
static bool break_came(void *arg) { return !list_empty(&((struct player *)arg)->smb.breaks) || ((struct player *)arg)->ended; }

static void obey(struct player *p, const struct smb_break *b)
{
    struct slot *s = slot_of(p, b->key);
    if (!s)
        return;
    p->world->stats.breaks++;
    s->breaking = true;
    if (s->busy && (!s->open || s->lease & LEASE_W))
        fiber_until(&p->world->fibers, slot_idle, s, 60000);
    if (s->open && !(b->to & LEASE_W))
        write_back(p, s);
    if (!(b->to & LEASE_R))
        memset(s->known, 0, sizeof s->known);
    s->lease = b->to;
    s->changes++;
    if (b->ack && s->open)
        fiber_call(&p->world->fibers, smb_ack_lease(&p->smb, b->key, b->to), NULL);
    s->breaking = false;
}

static void breaker_main(void *arg)
{
    struct player *p = arg;
    while (!p->ended) {
        fiber_until(&p->world->fibers, break_came, p, 1000);
        struct smb_break *b = list_first(&p->smb.breaks, struct smb_break, link);
        if (!b)
            continue;
        struct smb_break copy = *b;
        struct slot *s = slot_of(p, b->key);
        if (s)
            s->breaking = true; /* before it is off the list: never valid in between */
        list_remove(&b->link);
        free(b);
        obey(p, &copy);
    }
}

static bool settled(void *arg) { return !((struct slot *)arg)->breaking; }
static void wait_settled(struct player *p, struct slot *s)
{
    while (s->breaking)
        fiber_until(&p->world->fibers, settled, s, 1000);
}

static bool smb_find(struct player *p, unsigned file)
{
    struct slot *s = &p->slot[file];
    struct call_result r = {0};
    char path[64];
    static const uint8_t wants[] = {LEASE_RWH, LEASE_RWH, LEASE_RH, LEASE_R, LEASE_RW};
    if (s->open)
        return true;
    memset(s, 0, sizeof *s);
    snprintf(path, sizeof path, "%s\\f%u", p->world->dir, file);
    if (getrandom(s->key, sizeof s->key, 0) < 0)
        torture_fail("no randomness");
    struct smb_how how = {.name = path, .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN,
                          .oplock = OPLOCK_LEASE, .lease = wants[dice(p, ARRAY_LEN(wants))], .key = s->key,
                          .v2 = p->world->target->dialect >= 0x300};
    s->busy = true;
    if (!fiber_call(&p->world->fibers, smb_create(&p->smb, &how), &r)) {
        s->file = r.file;
        s->open = !read_value(p, smb_read(&p->smb, &r.file, 0, 8), &s->object) && s->object;
        s->lease = (uint8_t)r.lease;
        if (!s->open)
            fiber_call(&p->world->fibers, smb_close_file(&p->smb, &r.file), NULL);
    }
    s->busy = false;
    if (!s->open)
        memset(s->key, 0, sizeof s->key);
    return s->open;
}

static void smb_release(struct player *p, struct slot *s)
{
    if (!s->open)
        return;
    s->busy = true;
    write_back(p, s);
    fiber_call(&p->world->fibers, smb_close_file(&p->smb, &s->file), NULL);
    s->busy = s->open = false;
    wait_settled(p, s);
    forget(p, s);
}

static void smb_erase(struct player *p, struct slot *s)
{
    write_back(p, s);
    uint64_t object = s->object;
    struct history_op op = begin(p, object, 0, HISTORY_ERASE, 0);
    if (fiber_call(&p->world->fibers, smb_set_size(&p->smb, &s->file, HEADER_BYTES), NULL))
        return;
    memset(s->known, 0, sizeof s->known);
    p->world->stats.erased++;
    for (unsigned i = 0; i < REGISTERS; i++) {
        op.reg = register_of(object, i);
        end(p, op, HAPPENED);
    }
}

static void smb_use_wire(struct player *p, struct slot *s, unsigned r, enum history_kind kind)
{
    unsigned changes = s->changes;
    uint64_t value = kind == HISTORY_WRITE ? new_value(p) : 0;
    struct history_op op = begin(p, s->object, r, kind, value);
    uint8_t data[8];
    uint32_t status;
    put_le64(data, value);
    if (kind == HISTORY_READ) {
        status = read_value(p, smb_read(&p->smb, &s->file, offset_of(r), 8), &op.value);
        if (status == STATUS_END_OF_FILE)
            status = STATUS_OK;
    } else {
        status = fiber_call(&p->world->fibers, smb_write(&p->smb, &s->file, offset_of(r), data, 8), NULL);
    }
    end(p, op, outcome_of(status));
    s->known[r] = !status && s->lease & LEASE_R && s->changes == changes && valid(p, s);
    s->value[r] = op.value;
}

static void smb_use(struct player *p, unsigned file, enum history_kind kind)
{
    struct slot *s = &p->slot[file];
    unsigned r = dice(p, REGISTERS);
    if (!smb_find(p, file))
        return;
    uint64_t asked;
    while (!usable(p, s, &asked) && s->open)
        fiber_sleep(&p->world->fibers, 1);
    if (!s->open)
        return;
    bool cached = kind == HISTORY_READ ? s->lease & LEASE_R && s->known[r] : kind == HISTORY_WRITE && s->lease & LEASE_W;
    if (cached) {
        uint64_t value = kind == HISTORY_READ ? s->value[r] : new_value(p);
        struct history_op op = begin(p, s->object, r, kind, value);
        op.invoked = asked;
        op.cached = true;
        end(p, op, HAPPENED);
        if (kind == HISTORY_WRITE && !s->dirty[r]) {
            s->dirty[r] = true;
            s->unwritten[r] = value;
        }
        s->known[r] = true;
        s->value[r] = value;
        return;
    }
    s->busy = true;
    if (kind == HISTORY_ERASE)
        smb_erase(p, s);
    else
        smb_use_wire(p, s, r, kind);
    s->busy = false;
}

static void smb_join(struct player *p)
{
    struct world *w = p->world;
    struct call_result r = {0};
    char path[64];
    host_init(&p->host, w->wire, w->target);
    const char *bad = smb_open(&p->smb, &p->host);
    snprintf(path, sizeof path, "%s\\counters", w->dir);
    struct smb_how how = {.name = path, .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN};
    if (bad || call_result(smb_create(&p->smb, &how), &r))
        torture_fail("client %u cannot join: %s", p->number, bad ? bad : "no counters");
    p->counters = r.file;
}

static void smb_crash(struct player *p)
{
    for (unsigned i = 0; i < FILES; i++)
        wait_settled(p, &p->slot[i]);
    for (unsigned i = 0; i < FILES; i++)
        forget(p, &p->slot[i]);
    smb_close(&p->smb);
    smb_join(p);
    p->world->stats.crashes++;
}

/* --- Counters. */

static void take_hold(struct player *p, unsigned c)
{
    if (p->world->holder[c])
        wrong(p->world, "gets a lock that another client has", p);
    p->world->holder[c] = p;
    p->world->stats.locked++;
}

static void raised(struct player *p, unsigned c, uint32_t read_status, uint32_t write_status)
{
    if (read_status)
        return;
    p->world->raised[c] += write_status == 0;
    p->world->perhaps[c] += outcome_of(write_status) == PERHAPS;
}

static void smb_raise(struct player *p, unsigned c)
{
    struct fibers *fs = &p->world->fibers;
    uint64_t offset = (uint64_t)c * SPACING, value;
    uint32_t flags = LOCK_EXCLUSIVE | (dice(p, 2) ? LOCK_FAIL_IMMEDIATELY : 0);
    uint8_t data[8];
    if (fiber_call(fs, smb_lock(&p->smb, &p->counters, offset, 8, flags), NULL))
        return;
    take_hold(p, c);
    uint32_t r = read_value(p, smb_read(&p->smb, &p->counters, offset, 8), &value), w = STATUS_UNSUCCESSFUL;
    put_le64(data, value + 1);
    if (!r)
        w = fiber_call(fs, smb_write(&p->smb, &p->counters, offset, data, 8), NULL);
    raised(p, c, r, w);
    if (r || w)
        wrong(p->world, "cannot read or write what it has locked", p);
    p->world->holder[c] = NULL;
    if (fiber_call(fs, smb_lock(&p->smb, &p->counters, offset, 8, LOCK_UNLOCK), NULL))
        wrong(p->world, "cannot unlock what it has locked", p);
}

static bool granted(void *arg)
{
    struct player *p = arg;
    struct nlm_grant *g;
    list_each(g, &p->nlm.grants, link)
        if (g->svid == p->svid)
            return true;
    return false;
}

static void nfs_raise(struct player *p, unsigned c)
{
    struct fibers *fs = &p->world->fibers;
    struct nfs_fh *fh = &p->world->counters_fh;
    struct nlm_lock l = {.fh = *fh, .svid = ++p->svid, .exclusive = true, .block = p->nlm.reachable && dice(p, 2),
                         .offset = (uint64_t)c * SPACING, .len = 8};
    uint64_t value;
    uint8_t data[8];
    uint32_t status = fiber_call(fs, nlm_lock(&p->nlm, &l), NULL);
    while (status == NLM4_BLOCKED && !granted(p))
        fiber_until(fs, granted, p, 1000);
    if (status != NLM4_GRANTED && status != NLM4_BLOCKED)
        return;
    take_hold(p, c);
    uint32_t r, w = NFS3ERR_IO;
    do
        r = read_value(p, nfs_read(&p->nfs, fh, l.offset, 8), &value);
    while (nfs_again(p, r));
    put_le64(data, value + 1);
    while (!r && nfs_again(p, w = fiber_call(fs, nfs_write(&p->nfs, fh, l.offset, data, 8, FILE_SYNC), NULL)))
        ;
    raised(p, c, r, w);
    if (r || w)
        wrong(p->world, "cannot read or write what it has locked", p);
    p->world->holder[c] = NULL;
    if (dice(p, 40) == 0) { /* it restarts instead: its status monitor says so */
        p->nsm_state += 2;
        fiber_call(fs, nsm_notify(&p->nlm, p->nsm_state), NULL);
        p->world->stats.crashes++;
        return;
    }
    if (fiber_call(fs, nlm_unlock(&p->nlm, &l), NULL))
        wrong(p->world, "cannot unlock what it has locked", p);
}

/* --- The programs. */

static void player_main(void *arg)
{
    struct player *p = arg;
    struct world *w = p->world;
    while (wire_now() < w->end) {
        unsigned what = dice(p, 1000), file = dice(p, FILES);
        enum history_kind kind = what < 500 ? HISTORY_READ : what < 880 ? HISTORY_WRITE : HISTORY_ERASE;
        if (what < 890)
            (p->is_smb ? smb_use : nfs_use)(p, file, kind);
        else if (what < 960)
            (p->is_smb ? smb_raise : nfs_raise)(p, file % COUNTERS);
        else if (p->is_smb && what < 990)
            smb_release(p, &p->slot[file]);
        else if (p->is_smb && what < 994)
            smb_crash(p);
        else if (!p->is_smb && what < 975)
            p->object[file] = 0; /* looks the name up again */
        else if (!p->is_smb && what < 985)
            nfs_replace(p, file);
        if (dice(p, 20) == 0)
            fiber_sleep(&w->fibers, dice(p, 30));
    }
    for (unsigned i = 0; p->is_smb && i < FILES; i++)
        smb_release(p, &p->slot[i]);
    p->ended = true;
}

static void nfs_join(struct player *p)
{
    struct world *w = p->world;
    host_init(&p->host, w->wire, w->target);
    const char *bad = nfs_open(&p->nfs, &p->host);
    if (!bad)
        bad = nlm_open(&p->nlm, &p->host, true);
    if (bad)
        torture_fail("client %u cannot join: %s", p->number, bad);
    p->nsm_state = 1;
}

static void make_world(struct world *w, struct player *first, uint64_t seed)
{
    static const uint8_t zeroes[COUNTERS * SPACING];
    struct call_result r = {0};
    snprintf(w->dir, sizeof w->dir, "history-%08x", (uint32_t)(seed ^ wire_now()));
    if (call_result(nfs_mkdir(&first->nfs, &first->nfs.root, w->dir), &r))
        torture_fail("the directory cannot be made");
    w->dir_fh = r.fh;
    if (call_result(nfs_create(&first->nfs, &w->dir_fh, "counters", GUARDED, NFS_NO_SIZE, 0), &r) ||
        call_end(nfs_write(&first->nfs, &r.fh, 0, zeroes, sizeof zeroes, FILE_SYNC)))
        torture_fail("the counters cannot be made");
    w->counters_fh = r.fh;
    for (unsigned i = 0; i < FILES; i++) {
        uint8_t header[8];
        char name[8];
        put_le64(header, ++w->objects);
        snprintf(name, sizeof name, "f%u", i);
        if (call_result(nfs_create(&first->nfs, &w->dir_fh, name, GUARDED, NFS_NO_SIZE, 0), &r) ||
            call_end(nfs_write(&first->nfs, &r.fh, 0, header, 8, FILE_SYNC)))
            torture_fail("the files cannot be made");
    }
}

static void explain(const struct history_op *a, const struct history_op *b, const char *what)
{
    static const char *const kinds[] = {"read", "write", "erasure"};
    static unsigned shown;
    if (shown++ >= 10)
        return;
    printf("# WRONG: object %llu, register %llu: %s\n", (unsigned long long)(a->reg / REGISTERS),
           (unsigned long long)(a->reg % REGISTERS), what);
    for (int i = 0; i < 2; i++) {
        const struct history_op *o = i ? b : a;
        printf("#   client %u, %s%s of %llx from %.3f to %.3f ms\n", o->who, o->cached ? "cached " : "", kinds[o->kind],
               (unsigned long long)o->value, (double)o->invoked / 1e6, (double)o->responded / 1e6);
    }
}

static void check_counters(struct world *w, struct player *first)
{
    for (unsigned c = 0; c < COUNTERS; c++) {
        uint64_t value = 0;
        struct call *call = nfs_read(&first->nfs, &w->counters_fh, (uint64_t)c * SPACING, 8);
        if (call_wait(call, w->wire->patience) && !call->status)
            value = value_in(call);
        call_free(call);
        printf("# counter %u: raised %llu times%s, and is %llu\n", c, (unsigned long long)w->raised[c],
               w->perhaps[c] ? " or more" : "", (unsigned long long)value);
        if (value < w->raised[c] || value > w->raised[c] + w->perhaps[c])
            wrong(w, "a counter lost or won something", first);
    }
}

static void tell_waiting(struct player *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct fiber *both[] = {&p[i].fiber, &p[i].breaker};
        for (int k = 0; k < 1 + p[i].is_smb; k++) {
            char text[96];
            const struct call *c = both[k]->call;
            snprintf(text, sizeof text, "waits for ever%s for %s, for %.1f s", k ? ", in a break," : "",
                     c ? c->what : "something of its own", c ? (double)(wire_now() - c->sent) / 1e9 : 0.0);
            if (!both[k]->ended)
                wrong(p[i].world, text, &p[i]);
        }
    }
}

bool players_run(struct wire *wire, struct target *t, const struct play *play)
{
    struct world w = {.wire = wire, .target = t, .fibers.wire = wire};
    struct player *p = calloc(play->clients, sizeof *p);
    if (!p)
        torture_fail("out of memory");
    list_init(&w.fibers.all);
    printf("# seed %llu, %u clients, %u s\n", (unsigned long long)play->seed, play->clients, play->seconds);
    for (unsigned i = 0; i < play->clients; i++) {
        p[i].world = &w;
        p[i].number = (uint16_t)i;
        p[i].is_smb = i % 2;
        p[i].random = (play->seed + 1) * 0x9E3779B97F4A7C15ull + i * 0xBF58476D1CE4E5B9ull;
        (p[i].is_smb ? smb_join : nfs_join)(&p[i]);
        if (i == 0)
            make_world(&w, &p[0], play->seed);
    }
    w.end = wire_now() + play->seconds * NSEC_PER_SEC;
    for (unsigned i = 0; i < play->clients; i++) {
        fiber_start(&w.fibers, &p[i].fiber, player_main, &p[i]);
        if (p[i].is_smb)
            fiber_start(&w.fibers, &p[i].breaker, breaker_main, &p[i]);
    }
    if (!fiber_run(&w.fibers, w.end + PATIENCE * NSEC_PER_SEC))
        tell_waiting(p, play->clients);
    check_counters(&w, &p[0]);
    const struct stats *s = &w.stats;
    printf("# %llu reads and %llu writes, %llu of them cached; %llu erasures, %llu files replaced, %llu locks, %llu breaks, "
           "%llu crashes, %llu times told to come back\n",
           (unsigned long long)s->reads, (unsigned long long)s->writes, (unsigned long long)s->cached,
           (unsigned long long)s->erased, (unsigned long long)s->replaced, (unsigned long long)s->locked,
           (unsigned long long)s->breaks, (unsigned long long)s->crashes, (unsigned long long)s->later);
    size_t bad = history_check(&w.history, explain);
    printf("%s 1 - history, seed %llu\n", bad || w.wrong ? "not ok" : "ok", (unsigned long long)play->seed);
    free(w.history.op);
    for (unsigned i = 0; i < play->clients; i++) {
        free(p[i].fiber.stack);
        free(p[i].breaker.stack);
        if (p[i].is_smb)
            smb_close(&p[i].smb);
        else
            nlm_close(&p[i].nlm), nfs_close(&p[i].nfs);
    }
    free(p);
    return !bad && !w.wrong;
}
