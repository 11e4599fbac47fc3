/* Persistent opens, as clients see them whose server ends and comes back: what is there again, and what others who meet
 * them wait for. */
#include "durable.h"

/* The server ends and comes back; so does what was open, with its ranges and rights. */
static void restart(void)
{
    smb_server_stop(&w.srv);
    client_close(&c);
    assert_int_equal(smb_server_start(&w.srv, w.loops, 2, "127.0.0.1:0"), 0);
}

static void share_is_available(void)
{
    struct fs_share_config k = {.name = "share",
                                .store = "mem",
                                .smb = true,
                                .file_mode_mask = 0777,
                                .dir_mode_mask = 0777,
                                .signing = FS_OFFERED,
                                .encryption = FS_OFFERED,
                                .continuous_availability = true};
    assert_int_equal(fs_share_set(w.fs, "share", &k), ST_OK);
}

static void persistent(void **state)
{
    share_is_available();
    assert_int_equal(client_tree(&c, "\\\\host\\share"), STATUS_SUCCESS);
    assert_int_equal(get_le32(c.reply + SMB2_HEADER + 8), 0x10); /* continuously available */
    struct asked a = leased;
    a.flags = SMB2_DHANDLE_FLAG_PERSISTENT;
    assert_int_equal(create(&c, "f", &a), STATUS_SUCCESS);
    assert_int_equal(get_le32(answered(&c, "DH2Q") + 4), SMB2_DHANDLE_FLAG_PERSISTENT);
    assert_int_equal(lock_byte(&c, 0, 2 | 0x10), STATUS_SUCCESS);
    for (int i = 0; i < 2; i++) {
        restart();
        assert_int_equal(w.srv.ndisconnected, 1);
        if (i == 0)
            continue; /* once without its client */
        const uint64_t was[2] = {id[0], id[1]};
        struct asked back = {.durable = SMB_DH2C, .lease = KEY_A, .back = was};
        client_ready(&c, &w, SMB_3_1_1);
        assert_int_equal(create(&c, "f", &back), STATUS_OBJECT_NAME_NOT_FOUND);
        back.flags = SMB2_DHANDLE_FLAG_PERSISTENT;
        assert_int_equal(create(&c, "f", &back), STATUS_SUCCESS);
        assert_int_equal(id[0], was[0]);
        assert_int_equal(get_le32(answered(&c, "RqLs") + 16), CO_R | CO_W | CO_H);
    }
    assert_int_equal(lock_byte(&c, 0, 4), STATUS_SUCCESS);
    assert_int_equal(lock_byte(&c, 0, 4), STATUS_RANGE_NOT_LOCKED);
    close_open(&c, STATUS_SUCCESS);
    restart();
    assert_int_equal(w.srv.ndisconnected, 0);
}

static void acknowledge(struct client *who, const char *key, uint32_t state)
{
    client_begin(who, SMB2_OPLOCK_BREAK);
    client_u16(who, 36);
    client_u16(who, 0);
    client_u32(who, 0);
    client_put(who, key, 16);
    client_u32(who, state);
    client_u64(who, 0);
    assert_true(client_call(who));
    assert_int_equal(who->status, STATUS_SUCCESS);
}

/* What has waited for a persistent open since before its client was back is told to the client then. */
static void reminded(void **state)
{
    struct asked a = leased;
    a.flags = SMB2_DHANDLE_FLAG_PERSISTENT;
    share_is_available();
    assert_int_equal(client_tree(&c, "\\\\host\\share"), STATUS_SUCCESS);
    assert_int_equal(create(&c, "f", &a), STATUS_SUCCESS);
    restart();
    assert_int_equal(by_nobody("f", true), ST_DELAY);
    const uint64_t was[2] = {id[0], id[1]};
    struct asked back = {.durable = SMB_DH2C, .flags = SMB2_DHANDLE_FLAG_PERSISTENT, .lease = KEY_A, .back = was};
    client_ready(&c, &w, SMB_3_1_1);
    assert_int_equal(create(&c, "f", &back), STATUS_SUCCESS);
    assert_int_equal(get_le32(answered(&c, "RqLs") + 16), CO_R | CO_W | CO_H);
    assert_int_equal(get_le32(answered(&c, "RqLs") + 20), 0);
    uint16_t epoch = get_le16(answered(&c, "RqLs") + 48);
    assert_true(client_recv(&c));
    assert_int_equal(get_le16(c.reply + SMB2_HEADER + 2), epoch + 1);
    assert_int_equal(get_le16(c.reply + 12), SMB2_OPLOCK_BREAK);
    assert_int_equal(get_le32(c.reply + SMB2_HEADER + 4), 1); /* to be acknowledged */
    assert_int_equal(get_le32(c.reply + SMB2_HEADER + 24), CO_R | CO_W | CO_H);
    assert_int_equal(get_le32(c.reply + SMB2_HEADER + 28), 0);
    assert_int_equal(by_nobody("f", true), ST_DELAY);
    acknowledge(&c, KEY_A, 0);
    assert_int_equal(by_nobody("f", true), ST_OK);
    close_open(&c, STATUS_SUCCESS);
}

/* What others did not have to wait for is not answered as if it were still there. */
static void answered_what_is_left(void **state)
{
    struct asked a = leased;
    a.flags = SMB2_DHANDLE_FLAG_PERSISTENT;
    a.state = CO_R | CO_H;
    share_is_available();
    assert_int_equal(client_tree(&c, "\\\\host\\share"), STATUS_SUCCESS);
    assert_int_equal(create(&c, "f", &a), STATUS_SUCCESS);
    assert_int_equal(by_nobody("f", true), ST_OK);
    lose(&c, 1); /* with the notification in it */
    assert_int_equal(come_back("f", &a), STATUS_SUCCESS);
    assert_int_equal(get_le32(answered(&c, "RqLs") + 16), 0);
    assert_true(client_recv(&c));
    assert_int_equal(get_le16(c.reply + 12), SMB2_OPLOCK_BREAK);
    assert_int_equal(get_le32(c.reply + SMB2_HEADER + 24), CO_R | CO_H);
    assert_int_equal(get_le32(c.reply + SMB2_HEADER + 28), 0);
    acknowledge(&c, KEY_A, 0);
    close_open(&c, STATUS_SUCCESS);
}

/* One whose record says more than it had in the end keeps no other from coming back. */
static void restored_together(void **state)
{
    struct asked a = leased, b;
    struct co_policy p;
    a.flags = SMB2_DHANDLE_FLAG_PERSISTENT;
    a.state = CO_R | CO_W;
    co_policy_default(&p);
    p.regrant_holdoff = 0; /* which would not outlive a real restart */
    fs_set_policy(w.fs, &p);
    share_is_available();
    assert_int_equal(client_tree(&c, "\\\\host\\share"), STATUS_SUCCESS);
    assert_int_equal(create(&c, "f", &a), STATUS_SUCCESS);
    assert_int_equal(by_nobody("f", false), ST_DELAY);
    assert_true(client_recv(&c));
    acknowledge(&c, KEY_A, CO_R);
    b = a;
    b.lease = KEY_B;
    b.guid = GUID_B;
    b.state = CO_R;
    assert_int_equal(create(&c, "f", &b), STATUS_SUCCESS);
    restart();
    assert_int_equal(w.srv.ndisconnected, 2);
}

/* While the server ends, who waits for the lock of a persistent open does not get it: the open comes back with it. */
struct waiter {
    struct job job;
    struct fs_req q;
    struct st_node *node;
    _Atomic bool waits, has_it;
};
static const struct fs_range byte_0 = {.exclusive = true};

static enum st waiter_step(struct job *j)
{
    struct waiter *k = container_of(j, struct waiter, job);
    return fs_lock(&k->q, k->node, NULL, &byte_0, 1, true, false);
}
static void waiter_parked(struct job *j) { container_of(j, struct waiter, job)->waits = true; }
static void waiter_done(struct job *j, enum st st) { container_of(j, struct waiter, job)->has_it = st == ST_OK; }
static void nothing(void *arg) { (void)arg; }
static void waiter_start(void *arg) { job_start(&((struct waiter *)arg)->job); }
static void *stop_server(void *arg)
{
    smb_server_stop(&w.srv);
    return arg;
}

static void not_granted_at_the_end(void **state)
{
    static const struct job_ops ops = {.step = waiter_step, .parked = waiter_parked, .done = waiter_done};
    static const struct fs_cred root = {.superuser = true};
    static const struct co_party nlm = {.label = CO_LABEL_NLM, .flavour = CO_POSIX, .client = 77};
    struct asked a = leased;
    a.flags = SMB2_DHANDLE_FLAG_PERSISTENT;
    struct arena arena;
    struct waiter k = {.waits = false};
    pthread_t stopping;
    share_is_available();
    assert_int_equal(client_tree(&c, "\\\\host\\share"), STATUS_SUCCESS);
    assert_int_equal(create(&c, "f", &a), STATUS_SUCCESS);
    assert_int_equal(lock_byte(&c, 0, 2 | 0x10), STATUS_SUCCESS);
    arena_init(&arena);
    fs_req_init(&k.q, w.fs, &k.job, &arena);
    k.q.share = fs_share_get(w.fs, "share", 5);
    k.q.cred = &root;
    k.q.party = &nlm;
    assert_int_equal(fs_lookup(&k.q, k.q.share->root, "f", 1, &k.node, NULL), ST_OK);
    job_init(&k.job, &ops, w.loops[0], w.pool);
    loop_call(w.loops[0], waiter_start, &k);
    assert_true(k.waits);
    struct smb_conn *last = smb_conn_ref(list_first(&w.srv.conns, struct smb_conn, in_server)); /* does not end yet */
    assert_int_equal(pthread_create(&stopping, NULL, stop_server, NULL), 0);
    lose(&c, 1);
    loop_call(w.loops[0], nothing, NULL);
    assert_false(k.has_it);
    smb_conn_unref(last);
    pthread_join(stopping, NULL);
    loop_call(w.loops[0], nothing, NULL);
    assert_true(k.has_it); /* nobody is left to hold it */
    assert_int_equal(fs_unlock(&k.q, k.node, NULL, &byte_0, 1), ST_OK);
    fs_node_unref(k.node);
    fs_share_put(k.q.share);
    arena_reset(&arena);
    assert_int_equal(smb_server_start(&w.srv, w.loops, 2, "127.0.0.1:0"), 0);
    assert_int_equal(w.srv.ndisconnected, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {T(persistent), T(reminded), T(answered_what_is_left), T(restored_together),
                                       T(not_granted_at_the_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
