/* Durable opens, as a client sees them that loses its connection: granted, kept, given back, and to whom not; what others
 * do meanwhile; requests sent again. */
#include "asked.h"
#include "fs/open.h"

static struct wire w;
static struct client c, d;
static uint64_t id[2];

static int start(void **state)
{
    wire_start(&w, NULL);
    client_ready(&c, &w, SMB_3_1_1);
    return 0;
}
static int stop(void **state)
{
    client_close(&c);
    client_close(&d);
    wire_stop(&w);
    return 0;
}

/* The connection is cut, and the server has noticed: it keeps `kept` opens. */
static void lose(struct client *k, uint32_t kept)
{
    client_close(k);
    for (int i = 0; i < 2000; i++) {
        pthread_rwlock_rdlock(&w.srv.lock);
        bool done = w.srv.ndisconnected == kept && w.srv.sessions.count == (k == &c ? d.fd > 0 : c.fd > 0);
        pthread_rwlock_unlock(&w.srv.lock);
        if (done)
            return;
        usleep(5000);
    }
    fail_msg("%u opens are kept", w.srv.ndisconnected);
}

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

static uint32_t create(struct client *k, const char *name, const struct asked *a)
{
    return client_ask(k, name, a, id);
}

/* A context of the last answer; NULL: not there. */
static const uint8_t *answered(const struct client *k, const char *name)
{
    uint32_t at = get_le32(k->reply + SMB2_HEADER + 80), next;
    if (!at)
        return NULL;
    for (const uint8_t *p = k->reply + at;; p += next) {
        next = get_le32(p);
        if (memcmp(p + 16, name, 4) == 0)
            return p + 24;
        if (!next)
            return NULL;
    }
}

static uint8_t level(void) { return c.reply[SMB2_HEADER + 2]; }

static void close_open(struct client *k, uint32_t want)
{
    client_put_close(k, id);
    assert_true(client_call(k));
    assert_int_equal(k->status, want);
}

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

static uint32_t lock_byte(struct client *k, uint32_t sequence, uint32_t flags)
{
    client_begin(k, SMB2_LOCK);
    client_u16(k, 48);
    client_u16(k, 1);
    client_u32(k, sequence);
    client_u64(k, id[0]);
    client_u64(k, id[1]);
    client_u64(k, 0);
    client_u64(k, 1);
    client_u32(k, flags);
    client_u32(k, 0);
    assert_true(client_call(k));
    return k->status;
}

static const struct asked batch = {.oplock = SMB2_OPLOCK_LEVEL_BATCH, .durable = SMB_DHNQ};
static const struct asked batch_v2 = {.oplock = SMB2_OPLOCK_LEVEL_BATCH, .durable = SMB_DH2Q, .guid = GUID_A};
static const struct asked leased = {.share = 7, .lease = KEY_A, .durable = SMB_DH2Q, .guid = GUID_A, .timeout = UINT32_MAX};

static uint32_t come_back(const char *name, const struct asked *a)
{
    const uint64_t was[2] = {id[0], id[1]};
    struct asked back = *a;
    back.durable = a->durable == SMB_DHNQ ? SMB_DHNC : SMB_DH2C;
    back.oplock = 0;
    back.flags = 0;
    back.back = was;
    if (c.fd < 0)
        client_ready(&c, &w, SMB_3_1_1);
    uint32_t status = create(&c, name, &back);
    if (status == STATUS_SUCCESS) {
        assert_int_equal(id[0], was[0]);
        assert_int_not_equal(id[1], was[1]);
    }
    return status;
}

/* --- The tests. */
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
static enum st by_nobody(const char *name, bool write)
{
    struct arena arena;
    struct fs_req q;
    struct fs_cred root = {.superuser = true};
    struct co_party nobody = {.label = CO_LABEL_NFS3};
    struct st_node *n = NULL;
    uint8_t buf[1];
    size_t got;
    bool eof;
    arena_init(&arena);
    fs_req_init(&q, w.fs, NULL, &arena);
    q.share = fs_share_get(w.fs, "share", 5);
    q.cred = &root;
    q.party = &nobody;
    q.posix = q.may_block = true;
    assert_int_equal(fs_lookup(&q, q.share->root, name, strlen(name), &n, NULL), ST_OK);
    enum st st = write ? fs_write(&q, n, NULL, 0, "y", 1, FS_UNSTABLE, NULL) : fs_read(&q, n, NULL, 0, buf, 1, &got, &eof, NULL);
    fs_cancel(&q);
    fs_node_unref(n);
    fs_share_put(q.share);
    arena_reset(&arena);
    return st;
}

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

/* The server ends and comes back; so does what was open, with its ranges and rights. */
static void restart(void)
{
    smb_server_stop(&w.srv);
    client_close(&c);
    assert_int_equal(smb_server_start(&w.srv, w.loops, 2, "127.0.0.1:0"), 0);
}

static void share_is_available(void)
{
    struct fs_share_config k = {.name = "share", .store = "mem", .smb = true, .file_mode_mask = 0777, .dir_mode_mask = 0777,
                                .signing = FS_OFFERED, .encryption = FS_OFFERED, .continuous_availability = true};
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
    const struct CMUnitTest tests[] = {
        T(granted), T(mixed), T(comes_back), T(comes_to_wrong_hands), T(ends_with_logoff_of_tree), T(not_kept), T(expires),
        T(others), T(meets_nfs), T(replays), T(channel_sequence), T(lock_sequence),
        T(persistent), T(reminded), T(restored_together), T(not_granted_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
