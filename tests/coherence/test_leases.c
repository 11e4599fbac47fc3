/* Leases one situation at a time: cascades, acknowledgements, timeouts and their policies, grants and what keeps them
 * away, directory leases (semantics 1.5, 1.6, 2.4). Holders that are away: test_away.c. */
#include "kit.h"

static const struct co_ask write_ask = {.key = {1, 1, 7}, .op = CO_WRITE, .flags = CO_ADVISORY, .last = 9};
static const struct co_ask read_ask = {.key = {1, 1, 7}, .op = CO_READ, .flags = CO_ADVISORY, .last = 9};

static void test_cascade(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket r = {0}, w = {0}, o = {0};
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    assert_int_equal(kit_enter(k, &r, kit_anon(), read_ask), ST_AGAIN);
    assert_break(k, RWH, RH, true);
    assert_int_equal(kit_enter(k, &o, kit_win(2, 2, 6), kit_open(1, CO_ACC_READ, 0)), ST_AGAIN);
    assert_no_break(k); /* joins */
    assert_int_equal(kit_enter(k, &w, kit_anon(), write_ask), ST_AGAIN);
    assert_no_break(k); /* only the floor is lowered */
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, RH), ST_OK);
    assert_break(k, RH, CO_R, true);
    assert_int_equal(r.wakes, 1);
    assert_int_equal(o.wakes, 0); /* an open waits for the whole of it */
    assert_int_equal(w.wakes, 0);
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, CO_R), ST_OK);
    assert_break(k, CO_R, 0, false);
    assert_int_equal(o.wakes, 1);
    assert_int_equal(w.wakes, 1);
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, 0), ST_NO_BREAK);
    assert_int_equal(kit_do(k, &r, kit_anon(), read_ask), ST_OK);
    assert_int_equal(kit_do(k, &w, kit_anon(), write_ask), ST_OK);
    assert_int_equal(kit_do(k, &o, kit_win(2, 2, 6), kit_open(1, CO_ACC_READ, 0)), ST_OK);
    kit_close(k, 1, a);
    kit_close(k, 1, kit_win(2, 2, 6));
    kit_empty(k);
}

static void test_oplock_cascade(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket r = {0}, w = {0};
    struct co_party a = kit_holder(k, CO_OPLOCK, RWH);
    assert_int_equal(kit_enter(k, &r, kit_anon(), read_ask), ST_AGAIN);
    assert_break(k, RWH, CO_R, true);
    assert_int_equal(kit_enter(k, &w, kit_anon(), write_ask), ST_AGAIN);
    assert_int_equal(kit_ack(k, 1, a, CO_OPLOCK, CO_R), ST_OK);
    assert_break(k, CO_R, 0, false);
    assert_int_equal(r.wakes + w.wakes, 2);
    kit_do(k, &r, kit_anon(), read_ask);
    kit_do(k, &w, kit_anon(), write_ask);
    kit_close(k, 1, a);
    kit_empty(k);
}

static void test_oplock_bad_ack(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket r = {0};
    struct co_party a = kit_holder(k, CO_OPLOCK, CO_R | CO_W);
    assert_int_equal(kit_enter(k, &r, kit_anon(), read_ask), ST_AGAIN);
    assert_int_equal(kit_ack(k, 1, a, CO_OPLOCK, RWH), ST_BAD_ACK);
    assert_int_equal(r.wakes, 1); /* complete all the same, with nothing left */
    assert_int_equal(kit_do(k, &r, kit_anon(), read_ask), ST_OK);
    assert_int_equal(kit_ack(k, 1, a, CO_OPLOCK, 0), ST_NO_BREAK);
    kit_close(k, 1, a);
    assert_int_equal(kit_ack(k, 1, a, CO_OPLOCK, 0), ST_NOENT);
    kit_empty(k);
}

static void test_own_write_level2(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_holder(k, CO_OPLOCK, CO_R);
    assert_int_equal(kit_try(k, a, write_ask), ST_OK);
    assert_int_equal(kit_try(k, a, read_ask), ST_OK);
    struct co_party b = kit_win(1, 2, 5);
    assert_int_equal(kit_try(k, b, kit_open(1, ALL, 0)), ST_OK);
    kit_clear(k);
    assert_int_equal(kit_lease(k, 1, b, CO_LEASE, RWH), RH); /* the oplock is gone */
    assert_int_equal(kit_try(k, b, write_ask), ST_OK);
    assert_no_break(k); /* a lease's own key is exempt */
    kit_close(k, 1, a);
    kit_close(k, 1, b);
    kit_empty(k);
}

static void test_closed_instead(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket w = {0};
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    assert_int_equal(kit_enter(k, &w, kit_anon(), write_ask), ST_AGAIN);
    kit_close(k, 1, a);
    assert_int_equal(w.wakes, 1);
    assert_int_equal(kit_do(k, &w, kit_anon(), write_ask), ST_OK);
    kit_empty(k);
}

static void test_shared_lease(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_holder(k, CO_LEASE, RWH), b = a;
    b.open = 2;
    assert_int_equal(kit_try(k, b, kit_open(1, ALL, 0)), ST_OK); /* the same key: no break */
    assert_int_equal(kit_lease(k, 1, b, CO_LEASE, CO_R), RWH);  /* never less */
    kit_close(k, 1, a);
    struct kit_ticket r = {0};
    assert_int_equal(kit_enter(k, &r, kit_anon(), read_ask), ST_AGAIN); /* it outlives its first open */
    kit_close(k, 1, b);
    assert_int_equal(r.wakes, 1);
    kit_do(k, &r, kit_anon(), read_ask);
    kit_empty(k);
}

static void revoked(enum co_on_timeout policy, enum co_event_kind expect)
{
    struct co_policy pol;
    co_policy_default(&pol);
    pol.on_break_timeout = policy;
    struct kit *k = kit_new(&pol);
    struct kit_ticket w = {0};
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    assert_int_equal(kit_enter(k, &w, kit_anon(), write_ask), ST_AGAIN);
    assert_true(w.t.deadline == k->now + 36 * SEC);
    kit_timeout(k);
    assert_int_equal(w.wakes, 1);
    assert_true(policy == CO_REVOKE || kit_event(k, expect, 0));
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, 0), policy == CO_CLOSE ? ST_NOENT : ST_NO_BREAK); /* late */
    assert_int_equal(kit_do(k, &w, kit_anon(), write_ask), ST_OK);
    kit_close(k, 1, a);
    /* the penalty box: neither W nor H for a while */
    k->now += 60 * SEC;
    assert_int_equal(kit_try(k, a, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), CO_R);
    k->now += 600 * SEC;
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);
    kit_close(k, 1, a);
    kit_empty(k);
}

static void test_timeout(void **state)
{
    revoked(CO_REVOKE, CO_EV_BREAK);
    revoked(CO_CLOSE, CO_EV_VOID);
    revoked(CO_DISCONNECT, CO_EV_DROP);
}

static void test_share_conflict(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket o = {0};
    struct co_party a = kit_win(1, 1, 5), b = kit_win(2, 2, 6);
    assert_int_equal(kit_try(k, a, kit_open(1, CO_ACC_READ, ALL)), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);
    assert_int_equal(kit_enter(k, &o, b, kit_open(1, CO_ACC_READ, 0)), ST_AGAIN);
    assert_break(k, RWH, CO_R | CO_W, true);
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, CO_R | CO_W), ST_OK);
    assert_int_equal(o.wakes, 1);
    assert_int_equal(kit_do(k, &o, b, kit_open(1, CO_ACC_READ, 0)), ST_SHARE_CONFLICT); /* it is really open */
    assert_int_equal(o.t.blocker.kind, CO_KIND_SHARE);
    assert_string_equal(kit_event(k, CO_EV_CONFLICT, 0)->outcome, "denied");
    memset(&o, 0, sizeof o);
    assert_int_equal(kit_do(k, &o, b, kit_open(1, CO_ACC_READ, 0)), ST_SHARE_CONFLICT);
    assert_no_break(k); /* not asked twice */
    assert_int_equal(kit_try(k, b, (struct co_ask){.key = kit_key(1), .op = CO_OPEN, .flags = CO_ATTR_ONLY}), ST_OK);
    kit_close(k, 1, b);
    kit_close(k, 1, a);
    /* a deferred close gives way */
    assert_int_equal(kit_try(k, a, kit_open(1, CO_ACC_READ, ALL)), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RH), RH);
    memset(&o, 0, sizeof o);
    assert_int_equal(kit_enter(k, &o, kit_anon(), (struct co_ask){.key = kit_key(1), .op = CO_REMOVE}), ST_AGAIN);
    kit_close(k, 1, a);
    assert_int_equal(o.wakes, 1);
    assert_int_equal(kit_do(k, &o, kit_anon(), (struct co_ask){.key = kit_key(1), .op = CO_REMOVE}), ST_OK);
    kit_empty(k);
}

static void test_grants(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_win(1, 1, 5), b = kit_win(2, 2, 6), n = kit_posix(3, 3), c = kit_win(4, 4, 0);
    struct kit_ticket t = {0};
    assert_int_equal(kit_try(k, a, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_try(k, n, kit_lock(1, 0, 0, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), 0); /* a foreign range */
    kit_unlock(k, 1, n, 0, 0);
    assert_int_equal(kit_try(k, a, kit_lock(1, CO_EXCLUSIVE, 0, 9)), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, CO_W | CO_H), 0); /* not a combination */
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);      /* an own range does not matter */
    kit_close(k, 1, a);
    assert_int_equal(kit_try(k, n, kit_open(1, CO_ACC_READ, 0)), ST_OK);
    assert_int_equal(kit_try(k, a, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RH); /* another opener: no W */
    assert_int_equal(kit_try(k, c, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, c, CO_OPLOCK, CO_R), 0); /* level II not beside RH */
    kit_close(k, 1, a);
    assert_int_equal(kit_lease(k, 1, c, CO_OPLOCK, RWH), CO_R); /* batch falls to level II */
    assert_int_equal(kit_try(k, b, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, b, CO_LEASE, RH), CO_R); /* H not beside level II */
    kit_close(k, 1, c);
    kit_close(k, 1, n);
    assert_int_equal(kit_lease(k, 1, b, CO_LEASE, RWH), RWH); /* upgrade */
    kit_close(k, 1, b);
    /* an operation under way */
    assert_int_equal(kit_try(k, a, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_enter(k, &t, kit_anon(), write_ask), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), 0);
    kit_leave(k, &t);
    assert_int_equal(kit_enter(k, &t, kit_anon(), read_ask), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RH);
    kit_leave(k, &t);
    struct co_key key = kit_key(1);
    co_set_delete(k->co, &key, &a, 0, true, k->now, &k->out);
    kit_close(k, 1, a);
    kit_empty(k);
}

/* A client that closes and opens again is held off longer each time, too: the file is remembered while that matters. */
static void test_holdoff_is_remembered(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket w = {0};
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    uint64_t wait[] = {10, 20, 40};
    for (size_t i = 0; i < ARRAY_LEN(wait); i++) {
        assert_int_equal(kit_enter(k, &w, kit_anon(), write_ask), ST_AGAIN);
        assert_int_equal(kit_ack(k, 1, a, CO_LEASE, 0), ST_OK);
        kit_do(k, &w, kit_anon(), write_ask);
        kit_close(k, 1, a);
        k->now += wait[i] * SEC - 1;
        co_tick(k->co, k->now, &k->out);
        kit_try(k, a, kit_open(1, ALL, 0));
        assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RH);
        kit_close(k, 1, a);
        k->now += 1;
        co_tick(k->co, k->now, &k->out);
        a = kit_holder(k, CO_LEASE, RWH);
    }
    kit_close(k, 1, a);
    kit_empty(k);
}

static void test_holdoff(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    struct kit_ticket w = {0};
    uint64_t wait[] = {10, 20, 40, 60, 60};
    for (size_t i = 0; i < ARRAY_LEN(wait); i++) {
        assert_int_equal(kit_enter(k, &w, kit_anon(), write_ask), ST_AGAIN);
        assert_int_equal(kit_ack(k, 1, a, CO_LEASE, 0), ST_OK);
        kit_do(k, &w, kit_anon(), write_ask);
        assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), 0); /* R for a second */
        k->now += SEC;
        assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RH);
        k->now += (wait[i] - 1) * SEC - 1;
        assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RH);
        k->now += 1;
        assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);
    }
    /* another caching open is not kept away */
    assert_int_equal(kit_enter(k, &w, kit_win(2, 2, 6), kit_open(1, ALL, 0)), ST_AGAIN);
    kit_close(k, 1, a);
    kit_do(k, &w, kit_win(2, 2, 6), kit_open(1, ALL, 0));
    k->now += 100 * SEC;
    assert_int_equal(kit_lease(k, 1, kit_win(2, 2, 6), CO_LEASE, RWH), RWH);
    kit_close(k, 1, kit_win(2, 2, 6));
    kit_empty(k);
}

static void test_reservation(void **state)
{
    struct co_policy pol;
    co_policy_default(&pol);
    pol.regrant_holdoff = 0;
    struct kit *k = kit_new(&pol);
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    struct kit_ticket w = {0};
    for (int comes = 0; comes < 2; comes++) {
        assert_int_equal(kit_enter(k, &w, kit_anon(), write_ask), ST_AGAIN);
        co_reserve(k->co, &w.t, k->now, 15 * SEC);
        co_cancel(k->co, &w.t, k->now, &k->out);
        memset(&w, 0, sizeof w);
        kit_close(k, 1, a);
        assert_int_equal(kit_try(k, a, kit_open(1, ALL, 0)), ST_OK);
        assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), 0); /* kept until it comes back */
        k->now += 14 * SEC;
        assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), 0);
        if (comes)
            assert_int_equal(kit_try(k, kit_anon(), write_ask), ST_OK);
        else
            k->now += SEC;
        assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);
    }
    kit_close(k, 1, a);
    kit_empty(k);
}

static void test_directory(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_party a = kit_win(1, 1, 5), child = kit_win(1, 9, 8), other = kit_win(2, 9, 8);
    struct co_ask change = {.key = kit_key(1), .op = CO_CHILD, .flags = CO_DIRECTORY};
    struct co_key key = kit_key(1);
    uint16_t epoch;
    bool breaking;
    assert_int_equal(kit_try(k, a, kit_open(1, CO_ACC_READ, 0)), ST_OK);
    assert_int_equal(co_lease(k->co, &key, &a, CO_LEASE, RWH, CO_DIRECTORY, 7, k->now, &epoch, &breaking), RH);
    assert_int_equal(epoch, 8);
    memset(child.parent_lease, 5, sizeof child.parent_lease);
    memset(other.parent_lease, 6, sizeof other.parent_lease);
    assert_int_equal(kit_try(k, child, change), ST_OK);
    assert_no_break(k);
    struct kit_ticket t = {0};
    assert_int_equal(kit_enter(k, &t, other, change), ST_OK); /* another key */
    assert_break(k, RH, 0, true);
    assert_int_equal(kit_event(k, CO_EV_BREAK, 0)->epoch, 9);
    kit_leave(k, &t);
    assert_int_equal(kit_try(k, other, change), ST_OK);
    assert_no_break(k); /* once per grant */
    kit_close(k, 1, a);
    kit_empty(k);
}

static bool find_lease(void *arg, const struct co_hold *h)
{
    if (h->kind == CO_KIND_LEASE)
        *(struct co_hold *)arg = *h;
    return true;
}

static void test_revoke(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_key key = kit_key(1);
    struct kit_ticket r = {0};
    struct co_party a = kit_holder(k, CO_LEASE, RWH);
    assert_int_equal(kit_enter(k, &r, kit_anon(), read_ask), ST_AGAIN);
    kit_clear(k);
    struct co_hold held = {0};
    co_each(k->co, &key, find_lease, &held);
    assert_int_equal(held.kind, CO_KIND_LEASE);
    assert_true(co_revoke(k->co, &held, k->now, &k->out));
    assert_break(k, RWH, 0, false);
    assert_int_equal(r.wakes, 1);
    kit_do(k, &r, kit_anon(), read_ask);
    /* an administrative change breaks and goes on */
    k->now += 100 * SEC;
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);
    struct co_ask force = write_ask;
    force.flags |= CO_FORCE;
    assert_int_equal(kit_enter(k, &r, kit_anon(), force), ST_OK);
    assert_break(k, RWH, 0, true);
    kit_leave(k, &r);
    kit_close(k, 1, a);
    kit_empty(k);
}

/* Many events in one call do not fit the inline ones. */
static void test_many_holders(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    for (uint64_t i = 1; i <= 40; i++) {
        struct co_party p = kit_win(i, i, (uint8_t)i);
        assert_int_equal(kit_try(k, p, kit_open(1, ALL, 0)), ST_OK);
        if (i == 1)
            continue;
        assert_int_equal(kit_lease(k, 1, p, CO_LEASE, RH), RH);
    }
    assert_int_equal(kit_enter(k, &t, kit_anon(), write_ask), ST_OK);
    assert_non_null(kit_event(k, CO_EV_BREAK, 38));
    assert_null(kit_event(k, CO_EV_BREAK, 39));
    kit_leave(k, &t);
    for (uint64_t i = 1; i <= 40; i++)
        kit_close(k, 1, kit_win(i, i, (uint8_t)i));
    kit_empty(k);
}

/* Everybody that it waited for is told of, once; who refuses it in the end, too. */
static void test_met(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    struct co_party p[3] = {kit_win(1, 1, 1), kit_win(2, 2, 2), kit_win(3, 3, 3)};
    struct co_ask gone = {.key = kit_key(1), .op = CO_REMOVE};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kit_try(k, p[i], kit_open(1, ALL, 0)), ST_OK);
        if (i < 2)
            assert_int_equal(kit_lease(k, 1, p[i], CO_LEASE, RH), RH);
    }
    assert_int_equal(kit_enter(k, &t, kit_anon(), gone), ST_AGAIN);
    assert_null(kit_event(k, CO_EV_CONFLICT, 0)); /* it is not over yet */
    k->now += 3;
    assert_int_equal(kit_ack(k, 1, p[0], CO_LEASE, 0), ST_OK);
    assert_int_equal(kit_event(k, CO_EV_ACK, 0)->waited, 3);
    assert_int_equal(kit_enter(k, &t, kit_anon(), gone), ST_AGAIN);
    k->now += 4;
    assert_int_equal(kit_ack(k, 1, p[1], CO_LEASE, 0), ST_OK);
    assert_int_equal(kit_enter(k, &t, kit_anon(), gone), ST_OK);
    for (unsigned i = 0; i < 2; i++) {
        const struct co_event *ev = kit_event(k, CO_EV_CONFLICT, i);
        assert_non_null(ev);
        assert_int_equal(ev->party.client, i + 1);
        assert_int_equal(ev->op, CO_REMOVE);
        assert_int_equal(ev->waited, 7);
    }
    assert_null(kit_event(k, CO_EV_CONFLICT, 2));
    kit_leave(k, &t);
    for (int i = 0; i < 3; i++)
        kit_close(k, 1, p[i]);
    kit_empty(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cascade),       cmocka_unit_test(test_oplock_cascade),
        cmocka_unit_test(test_oplock_bad_ack), cmocka_unit_test(test_own_write_level2),
        cmocka_unit_test(test_closed_instead), cmocka_unit_test(test_shared_lease),
        cmocka_unit_test(test_timeout),       cmocka_unit_test(test_share_conflict),
        cmocka_unit_test(test_grants),        cmocka_unit_test(test_holdoff),
        cmocka_unit_test(test_holdoff_is_remembered),
        cmocka_unit_test(test_reservation),
        cmocka_unit_test(test_directory),     cmocka_unit_test(test_revoke),
        cmocka_unit_test(test_many_holders),  cmocka_unit_test(test_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
