/* Every operation against every holder state: what the engine does, against the cells of semantics 2.2 written out
 * here a second time, in its notation. */
#include "kit.h"


struct state {
    enum co_lease_kind kind;
    uint8_t bits;
};
static const struct state states[] = {
    {CO_LEASE, CO_R},          {CO_LEASE, CO_R | CO_H},  {CO_LEASE, CO_R | CO_W},  {CO_LEASE, CO_R | CO_W | CO_H},
    {CO_OPLOCK, CO_R},         {CO_OPLOCK, CO_R | CO_W}, {CO_OPLOCK, CO_R | CO_W | CO_H},
};

struct row {
    const char *name;
    struct co_ask ask;
    bool windows, handle, lock_write, lazy, no_wait; /* who asks; delete_break = handle; the policies */
    const char *cell[ARRAY_LEN(states)];
};

#define READ_CELLS {"-", "-", "R A W", "RH A W", "-", "R A W", "R A W"}
#define WRITE_CELLS {"0", "0 A", "0 A W", "0 A W", "0", "0 A W", "0 A W"}
#define NO_CELLS {"-", "-", "-", "-", "-", "-", "-"}

static const struct row rows[] = {
    {"read", {.op = CO_READ, .last = 9}, .cell = READ_CELLS},
    {"read by an open", {.op = CO_READ, .last = 9}, .windows = true, .cell = READ_CELLS},
    {"write", {.op = CO_WRITE, .last = 9}, .cell = WRITE_CELLS},
    {"write by an open", {.op = CO_WRITE, .last = 9}, .windows = true, .cell = WRITE_CELLS},
    {"resize", {.op = CO_RESIZE, .last = 9}, .cell = WRITE_CELLS},
    {"overwrite", {.op = CO_OPEN, .flags = CO_OVERWRITE | CO_NO_HOLD, .last = 9}, .cell = WRITE_CELLS},
    {"overwrite, windows", {.op = CO_OPEN, .flags = CO_OVERWRITE, .access = ALL}, .windows = true, .cell = WRITE_CELLS},
    {"open", {.op = CO_OPEN, .access = CO_ACC_READ}, .windows = true, .cell = READ_CELLS},
    {"share", {.op = CO_OPEN, .access = CO_ACC_READ}, .cell = READ_CELLS},
    {"open for attributes", {.op = CO_OPEN, .flags = CO_ATTR_ONLY}, .windows = true, .cell = NO_CELLS},
    {"open for security", {.op = CO_OPEN, .flags = CO_ATTR_ONLY | CO_CONTROL}, .windows = true,
     .cell = {"-", "-", "-", "-", "-", "R A W", "R A W"}},
    {"lock exclusive", {.op = CO_LOCK, .flags = CO_EXCLUSIVE, .last = 9}, .cell = WRITE_CELLS},
    {"lock shared", {.op = CO_LOCK, .last = 9}, .cell = READ_CELLS},
    {"lock shared as write", {.op = CO_LOCK, .last = 9}, .lock_write = true, .cell = WRITE_CELLS},
    {"test", {.op = CO_TEST, .flags = CO_EXCLUSIVE, .last = 9}, .cell = READ_CELLS},
    {"set attributes", {.op = CO_SETATTR}, .cell = NO_CELLS},
    {"get attributes", {.op = CO_GETATTR}, .cell = NO_CELLS},
    {"get attributes, lazy", {.op = CO_GETATTR}, .lazy = true,
     .cell = {"-", "-", "R A", "RH A", "-", "R A", "R A"}},
    {"commit", {.op = CO_FLUSH}, .cell = NO_CELLS},
    {"flush", {.op = CO_FLUSH}, .windows = true, .cell = READ_CELLS},
    {"link", {.op = CO_LINK}, .cell = NO_CELLS},
    {"remove, handle", {.op = CO_REMOVE}, .handle = true, .cell = {"-", "R A W", "-", "RW A W", "-", "-", "R A W"}},
    {"remove by an open", {.op = CO_REMOVE}, .windows = true, .cell = {"-", "R A W", "-", "RW A W", "-", "-", "R A W"}},
    {"remove, all", {.op = CO_REMOVE}, .cell = {"0", "0 A W", "0 A W", "0 A W", "0", "0 A W", "0 A W"}},
    {"remove, no wait", {.op = CO_REMOVE}, .no_wait = true, .cell = {"0", "0 A", "0 A", "0 A", "0", "0 A", "0 A"}},
    {"rename, handle", {.op = CO_RENAME}, .handle = true, .cell = {"-", "R A W", "-", "RW A W", "-", "-", "0 A W"}},
    {"rename, all", {.op = CO_RENAME}, .cell = {"0", "0 A W", "0 A W", "0 A W", "0", "0 A W", "0 A W"}},
    {"rename above", {.op = CO_RENAME, .flags = CO_ABOVE}, .cell = {"-", "R A W", "-", "RW A W", "-", "-", "0 A W"}},
    {"rename above, by an open", {.op = CO_RENAME, .flags = CO_ABOVE}, .windows = true,
     .cell = {"-", "R A W", "-", "RW A W", "-", "-", "0 A W"}},
    {"delete on close", {.op = CO_DISPOSITION}, .windows = true,
     .cell = {"-", "R A W", "-", "RW A W", "-", "-", "R A W"}},
    {"entry", {.op = CO_CHILD}, .cell = {"0", "0 A", "0 A", "0 A", "0", "0 A", "0 A"}},
    {"entry's attributes", {.op = CO_CHILD_ATTR}, .cell = {"0", "0 A", "0 A", "0 A", "0", "0 A", "0 A"}},
};

/* What happened, in the table's notation. */
static void observe(struct kit *k, enum st st, char out[16])
{
    const struct co_event *ev = kit_event(k, CO_EV_BREAK, 0);
    if (!ev) {
        snprintf(out, 16, "%s", st == ST_OK ? "-" : st_name(st));
        return;
    }
    assert_true(st == ST_OK || st == ST_AGAIN);
    snprintf(out, 16, "%s%s%s%s%s%s", ev->to ? "" : "0", ev->to & CO_R ? "R" : "", ev->to & CO_W ? "W" : "",
             ev->to & CO_H ? "H" : "", ev->ack ? " A" : "", st == ST_AGAIN ? " W" : "");
}

static void hold(struct kit *k, const struct co_party *holder, const struct state *s)
{
    assert_int_equal(kit_try(k, *holder, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, *holder, s->kind, s->bits), s->bits);
}

static void one_cell(const struct row *r, size_t s)
{
    struct co_policy pol;
    char seen[16];
    co_policy_default(&pol);
    pol.delete_break_all = !r->handle;
    pol.lock_break_write = r->lock_write;
    pol.attr_lazy = r->lazy;
    pol.delete_wait = !r->no_wait;
    struct kit *k = kit_new(&pol);
    struct kit_ticket t = {0};
    struct co_party holder = kit_win(1, 1, states[s].kind == CO_LEASE ? 5 : 0);
    struct co_party by = r->windows ? kit_win(2, 2, 6) : r->ask.op == CO_LOCK || r->ask.op == CO_OPEN ? kit_posix(3, 3)
                                                                                                     : kit_anon();
    struct co_ask ask = r->ask;
    ask.key = kit_key(1);
    if (ask.flags & CO_NO_HOLD)
        by = kit_anon();
    hold(k, &holder, &states[s]);
    if (r->lazy) { /* only a right that is not brand new */
        assert_int_equal(kit_do(k, &t, by, ask), ST_OK);
        assert_no_break(k);
        k->now += 5 * SEC;
    }
    enum st st = kit_enter(k, &t, by, ask);
    observe(k, st, seen);
    if (strcmp(seen, r->cell[s]))
        fail_msg("%s x state %zu: is \"%s\", should be \"%s\"", r->name, s, seen, r->cell[s]);
    if (st == ST_AGAIN) { /* the deadline revokes, then it proceeds */
        k->now += 35 * SEC;
        co_tick(k->co, k->now, &k->out);
        assert_int_equal(t.wakes, 1);
        assert_int_equal(kit_enter(k, &t, by, ask), ST_OK);
        assert_string_equal(kit_event(k, CO_EV_CONFLICT, 0)->outcome, "revoked");
    }
    kit_leave(k, &t);
    kit_close(k, 1, holder);
    kit_close(k, 1, by);
    kit_empty(k);
}

static void test_cells(void **state)
{
    for (size_t r = 0; r < ARRAY_LEN(rows); r++)
        for (size_t s = 0; s < ARRAY_LEN(states); s++)
            one_cell(&rows[r], s);
}

/* Semantics 2.3: what open share modes and Windows ranges do to stateless operations. */
static enum st against_share(enum co_op op, uint8_t share)
{
    struct kit *k = kit_new(NULL);
    struct co_party holder = kit_win(1, 1, 0);
    assert_int_equal(kit_try(k, holder, kit_open(1, CO_ACC_READ, ALL & ~share)), ST_OK);
    struct co_ask ask = {.key = kit_key(1), .op = op, .flags = CO_ADVISORY, .last = 9};
    enum st st = kit_try(k, kit_anon(), ask);
    kit_close(k, 1, holder);
    kit_empty(k);
    return st;
}

static void test_shares(void **state)
{
    static const struct {
        enum co_op op;
        uint8_t refused_without;
    } cells[] = {{CO_READ, CO_ACC_READ},     {CO_WRITE, CO_ACC_WRITE},   {CO_RESIZE, CO_ACC_WRITE}, {CO_SETATTR, 0},
                 {CO_REMOVE, CO_ACC_DELETE}, {CO_RENAME, CO_ACC_DELETE}, {CO_LINK, 0},              {CO_GETATTR, 0}};
    for (size_t i = 0; i < ARRAY_LEN(cells); i++)
        for (uint8_t missing = 1; missing <= 4; missing *= 2)
            assert_int_equal(against_share(cells[i].op, ALL & ~missing),
                             cells[i].refused_without == missing ? ST_SHARE_CONFLICT : ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cells), cmocka_unit_test(test_shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
