/* config.c - reading the configuration from its sources in order. Which keys exist is config_keys.c's business, what
 * their values look like config_value.c's. */
#include "config.h"
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>

struct loader {
    struct config *c;
    FILE *in;
    const char *file;
    unsigned line;
    bool too_long;
    char *err;
    size_t cap, used;
};

static void _printf_(2, 3) mistake(struct loader *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(l->err + l->used, l->cap - l->used, fmt, ap);
    va_end(ap);
    if (n > 0)
        l->used = MIN(l->used + (size_t)n, l->cap - 1);
}

static size_t share_keys_begin(void)
{
    size_t i = 0;
    while (strcmp(config_keys[i].section, "share") != 0)
        i++;
    return i;
}

/* Origins: one per key outside [share], then the share keys' once per share. */
static struct config_origin *origin_of(struct config *c, size_t key, size_t share)
{
    size_t first = share_keys_begin();
    return &c->origins[key < first ? key : first + share * (config_nkeys - first) + key - first];
}

static int key_set(struct loader *l, size_t key, size_t share, const char *text, const char *where)
{
    const struct config_key *k = &config_keys[key];
    void *base = strcmp(k->section, "share") == 0 ? (void *)&l->c->shares[share] : (void *)l->c;
    char allowed[256];
    if (!config_value_set(k, base, text, allowed, sizeof allowed)) {
        mistake(l, "%s: %s.%s = '%s': allowed is %s\n", where, k->section, k->key, text, allowed);
        return -1;
    }
    struct config_origin *o = origin_of(l->c, key, share);
    snprintf(o->where, sizeof o->where, "%s", where);
    snprintf(o->value, sizeof o->value, "%s", text);
    return 0;
}

/* The share of that name, made with defaults when it is new; -1: bad name or no memory. */
static ssize_t share_index(struct loader *l, const char *name, const char *where)
{
    struct config *c = l->c;
    for (size_t i = 0; i < c->nshares; i++)
        if (strcasecmp(c->shares[i].name, name) == 0)
            return (ssize_t)i;
    size_t first = share_keys_begin(), per = config_nkeys - first;
    if (!*name || strlen(name) >= sizeof c->shares[0].name || strpbrk(name, "/\\:*?\"<>|[]")) {
        mistake(l, "%s: '%s' is not a share name: 1 to 79 characters, none of / \\ : * ? \" < > | [ ]\n", where, name);
        return -1;
    }
    struct fs_share_config *s = reallocarray(c->shares, c->nshares + 1, sizeof *s);
    if (s)
        c->shares = s;
    struct config_origin *o = reallocarray(c->origins, first + (c->nshares + 1) * per, sizeof *o);
    if (o)
        c->origins = o;
    if (!s || !o)
        return -1;
    size_t n = c->nshares++;
    memset(&s[n], 0, sizeof *s);
    strcpy(s[n].name, name);
    for (size_t key = first; key < config_nkeys; key++)
        key_set(l, key, n, config_keys[key].def, "default");
    return (ssize_t)n;
}

static int set_by_name(struct loader *l, const char *section, const char *key, const char *text, const char *where)
{
    ssize_t share = 0;
    const char *kind = section;
    if (strncasecmp(section, "share ", 6) == 0) {
        kind = "share";
        share = share_index(l, section + 6 + strspn(section + 6, " "), where);
        if (share < 0)
            return -1;
    }
    bool known = false;
    for (size_t i = 0; i < config_nkeys; i++) {
        if (strcasecmp(config_keys[i].section, kind) != 0)
            continue;
        known = true;
        if (strcasecmp(config_keys[i].key, key) == 0)
            return key_set(l, i, (size_t)share, text, where);
    }
    if (!known || (kind == section && strcasecmp(kind, "share") == 0)) {
        mistake(l, "%s: unknown section [%s]: allowed are [server], [nfs], [smb], [lock], [log] and [share NAME]\n", where, section);
        return -1;
    }
    mistake(l, "%s: unknown key '%s' in [%s]: allowed are", where, key, section);
    for (size_t i = 0; i < config_nkeys; i++)
        if (strcasecmp(config_keys[i].section, kind) == 0)
            mistake(l, " %s", config_keys[i].key);
    mistake(l, "\n");
    return -1;
}

static char *file_line(char *buf, int cap, void *arg)
{
    struct loader *l = arg;
    char *s = fgets(buf, cap, l->in);
    l->line++;
    if (s && !strchr(s, '\n') && !feof(l->in) && !l->too_long) {
        l->too_long = true;
        mistake(l, "%s:%u: line is longer than %d bytes\n", l->file, l->line, cap - 1);
    }
    return s;
}

static int file_pair(void *arg, const char *section, const char *key, const char *value)
{
    struct loader *l = arg;
    char where[140];
    snprintf(where, sizeof where, "%s:%u", l->file, l->line);
    set_by_name(l, section, key, value, where);
    return 1;
}

static void load_file(struct loader *l, const char *file)
{
    l->file = file;
    l->in = fopen(file, "re");
    if (!l->in) {
        mistake(l, "%s: %s\n", file, strerror(errno));
        return;
    }
    int line = ini_parse_stream(file_line, l, file_pair, l);
    if (line > 0)
        mistake(l, "%s:%d: neither '[section]' nor 'key = value'\n", file, line);
    fclose(l->in);
}

/* CONCORD_SECTION_KEY for every key; CONCORD_SHARE_NAME_KEY for shares that the file names. */
static void load_environment(struct loader *l)
{
    for (size_t i = 0; i < config_nkeys; i++) {
        const struct config_key *k = &config_keys[i];
        bool of_share = strcmp(k->section, "share") == 0;
        for (size_t s = 0; s < (of_share ? l->c->nshares : 1); s++) {
            char name[256];
            snprintf(name, sizeof name, "CONCORD_%s%s%s_%s", k->section, of_share ? "_" : "", of_share ? l->c->shares[s].name : "",
                     k->key);
            for (char *p = name; *p; p++)
                *p = (char)(isalnum((unsigned char)*p) ? toupper((unsigned char)*p) : '_');
            const char *v = getenv(name);
            if (v)
                key_set(l, i, s, v, name);
        }
    }
}

static void load_set(struct loader *l, const char *pair)
{
    char section[200];
    const char *eq = strchr(pair, '='), *dot = NULL;
    for (const char *p = pair; eq && p < eq; p++)
        if (*p == '.')
            dot = p;
    if (!dot || (size_t)(dot - pair) >= sizeof section || eq - dot > 100) {
        mistake(l, "--set %s: expected section.key=value\n", pair);
        return;
    }
    char key[128];
    snprintf(section, sizeof section, "%.*s", (int)(dot - pair), pair);
    snprintf(key, sizeof key, "%.*s", (int)(eq - dot - 1), dot + 1);
    set_by_name(l, section, key, eq + 1, "--set");
}

static void check_whole(struct loader *l)
{
    const struct config *c = l->c;
    if (c->smb.min_protocol > c->smb.max_protocol)
        mistake(l, "smb.min_protocol is newer than smb.max_protocol\n");
    for (size_t i = 0; i < c->nshares; i++)
        if (strcmp(c->shares[i].store, "dir") == 0 && c->shares[i].path[0] != '/')
            mistake(l, "[share %s]: path must be an absolute directory\n", c->shares[i].name);
}

int config_load(const struct config_input *in, struct config *ret, char *err, size_t cap)
{
    *ret = (struct config){0};
    err[0] = 0;
    struct loader l = {.c = ret, .err = err, .cap = cap};
    size_t first = share_keys_begin();
    co_policy_default(&ret->lock.policy);
    ret->origins = calloc(first, sizeof *ret->origins);
    if (!ret->origins) {
        mistake(&l, "out of memory\n");
        return -1;
    }
    for (size_t i = 0; i < first; i++)
        key_set(&l, i, 0, config_keys[i].def, "default");
    if (in->file)
        load_file(&l, in->file);
    /* Shares that --set makes must exist before the environment is looked through. */
    for (size_t i = 0; i < in->nsets; i++)
        load_set(&l, in->sets[i]);
    load_environment(&l);
    for (size_t i = 0; i < in->nsets && !l.used; i++)
        load_set(&l, in->sets[i]);
    if (!l.used)
        check_whole(&l);
    if (!l.used)
        return 0;
    config_done(ret);
    return -1;
}

void config_done(struct config *c)
{
    for (size_t i = 0; i < c->nshares; i++)
        free(c->shares[i].rules);
    free(c->shares);
    free(c->origins);
    *c = (struct config){0};
}

void config_print(const struct config *c, int fd)
{
    size_t first = share_keys_begin();
    for (size_t i = 0; i < first; i++)
        dprintf(fd, "%s.%s = %s    # %s\n", config_keys[i].section, config_keys[i].key, c->origins[i].value, c->origins[i].where);
    for (size_t s = 0; s < c->nshares; s++) {
        for (size_t i = first; i < config_nkeys; i++) {
            const struct config_origin *o = origin_of((struct config *)c, i, s);
            dprintf(fd, "share %s.%s = %s    # %s\n", c->shares[s].name, config_keys[i].key, o->value, o->where);
        }
    }
}

void config_print_docs(int fd)
{
    dprintf(fd, "# Configuration\n\nMade by `concordd --print-docs` from the table that the server reads; do not edit.\n\n"
                "`concord.conf` is an INI file. Every key can also be given as environment variable `CONCORD_SECTION_KEY` and as\n"
                "`--set section.key=value`; of several sources the last of file, environment, `--set` wins. Durations take `ms`,\n"
                "`s`, `m`, `h`; sizes `K`, `M`, `G`. `concordd --check-config` names every mistake; `concordd --print-config`\n"
                "prints the values in effect and where each came from. On SIGHUP the server reads the file again: shares, the\n"
                "`[lock]` section and the log level change without dropping clients; the rest at the next start.\n");
    const char *section = "";
    for (size_t i = 0; i < config_nkeys; i++) {
        const struct config_key *k = &config_keys[i];
        char allowed[256];
        if (strcmp(section, k->section) != 0) {
            section = k->section;
            dprintf(fd, "\n## [%s]\n\n| key | default | allowed | meaning |\n| --- | --- | --- | --- |\n",
                    strcmp(section, "share") == 0 ? "share NAME" : section);
        }
        config_value_allowed(k, allowed, sizeof allowed);
        for (char *p = allowed; *p; p++)
            if (*p == '|')
                *p = '/';
        dprintf(fd, "| `%s` | %s%s%s | %s | %s |\n", k->key, *k->def ? "`" : "", *k->def ? k->def : "none", *k->def ? "`" : "",
                allowed, k->help);
    }
}
