/* test_arena.c - alignment, growth, reset and strings of the arena. */
#include "base/arena.h"
#include "base/blk.h"
#include "cm.h"

static void test_inline_and_blocks(void **state)
{
    struct arena a;
    arena_init(&a);
    uint8_t *last[512];
    for (size_t i = 0; i < ARRAY_LEN(last); i++) {
        size_t n = 1 + (i * 37) % 3000;
        last[i] = arena_alloc(&a, n);
        assert_non_null(last[i]);
        assert_int_equal((uintptr_t)last[i] % 16, 0);
        memset(last[i], (int)i, n);
    }
    for (size_t i = 0; i < ARRAY_LEN(last); i++) {
        size_t n = 1 + (i * 37) % 3000;
        assert_int_equal(last[i][0], (uint8_t)i);
        assert_int_equal(last[i][n - 1], (uint8_t)i);
    }
    arena_reset(&a);
    assert_null(a.blocks);
    assert_ptr_equal(arena_alloc(&a, 1), a.inl);
    arena_reset(&a);
}

static void test_inline_needs_no_block(void **state)
{
    struct arena a;
    arena_init(&a);
    for (int i = 0; i < ARENA_INLINE / 16; i++)
        assert_non_null(arena_alloc(&a, 16));
    assert_null(a.blocks);
    assert_non_null(arena_alloc(&a, 1));
    assert_non_null(a.blocks);
    arena_reset(&a);
}

static void test_big_keeps_the_rest(void **state)
{
    struct arena a;
    arena_init(&a);
    uint8_t *before = a.p;
    assert_non_null(arena_alloc(&a, 1 << 20));
    assert_ptr_equal(a.p, before);
    assert_null(arena_alloc(&a, (size_t)BLK_MAX + 1));
    assert_null(arena_alloc(&a, SIZE_MAX));
    arena_reset(&a);
}

static void test_strings(void **state)
{
    struct arena a;
    arena_init(&a);
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 42), "x-42");
    char *big = arena_printf(&a, "%5000d", 7);
    assert_int_equal(strlen(big), 5000);
    assert_string_equal(arena_strndup(&a, "hello", 3), "hel");
    assert_string_equal(arena_strndup(&a, "hi", 10), "hi");
    assert_string_equal(arena_strndup(&a, NULL, 0), "");
    assert_memory_equal(arena_dup(&a, "abc", 3), "abc", 3);
    uint8_t *z = arena_zalloc(&a, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(z[i], 0);
    arena_reset(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline_and_blocks),
        cmocka_unit_test(test_inline_needs_no_block),
        cmocka_unit_test(test_big_keeps_the_rest),
        cmocka_unit_test(test_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
