/* Whoever loses a caching right hears of it before the one who took it gets his answer, on whichever loops the two are:
 * what does not wait for an acknowledgement waits for that. */
#include "asked.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>

#define ROUNDS 60

static struct wire w;
static struct client c, d; /* the holder; the other one */

static int start(void **state)
{
    wire_start(&w, NULL);
    client_ready(&c, &w, SMB_3_1_1);
    client_ready(&d, &w, SMB_3_1_1);
    return 0;
}
static int stop(void **state)
{
    client_close(&c);
    client_close(&d);
    wire_stop(&w);
    return 0;
}

/* The notification is there already. */
static void told(uint8_t from, uint8_t to)
{
    struct pollfd p = {.fd = c.fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_true(client_recv(&c));
    assert_int_equal(get_le16(c.reply + SMB2_HDR_COMMAND), SMB2_OPLOCK_BREAK);
    assert_int_equal(c.reply[SMB2_HEADER + 24], from);
    assert_int_equal(c.reply[SMB2_HEADER + 28], to);
}

static void closes(struct client *k, const uint64_t id[2])
{
    client_put_close(k, id);
    assert_int_equal(client_answer(k), STATUS_SUCCESS);
}

/* An open that deletes when it ends takes the others' H with that end. */
static void end_that_deletes(void **state)
{
    uint64_t held[2], id[2];
    for (int i = 0; i < ROUNDS; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        struct asked rh = {.share = 7, .lease = KEY_A, .state = CO_R | CO_H}, deletes = {.share = 7, .options = 0x1000};
        assert_int_equal(client_ask(&c, name, &rh, held), STATUS_SUCCESS);
        assert_int_equal(client_ask(&d, name, &deletes, id), STATUS_SUCCESS);
        assert_int_equal(poll(&(struct pollfd){.fd = c.fd, .events = POLLIN}, 1, 0), 0);
        closes(&d, id);
        told(CO_R | CO_H, CO_R);
        assert_int_equal(client_ask(&d, name, &deletes, id), STATUS_DELETE_PENDING);
        closes(&c, held);
    }
}

/* A write takes R, which nobody has to acknowledge. */
static void write_under_a_reader(void **state)
{
    uint64_t held[2], id[2];
    struct asked r = {.share = 7, .lease = KEY_A, .state = CO_R}, plain = {.share = 7};
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(client_ask(&c, "read", &r, held), STATUS_SUCCESS);
        assert_int_equal(client_ask(&d, "read", &plain, id), STATUS_SUCCESS);
        client_begin(&d, SMB2_WRITE);
        client_u16(&d, 49);
        client_u16(&d, SMB2_HEADER + 48);
        client_u32(&d, 1);
        client_u64(&d, 0);
        client_u64(&d, id[0]);
        client_u64(&d, id[1]);
        client_put(&d, (uint8_t[16]){0}, 16);
        client_u8(&d, 'x');
        assert_int_equal(client_answer(&d), STATUS_SUCCESS);
        told(CO_R, 0);
        closes(&d, id);
        closes(&c, held);
    }
}

/* What a client asks for after its own request took a right from it, over the same connection, is answered later. */
static void before_later_answers(void **state)
{
    uint64_t held[2], id[2];
    int one = 1, zero = 0;
    struct asked rh = {.share = 7, .lease = KEY_A, .state = CO_R | CO_H}, plain = {.share = 7};
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(client_ask(&c, "goes", &rh, held), STATUS_SUCCESS);
        assert_int_equal(client_ask(&c, "goes", &plain, id), STATUS_SUCCESS);
        setsockopt(c.fd, IPPROTO_TCP, TCP_CORK, &one, sizeof one);
        client_begin(&c, SMB2_SET_INFO); /* waits for what it takes from the other open */
        client_u16(&c, 33);
        client_u8(&c, 1);
        client_u8(&c, 13); /* FileDispositionInformation */
        client_u32(&c, 1);
        client_u32(&c, SMB2_HEADER + 32);
        client_u32(&c, 0);
        client_u64(&c, id[0]);
        client_u64(&c, id[1]);
        client_u8(&c, 1);
        client_send(&c);
        client_begin(&c, SMB2_ECHO);
        client_u32(&c, 4);
        client_send(&c);
        setsockopt(c.fd, IPPROTO_TCP, TCP_CORK, &zero, sizeof zero);
        assert_true(client_recv(&c));
        assert_int_equal(get_le16(c.reply + SMB2_HDR_COMMAND), SMB2_OPLOCK_BREAK);
        client_final(&c);
        assert_int_equal(get_le16(c.reply + SMB2_HDR_COMMAND), SMB2_ECHO);
        closes(&c, held); /* instead of an acknowledgement; whose answer is first is open */
        assert_int_equal(client_final(&c), STATUS_SUCCESS);
        closes(&c, id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(end_that_deletes, start, stop),
                                       cmocka_unit_test_setup_teardown(write_under_a_reader, start, stop),
                                       cmocka_unit_test_setup_teardown(before_later_answers, start, stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
