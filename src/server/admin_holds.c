/* admin_holds.c - what is held, in words: by whom, since when, who waits behind it; and taking it away. */
#include "admin_int.h"
#include "base/clock.h"
#include "fs/fs_metrics.h"
#include <stdio.h>

/* --- What is held. */
static void range_what(const struct co_hold *h, char *out, size_t cap)
{
    const char *mode = h->exclusive ? "exclusive" : "shared";
    unsigned long long first = h->first, last = h->last;
    if (h->zero_len)
        snprintf(out, cap, "%s, empty at %llu", mode, first);
    else if (h->last == UINT64_MAX)
        snprintf(out, cap, "%s %llu-end", mode, first);
    else
        snprintf(out, cap, "%s %llu-%llu", mode, first, last);
}

static const char *access_text(unsigned bits, char out[8])
{
    snprintf(out, 8, "%s%s%s%s", bits & CO_ACC_READ ? "R" : "", bits & CO_ACC_WRITE ? "W" : "",
             bits & CO_ACC_DELETE ? "D" : "", bits & (CO_ACC_READ | CO_ACC_WRITE | CO_ACC_DELETE) ? "" : "none");
    return out;
}

static void share_what(const struct co_hold *h, char *out, size_t cap)
{
    char access[8], deny[8];
    snprintf(out, cap, "access %s, denies %s", access_text(h->access, access), access_text(h->deny, deny));
}

static const char *lease_text(unsigned bits, char out[8])
{
    snprintf(out, 8, "%s%s%s%s", bits & CO_R ? "R" : "", bits & CO_W ? "W" : "", bits & CO_H ? "H" : "",
             bits ? "" : "none");
    return out;
}

static void lease_what(const struct co_hold *h, char *out, size_t cap)
{
    static const char *const kinds[] = {[CO_LEASE] = "lease", [CO_OPLOCK] = "oplock", [CO_DELEGATION] = "delegation"};
    char now[8], to[8];
    snprintf(out, cap, "%s %s%s%s", kinds[h->lease_kind], lease_text(h->lease, now), h->breaking ? " breaking to " : "",
             h->breaking ? lease_text(h->breaking_to, to) : "");
}

static void waiter_what(const struct co_hold *h, char *out, size_t cap)
{
    char range[64] = "";
    if (h->op == CO_LOCK)
        range_what(h, range, sizeof range);
    snprintf(out, cap, "%s%s%s", fs_op_name(h->op), range[0] ? " " : "", range);
}

static void delete_what(const struct co_hold *h, char *out, size_t cap)
{
    snprintf(out, cap, "pending");
}

static const struct {
    const char *name;
    void (*what)(const struct co_hold *h, char *out, size_t cap);
} kinds[] = {
    [CO_KIND_RANGE] = {"lock", range_what},    [CO_KIND_SHARE] = {"open", share_what},
    [CO_KIND_LEASE] = {"lease", lease_what},   [CO_KIND_DELETE] = {"delete", delete_what},
    [CO_KIND_WAITER] = {"waiting", waiter_what},
};

/* --- By whom: "MACHINE/USER@ADDRESS", of which the first two may be missing. */
struct who {
    char machine[CO_WHO], user[CO_WHO];
    const char *address;
};

static void who_split(const char *text, struct who *w)
{
    const char *at = strrchr(text, '@'), *slash = memchr(text, '/', at ? (size_t)(at - text) : 0);
    const char *user = slash ? slash + 1 : text;
    *w = (struct who){.address = at ? at + 1 : text};
    if (slash)
        memcpy(w->machine, text, (size_t)(slash - text));
    if (at)
        memcpy(w->user, user, (size_t)(at - user));
}

struct walk {
    struct server *s;
    json_t *rows, *waiters; /* id of a hold -> who waits for it */
    const char *path;       /* only this one, or NULL */
};

static const char *path_of(struct fs *fs, const struct co_key *key, char *out, size_t cap)
{
    if (!fs_key_path(fs, key, out, cap))
        snprintf(out, cap, "#%llu", (unsigned long long)key->ino);
    return out;
}

static const char *id_text(uint64_t id, char out[24])
{
    snprintf(out, 24, "%llu", (unsigned long long)id);
    return out;
}

static void note_waiter(json_t *waiters, const struct co_hold *h)
{
    char id[24], who[CO_WHO + 16];
    if (!json_object_get(waiters, id_text(h->behind, id)))
        json_object_set_new(waiters, id, json_array());
    snprintf(who, sizeof who, "%s %s", fs_label_name(h->party.label), h->party.who);
    json_array_append_new(json_object_get(waiters, id), admin_text(who));
}

static json_t *row_of(const struct co_hold *h, const char *path)
{
    char what[128], since[ADMIN_TIME];
    struct who who;
    kinds[h->kind].what(h, what, sizeof what);
    who_split(h->party.who, &who);
    return json_pack("{s:I, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:b, s:I}", "id", (json_int_t)h->id, "file",
                     admin_text(path), "kind", kinds[h->kind].name, "what", what, "protocol",
                     fs_label_name(h->party.label), "address", who.address, "client", admin_text(who.machine), "user",
                     admin_text(who.user), "since", admin_time(h->since, since), "age_ms",
                     (json_int_t)((clock_now() - h->since) / NSEC_PER_MSEC), "disconnected", h->disconnected,
                     "waits_for", (json_int_t)h->behind);
}

static bool look(void *arg, const struct co_hold *h)
{
    struct walk *w = arg;
    char path[4200];
    if ((unsigned)h->kind >= ARRAY_LEN(kinds) || !kinds[h->kind].name)
        return true;
    if (w->path && strcmp(w->path, path_of(w->s->fs, &h->key, path, sizeof path)) != 0)
        return true;
    json_array_append_new(w->rows, row_of(h, w->path ? path : path_of(w->s->fs, &h->key, path, sizeof path)));
    if (h->kind == CO_KIND_WAITER && h->behind)
        note_waiter(w->waiters, h);
    return true;
}

void admin_locks(struct admin_call *c)
{
    struct walk w = {
        .s = c->s, .rows = admin_rows(c, "locks"), .waiters = json_object(), .path = c->n > 1 ? c->words[1] : NULL};
    json_t *row, *behind;
    size_t i;
    char id[24];
    co_each(fs_engine(c->s->fs), NULL, look, &w);
    json_array_foreach(w.rows, i, row) {
        behind = json_object_get(w.waiters, id_text((uint64_t)json_integer_value(json_object_get(row, "id")), id));
        json_object_set_new(row, "waiters", behind ? json_incref(behind) : json_array());
    }
    json_decref(w.waiters);
}

/* --- Taking it away. Picked first, as nothing can be done to a hold while the engine shows it. */
struct victims {
    struct server *s;
    const char *path; /* or NULL: by id */
    uint64_t id;
    struct co_hold *holds;
    size_t n, cap;
};

static bool is_meant(const struct victims *v, const struct co_hold *h)
{
    char path[4200];
    if (h->kind != CO_KIND_RANGE && h->kind != CO_KIND_SHARE && h->kind != CO_KIND_LEASE)
        return false;
    return v->path ? strcmp(v->path, path_of(v->s->fs, &h->key, path, sizeof path)) == 0 : h->id == v->id;
}

static bool pick(void *arg, const struct co_hold *h)
{
    struct victims *v = arg;
    if (!is_meant(v, h))
        return true;
    if (v->n == v->cap) {
        size_t cap = v->cap ? 2 * v->cap : 16;
        struct co_hold *more = realloc(v->holds, cap * sizeof *more);
        if (!more)
            return false;
        v->holds = more;
        v->cap = cap;
    }
    v->holds[v->n++] = *h;
    return true;
}

void admin_break(struct admin_call *c)
{
    const char *word = c->words[1];
    bool by_path = word[0] == '/';
    struct victims v = {.s = c->s, .path = by_path ? word : NULL, .id = by_path ? 0 : strtoull(word, NULL, 10)};
    json_int_t n = 0;
    if (!by_path && (!word[0] || word[strspn(word, "0123456789")])) {
        admin_fail(c, "a path begins with /SHARE, and an id is a number of \"locks\"");
        return;
    }
    co_each(fs_engine(c->s->fs), NULL, pick, &v);
    for (size_t i = 0; i < v.n; i++)
        n += fs_revoke(c->s->fs, &v.holds[i]);
    free(v.holds);
    if (n)
        json_object_set_new(c->out, "revoked", json_integer(n));
    else
        admin_fail(c, "nothing is held there");
}
