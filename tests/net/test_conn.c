/* test_conn.c - receiving and sending: pipelined, in pieces, large; messages that outlive their block; closing. */
#include "net/internal.h"
#include "peer.h"
#include <pthread.h>

static void test_pipelined(void **state)
{
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){0});
    uint8_t out[100 * 64];
    size_t n = 0;
    for (uint32_t i = 0; i < 100; i++) {
        fill(out + n, i, i % 50);
        n += 4 + i % 50;
    }
    put_all(s.fd, out, n);
    for (uint32_t i = 0; i < 100; i++)
        expect_echo(s.fd, i, i % 50);
    assert_int_equal(s.messages, 100);
    assert_null(s.conn->priv->in); /* idle: no buffers */
    peer_end(&s);
}

static void test_byte_by_byte(void **state)
{
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){0});
    uint8_t out[4 + 300];
    for (uint32_t i = 0; i < 3; i++) {
        fill(out, i, 300);
        for (size_t at = 0; at < sizeof out; at++) {
            put_all(s.fd, out + at, 1);
            if (at % 64 == 0)
                usleep(500);
        }
        expect_echo(s.fd, i, 300);
    }
    ask(s.fd, 4, 0);
    expect_echo(s.fd, 4, 0);
    peer_end(&s);
}

/* Sizes around every block size, cut at arbitrary places. */
static void *asker(void *arg)
{
    int fd = *(int *)arg;
    unsigned seed = 7;
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t n = (uint32_t)rand_r(&seed) % (i % 10 == 0 ? 300000 : 5000), at = 0;
        uint8_t *out = malloc(4 + n);
        fill(out, i, n);
        while (at < 4 + n) {
            uint32_t piece = MIN(4 + n - at, 1 + (uint32_t)rand_r(&seed) % 40000);
            put_all(fd, out + at, piece);
            at += piece;
        }
        free(out);
    }
    return NULL;
}

static void test_random_pieces(void **state)
{
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){.max_queued = 1 << 20});
    pthread_t t;
    pthread_create(&t, NULL, asker, &s.fd);
    unsigned seed = 7;
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t n = (uint32_t)rand_r(&seed) % (i % 10 == 0 ? 300000 : 5000), at = 0;
        while (at < 4 + n)
            at += MIN(4 + n - at, 1 + (uint32_t)rand_r(&seed) % 40000);
        expect_echo(s.fd, i, n);
    }
    pthread_join(t, NULL);
    peer_end(&s);
}

static void *big_asker(void *arg)
{
    ask(*(int *)arg, 1, 8 << 20);
    ask(*(int *)arg, 2, 1 << 20);
    ask(*(int *)arg, 3, 10);
    return NULL;
}

static void test_large(void **state)
{
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){0});
    pthread_t t;
    pthread_create(&t, NULL, big_asker, &s.fd);
    expect_echo(s.fd, 1, 8 << 20);
    expect_echo(s.fd, 2, 1 << 20);
    expect_echo(s.fd, 3, 10);
    pthread_join(t, NULL);
    peer_end(&s);
}

/* Messages that share a block stay what they are while others come and go, before and after they are detached. */
static void detach_all(void *arg)
{
    struct peer *s = arg;
    for (unsigned i = 0; i < s->nkept; i++) {
        uint32_t before = s->kept[i].blk->cap;
        msg_detach(&s->kept[i]);
        assert_true(before < 4096 || s->kept[i].blk->cap < before);
        assert_ptr_equal(s->kept[i].data, s->kept[i].blk->data);
    }
}

static void test_kept_and_detached(void **state)
{
    struct peer s;
    peer_open(&s, PEER_KEEP, (struct conn_limits){0});
    for (uint32_t i = 0; i < 300; i++)
        ask(s.fd, i, 200 + i);
    wait_for(s.messages == 300);
    peer_release(&s, 100);
    for (uint32_t i = 0; i < 100; i++)
        expect_echo(s.fd, i, 200 + i);
    loop_call(s.loop, detach_all, &s);
    for (uint32_t i = 300; i < 400; i++)
        ask(s.fd, i, 200 + i);
    wait_for(s.messages == 400);
    peer_release(&s, 300);
    for (uint32_t i = 100; i < 400; i++)
        expect_echo(s.fd, i, 200 + i);
    peer_end(&s);
}

static void send_many(void *arg)
{
    struct peer *s = arg;
    struct blk *shared = peer_blk("shared", 6);
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t number[4];
        put_be32(number, i);
        conn_send(s->conn, peer_blk(number, 4));
        conn_send(s->conn, blk_ref(shared)); /* the same block, many times in the queue */
    }
    conn_send(s->conn, blk_get(1)); /* empty */
    assert_int_equal(shared->len, 6);
    blk_put(shared);
}

static void test_many_blocks(void **state)
{
    struct peer s;
    peer_open(&s, PEER_ECHO, (struct conn_limits){0});
    loop_call(s.loop, send_many, &s);
    for (uint32_t i = 0; i < 1000; i++) {
        uint8_t got[10];
        get_all(s.fd, got, 10);
        assert_int_equal(get_be32(got), i);
        assert_memory_equal(got + 4, "shared", 6);
    }
    peer_end(&s);
}

static void test_bad_message_closes(void **state)
{
    struct peer s;
    uint8_t c;
    peer_open(&s, PEER_ECHO, (struct conn_limits){0});
    put_all(s.fd, "\xff", 1);
    assert_int_equal(recv(s.fd, &c, 1, 0), 0);
    wait_for(s.closed == 1);
    assert_int_equal(s.messages, 0);
    peer_end(&s);

    peer_open(&s, PEER_ECHO, (struct conn_limits){.max_message = 1000});
    ask(s.fd, 1, 996);
    expect_echo(s.fd, 1, 996);
    put_all(s.fd, "\0\0\x3\xe5", 4); /* 997 */
    assert_int_equal(recv(s.fd, &c, 1, 0), 0);
    wait_for(s.closed == 1);
    peer_end(&s);
}

static void send_and_close(void *arg)
{
    struct peer *s = arg;
    for (int i = 0; i < 100; i++) {
        struct blk *b = blk_get(30000);
        memset(b->data, i, 30000);
        b->len = 30000;
        conn_send(s->conn, b);
    }
    conn_close_after_flush(s->conn);
    conn_send(s->conn, peer_blk("late", 4));
}

static void test_close_after_flush(void **state)
{
    struct peer s;
    static uint8_t got[30000];
    peer_open(&s, PEER_ECHO, (struct conn_limits){0});
    loop_call(s.loop, send_and_close, &s);
    ask(s.fd, 1, 10); /* ignored */
    for (int i = 0; i < 100; i++) {
        get_all(s.fd, got, sizeof got);
        assert_int_equal(got[0], i);
        assert_int_equal(got[29999], i);
    }
    assert_int_equal(recv(s.fd, got, 1, 0), 0);
    assert_int_equal(s.messages, 0);
    shutdown(s.fd, SHUT_WR);
    wait_for(s.closed == 1);
    peer_end(&s);
}

/* A peer that ends its side still gets the answers to what it asked. */
static void test_half_close(void **state)
{
    struct peer s;
    uint8_t c;
    peer_open(&s, PEER_KEEP, (struct conn_limits){0});
    ask(s.fd, 1, 100);
    ask(s.fd, 2, 100);
    put_all(s.fd, "\0\0", 2); /* and the beginning of another */
    shutdown(s.fd, SHUT_WR);
    wait_for(s.messages == 2);
    peer_release(&s, 1);
    expect_echo(s.fd, 1, 100);
    assert_int_equal(s.closed, 0);
    peer_release(&s, 1);
    expect_echo(s.fd, 2, 100);
    assert_int_equal(recv(s.fd, &c, 1, 0), 0);
    wait_for(s.closed == 1);
    peer_end(&s);
}

static void test_gone_while_held(void **state)
{
    struct peer s;
    peer_open(&s, PEER_HOLD, (struct conn_limits){0});
    ask(s.fd, 1, 100);
    wait_for(s.messages == 1);
    close(s.fd);
    wait_for(s.closed == 1); /* a parked request does not keep the connection */
    s.fd = -1;
    peer_end(&s);
}

struct sent_note {
    struct conn_sent s;
    _Atomic unsigned *n;
};
static void count_sent(struct conn_sent *s) { (*container_of(s, struct sent_note, s)->n)++; }

struct sending {
    struct peer *peer;
    struct sent_note note[3];
    _Atomic unsigned sent;
};

/* Before anything, behind a few bytes, and behind more than any socket takes. */
static void send_with_notes(void *arg)
{
    struct sending *g = arg;
    struct conn *c = g->peer->conn;
    for (int i = 0; i < 3; i++)
        g->note[i] = (struct sent_note){.s.fn = count_sent, .n = &g->sent};
    conn_when_sent(c, &g->note[0].s);
    assert_int_equal(g->sent, 1);
    conn_send(c, peer_blk("few", 3));
    conn_when_sent(c, &g->note[1].s);
    assert_int_equal(g->sent, 1); /* it leaves at the end of the turn */
    for (int i = 0; i < 300; i++) {
        struct blk *b = blk_get(30000);
        memset(b->data, 0, 30000);
        b->len = 30000;
        conn_send(c, b);
    }
    conn_when_sent(c, &g->note[2].s);
}

static void test_when_sent(void **state)
{
    for (int drop = 0; drop < 2; drop++) {
        struct peer s;
        struct sending g = {.peer = &s};
        static uint8_t got[30000];
        peer_open(&s, PEER_ECHO, (struct conn_limits){0});
        loop_call(s.loop, send_with_notes, &g);
        get_all(s.fd, got, 3);
        wait_for(g.sent == 2);
        usleep(20000);
        assert_int_equal(g.sent, 2);
        for (int i = 0; !drop && i < 300; i++)
            get_all(s.fd, got, sizeof got);
        if (drop) {
            close(s.fd);
            s.fd = -1;
        }
        wait_for(g.sent == 3);
        peer_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelined),          cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_random_pieces),      cmocka_unit_test(test_large),
        cmocka_unit_test(test_kept_and_detached),  cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_bad_message_closes), cmocka_unit_test(test_close_after_flush),
        cmocka_unit_test(test_half_close),         cmocka_unit_test(test_gone_while_held),
        cmocka_unit_test(test_when_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
