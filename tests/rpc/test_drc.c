/* test_drc.c - the duplicate request cache: what is absorbed, what waits, what is replayed, and its bounds. */
#include "base/list.h"
#include "rpc/drc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct waiting {
    struct drc_waiter w;
    int calls;
    struct blk *reply;
};
static void on_ready(struct drc_waiter *w, struct blk *reply)
{
    struct waiting *x = container_of(w, struct waiting, w);
    x->calls++;
    x->reply = reply;
}

static struct drc_key key_of(uint32_t xid, uint64_t origin)
{
    struct drc_key k = {.xid = xid, .prog = 100003, .vers = 3, .proc = 12, .origin = origin};
    memset(k.addr, 7, sizeof k.addr);
    k.sum = drc_sum((const uint8_t *)"arguments", 9);
    return k;
}

static void absorbs_and_replays(void **state)
{
    struct drc *d;
    struct drc_entry *e, *none;
    struct blk *reply;
    assert_int_equal(drc_create(64, 1 << 20, &d), 0);
    struct drc_key k = key_of(1, 10);
    assert_int_equal(drc_begin(d, &k, 1, NULL, &e, &reply), DRC_NEW);
    assert_non_null(e);
    assert_int_equal(drc_begin(d, &k, 2, NULL, &none, &reply), DRC_ABSORBED);
    drc_end(d, e, 3, (const uint8_t *)"reply", 5, true);
    assert_int_equal(drc_begin(d, &k, 4, NULL, &none, &reply), DRC_REPLAY);
    assert_int_equal(reply->len, 5);
    assert_memory_equal(reply->data, "reply", 5);
    blk_put(reply);
    /* The port, so the connection, is not part of the key. */
    k.origin = 11;
    assert_int_equal(drc_begin(d, &k, 5, NULL, &none, &reply), DRC_REPLAY);
    blk_put(reply);
    drc_free(d);
}

static void tells_requests_apart(void **state)
{
    struct drc *d;
    struct drc_entry *e;
    struct blk *reply;
    assert_int_equal(drc_create(640, 1 << 20, &d), 0);
    struct drc_key base = key_of(1, 1), k[6];
    for (size_t i = 0; i < ARRAY_LEN(k); i++)
        k[i] = base;
    k[1].xid++;
    k[2].addr[15]++;
    k[3].proc++;
    k[4].vers++;
    k[5].sum++;
    for (size_t i = 0; i < ARRAY_LEN(k); i++) {
        assert_int_equal(drc_begin(d, &k[i], 1, NULL, &e, &reply), DRC_NEW);
        drc_end(d, e, 1, (const uint8_t *)"x", 1, true);
    }
    drc_free(d);
}

static void a_new_connection_waits_for_the_reply(void **state)
{
    struct drc *d;
    struct drc_entry *e, *none;
    struct blk *reply;
    struct waiting first = {.w.ready = on_ready}, second = {.w.ready = on_ready};
    assert_int_equal(drc_create(64, 1 << 20, &d), 0);
    struct drc_key k = key_of(1, 10);
    assert_int_equal(drc_begin(d, &k, 1, &first.w, &e, &reply), DRC_NEW);
    k.origin = 11;
    assert_int_equal(drc_begin(d, &k, 1, &first.w, &none, &reply), DRC_WAITING);
    k.origin = 12;
    assert_int_equal(drc_begin(d, &k, 1, &second.w, &none, &reply), DRC_WAITING);
    assert_int_equal(first.calls, 1);
    assert_null(first.reply);
    drc_end(d, e, 1, (const uint8_t *)"late", 4, true);
    assert_int_equal(second.calls, 1);
    assert_memory_equal(second.reply->data, "late", 4);
    blk_put(second.reply);
    drc_free(d);
}

static void what_is_not_kept_runs_again(void **state)
{
    struct drc *d;
    struct drc_entry *e;
    struct blk *reply;
    assert_int_equal(drc_create(64, 1 << 20, &d), 0);
    struct drc_key k = key_of(1, 10);
    assert_int_equal(drc_begin(d, &k, 1, NULL, &e, &reply), DRC_NEW);
    drc_end(d, e, 1, (const uint8_t *)"jukebox", 7, false);
    assert_int_equal(drc_begin(d, &k, 2, NULL, &e, &reply), DRC_NEW);
    drc_end(d, e, 1, NULL, 0, true);
    assert_int_equal(drc_begin(d, &k, 2, NULL, &e, &reply), DRC_NEW);
    drc_end(d, e, 2, (const uint8_t *)"old", 3, true);
    assert_int_equal(drc_begin(d, &k, 2 + DRC_AGE + 1, NULL, &e, &reply), DRC_NEW);
    drc_end(d, e, 3, (const uint8_t *)"new", 3, true);
    drc_free(d);
}

static void is_bounded(void **state)
{
    struct drc *d;
    struct drc_entry *e;
    struct blk *reply;
    struct drc_usage u;
    uint8_t big[10000] = {0};
    assert_int_equal(drc_create(160, 16 * 40000, &d), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        struct drc_key k = key_of(i, 1);
        assert_int_equal(drc_begin(d, &k, i, NULL, &e, &reply), DRC_NEW);
        if (e)
            drc_end(d, e, i, big, i % 3 ? 100 : sizeof big, true);
    }
    drc_usage(d, &u);
    assert_true(u.entries > 0 && u.entries <= 160);
    assert_int_equal(u.running, 0);
    assert_true(u.bytes <= 16 * (40000 + sizeof big));
    struct drc_key last = key_of(4999, 1);
    assert_int_equal(drc_begin(d, &last, 5000, NULL, &e, &reply), DRC_REPLAY);
    blk_put(reply);
    /* All running: calls go uncached, nothing is thrown out. */
    struct drc_entry *running[400];
    size_t n = 0, uncached = 0;
    for (uint32_t i = 10000; i < 10400; i++) {
        struct drc_key k = key_of(i, 1);
        assert_int_equal(drc_begin(d, &k, 6000, NULL, &e, &reply), DRC_NEW);
        if (e)
            running[n++] = e;
        else
            uncached++;
    }
    assert_true(n > 0 && n <= 160 && uncached > 0);
    while (n > 0)
        drc_end(d, running[--n], 6000, big, 10, true);
    drc_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absorbs_and_replays),
        cmocka_unit_test(tells_requests_apart),
        cmocka_unit_test(a_new_connection_waits_for_the_reply),
        cmocka_unit_test(what_is_not_kept_runs_again),
        cmocka_unit_test(is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
