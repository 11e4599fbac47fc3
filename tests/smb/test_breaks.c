/* Break notifications on the wire: in which order they come. */
#include "wire.h"

static struct wire w;
static struct client a, b, d;

static int start(void **state)
{
    wire_start(&w, NULL);
    client_ready(&a, &w, SMB_2_1_0);
    client_ready(&b, &w, SMB_2_1_0);
    client_ready(&d, &w, SMB_2_1_0);
    return 0;
}
static int stop(void **state)
{
    client_close(&a);
    client_close(&b);
    client_close(&d);
    wire_stop(&w);
    return 0;
}

static void put_batch_create(struct client *c, const char *name)
{
    client_put_create(c, name, false);
    c->out[c->header + SMB2_HEADER + 3] = SMB2_OPLOCK_LEVEL_BATCH;
}
static uint16_t command(const struct client *c) { return get_le16(c->reply + 12); }

/* What an oplock is of, its client learns from the CREATE's response: a break that comes while that waits for the
 * rest of its chain comes behind it. */
static void a_break_follows_the_response(void **state)
{
    put_batch_create(&b, "y");
    assert_true(client_call(&b));
    assert_int_equal(b.status, STATUS_SUCCESS);
    put_batch_create(&a, "x");
    put_batch_create(&a, "y"); /* waits for b */
    client_send(&a);
    assert_true(client_recv(&b));
    assert_int_equal(command(&b), SMB2_OPLOCK_BREAK);
    client_put_create(&d, "x", false); /* waits for a */
    client_send(&d);
    assert_true(client_recv(&a));
    assert_int_equal(command(&a), SMB2_CREATE);
    assert_int_equal(a.status, STATUS_SUCCESS);
    assert_int_equal(a.reply[SMB2_HEADER + 2], SMB2_OPLOCK_LEVEL_BATCH);
    uint8_t id[16];
    memcpy(id, a.reply + SMB2_HEADER + 64, sizeof id);
    do
        assert_true(client_recv(&a));
    while (command(&a) != SMB2_OPLOCK_BREAK);
    assert_memory_equal(a.reply + SMB2_HEADER + 8, id, sizeof id);
}

static void put_read(struct client *c, const uint64_t id[2])
{
    client_begin(c, SMB2_READ);
    client_u16(c, 49);
    client_u16(c, 0x50);
    client_u32(c, 65536);
    client_u64(c, 0);
    client_u64(c, id[0]);
    client_u64(c, id[1]);
    client_put(c, (uint8_t[17]){0}, 17);
}

static void fill(struct client *c, const uint64_t id[2])
{
    static const uint8_t data[65536];
    client_begin(c, SMB2_WRITE);
    client_u16(c, 49);
    client_u16(c, SMB2_HEADER + 48);
    client_u32(c, sizeof data);
    client_u64(c, 0);
    client_u64(c, id[0]);
    client_u64(c, id[1]);
    client_put(c, (uint8_t[16]){0}, 16);
    client_put(c, data, sizeof data);
    assert_int_equal(client_answer(c), STATUS_SUCCESS);
}

/* A break that does not get through over one channel goes over the next one, and the first is given up. */
static void a_channel_that_takes_nothing(void **state)
{
    enum { READS = 200 }; /* more than what lies in sockets */
    struct client first, second;
    uint64_t big[2];
    client_ready(&first, &w, SMB_3_0_2);
    client_bind(&second, &w, &first);
    assert_int_equal(client_create(&first, "big", false, big), STATUS_SUCCESS);
    fill(&first, big);
    put_batch_create(&second, "kept");
    assert_int_equal(client_answer(&second), STATUS_SUCCESS);
    for (int i = 0; i < READS; i++) {
        put_read(&first, big);
        client_send(&first);
    }
    client_put_create(&a, "kept", false);
    client_send(&a);
    assert_true(client_recv(&second));
    assert_int_equal(command(&second), SMB2_OPLOCK_BREAK);
    client_close(&second);
    assert_int_equal(client_final(&a), STATUS_SUCCESS);
    client_close(&first);
}

/* A second open of a lease that is older: a break of it, which names the first open, waits for the second's response. */
static void a_break_follows_every_response(void **state)
{
    static const uint8_t key[16] = "a lease of a's";
    struct smb_req r = {0};
    struct smb_open *second = smb_open_loose(&w.srv);
    struct co_event ev = {.kind = CO_EV_BREAK, .lease_kind = CO_LEASE, .party = {.client = 5, .open = 1}};
    second->client = 5;
    memcpy(second->lease_key, key, sizeof key);
    memcpy(ev.party.lease, key, sizeof key);
    smb_unanswered_add(&r, second, 2);
    assert_false(smb_unanswered_hold(&w.srv, &ev, NULL)); /* it may still be waiting itself */
    smb_unanswered_leased(second);
    assert_true(smb_unanswered_hold(&w.srv, &ev, NULL));
    ev.party.client = 6;
    assert_false(smb_unanswered_hold(&w.srv, &ev, NULL));
    ev.party.client = 5;
    ev.lease_kind = CO_OPLOCK;
    assert_false(smb_unanswered_hold(&w.srv, &ev, NULL));
    smb_unanswered_done(&r);
    ev.lease_kind = CO_LEASE;
    assert_false(smb_unanswered_hold(&w.srv, &ev, NULL));
    smb_open_unref(second);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {T(a_break_follows_the_response), T(a_break_follows_every_response),
                                       T(a_channel_that_takes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
