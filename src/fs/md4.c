/* md4.c - MD4 (RFC 1320), only because the NT hash of a password is defined by it ([MS-NLMP] 3.3.1) and OpenSSL's
 * default provider has it no more. Not for anything that needs a secure hash. Knows nothing of users. */
#include "md4.h"
#include "base/bytes.h"

static inline uint32_t rotl(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

/* RFC 1320 3.4: three rounds of sixteen steps; what differs is the function, the constant, the order and the shifts. */
static uint32_t mix(unsigned round, uint32_t x, uint32_t y, uint32_t z)
{
    switch (round) {
    case 0:
        return (x & y) | (~x & z);
    case 1:
        return (x & y) | (x & z) | (y & z);
    default:
        return x ^ y ^ z;
    }
}

static void md4_block(uint32_t state[4], const uint8_t p[64])
{
    static const uint32_t constant[3] = {0, 0x5a827999, 0x6ed9eba1};
    static const uint8_t shift[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
    static const uint8_t order[3][16] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                                         {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
                                         {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15}};
    uint32_t v[4];
    memcpy(v, state, sizeof v);
    for (unsigned i = 0; i < 48; i++) {
        unsigned round = i / 16, a = (0u - i) & 3; /* a, d, c, b, a, ... */
        uint32_t *t = &v[a], x = v[(a + 1) & 3], y = v[(a + 2) & 3], z = v[(a + 3) & 3];
        *t = rotl(*t + mix(round, x, y, z) + get_le32(p + 4 * order[round][i % 16]) + constant[round],
                  shift[round][i % 4]);
    }
    for (unsigned i = 0; i < 4; i++)
        state[i] += v[i];
}

void md4(const void *data, size_t n, uint8_t out[16])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    const uint8_t *p = data;
    size_t left = n;
    for (; left >= 64; left -= 64, p += 64)
        md4_block(state, p);
    uint8_t tail[128] = {0};
    if (left)
        memcpy(tail, p, left);
    tail[left] = 0x80;
    size_t total = left < 56 ? 64 : 128;
    put_le64(tail + total - 8, (uint64_t)n * 8);
    for (size_t i = 0; i < total; i += 64)
        md4_block(state, tail + i);
    for (unsigned i = 0; i < 4; i++)
        put_le32(out + 4 * i, state[i]);
    explicit_bzero(tail, sizeof tail);
}
