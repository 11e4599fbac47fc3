/* The gate: shares, ranges, leases, waiting and waking, one situation at a time (semantics 2, 3, 5). */
#include "kit.h"

static void test_counted(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket a = {0}, b = {0}, l = {0};
    struct co_stats s;
    assert_int_equal(kit_enter(k, &a, kit_anon(), kit_io(1, CO_READ, 0, 9)), ST_OK);
    assert_int_equal(kit_enter(k, &b, kit_anon(), kit_io(1, CO_WRITE, 0, 9)), ST_OK);
    co_stats(k->co, &s);
    assert_int_equal(s.files, 0);
    assert_int_equal(s.entered, 2);
    /* a lock waits for what was under way before it */
    assert_int_equal(kit_enter(k, &l, kit_win(1, 1, 0), kit_lock(1, CO_EXCLUSIVE, 0, 9)), ST_AGAIN);
    kit_leave(k, &b);
    assert_int_equal(l.wakes, 0);
    kit_leave(k, &a);
    assert_int_equal(l.wakes, 1);
    assert_int_equal(kit_do(k, &l, kit_win(1, 1, 0), kit_lock(1, CO_EXCLUSIVE, 0, 9)), ST_OK);
    assert_int_equal(kit_unlock(k, 1, kit_win(1, 1, 0), 0, 9), ST_OK);
    kit_empty(k);
}

static void test_lease_read(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket r = {0};
    struct co_party w = kit_win(1, 1, 5);
    assert_int_equal(kit_try(k, w, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, w, CO_LEASE, RWH), RWH);
    assert_int_equal(kit_enter(k, &r, kit_anon(), kit_io(1, CO_READ, 0, 9)), ST_AGAIN);
    assert_break(k, RWH, CO_R | CO_H, true);
    assert_int_equal(kit_ack(k, 1, w, CO_LEASE, RWH), ST_BAD_ACK);
    assert_int_equal(r.wakes, 0);
    assert_int_equal(kit_ack(k, 1, w, CO_LEASE, CO_R | CO_H), ST_OK);
    assert_int_equal(r.wakes, 1);
    assert_int_equal(kit_do(k, &r, kit_anon(), kit_io(1, CO_READ, 0, 9)), ST_OK);
    assert_int_equal(kit_ack(k, 1, w, CO_LEASE, CO_R), ST_NO_BREAK);
    kit_close(k, 1, w);
    kit_empty(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counted),
        cmocka_unit_test(test_lease_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
