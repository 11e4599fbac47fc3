/* test_hash.c - SipHash against the vectors of its paper's reference code, and the table while it grows. */
#include "base/hash.h"
#include "cm.h"

static void test_siphash_vectors(void **state)
{
    static const struct {
        size_t n;
        uint64_t hash;
    } vectors[] = {
        {0, 0x726fdb47dd0e0e31ull}, {1, 0x74f839c593dc67fdull}, {2, 0x0d6c8009d9a94f5aull},
        {3, 0x85676696d7fb7e2dull}, {7, 0xab0200f58b01d137ull}, {8, 0x93f5f5799a932462ull},
        {15, 0xa129ca6149be45e5ull},
    };
    uint8_t key[16], in[16];
    for (uint8_t i = 0; i < 16; i++)
        key[i] = in[i] = i;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
        assert_true(siphash(key, in, vectors[i].n) == vectors[i].hash);
}

static void test_table_hashes(void **state)
{
    uint64_t v = 0x0123456789abcdefull;
    uint8_t bytes[8] = {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};
    assert_true(hash_u64(v) == hash_bytes(bytes, 8));
    assert_true(hash_u64(v) != hash_u64(v + 1));
}

struct entry {
    struct hash_link link;
    unsigned key;
};

static struct entry *find(const struct hash *h, unsigned key, uint64_t hash)
{
    for (struct hash_link *e = hash_first(h, hash); e; e = hash_next(e))
        if (container_of(e, struct entry, link)->key == key)
            return container_of(e, struct entry, link);
    return NULL;
}

static void test_growth(void **state)
{
    enum { N = 20000 };
    static struct entry all[N];
    struct hash h;
    assert_int_equal(hash_init(&h, 3), 0);
    for (unsigned i = 0; i < N; i++) {
        all[i].key = i;
        hash_insert(&h, &all[i].link, hash_u64(i));
    }
    assert_int_equal(h.count, N);
    assert_true(h.mask + 1 >= N);
    for (unsigned i = 0; i < N; i++)
        assert_ptr_equal(find(&h, i, hash_u64(i)), &all[i]);
    for (unsigned i = 0; i < N; i += 2)
        hash_remove(&h, &all[i].link);
    hash_remove(&h, &all[0].link); /* not there: nothing happens */
    assert_int_equal(h.count, N / 2);
    for (unsigned i = 0; i < N; i++)
        assert_ptr_equal(find(&h, i, hash_u64(i)), i % 2 ? &all[i] : NULL);
    hash_done(&h);
}

static void test_equal_hashes(void **state)
{
    struct entry all[20];
    struct hash h;
    assert_int_equal(hash_init(&h, 8), 0);
    for (unsigned i = 0; i < 20; i++) {
        all[i].key = i;
        hash_insert(&h, &all[i].link, i % 2 ? 77 : 77 + 64);
    }
    unsigned n = 0;
    for (struct hash_link *e = hash_first(&h, 77); e; e = hash_next(e))
        n += container_of(e, struct entry, link)->key % 2;
    assert_int_equal(n, 10);
    assert_null(hash_first(&h, 5));
    hash_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_table_hashes),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_equal_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
