/* verbs_see.c - the verbs of a script (script.h) that set the scene, wait, and look at what came. */
#include "script_int.h"
#include <stdio.h>

static struct smb *client(const struct script *s) { return stage_smb(s->g, side(s)); }

/* --- The scene. */

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
static void do_durable(struct script *s)
{
    bool is = s->got[side(s)].durable, want = !strcmp(word(s, 2), "yes");
    if (is && !want)
        stage_fail(s->g, "the open is durable");
    else if (!is && want)
        stage_unsupported(s->g, "the server grants no durable open");
}
static void do_drop(struct script *s)
{
    smb_close(client(s));
    s->last[side(s)] = NULL;
}
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
static void do_cancel(struct script *s)
{
    smb_cancel(stage_smb(s->g, s->n > 2 ? s->word[2][0] - '0' : 0), s->slot[word(s, 1)[0] - 'a'].call);
}

/* --- What NFS hosts are told. */

static void do_grant(struct script *s) { expect_grant(s->g, side(s), OPS_SVID, ms_of(s, 2, s->g->prompt)); }
static void do_no_grant(struct script *s) { expect_no_grant(s->g, side(s), ms_of(s, 2, SHORTLY)); }
static void do_answers(struct script *s)
{
    static const struct {
        const char *name;
        uint32_t answer;
    } all[] = {{"nothing", ~0u}, {"ok", NLM4_GRANTED}, {"DENIED", NLM4_DENIED}, {"GRACE", NLM4_DENIED_GRACE_PERIOD}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (!strcmp(all[i].name, word(s, 2))) {
            stage_nlm(s->g, side(s))->answer = all[i].answer;
            return;
        }
    torture_fail("script: no such answer: %s", word(s, 2));
}
static void do_holder(struct script *s)
{
    const struct call_result *r = &s->told[side(s)];
    bool exclusive = !strcmp(word(s, 2), "ex");
    if (s->g->verdict != PASS)
        return;
    stage_saw(s->g, "holder: %s, svid %u, %llu bytes at %llu", r->holder_exclusive ? "exclusive" : "shared",
              r->holder_svid, (unsigned long long)r->holder_len, (unsigned long long)r->holder_offset);
    if (r->holder_exclusive != exclusive || r->holder_svid != number(s, 3) || r->holder_offset != number(s, 4) ||
        r->holder_len != number(s, 5))
        stage_fail(s->g, "the holder is not named: %s, svid %s, %s bytes at %s is meant", word(s, 2), word(s, 3),
                   word(s, 5), word(s, 4));
}
static void do_restart_server(struct script *s)
{
    memset(s->last, 0, sizeof s->last);
    stage_restart_server(s->g);
}
static void do_nfs_drop(struct script *s) { nfs_reconnect(stage_nfs(s->g, 1)); }
static bool has_been_told(void *arg) { return ((const struct nlm *)arg)->notified != 0; }
static void do_notified(struct script *s)
{
    struct nlm *n = stage_nlm(s->g, side(s));
    if (s->g->verdict != PASS)
        return;
    if (!n->reachable)
        stage_unsupported(s->g, "the client's address has no port mapper: SM_NOTIFY cannot reach it");
    else if (!wire_wait(s->g->wire, ms_of(s, 2, s->g->prompt), has_been_told, n))
        stage_fail(s->g, "no SM_NOTIFY came");
    else
        stage_saw(s->g, "SM_NOTIFY, state %u", n->notified_state);
}

/* --- What SMB clients are told. */

/* One change may be told in several answers: asks again until it is there. */
static void do_changes(struct script *s)
{
    char wanted[64], *all = s->got[side(s)].changes;
    snprintf(wanted, sizeof wanted, "%s %s;", word(s, 2), word(s, 3));
    if (s->g->verdict != PASS)
        return;
    for (bool more = true; more && !strstr(all, wanted);) {
        struct call *c = smb_notify(client(s), &s->dir[side(s)]);
        size_t n = strlen(all);
        more = call_wait(c, SHORTLY) && c->status == STATUS_OK;
        if (more)
            snprintf(all + n, sizeof s->got[0].changes - n, "%s", c->r.changes);
        call_free(c);
    }
    stage_saw(s->g, "changes: %s", all);
    if (!strstr(all, wanted))
        stage_fail(s->g, "CHANGE_NOTIFY tells \"%s\", not \"%s\"", all, wanted);
}
static void do_attributes(struct script *s)
{
    bool hidden = s->got[side(s)].mode & 2;
    if (s->g->verdict == PASS && hidden != !strcmp(word(s, 2), "hidden"))
        stage_fail(s->g, hidden ? "the file is hidden" : "the file is not hidden");
}
static void do_expect_size(struct script *s)
{
    struct call_result r = {0};
    uint32_t status = call_result(nfs_getattr(stage_nfs(s->g, 1), &s->g->fh), &r);
    if (status || r.size != number(s, 1))
        stage_fail(s->g, "GETATTR: status %u, %llu bytes, not %s", status, (unsigned long long)r.size, word(s, 1));
}


const struct verb verbs_see[] = {
    {"prepare", .act = do_prepare}, {"hold", .act = do_hold}, {"hold-dir", .act = do_hold_dir},
    {"granted", .act = do_granted}, {"durable", .act = do_durable}, {"drop", .act = do_drop}, {"idle", .act = do_idle},
    {"break", .act = do_break}, {"epoch", .act = do_epoch}, {"quiet", .act = do_quiet}, {"cancel", .act = do_cancel},
    {"grant", .act = do_grant}, {"no-grant", .act = do_no_grant}, {"answers", .act = do_answers},
    {"holder", .act = do_holder}, {"nfs-drop", .act = do_nfs_drop}, {"restart-server", .act = do_restart_server},
    {"notified", .act = do_notified},
    {"changes", .act = do_changes}, {"attributes", .act = do_attributes}, {"expect-size", .act = do_expect_size}, {0},
};
