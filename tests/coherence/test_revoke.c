/* The administrator's view and hand: every hold has a number, waiters say what they stand behind, and what is taken
 * away by its number goes as its flavour demands, while who waited goes on. */
#include "kit.h"


struct seen {
    enum co_kind kind;
    struct co_hold hold;
    unsigned n;
};

static bool see(void *arg, const struct co_hold *h)
{
    struct seen *s = arg;
    if (h->kind == s->kind) {
        s->hold = *h;
        s->n++;
    }
    return true;
}

static struct co_hold only(struct kit *k, enum co_kind kind)
{
    struct seen s = {.kind = kind};
    co_each(k->co, NULL, see, &s);
    assert_int_equal(s.n, 1);
    assert_true(s.hold.id != 0);
    return s.hold;
}

static unsigned count(struct kit *k, enum co_kind kind)
{
    struct seen s = {.kind = kind};
    co_each(k->co, NULL, see, &s);
    return s.n;
}

static bool take(struct kit *k, struct co_hold h)
{
    kit_clear(k);
    return co_revoke(k->co, &h, k->now, &k->out);
}

static void test_posix_range(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    struct co_ask ex = kit_lock(1, CO_EXCLUSIVE | CO_WAIT, 0, 9);
    kit_try(k, kit_posix(1, 1), kit_lock(1, CO_EXCLUSIVE, 0, 9));
    kit_try(k, kit_posix(1, 1), kit_lock(1, CO_EXCLUSIVE, 100, 109));
    assert_int_equal(kit_enter(k, &t, kit_win(2, 2, 0), ex), ST_AGAIN);
    struct co_hold waiter = only(k, CO_KIND_WAITER), held = t.t.blocker;
    assert_int_equal(waiter.behind, held.id);
    assert_int_equal(waiter.op, CO_LOCK);
    assert_false(take(k, waiter)); /* waits, holds nothing */
    assert_true(take(k, held));
    assert_false(take(k, held));
    assert_int_equal(t.wakes, 1);
    assert_int_equal(kit_do(k, &t, kit_win(2, 2, 0), ex), ST_OK);
    assert_int_equal(count(k, CO_KIND_RANGE), 2); /* its other lock stays */
    kit_close(k, 1, kit_posix(1, 1));
    kit_close(k, 1, kit_win(2, 2, 0));
    kit_empty(k);
}

static void test_windows_range(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    struct co_party h = kit_win(1, 1, 0);
    struct co_ask ex = kit_lock(1, CO_EXCLUSIVE | CO_WAIT, 0, 9);
    kit_try(k, h, kit_open(1, ALL, 0));
    kit_try(k, h, kit_lock(1, CO_EXCLUSIVE, 0, 9));
    assert_int_equal(kit_enter(k, &t, kit_posix(2, 2), ex), ST_AGAIN);
    assert_true(take(k, only(k, CO_KIND_RANGE)));
    assert_int_equal(kit_event(k, CO_EV_VOID, 0)->party.open, 1); /* the open with it */
    assert_int_equal(t.wakes, 1);
    assert_int_equal(kit_do(k, &t, kit_posix(2, 2), ex), ST_OK);
    kit_close(k, 1, h);
    kit_close(k, 1, kit_posix(2, 2));
    kit_empty(k);
}

static void test_shares(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party win = kit_win(1, 1, 0), posix = kit_posix(2, 2);
    struct co_ask reserve = kit_open(1, CO_ACC_WRITE, CO_ACC_READ), open = kit_open(1, ALL, ALL);
    assert_int_equal(kit_try(k, posix, reserve), ST_OK);
    assert_int_equal(kit_try(k, win, open), ST_SHARE_CONFLICT);
    assert_true(take(k, only(k, CO_KIND_SHARE)));
    assert_null(kit_event(k, CO_EV_VOID, 0));
    assert_int_equal(kit_try(k, win, open), ST_OK);
    assert_int_equal(kit_try(k, posix, reserve), ST_SHARE_CONFLICT);
    assert_true(take(k, only(k, CO_KIND_SHARE)));
    assert_non_null(kit_event(k, CO_EV_VOID, 0));
    assert_int_equal(count(k, CO_KIND_SHARE), 0);
    assert_int_equal(kit_try(k, posix, reserve), ST_OK);
    kit_close(k, 1, win);
    kit_close(k, 1, posix);
    kit_empty(k);
}

static void test_lease(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    struct co_party h = kit_win(1, 1, 5);
    kit_try(k, h, kit_open(1, ALL, 0));
    kit_lease(k, 1, h, CO_LEASE, RWH);
    assert_int_equal(kit_enter(k, &t, kit_anon(), kit_io(1, CO_READ, 0, 9)), ST_AGAIN);
    struct co_hold lease = only(k, CO_KIND_LEASE);
    assert_int_equal(only(k, CO_KIND_WAITER).behind, lease.id);
    assert_true(take(k, lease));
    assert_break(k, RWH, 0, false);
    assert_int_equal(t.wakes, 1);
    assert_false(take(k, lease));
    assert_int_equal(kit_do(k, &t, kit_anon(), kit_io(1, CO_READ, 0, 9)), ST_OK);
    kit_close(k, 1, h);
    kit_empty(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posix_range), cmocka_unit_test(test_windows_range),
        cmocka_unit_test(test_shares),      cmocka_unit_test(test_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
