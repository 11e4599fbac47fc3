/* test_blk.c - size classes, references, and blocks that are freed on another thread. */
#include "base/blk.h"
#include "cm.h"
#include <pthread.h>

static void test_classes(void **state)
{
    static const size_t sizes[] = {0, 1, 512, 513, 4096, 65536, 70000, 1 << 20, 4 << 20, 8 << 20, BLK_MAX};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct blk *b = blk_get(sizes[i]);
        assert_non_null(b);
        assert_true(b->cap >= sizes[i]);
        assert_int_equal(b->refs, 1);
        assert_int_equal(b->head | b->len, 0);
        b->data[0] = 1;
        b->data[b->cap - 1] = 1;
        blk_put(b);
    }
    assert_null(blk_get((size_t)BLK_MAX + 1));
    assert_null(blk_get(SIZE_MAX));
    blk_put(NULL);
}

static void test_reuse_and_refs(void **state)
{
    struct blk *b = blk_get(4000);
    assert_ptr_equal(blk_ref(b), b);
    b->cap = 10; /* owners may show less */
    blk_put(b);
    b->data[0] = 7;
    blk_put(b);
    struct blk *again = blk_get(4000);
    assert_ptr_equal(again, b);
    assert_true(again->cap >= 4000);
    blk_put(again);
}

/* Many more than any cache keeps. */
static void test_overflow(void **state)
{
    enum { N = 3000 };
    static struct blk *all[N];
    for (int i = 0; i < N; i++)
        all[i] = blk_get(300);
    for (int i = 0; i < N; i++)
        blk_put(all[i]);
    for (int i = 0; i < N; i++)
        assert_non_null(all[i] = blk_get(300));
    for (int i = 0; i < N; i++)
        blk_put(all[i]);
}

static struct {
    pthread_mutex_t lock;
    struct blk *first;
    int left;
} box = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *taker(void *arg)
{
    for (;;) {
        pthread_mutex_lock(&box.lock);
        struct blk *b = box.first;
        if (b)
            box.first = b->next;
        int left = box.left;
        pthread_mutex_unlock(&box.lock);
        if (b) {
            assert_int_equal(b->data[0], 0x5a);
            b->data[0] = 0;
            blk_put(b);
        } else if (left == 0) {
            return NULL;
        }
    }
}

static void *giver(void *arg)
{
    for (int i = 0; i < 5000; i++) {
        struct blk *b = blk_get(i % 3 ? 400 : 20000);
        b->data[0] = 0x5a;
        pthread_mutex_lock(&box.lock);
        b->next = box.first;
        box.first = b;
        pthread_mutex_unlock(&box.lock);
    }
    pthread_mutex_lock(&box.lock);
    box.left--;
    pthread_mutex_unlock(&box.lock);
    return NULL;
}

static void *sharer(void *arg)
{
    struct blk *b = arg;
    for (int i = 0; i < 2000; i++)
        blk_put(blk_ref(b));
    blk_put(b);
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t t[4];
    box.left = 2;
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, i < 2 ? giver : taker, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_null(box.first);
    struct blk *b = blk_get(100);
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, sharer, blk_ref(b));
    blk_put(b);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_reuse_and_refs),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
