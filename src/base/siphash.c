/* siphash.c - SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), 64-bit result, and the two
 * hashes for tables that use it under a key of this process. Knows nothing of what it hashes. */
#include "bytes.h"
#include "hash.h"
#include <sys/random.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static struct {
    uint64_t k0, k1;
} sip_key;

static inline uint64_t sip_rotl(uint64_t x, unsigned b)
{
    return x << b | x >> (64 - b);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = sip_rotl(s->v1, 13) ^ s->v0;
    s->v0 = sip_rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = sip_rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = sip_rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = sip_rotl(s->v1, 17) ^ s->v2;
    s->v2 = sip_rotl(s->v2, 32);
}

static inline struct sip sip_start(uint64_t k0, uint64_t k1)
{
    return (struct sip){k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull, k0 ^ 0x6c7967656e657261ull,
                        k1 ^ 0x7465646279746573ull};
}

static inline void sip_word(struct sip *s, uint64_t m)
{
    s->v3 ^= m;
    sip_round(s);
    sip_round(s);
    s->v0 ^= m;
}

static inline uint64_t sip_end(struct sip *s)
{
    s->v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static uint64_t sip_hash(uint64_t k0, uint64_t k1, const uint8_t *p, size_t n)
{
    struct sip s = sip_start(k0, k1);
    uint64_t last = (uint64_t)n << 56;
    for (; n >= 8; p += 8, n -= 8)
        sip_word(&s, get_le64(p));
    for (size_t i = 0; i < n; i++)
        last |= (uint64_t)p[i] << (8 * i);
    sip_word(&s, last);
    return sip_end(&s);
}

uint64_t siphash(const uint8_t key[16], const void *data, size_t n)
{
    return sip_hash(get_le64(key), get_le64(key + 8), data, n);
}

/* Before main(): a table may not see two keys. Without kernel entropy (which cannot fail on a running system for 16
 * bytes) the address of the stack still differs between runs. */
__attribute__((constructor)) static void sip_draw_key(void)
{
    if (getrandom(&sip_key, sizeof sip_key, 0) != (ssize_t)sizeof sip_key)
        sip_key.k0 ^= (uint64_t)(uintptr_t)__builtin_frame_address(0);
}

uint64_t hash_bytes(const void *data, size_t n)
{
    return sip_hash(sip_key.k0, sip_key.k1, data, n);
}

uint64_t hash_u64(uint64_t v)
{
    struct sip s = sip_start(sip_key.k0, sip_key.k1);
    sip_word(&s, v);
    sip_word(&s, 8ull << 56);
    return sip_end(&s);
}
