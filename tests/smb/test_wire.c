/* The protocol's machinery as a client sees it: negotiation, logons, signatures, chains, message ids, waiting, ends. */
#include "wire.h"

static struct wire w;
static const uint16_t dialects[] = {SMB_2_0_2, SMB_2_1_0, SMB_3_0_0, SMB_3_0_2, SMB_3_1_1};

static int start(void **state)
{
    wire_start(&w, NULL);
    return 0;
}
static int stop(void **state)
{
    wire_stop(&w);
    return 0;
}

static void all_dialects(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        struct client c;
        client_ready(&c, &w, dialects[i]);
        assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_SUCCESS);
        assert_true(get_le32(c.reply + SMB2_HDR_FLAGS) & SMB2_FLAGS_SIGNED);
        assert_int_equal(client_simple(&c, SMB2_TREE_DISCONNECT, 4), STATUS_SUCCESS);
        assert_int_equal(client_simple(&c, SMB2_TREE_DISCONNECT, 4), STATUS_NETWORK_NAME_DELETED);
        assert_int_equal(client_simple(&c, SMB2_LOGOFF, 4), STATUS_SUCCESS);
        assert_int_equal(client_simple(&c, SMB2_LOGOFF, 4), STATUS_USER_SESSION_DELETED);
        client_close(&c);
    }
}

static void negotiation(void **state)
{
    struct client c;
    client_open(&c, &w);
    assert_int_equal(client_negotiate(&c, 0x0222), STATUS_NOT_SUPPORTED);
    assert_int_equal(client_negotiate(&c, SMB_2_1_0), STATUS_SUCCESS);
    assert_int_equal(get_le16(c.reply + SMB2_HEADER + 4), SMB_2_1_0);
    client_begin(&c, SMB2_NEGOTIATE); /* a second one ends it */
    client_u16(&c, 36);
    client_send(&c);
    assert_true(client_closed(&c));
    client_close(&c);
    client_open(&c, &w); /* nothing before negotiation */
    client_begin(&c, SMB2_ECHO);
    client_u32(&c, 4);
    client_send(&c);
    assert_true(client_closed(&c));
    client_close(&c);
}

static void contexts(void **state)
{
    static const struct {
        const char *what;
        uint8_t bytes[80];
        size_t n;
        uint16_t count;
        uint32_t status;
    } t[] = {
        {"none", {0}, 0, 0, STATUS_INVALID_PARAMETER},
        {"count without bytes", {0}, 0, 3, STATUS_INVALID_PARAMETER},
        {"no hash known", {1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0}, 14, 1, STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP},
        {"no hash at all", {1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 1, STATUS_INVALID_PARAMETER},
        {"twice", {1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0}, 30, 2,
         STATUS_INVALID_PARAMETER},
        {"length beyond the end", {1, 0, 60, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0}, 14, 1, STATUS_INVALID_PARAMETER},
        {"no ciphers listed", {1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0, 0}, 26, 2,
         STATUS_INVALID_PARAMETER},
        {"unknown and compression too", {1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0,
          0, 0, 0, 0, 99, 0, 1, 0, 0, 0, 0, 0, 7}, 41, 3, STATUS_SUCCESS},
        {"GCM and GMAC", {1, 0, 6, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 6, 0, 0, 0, 0, 0, 2, 0, 1, 0, 2, 0, 0, 0,
          8, 0, 6, 0, 0, 0, 0, 0, 2, 0, 1, 0, 2, 0}, 46, 3, STATUS_SUCCESS},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        struct client c;
        client_open(&c, &w);
        client_contexts(&c, t[i].bytes, t[i].n, t[i].count);
        if (c.status != t[i].status)
            fail_msg("%s: 0x%08x", t[i].what, c.status);
        if (i + 1 == ARRAY_LEN(t)) { /* [MS-SMB2] 2.2.4.1: cipher and algorithm chosen */
            assert_int_equal(get_le16(c.reply + SMB2_HEADER + 6), 3);
            assert_non_null(memmem(c.reply, c.nreply, "\2\0\4\0\0\0\0\0\1\0\2\0", 12));
            assert_non_null(memmem(c.reply, c.nreply, "\10\0\4\0\0\0\0\0\1\0\2\0", 12));
        }
        client_close(&c);
    }
}

static void smb1_send(struct client *c, const char *names, size_t n)
{
    c->n = SMB_FRAMING;
    client_put(c, "\xffSMB\x72", 5);
    client_put(c, (uint8_t[27]){0}, 27);
    client_u8(c, 0);
    client_u16(c, (uint16_t)n);
    client_put(c, names, n);
    c->header = 0;
    client_send(c);
}

static void smb1(void **state)
{
    struct client c;
    client_open(&c, &w);
    smb1_send(&c, "\2NT LM 0.12\0\2SMB 2.002\0\2SMB 2.???", 34);
    assert_true(client_recv(&c));
    assert_int_equal(get_le16(c.reply + SMB2_HEADER + 4), SMB_2_WILDCARD);
    c.mid = 1;
    assert_int_equal(client_negotiate(&c, SMB_3_0_2), STATUS_SUCCESS);
    assert_int_equal(client_logon(&c, "ann", "secret"), STATUS_SUCCESS);
    client_close(&c);
    client_open(&c, &w);
    smb1_send(&c, "\2NT LM 0.12\0\2SMB 2.002", 23);
    assert_true(client_recv(&c));
    assert_int_equal(get_le16(c.reply + SMB2_HEADER + 4), SMB_2_0_2);
    client_close(&c);
    static const char *const bad[] = {"\2NT LM 0.12", "\3SMB 2.???", ""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        client_open(&c, &w);
        smb1_send(&c, bad[i], strlen(bad[i]) + 1);
        assert_true(client_closed(&c));
        client_close(&c);
    }
}

static void logons(void **state)
{
    struct client c;
    client_open(&c, &w);
    assert_int_equal(client_negotiate(&c, SMB_3_1_1), STATUS_SUCCESS);
    assert_int_equal(client_logon(&c, "ann", "wrong"), STATUS_LOGON_FAILURE);
    c.session = 0;
    assert_int_equal(client_logon(&c, "nobody", "secret"), STATUS_LOGON_FAILURE);
    c.session = 0;
    assert_int_equal(client_logon(&c, "", ""), STATUS_LOGON_FAILURE);
    c.session = 4711;
    assert_int_equal(client_logon(&c, "ann", "secret"), STATUS_USER_SESSION_DELETED);
    c.session = 0;
    assert_int_equal(client_logon(&c, "ANN", "secret"), STATUS_SUCCESS);
    c.sign = true;
    assert_int_equal(client_tree(&c, "\\\\host\\IPC$"), STATUS_SUCCESS);
    assert_int_equal(client_tree(&c, "\\\\host\\nothing"), STATUS_BAD_NETWORK_NAME);
    assert_int_equal(client_tree(&c, "host\\share"), STATUS_BAD_NETWORK_NAME);
    assert_int_equal(client_tree(&c, "\\\\host"), STATUS_BAD_NETWORK_NAME);
    assert_int_equal(client_tree(&c, "\\\\host\\SHARE"), STATUS_SUCCESS);
    assert_int_equal(client_tree(&c, "\\\\host\\sealed"), STATUS_ACCESS_DENIED); /* no cipher was negotiated */
    assert_int_equal(client_logon(&c, "ann", "secret"), STATUS_SUCCESS); /* again */
    assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_SUCCESS);
    assert_int_equal(client_logon(&c, "bob", "secret2"), STATUS_SUCCESS); /* and as another */
    assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_SUCCESS);
    assert_int_equal(client_logon(&c, "bob", "wrong"), STATUS_LOGON_FAILURE); /* that ends it */
    assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_USER_SESSION_DELETED);
    client_close(&c);
}

static void signatures(void **state)
{
    struct client c;
    client_ready(&c, &w, SMB_3_0_0);
    uint8_t zero[16] = {0};
    struct smb_signer *right = c.signer;
    c.signer = smb_signer_new(SMB2_SIGNING_AES_CMAC, zero);
    client_begin(&c, SMB2_ECHO);
    client_u32(&c, 4);
    client_send(&c);
    smb_signer_free(c.signer);
    c.signer = right;
    assert_true(client_recv(&c));
    assert_int_equal(c.status, STATUS_ACCESS_DENIED);
    assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_SUCCESS);
    c.sign = false; /* not required: unsigned is as good */
    assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_SUCCESS);
    assert_false(get_le32(c.reply + SMB2_HDR_FLAGS) & SMB2_FLAGS_SIGNED);
    client_close(&c);
    /* [MS-SMB2] 3.3.5.7: in 3.1.1 a tree connect that is neither signed nor encrypted ends the connection. */
    client_open(&c, &w);
    assert_int_equal(client_negotiate(&c, SMB_3_1_1), STATUS_SUCCESS);
    assert_int_equal(client_logon(&c, "ann", "secret"), STATUS_SUCCESS);
    (void)client_tree(&c, "\\\\host\\share");
    assert_true(client_closed(&c));
    client_close(&c);
}

/* [MS-SMB2] 3.3.5.5.3: who logs on again in the place of a lost session finds nothing of it open. */
static void replaced(void **state)
{
    struct client lost, c;
    uint64_t id[2];
    for (unsigned i = 0; i < 20; i++) {
        client_ready(&lost, &w, SMB_3_1_1);
        client_put_create(&lost, "mine alone", false);
        put_le32(lost.out + lost.header + SMB2_HEADER + 32, 0); /* ShareAccess */
        assert_true(client_call(&lost));
        assert_int_equal(lost.status, STATUS_SUCCESS);
        client_open(&c, &w);
        assert_int_equal(client_negotiate(&c, SMB_3_1_1), STATUS_SUCCESS);
        c.credits = 10;
        c.previous = lost.session;
        assert_int_equal(client_logon(&c, "ann", "secret"), STATUS_SUCCESS);
        c.sign = true;
        assert_int_equal(client_tree(&c, "\\\\host\\share"), STATUS_SUCCESS);
        assert_int_equal(client_create(&c, "mine alone", false, id), STATUS_SUCCESS);
        client_close(&c);
        client_close(&lost);
    }
}

static void message_ids(void **state)
{
    struct client c;
    client_ready(&c, &w, SMB_2_1_0);
    c.mid += 5; /* any order within the window */
    assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_SUCCESS);
    c.mid -= 6;
    assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_SUCCESS);
    c.mid -= 1; /* used */
    client_begin(&c, SMB2_ECHO);
    client_u32(&c, 4);
    client_send(&c);
    assert_true(client_closed(&c));
    client_close(&c);
    client_ready(&c, &w, SMB_2_1_0);
    c.mid += 9000; /* never granted */
    client_begin(&c, SMB2_ECHO);
    client_u32(&c, 4);
    client_send(&c);
    assert_true(client_closed(&c));
    client_close(&c);
    /* A payload must be paid for. */
    client_ready(&c, &w, SMB_2_1_0);
    uint64_t id[2];
    assert_int_equal(client_create(&c, "paid", false, id), STATUS_SUCCESS);
    for (int paid = 0; paid < 2; paid++) {
        c.charge = paid ? 2 : 1;
        client_begin(&c, SMB2_READ);
        client_u16(&c, 49);
        client_u16(&c, 0);
        client_u32(&c, 65537);
        client_u64(&c, 0);
        client_u64(&c, id[0]);
        client_u64(&c, id[1]);
        client_put(&c, (uint8_t[17]){0}, 17);
        assert_true(client_call(&c));
        assert_int_equal(c.status, paid ? STATUS_END_OF_FILE : STATUS_INVALID_PARAMETER);
    }
    client_close(&c);
}

static void chains(void **state)
{
    struct client c;
    static const uint64_t related[2] = {UINT64_MAX, UINT64_MAX};
    client_ready(&c, &w, SMB_3_1_1);
    /* create, close, close again: the third finds it closed. */
    client_put_create(&c, "chain", false);
    c.flags = SMB2_FLAGS_RELATED_OPERATIONS;
    client_put_close(&c, related);
    client_put_close(&c, related);
    assert_true(client_call(&c));
    assert_int_equal(c.status, STATUS_SUCCESS);
    assert_true(client_next(&c));
    assert_int_equal(c.status, STATUS_SUCCESS);
    assert_true(client_next(&c));
    assert_int_equal(c.status, STATUS_FILE_CLOSED);
    assert_false(client_next(&c));
    /* A failed create is what the rest answers too. */
    c.flags = 0;
    client_put_create(&c, "no*name", false);
    c.flags = SMB2_FLAGS_RELATED_OPERATIONS;
    client_put_close(&c, related);
    assert_true(client_call(&c));
    uint32_t status = c.status;
    assert_int_not_equal(status, STATUS_SUCCESS);
    assert_true(client_next(&c));
    assert_int_equal(c.status, status);
    /* Nothing to be related to. */
    client_put_close(&c, related);
    assert_true(client_call(&c));
    assert_int_equal(c.status, STATUS_INVALID_PARAMETER);
    c.flags = 0;
    /* Unrelated ones, a wrong one between them, and a CANCEL that gets no answer. */
    client_begin(&c, SMB2_ECHO);
    client_u32(&c, 4);
    client_begin(&c, 0xFF);
    client_u32(&c, 4);
    client_begin(&c, SMB2_CANCEL);
    client_u32(&c, 4);
    client_begin(&c, SMB2_ECHO);
    client_u32(&c, 4);
    assert_true(client_call(&c));
    assert_int_equal(c.status, STATUS_SUCCESS);
    assert_true(client_next(&c));
    assert_int_equal(c.status, STATUS_INVALID_PARAMETER);
    assert_true(client_next(&c));
    assert_int_equal(c.status, STATUS_SUCCESS);
    assert_false(client_next(&c));
    client_close(&c);
}

static void put_notify(struct client *c, const uint64_t id[2])
{
    client_begin(c, SMB2_CHANGE_NOTIFY);
    client_u16(c, 32);
    client_u16(c, 0);
    client_u32(c, 1000);
    client_u64(c, id[0]);
    client_u64(c, id[1]);
    client_u32(c, 3);
    client_u32(c, 0);
}

static void waiting(void **state)
{
    struct client c;
    uint64_t id[2];
    client_ready(&c, &w, SMB_3_1_1);
    assert_int_equal(client_create(&c, "watched", true, id), STATUS_SUCCESS);
    for (int by_id = 0; by_id < 2; by_id++) {
        uint64_t mid = c.mid;
        put_notify(&c, id);
        assert_true(client_call(&c)); /* [MS-SMB2] 3.3.4.2: at once, with its credits, not signed */
        assert_int_equal(c.status, STATUS_PENDING);
        uint32_t flags = get_le32(c.reply + SMB2_HDR_FLAGS);
        assert_true(flags & SMB2_FLAGS_ASYNC_COMMAND);
        assert_false(flags & SMB2_FLAGS_SIGNED);
        assert_true(c.granted >= 1);
        uint64_t async_id = get_le64(c.reply + SMB2_HDR_ASYNC_ID);
        assert_int_not_equal(async_id, 0);
        assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_SUCCESS); /* others go on */
        c.flags = by_id ? 0 : SMB2_FLAGS_ASYNC_COMMAND;
        uint64_t saved = c.mid;
        c.mid = by_id ? mid : 0;
        client_begin(&c, SMB2_CANCEL);
        c.mid = saved;
        c.flags = 0;
        if (!by_id)
            put_le64(c.out + c.header + SMB2_HDR_ASYNC_ID, async_id);
        client_u32(&c, 4);
        assert_true(client_call(&c));
        assert_int_equal(c.status, STATUS_CANCELLED);
        assert_int_equal(get_le64(c.reply + SMB2_HDR_MESSAGE_ID), mid);
        assert_int_equal(get_le64(c.reply + SMB2_HDR_ASYNC_ID), async_id);
        assert_int_equal(c.granted, 0);
        assert_true(get_le32(c.reply + SMB2_HDR_FLAGS) & SMB2_FLAGS_SIGNED);
    }
    /* Closing what it waits on ends the wait. */
    put_notify(&c, id);
    assert_true(client_call(&c));
    assert_int_equal(c.status, STATUS_PENDING);
    client_put_close(&c, id);
    client_send(&c);
    bool cleanup = false, closed = false;
    for (int i = 0; i < 2; i++) {
        assert_true(client_recv(&c));
        cleanup |= c.status == STATUS_NOTIFY_CLEANUP;
        closed |= c.status == STATUS_SUCCESS && get_le16(c.reply + SMB2_HDR_COMMAND) == SMB2_CLOSE;
    }
    assert_true(cleanup && closed);
    /* And so does losing the connection: the server can still be stopped at the end of this program. */
    assert_int_equal(client_create(&c, "watched", true, id), STATUS_SUCCESS);
    put_notify(&c, id);
    client_send(&c);
    client_close(&c);
}

/* Whatever it gets, the server closes or answers, and the next client finds it well. */
static void garbage(void **state)
{
    struct client c;
    unsigned seed = 7;
    for (int round = 0; round < 300; round++) {
        client_ready(&c, &w, dialects[round % ARRAY_LEN(dialects)]);
        c.sign = round & 1;
        client_put_create(&c, "garbage", false);
        client_begin(&c, (uint16_t)(round % SMB2_COMMANDS));
        for (int i = 0; i < 60; i++)
            client_u8(&c, (uint8_t)rand_r(&seed));
        for (int i = 0; i < 3; i++)
            c.out[SMB_FRAMING + (size_t)rand_r(&seed) % (c.n - SMB_FRAMING)] ^= (uint8_t)(1 << rand_r(&seed) % 8);
        client_send(&c);
        shutdown(c.fd, SHUT_WR);
        while (client_recv(&c))
            ;
        client_close(&c);
    }
    static const char *const frames[] = {"\0\0\0\0", "\1\0\0\x40", "\0\xff\xff\xff", "GET / HTTP/1.0\r\n\r\n",
                                         "\0\0\0\x40\xfdSMB", "\0\0\0\x40\xfcSMB"};
    static const size_t lengths[] = {4, 4, 4, 18, 68, 68};
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        uint8_t b[68] = {0};
        memcpy(b, frames[i], MIN(lengths[i], (size_t)(i < 4 ? lengths[i] : 8)));
        client_open(&c, &w);
        assert_true(send(c.fd, b, lengths[i], MSG_NOSIGNAL) == (ssize_t)lengths[i]);
        assert_true(client_closed(&c));
        client_close(&c);
    }
    client_ready(&c, &w, SMB_3_1_1);
    client_close(&c);
}

static void limits(void **state)
{
    struct wire own;
    struct client c;
    uint64_t id[2];
    struct smb_config k = {.signing = FS_REQUIRED, .encryption = FS_OFF, .max_sessions = 1, .max_trees = 2, .max_opens = 3};
    wire_start(&own, &k);
    client_ready(&c, &own, SMB_2_1_0);
    uint64_t session = c.session;
    c.session = 0;
    c.sign = false;
    assert_int_equal(client_logon(&c, "bob", "secret2"), STATUS_INSUFFICIENT_RESOURCES);
    c.session = session;
    c.sign = true;
    assert_int_equal(client_tree(&c, "\\\\host\\IPC$"), STATUS_SUCCESS);
    assert_int_equal(client_tree(&c, "\\\\host\\IPC$"), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(client_simple(&c, SMB2_TREE_DISCONNECT, 4), STATUS_SUCCESS);
    assert_int_equal(client_tree(&c, "\\\\host\\share"), STATUS_SUCCESS);
    for (int i = 0; i < 5; i++)
        assert_int_equal(client_create(&c, "many", false, id), i < 3 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
    client_put_close(&c, id);
    assert_true(client_call(&c));
    assert_int_equal(c.status, STATUS_SUCCESS);
    assert_int_equal(client_create(&c, "many", false, id), STATUS_SUCCESS);
    /* Signing is required here. */
    c.sign = false;
    assert_int_equal(client_simple(&c, SMB2_ECHO, 4), STATUS_ACCESS_DENIED);
    wire_stop(&own); /* with the client still there */
    assert_true(client_closed(&c));
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_dialects), cmocka_unit_test(negotiation), cmocka_unit_test(contexts), cmocka_unit_test(smb1),
        cmocka_unit_test(logons), cmocka_unit_test(signatures), cmocka_unit_test(replaced), cmocka_unit_test(message_ids), cmocka_unit_test(chains),
        cmocka_unit_test(waiting), cmocka_unit_test(garbage), cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
