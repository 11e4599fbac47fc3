/* Leases whose holders cannot answer yet: they are away, or have not been told; and who is met only when the time of
 * the one who waits is over (semantics 2.4, 4). */
#include "kit.h"

static const struct co_ask write_ask = {.key = {1, 1, 7}, .op = CO_WRITE, .flags = CO_ADVISORY, .last = 9};
static const struct co_ask read_ask = {.key = {1, 1, 7}, .op = CO_READ, .flags = CO_ADVISORY, .last = 9};

static void test_disconnected(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    struct co_key key = kit_key(1);
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    co_disconnected(k->co, &key, &a, true, false, k->now, &k->out);
    assert_int_equal(kit_do(k, &t, kit_anon(), read_ask), ST_OK); /* leaves H: lowered here, nobody waits */
    assert_no_break(k);
    assert_int_equal(kit_do(k, &t, kit_anon(), write_ask), ST_OK); /* takes H: the open goes */
    assert_non_null(kit_event(k, CO_EV_VOID, 0));
    assert_int_equal(kit_event(k, CO_EV_VOID, 0)->party.open, 1);
    kit_close(k, 1, a);
    /* persistent: it is waited for, and told when it is back */
    k->now += 100 * SEC;
    a = kit_holder(k, CO_LEASE, RWH);
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    assert_int_equal(kit_enter(k, &t, kit_anon(), write_ask), ST_AGAIN);
    assert_no_break(k);
    co_disconnected(k->co, &key, &a, false, true, k->now, &k->out);
    assert_break(k, RWH, 0, true);
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, 0), ST_OK);
    assert_int_equal(kit_do(k, &t, kit_anon(), write_ask), ST_OK);
    kit_close(k, 1, a);
    /* also one who has nothing to give back: who would not be waited for if it could be told */
    k->now += 100 * SEC;
    a = kit_holder(k, CO_LEASE, CO_R);
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    t = (struct kit_ticket){.t.tell_first = CO_TELL_ALL};
    assert_int_equal(kit_enter(k, &t, kit_anon(), write_ask), ST_AGAIN);
    assert_no_break(k);
    co_disconnected(k->co, &key, &a, false, true, k->now, &k->out);
    assert_break(k, CO_R, 0, false);
    assert_int_equal(t.wakes, 0);
    kit_clear(k);
    assert_int_equal(t.wakes, 1);
    assert_int_equal(kit_do(k, &t, kit_anon(), write_ask), ST_OK);
    kit_close(k, 1, a);
    /* and its time to be away is not its failure to answer */
    k->now += 100 * SEC;
    a = kit_holder(k, CO_LEASE, RWH);
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    assert_int_equal(kit_enter(k, &t, kit_anon(), write_ask), ST_AGAIN);
    kit_clear(k);
    k->now += 35 * SEC;
    co_tick(k->co, k->now, &k->out);
    assert_int_equal(kit_do(k, &t, kit_anon(), write_ask), ST_OK);
    co_disconnected(k->co, &key, &a, false, true, k->now, &k->out);
    assert_no_break(k);
    kit_close(k, 1, a);
    /* and H stays: nothing to wait for */
    k->now += 100 * SEC;
    a = kit_holder(k, CO_LEASE, RWH);
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    assert_int_equal(kit_do(k, &t, kit_anon(), read_ask), ST_OK);
    assert_no_break(k);
    kit_clear(k);
    co_disconnected(k->co, &key, &a, false, true, k->now, &k->out);
    assert_no_break(k);
    kit_close(k, 1, a);
    /* gone in the middle of a break */
    k->now += 100 * SEC;
    a = kit_holder(k, CO_LEASE, RWH);
    assert_int_equal(kit_enter(k, &t, kit_anon(), read_ask), ST_AGAIN);
    co_disconnected(k->co, &key, &a, true, false, k->now, &k->out);
    assert_int_equal(t.wakes, 1);
    assert_int_equal(kit_do(k, &t, kit_anon(), read_ask), ST_OK);
    kit_close(k, 1, a);
    kit_empty(k);
}

/* The range of an absent holder is waited for like its share mode: until it is back, or given up. */
static void test_absent_range(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    struct co_key key = kit_key(1);
    struct co_party a = kit_win(1, 1, 0);
    struct co_ask lock = kit_lock(1, CO_EXCLUSIVE, 0, 9), write = write_ask;
    write.flags |= CO_ADVISORY;
    assert_int_equal(kit_try(k, a, kit_open(1, CO_ACC_READ | CO_ACC_WRITE, 0)), ST_OK);
    assert_int_equal(kit_try(k, a, lock), ST_OK);
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    assert_int_equal(kit_enter(k, &t, kit_anon(), write), ST_AGAIN);
    k->now += 10 * SEC;
    assert_int_equal(kit_enter(k, &t, kit_anon(), write), ST_AGAIN);
    t.wakes = 0;
    co_disconnected(k->co, &key, &a, false, true, k->now, &k->out);
    assert_int_equal(t.wakes, 0); /* a range like any other now: it has io_lock_park */
    k->now += 2 * SEC;
    co_tick(k->co, k->now, &k->out);
    assert_int_equal(t.wakes, 1);
    assert_int_equal(kit_enter(k, &t, kit_anon(), write), ST_LOCK_CONFLICT);
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    assert_int_equal(kit_enter(k, &t, kit_anon(), write), ST_AGAIN);
    kit_close(k, 1, a); /* given up */
    assert_int_equal(kit_do(k, &t, kit_anon(), write), ST_OK);
    kit_empty(k);
}

static enum st enter_all(struct kit *k, struct kit_ticket *t, struct co_ask a)
{
    t->t.tell_first = CO_TELL_ALL;
    return kit_enter(k, t, kit_anon(), a);
}

/* Nobody acts on what a holder has lost before it has been told: not who took it, and not who finds it taken. */
static void untold(uint8_t bits, bool ack)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket w1 = {0}, w2 = {0}, r = {0};
    struct co_party a = kit_holder(k, CO_LEASE, bits);
    struct co_key key = kit_key(1);
    k->silent = true;
    assert_int_equal(enter_all(k, &w1, write_ask), ST_AGAIN);
    assert_break(k, bits, 0, ack);
    uint64_t lease = kit_event(k, CO_EV_BREAK, 0)->lease;
    assert_int_equal(enter_all(k, &w2, write_ask), ST_AGAIN);
    assert_no_break(k);
    assert_int_equal(enter_all(k, &r, read_ask), ST_OK); /* nothing has changed yet */
    kit_leave(k, &r);
    assert_int_equal(w1.wakes + w2.wakes, 0);
    co_told(k->co, &key, lease, k->now);
    assert_int_equal(w1.wakes + w2.wakes, 2);
    assert_int_equal(enter_all(k, &w2, write_ask), ST_OK);
    assert_int_equal(enter_all(k, &w1, write_ask), ST_OK);
    kit_leave(k, &w1);
    kit_leave(k, &w2);
    kit_close(k, 1, a);
    kit_empty(k);
}
static void test_untold(void **state)
{
    untold(CO_R, false);
    untold(RH, true);
}

/* A lost notification is waited for no longer than an acknowledgement; and a holder that closes needs none. */
static void test_untold_ends(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket w = {0};
    struct co_party a = kit_holder(k, CO_LEASE, CO_R);
    k->silent = true;
    assert_int_equal(enter_all(k, &w, write_ask), ST_AGAIN);
    while (!w.wakes)
        kit_timeout(k);
    assert_int_equal(enter_all(k, &w, write_ask), ST_OK);
    kit_leave(k, &w);
    kit_close(k, 1, a);
    k->now += 100 * SEC;
    a = kit_holder(k, CO_LEASE, CO_R);
    assert_int_equal(enter_all(k, &w, write_ask), ST_AGAIN);
    kit_close(k, 1, a);
    assert_int_equal(w.wakes, 1);
    assert_int_equal(enter_all(k, &w, write_ask), ST_OK);
    kit_leave(k, &w);
    kit_empty(k);
}

/* It gives up H and goes on reading what it caches: R can only be taken when it has answered. */
static void test_break_to_something_else(void **state)
{
    struct co_policy p;
    co_policy_default(&p);
    p.delete_break_all = false;
    struct kit *k = kit_new(&p);
    struct kit_ticket d = {0}, w = {0};
    struct co_party a = kit_holder(k, CO_LEASE, RH);
    struct co_ask remove_ask = {.key = {1, 1, 7}, .op = CO_REMOVE};
    assert_int_equal(enter_all(k, &d, remove_ask), ST_AGAIN);
    assert_break(k, RH, CO_R, true);
    assert_int_equal(enter_all(k, &w, write_ask), ST_AGAIN);
    assert_no_break(k);
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, CO_R), ST_OK);
    assert_break(k, CO_R, 0, false);
    assert_int_equal(w.wakes, 0);
    kit_clear(k);
    assert_int_equal(w.wakes, 1);
    assert_int_equal(enter_all(k, &w, write_ask), ST_OK);
    assert_int_equal(enter_all(k, &d, remove_ask), ST_OK);
    kit_leave(k, &w);
    kit_leave(k, &d);
    kit_close(k, 1, a);
    kit_empty(k);
}

static uint8_t kept(struct kit *k, const struct co_party *a, uint16_t *ret_epoch)
{
    struct co_key key = kit_key(1);
    return co_lease_kept(k->co, &key, a, CO_LEASE, ret_epoch);
}

/* Told before it went away, and again when it is back, behind an answer that says what it had: although it has answered
 * the first notification, nobody acts before it has the second. */
static void test_told_again(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket w = {0};
    uint16_t epoch;
    struct co_key key = kit_key(1);
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    assert_int_equal(enter_all(k, &w, write_ask), ST_AGAIN);
    assert_break(k, RWH, 0, true);
    kit_clear(k);
    k->silent = true;
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    co_disconnected(k->co, &key, &a, false, true, k->now, &k->out);
    assert_break(k, RWH, 0, true);
    uint64_t lease = kit_event(k, CO_EV_BREAK, 0)->lease;
    assert_int_equal(kept(k, &a, &epoch), RWH);
    assert_int_equal(epoch, kit_event(k, CO_EV_BREAK, 0)->epoch - 1);
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, 0), ST_OK);
    assert_int_equal(enter_all(k, &w, write_ask), ST_AGAIN);
    co_told(k->co, &key, lease, k->now);
    assert_int_equal(enter_all(k, &w, write_ask), ST_OK);
    kit_leave(k, &w);
    kit_close(k, 1, a);
    kit_empty(k);
}

/* Nobody waits for the end of what takes no W: it goes on with what is left. */
static void test_kept(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket w = {0};
    uint16_t epoch;
    struct co_key key = kit_key(1);
    struct co_party a = kit_holder(k, CO_LEASE, RH);
    assert_int_equal(kept(k, &a, &epoch), RH);
    assert_int_equal(kit_do(k, &w, kit_anon(), write_ask), ST_OK);
    assert_break(k, RH, 0, true);
    kit_clear(k);
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    co_disconnected(k->co, &key, &a, false, true, k->now, &k->out);
    assert_int_equal(kept(k, &a, &epoch), 0);
    assert_break(k, RH, 0, true); /* H is given back by its answer, as by anybody's */
    assert_int_equal(epoch, kit_event(k, CO_EV_BREAK, 0)->epoch - 1);
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, 0), ST_OK);
    kit_close(k, 1, a);
    kit_empty(k);
}

/* A rename waited out the holder of what it replaces; meanwhile the name was given to another file, whose holder has
 * never been asked: it is, and has all the time there is. */
static void test_met_late(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    struct co_ask one = {.key = kit_key(1), .op = CO_REMOVE}, other = {.key = kit_key(2), .op = CO_REMOVE};
    struct co_party a = kit_holder(k, CO_LEASE, RH), b = kit_win(2, 2, 6);
    struct co_key key = kit_key(1);
    co_disconnected(k->co, &key, &a, true, true, k->now, &k->out);
    assert_int_equal(kit_enter(k, &t, kit_anon(), one), ST_AGAIN);
    k->now += 36 * SEC;
    assert_int_equal(kit_try(k, b, kit_open(2, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 2, b, CO_LEASE, RH), RH);
    assert_int_equal(kit_enter(k, &t, kit_anon(), other), ST_AGAIN);
    assert_break(k, RH, 0, true);
    k->now += 34 * SEC;
    assert_int_equal(kit_enter(k, &t, kit_anon(), other), ST_AGAIN);
    assert_int_equal(kit_ack(k, 2, b, CO_LEASE, 0), ST_OK);
    assert_int_equal(kit_do(k, &t, kit_anon(), other), ST_OK);
    kit_close(k, 1, a);
    kit_close(k, 2, b);
    kit_empty(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disconnected), cmocka_unit_test(test_absent_range),
        cmocka_unit_test(test_untold),       cmocka_unit_test(test_untold_ends),
        cmocka_unit_test(test_break_to_something_else),
        cmocka_unit_test(test_told_again),   cmocka_unit_test(test_kept),
        cmocka_unit_test(test_met_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
