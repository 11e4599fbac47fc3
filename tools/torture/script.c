/* script.c - see script.h: runs the steps of a cell that is written as text. Knows the verbs; what they do is in the
 * clients and in stage.h. */
#include "script.h"
#include "ops.h"
#include <stdio.h>

enum { WORDS = 10, SLOTS = 26, PROMPT = 3000, SHORTLY = 150, STEP_MAX = 160 };

struct slot {
    struct call *call;
    struct call *(*again)(struct stage *g); /* of a "persist" */
    int side;                               /* whose open its CREATE makes; -1: it is none */
};
struct script {
    struct stage *g;
    char *word[WORDS];
    int n;
    struct slot slot[SLOTS];
    const struct smb_break *last[SIDES];
    struct call_result got[SIDES]; /* the last CREATE's */
    bool oplock[SIDES];            /* what the client holds is one */
};

static const char *word(const struct script *s, int i)
{
    if (i >= s->n)
        torture_fail("script: \"%s\" lacks a word", s->word[0]);
    return s->word[i];
}
static int side(const struct script *s) { return word(s, 1)[0] - '0'; }
static uint64_t number(const struct script *s, int i) { return strtoull(word(s, i), NULL, 0); }
static unsigned ms_of(const struct script *s, int i, unsigned otherwise)
{
    if (i >= s->n)
        return otherwise;
    if (!strcmp(s->word[i], "half"))
        return s->g->break_timeout / 2;
    if (!strcmp(s->word[i], "timeout"))
        return s->g->break_timeout + PROMPT;
    return (unsigned)number(s, i);
}
static uint32_t bits_of(const char *text, const char *letters, const uint32_t *bits)
{
    uint32_t all = 0;
    for (; *text && *text != '-'; text++) {
        const char *at = strchr(letters, *text);
        if (!at)
            torture_fail("script: no such letter: %c", *text);
        all |= bits[at - letters];
    }
    return all;
}

/* --- Verbs that send a request: they give it back. */

static struct call *do_op(struct script *s) { return op_of(word(s, 1))->send(s->g); }

static struct call *do_create(struct script *s)
{
    static const uint32_t access[] = {ACCESS_READ, ACCESS_WRITE, ACCESS_DELETE, ACCESS_ATTRIBUTES};
    static const uint32_t share[] = {SHARE_READ, SHARE_WRITE, SHARE_DELETE};
    static const char *const dispositions[] = {"supersede", "open", "create", "open-if", "overwrite", "overwrite-if"};
    char path[64];
    struct smb_how how = stage_how(s->g, side(s), word(s, 6));
    snprintf(path, sizeof path, "%s\\%s", s->g->dir, word(s, 2));
    how.name = path;
    how.access = bits_of(word(s, 3), "RWDA", access);
    how.share = bits_of(word(s, 4), "RWD", share);
    how.disposition = ARRAY_LEN(dispositions);
    for (uint32_t i = 0; i < ARRAY_LEN(dispositions); i++)
        if (!strcmp(dispositions[i], word(s, 5)))
            how.disposition = i;
    if (how.disposition == ARRAY_LEN(dispositions))
        torture_fail("script: no such disposition: %s", word(s, 5));
    if (s->n > 7)
        how.options = OPTION_DELETE_ON_CLOSE;
    s->oplock[side(s)] = how.oplock != OPLOCK_LEASE && how.oplock != OPLOCK_NONE;
    return smb_create(stage_smb(s->g, side(s)), &how);
}

static struct smb *client(const struct script *s) { return stage_smb(s->g, side(s)); }
static const struct smb_file *file(const struct script *s) { return &s->g->file[side(s)]; }

static struct call *do_read(struct script *s)
{
    return smb_read(client(s), file(s), number(s, 2), (uint32_t)number(s, 3));
}
static struct call *do_write(struct script *s)
{
    static const uint8_t data[FILE_BYTES];
    return smb_write(client(s), file(s), number(s, 2), data, (uint32_t)MIN(number(s, 3), sizeof data));
}
static struct call *do_lock(struct script *s)
{
    static const struct {
        const char *verb;
        uint32_t flags;
    } kinds[] = {{"lock-sh", LOCK_SHARED},
                 {"lock-ex", LOCK_EXCLUSIVE},
                 {"try-sh", LOCK_SHARED | LOCK_FAIL_IMMEDIATELY},
                 {"try-ex", LOCK_EXCLUSIVE | LOCK_FAIL_IMMEDIATELY},
                 {"unlock", LOCK_UNLOCK}};
    uint32_t flags = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (!strcmp(kinds[i].verb, s->word[0]))
            flags = kinds[i].flags;
    return smb_lock(client(s), file(s), number(s, 2), number(s, 3), flags);
}
static struct call *do_size(struct script *s) { return smb_set_size(client(s), file(s), number(s, 2)); }
static struct call *do_flush(struct script *s) { return smb_flush(client(s), file(s)); }
static struct call *do_touch(struct script *s) { return smb_touch(client(s), file(s), 132000000000000000ull); }
static struct call *do_delete(struct script *s) { return smb_set_delete(client(s), file(s), s->word[0][0] == 'd'); }
static struct call *do_close(struct script *s) { return smb_close_file(client(s), file(s)); }
static struct call *do_logoff(struct script *s) { return smb_logoff(client(s)); }
static struct call *do_leave(struct script *s) { return smb_tree_disconnect(client(s)); }
static struct call *do_rename(struct script *s)
{
    char path[64];
    snprintf(path, sizeof path, "%s\\%s", s->g->dir, word(s, 2));
    return smb_rename(client(s), file(s), path, true);
}

/* What is acknowledged follows what is held: an oplock's level, or a lease's state. */
static struct call *do_ack(struct script *s)
{
    static const struct {
        const char *name;
        uint8_t level, lease;
    } states[] = {{"NONE", OPLOCK_NONE, 0},    {"II", OPLOCK_II, 0},        {"EX", OPLOCK_EX, 0},
                  {"BATCH", OPLOCK_BATCH, 0},  {"LEASE", OPLOCK_LEASE, 0},  {"R", 0, LEASE_R},
                  {"RH", 0, LEASE_RH},         {"RW", 0, LEASE_RW},         {"RWH", 0, LEASE_RWH}};
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (!strcmp(states[i].name, word(s, 2)))
            return s->oplock[side(s)] ? smb_ack_oplock(client(s), file(s), states[i].level)
                                      : smb_ack_lease(client(s), s->g->key[side(s)], states[i].lease);
    torture_fail("script: no such state: %s", word(s, 2));
}
static struct call *do_ack_strange(struct script *s)
{
    static const uint8_t nobody[16] = "nobody's key";
    return smb_ack_lease(client(s), nobody, LEASE_R);
}

static struct call *do_nlm(struct script *s)
{
    const char *what = word(s, 2), *how = s->n > 5 ? s->word[5] : "";
    struct nlm *n = stage_nlm(s->g, side(s));
    struct nlm_lock l = {.fh = s->g->fh, .svid = OPS_SVID, .exclusive = strcmp(what, "sh") != 0, .offset = number(s, 3),
                         .len = number(s, 4), .block = !strcmp(how, "block"), .reclaim = !strcmp(how, "reclaim")};
    if (!strcmp(what, "un"))
        return nlm_unlock(n, &l);
    if (!strcmp(what, "cancel")) {
        l.block = true;
        return nlm_cancel(n, &l);
    }
    return !strcmp(what, "test") ? nlm_test(n, &l) : nlm_lock(n, &l);
}
static struct call *do_share(struct script *s)
{
    static const uint32_t access[] = {FSA_R, FSA_W}, deny[] = {FSM_DR, FSM_DW};
    uint32_t a = bits_of(word(s, 2), "RW", access), d = bits_of(word(s, 3), "RW", deny);
    struct nlm *n = stage_nlm(s->g, side(s));
    return s->word[0][0] == 'u' ? nlm_unshare(n, &s->g->fh, 1, a, d) : nlm_share(n, &s->g->fh, 1, a, d, false);
}
static struct call *do_free(struct script *s) { return nlm_free_all(stage_nlm(s->g, side(s)), 0); }
static struct call *do_restart(struct script *s) { return nsm_notify(stage_nlm(s->g, side(s)), 4711); }

static struct call *do_nfs_create(struct script *s)
{
    return nfs_create(stage_nfs(s->g, 1), &s->g->dir_fh, word(s, 1), GUARDED, NFS_NO_SIZE, 0);
}
static struct call *do_nfs_lookup(struct script *s)
{
    return nfs_lookup(stage_nfs(s->g, 1), &s->g->dir_fh, word(s, 1));
}
static struct call *do_nfs_remove(struct script *s)
{
    return nfs_remove(stage_nfs(s->g, 1), &s->g->dir_fh, word(s, 1));
}

/* --- Verbs that send nothing, or wait themselves. */

static void do_prepare(struct script *s)
{
    const struct op *op = op_of(word(s, 1));
    if (op->before)
        op->before(s->g);
}
static void do_hold(struct script *s)
{
    const char *what = word(s, 2);
    s->oplock[side(s)] = what[0] != 'R' && strcmp(what, "none") != 0;
    stage_hold(s->g, side(s), what);
}
static void do_hold_dir(struct script *s) { stage_hold_dir(s->g, side(s), word(s, 2)); }

static void do_granted(struct script *s)
{
    static const char *const levels[] = {[OPLOCK_NONE] = "NONE", [OPLOCK_II] = "II", [OPLOCK_EX] = "EX",
                                         [OPLOCK_BATCH] = "BATCH"};
    const struct call_result *r = &s->got[side(s)];
    const char *name = r->oplock == OPLOCK_LEASE ? state_name((uint8_t)r->lease)
                       : r->oplock < ARRAY_LEN(levels) && levels[r->oplock] ? levels[r->oplock] : "?";
    if (s->g->verdict != PASS)
        return;
    stage_saw(s->g, "granted: %s", name);
    if (strcmp(name, word(s, 2)) != 0)
        stage_fail(s->g, "granted: %s, not %s", name, word(s, 2));
}
static void do_drop(struct script *s) { smb_close(client(s)); }
static void do_idle(struct script *s) { wire_idle(s->g->wire, s->g->verdict == PASS ? ms_of(s, 1, 0) : 0); }

static void do_break(struct script *s)
{
    int i = side(s);
    const struct smb_break *b =
        expect_break(s->g, i, word(s, 2), word(s, 3), word(s, 4)[0] == 'A', s->last[i]);
    s->last[i] = b ? b : s->last[i];
}
static void do_epoch(struct script *s)
{
    const struct smb_break *b = s->last[side(s)];
    if (s->g->verdict == PASS && s->g->target->dialect >= 0x300 && b->epoch != number(s, 2))
        stage_fail(s->g, "the break's epoch is %u, not %s", b->epoch, word(s, 2));
}
static void do_quiet(struct script *s)
{
    const struct smb *m = client(s);
    const struct smb_break *b = s->last[side(s)], *further;
    if (s->g->verdict != PASS)
        return;
    wire_idle(s->g->wire, ms_of(s, 2, SHORTLY));
    further = b ? smb_break_of(m, b->key, b) : list_first(&m->breaks, struct smb_break, link);
    if (further)
        stage_fail(s->g,
            "one more break, to %s", further->lease ? state_name(further->to) : further->to ? "II" : "NONE");
}
static void do_cancel(struct script *s) { smb_cancel(stage_smb(s->g, 0), s->slot[word(s, 1)[0] - 'a'].call); }
static void do_grant(struct script *s) { expect_grant(s->g, side(s), OPS_SVID, ms_of(s, 2, PROMPT)); }
static void do_no_grant(struct script *s)
{
    const struct nlm *n = stage_nlm(s->g, side(s));
    if (s->g->verdict != PASS)
        return;
    wire_idle(s->g->wire, ms_of(s, 2, SHORTLY));
    if (list_first(&n->grants, struct nlm_grant, link))
        stage_fail(s->g, "a GRANTED that should not be");
}
static void do_expect_size(struct script *s)
{
    struct call_result r = {0};
    uint32_t status = call_result(nfs_getattr(stage_nfs(s->g, 1), &s->g->fh), &r);
    if (status || r.size != number(s, 1))
        stage_fail(s->g, "GETATTR: status %u, %llu bytes, not %s", status, (unsigned long long)r.size, word(s, 1));
}

static const struct verb {
    const char *name;
    struct call *(*send)(struct script *s);
    void (*act)(struct script *s);
} verbs[] = {
    {"op", do_op}, {"persist", do_op}, {"create", do_create}, {"read", do_read}, {"write", do_write}, {"size", do_size},
    {"lock-sh", do_lock}, {"lock-ex", do_lock}, {"try-sh", do_lock}, {"try-ex", do_lock}, {"unlock", do_lock},
    {"flush", do_flush}, {"touch", do_touch}, {"delete", do_delete}, {"undelete", do_delete}, {"close", do_close},
    {"logoff", do_logoff}, {"leave", do_leave}, {"rename", do_rename}, {"ack", do_ack}, {"ack-strange", do_ack_strange},
    {"nlm", do_nlm}, {"share", do_share}, {"unshare", do_share}, {"free", do_free}, {"restart", do_restart},
    {"nfs-create", do_nfs_create}, {"nfs-lookup", do_nfs_lookup}, {"nfs-remove", do_nfs_remove},
    {"prepare", .act = do_prepare}, {"hold", .act = do_hold}, {"hold-dir", .act = do_hold_dir},
    {"granted", .act = do_granted}, {"drop", .act = do_drop}, {"idle", .act = do_idle}, {"break", .act = do_break},
    {"epoch", .act = do_epoch}, {"quiet", .act = do_quiet}, {"cancel", .act = do_cancel}, {"grant", .act = do_grant},
    {"no-grant", .act = do_no_grant}, {"expect-size", .act = do_expect_size},
};
static const struct verb *verb_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (!strcmp(verbs[i].name, name))
            return &verbs[i];
    torture_fail("script: no such verb: %s", name);
}

/* --- Steps. */

/* The name in "A|B" that is how c ended; the first if none is. */
static const char *choose(const struct call *c, char *names)
{
    const char *first = names, *chosen = NULL;
    for (char *next; names; names = next) {
        if ((next = strchr(names, '|')) != NULL)
            *next++ = '\0';
        if (c->done && strcmp(names, "any") != 0 && status_of(names) == c->status)
            chosen = names;
    }
    return chosen ? chosen : first;
}

static void finish(struct script *s, struct slot *slot, char *status, unsigned ms)
{
    uint64_t deadline = wire_now() + (uint64_t)ms * 1000000;
    bool passing = s->g->verdict == PASS;
    struct call *c = slot->call;
    if (!c)
        torture_fail("script: nothing is under way there");
    call_wait(c, passing ? ms : 1);
    while (slot->again && passing && c->done && c->status == NFS3ERR_JUKEBOX && wire_now() < deadline) {
        stage_saw(s->g, "%s: JUKEBOX", c->what);
        call_free(c);
        wire_idle(s->g->wire, SHORTLY);
        c = slot->again(s->g);
        call_wait(c, (unsigned)((deadline - MIN(deadline, wire_now())) / 1000000));
    }
    if (slot->side >= 0 && c->done && c->status == STATUS_OK) {
        s->got[slot->side] = c->r;
        s->g->file[slot->side] = c->r.file;
    }
    expect_status(s->g, c, choose(c, status), 1);
    *slot = (struct slot){.side = -1};
}

static void split(struct script *s, char *text)
{
    char *save = NULL;
    s->n = 0;
    for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        if (s->n == WORDS)
            torture_fail("script: a step of too many words: %s ...", s->word[0]);
        s->word[s->n++] = w;
    }
}

static void step_of_slot(struct script *s)
{
    struct slot *slot = &s->slot[s->word[0][0] - 'a'];
    if (!strcmp(word(s, 1), "waits")) {
        if (slot->call)
            expect_waiting(s->g, slot->call, ms_of(s, 2, SHORTLY));
    } else {
        finish(s, slot, s->word[2], ms_of(s, 3, PROMPT));
    }
}

static void step_of_verb(struct script *s)
{
    static char fine[] = "ok";
    const struct verb *v = verb_of(s->word[0]);
    char *last = s->word[s->n - 1], *how = s->n > 2 ? s->word[s->n - 2] : fine;
    bool named = !strcmp(how, "=") || !strcmp(how, ">");
    struct slot here = {.side = -1};
    s->n -= named ? 2 : 0;
    if (v->act) {
        v->act(s);
        return;
    }
    here.call = v->send(s);
    here.again = !strcmp(s->word[0], "persist") ? op_of(word(s, 1))->send : NULL;
    here.side = v->send == do_create ? side(s) : -1;
    if (named && how[0] == '>') {
        struct slot *slot = &s->slot[last[0] - 'a'];
        if (last[1] || last[0] < 'a' || last[0] > 'z' || slot->call)
            torture_fail("script: > %s: one free letter is needed", last);
        *slot = here;
        return;
    }
    char ok[] = "ok";
    finish(s, &here, named ? last : ok, here.again ? s->g->break_timeout + PROMPT : PROMPT);
}

void script_run(struct stage *g, const char *text)
{
    struct script s = {.g = g};
    char step[STEP_MAX];
    while (*text && g->verdict == PASS) {
        size_t n = strcspn(text, ";");
        if (n >= sizeof step)
            torture_fail("script: a step is too long: %.40s", text);
        memcpy(step, text, n);
        step[n] = '\0';
        text += n + (text[n] == ';');
        split(&s, step);
        if (s.n == 0)
            continue;
        if (!s.word[0][1])
            step_of_slot(&s);
        else
            step_of_verb(&s);
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (s.slot[i].call)
            call_free(s.slot[i].call);
}

/* --- Tables. */

static void run_matrix(struct stage *g, const struct cell *c)
{
    const struct matrix *m = c->row;
    size_t across = m->columns ? m->ncolumns : 1;
    const struct matrix_row *r = &m->rows[c->column / across];
    const char *status = r->status[c->column % across];
    char text[1600];
    int n = snprintf(text, sizeof text, "%s;%s%s%s", m->columns ? m->columns[c->column % across].setup : "", r->text,
                     status && !strchr("=>+", status[0]) ? " = " : " ", status ? status + (status[0] == '+') : "");
    if (n >= (int)sizeof text)
        torture_fail("%s: the script is too long", c->id);
    script_run(g, text);
}

void matrix_cells(struct cell_list *l, const struct matrix *m)
{
    size_t across = m->columns ? m->ncolumns : 1;
    for (size_t i = 0; i < m->nrows * across; i++) {
        const struct matrix_row *r = &m->rows[i / across];
        const char *status = r->status[i % across];
        if (m->columns && !status)
            continue;
        struct cell *c = cell_add(l, run_matrix, "%s/%s%s%s%s%s", m->section, r->name, m->columns ? "/" : "",
                                  m->columns ? m->columns[i % across].name : "", r->policy ? "/" : "",
                                  r->policy ? r->policy : "");
        c->policy = r->policy;
        c->row = m;
        c->column = (unsigned)i;
        c->quick = i / across < m->nquick && !r->policy;
        snprintf(c->expected, sizeof c->expected, "%s", status && status[0] != '>' ? status : r->text);
    }
}
