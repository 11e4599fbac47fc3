/* admin_commands.c - what the administrator can ask, as one table; linked into the daemon and into concordctl, which
 * runs the offline ones itself when the daemon is down. Answers are JSON objects; concordctl prints them for people. */
#include "fs/fs_metrics.h"
#include "fs/users.h"
#include "server.h"
#include "base/clock.h"
#include <stdarg.h>
#include <stdio.h>

static void _printf_(2, 3) fail(struct admin_call *c, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_object_set_new(c->out, "error", json_string(text));
}

static void check(struct admin_call *c, enum st st)
{
    if (st != ST_OK)
        fail(c, "%s", st_text(st));
}

static json_t *rows(struct admin_call *c, const char *name)
{
    json_t *a = json_array();
    json_object_set_new(c->out, name, a);
    return a;
}

/* --- Users. */
static uint32_t number_word(struct admin_call *c, size_t i)
{
    return i < c->n && c->words[i][0] ? (uint32_t)strtoul(c->words[i], NULL, 10) : UINT32_MAX;
}

static void user_add(struct admin_call *c)
{
    check(c, fs_user_set(c->kv, c->words[2], c->words[3], number_word(c, 4), number_word(c, 5), true));
}

static void user_passwd(struct admin_call *c)
{
    struct fs_user u;
    enum st st = fs_user_get(c->kv, c->words[2], &u);
    check(c, st == ST_OK ? fs_user_set(c->kv, c->words[2], c->words[3], u.uid, u.gid, false) : st);
}

static void user_remove(struct admin_call *c) { check(c, fs_user_remove(c->kv, c->words[2])); }

static bool user_row(void *arg, const struct fs_user *u)
{
    json_array_append_new(arg, json_pack("{s:s, s:I, s:I, s:b}", "name", u->name, "uid", (json_int_t)u->uid, "gid",
                                         (json_int_t)u->gid, "disabled", u->disabled));
    return true;
}

static void user_list(struct admin_call *c) { check(c, fs_user_each(c->kv, user_row, rows(c, "users"))); }

/* --- The server. */
static bool share_row(void *arg, struct fs_share *s)
{
    const struct fs_share_config *k = &s->cfg;
    json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "name", k->name, "path", k->path, "store", k->store,
                                         "read_only", k->read_only, "nfs", k->nfs, "smb", k->smb));
    return true;
}

static void shares(struct admin_call *c) { fs_share_each(c->s->fs, share_row, rows(c, "shares")); }

static void status(struct admin_call *c)
{
    struct co_stats co;
    co_stats(fs_engine(c->s->fs), &co);
    struct timespec now = clock_wall();
    json_object_set_new(c->out, "uptime_s", json_integer(now.tv_sec - c->s->started.tv_sec));
    json_object_set_new(c->out, "in_grace", json_boolean(co_in_grace(fs_engine(c->s->fs), clock_now())));
    const struct {
        const char *name;
        uint64_t value;
    } gauges[] = {{"files", co.files}, {"ranges", co.ranges}, {"shares", co.shares}, {"leases", co.leases}, {"waiters", co.waiters}};
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++)
        json_object_set_new(c->out, gauges[i].name, json_integer((json_int_t)gauges[i].value));
}

static void reload(struct admin_call *c)
{
    if (!server_reload(c->s))
        fail(c, "the configuration has mistakes and was not taken; the log names them");
}

/* --- What is held. */
static const char *lease_text(uint8_t bits, char out[4])
{
    snprintf(out, 4, "%s%s%s", bits & CO_R ? "R" : "", bits & CO_W ? "W" : "", bits & CO_H ? "H" : "");
    return out;
}

static const char *hold_text(const struct co_hold *h, char *out, size_t cap)
{
    char a[4], b[4];
    switch (h->kind) {
    case CO_KIND_RANGE:
    case CO_KIND_WAITER:
        snprintf(out, cap, "%s %llu-%lld", h->exclusive ? "exclusive" : "shared", (unsigned long long)h->first,
                 h->last == UINT64_MAX ? -1ll : (long long)h->last);
        break;
    case CO_KIND_SHARE:
        snprintf(out, cap, "access=%x deny=%x", h->access, h->deny);
        break;
    case CO_KIND_LEASE:
        snprintf(out, cap, h->breaking ? "%s breaking to %s" : "%s", lease_text(h->lease, a), lease_text(h->breaking_to, b));
        break;
    default:
        snprintf(out, cap, "%s", "");
    }
    return out;
}

struct hold_walk {
    struct server *s;
    json_t *rows;
    const char *path; /* only this one, or NULL */
};

static bool hold_row(void *arg, const struct co_hold *h)
{
    static const char *const kinds[] = {[CO_KIND_RANGE] = "lock", [CO_KIND_SHARE] = "open", [CO_KIND_LEASE] = "lease",
                                        [CO_KIND_DELETE] = "delete", [CO_KIND_WAITER] = "waiting"};
    struct hold_walk *w = arg;
    char path[4200], what[96];
    if (!fs_key_path(w->s->fs, &h->key, path, sizeof path))
        snprintf(path, sizeof path, "#%llu", (unsigned long long)h->key.ino);
    if (w->path && strcmp(w->path, path) != 0)
        return true;
    json_array_append_new(
        w->rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "file", path, "kind", kinds[h->kind] ? kinds[h->kind] : "", "what",
                           hold_text(h, what, sizeof what), "protocol", fs_label_name(h->party.label), "holder", h->party.who, "age_ms",
                           (json_int_t)((clock_now() - h->since) / NSEC_PER_MSEC)));
    return true;
}

static void locks(struct admin_call *c)
{
    struct hold_walk w = {.s = c->s, .rows = rows(c, "locks"), .path = c->n > 1 ? c->words[1] : NULL};
    co_each(fs_engine(c->s->fs), NULL, hold_row, &w);
}

static void grace(struct admin_call *c)
{
    json_object_set_new(c->out, "in_grace", json_boolean(co_in_grace(fs_engine(c->s->fs), clock_now())));
}

const struct admin_command admin_commands[] = {
    {"status", "", "uptime, grace, and how much is held", 1, 0, 0, false, status},
    {"shares", "", "what is served", 1, 0, 0, false, shares},
    {"locks", "[PATH]", "locks, opens, leases and who waits", 1, 0, 1, false, locks},
    {"grace", "", "whether only reclaims get locks", 1, 0, 0, false, grace},
    {"reload", "", "read the configuration again", 1, 0, 0, false, reload},
    {"user add", "NAME [UID [GID]]", "add an SMB user; asks for the password", 2, 2, 4, true, user_add},
    {"user passwd", "NAME", "change a password", 2, 2, 2, true, user_passwd},
    {"user list", "", "users of the state database", 2, 0, 0, true, user_list},
    {"user remove", "NAME", "remove a user", 2, 1, 1, true, user_remove},
};
const size_t admin_ncommands = ARRAY_LEN(admin_commands);

static bool command_matches(const struct admin_command *k, const struct admin_call *c)
{
    char name[64] = "";
    for (size_t i = 0; i < k->name_words && i < c->n; i++)
        snprintf(name + strlen(name), sizeof name - strlen(name), "%s%.20s", i ? " " : "", c->words[i]);
    return strcmp(name, k->name) == 0;
}

void admin_run(struct admin_call *c)
{
    for (size_t i = 0; i < admin_ncommands; i++) {
        const struct admin_command *k = &admin_commands[i];
        if (!command_matches(k, c))
            continue;
        size_t args = c->n - k->name_words;
        if (args < k->min || args > k->max)
            fail(c, "usage: %s %s", k->name, k->args);
        else if (!c->s && !k->offline)
            fail(c, "the server is not running");
        else
            k->run(c);
        return;
    }
    fail(c, "unknown command");
}
