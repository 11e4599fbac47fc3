/* stage.c - see stage.h: the directory, the clients, and what they hold. */
#include "stage.h"
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

/* --- What was seen, and what is wrong. */

void stage_saw(struct stage *g, const char *format, ...)
{
    size_t n = strlen(g->seen);
    va_list ap;
    if (n && n < sizeof g->seen - 3)
        n += (size_t)snprintf(g->seen + n, sizeof g->seen - n, "; ");
    va_start(ap, format);
    vsnprintf(g->seen + n, sizeof g->seen - n, format, ap);
    va_end(ap);
}

static void end_with(struct stage *g, enum verdict verdict, const char *format, va_list ap)
{
    if (g->verdict != PASS)
        return;
    g->verdict = verdict;
    vsnprintf(g->why, sizeof g->why, format, ap);
    g->wire->patience = 500;
}
void stage_fail(struct stage *g, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    end_with(g, FAIL, format, ap);
    va_end(ap);
}
void stage_unsupported(struct stage *g, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    end_with(g, UNSUPPORTED, format, ap);
    va_end(ap);
}

/* --- Clients. */

struct smb *stage_smb(struct stage *g, int side)
{
    struct smb *s = &g->smb[side];
    if (s->host)
        return s;
    if (!g->host[side].wire)
        host_init(&g->host[side], g->wire, g->target);
    const char *wrong = smb_open(s, &g->host[side]);
    if (wrong)
        stage_fail(g, "SMB client: %s", wrong);
    return s;
}

static struct host *nfs_host(struct stage *g, int side)
{
    struct host *h = &g->host[SIDES + side];
    if (!h->wire)
        host_init(h, g->wire, g->target);
    h->keep = true;
    return h;
}
struct nfs *stage_nfs(struct stage *g, int side)
{
    struct nfs *n = &g->nfs[side];
    const char *wrong = n->rpc.host ? NULL : nfs_open(n, nfs_host(g, side));
    if (wrong)
        stage_fail(g, "NFS client: %s", wrong);
    return n;
}
struct nlm *stage_nlm(struct stage *g, int side)
{
    struct nlm *n = &g->nlm[side];
    const char *wrong = n->rpc.host ? NULL : nlm_open(n, nfs_host(g, side), true);
    if (wrong)
        stage_fail(g, "NLM client: %s", wrong);
    return n;
}

void stage_restart_server(struct stage *g)
{
    if (g->verdict != PASS)
        return;
    if (!g->target->restart) {
        stage_unsupported(g, "needs a restart of the server: nobody said how (--restart)");
        return;
    }
    for (int i = 0; i < SIDES; i++)
        smb_close(&g->smb[i]);
    if (system(g->target->restart) != 0)
        torture_fail("the command that restarts the server failed");
    for (int i = 0; i < SIDES; i++) {
        if (g->nfs[i].rpc.host)
            nfs_reconnect(&g->nfs[i]);
        if (g->nlm[i].rpc.host && !nlm_reconnect(&g->nlm[i]))
            stage_fail(g, "no connection to NLM after the restart");
    }
    stage_saw(g, "server restarted");
}

/* --- The directory. */

void stage_file(struct stage *g, const char *name, struct nfs_fh *ret)
{
    static const uint8_t zeroes[FILE_BYTES];
    struct nfs *n = stage_nfs(g, SIDES - 1);
    struct call_result r = {0};
    char path[64];
    struct smb *s = stage_smb(g, SIDES - 1);
    struct smb_how how = {.name = path, .access = ACCESS_RW, .share = SHARE_ALL, .disposition = FILE_OPEN_IF};
    snprintf(path, sizeof path, "%s\\%s", g->dir, name);
    uint32_t status = call_result(smb_create(s, &how), &r);
    if (!status)
        status = call_end(smb_write(s, &r.file, 0, zeroes, sizeof zeroes));
    if (!status)
        status = call_end(smb_close_file(s, &r.file));
    if (status)
        stage_fail(g, "the file cannot be made: status 0x%X", status);
    status = call_result(nfs_lookup(n, &g->dir_fh, name), &r);
    if (status)
        stage_fail(g, "the file is not seen over NFS: status %u", status);
    *ret = r.fh;
}

void stage_begin(struct stage *g, struct wire *w, struct target *t, unsigned break_timeout, unsigned prompt)
{
    uint64_t id;
    struct call_result r = {0};
    memset(g, 0, sizeof *g);
    g->wire = w;
    g->target = t;
    g->break_timeout = break_timeout;
    g->prompt = prompt;
    g->name = "f";
    w->patience = break_timeout + 10000;
    if (getrandom(g->key, sizeof g->key, 0) < 0 || getrandom(&id, sizeof id, 0) < 0)
        torture_fail("no randomness");
    snprintf(g->dir, sizeof g->dir, "torture-%08x", (uint32_t)id);
    snprintf(g->path, sizeof g->path, "%s\\f", g->dir);
    struct smb_how how = {.name = g->dir, .access = ACCESS_READ, .share = SHARE_ALL, .disposition = FILE_CREATE,
                          .options = OPTION_DIRECTORY};
    struct smb *s = stage_smb(g, SIDES - 1);
    uint32_t status = call_result(smb_create(s, &how), &r);
    if (!status)
        status = call_end(smb_close_file(s, &r.file));
    if (status)
        stage_fail(g, "the directory cannot be made: status 0x%X", status);
    struct nfs *n = stage_nfs(g, SIDES - 1);
    if (call_result(nfs_lookup(n, &n->root, g->dir), &r))
        stage_fail(g, "the directory is not seen over NFS");
    g->dir_fh = r.fh;
    stage_file(g, g->name, &g->fh);
}

static void remove_all(struct stage *g)
{
    static const char *const names[] = {"f", "g", "new", "src", "link", ".nfs0123"};
    struct nfs *n = stage_nfs(g, SIDES - 1);
    for (size_t i = 0; g->sub_fh.n && i < ARRAY_LEN(names); i++)
        call_end(nfs_remove(n, &g->sub_fh, names[i]));
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        call_end(nfs_remove(n, &g->dir_fh, names[i]));
    call_end(nfs_rmdir(n, &g->dir_fh, "sub"));
    call_end(nfs_rmdir(n, &g->dir_fh, "moved"));
    call_end(nfs_rmdir(n, &n->root, g->dir));
}

void stage_end(struct stage *g)
{
    for (int i = 0; i < SIDES - 1; i++)
        smb_close(&g->smb[i]);
    for (int i = 0; i < SIDES; i++)
        if (g->nlm[i].rpc.host) {
            call_end(nlm_free_all(&g->nlm[i], 0));
            nlm_close(&g->nlm[i]);
        }
    if (g->nfs[SIDES - 1].rpc.conn)
        remove_all(g);
    for (int i = 0; i < SIDES; i++)
        if (g->nfs[i].rpc.host)
            nfs_close(&g->nfs[i]);
    smb_close(&g->smb[SIDES - 1]);
}

/* --- Holding. */

static const struct state {
    const char *name;
    uint8_t oplock, lease;
} states[] = {
    {"none", OPLOCK_NONE, 0},          {"R", OPLOCK_LEASE, LEASE_R},     {"RH", OPLOCK_LEASE, LEASE_RH},
    {"RW", OPLOCK_LEASE, LEASE_RW},    {"RWH", OPLOCK_LEASE, LEASE_RWH}, {"II", OPLOCK_II, 0},
    {"EX", OPLOCK_EX, 0},              {"BATCH", OPLOCK_BATCH, 0},
};
static const struct state *state_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (!strcmp(states[i].name, name))
            return &states[i];
    return !strcmp(name, "NONE") ? &states[0] : (torture_fail("no such state: %s", name), NULL);
}
const char *state_name(uint8_t lease)
{
    static const char *const names[] = {"NONE", "R", "H", "RH", "W", "RW", "WH", "RWH"};
    return names[lease & 7];
}
static const char *oplock_name(uint8_t level)
{
    return level == OPLOCK_NONE ? "NONE" : level == OPLOCK_II ? "II" : level == OPLOCK_EX ? "EX" : "BATCH";
}

struct smb_how stage_how(struct stage *g, int side, const char *what)
{
    const struct state *s = state_of(what);
    return (struct smb_how){.name = g->path, .access = ACCESS_RW | ACCESS_DELETE, .share = SHARE_ALL,
                            .disposition = FILE_OPEN_IF, .oplock = s->oplock, .lease = s->lease, .key = g->key[side],
                            .v2 = g->target->dialect >= 0x300};
}

static const char *granted(const struct call_result *r)
{
    return r->oplock == OPLOCK_LEASE ? state_name((uint8_t)r->lease) : oplock_name(r->oplock);
}

static bool hold(struct stage *g, int side, const struct smb_how *how, const char *want)
{
    struct call_result r = {0};
    char name[32];
    struct call *c = smb_create(stage_smb(g, side), how);
    call_wait(c, g->wire->patience);
    status_name(c, c->done ? c->status : CALL_TIMEOUT, name);
    uint32_t status = call_result(c, &r);
    if (status)
        stage_fail(g, "CREATE by client %d: %s", side, name);
    g->file[side] = r.file;
    if (!status && want && strcmp(granted(&r), want) != 0)
        stage_unsupported(g, "the server grants %s where %s was asked for", granted(&r), want);
    return g->verdict == PASS;
}
bool stage_open(struct stage *g, int side, const struct smb_how *how) { return hold(g, side, how, NULL); }

bool stage_hold(struct stage *g, int side, const char *what)
{
    struct smb_how how = stage_how(g, side, what);
    return hold(g, side, &how, strcmp(what, "none") != 0 ? what : "NONE");
}

bool stage_hold_dir(struct stage *g, int side, const char *what)
{
    struct smb_how how = stage_how(g, side, what);
    how.name = g->dir;
    how.access = ACCESS_READ;
    how.options = OPTION_DIRECTORY;
    how.v2 = true;
    if (g->target->dialect < 0x300)
        stage_unsupported(g, "directory leases need SMB 3");
    return hold(g, side, &how, what);
}
