/* expect.c - see stage.h: what must be observed. */
#include "stage.h"
#include <stdio.h>

enum { HELD_BACK = 150, QUIET = 60 }; /* ms: must not have come yet */

static const struct {
    const char *name;
    uint32_t status;
    char kind; /* of the protocol: N, L or S; * all */
} statuses[] = {
    {"ok", 0, '*'}, {"lost", CALL_LOST, '*'}, {"no answer", CALL_TIMEOUT, '*'}, {"garbled", CALL_GARBLED, '*'},
    {"refused", CALL_REFUSED, '*'},
    {"NOENT", NFS3ERR_NOENT, 'N'}, {"IO", NFS3ERR_IO, 'N'}, {"ACCES", NFS3ERR_ACCES, 'N'}, {"EXIST", NFS3ERR_EXIST, 'N'},
    {"INVAL", NFS3ERR_INVAL, 'N'}, {"NOTEMPTY", NFS3ERR_NOTEMPTY, 'N'}, {"STALE", NFS3ERR_STALE, 'N'},
    {"JUKEBOX", NFS3ERR_JUKEBOX, 'N'}, {"PERM", NFS3ERR_PERM, 'N'},
    {"DENIED", NLM4_DENIED, 'L'}, {"NOLOCKS", NLM4_DENIED_NOLOCKS, 'L'}, {"BLOCKED", NLM4_BLOCKED, 'L'},
    {"GRACE", NLM4_DENIED_GRACE_PERIOD, 'L'}, {"DEADLCK", NLM4_DEADLCK, 'L'}, {"STALE_FH", NLM4_STALE_FH, 'L'},
    {"FBIG", NLM4_FBIG, 'L'}, {"FAILED", NLM4_FAILED, 'L'},
    {"SHARING_VIOLATION", STATUS_SHARING_VIOLATION, 'S'}, {"FILE_LOCK_CONFLICT", STATUS_FILE_LOCK_CONFLICT, 'S'},
    {"LOCK_NOT_GRANTED", STATUS_LOCK_NOT_GRANTED, 'S'}, {"DELETE_PENDING", STATUS_DELETE_PENDING, 'S'},
    {"ACCESS_DENIED", STATUS_ACCESS_DENIED, 'S'}, {"OBJECT_NAME_NOT_FOUND", STATUS_OBJECT_NAME_NOT_FOUND, 'S'},
    {"OBJECT_NAME_COLLISION", STATUS_OBJECT_NAME_COLLISION, 'S'}, {"CANCELLED", STATUS_CANCELLED, 'S'},
    {"RANGE_NOT_LOCKED", STATUS_RANGE_NOT_LOCKED, 'S'}, {"REQUEST_NOT_ACCEPTED", STATUS_REQUEST_NOT_ACCEPTED, 'S'},
    {"UNSUCCESSFUL", STATUS_UNSUCCESSFUL, 'S'}, {"INVALID_OPLOCK_PROTOCOL", STATUS_INVALID_OPLOCK_PROTOCOL, 'S'},
    {"INVALID_DEVICE_STATE", STATUS_INVALID_DEVICE_STATE, 'S'}, {"INVALID_PARAMETER", STATUS_INVALID_PARAMETER, 'S'},
    {"FILE_CLOSED", STATUS_FILE_CLOSED, 'S'}, {"FILE_DELETED", STATUS_FILE_DELETED, 'S'},
    {"NOTIFY_ENUM_DIR", STATUS_NOTIFY_ENUM_DIR, 'S'},
    {"NOTIFY_CLEANUP", STATUS_NOTIFY_CLEANUP, 'S'},
    {"INVALID_LOCK_RANGE", STATUS_INVALID_LOCK_RANGE, 'S'}, {"END_OF_FILE", STATUS_END_OF_FILE, 'S'},
};

uint32_t status_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (!strcmp(statuses[i].name, name))
            return statuses[i].status;
    torture_fail("no such status: %s", name);
}

/* What protocol a call is of, by what it carries for people: NLM's say so, SMB's statuses have their high bits. */
static char kind_of(const struct call *c) { return c->nlm ? 'L' : 'N'; }

const char *status_name(const struct call *c, uint32_t status, char buf[32])
{
    char kind = status >= 0x100 && status != NFS3ERR_JUKEBOX && status != NFS3ERR_BADHANDLE ? 'S' : kind_of(c);
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (statuses[i].status == status && (statuses[i].kind == '*' || statuses[i].kind == kind))
            return strcpy(buf, statuses[i].name);
    snprintf(buf, 32, kind == 'S' ? "0x%08X" : "%u", status);
    return buf;
}

/* --- Answers. */

static double ms_of(const struct call *c) { return (double)(c->answered - c->sent) / 1e6; }

void expect_status(struct stage *g, struct call *c, const char *status, unsigned ms)
{
    char name[32];
    bool came = call_wait(c, g->verdict == PASS ? ms : 1);
    status_name(c, came ? c->status : CALL_TIMEOUT, name);
    stage_saw(g, "%s: %s", c->what, name);
    if (came)
        stage_saw(g, "%.1f ms", ms_of(c));
    if (strcmp(status, "any") != 0 && (!came || c->status != status_of(status)))
        stage_fail(g, "%s: %s, not %s", c->what, name, status);
    else if (!came)
        stage_fail(g, "%s: no answer", c->what);
    call_free(c);
}

void expect_waiting(struct stage *g, const struct call *c, unsigned ms)
{
    char name[32];
    if (g->verdict == PASS && call_wait((struct call *)c, ms))
        stage_fail(g, "%s did not wait: %s after %.1f ms", c->what, status_name(c, c->status, name), ms_of(c));
}

static bool is_pending(void *arg) { return ((const struct call *)arg)->pending || ((const struct call *)arg)->done; }
void expect_pending(struct stage *g, struct call *c, unsigned ms)
{
    if (g->verdict != PASS)
        return;
    if (!wire_wait(g->wire, ms, is_pending, c) || !c->pending)
        stage_fail(g, c->done ? "%s did not wait" : "%s: no STATUS_PENDING", c->what);
}

/* --- Breaks. */

struct awaited {
    const struct stage *g;
    int side;
    const struct smb_break *after;
};
static const uint8_t *key_of(const struct stage *g, int side)
{
    const struct smb_break *b;
    list_each(b, &g->smb[side].breaks, link)
        if (!b->lease)
            return g->file[side].id;
    return g->key[side];
}
static const struct smb_break *find(const struct awaited *a)
{
    return smb_break_of(&a->g->smb[a->side], key_of(a->g, a->side), a->after);
}
static bool has_come(void *arg) { return find(arg) != NULL; }

const struct smb_break *expect_break(struct stage *g, int side, const char *from, const char *to, bool ack,
                                     const struct smb_break *after)
{
    struct awaited a = {g, side, after};
    if (g->verdict != PASS)
        return NULL;
    if (!wire_wait(g->wire, g->prompt, has_come, &a)) {
        stage_fail(g, "no break to %s", to);
        return NULL;
    }
    const struct smb_break *b = find(&a);
    const char *went = b->lease ? state_name(b->to) : b->to == OPLOCK_II ? "II" : b->to == OPLOCK_NONE ? "NONE" : "?";
    if (b->lease)
        stage_saw(g, "break %s to %s%s, epoch %u", state_name(b->from), went, b->ack ? ", ack required" : "", b->epoch);
    else
        stage_saw(g, "oplock break to %s", went);
    if (!b->lawful)
        stage_fail(g, "the notification is malformed");
    if (strcmp(went, to) != 0)
        stage_fail(g, "the break goes to %s, not %s", went, to);
    if (b->lease && from && strcmp(state_name(b->from), from) != 0)
        stage_fail(g, "the break says it comes from %s, not %s", state_name(b->from), from);
    if (b->lease && b->ack != ack)
        stage_fail(g, ack ? "the break asks for no acknowledgement" : "the break asks for an acknowledgement");
    return b;
}

void expect_quiet(struct stage *g, int side, unsigned ms)
{
    const struct smb_break *b;
    if (g->verdict != PASS)
        return;
    wire_idle(g->wire, ms);
    list_each(b, &g->smb[side].breaks, link) {
        stage_fail(g, "a break to %s that should not be", b->lease ? state_name(b->to) : b->to ? "II" : "NONE");
        return;
    }
}

void stage_ack(struct stage *g, int side, const char *to, const char *status)
{
    uint8_t lease = 0, level = OPLOCK_NONE;
    bool oplock = key_of(g, side) != g->key[side];
    if (g->verdict != PASS)
        return;
    for (uint8_t i = 0; i < 8; i++)
        if (!strcmp(state_name(i), to))
            lease = i;
    if (!strcmp(to, "II"))
        level = OPLOCK_II;
    struct smb *s = &g->smb[side];
    expect_status(g, oplock ? smb_ack_oplock(s, &g->file[side], level) : smb_ack_lease(s, g->key[side], lease), status, g->prompt);
}

void expect_cell(struct stage *g, int side, const char *held, const char *tokens, struct call *c, const char *status)
{
    char to[8] = "";
    bool ack = strstr(tokens, " A") != NULL, waits = strstr(tokens, " W") != NULL;
    if (tokens[0] == '-') {
        expect_status(g, c, status, g->prompt);
        expect_quiet(g, side, QUIET);
        return;
    }
    memcpy(to, tokens, MIN(strcspn(tokens, " "), sizeof to - 1));
    const struct smb_break *b = expect_break(g, side, held, to, ack, NULL);
    if (waits) {
        expect_waiting(g, c, HELD_BACK);
        stage_ack(g, side, to, "ok");
        expect_status(g, c, status, g->prompt);
        return;
    }
    if (call_wait(c, g->prompt) && b && c->arrival < b->arrival)
        stage_fail(g, "%s is answered before the break is sent", c->what);
    expect_status(g, c, status, g->prompt);
    if (ack)
        stage_ack(g, side, to, "ok");
}

/* --- GRANTED. */

struct granted {
    const struct nlm *n;
    uint32_t svid;
    unsigned after;
};
static bool has_grant(void *arg)
{
    const struct granted *w = arg;
    const struct nlm_grant *g;
    unsigned seen = 0;
    list_each(g, &w->n->grants, link)
        if (g->svid == w->svid && ++seen > w->after)
            return true;
    return false;
}
void expect_grant(struct stage *g, int side, uint32_t svid, unsigned ms)
{
    struct granted w = {stage_nlm(g, side), svid, g->granted[side]};
    uint64_t from = wire_now();
    if (g->verdict != PASS)
        return;
    if (!w.n->reachable)
        stage_unsupported(g, "the client's address has no port mapper: GRANTED cannot reach it");
    else if (!wire_wait(g->wire, ms, has_grant, &w))
        stage_fail(g, "no GRANTED came back");
    else
        stage_saw(g, "GRANTED after %.1f ms", (double)(wire_now() - from) / 1e6);
    g->granted[side]++;
}
void expect_no_grant(struct stage *g, int side, unsigned ms)
{
    const struct nlm *n = stage_nlm(g, side);
    const struct nlm_grant *grant;
    unsigned seen = 0;
    if (g->verdict != PASS)
        return;
    wire_idle(g->wire, ms);
    list_each(grant, &n->grants, link)
        seen++;
    if (seen > g->granted[side])
        stage_fail(g, "a GRANTED that should not be");
}
