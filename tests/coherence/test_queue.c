/* Waiting: order, handing over, circles, grace, starvation, cancelling, clients that are gone, delete-pending
 * (semantics 2.3, 4, 5). */
#include "kit.h"

#define EX CO_EXCLUSIVE
#define WAIT CO_WAIT

static void test_fifo(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t[4] = {0};
    struct co_party p[4] = {kit_posix(1, 1), kit_win(2, 2, 0), kit_posix(3, 3), kit_posix(4, 4)};
    struct co_ask ex = kit_lock(1, EX | WAIT, 0, 9), sh = kit_lock(1, WAIT, 5, 5);
    assert_int_equal(kit_do(k, &t[0], p[0], kit_lock(1, EX, 0, 9)), ST_OK);
    assert_int_equal(kit_enter(k, &t[1], p[1], ex), ST_AGAIN);
    assert_true(t[1].t.deadline == UINT64_MAX);
    assert_int_equal(kit_enter(k, &t[2], p[2], sh), ST_AGAIN);
    assert_int_equal(kit_enter(k, &t[3], p[3], sh), ST_AGAIN);
    kit_unlock(k, 1, p[0], 0, 9);
    assert_int_equal(t[1].wakes, 1); /* across flavours, one by one */
    assert_int_equal(t[2].wakes + t[3].wakes, 0);
    assert_int_equal(kit_enter(k, &t[2], p[2], sh), ST_AGAIN); /* asking out of turn does not help */
    assert_int_equal(kit_try(k, kit_posix(5, 5), sh), ST_AGAIN);
    k->now += 5;
    assert_int_equal(kit_do(k, &t[1], p[1], ex), ST_OK);
    const struct co_event *met = kit_event(k, CO_EV_CONFLICT, 0);
    assert_string_equal(met->what, "range");
    assert_string_equal(met->outcome, "granted");
    assert_int_equal(met->op, CO_LOCK);
    assert_int_equal(met->handover, 5);
    assert_null(kit_event(k, CO_EV_CONFLICT, 1));
    assert_int_equal(t[2].wakes + t[3].wakes, 0);
    kit_unlock(k, 1, p[1], 0, 9);
    assert_int_equal(t[2].wakes, 1); /* all the sharers up to the next exclusive */
    assert_int_equal(t[3].wakes, 1);
    assert_int_equal(kit_do(k, &t[2], p[2], sh), ST_OK);
    assert_int_equal(kit_do(k, &t[3], p[3], sh), ST_OK);
    for (int i = 0; i < 4; i++)
        kit_close(k, 1, p[i]);
    kit_empty(k);
}

static void test_cancel(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket a = {0}, b = {0};
    struct co_party h = kit_posix(1, 1);
    kit_try(k, h, kit_lock(1, 0, 0, 9));
    assert_int_equal(kit_enter(k, &a, kit_posix(2, 2), kit_lock(1, EX | WAIT, 0, 9)), ST_AGAIN);
    assert_int_equal(kit_enter(k, &b, kit_posix(3, 3), kit_lock(1, WAIT, 0, 9)), ST_AGAIN); /* behind it only */
    kit_clear(k);
    co_cancel(k->co, &a.t, k->now, &k->out);
    assert_string_equal(kit_event(k, CO_EV_CONFLICT, 0)->outcome, "cancelled");
    assert_int_equal(a.wakes, 0);
    assert_int_equal(b.wakes, 1);
    co_cancel(k->co, &a.t, k->now, &k->out); /* harmless */
    assert_int_equal(kit_do(k, &b, kit_posix(3, 3), kit_lock(1, WAIT, 0, 9)), ST_OK);
    kit_close(k, 1, kit_posix(3, 3));
    kit_close(k, 1, h);
    kit_empty(k);
}

/* A holder pushes its cached locks out while it is being broken, past the ticket that caused the break (D3). */
static void test_pushed_locks(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket n = {0};
    struct co_party a = kit_win(1, 1, 5);
    kit_try(k, a, kit_open(1, ALL, 0));
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);
    assert_int_equal(kit_enter(k, &n, kit_posix(2, 2), kit_lock(1, EX | WAIT, 0, 9)), ST_AGAIN);
    assert_int_equal(kit_try(k, a, kit_lock(1, EX | WAIT, 0, 4)), ST_OK);
    assert_int_equal(kit_try(k, a, kit_io(1, CO_WRITE, 0, 4)), ST_OK);
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, 0), ST_OK);
    assert_int_equal(n.wakes, 0); /* now there is a real lock in its way */
    kit_close(k, 1, a);
    assert_int_equal(n.wakes, 1);
    assert_int_equal(kit_do(k, &n, kit_posix(2, 2), kit_lock(1, EX | WAIT, 0, 9)), ST_OK);
    kit_close(k, 1, kit_posix(2, 2));
    kit_empty(k);
}

/* I/O that waited for the break finds the lock that the holder pushed: from then on it has io_lock_park, no more. */
static void test_pushed_lock_meets_io(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket n = {0};
    struct co_party a = kit_win(1, 1, 5);
    struct co_ask read = kit_io(1, CO_READ, 0, 4);
    read.flags |= CO_ADVISORY;
    kit_try(k, a, kit_open(1, ALL, 0));
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);
    assert_int_equal(kit_enter(k, &n, kit_anon(), read), ST_AGAIN);
    assert_int_equal(kit_try(k, a, kit_lock(1, EX, 0, 4)), ST_OK);
    k->now += 3 * SEC;
    assert_int_equal(kit_ack(k, 1, a, CO_LEASE, CO_R | CO_H), ST_OK);
    assert_int_equal(n.wakes, 0);
    assert_true(co_next_deadline(k->co) <= k->now + SEC);
    k->now += SEC;
    co_tick(k->co, k->now, &k->out);
    assert_int_equal(n.wakes, 1);
    assert_int_equal(kit_enter(k, &n, kit_anon(), read), ST_LOCK_CONFLICT);
    kit_close(k, 1, a);
    kit_empty(k);
}

static void test_deadlock(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t[3] = {0};
    struct co_party p[3] = {kit_posix(1, 1), kit_win(2, 2, 0), kit_posix(3, 3)};
    for (uint64_t i = 0; i < 3; i++)
        kit_try(k, p[i], kit_lock(i + 1, EX, 0, 9));
    assert_int_equal(kit_enter(k, &t[0], p[0], kit_lock(2, EX | WAIT, 0, 9)), ST_AGAIN);
    assert_int_equal(kit_enter(k, &t[1], p[1], kit_lock(3, EX | WAIT, 0, 9)), ST_AGAIN);
    assert_int_equal(kit_enter(k, &t[2], p[2], kit_lock(1, EX | WAIT, 0, 9)), ST_DEADLOCK);
    co_cancel(k->co, &t[0].t, k->now, &k->out);
    assert_int_equal(kit_enter(k, &t[2], p[2], kit_lock(1, EX | WAIT, 0, 9)), ST_AGAIN); /* no circle any more */
    co_cancel(k->co, &t[1].t, k->now, &k->out);
    co_cancel(k->co, &t[2].t, k->now, &k->out);
    for (uint64_t i = 0; i < 3; i++)
        kit_close(k, i + 1, p[i]);
    /* two sharers that both want to upgrade */
    kit_try(k, p[0], kit_lock(1, 0, 0, 9));
    kit_try(k, p[2], kit_lock(1, 0, 0, 9));
    assert_int_equal(kit_enter(k, &t[0], p[0], kit_lock(1, EX | WAIT, 0, 9)), ST_AGAIN);
    assert_int_equal(kit_enter(k, &t[2], p[2], kit_lock(1, EX | WAIT, 0, 9)), ST_DEADLOCK);
    kit_unlock(k, 1, p[2], 0, 9);
    assert_int_equal(kit_do(k, &t[0], p[0], kit_lock(1, EX | WAIT, 0, 9)), ST_OK);
    kit_close(k, 1, p[0]);
    /* a Windows open is queued all the same */
    kit_try(k, p[0], kit_lock(1, EX, 0, 9));
    kit_try(k, p[1], kit_lock(2, EX, 0, 9));
    assert_int_equal(kit_enter(k, &t[0], p[0], kit_lock(2, EX | WAIT, 0, 9)), ST_AGAIN);
    assert_int_equal(kit_enter(k, &t[1], p[1], kit_lock(1, EX | WAIT, 0, 9)), ST_AGAIN);
    co_cancel(k->co, &t[0].t, k->now, &k->out);
    co_cancel(k->co, &t[1].t, k->now, &k->out);
    kit_close(k, 1, p[0]);
    kit_close(k, 2, p[1]);
    kit_empty(k);
}

static void test_grace(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket w = {0};
    struct co_party n = kit_posix(1, 1), s = kit_win(2, 2, 5);
    assert_int_equal(kit_try(k, n, kit_lock(1, EX | CO_RECLAIM, 0, 9)), ST_NOGRACE);
    co_grace_begin(k->co, k->now);
    assert_true(co_in_grace(k->co, k->now));
    assert_int_equal(kit_try(k, n, kit_lock(1, EX, 0, 9)), ST_GRACE);
    assert_int_equal(kit_try(k, n, kit_io(1, CO_TEST, 0, 9)), ST_GRACE);
    assert_int_equal(kit_try(k, n, kit_open(1, CO_ACC_READ, 0)), ST_GRACE);
    assert_int_equal(kit_try(k, s, kit_open(1, ALL, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, s, CO_LEASE, RWH), 0);
    assert_int_equal(kit_enter(k, &w, s, kit_lock(1, EX, 0, 9)), ST_AGAIN); /* may not steal it */
    assert_int_equal(kit_try(k, n, kit_lock(1, EX | CO_RECLAIM, 0, 9)), ST_OK);
    assert_int_equal(kit_try(k, kit_anon(), kit_io(2, CO_WRITE, 0, 9)), ST_OK);
    assert_true(co_next_deadline(k->co) == k->now + 45 * SEC);
    k->now += 45 * SEC;
    co_tick(k->co, k->now, &k->out);
    assert_false(co_in_grace(k->co, k->now));
    assert_int_equal(w.wakes, 1);
    assert_int_equal(kit_do(k, &w, s, kit_lock(1, EX, 0, 9)), ST_LOCK_DENIED);
    assert_int_equal(w.t.blocker.party.client, 1);
    kit_unlock(k, 1, n, 0, 9);
    kit_close(k, 1, s);
    kit_empty(k);
}

static void test_starvation(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket x = {0};
    struct co_party h = kit_posix(1, 1);
    kit_try(k, h, kit_lock(1, 0, 0, 9));
    assert_int_equal(kit_enter(k, &x, kit_posix(2, 2), kit_lock(1, EX | WAIT, 0, 9)), ST_AGAIN);
    assert_int_equal(kit_try(k, kit_posix(3, 3), kit_lock(1, 0, 0, 9)), ST_OK); /* sees only what is held */
    k->now += 5 * SEC;
    assert_int_equal(kit_try(k, kit_posix(4, 4), kit_lock(1, 0, 0, 9)), ST_LOCK_DENIED);
    assert_int_equal(kit_try(k, kit_posix(4, 4), kit_lock(1, 0, 20, 29)), ST_OK);
    co_cancel(k->co, &x.t, k->now, &k->out);
    co_client_gone(k->co, 1, k->now, &k->out);
    co_client_gone(k->co, 3, k->now, &k->out);
    co_client_gone(k->co, 4, k->now, &k->out);
    kit_empty(k);
}

static void test_io_parks(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket r = {0};
    struct co_party h = kit_win(1, 1, 0), n = kit_posix(2, 2);
    struct co_ask read = {.key = kit_key(1), .op = CO_READ, .flags = CO_ADVISORY, .last = 9}, now = read;
    kit_try(k, h, kit_open(1, ALL, 0));
    kit_try(k, h, kit_lock(1, EX, 5, 5));
    assert_int_equal(kit_enter(k, &r, kit_anon(), read), ST_AGAIN);
    assert_true(r.t.deadline == k->now + SEC);
    k->now += SEC;
    co_tick(k->co, k->now, &k->out);
    assert_int_equal(r.wakes, 1);
    assert_int_equal(kit_do(k, &r, kit_anon(), read), ST_LOCK_CONFLICT);
    memset(&r, 0, sizeof r);
    assert_int_equal(kit_enter(k, &r, kit_anon(), read), ST_AGAIN);
    kit_unlock(k, 1, h, 5, 5);
    assert_int_equal(r.wakes, 1);
    assert_int_equal(kit_do(k, &r, kit_anon(), read), ST_OK);
    /* POSIX ranges bind opens, not stateless I/O */
    kit_try(k, n, kit_lock(1, EX, 5, 5));
    assert_int_equal(kit_try(k, kit_anon(), read), ST_OK);
    now.flags = CO_DENY_NOWAIT;
    assert_int_equal(kit_try(k, h, now), ST_LOCK_CONFLICT);
    kit_unlock(k, 1, n, 0, 9);
    kit_close(k, 1, h);
    kit_empty(k);
}

static enum st advisory(uint8_t policy, enum co_op op, bool exclusive)
{
    struct co_policy pol;
    co_policy_default(&pol);
    pol.range_vs_advisory = policy;
    pol.io_lock_park = 0;
    struct kit *k = kit_new(&pol);
    struct co_party h = kit_win(1, 1, 0);
    kit_try(k, h, kit_lock(1, exclusive ? EX : 0, 0, 9));
    enum st st = kit_try(k, kit_anon(), (struct co_ask){.key = kit_key(1), .op = op, .flags = CO_ADVISORY, .last = 9});
    kit_close(k, 1, h);
    kit_empty(k);
    return st;
}

static void test_policies(void **state)
{
    assert_int_equal(advisory(2, CO_READ, true), ST_LOCK_CONFLICT);
    assert_int_equal(advisory(2, CO_READ, false), ST_OK);
    assert_int_equal(advisory(2, CO_WRITE, false), ST_LOCK_CONFLICT);
    assert_int_equal(advisory(1, CO_READ, true), ST_OK);
    assert_int_equal(advisory(1, CO_WRITE, false), ST_LOCK_CONFLICT);
    assert_int_equal(advisory(0, CO_WRITE, true), ST_OK);
    struct co_policy pol;
    co_policy_default(&pol);
    pol.nlm_break_deny = true;
    pol.posix_binds_windows = false;
    pol.share_vs_anonymous = false;
    pol.unlink_enforce = false;
    struct kit *k = kit_new(&pol);
    struct kit_ticket t = {0};
    struct co_party a = kit_win(1, 1, 5);
    kit_try(k, a, kit_open(1, ALL, ALL));
    assert_int_equal(kit_try(k, kit_anon(), kit_io(1, CO_WRITE, 0, 9)), ST_OK);
    assert_int_equal(kit_try(k, kit_anon(), kit_io(1, CO_REMOVE, 0, 0)), ST_OK);
    assert_int_equal(kit_lease(k, 1, a, CO_LEASE, RWH), RWH);
    assert_int_equal(kit_enter(k, &t, kit_posix(2, 2), kit_lock(1, EX | WAIT, 0, 9)), ST_AGAIN);
    k->now += 35 * SEC;
    co_tick(k->co, k->now, &k->out);
    assert_int_equal(kit_do(k, &t, kit_posix(2, 2), kit_lock(1, EX | WAIT, 0, 9)), ST_LOCK_DENIED);
    assert_int_equal(t.t.blocker.kind, CO_KIND_LEASE);
    assert_int_equal(kit_try(k, kit_posix(2, 2), kit_lock(1, EX, 0, 9)), ST_OK);
    assert_int_equal(kit_try(k, a, kit_io(1, CO_WRITE, 0, 9)), ST_OK);
    kit_close(k, 1, a);
    kit_close(k, 1, kit_posix(2, 2));
    kit_empty(k);
}

static void test_delete_pending(void **state)
{
    struct kit *k = kit_new(NULL);
    struct co_key key = kit_key(1);
    struct co_party a = kit_win(1, 1, 0), b = kit_win(2, 2, 0), c = kit_win(3, 3, 0);
    struct co_ask open = kit_open(1, ALL, 0);
    open.link = 10;
    kit_try(k, a, open);
    kit_try(k, b, open);
    kit_try(k, kit_posix(4, 4), kit_open(1, CO_ACC_READ, 0)); /* of no name: keeps none */
    co_set_delete(k->co, &key, &a, 10, true, k->now, &k->out);
    assert_true(co_delete_pending(k->co, &key, 10));
    assert_false(co_delete_pending(k->co, &key, 11));
    assert_int_equal(kit_try(k, c, open), ST_DELETE_PENDING);
    open.link = 11; /* another name of the file */
    assert_int_equal(kit_try(k, c, open), ST_OK);
    assert_int_equal(kit_try(k, kit_anon(), (struct co_ask){.key = key, .op = CO_LINK, .link = 10}), ST_DELETE_PENDING);
    assert_int_equal(kit_try(k, kit_anon(), (struct co_ask){.key = key, .op = CO_REMOVE, .link = 10}), ST_OK);
    assert_int_equal(kit_try(k, kit_anon(), kit_io(1, CO_WRITE, 0, 9)), ST_OK);
    co_relink(k->co, &key, 10, 12);
    assert_true(co_delete_pending(k->co, &key, 12));
    assert_int_equal(co_opens(k->co, &key, 12), 2);
    assert_false(co_close(k->co, &key, &a, 12, k->now, &k->out));
    assert_false(co_close(k->co, &key, &c, 11, k->now, &k->out));
    assert_true(co_close(k->co, &key, &b, 12, k->now, &k->out));
    assert_false(co_delete_pending(k->co, &key, 12));
    kit_close(k, 1, kit_posix(4, 4));
    kit_empty(k);
}

static void test_client_gone(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket mine = {0}, other = {0};
    struct co_party h = kit_posix(1, 1), w = kit_posix(1, 2);
    kit_try(k, h, kit_lock(1, EX, 0, 9));
    kit_try(k, h, kit_open(1, CO_ACC_READ, CO_ACC_WRITE));
    kit_try(k, kit_posix(9, 9), kit_lock(2, EX, 0, 9));
    assert_int_equal(kit_enter(k, &mine, w, kit_lock(2, EX | WAIT, 0, 9)), ST_AGAIN);
    assert_int_equal(kit_enter(k, &other, kit_win(2, 2, 0), kit_lock(1, EX | WAIT, 0, 9)), ST_AGAIN);
    co_client_gone(k->co, 1, k->now, &k->out);
    assert_int_equal(mine.wakes, 1);
    assert_int_equal(other.wakes, 1);
    assert_int_equal(kit_enter(k, &mine, w, kit_lock(2, EX | WAIT, 0, 9)), ST_CANCELLED);
    assert_int_equal(kit_do(k, &other, kit_win(2, 2, 0), kit_lock(1, EX | WAIT, 0, 9)), ST_OK);
    kit_close(k, 1, kit_win(2, 2, 0));
    kit_close(k, 2, kit_posix(9, 9));
    kit_empty(k);
}

/* A rename concerns four objects: all breaks begin at once, and it is woken when the last is there. */
static void test_four_objects(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {.t.wake = kit_wake};
    struct co_party h[2] = {kit_win(1, 1, 5), kit_win(2, 2, 6)}, by = kit_anon();
    struct co_ask asks[4] = {{.key = kit_key(1), .op = CO_RENAME}, {.key = kit_key(2), .op = CO_REMOVE},
                             {.key = kit_key(3), .op = CO_CHILD}, {.key = kit_key(4), .op = CO_CHILD}};
    for (uint64_t i = 0; i < 2; i++) {
        kit_try(k, h[i], kit_open(i + 1, ALL, 0));
        assert_int_equal(kit_lease(k, i + 1, h[i], CO_LEASE, RWH), RWH);
    }
    kit_clear(k);
    assert_int_equal(co_enter(k->co, &t.t, &by, asks, 4, k->now, &k->out), ST_AGAIN);
    assert_non_null(kit_event(k, CO_EV_BREAK, 1));
    assert_int_equal(kit_ack(k, 2, h[1], CO_LEASE, 0), ST_OK);
    assert_int_equal(t.wakes, 0);
    assert_int_equal(kit_ack(k, 1, h[0], CO_LEASE, 0), ST_OK);
    assert_int_equal(t.wakes, 1);
    assert_int_equal(co_enter(k->co, &t.t, &by, asks, 4, k->now, &k->out), ST_OK);
    kit_leave(k, &t);
    kit_close(k, 1, h[0]);
    kit_close(k, 2, h[1]);
    kit_empty(k);
}

static void test_asks_changed(void **state)
{
    struct kit *k = kit_new(NULL);
    struct kit_ticket t = {0};
    struct co_party h = kit_win(1, 1, 5);
    kit_try(k, h, kit_open(1, ALL, 0));
    assert_int_equal(kit_lease(k, 1, h, CO_LEASE, RWH), RWH);
    assert_int_equal(kit_enter(k, &t, kit_anon(), kit_io(1, CO_REMOVE, 0, 0)), ST_AGAIN);
    assert_int_equal(kit_do(k, &t, kit_anon(), kit_io(2, CO_REMOVE, 0, 0)), ST_OK); /* the name is another file's now */
    assert_true(t.t.queued_at == 0); /* what it does next has not waited */
    assert_int_equal(kit_do(k, &t, h, kit_io(1, CO_READ, 0, 9)), ST_OK);
    assert_null(kit_event(k, CO_EV_CONFLICT, 0));
    kit_close(k, 1, h);
    kit_empty(k);
}

/* What one account has used up is no business of the others. */
static void test_budgets(void **state)
{
    struct co_policy pol;
    co_policy_default(&pol);
    pol.max_locks = 3;
    pol.max_waits = 1;
    struct kit *k = kit_new(&pol);
    struct kit_ticket t[3] = {0};
    struct co_party a = kit_posix(1, 1), a2 = kit_posix(2, 2), b = kit_win(3, 3, 0);
    a.account = a2.account = 77;
    b.account = 78;
    assert_int_equal(kit_try(k, a, kit_lock(1, EX, 0, 9)), ST_OK);
    assert_int_equal(kit_try(k, a, kit_lock(1, EX, 20, 29)), ST_OK);
    assert_int_equal(kit_try(k, a2, kit_open(2, CO_ACC_READ, 0)), ST_OK);
    assert_int_equal(kit_try(k, a2, kit_lock(1, EX, 40, 49)), ST_TOOMANY);
    assert_int_equal(kit_try(k, a2, kit_open(3, CO_ACC_READ, 0)), ST_TOOMANY);
    assert_int_equal(kit_try(k, b, kit_lock(1, EX, 40, 49)), ST_OK);
    assert_int_equal(kit_unlock(k, 1, a, 5, 5), ST_TOOMANY); /* would be one more */
    assert_int_equal(kit_unlock(k, 1, a, 5, 9), ST_OK);
    assert_int_equal(kit_unlock(k, 1, a, 20, 29), ST_OK);
    assert_int_equal(kit_try(k, a2, kit_lock(1, EX, 60, 69)), ST_OK);
    kit_unlock(k, 1, a2, 60, 69);
    /* and waiting */
    assert_int_equal(kit_enter(k, &t[0], a, kit_lock(1, EX | WAIT, 40, 49)), ST_AGAIN);
    assert_int_equal(kit_enter(k, &t[0], a, kit_lock(1, EX | WAIT, 40, 49)), ST_AGAIN); /* the same one */
    assert_int_equal(kit_enter(k, &t[1], a2, kit_lock(1, EX | WAIT, 45, 45)), ST_TOOMANY);
    co_cancel(k->co, &t[0].t, k->now, &k->out);
    memset(&t[1], 0, sizeof t[1]);
    assert_int_equal(kit_enter(k, &t[1], a2, kit_lock(1, EX | WAIT, 45, 45)), ST_AGAIN);
    co_cancel(k->co, &t[1].t, k->now, &k->out);
    kit_close(k, 1, a);
    kit_close(k, 2, a2);
    kit_close(k, 1, b);
    kit_empty(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fifo),         cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_pushed_locks),
        cmocka_unit_test(test_pushed_lock_meets_io), cmocka_unit_test(test_deadlock),
        cmocka_unit_test(test_grace),        cmocka_unit_test(test_starvation),
        cmocka_unit_test(test_io_parks),     cmocka_unit_test(test_policies),
        cmocka_unit_test(test_delete_pending), cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_four_objects), cmocka_unit_test(test_asks_changed),
        cmocka_unit_test(test_budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
