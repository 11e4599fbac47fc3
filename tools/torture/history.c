/* history.c - see history.h. */
#include "history.h"
#include "wire.h"

size_t history_add(struct history *h, const struct history_op *op)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 4096;
        if (!(h->op = realloc(h->op, h->cap * sizeof *h->op)))
            torture_fail("out of memory");
    }
    h->op[h->n] = *op;
    return h->n++;
}

void history_drop(struct history *h, uint64_t reg, uint64_t first, uint64_t last)
{
    if (h->nlost == h->lost_cap) {
        h->lost_cap = h->lost_cap ? 2 * h->lost_cap : 64;
        if (!(h->lost = realloc(h->lost, h->lost_cap * sizeof *h->lost)))
            torture_fail("out of memory");
    }
    h->lost[h->nlost++] = (struct history_lost){reg, first, last};
}

void history_done(struct history *h)
{
    free(h->op);
    free(h->lost);
    *h = (struct history){0};
}

/* By register, then by value, a write before its reads. */
static int by_place(const void *x, const void *y)
{
    const struct history_op *a = x, *b = y;
    if (a->reg != b->reg)
        return a->reg < b->reg ? -1 : 1;
    if (a->value != b->value)
        return a->value < b->value ? -1 : 1;
    if ((a->kind == HISTORY_READ) != (b->kind == HISTORY_READ))
        return a->kind == HISTORY_READ ? 1 : -1;
    return a->invoked < b->invoked ? -1 : a->invoked > b->invoked;
}

static int by_register(const void *x, const void *y)
{
    const struct history_lost *a = x, *b = y;
    if (a->reg != b->reg)
        return a->reg < b->reg ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* Both are in the order of registers and values. */
static void leave_out_lost(struct history *h)
{
    size_t kept = 0, at = 0;
    if (h->nlost)
        qsort(h->lost, h->nlost, sizeof *h->lost, by_register);
    for (size_t i = 0; i < h->n; i++) {
        const struct history_op *o = &h->op[i];
        const struct history_lost *l = h->lost;
        while (at < h->nlost && (l[at].reg < o->reg || (l[at].reg == o->reg && l[at].last < o->value)))
            at++;
        if (at == h->nlost || l[at].reg != o->reg || o->value < l[at].first)
            h->op[kept++] = *o;
    }
    h->n = kept;
    h->nlost = 0;
}

/* All operations with one value. first: the earliest end of one of them; last: the latest beginning. When first <
 * last the value certainly was the register's between them (a forward zone); else it was so at one moment at least
 * between last and first (a backward zone). */
struct zone {
    const struct history_op *write, *early, *late;
    uint64_t first, last;
};
static bool forward(const struct zone *z) { return z->first < z->last; }
static uint64_t low(const struct zone *z) { return forward(z) ? z->first : z->last; }
static int by_low(const void *x, const void *y)
{
    uint64_t a = low(x), b = low(y);
    return a < b ? -1 : a > b;
}

struct checking {
    struct zone *zone;
    size_t n;
    const struct history_op **change; /* the register's writes and erasures */
    size_t nchanges;
    void (*explain)(const struct history_op *a, const struct history_op *b, const char *what);
};

static bool zone_of(struct checking *c, const struct history_op *op, size_t n)
{
    struct zone z = {.write = op, .early = op, .late = op, .first = op->responded, .last = op->invoked};
    if (op->kind == HISTORY_READ) {
        c->explain(op, op, "reads what nobody wrote");
        return false;
    }
    if (n == 1 && op->responded == HISTORY_NEVER)
        return true; /* perhaps it never happened */
    for (size_t i = 1; i < n; i++) {
        if (op[i].responded < op->invoked) {
            c->explain(&op[i], op, "reads what is written only later");
            return false;
        }
        if (op[i].responded < z.first)
            z.first = op[i].responded, z.early = &op[i];
        if (op[i].invoked > z.last)
            z.last = op[i].invoked, z.late = &op[i];
    }
    c->zone[c->n++] = z;
    return true;
}

/* Forward zones must not overlap, and none may contain a backward one whole. */
static bool zones_fit(struct checking *c)
{
    const struct zone *open = NULL; /* the forward zone that reaches furthest so far */
    qsort(c->zone, c->n, sizeof *c->zone, by_low);
    for (size_t i = 0; i < c->n; i++) {
        const struct zone *z = &c->zone[i];
        if (open && forward(z) && z->first < open->last) {
            c->explain(open->late, z->early, "both values were there at once");
            return false;
        }
        if (open && !forward(z) && z->first < open->last) {
            c->explain(open->late, z->write, "reads what had been overwritten before");
            return false;
        }
        if (forward(z) && (!open || z->last > open->last))
            open = z;
    }
    return true;
}

/* A zero needs an erasure (or the beginning) that no write certainly followed before it was read. */
static bool zero_fits(struct checking *c, const struct history_op *zero)
{
    const struct history_op *latest = NULL; /* the write that began last of those that were over */
    for (size_t i = 0; i < c->nchanges; i++) {
        const struct history_op *o = c->change[i];
        if (o->kind == HISTORY_WRITE && o->responded < zero->invoked && (!latest || o->invoked > latest->invoked))
            latest = o;
    }
    if (!latest)
        return true;
    for (size_t i = 0; i < c->nchanges; i++) {
        const struct history_op *o = c->change[i];
        if (o->kind == HISTORY_ERASE && o->invoked < zero->responded && o->responded > latest->invoked)
            return true;
    }
    c->explain(zero, latest, "reads nothing where something had been written");
    return false;
}

static bool check_register(struct checking *c, const struct history_op *op, size_t n)
{
    c->n = c->nchanges = 0;
    for (size_t i = 0; i < n; i++)
        if (op[i].kind != HISTORY_READ)
            c->change[c->nchanges++] = &op[i];
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && op[k].value == op[i].value && op[i].value; k++)
            ;
        if (op[i].value && !zone_of(c, &op[i], k - i))
            return false;
        if (op[i].kind == HISTORY_ERASE && op[i].responded != HISTORY_NEVER)
            c->zone[c->n++] = (struct zone){&op[i], &op[i], &op[i], op[i].responded, op[i].invoked};
        if (op[i].kind == HISTORY_READ && !op[i].value && !zero_fits(c, &op[i]))
            return false;
    }
    return zones_fit(c);
}

size_t history_check(struct history *h, void (*explain)(const struct history_op *a, const struct history_op *b,
                                                        const char *what))
{
    struct checking c = {.zone = calloc(h->n + 1, sizeof *c.zone),
                         .change = calloc(h->n + 1, sizeof(struct history_op *)),
                         .explain = explain};
    size_t wrong = 0;
    if (!c.zone || !c.change)
        torture_fail("out of memory");
    qsort(h->op, h->n, sizeof *h->op, by_place);
    leave_out_lost(h);
    for (size_t i = 0, k; i < h->n; i = k) {
        for (k = i + 1; k < h->n && h->op[k].reg == h->op[i].reg; k++)
            ;
        wrong += !check_register(&c, &h->op[i], k - i);
    }
    free(c.zone);
    free(c.change);
    return wrong;
}
