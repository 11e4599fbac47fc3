/* config_value.c - values of the configuration as text: parsing by type, limits, and what to say when they are bad. */
#include "config.h"
#include "net/conn.h"
#include <ctype.h>
#include <errno.h>
#include <arpa/inet.h>
#include <stdio.h>

struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit duration_units[] = {{"ns", 1}, {"us", 1000}, {"ms", NSEC_PER_MSEC}, {"s", NSEC_PER_SEC},
                                             {"", NSEC_PER_SEC}, {"m", 60 * NSEC_PER_SEC}, {"h", 3600 * NSEC_PER_SEC}};
static const struct unit size_units[] = {
    {"", 1}, {"k", 1ull << 10}, {"m", 1ull << 20}, {"g", 1ull << 30}, {"t", 1ull << 40}};
static const struct unit no_units[] = {{"", 1}};

static bool number_parse(const char *text, int base, const struct unit *units, size_t nunits, uint64_t *ret)
{
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)text[0]))
        return false;
    uint64_t v = strtoull(text, &end, base);
    if (errno)
        return false;
    for (size_t i = 0; i < nunits; i++)
        if (strcasecmp(end, units[i].name) == 0)
            return !__builtin_mul_overflow(v, units[i].factor, ret);
    return false;
}

static bool bool_parse(const char *text, bool *ret)
{
    static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0)
            return *ret = true, true;
        if (strcasecmp(text, no[i]) == 0)
            return *ret = false, true;
    }
    return false;
}

static int enum_parse(const struct config_key *k, const char *text)
{
    for (int i = 0; k->names[i]; i++)
        if ((uint64_t)i >= (k->type == CFG_ENUM ? k->min : 0) && strcasecmp(text, k->names[i]) == 0)
            return i;
    return -1;
}

/* "10.0.0.0/8" or "fe80::/10" or "*" into a rule's address. */
static bool rule_address(char *text, struct fs_export_rule *r)
{
    if (strcmp(text, "*") == 0) {
        r->prefix = 0;
        return true;
    }
    char *slash = strchr(text, '/');
    uint64_t bits = 128;
    if (slash) {
        *slash = 0;
        if (!number_parse(slash + 1, 10, no_units, 1, &bits))
            return false;
    }
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1) {
        if (slash && bits > 32)
            return false;
        memset(r->addr, 0, 10);
        memset(r->addr + 10, 0xff, 2);
        memcpy(r->addr + 12, &v4, 4);
        r->prefix = (uint8_t)(slash ? 96 + bits : 128);
        return true;
    }
    r->prefix = (uint8_t)bits;
    return bits <= 128 && inet_pton(AF_INET6, text, r->addr) == 1;
}

static bool rule_options(char *text, struct fs_export_rule *r)
{
    char *save = NULL;
    for (char *o = strtok_r(text, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
        if (strcmp(o, "ro") == 0)
            r->read_only = true;
        else if (strcmp(o, "rw") == 0)
            r->read_only = false;
        else if (strcmp(o, "root_squash") == 0)
            r->squash = FS_SQUASH_ROOT;
        else if (strcmp(o, "all_squash") == 0)
            r->squash = FS_SQUASH_ALL;
        else if (strcmp(o, "no_root_squash") == 0)
            r->squash = FS_SQUASH_NONE;
        else
            return false;
    }
    return true;
}

static bool rules_parse(const char *text, struct fs_share_config *s)
{
    _cleanup_free_ char *copy = strdup(text);
    struct fs_export_rule *rules = NULL;
    size_t n = 0;
    char *save = NULL;
    for (char *w = copy ? strtok_r(copy, " \t", &save) : NULL; w; w = strtok_r(NULL, " \t", &save)) {
        struct fs_export_rule r = {.squash = FS_SQUASH_ROOT};
        char *open = strchr(w, '('), *close = open ? strchr(open, ')') : NULL;
        if (open) {
            if (!close || close[1])
                goto bad;
            *open = *close = 0;
        }
        if ((open && !rule_options(open + 1, &r)) || !rule_address(w, &r))
            goto bad;
        struct fs_export_rule *more = reallocarray(rules, n + 1, sizeof *rules);
        if (!more)
            goto bad;
        rules = more;
        rules[n++] = r;
    }
    free(s->rules);
    s->rules = rules;
    s->nrules = n;
    return true;
bad:
    free(rules);
    return false;
}

static bool string_set(const struct config_key *k, char *at, const char *text)
{
    size_t n = strlen(text);
    if (n < k->min || n > k->max || n >= k->size || (k->names && enum_parse(k, text) < 0))
        return false;
    memcpy(at, text, n + 1);
    return true;
}

static bool number_set(const struct config_key *k, void *at, const char *text)
{
    uint64_t v;
    bool ok = k->type == CFG_DURATION ? number_parse(text, 10, duration_units, ARRAY_LEN(duration_units), &v)
              : k->type == CFG_SIZE32 ? number_parse(text, 10, size_units, ARRAY_LEN(size_units), &v)
                                      : number_parse(text, k->type == CFG_MODE ? 8 : 10, no_units, 1, &v);
    if (!ok || v < k->min || v > k->max)
        return false;
    if (k->size == sizeof(uint64_t))
        memcpy(at, &v, sizeof v);
    else
        memcpy(at, &(uint32_t){(uint32_t)v}, sizeof(uint32_t));
    return true;
}

static bool choice_set(const struct config_key *k, void *at, const char *text)
{
    int v = enum_parse(k, text);
    if (v < 0)
        return false;
    if (k->size == 1)
        *(uint8_t *)at = (uint8_t)v;
    else
        memcpy(at, &v, sizeof v);
    return true;
}

bool config_value_set(const struct config_key *k, void *base, const char *text, char *allowed, size_t cap)
{
    void *at = (char *)base + k->offset;
    bool ok = false;
    switch (k->type) {
    case CFG_BOOL:
        ok = bool_parse(text, at);
        break;
    case CFG_STRING:
        ok = string_set(k, at, text);
        break;
    case CFG_ENUM:
    case CFG_POLICY_BOOL:
        ok = choice_set(k, at, text);
        break;
    case CFG_RULES:
        ok = rules_parse(text, base);
        break;
    case CFG_U32:
    case CFG_SIZE32:
    case CFG_DURATION:
    case CFG_MODE:
        ok = number_set(k, at, text);
        break;
    }
    if (!ok)
        config_value_allowed(k, allowed, cap);
    return ok;
}

void config_value_allowed(const struct config_key *k, char *out, size_t cap)
{
    static const char *const kinds[] = {
        [CFG_BOOL] = "yes or no", [CFG_RULES] = "ADDRESS[/BITS](options) ...", [CFG_MODE] = "an octal mode"};
    int n = 0;
    if (k->names) {
        for (int i = k->type == CFG_ENUM ? (int)k->min : 0; k->names[i]; i++)
            n += snprintf(out + n, cap - (size_t)n, "%s%s", n ? ", " : "", k->names[i]);
    } else if (k->type == CFG_DURATION) {
        snprintf(out, cap, "a duration from %g s to %g s, such as 500ms, 35s, 10m", (double)k->min / NSEC_PER_SEC,
                 (double)k->max / NSEC_PER_SEC);
    } else if (k->type == CFG_SIZE32) {
        snprintf(out, cap, "a size from %llu to %llu bytes, such as 64K, 8M", (unsigned long long)k->min,
                 (unsigned long long)k->max);
    } else if (k->type == CFG_U32) {
        snprintf(out, cap, "a number from %llu to %llu", (unsigned long long)k->min, (unsigned long long)k->max);
    } else if (k->type == CFG_STRING) {
        snprintf(out, cap, "text of %llu to %llu characters", (unsigned long long)k->min, (unsigned long long)k->max);
    } else {
        snprintf(out, cap, "%s", kinds[k->type]);
    }
}
