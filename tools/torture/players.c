/* players.c - see players.h: the world, the players' programs, and the verdict.
 *
 * SMB players cache as Linux' and Windows' clients do: with R they answer reads themselves, with W they keep writes
 * back, with H they open what they have closed without asking; a break is obeyed before it is acknowledged. NFS players
 * do not cache. */
#include "play.h"

#define ERA (400 * NSEC_PER_MSEC)

uint32_t dice(struct player *p, uint32_t sides)
{
    p->random ^= p->random << 13;
    p->random ^= p->random >> 7;
    p->random ^= p->random << 17;
    return (uint32_t)(p->random >> 33) % sides;
}

void wrong(struct world *w, const char *what, const struct player *p)
{
    if (w->wrong++ < 10)
        printf("# WRONG: client %u: %s\n", p->number, what);
    fflush(stdout);
}

bool lively(const struct world *w, unsigned file)
{
    uint64_t x = (w->play->seed ^ (wire_now() / ERA * FILES + file)) * 0x9E3779B97F4A7C15ull;
    return (x >> 40) % 3 == 0;
}

/* --- What is noted down. */

uint64_t new_value(struct player *p) { return (uint64_t)(p->number + 1) << 40 | ++p->values; }

struct history_op begin(struct player *p, uint64_t reg, enum history_kind kind, uint64_t value)
{
    return (struct history_op){.reg = reg, .value = value, .kind = kind, .who = p->number, .invoked = wire_now()};
}

static void note(struct player *p, const struct history_op *op)
{
    struct stats *s = &p->world->stats;
    bool name = op->reg < FILES;
    history_add(&p->world->history, op);
    s->names += name && op->kind == HISTORY_READ;
    s->cached_names += name && op->cached;
    s->reads += !name && op->kind == HISTORY_READ;
    s->writes += !name && op->kind == HISTORY_WRITE;
    s->cached += !name && op->cached;
}

void end(struct player *p, struct history_op op, enum outcome outcome)
{
    op.responded = outcome == HAPPENED ? p->answered : HISTORY_NEVER;
    if (outcome == HAPPENED || (outcome == PERHAPS && op.kind != HISTORY_READ))
        note(p, &op);
}

void end_cached(struct player *p, struct history_op op, uint64_t asked, const struct slot *by)
{
    op.invoked = asked;
    op.responded = wire_now();
    op.cached = (uint8_t)(0x80 | by->lease | by->oplock << 3 | by->durable << 4);
    note(p, &op);
}

enum outcome outcome_of(uint32_t status)
{
    return status == 0 ? HAPPENED : status == CALL_LOST || status == CALL_TIMEOUT ? PERHAPS : NEVER;
}

uint32_t play_call(struct player *p, struct call *c, struct call_result *ret)
{
    fiber_wait(&p->world->fibers, c);
    p->answered = c->answered;
    uint32_t status = c->status;
    if (ret)
        *ret = c->r;
    call_free(c);
    return status;
}

uint32_t read_value(struct player *p, struct call *c, uint64_t *ret)
{
    fiber_wait(&p->world->fibers, c);
    p->answered = c->answered;
    uint32_t status = c->status;
    *ret = !status && c->r.ndata >= 8 ? get_le64(c->r.data) : 0;
    call_free(c);
    return status;
}

/* --- The programs. */

static enum history_kind some_kind(struct player *p, unsigned file)
{
    unsigned x = dice(p, 1000);
    if (lively(p->world, file))
        return x < 550 ? HISTORY_READ : x < 980 ? HISTORY_WRITE : HISTORY_ERASE;
    return x < 990 ? HISTORY_READ : x < 999 ? HISTORY_WRITE : HISTORY_ERASE;
}

/* Who may cache works for a while in one place, so that it has something of its cache. */
static void use(struct player *p, unsigned file)
{
    file %= QUIET;
    unsigned r = dice(p, REGISTERS), n = p->is_smb ? 1 + dice(p, 20) : 1;
    while (n-- && (!p->is_smb || p->smb.conn))
        (p->is_smb ? smb_use : nfs_use)(p, file, (r + dice(p, 2)) % REGISTERS, some_kind(p, file));
    if (!lively(p->world, file))
        fiber_sleep(&p->world->fibers, dice(p, 5));
}
static void look(struct player *p, unsigned file)
{
    for (unsigned n = p->is_smb && file >= QUIET ? 1 + dice(p, 20) : 1; n && (!p->is_smb || p->smb.conn); n--)
        (p->is_smb ? smb_look : nfs_look)(p, file);
    if (!lively(p->world, file))
        fiber_sleep(&p->world->fibers, dice(p, 5));
}
static void raise(struct player *p, unsigned file) { raise_counter(p, file % COUNTERS); }
static void range(struct player *p, unsigned file) { lock_range(p); }
static void replace(struct player *p, unsigned file)
{
    if (!p->is_smb)
        nfs_replace(p, file);
    else if (file >= BOTH && file < QUIET)
        smb_replace(p, file);
}
static void take_away(struct player *p, unsigned file)
{
    if (!p->is_smb)
        nfs_remove_name(p, file);
    else if (file >= BOTH && file < QUIET)
        smb_remove_name(p, file);
}
static void let_go(struct player *p, unsigned file)
{
    if (p->is_smb)
        smb_release(p, &p->slot[file]);
    else
        p->object[file] = 0; /* looks the name up again */
}
static void watch_names(struct player *p, unsigned file)
{
    if (p->is_smb)
        smb_watch(p);
}
static void lose(struct player *p, unsigned file)
{
    if (p->is_smb) {
        wire_close(TAKE_PTR(p->smb.conn), true);
        call_lose(&p->smb.calls);
        drop_holds(p);
        fiber_sleep(&p->world->fibers, dice(p, 30));
        smb_return(p);
        p->world->stats.losses++;
    }
}
static void crash(struct player *p, unsigned file)
{
    if (p->is_smb)
        smb_crash(p);
}

static const struct {
    unsigned weight; /* of 1000 */
    void (*act)(struct player *p, unsigned file);
} acts[] = {{620, use}, {160, look}, {60, raise}, {60, range}, {8, replace}, {3, take_away}, {20, let_go},
            {30, watch_names}, {3, lose}, {2, crash}};

static void player_main(void *arg)
{
    struct player *p = arg;
    struct world *w = p->world;
    while (wire_now() < w->end || w->killing) {
        unsigned x = dice(p, 1000), i = 0;
        if (p->is_smb && !p->smb.conn)
            smb_return(p);
        while (i < ARRAY_LEN(acts) && x >= acts[i].weight)
            x -= acts[i++].weight;
        if (i < ARRAY_LEN(acts))
            acts[i].act(p, dice(p, FILES));
        if (dice(p, 20) == 0)
            fiber_sleep(&w->fibers, dice(p, 30));
    }
    for (unsigned i = 0; p->is_smb && i < FILES; i++)
        smb_release(p, &p->slot[i]);
    if (p->is_smb)
        smb_release(p, &p->names);
    p->ended = true;
}

/* --- The world. */

static struct nfs_fh make_dir(struct player *first, const struct nfs_fh *in, const char *name)
{
    struct call_result r = {0};
    if (call_result(nfs_mkdir(&first->nfs, in, name), &r))
        torture_fail("the directory cannot be made");
    return r.fh;
}

static void make_world(struct world *w, struct player *first)
{
    static const uint8_t zeroes[COUNTERS * SPACING];
    struct call_result r = {0};
    snprintf(w->dir, sizeof w->dir, "history-%08x", (uint32_t)(w->play->seed ^ wire_now()));
    w->dir_fh = make_dir(first, &first->nfs.root, w->dir);
    w->both_fh = make_dir(first, &w->dir_fh, "both");
    w->names_fh = make_dir(first, &w->dir_fh, "names");
    w->new_fh = make_dir(first, &w->dir_fh, "new");
    if (call_result(nfs_create(&first->nfs, &w->new_fh, "counters", GUARDED, NFS_NO_SIZE, 0), &r) ||
        call_end(nfs_write(&first->nfs, &r.fh, 0, zeroes, sizeof zeroes, FILE_SYNC)))
        torture_fail("the counters cannot be made");
    w->counters_fh = r.fh;
}

static void explain(const struct history_op *a, const struct history_op *b, const char *what)
{
    static const char *const kinds[] = {"read", "write", "erasure"};
    static const char *const names[] = {"", "R", "H", "RH", "W", "RW", "WH", "RWH"};
    static unsigned shown;
    if (shown++ >= 10)
        return;
    if (a->reg < FILES)
        printf("# WRONG: name %llu: %s\n", (unsigned long long)a->reg, what);
    else
        printf("# WRONG: object %llu, register %llu: %s\n", (unsigned long long)(a->reg / REGISTERS),
               (unsigned long long)(a->reg % REGISTERS), what);
    for (int i = 0; i < 2; i++) {
        const struct history_op *o = i ? b : a;
        printf("#   client %u, %s of %llx from %.3f to %.3f ms", o->who, kinds[o->kind], (unsigned long long)o->value,
               (double)o->invoked / 1e6, (double)o->responded / 1e6);
        if (o->cached)
            printf(", cached by %s %s, durable %u", o->cached & 8 ? "oplock" : "lease", names[o->cached & 7],
                   o->cached >> 4 & 7);
        printf("\n");
    }
}

static void tell_waiting(struct world *w)
{
    for (unsigned i = 0; i < w->play->clients; i++) {
        struct player *p = &w->player[i];
        const struct fiber *both[] = {&p->fiber, &p->second};
        for (int k = 0; k < 2; k++) {
            char text[96];
            const struct call *c = both[k]->call;
            snprintf(text, sizeof text, "waits for ever%s for %s, for %.1f s", k ? ", beside the rest," : "",
                     c ? c->what : "something of its own", c ? (double)(wire_now() - c->sent) / 1e9 : 0.0);
            if (!both[k]->ended)
                wrong(w, text, p);
        }
    }
}

static void tell_stats(const struct stats *s)
{
    const struct {
        const char *what;
        uint64_t n;
    } all[] = {{"reads", s->reads}, {"writes", s->writes}, {"of both cached", s->cached}, {"names looked up", s->names},
               {"of them cached", s->cached_names}, {"truncations", s->erased}, {"files replaced", s->replaced},
               {"removed", s->removed}, {"exclusive locks", s->locked}, {"shared locks", s->shared},
               {"breaks obeyed", s->breaks}, {"clients crashed", s->crashes}, {"connections lost", s->losses},
               {"opens kept over it", s->kept}, {"times told to come back", s->later}, {"kills", s->restarts},
               {"locks reclaimed", s->reclaimed}};
    printf("#");
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        printf(" %llu %s%s", (unsigned long long)all[i].n, all[i].what, i + 1 < ARRAY_LEN(all) ? "," : "\n");
}

static void join(struct world *w, unsigned i)
{
    struct player *p = &w->player[i];
    p->world = w;
    p->number = (uint16_t)i;
    p->is_smb = i % 2;
    p->random = (w->play->seed + 1) * 0x9E3779B97F4A7C15ull + i * 0xBF58476D1CE4E5B9ull;
    if (i == 0) {
        nfs_join(p);
        make_world(w, p);
        return;
    }
    (p->is_smb ? smb_join : nfs_join)(p);
}

static void leave(struct player *p)
{
    free(p->fiber.stack);
    free(p->second.stack);
    if (p->is_smb) {
        smb_close(&p->smb);
    } else {
        nlm_close(&p->nlm);
        nfs_close(&p->nfs);
    }
}

bool players_run(struct wire *wire, struct target *t, const struct play *play)
{
    struct world w = {.wire = wire, .target = t, .fibers.wire = wire, .play = play};
    w.player = calloc(play->clients, sizeof *w.player);
    if (!w.player)
        torture_fail("out of memory");
    list_init(&w.fibers.all);
    printf("# seed %llu, %u clients, %u s, %u kills\n", (unsigned long long)play->seed, play->clients, play->seconds,
           play->kills);
    for (unsigned i = 0; i < play->clients; i++)
        join(&w, i);
    w.end = wire_now() + play->seconds * NSEC_PER_SEC;
    for (unsigned i = 0; i < play->clients; i++) {
        struct player *p = &w.player[i];
        fiber_start(&w.fibers, &p->fiber, player_main, p);
        fiber_start(&w.fibers, &p->second, p->is_smb ? breaker_main : reclaimer_main, p);
    }
    if (play->kills)
        kills_start(&w);
    uint64_t limit = w.end + (PATIENCE + 60 * play->kills) * NSEC_PER_SEC;
    if (!fiber_run(&w.fibers, limit))
        tell_waiting(&w);
    if (play->kills)
        kills_end(&w);
    check_counters(&w);
    tell_stats(&w.stats);
    size_t bad = history_check(&w.history, explain);
    printf("%s 1 - history, seed %llu\n", bad || w.wrong ? "not ok" : "ok", (unsigned long long)play->seed);
    history_done(&w.history);
    for (unsigned i = 0; i < play->clients; i++)
        leave(&w.player[i]);
    free(w.player);
    return !bad && !w.wrong;
}
