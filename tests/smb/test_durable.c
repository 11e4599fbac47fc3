/* Durable opens, as a client sees them that loses its connection: granted, kept, given back, and to whom not; what
 * others do meanwhile; requests sent again. */
#include "durable.h"
#include <stdio.h>

static void opens_become(size_t n)
{
    for (int i = 0; i < 2000; i++) {
        pthread_rwlock_rdlock(&w.srv.lock);
        bool done = w.srv.opens.count == n;
        pthread_rwlock_unlock(&w.srv.lock);
        if (done)
            return;
        usleep(5000);
    }
    fail_msg("%zu opens are left", w.srv.opens.count);
}

static uint8_t level(void) { return c.reply[SMB2_HEADER + 2]; }

static uint32_t write_byte(struct client *k, uint16_t sequence, uint32_t flags)
{
    k->flags = flags;
    client_begin(k, SMB2_WRITE);
    k->flags = 0;
    put_le16(k->out + k->header + SMB2_HDR_STATUS, sequence);
    client_u16(k, 49);
    client_u16(k, SMB2_HEADER + 48);
    client_u32(k, 1);
    client_u64(k, 0);
    client_u64(k, id[0]);
    client_u64(k, id[1]);
    client_put(k, (uint8_t[16]){0}, 16);
    client_u8(k, 'x');
    assert_true(client_call(k));
    return k->status;
}

static void granted(void **state)
{
    static const struct {
        struct asked a;
        bool v1, v2;
    } cases[] = {
        {{.oplock = SMB2_OPLOCK_LEVEL_NONE, .durable = SMB_DHNQ}, false, false},
        {{.oplock = SMB2_OPLOCK_LEVEL_II, .durable = SMB_DHNQ}, false, false},
        {{.oplock = SMB2_OPLOCK_LEVEL_EXCLUSIVE, .durable = SMB_DHNQ}, false, false},
        {{.oplock = SMB2_OPLOCK_LEVEL_BATCH, .durable = SMB_DHNQ}, true, false},
        {{.lease = KEY_A, .durable = SMB_DHNQ}, true, false},
        {{.lease = KEY_A, .state = CO_R | CO_H, .durable = SMB_DHNQ}, true, false},
        {{.lease = KEY_A, .state = CO_R | CO_W, .durable = SMB_DHNQ}, false, false},
        {{.oplock = SMB2_OPLOCK_LEVEL_BATCH, .durable = SMB_DH2Q, .guid = GUID_A}, false, true},
        {{.oplock = SMB2_OPLOCK_LEVEL_EXCLUSIVE, .durable = SMB_DH2Q, .guid = GUID_A}, false, false},
        /* no share is continuously available: durable is what persistent falls to */
        {{.lease = KEY_A, .durable = SMB_DH2Q, .guid = GUID_A, .flags = SMB2_DHANDLE_FLAG_PERSISTENT}, false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(create(&c, "f", &cases[i].a), STATUS_SUCCESS);
        assert_int_equal(answered(&c, "DHnQ") != NULL, cases[i].v1);
        assert_int_equal(answered(&c, "DH2Q") != NULL, cases[i].v2);
        if (cases[i].v2) {
            assert_int_equal(get_le32(answered(&c, "DH2Q")), 60000);
            assert_int_equal(get_le32(answered(&c, "DH2Q") + 4), 0);
        }
        close_open(&c, STATUS_SUCCESS);
    }
    assert_int_equal(create(&c, "f", &leased), STATUS_SUCCESS);
    assert_int_equal(get_le32(answered(&c, "DH2Q")), 300000); /* as long as anybody gets */
    close_open(&c, STATUS_SUCCESS);
}

static void mixed(void **state)
{
    const struct asked bad[] = {
        {.durable = SMB_DHNQ | SMB_DH2Q, .guid = GUID_A},
        {.durable = SMB_DHNC | SMB_DH2Q, .guid = GUID_A, .back = id},
        {.durable = SMB_DHNQ | SMB_DH2C, .back = id},
        {.durable = SMB_DHNC | SMB_DH2C, .back = id},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(create(&c, "f", &bad[i]), STATUS_INVALID_PARAMETER);
}

static void comes_back(void **state)
{
    const struct asked *all[] = {&batch, &batch_v2, &leased};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        assert_int_equal(create(&c, "f", all[i]), STATUS_SUCCESS);
        assert_int_equal(lock_byte(&c, 0, 2 | 0x10), STATUS_SUCCESS);
        assert_int_equal(come_back("f", all[i]), STATUS_OBJECT_NAME_NOT_FOUND); /* it is not lost */
        lose(&c, 1);
        assert_int_equal(come_back("f", all[i]), STATUS_SUCCESS);
        assert_int_equal(level(), all[i]->lease ? SMB2_OPLOCK_LEVEL_LEASE : SMB2_OPLOCK_LEVEL_BATCH);
        assert_null(answered(&c, "DHnQ"));
        assert_null(answered(&c, "DH2Q"));
        if (all[i]->lease)
            assert_int_equal(get_le32(answered(&c, "RqLs") + 16), CO_R | CO_W | CO_H);
        assert_int_equal(w.srv.ndisconnected, 0);
        assert_int_equal(lock_byte(&c, 0, 4), STATUS_SUCCESS); /* its range was kept */
        assert_int_equal(write_byte(&c, 0, 0), STATUS_SUCCESS);
        lose(&c, 1); /* once more */
        assert_int_equal(come_back("f", all[i]), STATUS_SUCCESS);
        close_open(&c, STATUS_SUCCESS);
    }
}

static void comes_to_wrong_hands(void **state)
{
    const uint64_t nobody[2] = {12345, 12345};
    assert_int_equal(create(&c, "f", &leased), STATUS_SUCCESS);
    lose(&c, 1);
    client_ready(&c, &w, SMB_3_1_1);
    const struct {
        const char *name;
        struct asked a;
        uint32_t status;
    } cases[] = {
        {"f", {.durable = SMB_DH2C, .lease = KEY_A, .back = nobody}, STATUS_OBJECT_NAME_NOT_FOUND},
        {"f", {.durable = SMB_DH2C, .lease = KEY_A, .back = id, .guid = GUID_B}, STATUS_OBJECT_NAME_NOT_FOUND},
        {"f", {.durable = SMB_DH2C, .lease = KEY_B, .back = id}, STATUS_OBJECT_NAME_NOT_FOUND},
        {"f", {.durable = SMB_DH2C, .back = id}, STATUS_OBJECT_NAME_NOT_FOUND},
        {"f", {.durable = SMB_DH2C, .lease = KEY_A, .back = id, .flags = SMB2_DHANDLE_FLAG_PERSISTENT},
         STATUS_OBJECT_NAME_NOT_FOUND},
        {"g", {.durable = SMB_DH2C, .lease = KEY_A, .back = id}, STATUS_INVALID_PARAMETER},
        {"f:s", {.durable = SMB_DH2C, .lease = KEY_A, .back = id}, STATUS_INVALID_PARAMETER},
        {"*", {.durable = SMB_DH2C, .lease = KEY_A, .back = id}, STATUS_INVALID_PARAMETER},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(create(&c, cases[i].name, &cases[i].a), cases[i].status);
    client_close(&c);
    client_open(&c, &w);
    assert_int_equal(client_negotiate(&c, SMB_3_1_1), STATUS_SUCCESS);
    c.credits = 100;
    assert_int_equal(client_logon(&c, "bob", "secret2"), STATUS_SUCCESS);
    c.sign = true;
    assert_int_equal(client_tree(&c, "\\\\host\\share"), STATUS_SUCCESS);
    assert_int_equal(come_back("f", &leased), STATUS_ACCESS_DENIED);
    client_close(&c);
    assert_int_equal(come_back("F", &leased), STATUS_SUCCESS);
    close_open(&c, STATUS_SUCCESS);
}

static void ends_with_logoff_of_tree(void **state)
{
    assert_int_equal(create(&c, "f", &batch), STATUS_SUCCESS);
    assert_int_equal(client_simple(&c, SMB2_TREE_DISCONNECT, 4), STATUS_SUCCESS);
    lose(&c, 0);
    assert_int_equal(come_back("f", &batch), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(create(&c, "f", &batch), STATUS_SUCCESS);
    assert_int_equal(client_simple(&c, SMB2_LOGOFF, 4), STATUS_SUCCESS);
    lose(&c, 1);
    assert_int_equal(come_back("f", &batch), STATUS_SUCCESS);
    close_open(&c, STATUS_SUCCESS);
}

static void not_kept(void **state)
{
    struct asked a = batch_v2;
    a.options = 0x1000; /* FILE_DELETE_ON_CLOSE */
    assert_int_equal(create(&c, "gone", &a), STATUS_SUCCESS);
    lose(&c, 0);
    assert_int_equal(come_back("gone", &a), STATUS_OBJECT_NAME_NOT_FOUND);
    a = leased; /* a range, and no right to keep writers off */
    a.state = CO_R | CO_H;
    assert_int_equal(create(&c, "f", &a), STATUS_SUCCESS);
    assert_int_equal(lock_byte(&c, 0, 2 | 0x10), STATUS_SUCCESS);
    lose(&c, 0);
    assert_int_equal(come_back("f", &a), STATUS_OBJECT_NAME_NOT_FOUND);
    opens_become(0);
    w.srv.cfg.max_disconnected = 1;
    assert_int_equal(create(&c, "f", &leased), STATUS_SUCCESS);
    a = batch_v2;
    a.guid = GUID_B;
    assert_int_equal(create(&c, "g", &a), STATUS_SUCCESS);
    lose(&c, 1);
    opens_become(1);
}

static void expires(void **state)
{
    struct asked a = batch_v2;
    a.timeout = 50;
    assert_int_equal(create(&c, "f", &a), STATUS_SUCCESS);
    lose(&c, 0); /* kept for a moment */
    opens_become(0);
    assert_int_equal(come_back("f", &a), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* What others do decides whether there is anything to come back to: §4 of the rules for disconnected handles. */
static void others(void **state)
{
    static const struct {
        struct asked held, other;
        bool survives;
    } cases[] = {
        {{.lease = KEY_A, .state = CO_R | CO_H, .share = 7}, {.lease = KEY_B, .share = 7}, true},
        {{.lease = KEY_A, .share = 7}, {.lease = KEY_B, .share = 7}, false},
        {{.lease = KEY_A, .state = CO_R | CO_H, .share = 7}, {.share = 0}, false},
        {{.oplock = SMB2_OPLOCK_LEVEL_BATCH, .share = 7}, {.share = 7}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asked a = cases[i].held;
        a.durable = SMB_DH2Q;
        a.guid = GUID_A;
        client_ready(&d, &w, SMB_2_0_2); /* somebody else: it has no ClientGuid */
        if (c.fd < 0)
            client_ready(&c, &w, SMB_3_1_1);
        assert_int_equal(create(&c, "f", &a), STATUS_SUCCESS);
        const uint64_t held[2] = {id[0], id[1]};
        lose(&c, 1);
        assert_int_equal(create(&d, "f", &cases[i].other), STATUS_SUCCESS);
        assert_int_equal(d.reply[SMB2_HEADER + 4], FS_OPENED);
        client_put_close(&d, id);
        assert_true(client_call(&d));
        memcpy(id, held, sizeof id);
        uint32_t status = come_back("f", &a);
        assert_int_equal(status, cases[i].survives ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND);
        if (cases[i].survives)
            close_open(&c, STATUS_SUCCESS);
        client_close(&d);
    }
}

/* NFS meets what is kept: reading lowers the lease and the open stays, writing ends it. */
static void meets_nfs(void **state)
{
    assert_int_equal(create(&c, "f", &leased), STATUS_SUCCESS);
    assert_int_equal(write_byte(&c, 0, 0), STATUS_SUCCESS);
    lose(&c, 1);
    assert_int_equal(by_nobody("f", false), ST_OK);
    assert_int_equal(come_back("f", &leased), STATUS_SUCCESS);
    assert_int_equal(get_le32(answered(&c, "RqLs") + 16), CO_R | CO_H);
    lose(&c, 1);
    assert_int_equal(by_nobody("f", true), ST_OK);
    opens_become(0);
    assert_int_equal(come_back("f", &leased), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void replays(void **state)
{
    assert_int_equal(create(&c, "f", &leased), STATUS_SUCCESS);
    const uint64_t first[2] = {id[0], id[1]};
    assert_int_equal(create(&c, "f", &leased), STATUS_DUPLICATE_OBJECTID);
    c.flags = SMB2_FLAGS_REPLAY_OPERATION;
    assert_int_equal(create(&c, "f", &leased), STATUS_SUCCESS);
    assert_memory_equal(id, first, sizeof id);
    assert_int_equal(get_le32(answered(&c, "DH2Q")), 300000);
    struct asked other = leased;
    other.lease = KEY_B;
    assert_int_equal(create(&c, "f", &other), STATUS_ACCESS_DENIED);
    c.flags = 0;
    assert_int_equal(write_byte(&c, 0, 0), STATUS_SUCCESS); /* it has had its answer */
    c.flags = SMB2_FLAGS_REPLAY_OPERATION;
    assert_int_equal(create(&c, "f", &leased), STATUS_SUCCESS);
    assert_int_not_equal(id[0], first[0]);
    c.flags = 0;
    close_open(&c, STATUS_SUCCESS);
    assert_int_equal(create(&c, "f", &leased), STATUS_SUCCESS); /* the guid is free again */
}

static void channel_sequence(void **state)
{
    assert_int_equal(create(&c, "f", &batch), STATUS_SUCCESS);
    assert_int_equal(write_byte(&c, 0, 0), STATUS_SUCCESS);
    assert_int_equal(write_byte(&c, 5, 0), STATUS_SUCCESS);
    assert_int_equal(write_byte(&c, 4, 0), STATUS_FILE_NOT_AVAILABLE);
    assert_int_equal(write_byte(&c, 4, SMB2_FLAGS_REPLAY_OPERATION), STATUS_FILE_NOT_AVAILABLE);
    assert_int_equal(write_byte(&c, 5, SMB2_FLAGS_REPLAY_OPERATION), STATUS_SUCCESS);
    assert_int_equal(write_byte(&c, 5 + 0x7fff, 0), STATUS_SUCCESS);
    assert_int_equal(write_byte(&c, 2, 0), STATUS_SUCCESS); /* round */
    assert_int_equal(write_byte(&c, 0xffff, 0), STATUS_FILE_NOT_AVAILABLE);
    lose(&c, 1);
    assert_int_equal(come_back("f", &batch), STATUS_SUCCESS);
    assert_int_equal(write_byte(&c, 1, 0), STATUS_FILE_NOT_AVAILABLE); /* it remembers */
    assert_int_equal(write_byte(&c, 2, 0), STATUS_SUCCESS);
}

static void lock_sequence(void **state)
{
    const uint32_t first = 7 << 4 | 3;
    assert_int_equal(create(&c, "f", &batch), STATUS_SUCCESS);
    assert_int_equal(lock_byte(&c, first, 2 | 0x10), STATUS_SUCCESS);
    lose(&c, 1);
    assert_int_equal(come_back("f", &batch), STATUS_SUCCESS);
    assert_int_equal(lock_byte(&c, first, 2 | 0x10), STATUS_SUCCESS); /* again, not once more */
    assert_int_equal(lock_byte(&c, first + 1, 2 | 0x10), STATUS_LOCK_NOT_GRANTED);
    assert_int_equal(lock_byte(&c, first + 2, 4), STATUS_SUCCESS);
    assert_int_equal(lock_byte(&c, first + 2, 4), STATUS_SUCCESS);
    assert_int_equal(lock_byte(&c, first + 3, 4), STATUS_RANGE_NOT_LOCKED);
}

/* The client is back before the server has seen, or dealt with, the end of its lost connection. */
static void many_come_back(void **state)
{
    enum { MANY = 200 };
    static uint64_t were[MANY][2];
    char name[8];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "f%u", i);
        assert_int_equal(create(&c, name, &batch), STATUS_SUCCESS);
        memcpy(were[i], id, sizeof id);
    }
    client_close(&c);
    for (unsigned i = MANY; i--;) {
        snprintf(name, sizeof name, "f%u", i);
        memcpy(id, were[i], sizeof id);
        assert_int_equal(come_back(name, &batch), STATUS_SUCCESS);
        if (i == MANY / 2) /* and once more */
            client_close(&c);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(granted), T(mixed), T(comes_back), T(comes_to_wrong_hands), T(ends_with_logoff_of_tree), T(not_kept), T(expires),
        T(others), T(meets_nfs), T(replays), T(channel_sequence), T(lock_sequence),
        T(many_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
