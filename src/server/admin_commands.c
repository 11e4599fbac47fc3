/* admin_commands.c - what the administrator can ask, as one table; linked into the daemon and into concordctl, which
 * runs the offline ones itself when the daemon is down. Answers are JSON objects; concordctl prints them for people. */
#include "admin_int.h"
#include "base/clock.h"
#include "fs/users.h"
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void admin_fail(struct admin_call *c, const char *fmt, ...)
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
        admin_fail(c, "%s", st_text(st));
}

json_t *admin_rows(struct admin_call *c, const char *name)
{
    json_t *a = json_array();
    json_object_set_new(c->out, name, a);
    return a;
}

json_t *admin_text(const char *s)
{
    json_t *v = json_string(s);
    if (v)
        return v;
    _cleanup_free_ char *ascii = strdup(s);
    for (char *p = ascii; p && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json_string(ascii ? ascii : "");
}

const char *admin_time(uint64_t at, char out[ADMIN_TIME])
{
    time_t then = clock_wall().tv_sec - (time_t)((clock_now() - at) / NSEC_PER_SEC);
    struct tm tm;
    gmtime_r(&then, &tm);
    strftime(out, ADMIN_TIME, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return out;
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

static void user_list(struct admin_call *c) { check(c, fs_user_each(c->kv, user_row, admin_rows(c, "users"))); }

/* --- The server. */
static bool share_row(void *arg, struct fs_share *s)
{
    const struct fs_share_config *k = &s->cfg;
    json_array_append_new(arg, json_pack("{s:s, s:s, s:s, s:b, s:b, s:b}", "name", k->name, "path", k->path, "store",
                                         k->store, "read_only", k->read_only, "nfs", k->nfs, "smb", k->smb));
    return true;
}

static void shares(struct admin_call *c) { fs_share_each(c->s->fs, share_row, admin_rows(c, "shares")); }

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
    } gauges[] = {{"files", co.files},
                  {"ranges", co.ranges},
                  {"shares", co.shares},
                  {"leases", co.leases},
                  {"waiters", co.waiters}};
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++)
        json_object_set_new(c->out, gauges[i].name, json_integer((json_int_t)gauges[i].value));
}

static void reload(struct admin_call *c)
{
    if (!server_reload(c->s))
        admin_fail(c, "the configuration has mistakes and was not taken; the log names them");
}

static void grace(struct admin_call *c)
{
    json_object_set_new(c->out, "in_grace", json_boolean(co_in_grace(fs_engine(c->s->fs), clock_now())));
}

const struct admin_command admin_commands[] = {
    {"status", "", "uptime, grace, and how much is held", 1, 0, 0, false, status},
    {"shares", "", "what is served", 1, 0, 0, false, shares},
    {"clients", "", "who is connected, and hosts monitored for their locks", 1, 0, 0, false, admin_clients},
    {"locks", "[PATH]", "locks, opens, leases and who waits", 1, 0, 1, false, admin_locks},
    {"break", "PATH|ID", "take away a hold, or all that is held on a file", 1, 1, 1, false, admin_break},
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
            admin_fail(c, "usage: %s %s", k->name, k->args);
        else if (!c->s && !k->offline)
            admin_fail(c, "the server is not running");
        else
            k->run(c);
        return;
    }
    admin_fail(c, "unknown command");
}
