/* test_wbuf.c - limits of the writer, bounds of the reader, and both together. */
#include "base/cursor.h"
#include "base/wbuf.h"
#include "cm.h"

static void test_round_trip(void **state)
{
    struct wbuf w;
    wbuf_init(&w, 1, 1 << 20);
    wbuf_u8(&w, 1);
    wbuf_le16(&w, 0x0203);
    wbuf_be16(&w, 0x0203);
    wbuf_le32(&w, 0x04050607);
    wbuf_be32(&w, 0x04050607);
    wbuf_le64(&w, 0x08090a0b0c0d0e0full);
    wbuf_be64(&w, 0x08090a0b0c0d0e0full);
    wbuf_put(&w, "abc", 3);
    wbuf_align(&w, 0, 8);
    assert_int_equal(wbuf_len(&w) % 8, 0);
    wbuf_patch_le16(&w, 1, 0x1111);
    struct blk *b = wbuf_take(&w);
    assert_non_null(b);
    assert_null(w.blk);
    struct cursor c = cursor_of(b->data, b->len);
    assert_int_equal(cursor_u8(&c), 1);
    assert_int_equal(cursor_le16(&c), 0x1111);
    assert_int_equal(cursor_be16(&c), 0x0203);
    assert_int_equal(cursor_le32(&c), 0x04050607);
    assert_int_equal(cursor_be32(&c), 0x04050607);
    assert_true(cursor_le64(&c) == 0x08090a0b0c0d0e0full);
    assert_true(cursor_be64(&c) == 0x08090a0b0c0d0e0full);
    assert_memory_equal(cursor_take(&c, 3), "abc", 3);
    cursor_skip(&c, cursor_left(&c));
    assert_false(c.bad);
    blk_put(b);
}

/* The limit is exact although the block behind it is larger. */
static void test_limit(void **state)
{
    for (size_t limit = 0; limit < 6000; limit += 499) {
        struct wbuf w;
        wbuf_init(&w, 10, limit);
        for (size_t i = 0; i < limit; i++)
            wbuf_u8(&w, (uint8_t)i);
        assert_false(w.bad);
        assert_int_equal(wbuf_len(&w), limit);
        for (size_t i = 0; i < limit; i++)
            assert_int_equal(*wbuf_at(&w, i), (uint8_t)i);
        wbuf_u8(&w, 0);
        assert_true(w.bad);
        assert_int_equal(wbuf_len(&w), 0);
        wbuf_le32(&w, 1);
        wbuf_patch_le32(&w, 0, 1);
        wbuf_align(&w, 3, 8);
        assert_null(wbuf_grow(&w, 1));
        assert_null(wbuf_take(&w));
        wbuf_done(&w);
    }
    struct wbuf w;
    wbuf_init(&w, 10, SIZE_MAX);
    assert_null(wbuf_grow(&w, SIZE_MAX));
    assert_true(w.bad);
    wbuf_done(&w);
}

static void test_growth(void **state)
{
    struct wbuf w;
    wbuf_init(&w, 0, 4 << 20);
    for (uint32_t i = 0; i < 1 << 20; i++)
        wbuf_le32(&w, i);
    assert_false(w.bad);
    for (uint32_t i = 0; i < 1 << 20; i += 4321)
        assert_int_equal(get_le32(wbuf_at(&w, 4 * i)), i);
    wbuf_cut(&w, 8);
    assert_int_equal(wbuf_len(&w), 8);
    wbuf_done(&w);
    assert_null(w.blk);
}

static void test_write_after_take(void **state)
{
    struct wbuf w;
    wbuf_init(&w, 8, 64);
    wbuf_le32(&w, 1);
    blk_put(wbuf_take(&w));
    wbuf_le32(&w, 2);
    assert_true(w.bad);
    wbuf_done(&w);
}

static void test_cursor_bounds(void **state)
{
    static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct cursor c = cursor_of(bytes, sizeof bytes);
    assert_int_equal(cursor_le64(&c) & 0xff, 1);
    assert_int_equal(cursor_left(&c), 0);
    assert_false(c.bad);
    assert_int_equal(cursor_u8(&c), 0);
    assert_true(c.bad);
    cursor_seek(&c, 0); /* stays bad */
    assert_int_equal(cursor_le16(&c), 0);

    c = cursor_of(bytes, sizeof bytes);
    cursor_seek(&c, 6);
    assert_int_equal(cursor_le32(&c), 0);
    assert_true(c.bad);
    c = cursor_of(bytes, sizeof bytes);
    cursor_seek(&c, 8);
    assert_false(c.bad);
    cursor_seek(&c, 9);
    assert_true(c.bad);
    c = cursor_of(bytes, sizeof bytes);
    assert_null(cursor_take(&c, SIZE_MAX));

    c = cursor_of(bytes, sizeof bytes);
    cursor_skip(&c, 5);
    struct cursor s = cursor_slice(&c, 2, 3);
    assert_int_equal(cursor_left(&s), 3);
    assert_int_equal(cursor_u8(&s), 3);
    assert_int_equal(cursor_pos(&s), 1);
    assert_true(cursor_slice(&c, 6, 3).bad);
    assert_true(cursor_slice(&c, SIZE_MAX, 2).bad);
    assert_true(cursor_slice(&c, 2, SIZE_MAX).bad);
    assert_false(cursor_slice(&c, 8, 0).bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_limit),         cmocka_unit_test(test_growth),
        cmocka_unit_test(test_write_after_take), cmocka_unit_test(test_cursor_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
