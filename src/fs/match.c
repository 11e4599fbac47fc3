/* match.c - does a name match a Windows search pattern? Knows [MS-FSA] 2.1.4.4 and nothing of directories.
 *
 * The pattern is run as a set of places in it, all advanced together by each character of the name: time is bounded by
 * the product of the lengths, whatever wildcards a client combines. */
#include "names.h"
#include "names_private.h"

#define PATTERN_UNITS 512

struct match {
    uint32_t unit[PATTERN_UNITS];
    size_t n;
    bool at[PATTERN_UNITS + 1], next[PATTERN_UNITS + 1];
};

/* Spreads the places over wildcards that may stand for nothing before the character c (0: the name is over). */
static void skip_empty(const struct match *m, bool *at, uint32_t c)
{
    for (size_t j = 0; j < m->n; j++) {
        if (!at[j])
            continue;
        switch (m->unit[j]) {
        case '*':
        case '<': /* DOS_STAR */
            at[j + 1] = true;
            break;
        case '>': /* DOS_QM: at a period or the end it stands for nothing */
            if (!c || c == '.')
                at[j + 1] = true;
            break;
        case '"': /* DOS_DOT: zero characters beyond the name */
            if (!c)
                at[j + 1] = true;
            break;
        }
    }
}

/* Where the place j goes when c is consumed. DOS_STAR eats everything but the last period of the name. */
static void consume(struct match *m, size_t j, uint32_t c, bool last_dot)
{
    uint32_t literal;
    switch (m->unit[j]) {
    case '*':
        m->next[j] = true;
        return;
    case '<':
        if (c != '.' || !last_dot)
            m->next[j] = true;
        return;
    case '?':
        m->next[j + 1] = true;
        return;
    case '>':
        if (c != '.')
            m->next[j + 1] = true;
        return;
    case '"':
        if (c == '.')
            m->next[j + 1] = true;
        return;
    default:
        if (m->unit[j] == c || (name_is_mapped_char(m->unit[j], &literal) && literal == c))
            m->next[j + 1] = true;
    }
}

static bool match_units(struct match *m, const char *name, size_t n)
{
    const uint8_t *p = (const uint8_t *)name, *end = p + n;
    const char *dot = memrchr(name, '.', n);
    memset(m->at, 0, m->n + 1);
    m->at[0] = true;
    while (p < end) {
        bool last_dot = (const char *)p == dot;
        uint32_t c = name_unit(&p, end);
        skip_empty(m, m->at, c);
        memset(m->next, 0, m->n + 1);
        for (size_t j = 0; j < m->n; j++)
            if (m->at[j])
                consume(m, j, c, last_dot);
        memcpy(m->at, m->next, m->n + 1);
    }
    skip_empty(m, m->at, 0);
    return m->at[m->n];
}

bool name_match(const char *pattern, size_t np, const char *name, size_t n)
{
    struct match m;
    const uint8_t *p = (const uint8_t *)pattern, *end = p + np;
    if (np == 1 && pattern[0] == '*')
        return true;
    bool wild = false;
    for (m.n = 0; p < end; m.n++) {
        if (m.n == PATTERN_UNITS)
            return false;
        m.unit[m.n] = name_unit(&p, end);
        wild |= name_is_wild(m.unit[m.n]) || m.unit[m.n] >= 0xf000;
    }
    return wild ? match_units(&m, name, n) : name_fold_equal(pattern, np, name, n);
}
